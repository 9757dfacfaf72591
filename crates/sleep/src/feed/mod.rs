//! A feed: six files that say the same.
