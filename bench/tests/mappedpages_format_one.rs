//! Files in format 1, handed to and fro between ours and the published `mappedpages` 0.2.0.
//!
//! After every operation of ours the published crate opens a copy and must report what ours reports;
//! after operations of the published crate ours must report what it does. No file is closed in between
//! more than the copy needs: what is durable is what counts.

use std::error::Error;
use std::fs;
use std::path::Path;

use mappedpages::{Backing, Durability, Format, Pager};
use published_mappedpages as published;

type TestResult<T = ()> = Result<T, Box<dyn Error>>;

/// What a pager reports: counts, and the contents of regular pages and of protected pages by slot.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    page_count: u64,
    free_page_count: u64,
    regular: Vec<(u64, Vec<u8>)>,
    protected: Vec<(u64, Vec<u8>)>,
}

/// The slot of one of our ids, which the published crate takes for the id.
fn slot_of(id: u64) -> u64 {
    id & ((1 << 40) - 1)
}

fn report_of_ours<const P: usize>(pager: &Pager<P>) -> TestResult<Report> {
    let mut report = Report {
        page_count: pager.page_count(),
        free_page_count: pager.free_page_count(),
        ..Report::default()
    };
    for id in pager.iter_allocated_pages() {
        report.regular.push((id.0, id.get(pager)?.as_bytes().to_vec()));
    }
    for id in pager.iter_allocated_protected_pages() {
        report.protected.push((slot_of(id.0), id.get(pager)?.as_bytes().to_vec()));
    }
    Ok(report)
}

fn report_of_published<const P: usize>(pager: &published::Pager<P>) -> TestResult<Report> {
    let mut report = Report {
        page_count: pager.page_count(),
        free_page_count: pager.free_page_count(),
        ..Report::default()
    };
    for id in pager.iter_allocated_pages() {
        report.regular.push((id.0, id.get(pager)?.as_bytes().to_vec()));
    }
    for id in pager.iter_allocated_protected_pages() {
        report.protected.push((id.0, id.get(pager)?.as_bytes().to_vec()));
    }
    Ok(report)
}

/// A repeatable source of numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(0x14057b7ef767814f);
        (self.0 >> 33) as usize % end
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.below(from.len())])
    }
}

/// One operation of ours, durable on return.
fn operate_ours<const P: usize>(pager: &mut Pager<P>, random: &mut Random) -> TestResult {
    let regular: Vec<_> = pager.iter_allocated_pages().collect();
    let protected: Vec<_> = pager.iter_allocated_protected_pages().collect();
    let fill = random.below(256) as u8;
    match random.below(10) {
        0 => drop(pager.alloc()?),
        1 => {
            for id in pager.alloc_bulk(random.below(40))? {
                id.get_mut(pager)?.as_bytes_mut().fill(fill);
            }
            pager.flush()?;
        }
        2 => {
            if let Some(id) = random.pick(&regular) {
                pager.free(id)?;
            }
        }
        3 => pager.free_bulk(regular.into_iter().step_by(3).collect())?,
        4 => drop(pager.alloc_protected()?),
        5 => drop(pager.alloc_protected_bulk(random.below(40))?),
        6 => {
            if let Some(id) = random.pick(&protected) {
                pager.free_protected(id)?;
            }
        }
        7 => pager.free_protected_bulk(protected.into_iter().step_by(7).collect())?,
        8 => {
            if let Some(id) = random.pick(&protected) {
                let mut writer = id.get_mut(pager)?;
                writer.page_mut().as_bytes_mut()[fill as usize..].fill(fill);
                writer.commit()?;
            }
        }
        _ => {
            let mut transaction = pager.transaction()?;
            transaction.alloc()?;
            let made = transaction.alloc_protected()?;
            transaction.protected_mut(made)?.as_bytes_mut().fill(fill);
            if let Some(id) = random.pick(&protected) {
                transaction.protected_mut(id)?.as_bytes_mut()[..9].fill(fill);
            }
            if let Some(id) = random.pick(&regular) {
                transaction.free(id)?;
            }
            transaction.commit()?;
        }
    }
    Ok(())
}

