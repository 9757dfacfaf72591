//! A table by page number that takes memory for what was asked for, whatever the number.
//!
//! A tree of arrays of 256, one for each byte of the number, which are made on the way to a place that is
//! asked for. *Invariant.* A place stays where it is for as long as the table is only shared.

use std::sync::OnceLock;

/// Places of an array: one for each value of a byte.
const PLACES: usize = 256;

/// What is kept by page number.
#[derive(Debug)]
pub(super) struct Kept<T> {
    root: Node<T>,
}

#[derive(Debug)]
enum Node<T> {
    Inner(Box<[OnceLock<Self>]>),
    Last(Box<[T]>),
}

impl<T: Default> Default for Kept<T> {
    fn default() -> Self {
        Self { root: Node::new(false) }
    }
}

impl<T: Default> Kept<T> {
    /// The place of a page, which is made.
    pub(super) fn place(&self, page: u64) -> Option<&T> {
        let [path @ .., last] = page.to_be_bytes();
        let mut node = &self.root;
        for (depth, byte) in (1..).zip(path) {
            let Node::Inner(below) = node else { return None };
            let is_last = depth == path.len();
            node = below.get(usize::from(byte))?.get_or_init(|| Node::new(is_last));
        }
        let Node::Last(places) = node else { return None };
        places.get(usize::from(last))
    }

    /// The place of a page, if it was asked for.
    pub(super) fn place_mut(&mut self, page: u64) -> Option<&mut T> {
        let [path @ .., last] = page.to_be_bytes();
        let mut node = &mut self.root;
        for byte in path {
            let Node::Inner(below) = node else { return None };
            node = below.get_mut(usize::from(byte))?.get_mut()?;
        }
        let Node::Last(places) = node else { return None };
        places.get_mut(usize::from(last))
    }

    /// Visits the places that there are from that of `page` on.
    pub(super) fn each_from(&mut self, page: u64, visit: &mut dyn FnMut(&mut T)) {
        self.root.each_from(&page.to_be_bytes(), visit);
    }
}

impl<T: Default> Node<T> {
    fn new(is_last: bool) -> Self {
        if is_last {
            Self::Last((0..PLACES).map(|_| T::default()).collect())
        } else {
            Self::Inner((0..PLACES).map(|_| OnceLock::new()).collect())
        }
    }

    /// `path`: the remaining bytes of the first number; none: all there is.
    fn each_from(&mut self, path: &[u8], visit: &mut dyn FnMut(&mut T)) {
        let (first, rest) = path.split_first().map_or((0, path), |(first, rest)| (*first, rest));
        let first = usize::from(first);
        match self {
            Self::Last(places) => places.iter_mut().skip(first).for_each(visit),
            Self::Inner(below) => {
                for (index, node) in below.iter_mut().enumerate().skip(first) {
                    if let Some(node) = node.get_mut() {
                        node.each_from(if index == first { rest } else { &[] }, visit);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_places_of_their_own_and_are_found_in_order() {
        let numbers = [0, 1, 255, 256, 65_535, 65_536, 1 << 40, u64::MAX];
        let mut kept = Kept::<OnceLock<u64>>::default();
        for number in numbers {
            assert!(kept.place_mut(number).is_none_or(|place| place.get().is_none()));
            kept.place(number).unwrap().set(number).unwrap();
        }
        for number in numbers {
            assert_eq!(kept.place_mut(number).unwrap().get(), Some(&number));
        }
        for from in numbers.into_iter().chain([2, 257, 70_000, (1 << 40) + 1]) {
            let mut found = Vec::new();
            kept.each_from(from, &mut |place| found.extend(place.get().copied()));
            let expected: Vec<u64> = numbers.into_iter().filter(|number| *number >= from).collect();
            assert_eq!(found, expected, "from {from}");
        }
    }
}
