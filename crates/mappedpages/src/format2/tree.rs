//! A tree of pairs in memory: loaded on first use, changed in place, written by a commit.
//!
//! A tree maps unit numbers (pages, or slots of the directory) to leaves. A subtree in which nothing is
//! used needs no nodes. A node is written to the page of its pair that the last commit does not use, so
//! a commit changes nothing that another one needs, and takes no space.
//!
//! Invariants: what is in memory was verified against the reference to it; counts of a node are the sums
//! of those below it; a change marks all nodes above it. Knows nothing of what leaves mean, and takes no
//! pages: who adds nodes gives them pairs, with [`Tree::set_pair`], before the next commit.

mod compact;
mod place;
mod search;

pub(crate) use place::Place;

use std::fmt;
use std::num::NonZeroU64;
use std::sync::OnceLock;

use super::fields::{Writer, crc_of};
use super::layout::{LEVEL_MAX, NODE_HEADER_LEN, fan_out};
use super::node::{self, NodeHeader};
use super::record::Root;
use super::reference::Reference;
use crate::engine::Result;
use crate::error::MappedPageError;
use crate::pages::Pages;

use place::{below, child_of, index_of, nth_below, place_of, span};

/// What the leaves of a tree hold.
pub(crate) trait Leaf<const P: usize>: Sized + Send + Sync + fmt::Debug {
    /// First bytes of the tree's nodes.
    const MAGIC: [u8; 4];

    /// Units of one leaf.
    const UNITS: NonZeroU64;

    /// Units that there can be in a file of `page_count` pages.
    fn limit(page_count: u64) -> u64;
    /// The error for a damaged node.
    fn damaged() -> MappedPageError;
    /// A leaf in which nothing is used.
    fn empty() -> Self;
    /// Reads a leaf of which `limit` units exist. `None`: no writer stores that.
    fn decode(body: &[u8], node: &Reference, limit: u64, page_count: u64) -> Option<Self>;
    /// Writes the leaf to a body that is zeros. From then on it is that of an older commit.
    fn encode(&mut self, body: &mut [u8]);
    /// Units in use, as stored.
    fn used(&self) -> u64;
    /// Units that can not be given out now: those in use, and those withheld.
    fn busy(&self) -> u64;
}

#[derive(Debug)]
struct Child<L> {
    /// As stored last, but for `used`, which is the present count.
    reference: Reference,
    busy: u64,
    node: OnceLock<Box<Node<L>>>,
}

#[derive(Debug)]
struct Node<L> {
    is_changed: bool,
    body: Body<L>,
}

#[derive(Debug)]
enum Body<L> {
    Inner(Box<[Child<L>]>),
    Leaf(L),
}

/// What a change did to the counts of a leaf.
#[derive(Clone, Copy, Debug, Default)]
struct Delta {
    used: i64,
    busy: i64,
    is_changed: bool,
}

impl<L> Child<L> {
    fn new(reference: Reference) -> Self {
        Self { reference, busy: reference.used, node: OnceLock::new() }
    }

    /// Nothing is used below, and there is no node.
    fn is_absent(&self) -> bool {
        self.reference.is_absent() && self.node.get().is_none()
    }

    fn apply(&mut self, delta: Delta) {
        self.reference.used = self.reference.used.saturating_add_signed(delta.used);
        self.busy = self.busy.saturating_add_signed(delta.busy);
    }
}

/// A tree over the units of one kind.
#[derive(Debug)]
pub(crate) struct Tree<L, const P: usize> {
    root: Child<L>,
    level: u8,
    page_count: u64,
}

impl<L: Leaf<P>, const P: usize> Tree<L, P> {
    /// The tree below `root`, in a file of `page_count` pages.
    pub(crate) fn new(root: Root, page_count: u64) -> Self {
        Self { root: Child::new(root.reference), level: root.level, page_count }
    }

    /// The root as the next record shall name it.
    pub(crate) fn root(&self) -> Root {
        Root { reference: self.root.reference, level: self.level }
    }

    pub(crate) fn set_page_count(&mut self, page_count: u64) {
        self.page_count = page_count;
    }

    pub(crate) fn used(&self) -> u64 {
        self.root.reference.used
    }

    pub(crate) fn busy(&self) -> u64 {
        self.root.busy
    }

    /// Units of which there are leaves, or could be without another level.
    fn capacity(&self) -> u64 {
        span::<L, P>(self.level)
    }

