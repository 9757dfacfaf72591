//! What is done with a page file, as data.

use mappedpages::Durability;

/// Bytes that go into a page.
#[derive(Clone, Debug)]
pub struct Write {
    /// Which of the pages of its kind, in the order of their ids, round and round.
    pub nth: usize,
    /// Where in the page.
    pub offset: usize,
    /// The bytes.
    pub data: Vec<u8>,
}

/// A change that a commit makes. Without a page to do it to, nothing is done.
#[derive(Clone, Debug)]
pub enum Change {
    /// Takes a page.
    Alloc,
    /// Takes pages together.
    AllocBulk(usize),
    /// Gives back the nth page.
    Free(usize),
    /// Gives back that many pages together, from the nth on.
    FreeBulk {
        /// The first.
        nth: usize,
        /// So many.
        count: usize,
    },
    /// Takes a protected page.
    AllocProtected,
    /// Takes protected pages together.
    AllocProtectedBulk(usize),
    /// Gives back the nth protected page.
    FreeProtected(usize),
    /// Gives back that many protected pages together, from the nth on.
    FreeProtectedBulk {
        /// The first.
        nth: usize,
        /// So many.
        count: usize,
    },
    /// Changes a protected page.
    WriteProtected(Write),
    /// Changes a regular page; in a transaction only.
    WritePage(Write),
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is committed.
    Commit(Durability),
    /// It is dropped.
    Drop,
}

/// One thing that is done with a page file.
#[derive(Clone, Debug)]
pub enum Step {
    /// A change by itself.
    One(Change),
    /// Changes in one commit.
    Transaction {
        /// The changes.
        changes: Vec<Change>,
        /// How it ends.
        end: End,
    },
    /// A writer of a protected page is filled and dropped.
    DropWriter(Write),
    /// Bytes go into a regular page outside of any commit.
    Store(Write),
    /// Two commits through a shared handle: the second one is accepted while the first waits for the disk, and is
    /// durable with the flush after it.
    Together {
        /// What waits.
        first: Vec<Change>,
        /// What is accepted meanwhile.
        second: Vec<Change>,
    },
    /// Everything is made durable.
    Flush,
    /// Free pages at the end are given back.
    Shrink,
    /// Pages are moved down, and those at the end given back.
    Compact,
    /// Ends as a killed process does, and opens again.
    Reopen,
    /// Closes and opens again.
    Close,
}

impl Step {
    /// The word for it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::One(change) => change.name(),
            Self::Transaction { .. } => "transaction",
            Self::DropWriter(_) => "drop a writer",
            Self::Store(_) => "store",
            Self::Together { .. } => "two commits together",
            Self::Flush => "flush",
            Self::Shrink => "shrink",
            Self::Compact => "compact",
            Self::Reopen => "reopen",
            Self::Close => "close",
        }
    }
}

impl Change {
    const fn name(&self) -> &'static str {
        match self {
            Self::Alloc => "alloc",
            Self::AllocBulk(_) => "alloc_bulk",
            Self::Free(_) => "free",
            Self::FreeBulk { .. } => "free_bulk",
            Self::AllocProtected => "alloc_protected",
            Self::AllocProtectedBulk(_) => "alloc_protected_bulk",
            Self::FreeProtected(_) => "free_protected",
            Self::FreeProtectedBulk { .. } => "free_protected_bulk",
            Self::WriteProtected(_) => "write a protected page",
            Self::WritePage(_) => "write a page",
        }
    }
}
