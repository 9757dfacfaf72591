//! Opens a file that a power cut may have left, and says whether all is well.

use std::collections::BTreeMap;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use mappedpages::{MappedPageError, Pager};

use crate::recorder::{self, Interval};
use crate::workload::{State, internal};

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
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

/// The states among `may_show` that `shown` may be; they differ only in what may be there or not.
fn matching(
    shown: &Shown,
    states: &[State],
    may_show: RangeInclusive<usize>,
) -> Result<RangeInclusive<usize>, Fault> {
    let mut why = Vec::new();
    let mut found = Vec::new();
    for number in may_show {
        match difference(shown, &states[number]) {
            None => found.push(number),
            Some(difference) => why.push(format!("state {number}: {difference}")),
        }
    }
    match (found.first(), found.last()) {
        (Some(&first), Some(&last)) => Ok(first..=last),
        _ => Err(Fault::OtherState(why.join("; "))),
    }
}

/// Opens `image` at `path` while the recorder looks on; gives what that leaves when the power goes
/// again. What it has shown it must show again.
pub(crate) fn recover<const P: usize>(
    image: &[u8],
    path: &Path,
    states: &[State],
    may_show: RangeInclusive<usize>,
) -> Result<Vec<Interval>, Fault> {
    fs::write(path, image).unwrap();
    recorder::start(path, None);
    recorder::may_show(*may_show.end());
    recorder::must_show(*may_show.start());
    let opened = Pager::<P>::open(path).and_then(|pager| {
        let first = shown(&pager)?;
        // What the drop does comes after the power cut.
        Ok((first, recorder::stop(), pager))
    });
    let (first, mut recording, _pager) = opened.map_err(|error| {
        drop(recorder::stop());
        Fault::Refuses(format!("{error:?}"))
    })?;
    let last = recording.intervals.last_mut().unwrap();
    last.states = matching(&first, states, may_show)?;
    Ok(recording.intervals)
}

/// Opens the file at `path` again after a call failed, in the same boot: the caches hold what the disk may
/// lack. Then takes all free pages. `states` end with what the file may show now, and get what comes next.
pub(crate) fn go_on<const P: usize>(path: &Path, states: &mut Vec<State>) -> Result<(), Fault> {
    let may_show = recorder::heal();
    states.truncate(*may_show.end() + 1);
    let refuses = |error: MappedPageError| Fault::Refuses(format!("{error:?}"));
    let mut pager = Pager::<P>::open(path).map_err(refuses)?;
    let first = shown(&pager).map_err(refuses)?;
    let found = states[*matching(&first, states, may_show)?.start()].clone();
    // What was shown must be shown from now on.
    states.push(found.clone());
    recorder::may_show(states.len() - 1);
    recorder::must_show(states.len() - 1);

    recorder::may_show(states.len());
    let free = usize::try_from(pager.free_page_count()).unwrap();
    let new = pager.alloc_bulk(free).map_err(refuses)?;
    let mut next = found;
    for page in new {
        next.regular.insert(page.0, vec![vec![0; P], vec![0xaa; P]]);
        page.get_mut(&mut pager).map_err(refuses)?.as_bytes_mut().fill(0xaa);
    }
    next.internal = internal(&pager);
    states.push(next);
    recorder::must_show(states.len() - 1);
    Ok(())
}

/// Opens `image` at `path`; gives what is wrong with it.
pub(crate) fn judge<const P: usize>(
    image: &[u8],
    path: &Path,
    states: &[State],
    may_show: RangeInclusive<usize>,
) -> Result<(), Fault> {
    fs::write(path, image).unwrap();
    let refuses = |error: MappedPageError| Fault::Refuses(format!("{error:?}"));
    let before = mappedpages::check::<P>(path).map_err(refuses)?;
    let mut pager = Pager::<P>::open(path).map_err(refuses)?;
    let first = shown(&pager).map_err(refuses)?;
    let state = &states[*matching(&first, states, may_show)?.end()];
    let report = pager.check().map_err(refuses)?;
    for report in [before, report] {
        if !report.is_clean() {
            return Err(Fault::Ownership(format!("{report:?}")));
        }
    }
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