    /// The leaf of `unit` and the place of the unit in it; `None` where there is no node.
    #[inline]
    pub(crate) fn leaf(&self, pages: &Pages<P>, unit: u64) -> Result<Option<(&L, usize)>> {
        if unit >= self.capacity() {
            return Ok(None);
        }
        let mut child = &self.root;
        let mut level = self.level;
        loop {
            let node = match child.node.get() {
                Some(node) => node,
                None => match self.node(pages, child, place_of::<L, P>(level, unit))? {
                    Some(node) => node,
                    None => return Ok(None),
                },
            };
            match &node.body {
                Body::Leaf(leaf) => return Ok(Some((leaf, index_of(unit % L::UNITS)))),
                Body::Inner(children) => {
                    level = level.saturating_sub(1);
                    let Some(next) = children.get(child_of::<L, P>(level, unit)) else {
                        return Ok(None);
                    };
                    child = next;
                }
            }
        }
    }

    /// The node of `child`, loaded and verified when it is not there yet.
    fn node<'a>(
        &self,
        pages: &Pages<P>,
        child: &'a Child<L>,
        place: Place,
    ) -> Result<Option<&'a Node<L>>> {
        if let Some(node) = child.node.get() {
            return Ok(Some(node));
        }
        if child.reference.is_absent() {
            return Ok(None);
        }
        let node = self.load(pages, &child.reference, place)?;
        Ok(Some(child.node.get_or_init(|| Box::new(node))))
    }

    #[cold]
    fn load(&self, pages: &Pages<P>, reference: &Reference, place: Place) -> Result<Node<L>> {
        let parse = |page: &[u8]| {
            let body = node::body(page, reference, L::MAGIC, place.level, place.first_unit)?;
            if place.level == 0 {
                let limit = L::limit(self.page_count).saturating_sub(place.first_unit);
                let leaf = L::decode(body, reference, limit, self.page_count)?;
                (leaf.used() == reference.used).then_some(Body::Leaf(leaf))
            } else {
                let references = node::references(body, fan_out(P), reference, self.page_count)?;
                Some(Body::Inner(references.into_iter().map(Child::new).collect()))
            }
        };
        // What is damaged may name pages that are not there.
        is_pair_inside(reference, self.page_count).then_some(()).ok_or_else(L::damaged)?;
        let body = parse(pages.page(reference.page())?).ok_or_else(L::damaged)?;
        Ok(Node { is_changed: false, body })
    }

    /// Changes the leaf of `unit`, which must have one. `change` says whether what is stored is
    /// different now.
    pub(crate) fn update(
        &mut self,
        pages: &Pages<P>,
        unit: u64,
        change: impl FnOnce(&mut L, usize) -> bool,
    ) -> Result<()> {
        // Loads what is not loaded, so that nothing can fail half way.
        let is_there = self.leaf(pages, unit)?.is_some();
        assert!(is_there, "a change of unit {unit} that has no leaf");
        let place = Place { level: self.level, first_unit: 0 };
        update::<L, P, _>(&mut self.root, place, unit, change);
        Ok(())
    }

    /// Adds the nodes that `unit` needs; their places go to `added`, in order. They have no pairs yet.
    pub(crate) fn add_nodes(
        &mut self,
        pages: &Pages<P>,
        unit: u64,
        added: &mut Vec<Added>,
    ) -> Result<()> {
        // Loads what is there, so that nothing can fail half way.
        if self.leaf(pages, unit)?.is_some() {
            return Ok(());
        }
        while unit >= self.capacity() {
            assert!(self.level < LEVEL_MAX, "unit {unit} is past every level");
            added.push(Added::Level);
            self.add_level();
            if !self.root.is_absent() {
                added.push(Added::Node(Place { level: self.level, first_unit: 0 }));
            }
        }
        let mut child = &mut self.root;
        let mut place = Place { level: self.level, first_unit: 0 };
        loop {
            if child.is_absent() {
                child.node = OnceLock::from(Box::new(Node::empty::<P>(place.level)));
                added.push(Added::Node(place));
            }
            let Some(node) = child.node.get_mut() else { break };
            // It will refer to what is added below.
            node.is_changed = true;
            let Body::Inner(children) = &mut node.body else { break };
            let (index, below) = below::<L, P>(place, unit);
            let Some(next) = children.get_mut(index) else { break };
            (child, place) = (next, below);
        }
        Ok(())
    }

    fn add_level(&mut self) {
        self.level = self.level.saturating_add(1);
        if self.root.is_absent() {
            return;
        }
        let mut node = Node::empty::<P>(self.level);
        let old = std::mem::replace(&mut self.root, Child::new(Reference::ABSENT));
        self.root.reference.used = old.reference.used;
        self.root.busy = old.busy;
        if let Body::Inner(children) = &mut node.body
            && let Some(first) = children.first_mut()
        {
            *first = old;
        }
        self.root.node = OnceLock::from(Box::new(node));
    }

    /// Takes back what was added last.
    pub(crate) fn remove(&mut self, added: Added) {
        match added {
            // The node of a level goes with the level.
            Added::Node(place) if place.level == self.level && self.is_only_raised() => {}
            Added::Node(place) => {
                if let Some(child) = self.child_mut(place) {
                    *child = Child::new(Reference::ABSENT);
                }
            }
            Added::Level => {
                self.level = self.level.saturating_sub(1);
                if let Some(node) = self.root.node.take()
                    && let Body::Inner(children) = node.body
                    && let Some(old) = children.into_iter().next()
                {
                    self.root = old;
                }
            }
        }
    }

    /// Whether the root stands above the root of before, and not in place of nothing.
    fn is_only_raised(&self) -> bool {
        match self.root.node.get().map(|node| &node.body) {
            Some(Body::Inner(children)) => children.first().is_some_and(|first| !first.is_absent()),
            _ => false,
        }
    }

    /// Gives a node that was added the pair of pages it lies in.
    pub(crate) fn set_pair(&mut self, place: Place, first: u64) {
        if let Some(child) = self.child_mut(place) {
            // The first page of the pair is the first to be written.
            child.reference.first = first;
            child.reference.copy = 1;
        }
    }

    /// The child at `place`, when all nodes above it are loaded.
    fn child_mut(&mut self, wanted: Place) -> Option<&mut Child<L>> {
        let mut child = &mut self.root;
        let mut place = Place { level: self.level, first_unit: 0 };
        while place.level > wanted.level {
            let Body::Inner(children) = &mut child.node.get_mut()?.body else { return None };
            let (index, next) = below::<L, P>(place, wanted.first_unit);
            (child, place) = (children.get_mut(index)?, next);
        }
        Some(child)
    }

    /// Writes every changed node to the page of its pair that is not current, which becomes current.
    pub(crate) fn write_changed(&mut self, pages: &mut Pages<P>, generation: u64) -> Result<()> {
        let place = Place { level: self.level, first_unit: 0 };
        let mut page = vec![0; P];
        write_changed::<L, P>(&mut self.root, pages, place, generation, &mut page)
    }
}

