//! The table of pages: a radix tree with nodes only where pages are.
//!
//! A leaf has 64 pages, an inner node 1024 children. Invariants: no node is empty; the root is
//! just high enough for the highest page ever held since the tree was last empty; `present` has
//! the bits of exactly the slots that are filled, and `dirty` only bits that `present` has. Knows
//! nothing of page sizes.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "numbers are below 2^53, shifts below 56, counts below the number of slots"
)]

use crate::Page;

/// Pages of a leaf, as a power of two.
const LEAF_BITS: u32 = 6;
const LEAF_LEN: usize = 1 << LEAF_BITS;
/// Children of an inner node, as a power of two.
const INNER_BITS: u32 = 10;
const INNER_LEN: usize = 1 << INNER_BITS;
/// Inner nodes above the leaf of page 2^52.
const HEIGHT_MAX: usize = 5;
/// No child.
const NONE: u32 = u32::MAX;

#[derive(Clone, Default)]
pub(crate) struct Tree {
    /// A leaf when `bits` is 0, else an inner node.
    root: Link,
    /// Bits of a leaf's number that inner nodes resolve.
    bits: u32,
    inner: Arena<Inner>,
    leaves: Arena<Leaf>,
    count: usize,
}

/// A place in one of the arenas, or [`NONE`].
#[derive(Clone, Copy)]
struct Link(u32);

impl Default for Link {
    fn default() -> Self {
        Self(NONE)
    }
}

#[derive(Clone)]
struct Inner {
    children: [u32; INNER_LEN],
    used: usize,
}

#[derive(Clone)]
struct Leaf {
    slots: [Option<Page>; LEAF_LEN],
    present: u64,
    dirty: u64,
}

impl Inner {
    const EMPTY: Self = Self { children: [NONE; INNER_LEN], used: 0 };
}

impl Leaf {
    const EMPTY: Self = Self { slots: [const { None }; LEAF_LEN], present: 0, dirty: 0 };
}

fn leaf_of(number: u64) -> u64 {
    number >> LEAF_BITS
}

fn slot_of(number: u64) -> usize {
    low_bits(number, LEAF_BITS)
}

fn bit_of(number: u64) -> u64 {
    1 << slot_of(number)
}

#[expect(clippy::cast_possible_truncation, reason = "the value is below 2^10")]
fn low_bits(value: u64, bits: u32) -> usize {
    (value & ((1 << bits) - 1)) as usize
}

impl Tree {
    /// Pages present.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    #[inline]
    fn find(&self, leaf: u64) -> Option<&Leaf> {
        self.leaves.get(self.link(leaf)?)
    }

    #[inline]
    fn find_mut(&mut self, leaf: u64) -> Option<&mut Leaf> {
        self.leaves.get_mut(self.link(leaf)?)
    }

    #[inline]
    fn link(&self, leaf: u64) -> Option<u32> {
        if leaf >> self.bits != 0 {
            return None;
        }
        let mut node = self.root.0;
        let mut shift = self.bits;
        while shift != 0 {
            shift -= INNER_BITS;
            node = *self.inner.get(node)?.children.get(low_bits(leaf >> shift, INNER_BITS))?;
        }
        Some(node)
    }

    /// The slot of page `number`, or none where there is no leaf for it.
    #[inline]
    pub(crate) fn slot(&self, number: u64) -> Option<&Option<Page>> {
        self.find(leaf_of(number))?.slots.get(slot_of(number))
    }

    /// The page, marked dirty.
    #[inline]
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut Page> {
        let leaf = self.find_mut(leaf_of(number))?;
        leaf.dirty |= bit_of(number) & leaf.present;
        leaf.slots.get_mut(slot_of(number))?.as_mut()
    }

    /// The page, made by `make` when absent, marked dirty. None only when `number` is past 2^52.
    #[inline]
    pub(crate) fn get_or_insert(
        &mut self,
        number: u64,
        make: impl FnOnce() -> Page,
    ) -> Option<&mut Page> {
        let link = match self.link(leaf_of(number)) {
            Some(link) if link != NONE => link,
            _ => self.make_leaf(leaf_of(number))?,
        };
        let leaf = self.leaves.get_mut(link)?;
        leaf.dirty |= bit_of(number);
        let slot = leaf.slots.get_mut(slot_of(number))?;
        if slot.is_none() {
            leaf.present |= bit_of(number);
            self.count += 1;
        }
        Some(slot.get_or_insert_with(make))
    }

    /// Takes the page out, and the nodes that this leaves empty.
    pub(crate) fn remove(&mut self, number: u64) -> Option<Page> {
        let leaf_number = leaf_of(number);
        let link = self.link(leaf_number)?;
        let leaf = self.leaves.get_mut(link)?;
        let page = leaf.slots.get_mut(slot_of(number))?.take()?;
        leaf.present &= !bit_of(number);
        leaf.dirty &= !bit_of(number);
        self.count -= 1;
        if leaf.present == 0 {
            self.leaves.remove(link);
            self.unlink(leaf_number);
        }
        Some(page)
    }

    /// The first page at or after `from`.
    pub(crate) fn next_present(&self, from: u64) -> Option<u64> {
        self.next_where(from, |leaf| leaf.present)
    }

    /// The first dirty page at or after `from`.
    pub(crate) fn next_dirty(&self, from: u64) -> Option<u64> {
        self.next_where(from, |leaf| leaf.dirty)
    }

    pub(crate) fn is_dirty(&self, number: u64) -> bool {
        self.find(leaf_of(number)).is_some_and(|leaf| leaf.dirty & bit_of(number) != 0)
    }

