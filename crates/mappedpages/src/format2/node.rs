//! A node of a tree as it lies in a page: a header, then references to nodes one level below, or a leaf.

use super::fields::{Reader, Writer, crc_of};
use super::layout::NODE_HEADER_LEN;
use super::reference::Reference;

/// The header of a node. All of it follows from the place of the node in its tree and from the
/// reference to it, so a node that stands in for another is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeHeader {
    /// Which tree.
    pub(crate) magic: [u8; 4],
    /// Levels above the leaves.
    pub(crate) level: u8,
    /// The first page of the pair that the node lies in.
    pub(crate) first: u64,
    /// The commit that wrote this copy.
    pub(crate) generation: u64,
    /// The first unit that the node describes.
    pub(crate) first_unit: u64,
}

impl NodeHeader {
    pub(crate) fn decode(page: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(page);
        let magic = reader.array()?;
        let level = reader.u8()?;
        reader.expect([0; 3])?;
        let (first, generation, first_unit) = (reader.u64()?, reader.u64()?, reader.u64()?);
        Some(Self { magic, level, first, generation, first_unit })
    }

    pub(crate) fn encode(&self, page: &mut [u8]) {
        let mut writer = Writer::new(page);
        writer.bytes(&self.magic);
        writer.u8(self.level);
        writer.zeros(3);
        writer.u64(self.first);
        writer.u64(self.generation);
        writer.u64(self.first_unit);
    }
}

/// The body of the node in `page`, when it is the one that `reference` means at this place of its tree.
pub(crate) fn body<'a>(
    page: &'a [u8],
    reference: &Reference,
    magic: [u8; 4],
    level: u8,
    first_unit: u64,
) -> Option<&'a [u8]> {
    let expected = NodeHeader {
        magic,
        level,
        first: reference.first,
        generation: reference.generation,
        first_unit,
    };
    let is_meant =
        crc_of(page) == reference.crc && NodeHeader::decode(page).as_ref() == Some(&expected);
    is_meant.then(|| page.get(NODE_HEADER_LEN..)).flatten()
}

/// The references of a node above the leaves. `None`: no writer stores that.
///
/// What is below cannot be newer than the node, nor in use more than the node says.
pub(crate) fn references(
    body: &[u8],
    count: usize,
    node: &Reference,
    page_count: u64,
) -> Option<Vec<Reference>> {
    let mut reader = Reader::new(body);
    let mut references = Vec::with_capacity(count);
    let mut used = 0_u64;
    for _ in 0..count {
        let reference = Reference::decode(&mut reader)?;
        let is_sound = reference.generation <= node.generation && reference.is_inside(page_count);
        is_sound.then_some(())?;
        used = used.checked_add(reference.used)?;
        references.push(reference);
    }
    (used == node.used).then_some(references)
}
