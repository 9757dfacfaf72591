//! Format 2: the layout of this crate.
