//! What a check found.

use std::fmt;

use crate::options::Format;

/// Problems that a report lists; further ones are counted.
const PROBLEMS_MAX: usize = 1024;

/// A part of a page file that has a checksum of its own, or a form to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// What the file is, at its start.
    Superblock,
    /// Format 2: what is known to be durable.
    Seal,
    /// Format 2: a commit record.
    Record,
    /// The map of which page is what; in format 1 a copy of the metadata.
    Map,
    /// Format 2: a node of the tree of maps above those that are inline.
    MapNode,
    /// A part of the directory of protected pages.
    Directory,
    /// Format 1: the index of the directory in page 0.
    DirectoryIndex,
    /// The content of a protected page.
    ProtectedPage,
    /// Format 2: the list of a journal.
    JournalList,
    /// Format 2: content in a journal.
    JournalPage,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Superblock => "superblock",
            Self::Seal => "seal",
            Self::Record => "commit record",
            Self::Map => "map of pages",
            Self::MapNode => "node above the maps of pages",
            Self::Directory => "directory of protected pages",
            Self::DirectoryIndex => "index of the directory",
            Self::ProtectedPage => "protected page",
            Self::JournalList => "journal list",
            Self::JournalPage => "journal page",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Something that is wrong with a page file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A checksum is wrong, or what it covers is something else than is meant here.
    #[error("page {page}: the {part} is damaged")]
    Damaged {
        /// The page.
        page: u64,
        /// What it should hold.
        part: Part,
    },
    /// The checksum is right, but no writer stores such a thing.
    #[error("page {page}: the {part} makes no sense")]
    Malformed {
        /// The page.
        page: u64,
        /// What it holds.
        part: Part,
    },
    /// No commit record names a state of the file.
    #[error("no commit record names a state of the file")]
    NoState,
    /// The file ends before its last page.
    #[error("the file is {len} bytes long instead of {expected}")]
    CutShort {
        /// Bytes that the metadata promise.
        expected: u64,
        /// Bytes that are there.
        len: u64,
    },
    /// Something names a page that does not exist or is reserved.
    #[error("page {page}: the {part} names page {target}, which cannot be meant")]
    OutOfRange {
        /// The page that names it.
        page: u64,
        /// What names it.
        part: Part,
        /// The page that is named.
        target: u64,
    },
    /// Two things lie in the same page.
    #[error("page {page} has two owners")]
    TwoOwners {
        /// The page.
        page: u64,
    },
    /// A chain comes back to a page it was at before.
    #[error("the {part} comes back to page {page}")]
    Cycle {
        /// The page.
        page: u64,
        /// What runs in a circle.
        part: Part,
    },
    /// The map says that the page is in internal use, and nobody uses it.
    #[error("page {page} is leaked")]
    Leaked {
        /// The page.
        page: u64,
    },
    /// Something lies in a page that the map says is free, or given out as a regular page.
    #[error("page {page} is in use, and the map says that it is not")]
    NotInMap {
        /// The page.
        page: u64,
    },
    /// A page of a journal that may still be needed is in use for something else.
    #[error("page {page} of a journal is in use for something else")]
    JournalInUse {
        /// The page.
        page: u64,
    },
    /// A stored number is not what is counted.
    #[error("page {page}: the {part} counts {stored} where there are {found}")]
    WrongCount {
        /// The page with the number.
        page: u64,
        /// What has it.
        part: Part,
        /// What it says.
        stored: u64,
        /// What was counted.
        found: u64,
    },
    /// Something is newer than what refers to it.
    #[error("page {page}: the {part} says that something was written by a later commit")]
    FromTheFuture {
        /// The page that says so.
        page: u64,
        /// What says so.
        part: Part,
    },
}

/// What a check looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckFigures {
    /// The generation of the state that was checked.
    pub generation: u64,
    /// Pages of the file.
    pub pages: u64,
    /// Pages that are free.
    pub pages_free: u64,
    /// Pages that were given out as regular ones.
    pub pages_regular: u64,
    /// Pages in internal use, with the reserved ones and both copies of protected pages.
    pub pages_internal: u64,
    /// Protected pages.
    pub protected: u64,
    /// Nodes of trees, or blocks of the directory, that were verified.
    pub nodes: u64,
    /// Entries of journals that are not known to be applied.
    pub journal_entries: u64,
    /// Bytes whose checksum was verified.
    pub bytes_verified: u64,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct CheckReport {
    /// The format of the file, if it is a page file.
    pub format: Option<Format>,
    /// What is wrong, in the order in which it was found.
    pub problems: Vec<Problem>,
    /// Further problems, which are not listed.
    pub problems_left_out: u64,
    /// A crash has left something that the next open puts right. That is no problem of the file.
    pub needs_recovery: bool,
    /// What was looked at.
    pub figures: CheckFigures,
}

impl CheckReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = &self.figures;
        writeln!(
            formatter,
            "{} pages: {} free, {} regular, {} internal; {} protected; {} nodes; {} bytes verified",
            figures.pages,
            figures.pages_free,
            figures.pages_regular,
            figures.pages_internal,
            figures.protected,
            figures.nodes,
            figures.bytes_verified,
        )?;
        for problem in &self.problems {
            writeln!(formatter, "{problem}")?;
        }
        if self.problems_left_out > 0 {
            writeln!(formatter, "and {} more", self.problems_left_out)?;
        }
        if self.is_clean() { formatter.write_str("clean") } else { formatter.write_str("damaged") }
    }
}

/// A report that is being written.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    problems: Vec<Problem>,
    problems_left_out: u64,
    pub(crate) needs_recovery: bool,
    pub(crate) figures: CheckFigures,
}

impl Findings {
    pub(crate) fn add(&mut self, problem: Problem) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        } else {
            self.problems_left_out = self.problems_left_out.saturating_add(1);
        }
    }

    pub(crate) fn into_report(self, format: Option<Format>) -> CheckReport {
        CheckReport {
            format,
            problems: self.problems,
            problems_left_out: self.problems_left_out,
            needs_recovery: self.needs_recovery,
            figures: self.figures,
        }
    }
}

/// Adds to a figure.
pub(crate) fn count(figure: &mut u64, more: u64) {
    *figure = figure.saturating_add(more);
}
