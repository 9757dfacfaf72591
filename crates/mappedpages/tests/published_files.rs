//! Files that the published crate wrote, intact and with an edited byte: what it reports of each of
//! them, and where ours says more than it does.

#![cfg(unix)]

use std::error::Error;
use std::fs;
use std::path::Path;

use mappedpages::{Backing, MappedPageError, Pager, Recovery};
use serde_json::Value;
use sha2::{Digest, Sha256};

type TestResult = Result<(), Box<dyn Error>>;

/// What the published crate takes silently, and what ours says about it.
fn said_by_ours(name: &str, generation: u64) -> Recovery {
    let mut recovery = Recovery::default();
    recovery.generation = generation;
    match name {
        // The copy of the metadata that page 0 names can not be taken: the state is a commit older.
        "edit-active-meta-rotten" | "edit-superblock-checksum" => {
            recovery.unclean = true;
            recovery.rolled_back = Some(generation + 1);
        }
        // The same with a block of the directory.
        "edit-active-dir-rotten" => {
            recovery.unclean = true;
            recovery.older_blocks = 1;
        }
        _ => {}
    }
    recovery
}

/// Protected pages of which the published crate gives out bytes that were never committed.
fn damaged_protected(name: &str) -> &'static [u64] {
    if name == "edit-protected-byte" { &[0] } else { &[] }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The name of the variant, as the published crate has it too.
fn variant(error: &MappedPageError) -> String {
    let text = format!("{error:?}");
    text.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

fn numbers_and_digests(list: &Value) -> Vec<(u64, String)> {
    let pages = list.as_array().into_iter().flatten();
    pages
        .map(|page| (page["id"].as_u64().unwrap(), page["sha256"].as_str().unwrap().to_owned()))
        .collect()
}

fn check<const P: usize>(
    name: &str,
    path: &Path,
    recorded: &Value,
    backing: Backing,
) -> TestResult {
    let stored = fs::read(path)?;
    let opened = Pager::<P>::builder().backing(backing).open(path);
    let wanted = &recorded["opened_by_the_real_crate"];
    if let Some(error) = wanted["error"].as_str() {
        assert_eq!(variant(&opened.err().ok_or(format!("{name} opens"))?), error, "{name}");
        assert_eq!(fs::read(path)?, stored, "{name}: refused and changed");
        return Ok(());
    }
    let pager = opened?;
    assert_eq!(pager.page_count(), wanted["page_count"].as_u64().unwrap(), "{name}");
    assert_eq!(pager.free_page_count(), wanted["free_page_count"].as_u64().unwrap(), "{name}");
    let mut regular = Vec::new();
    for id in pager.iter_allocated_pages() {
        regular.push((id.0, digest(id.get(&pager)?.as_bytes())));
    }
    assert_eq!(regular, numbers_and_digests(&wanted["regular"]), "{name}");
    let recorded_protected = numbers_and_digests(&wanted["protected"]);
    let ids: Vec<_> = pager.iter_allocated_protected_pages().collect();
    let numbers = recorded_protected.iter().map(|(number, _)| *number);
    assert!(ids.iter().map(|id| id.0).eq(numbers), "{name}: {ids:?}");
    for (id, (number, sha256)) in ids.iter().zip(&recorded_protected) {
        match id.get(&pager) {
            Ok(page) => assert_eq!(digest(page.as_bytes()), *sha256, "{name}: {number}"),
            Err(MappedPageError::CorruptPage { .. }) => {
                assert!(damaged_protected(name).contains(number), "{name}: {number}");
            }
            Err(error) => return Err(error.into()),
        }
        assert_eq!(id.get(&pager).is_err(), damaged_protected(name).contains(number), "{name}");
    }
    assert_eq!(*pager.recovery(), said_by_ours(name, pager.generation()), "{name}");
    pager.close()?;
    assert_eq!(fs::read(path)?, stored, "{name}: looking at a file changed it");

    let mut pager = Pager::<P>::builder().backing(backing).open(path)?;
    let next = recorded["next_alloc_returns"].as_u64().unwrap();
    let id = pager.alloc()?;
    assert_eq!(id.0, next, "{name}");
    assert!(id.get(&pager)?.as_bytes().iter().all(|byte| *byte == 0), "{name}: old bytes");
    pager.close()?;
    assert_eq!(fs::read(path)?.get(..8).unwrap_or_default(), b"MPPG\0\x02\0\0", "{name}: version");
    let pager = Pager::<P>::open(path)?;
    assert!(!pager.recovery().unclean, "{name}: the commit did not make it whole");
    let with_new: Vec<_> = pager.iter_allocated_pages().map(|id| id.0).collect();
    assert!(with_new.contains(&next), "{name}");
    assert_eq!(with_new.len(), regular.len() + 1, "{name}");
    Ok(())
}

/// Runs the check with the page size that the record names.
fn check_of_any_size(name: &str, path: &Path, recorded: &Value, backing: Backing) -> TestResult {
    match recorded["page_size"].as_u64() {
        Some(1024) => check::<1024>(name, path, recorded, backing),
        Some(2048) => check::<2048>(name, path, recorded, backing),
        Some(4096) => check::<4096>(name, path, recorded, backing),
        Some(8192) => check::<8192>(name, path, recorded, backing),
        Some(16384) => check::<16384>(name, path, recorded, backing),
        Some(32768) => check::<32768>(name, path, recorded, backing),
        Some(65536) => check::<65536>(name, path, recorded, backing),
        other => Err(format!("{name}: pages of {other:?} bytes").into()),
    }
}

#[test]
fn every_published_file_opens_as_recorded_and_what_was_lost_is_said() -> TestResult {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let scratch = tempfile::tempdir()?;
    let mut files = 0;
    for entry in fs::read_dir(folder)? {
        let record = entry?.path();
        if record.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let name = record.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let recorded: Value = serde_json::from_slice(&fs::read(&record)?)?;
        for backing in [Backing::Mapped, Backing::Positioned] {
            let path = scratch.path().join(format!("{name}-{backing:?}"));
            let image = fs::read(record.with_extension("mpp"))?;
            assert_eq!(digest(&image), recorded["file_sha256"].as_str().unwrap(), "{name}");
            fs::write(&path, image)?;
            check_of_any_size(&name, &path, &recorded, backing)?;
        }
        files += 1;
    }
    assert_eq!(files, 19);
    Ok(())
}

#[test]
fn pages_of_another_size_are_refused_before_anything_else_is_looked_at() -> TestResult {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let scratch = tempfile::tempdir()?;
    let path = scratch.path().join("file");
    fs::copy(folder.join("mixed-4096.mpp"), &path)?;
    assert!(matches!(Pager::<1024>::open(&path), Err(MappedPageError::InvalidPageSize)));
    assert!(matches!(Pager::<65536>::open(&path), Err(MappedPageError::InvalidPageSize)));
    fs::copy(folder.join("fresh-1024.mpp"), &path)?;
    assert!(matches!(Pager::<8192>::open(&path), Err(MappedPageError::InvalidPageSize)));
    Ok(())
}