fn operate_published<const P: usize>(
    pager: &mut published::Pager<P>,
    random: &mut Random,
) -> TestResult {
    let regular: Vec<_> = pager.iter_allocated_pages().collect();
    let protected: Vec<_> = pager.iter_allocated_protected_pages().collect();
    let fill = random.below(256) as u8;
    match random.below(7) {
        0 => {
            let id = pager.alloc()?;
            id.get_mut(pager)?.as_bytes_mut().fill(fill);
        }
        1 => drop(pager.alloc_bulk(random.below(30))?),
        2 => {
            if let Some(id) = random.pick(&regular) {
                pager.free(id)?;
            }
        }
        3 => drop(pager.alloc_protected()?),
        4 => {
            if let Some(id) = random.pick(&protected) {
                pager.free_protected(id)?;
            }
        }
        // Given up: the bytes stay in the copy that does not count.
        5 => {
            if let Some(id) = random.pick(&protected) {
                id.get_mut(pager)?.page_mut().as_bytes_mut().fill(fill);
            }
        }
        _ => {
            if let Some(id) = random.pick(&protected) {
                let mut writer = id.get_mut(pager)?;
                writer.page_mut().as_bytes_mut().fill(fill);
                writer.commit()?;
            }
        }
    }
    Ok(())
}

/// What the published crate says of a copy of the file.
fn published_view<const P: usize>(path: &Path) -> TestResult<Report> {
    let copy = path.with_extension("copy");
    fs::copy(path, &copy)?;
    report_of_published(&published::Pager::<P>::open(&copy)?)
}

fn to_and_fro<const P: usize>(seed: u64, rounds: usize) -> TestResult {
    let mut random = Random(seed);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("pages");
    let backing = if seed % 2 == 0 { Backing::Mapped } else { Backing::Positioned };
    let builder = Pager::<P>::builder().format(Format::One).backing(backing);
    builder.create(&path)?.close()?;
    for round in 0..rounds {
        let what = format!("pages of {P}, seed {seed}, round {round}");
        let mut ours = builder.open(&path)?;
        for _ in 0..6 {
            operate_ours(&mut ours, &mut random).map_err(|error| format!("{what}: {error}"))?;
            assert!(
                report_of_ours(&ours)? == published_view::<P>(&path)?,
                "{what}: theirs differs"
            );
        }
        ours.close()?;
        let mut theirs = published::Pager::<P>::open(&path)?;
        assert_eq!(fs::read(&path)?[4..8], [0, 2, 0, 0]);
        for _ in 0..6 {
            operate_published(&mut theirs, &mut random)?;
            // A new page of theirs holds what was there before, and its checksum is of that.
            assert!(report_of_published(&theirs)? == published_view::<P>(&path)?);
        }
        let report = report_of_published(&theirs)?;
        drop(theirs);
        let ours = builder.open(&path)?;
        assert!(report_of_ours(&ours)? == report, "{what}: ours differs");
        let recovery = ours.recovery();
        assert!(!recovery.unclean && !recovery.repaired, "{what}: {recovery:?}");
        assert_eq!(recovery.rolled_back, None, "{what}");
    }
    Ok(())
}

#[test]
fn what_either_wrote_the_other_reads() -> TestResult {
    for seed in 0..4 {
        to_and_fro::<1024>(seed, 8)?;
        to_and_fro::<4096>(seed, 5)?;
    }
    to_and_fro::<2048>(10, 3)?;
    to_and_fro::<65536>(11, 2)
}

