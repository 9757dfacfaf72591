//! What a page file shows.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use mappedpages::{MappedPageError, Pager, ReadOnlyPager};

use super::model::{Content, Model};

/// Everything that can be seen of a page file: what stands for the sectors of each page, by its id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    pub(crate) regular: Pages,
    pub(crate) protected: Pages,
}

impl Observed {
    /// What `reader` shows.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn of_reader<const P: usize>(reader: &ReadOnlyPager<P>) -> Result<Self, MappedPageError> {
        let mut observed = Self::default();
        for id in reader.iter_allocated_pages() {
            let id = id?;
            let page = reader.get_page(id)?;
            observed.regular.insert(id.0, Arc::clone(Content::of(page.as_bytes()).sectors()));
        }
        for id in reader.iter_allocated_protected_pages() {
            let id = id?;
            let page = reader.get_protected_page(id)?;
            observed.protected.insert(id.0, Arc::clone(Content::of(page.as_bytes()).sectors()));
        }
        Ok(observed)
    }

    /// What `pager` shows.
    ///
    /// # Errors
    /// Why something cannot be read.
    pub fn of<const P: usize>(pager: &Pager<P>) -> Result<Self, MappedPageError> {
        let mut observed = Self::default();
        let mut pages = pager.iter_allocated_pages();
        for page in &mut pages {
            let content = Content::of(page.get(pager)?.as_bytes());
            observed.regular.insert(page.0, Arc::clone(content.sectors()));
        }
        let mut ids = pager.iter_allocated_protected_pages();
        for id in &mut ids {
            let content = Content::of(id.get(pager)?.as_bytes());
            observed.protected.insert(id.0, Arc::clone(content.sectors()));
        }
        match pages.error().or(ids.error()) {
            None => Ok(observed),
            Some(MappedPageError::Io(error)) => Err(io::Error::from(error.kind()).into()),
            Some(_) => Err(MappedPageError::CorruptMetadata),
        }
    }

    /// Whether it is exactly what `model` holds now.
    ///
    /// # Errors
    /// What differs.
    pub fn is(&self, model: &Model) -> Result<(), String> {
        let regular = model.regular.iter().map(|(page, regular)| (*page, &regular.now));
        same("page", &self.regular, regular)?;
        let protected = model.protected.iter().map(|(id, content)| (*id, content));
        same("protected page", &self.protected, protected)
    }

    /// What differs from `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<String> {
        let pages = |shown: &Self| (shown.regular.len(), shown.protected.len());
        (self != other).then(|| {
            let same = |left: &Pages, right: &Pages| left.keys().eq(right.keys());
            let is_same =
                same(&self.regular, &other.regular) && same(&self.protected, &other.protected);
            let what = if is_same { "the same ids, other bytes" } else { "other ids" };
            format!("{what}: {:?} pages and {:?}", pages(self), pages(other))
        })
    }
}

/// What stands for the sectors of each page, by its id.
type Pages = BTreeMap<u64, Arc<[u128]>>;

fn same<'a>(
    what: &str,
    shown: &Pages,
    wanted: impl Iterator<Item = (u64, &'a Content)>,
) -> Result<(), String> {
    let wanted: BTreeMap<u64, &Content> = wanted.collect();
    if !shown.keys().eq(wanted.keys()) {
        let (shown, wanted): (Vec<_>, Vec<_>) = (shown.keys().collect(), wanted.keys().collect());
        return Err(format!("{what}s are {shown:?} and should be {wanted:?}"));
    }
    match wanted.iter().find(|(id, content)| shown[*id] != *content.sectors()) {
        None => Ok(()),
        Some((id, _)) => Err(format!("{what} {id:#x} holds other bytes than were written")),
    }
}
