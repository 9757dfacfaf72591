//! What an open found and did.

/// What opening a file did to bring it back to a whole state.
///
/// [`Recovery::default`] says that there was nothing to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// The generation that the file has now.
    pub generation: u64,
    /// The file was not closed: a kill, a power cut, or a copy of a file in use.
    pub unclean: bool,
    /// The generation of a commit that did not fully arrive and was given up; it had not been reported
    /// durable. In format 1 damage of a durable one looks the same.
    pub rolled_back: Option<u64>,
    /// Pages whose committed content was brought to its place from the journal.
    pub replayed_pages: u64,
    /// Format 1: what a torn write had damaged in page 0 was made again from what agreed.
    pub repaired: bool,
    /// Format 1: blocks of the directory whose copy that counts is damaged, so that the other one, which
    /// may be a commit older, was taken.
    pub older_blocks: u64,
}
