//! A damaged seal: nothing says any more whether what was stored directly came after the last commit, so an open
//! neither takes it back nor guesses.

use std::path::Path;

use mappedpages::{MappedPageError, PageId, Pager, ReadOnlyPager};

const P: usize = 1024;
/// A byte of the seal.
const SEAL_BYTE: usize = 600;

fn damage_seal(path: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[SEAL_BYTE] ^= 1;
    std::fs::write(path, &bytes).unwrap();
    bytes
}

fn assert_refused(path: &Path) {
    let bytes = damage_seal(path);
    let refused = ReadOnlyPager::<P>::open(path).unwrap_err();
    assert!(matches!(refused, MappedPageError::CorruptMetadata), "a reader: {refused:?}");
    let refused = Pager::<P>::open(path).unwrap_err();
    assert!(matches!(refused, MappedPageError::CorruptMetadata), "{refused:?}");
    assert!(std::fs::read(path).unwrap() == bytes, "an open that refuses writes nothing");
}

fn assert_shown(path: &Path, page: PageId<P>, byte: u8) {
    damage_seal(path);
    let reader = ReadOnlyPager::<P>::open(path).unwrap();
    assert_eq!(reader.get_page(page).unwrap().as_bytes(), [byte; P]);
    let pager = Pager::<P>::open(path).unwrap();
    assert_eq!(page.get(&pager).unwrap().as_bytes(), [byte; P]);
}

#[test]
fn stores_to_a_page_that_the_last_commit_gave_out_are_not_made_zeros() {
    let folder = tempfile::tempdir().unwrap();
    // In the map of the record, and in one of the tree.
    for pages in [1, 3000] {
        let path = folder.path().join(pages.to_string());
        let mut pager = Pager::<P>::create(&path).unwrap();
        let page = *pager.alloc_bulk(pages).unwrap().last().unwrap();
        page.get_mut(&mut pager).unwrap().as_bytes_mut()[P - 1] = 7;
        pager.close().unwrap();
        assert_refused(&path);
    }
}

#[test]
fn stores_over_the_content_of_a_transaction_are_not_replaced_by_it() {
    let folder = tempfile::tempdir().unwrap();
    // In the journal of the last commit, and in that of the one before.
    for commits_after in 0..2 {
        let path = folder.path().join(commits_after.to_string());
        let mut pager = Pager::<P>::create(&path).unwrap();
        let page = pager.alloc().unwrap();
        let root = pager.alloc_protected().unwrap();
        let mut transaction = pager.transaction().unwrap();
        transaction.page_mut(page).unwrap().as_bytes_mut().fill(1);
        transaction.commit().unwrap();
        for _ in 0..commits_after {
            root.get_mut(&mut pager).unwrap().commit().unwrap();
        }
        page.get_mut(&mut pager).unwrap().as_bytes_mut().fill(2);
        pager.close().unwrap();
        assert_refused(&path);
    }
}

#[test]
fn a_file_in_which_nothing_hangs_on_the_seal_opens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut pager = Pager::<P>::create(&path).unwrap();
    let page = pager.alloc().unwrap();
    pager.close().unwrap();
    assert_shown(&path, page, 0);

    let mut pager = Pager::<P>::open(&path).unwrap();
    for byte in 1..=2 {
        let mut transaction = pager.transaction().unwrap();
        transaction.page_mut(page).unwrap().as_bytes_mut().fill(byte);
        transaction.commit().unwrap();
    }
    pager.close().unwrap();
    assert_shown(&path, page, 2);
}