/// What was added to a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// A level above the root.
    Level,
    /// A node.
    Node(Place),
}

impl<L> Node<L> {
    fn empty<const P: usize>(level: u8) -> Self
    where
        L: Leaf<P>,
    {
        let body = if level == 0 {
            Body::Leaf(L::empty())
        } else {
            Body::Inner((0..fan_out(P)).map(|_| Child::new(Reference::ABSENT)).collect())
        };
        Self { is_changed: true, body }
    }
}

fn update<L: Leaf<P>, const P: usize, F: FnOnce(&mut L, usize) -> bool>(
    child: &mut Child<L>,
    place: Place,
    unit: u64,
    change: F,
) -> Delta {
    let Some(node) = child.node.get_mut() else { return Delta::default() };
    let delta = match &mut node.body {
        Body::Leaf(leaf) => {
            let (used, busy) = (leaf.used(), leaf.busy());
            let is_changed = change(leaf, index_of(unit % L::UNITS));
            Delta {
                used: leaf.used().wrapping_sub(used).cast_signed(),
                busy: leaf.busy().wrapping_sub(busy).cast_signed(),
                is_changed,
            }
        }
        Body::Inner(children) => {
            let (index, below) = below::<L, P>(place, unit);
            match children.get_mut(index) {
                Some(child) => update::<L, P, F>(child, below, unit, change),
                None => Delta::default(),
            }
        }
    };
    node.is_changed |= delta.is_changed;
    child.apply(delta);
    delta
}

fn write_changed<L: Leaf<P>, const P: usize>(
    child: &mut Child<L>,
    pages: &mut Pages<P>,
    place: Place,
    generation: u64,
    page: &mut [u8],
) -> Result<()> {
    let Some(node) = child.node.get_mut() else { return Ok(()) };
    if !node.is_changed {
        return Ok(());
    }
    if let Body::Inner(children) = &mut node.body {
        for (index, child) in children.iter_mut().enumerate() {
            let below = nth_below::<L, P>(place, index);
            write_changed::<L, P>(child, pages, below, generation, page)?;
        }
    }
    let reference = &mut child.reference;
    assert!(!reference.is_absent(), "a node without a pair");
    let header = NodeHeader {
        magic: L::MAGIC,
        level: place.level,
        first: reference.first,
        generation,
        first_unit: place.first_unit,
    };
    page.fill(0);
    header.encode(page);
    if let Some(body) = page.get_mut(NODE_HEADER_LEN..) {
        match &mut node.body {
            Body::Leaf(leaf) => leaf.encode(body),
            Body::Inner(children) => {
                let mut writer = Writer::new(body);
                children.iter().for_each(|child| child.reference.encode(&mut writer));
            }
        }
    }
    reference.copy ^= 1;
    reference.generation = generation;
    reference.crc = crc_of(page);
    pages.write(reference.page(), page)?;
    node.is_changed = false;
    Ok(())
}

fn is_pair_inside(reference: &Reference, page_count: u64) -> bool {
    !reference.is_absent() && reference.is_inside(page_count)
}
