//! Files in format 1 become files in format 2 with the same pages under the same ids.

#![cfg(unix)]

mod support;

use std::error::Error;
use std::fs;
use std::path::Path;

use mappedpages::{Format, MappedPageError, PageId, Pager, ProtectedPageId};
use support::contents;

type TestResult = Result<(), Box<dyn Error>>;

fn check_upgrade<const P: usize>(path: &Path, what: &str) -> TestResult {
    let before = Pager::<P>::open(path)?;
    assert_eq!(before.format(), Format::One, "{what}");
    let was = contents(&before)?;
    let said = before.recovery().clone();
    before.close()?;
    let mut upgraded = Pager::<P>::upgrade(path)?;
    assert_eq!(upgraded.format(), Format::Two, "{what}");
    assert!(contents(&upgraded)? == was, "{what}: something else is there");
    assert_eq!(upgraded.recovery().rolled_back, said.rolled_back, "{what}");
    assert_eq!(upgraded.recovery().older_blocks, said.older_blocks, "{what}");
    let report = upgraded.check()?;
    assert!(report.is_clean(), "{what}: {report:?}");
    upgraded.close()?;
    let mut again = Pager::<P>::upgrade(path)?;
    assert!(contents(&again)? == was, "{what}: something else is there after a close");
    assert_eq!(again.recovery().rolled_back, None);
    let new = again.alloc()?;
    assert!(!was.0.contains_key(&new.0), "{what}: handed out twice");
    assert_eq!(new.get(&again)?.as_bytes(), vec![0; P], "{what}");
    let protected = again.alloc_protected()?;
    assert!(!was.1.contains_key(&protected.0), "{what}: handed out twice");
    again.free_protected(protected)?;
    again.free(new)?;
    assert!(contents(&again)? == was, "{what}");
    Ok(())
}

#[test]
fn published_files_are_upgraded_unless_a_page_is_damaged() -> TestResult {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let scratch = tempfile::tempdir()?;
    let (mut upgraded, mut refused) = (0, 0);
    for entry in fs::read_dir(folder)? {
        let from = entry?.path();
        if from.extension().is_none_or(|extension| extension != "mpp") {
            continue;
        }
        let name = from.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let path = scratch.path().join(&name);
        fs::write(&path, fs::read(&from)?)?;
        let is_large = name.contains("4096");
        let result = if is_large {
            Pager::<4096>::open(&path).and_then(|pager| contents(&pager))
        } else {
            Pager::<1024>::open(&path).and_then(|pager| contents(&pager))
        };
        if result.is_ok() {
            upgraded += 1;
            if is_large {
                check_upgrade::<4096>(&path, &name)?;
            } else {
                check_upgrade::<1024>(&path, &name)?;
            }
        } else {
            refused += 1;
            assert!(Pager::<1024>::upgrade(&path).is_err(), "{name}");
            assert_eq!(fs::read(&path)?, fs::read(&from)?, "{name}: refused and changed");
        }
    }
    assert_eq!((upgraded, refused), (13, 6));
    assert_eq!(fs::read_dir(scratch.path())?.count(), 19, "something else was left");
    Ok(())
}

/// As many pages as the format holds, so that the new maps and directories take several nodes.
#[test]
fn a_full_file_is_upgraded_and_ids_that_were_stale_stay_stale() -> TestResult {
    let scratch = tempfile::tempdir()?;
    let path = scratch.path().join("pages");
    let mut pager = Pager::<1024>::builder().format(Format::One).create(&path)?;
    let mut protected = pager.alloc_protected_bulk(900)?;
    let regular = pager.alloc_bulk(4093 - 1800 - 2 * 28)?;
    for (number, id) in regular.iter().enumerate() {
        id.get_mut(&mut pager)?.as_bytes_mut().fill(number as u8);
    }
    for (number, id) in protected.iter().enumerate().step_by(3) {
        let mut writer = id.get_mut(&mut pager)?;
        writer.page_mut().as_bytes_mut().fill(number as u8);
        writer.commit()?;
    }
    let stale: Vec<_> = protected.drain(100..140).collect();
    pager.free_protected_bulk(stale.clone())?;
    let taken_again = pager.alloc_protected_bulk(7)?;
    let free: Vec<PageId<1024>> = regular.iter().copied().step_by(5).collect();
    pager.free_bulk(free)?;
    pager.close()?;

    check_upgrade::<1024>(&path, "a full file")?;
    let mut pager = Pager::<1024>::open(&path)?;
    let new = pager.alloc_protected_bulk(60)?;
    for id in &stale {
        assert!(matches!(id.get(&pager), Err(MappedPageError::Stale)), "{id:?}");
        assert!(!new.contains(id) && !taken_again.contains(id));
    }
    let ids: Vec<ProtectedPageId<1024>> = protected.iter().chain(&taken_again).copied().collect();
    pager.free_protected_bulk(ids)?;
    assert!(pager.check()?.is_clean());
    Ok(())
}

#[test]
fn the_old_file_is_locked_meanwhile_and_a_link_leads_to_the_new_one() -> TestResult {
    let scratch = tempfile::tempdir()?;
    let path = scratch.path().join("pages");
    let link = scratch.path().join("link");
    std::os::unix::fs::symlink(&path, &link)?;
    let pager = Pager::<1024>::builder().format(Format::One).create(&path)?;
    assert!(matches!(Pager::<1024>::upgrade(&link), Err(MappedPageError::Locked)));
    pager.close()?;
    let upgraded = Pager::<1024>::upgrade(&link)?;
    assert!(matches!(Pager::<1024>::open(&path), Err(MappedPageError::Locked)));
    drop(upgraded);
    assert!(link.symlink_metadata()?.is_symlink());
    assert_eq!(Pager::<1024>::open(&path)?.format(), Format::Two);
    assert!(matches!(Pager::<2048>::upgrade(&path), Err(MappedPageError::InvalidPageSize)));
    Ok(())
}
