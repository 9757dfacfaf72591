//! Which node describes which units.

use std::num::NonZeroU64;

use super::Leaf;
use crate::format2::layout::{at_least_one, fan_out};

/// The place of a node: its level, and the first unit it describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) level: u8,
    pub(crate) first_unit: u64,
}

/// Children of a node above the leaves.
pub(super) const fn children<const P: usize>() -> NonZeroU64 {
    at_least_one(fan_out(P) as u64)
}

/// Units below a node at `level`.
pub(super) fn span<L: Leaf<P>, const P: usize>(level: u8) -> u64 {
    (0..level).fold(L::UNITS.get(), |span, _| span.saturating_mul(children::<P>().get()))
}

/// Which of its siblings the node at `level` is that has `unit`.
#[inline]
pub(super) fn child_of<L: Leaf<P>, const P: usize>(level: u8, unit: u64) -> usize {
    let leaf = unit / L::UNITS;
    index_of((0..level).fold(leaf, |number, _| number / children::<P>()) % children::<P>())
}

/// The place of the node at `level` that has `unit`.
pub(super) fn place_of<L: Leaf<P>, const P: usize>(level: u8, unit: u64) -> Place {
    let number = (0..level).fold(unit / L::UNITS, |number, _| number / children::<P>());
    Place { level, first_unit: number.saturating_mul(span::<L, P>(level)) }
}

/// Which child of the node at `place` has `unit`, and where that child is.
pub(super) fn below<L: Leaf<P>, const P: usize>(place: Place, unit: u64) -> (usize, Place) {
    let level = place.level.saturating_sub(1);
    (child_of::<L, P>(level, unit), place_of::<L, P>(level, unit))
}

pub(super) fn nth_below<L: Leaf<P>, const P: usize>(place: Place, index: usize) -> Place {
    let level = place.level.saturating_sub(1);
    let start = span::<L, P>(level).saturating_mul(index as u64);
    Place { level, first_unit: place.first_unit.saturating_add(start) }
}

/// A unit's place in its node: less than eight times a page's bytes.
#[expect(clippy::cast_possible_truncation, reason = "less than eight times the bytes of a page")]
pub(super) fn index_of(unit: u64) -> usize {
    unit as usize
}
