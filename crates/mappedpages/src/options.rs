//! What a caller may choose: format, backing, durability.

/// The layout of a file. Those that exist keep theirs when they are opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// The layout of mappedpages 0.1 and 0.2, for files that those must read.
    One,
    /// The layout of this crate: no ceiling, one flush a commit, transactions.
    #[default]
    Two,
}

/// How the bytes of the file are reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backing {
    /// Through a memory map.
    #[default]
    Mapped,
    /// With positioned reads and writes into memory of the process: pages are loaded on first use and
    /// stay in memory. No memory map, no `SIGBUS`, and the same results.
    Positioned,
}

/// When a commit is on stable storage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// On return, with one flush: an open notices from digests when the pages of the last commit did
    /// not all arrive, and takes the commit before it.
    #[default]
    Immediate,
    /// On return, with a flush before the commit record and one after it: the record never reaches the
    /// medium before what it names.
    Barriers,
    /// With the next durable commit, [`flush`](crate::Pager::flush) or
    /// [`close`](crate::Pager::close). Until then the commit is in the memory of the process only: a
    /// kill or a power cut goes back to the last durable one.
    ///
    /// Pages that such commits free can be given out again only after a durable one, so without one from
    /// time to time the file grows, and new contents of pages wait in memory.
    Eventual,
}
