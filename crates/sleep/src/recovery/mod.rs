//! What an open does when the files do not agree.