    /// Forgets that the page is dirty; says whether it was.
    pub(crate) fn clean(&mut self, number: u64) -> bool {
        self.find_mut(leaf_of(number)).is_some_and(|leaf| {
            let was = leaf.dirty & bit_of(number) != 0;
            leaf.dirty &= !bit_of(number);
            was
        })
    }

    pub(crate) fn clean_all(&mut self) {
        for leaf in self.leaves.iter_mut() {
            leaf.dirty = 0;
        }
    }

    /// Makes the leaf and the nodes above it.
    #[cold]
    fn make_leaf(&mut self, leaf: u64) -> Option<u32> {
        while leaf >> self.bits != 0 {
            if self.bits as usize >= HEIGHT_MAX * INNER_BITS as usize {
                return None;
            }
            self.bits += INNER_BITS;
            if self.root.0 != NONE {
                let mut inner = Inner::EMPTY;
                *inner.children.first_mut()? = self.root.0;
                inner.used = 1;
                self.root.0 = self.inner.insert(inner);
            }
        }
        let mut shift = self.bits;
        if self.root.0 == NONE {
            self.root.0 = if shift == 0 {
                self.leaves.insert(Leaf::EMPTY)
            } else {
                self.inner.insert(Inner::EMPTY)
            };
        }
        let mut node = self.root.0;
        while shift != 0 {
            shift -= INNER_BITS;
            let slot = low_bits(leaf >> shift, INNER_BITS);
            let mut child = *self.inner.get(node)?.children.get(slot)?;
            if child == NONE {
                child = if shift == 0 {
                    self.leaves.insert(Leaf::EMPTY)
                } else {
                    self.inner.insert(Inner::EMPTY)
                };
                let parent = self.inner.get_mut(node)?;
                *parent.children.get_mut(slot)? = child;
                parent.used += 1;
            }
            node = child;
        }
        Some(node)
    }

    /// Takes the link to a leaf out, and the inner nodes that this leaves empty.
    fn unlink(&mut self, leaf: u64) {
        let mut path = [(NONE, 0); HEIGHT_MAX];
        let mut node = self.root.0;
        let mut shift = self.bits;
        for step in &mut path {
            if shift == 0 {
                break;
            }
            shift -= INNER_BITS;
            let slot = low_bits(leaf >> shift, INNER_BITS);
            *step = (node, slot);
            let child = self.inner.get(node).and_then(|inner| inner.children.get(slot));
            node = child.copied().unwrap_or(NONE);
        }
        for (node, slot) in path.into_iter().rev() {
            let Some(inner) = self.inner.get_mut(node) else { continue };
            if let Some(child) = inner.children.get_mut(slot) {
                *child = NONE;
            }
            inner.used -= 1;
            if inner.used != 0 {
                return;
            }
            self.inner.remove(node);
        }
        *self = Self::default();
    }

    fn next_where(&self, from: u64, wanted: impl Fn(&Leaf) -> u64 + Copy) -> Option<u64> {
        if leaf_of(from) >> self.bits != 0 {
            return None;
        }
        self.next_below(self.root.0, self.bits, from, wanted)
    }

    /// As `next_where`, in the part of the tree below `node`, with numbers counted from its first.
    fn next_below(
        &self,
        node: u32,
        shift: u32,
        from: u64,
        wanted: impl Fn(&Leaf) -> u64 + Copy,
    ) -> Option<u64> {
        if shift == 0 {
            let left = wanted(self.leaves.get(node)?) & (u64::MAX << slot_of(from));
            return (left != 0).then(|| u64::from(left.trailing_zeros()));
        }
        let child_shift = shift - INNER_BITS;
        let child_bits = child_shift + LEAF_BITS;
        let first = low_bits(from >> child_bits, INNER_BITS);
        let children = &self.inner.get(node)?.children;
        for (slot, child) in children.iter().enumerate().skip(first) {
            if *child == NONE {
                continue;
            }
            let start = if slot == first { from & ((1 << child_bits) - 1) } else { 0 };
            if let Some(number) = self.next_below(*child, child_shift, start, wanted) {
                return Some((slot as u64) << child_bits | number);
            }
        }
        None
    }
}

/// Nodes by place; the places of removed nodes are used again.
#[derive(Clone)]
struct Arena<T> {
    nodes: Vec<Option<Box<T>>>,
    free: Vec<u32>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { nodes: Vec::new(), free: Vec::new() }
    }
}

impl<T> Arena<T> {
    #[inline]
    fn get(&self, place: u32) -> Option<&T> {
        self.nodes.get(place as usize)?.as_deref()
    }

    #[inline]
    fn get_mut(&mut self, place: u32) -> Option<&mut T> {
        self.nodes.get_mut(place as usize)?.as_deref_mut()
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.nodes.iter_mut().flatten().map(|node| &mut **node)
    }

    #[expect(clippy::expect_used, reason = "2^32 nodes are terabytes")]
    fn insert(&mut self, node: T) -> u32 {
        let node = Some(Box::new(node));
        if let Some(place) = self.free.pop()
            && let Some(free) = self.nodes.get_mut(place as usize)
        {
            *free = node;
            return place;
        }
        let place = u32::try_from(self.nodes.len()).expect("2^32 nodes do not fit into memory");
        self.nodes.push(node);
        place
    }

    fn remove(&mut self, place: u32) {
        if let Some(node) = self.nodes.get_mut(place as usize) {
            *node = None;
            self.free.push(place);
        }
    }
}
