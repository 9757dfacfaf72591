//! What the owner of a log may wish for.

use std::ops::{Bound, Range, RangeBounds};

/// Blocks that are to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct RangeWish {
    pub(crate) blocks: Blocks,
    pub(crate) linear: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Blocks {
    /// From here to there.
    Span(Range<u64>),
    /// From here on, whatever is appended.
    From(u64),
    /// These, in this order.
    List(Vec<u64>),
}

impl RangeWish {
    /// The blocks of a range. Without an end it never ends, and follows the log as it grows.
    pub fn new(range: impl RangeBounds<u64>) -> Self {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => Some(last.saturating_add(1)),
            Bound::Excluded(end) => Some(*end),
            Bound::Unbounded => None,
        };
        let blocks = end.map_or(Blocks::From(start), |end| Blocks::Span(start..end.max(start)));
        Self { blocks, linear: false }
    }

    /// These blocks.
    pub fn list(blocks: impl Into<Vec<u64>>) -> Self {
        Self { blocks: Blocks::List(blocks.into()), linear: true }
    }

    /// From the first to the last, not starting anywhere. A list is always fetched in its own order.
    pub const fn linear(mut self) -> Self {
        self.linear = true;
        self
    }
}

/// When a wish for a longer log is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpgradeWish {
    /// Once the log has this many blocks.
    Length(u64),
    /// Once the log has grown, or all peers were asked and none has more.
    Latest,
}
