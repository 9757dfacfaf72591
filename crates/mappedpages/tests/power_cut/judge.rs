//! Opens a file that a power cut may have left, and says whether all is well.

use std::collections::BTreeMap;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use mappedpages::{MappedPageError, Pager};

use crate::workload::{State, internal};

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not open.
    Refuses(String),
    /// It shows neither the state before the operation nor the one after it.
    OtherState(String),
    /// A page is owned twice, or by nobody.
    Ownership(String),
    /// What one open repaired another one changes again.
    Unstable(String),
}

/// What an open shows.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    regular: BTreeMap<u64, Vec<u8>>,
    protected: BTreeMap<u64, Vec<u8>>,
    internal: u64,
}

fn shown<const P: usize>(pager: &Pager<P>) -> Result<Shown, MappedPageError> {
    let mut regular = BTreeMap::new();
    for page in pager.iter_allocated_pages() {
        regular.insert(page.0, page.get(pager)?.as_bytes().to_vec());
    }
    let mut protected = BTreeMap::new();
    for page in pager.iter_allocated_protected_pages() {
        protected.insert(page.0, page.get(pager)?.as_bytes().to_vec());
    }
    Ok(Shown { regular, protected, internal: internal(pager) })
}

/// Says why `shown` is not `state`.
fn difference(shown: &Shown, state: &State) -> Option<String> {
    if !shown.regular.keys().eq(state.regular.keys()) {
        return Some(format!(
            "regular pages {:?} instead of {:?}",
            shown.regular.keys(),
            state.regular.keys()
        ));
    }
    if !shown.protected.keys().eq(state.protected.keys()) {
        return Some(format!(
            "protected pages {:?} instead of {:?}",
            shown.protected.keys(),
            state.protected.keys()
        ));
    }
    for (page, content) in &shown.protected {
        if state.protected[page] != *content {
            return Some(format!("protected page {page} holds something else"));
        }
    }
    for (page, content) in &shown.regular {
        for (number, sector) in content.chunks(512).enumerate() {
            let mut may_be =
                state.regular[page].iter().filter_map(|may| may.chunks(512).nth(number));
            if !may_be.any(|may| may == sector) {
                return Some(format!("page {page}, sector {number} holds something else"));
            }
        }
    }
    None
}

/// Opens `image` at `path`; gives what is wrong with it.
pub fn judge<const P: usize>(
    image: &[u8],
    path: &Path,
    states: &[State],
    may_show: RangeInclusive<usize>,
) -> Result<(), Fault> {
    fs::write(path, image).unwrap();
    let refuses = |error: MappedPageError| Fault::Refuses(format!("{error:?}"));
    let pager = Pager::<P>::open(path).map_err(refuses)?;
    let first = shown(&pager).map_err(refuses)?;
    let mut why = Vec::new();
    let mut found = None;
    for number in may_show {
        match difference(&first, &states[number]) {
            None => found = Some(&states[number]),
            Some(difference) => why.push(format!("state {number}: {difference}")),
        }
    }
    let state = found.ok_or_else(|| Fault::OtherState(why.join("; ")))?;
    if first.internal != state.internal {
        let (is, was) = (first.internal, state.internal);
        return Err(Fault::Ownership(format!("{is} pages are kept instead of {was}")));
    }

    let unstable = |error: MappedPageError| Fault::Unstable(format!("{error:?}"));
    drop(pager);
    let after_first = fs::read(path).unwrap();
    let mut pager = Pager::<P>::open(path).map_err(unstable)?;
    if shown(&pager).map_err(unstable)? != first {
        return Err(Fault::Unstable("the second open shows another state".to_owned()));
    }

    // Whatever is free can be handed out, belongs to nobody else, and is zeros.
    let free = pager.free_page_count();
    let new = pager.alloc_bulk(usize::try_from(free).unwrap()).map_err(unstable)?;
    for page in new {
        if first.regular.contains_key(&page.0) {
            return Err(Fault::Ownership(format!("page {} is handed out twice", page.0)));
        }
        let content = page.get_mut(&mut pager).map_err(unstable)?.as_bytes_mut();
        if content.iter().any(|&byte| byte != 0) {
            return Err(Fault::Ownership(format!("page {} is new and holds something", page.0)));
        }
        content.fill(0xaa);
    }
    let mut again = shown(&pager).map_err(unstable)?;
    again.regular.retain(|page, _| first.regular.contains_key(page));
    again.internal = first.internal;
    if again != first {
        return Err(Fault::Ownership("new pages are those of others".to_owned()));
    }
    drop(pager);

    fs::write(path, &after_first).unwrap();
    drop(Pager::<P>::open(path).map_err(unstable)?);
    if fs::read(path).unwrap() != after_first {
        return Err(Fault::Unstable("a second open and close writes something else".to_owned()));
    }
    Ok(())
}
