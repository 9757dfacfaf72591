//! A tree of format 2, read from its file: the leaf of a unit, and the leaves in order.
//!
//! Invariants: a node is used only when its bytes are those that the reference to it means, so what is
//! found belongs to the state whose root was given, whatever a writer does meanwhile. Each step goes
//! one level down, so nothing here turns in circles. Knows nothing of what the leaves say.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::source::Source;
use crate::error::MappedPageError;
use crate::format2::fields::Reader;
use crate::format2::layout::{
    ALLOCATION_MAGIC, DIRECTORY_MAGIC, REFERENCE_LEN, directory_leaf_units, fan_out, map_leaf_units,
};
use crate::format2::node;
use crate::format2::record::Root;
use crate::format2::reference::Reference;

/// Bytes of nodes that a reader keeps; then it forgets them all.
const KEPT_LEN_MAX: usize = 8 * 1024 * 1024;

/// A tree of a committed state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tree {
    pub(crate) magic: [u8; 4],
    pub(crate) root: Root,
    pub(crate) leaf_units: u64,
    /// Pages of the file: no node lies at or after them.
    pub(crate) page_count: u64,
    pub(crate) page_len: usize,
}

/// A node at its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) reference: Reference,
    pub(crate) level: u8,
    /// The first unit that it describes.
    pub(crate) first_unit: u64,
}

/// A leaf.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    pub(crate) place: Place,
    pub(crate) body: Arc<[u8]>,
}

/// Why there is no node.
#[derive(Debug)]
pub(crate) enum NodeError {
    /// The page does not hold the node that was meant, or the node says what no writer stores.
    Damaged { page: u64 },
    /// The medium failed.
    Medium(MappedPageError),
}

impl From<MappedPageError> for NodeError {
    fn from(error: MappedPageError) -> Self {
        Self::Medium(error)
    }
}

/// What is known of a node before it is read: a node that has all of it is the one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    page: u64,
    generation: u64,
    crc: u32,
}

/// The bodies of nodes, kept by what refers to them, so that they serve one state after another.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    kept: Mutex<HashMap<Key, Arc<[u8]>>>,
}

impl Nodes {
    fn get(&self, reference: &Reference) -> Option<Arc<[u8]>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&key(reference)).cloned()
    }

    fn keep(&self, reference: &Reference, body: &Arc<[u8]>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len().saturating_mul(body.len()) >= KEPT_LEN_MAX {
            kept.clear();
        }
        kept.insert(key(reference), Arc::clone(body));
    }
}

fn key(reference: &Reference) -> Key {
    Key { page: reference.page(), generation: reference.generation, crc: reference.crc }
}

impl Tree {
    /// The allocation tree below `root`: a unit is a page after those of the inline map.
    pub(crate) fn allocation(root: Root, page_count: u64, page_len: usize) -> Self {
        let leaf_units = map_leaf_units(page_len);
        Self { magic: ALLOCATION_MAGIC, root, leaf_units, page_count, page_len }
    }

    /// The directory below `root`: a unit is a slot.
    pub(crate) fn directory(root: Root, page_count: u64, page_len: usize) -> Self {
        let leaf_units = directory_leaf_units(page_len);
        Self { magic: DIRECTORY_MAGIC, root, leaf_units, page_count, page_len }
    }

    /// Whether the leaves hold entries, and not kinds.
    pub(crate) fn is_directory(&self) -> bool {
        self.magic == DIRECTORY_MAGIC
    }

    /// The root at its place.
    pub(crate) fn top(&self) -> Place {
        Place { reference: self.root.reference, level: self.root.level, first_unit: 0 }
    }

    /// Units that a node of `level` describes; `u64::MAX` when they are more.
    pub(crate) fn span(&self, level: u8) -> u64 {
        let fan_out = fan_out(self.page_len) as u64;
        fan_out.saturating_pow(level.into()).saturating_mul(self.leaf_units)
    }

    /// The leaf that describes `unit`; `None` where nothing is in use.
    pub(crate) fn leaf_of(
        &self,
        source: &dyn Source,
        nodes: &Nodes,
        unit: u64,
    ) -> Result<Option<Leaf>, NodeError> {
        let found = self.leaf_from(source, nodes, unit)?;
        Ok(found.filter(|leaf| leaf.place.first_unit <= unit))
    }

    /// The first leaf that describes `unit` or a later one.
    pub(crate) fn leaf_from(
        &self,
        source: &dyn Source,
        nodes: &Nodes,
        unit: u64,
    ) -> Result<Option<Leaf>, NodeError> {
        self.search(source, nodes, self.top(), unit)
    }

    fn search(
        &self,
        source: &dyn Source,
        nodes: &Nodes,
        place: Place,
        unit: u64,
    ) -> Result<Option<Leaf>, NodeError> {
        let behind = unit.saturating_sub(place.first_unit);
        if place.reference.is_absent() || behind >= self.span(place.level) {
            return Ok(None);
        }
        let body = self.body(source, Some(nodes), &place)?;
        let Some(span) = place.level.checked_sub(1).map(|below| self.span(below)) else {
            return Ok(Some(Leaf { place, body }));
        };
        let first = behind.checked_div(span).and_then(|index| usize::try_from(index).ok());
        for index in first.unwrap_or(usize::MAX)..fan_out(self.page_len) {
            let child = self.child(&place, &body, index)?;
            if let Some(leaf) = self.search(source, nodes, child, unit)? {
                return Ok(Some(leaf));
            }
        }
        Ok(None)
    }

    /// Child `index` of the node at `place`, which is above the leaves.
    pub(crate) fn child(
        &self,
        place: &Place,
        body: &[u8],
        index: usize,
    ) -> Result<Place, NodeError> {
        let damaged = || NodeError::Damaged { page: place.reference.page() };
        let start = index.checked_mul(REFERENCE_LEN).ok_or_else(damaged)?;
        let bytes = body.get(start..).ok_or_else(damaged)?;
        let reference = Reference::decode(&mut Reader::new(bytes)).ok_or_else(damaged)?;
        let is_sound = reference.generation <= place.reference.generation
            && reference.is_inside(self.page_count);
        if !is_sound {
            return Err(damaged());
        }
        Ok(Place { reference, ..self.nth_below(place, index) })
    }

    /// Where child `index` of the node at `place` is, without the reference to it.
    pub(crate) fn nth_below(&self, place: &Place, index: usize) -> Place {
        let level = place.level.saturating_sub(1);
        let first_unit = (index as u64).saturating_mul(self.span(level));
        let first_unit = place.first_unit.saturating_add(first_unit);
        Place { reference: Reference::ABSENT, level, first_unit }
    }

    /// The bytes behind the header of the node at `place`.
    pub(crate) fn body(
        &self,
        source: &dyn Source,
        nodes: Option<&Nodes>,
        place: &Place,
    ) -> Result<Arc<[u8]>, NodeError> {
        let reference = &place.reference;
        if let Some(body) = nodes.and_then(|nodes| nodes.get(reference)) {
            return Ok(body);
        }
        let page = reference.page();
        let read = source.page(page, self.page_len)?.ok_or(NodeError::Damaged { page })?;
        let body = node::body(&read, reference, self.magic, place.level, place.first_unit);
        let body: Arc<[u8]> = body.ok_or(NodeError::Damaged { page })?.into();
        if let Some(nodes) = nodes {
            nodes.keep(reference, &body);
        }
        Ok(body)
    }
}
