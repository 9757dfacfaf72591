//! Protected pages: written as a whole or not at all.

/// Names a protected page of a file whose pages are `PAGE_SIZE` bytes long.
///
/// The low 40 bits are the slot in the directory, the high 24 count how often that slot was freed
/// before, so that an id that outlived its page is told from that of the page that came after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtectedPageId<const PAGE_SIZE: usize>(pub u64);

/// Bits of a [`ProtectedPageId`] that are the slot; those above count the reuses.
pub(crate) const SLOT_BITS: u32 = 40;
/// The largest reuse count: a slot that reached it is not used again.
pub(crate) const REUSE_MAX: u32 = (1 << (64 - SLOT_BITS)) - 1;

/// Takes an id apart: slot, reuse count.
pub(crate) const fn parts_of(id: u64) -> (u64, u32) {
    #[expect(clippy::cast_possible_truncation, reason = "24 bits are left")]
    let reuse = (id >> SLOT_BITS) as u32;
    (id & ((1 << SLOT_BITS) - 1), reuse)
}

/// Makes an id of a slot below 2^40 and a reuse count of at most [`REUSE_MAX`].
pub(crate) const fn id_of(slot: u64, reuse: u32) -> u64 {
    (reuse as u64) << SLOT_BITS | slot
}
