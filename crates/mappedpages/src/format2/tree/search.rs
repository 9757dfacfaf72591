//! Looking through a tree without changing it.

use super::{Body, Child, Leaf, Place, Tree, below, nth_below, span};
use crate::engine::Result;
use crate::format2::reference::Reference;
use crate::pages::Pages;

/// A node that a walk came by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a, L> {
    pub(crate) place: Place,
    pub(crate) reference: &'a Reference,
    /// `None` above the leaves.
    pub(crate) leaf: Option<&'a L>,
}

/// What a search calls: with the first unit, the counts, and the leaf, or `None` where there is no node.
pub(crate) type Visit<'a, L, T> = &'a mut dyn FnMut(u64, Counts, Option<&L>) -> Option<T>;

/// What there is below a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) used: u64,
    pub(crate) busy: u64,
    /// Units that exist.
    pub(crate) span: u64,
}

impl<L: Leaf<P>, const P: usize> Tree<L, P> {
    /// Visits the leaves from that of unit `from` on, in order, until `visit` gives something.
    ///
    /// `wants` chooses by what is used and busy below and by the units that exist.
    pub(crate) fn search<T>(
        &self,
        pages: &Pages<P>,
        from: u64,
        wants: &dyn Fn(Counts) -> bool,
        visit: Visit<'_, L, T>,
    ) -> Result<Option<T>> {
        let place = Place { level: self.level, first_unit: 0 };
        let found = self.search_below(pages, &self.root, place, from, wants, visit)?;
        if found.is_some() {
            return Ok(found);
        }
        // Units past the last level that there is: nothing is used there.
        let limit = L::limit(self.page_count);
        let mut first_unit = from.max(self.capacity());
        first_unit = first_unit.saturating_sub(first_unit % L::UNITS);
        while first_unit < limit {
            let span = L::UNITS.get().min(limit.saturating_sub(first_unit));
            let counts = Counts { used: 0, busy: 0, span };
            if !wants(counts) {
                break;
            }
            let found = visit(first_unit, counts, None);
            if found.is_some() {
                return Ok(found);
            }
            first_unit = first_unit.saturating_add(L::UNITS.get());
        }
        Ok(None)
    }

    fn search_below<T>(
        &self,
        pages: &Pages<P>,
        child: &Child<L>,
        place: Place,
        from: u64,
        wants: &dyn Fn(Counts) -> bool,
        visit: Visit<'_, L, T>,
    ) -> Result<Option<T>> {
        let all = span::<L, P>(place.level);
        let limit = L::limit(self.page_count);
        let span = all.min(limit.saturating_sub(place.first_unit));
        let counts = Counts { used: child.reference.used, busy: child.busy, span };
        if span == 0 || from >= place.first_unit.saturating_add(all) || !wants(counts) {
            return Ok(None);
        }
        let node = self.node(pages, child, place)?;
        let Some(node) = node else {
            return Ok(visit(place.first_unit.max(from), counts, None));
        };
        match &node.body {
            Body::Leaf(leaf) => Ok(visit(place.first_unit, counts, Some(leaf))),
            Body::Inner(children) => {
                let (start, _) = below::<L, P>(place, from.max(place.first_unit));
                for (index, child) in children.iter().enumerate().skip(start) {
                    let below = nth_below::<L, P>(place, index);
                    let found = self.search_below(pages, child, below, from, wants, visit)?;
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                Ok(None)
            }
        }
    }

    /// Visits every node, or only those that the commit `written` wrote, which are below such ones.
    pub(crate) fn walk(
        &self,
        pages: &Pages<P>,
        written: Option<u64>,
        visit: &mut dyn FnMut(Seen<'_, L>) -> Result<()>,
    ) -> Result<()> {
        let place = Place { level: self.level, first_unit: 0 };
        self.walk_below(pages, &self.root, place, written, visit)
    }

    fn walk_below(
        &self,
        pages: &Pages<P>,
        child: &Child<L>,
        place: Place,
        written: Option<u64>,
        visit: &mut dyn FnMut(Seen<'_, L>) -> Result<()>,
    ) -> Result<()> {
        if written.is_some_and(|generation| child.reference.generation != generation) {
            return Ok(());
        }
        let Some(node) = self.node(pages, child, place)? else { return Ok(()) };
        let leaf = match &node.body {
            Body::Leaf(leaf) => Some(leaf),
            Body::Inner(_) => None,
        };
        visit(Seen { place, reference: &child.reference, leaf })?;
        if let Body::Inner(children) = &node.body {
            for (index, child) in children.iter().enumerate() {
                let below = nth_below::<L, P>(place, index);
                self.walk_below(pages, child, below, written, visit)?;
            }
        }
        Ok(())
    }
}
