//! Placeholder: this crate is being written.
fn main() {}
