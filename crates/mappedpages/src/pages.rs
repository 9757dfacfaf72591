//! The pages of a file as slices, over a memory map or over positioned reads and writes.

/// The pages of one file.
#[derive(Debug)]
pub(crate) struct Pages<const P: usize> {}
