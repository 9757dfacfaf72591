//! Ways through a pager's pages, in order of number. None allocates.

use std::iter::FusedIterator;

use crate::{Page, Pager};

/// What [`Iter`] shows of numbers without a page.
static ABSENT: Option<Page> = None;

/// All numbers below the pager's length, present or not; see [`Pager::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    pager: &'a Pager,
    next: usize,
}

impl<'a> Iter<'a> {
    pub(crate) fn new(pager: &'a Pager) -> Self {
        Self { pager, next: 0 }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a Option<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.pager.len() {
            return None;
        }
        let slot = self.pager.tree.slot(self.next as u64).unwrap_or(&ABSENT);
        self.next = self.next.saturating_add(1);
        Some(slot)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.pager.len().saturating_sub(self.next);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Iter<'_> {}
impl FusedIterator for Iter<'_> {}

impl<'a> IntoIterator for &'a Pager {
    type Item = &'a Option<Page>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

macro_rules! present {
    ($(#[$doc:meta])* $name:ident, $next:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name<'a> {
            pager: &'a Pager,
            next: u64,
        }

        impl<'a> $name<'a> {
            pub(crate) fn new(pager: &'a Pager) -> Self {
                Self { pager, next: 0 }
            }
        }

        impl<'a> Iterator for $name<'a> {
            type Item = (usize, &'a Page);

            fn next(&mut self) -> Option<Self::Item> {
                let number = self.pager.tree.$next(self.next)?;
                self.next = number.saturating_add(1);
                let page = self.pager.tree.slot(number)?.as_ref()?;
                Some((usize::try_from(number).ok()?, page))
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                (0, Some(self.pager.pages_present()))
            }
        }

        impl FusedIterator for $name<'_> {}
    };
}

present! {
    /// The pages that are present, with their numbers; see [`Pager::pages`].
    Pages, next_present
}

present! {
    /// The pages that are dirty, with their numbers; see [`Pager::dirty`].
    Dirty, next_dirty
}
