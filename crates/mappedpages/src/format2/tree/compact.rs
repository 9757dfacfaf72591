//! Moving a node to other pages.

use std::sync::OnceLock;

use super::{Body, Child, Leaf, Place, Tree, below};
use crate::engine::Result;
use crate::format2::reference::Reference;
use crate::pages::Pages;

impl<L: Leaf<P>, const P: usize> Tree<L, P> {
    /// Loads the node at `place` and those above it. False: there is none.
    pub(crate) fn load_path(&self, pages: &Pages<P>, wanted: Place) -> Result<bool> {
        let (mut child, mut place) = (&self.root, self.top());
        while let Some(node) = self.node(pages, child, place)? {
            match &node.body {
                _ if place.level == wanted.level => return Ok(place == wanted),
                Body::Leaf(_) => break,
                Body::Inner(children) => {
                    let (index, next) = below::<L, P>(place, wanted.first_unit);
                    let Some(next_child) = children.get(index) else { break };
                    (child, place) = (next_child, next);
                }
            }
        }
        Ok(false)
    }

    /// Gives a node, which is loaded with all above it, another pair of pages to lie in.
    pub(crate) fn move_pair(&mut self, wanted: Place, first: u64) {
        self.mark_changed(wanted);
        self.set_pair(wanted, first);
    }

    /// Takes a loaded leaf in which nothing is used, and nothing withheld, out of the tree. Its pair
    /// belongs to nobody then.
    pub(crate) fn remove_empty(&mut self, wanted: Place) -> bool {
        let is_empty = |child: &Child<L>| child.busy == 0 && child.reference.used == 0;
        if wanted.level != 0 || !self.child_mut(wanted).is_some_and(|child| is_empty(child)) {
            return false;
        }
        self.mark_changed(wanted);
        if let Some(child) = self.child_mut(wanted) {
            child.reference = Reference::ABSENT;
            child.node = OnceLock::new();
        }
        true
    }

    /// The place of the root.
    fn top(&self) -> Place {
        Place { level: self.level, first_unit: 0 }
    }

    fn mark_changed(&mut self, wanted: Place) {
        let mut place = self.top();
        let mut child = &mut self.root;
        while let Some(node) = child.node.get_mut() {
            node.is_changed = true;
            let Body::Inner(children) = &mut node.body else { break };
            if place.level == wanted.level {
                break;
            }
            let (index, next) = below::<L, P>(place, wanted.first_unit);
            let Some(next_child) = children.get_mut(index) else { break };
            (child, place) = (next_child, next);
        }
    }
}