/// More blocks of the directory than the first sector of page 0 has room for.
#[test]
fn the_published_crate_reads_a_directory_of_many_blocks() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("pages");
    let builder = Pager::<1024>::builder().format(Format::One);
    let mut ours = builder.create(&path)?;
    ours.alloc_protected_bulk(33 * 28 - 1)?;
    let mut random = Random(5);
    while ours.iter_allocated_protected_pages().count() < 1200 {
        let ids = ours.alloc_protected_bulk(20 + random.below(60))?;
        assert!(report_of_ours(&ours)? == published_view::<1024>(&path)?);
        let mut writer = ids[3].get_mut(&mut ours)?;
        writer.page_mut().as_bytes_mut().fill(9);
        writer.commit()?;
        assert!(report_of_ours(&ours)? == published_view::<1024>(&path)?);
        ours.free_protected_bulk(ids.into_iter().step_by(5).collect())?;
        ours.alloc()?;
        assert!(report_of_ours(&ours)? == published_view::<1024>(&path)?);
    }
    Ok(())
}

/// What is not durable is not in the file, and what is staged and accepted comes with the next commit.
#[test]
fn an_eventual_commit_is_for_the_published_crate_when_it_is_flushed() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("pages");
    let builder = Pager::<1024>::builder().format(Format::One).durability(Durability::Eventual);
    let mut ours = builder.create(&path)?;
    let id = ours.alloc_protected()?;
    ours.alloc()?;
    let before = published_view::<1024>(&path)?;
    assert!(before.regular.is_empty() && before.protected.is_empty());
    ours.flush()?;
    let after = published_view::<1024>(&path)?;
    assert!(report_of_ours(&ours)? == after && after.protected[0].0 == slot_of(id.0));
    Ok(())
}

/// At the most pages that the format has room for.
#[test]
fn the_published_crate_reads_a_full_file_and_frees_what_is_taken_again() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("pages");
    let builder = Pager::<1024>::builder().format(Format::One);
    let mut ours = builder.create(&path)?;
    let protected = ours.alloc_protected()?;
    let mut pages = 0;
    while ours.free_page_count() > 0 || ours.alloc().is_ok() {
        let free = ours.free_page_count() as usize;
        pages = ours.alloc_bulk(free)?.len().max(pages);
    }
    assert!(pages > 1000, "{pages}");
    assert!(matches!(ours.alloc(), Err(mappedpages::MappedPageError::Full)));
    ours.close()?;

    let mut theirs = published::Pager::<1024>::open(&path)?;
    let freed: Vec<_> = theirs.iter_allocated_pages().step_by(9).collect();
    assert_eq!(theirs.free_page_count(), 0);
    theirs.free_bulk(freed.clone())?;
    drop(theirs);

    let mut ours = builder.open(&path)?;
    let mut taken: Vec<u64> = ours.alloc_bulk(freed.len())?.iter().map(|id| id.0).collect();
    taken.sort_unstable();
    assert_eq!(taken, freed.iter().map(|id| id.0).collect::<Vec<_>>());
    assert!(matches!(ours.alloc(), Err(mappedpages::MappedPageError::Full)));
    let mut writer = protected.get_mut(&mut ours)?;
    writer.page_mut().as_bytes_mut().fill(5);
    writer.commit()?;
    assert!(report_of_ours(&ours)? == published_view::<1024>(&path)?);
    Ok(())
}

/// What the published crate wrote is taken over into format 2, ids and all.
#[test]
fn a_file_of_the_published_crate_is_upgraded() -> TestResult {
    let folder = tempfile::tempdir()?;
    for seed in 20..24 {
        let path = folder.path().join(seed.to_string());
        let mut random = Random(seed);
        let mut theirs = published::Pager::<4096>::create(&path)?;
        for _ in 0..40 {
            operate_published(&mut theirs, &mut random)?;
        }
        theirs.alloc()?;
        theirs.alloc_protected()?;
        let before = report_of_published(&theirs)?;
        drop(theirs);
        let upgraded = Pager::<4096>::upgrade(&path)?;
        let after = report_of_ours(&upgraded)?;
        let what = format!("seed {seed}");
        assert!(after.regular == before.regular, "{what}: other regular pages");
        assert!(after.protected == before.protected, "{what}: other protected pages");
        assert!(published::Pager::<4096>::open(&path).is_err(), "{what}: opened in format 2");
    }
    Ok(())
}
