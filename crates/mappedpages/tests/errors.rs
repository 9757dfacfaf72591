//! Every error of the crate, reached, and what each leaves behind.

mod support;

use std::error::Error as _;
use std::fs;

use mappedpages::{Backing, Durability, Format, MappedPageError, PageId, Pager, ProtectedPageId};
use support::{Case, P, assert_fails, in_all_cases, listed};

/// A file with content, closed.
fn filled(case: &Case) -> (PageId<P>, ProtectedPageId<P>) {
    let mut pager = case.create();
    let page = pager.alloc().unwrap();
    page.get_mut(&mut pager).unwrap().as_bytes_mut().fill(1);
    let protected = pager.alloc_protected().unwrap();
    let mut writer = protected.get_mut(&mut pager).unwrap();
    writer.page_mut().as_bytes_mut().fill(0x5a);
    writer.commit().unwrap();
    pager.close().unwrap();
    (page, protected)
}

fn open(case: &Case) -> Result<Pager<P>, MappedPageError> {
    case.builder().open(case.path())
}

/// Changes bytes of a closed file.
fn damage(case: &Case, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(case.path()).unwrap();
    change(&mut bytes);
    fs::write(case.path(), bytes).unwrap();
}

#[test]
fn a_file_that_is_not_there_is_io() {
    in_all_cases(|case| match open(case) {
        Err(MappedPageError::Io(error)) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
        other => panic!("{other:?}"),
    });
}

#[test]
fn another_page_size() {
    in_all_cases(|case| {
        filled(case);
        let builder = Pager::<4096>::builder().backing(case.backing);
        assert_fails!(builder.open(case.path()), MappedPageError::InvalidPageSize);
        let builder = Pager::<65536>::builder().backing(case.backing);
        assert_fails!(builder.open(case.path()), MappedPageError::InvalidPageSize);
        open(case).unwrap();
    });
}

#[test]
fn what_is_no_page_file() {
    for backing in [Backing::Mapped, Backing::Positioned] {
        for len in [0, 1, 19, 20, 511, 512, 1024, 4096, 70_000] {
            for byte in [0, b'M', 0xff] {
                let case = Case::new(Format::Two, backing);
                fs::write(case.path(), vec![byte; len]).unwrap();
                assert_fails!(open(&case), MappedPageError::CorruptSuperblock);
            }
        }
    }
}

#[test]
fn a_superblock_that_is_damaged() {
    in_all_cases(|case| {
        filled(case);
        damage(case, |bytes| bytes[4] ^= 0x40);
        assert_fails!(open(case), MappedPageError::CorruptSuperblock);
    });
}

#[test]
fn metadata_that_is_damaged() {
    in_all_cases(|case| {
        filled(case);
        damage(case, |bytes| bytes[P..3 * P].fill(0x77));
        assert_fails!(open(case), MappedPageError::CorruptMetadata);
    });
}

#[test]
fn a_directory_that_is_damaged_in_format_one() {
    let case = Case::new(Format::One, Backing::Mapped);
    filled(&case);
    let block = |bytes: &[u8], at: usize| {
        let number = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        usize::try_from(number).unwrap() * P
    };
    damage(&case, |bytes| {
        for at in [24, 32] {
            let start = block(bytes, at);
            bytes[start..start + P].fill(0x77);
        }
    });
    assert_fails!(open(&case), MappedPageError::CorruptProtectedDirectory);

    let case = Case::new(Format::One, Backing::Mapped);
    filled(&case);
    damage(&case, |bytes| bytes[20] = 0xff);
    assert_fails!(open(&case), MappedPageError::CorruptDirectoryIndex);
}

#[test]
fn protected_content_that_is_damaged() {
    in_all_cases(|case| {
        let (page, protected) = filled(case);
        // Every copy of the content: of the page that counts, one byte is wrong.
        damage(case, |bytes| {
            for chunk in bytes.chunks_mut(P) {
                if chunk == [0x5a; P] {
                    chunk[700] ^= 1;
                }
            }
        });
        let mut pager = open(case).unwrap();
        match protected.get(&pager) {
            Err(MappedPageError::CorruptPage { page: physical }) => {
                assert!((3..pager.page_count()).contains(&physical));
                assert_ne!(physical, page.0);
            }
            other => panic!("{other:?}"),
        }
        assert_fails!(protected.get_mut(&mut pager), MappedPageError::CorruptPage { .. });
        assert_eq!(page.get(&pager).unwrap().as_bytes(), [1; P], "the others are there");
        // It can be given up.
        pager.free_protected(protected).unwrap();
        assert!(listed(&pager).1.is_empty());
    });
}

#[test]
fn a_file_cut_short() {
    in_all_cases(|case| {
        let mut pager = case.create();
        pager.alloc_bulk(100).unwrap();
        pager.close().unwrap();
        let whole = fs::metadata(case.path()).unwrap().len();
        damage(case, |bytes| bytes.truncate(5 * P + 100));
        match open(case) {
            Err(MappedPageError::CutShort { expected, len }) => {
                assert_eq!(len / P as u64, 5);
                assert!(expected <= whole && expected > len);
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_file_that_is_open() {
    in_all_cases(|case| {
        let pager = case.create();
        assert_fails!(open(case), MappedPageError::Locked);
        drop(pager);
        let pager = open(case).unwrap();
        assert_fails!(open(case), MappedPageError::Locked);
        pager.close().unwrap();
        open(case).unwrap();
    });
}

#[test]
fn ids_of_nothing() {
    in_all_cases(|case| {
        let mut pager = case.create();
        let id = pager.alloc().unwrap();
        assert_fails!(PageId(2).get(&pager), MappedPageError::ReservedPage);
        assert_fails!(PageId(u64::MAX).get(&pager), MappedPageError::OutOfBounds);
        pager.free(id).unwrap();
        assert_fails!(id.get(&pager), MappedPageError::Stale);
        assert_fails!(pager.free(id), MappedPageError::DoubleFree);
    });
}

#[test]
fn the_end_of_format_one() {
    let case = Case::new(Format::One, Backing::Mapped);
    let mut pager = case.create_with(Durability::Eventual);
    let taken = pager.alloc_bulk(4093).unwrap();
    assert_eq!((pager.page_count(), pager.free_page_count()), (4096, 0));
    assert_fails!(pager.alloc(), MappedPageError::Full);
    assert_fails!(pager.alloc_bulk(1), MappedPageError::Full);
    pager.free_bulk(taken).unwrap();
    pager.flush().unwrap();
    let mut protected = 0;
    let error = loop {
        match pager.alloc_protected_bulk(33) {
            Ok(ids) => protected += ids.len(),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, MappedPageError::DirectoryFull), "{error:?}");
    assert!(protected > 1800, "{protected}");
    let pager = case.reopen(pager);
    assert_eq!(listed(&pager).1.len(), protected);
}

#[test]
fn what_format_one_cannot_do() {
    let case = Case::new(Format::One, Backing::Mapped);
    let mut pager = case.create();
    let page = pager.alloc().unwrap();
    let mut transaction = pager.transaction().unwrap();
    let error = transaction.page_mut(page).unwrap_err();
    assert!(matches!(error, MappedPageError::Unsupported { .. }), "{error:?}");
    assert!(error.to_string().starts_with("format 1 cannot "), "{error}");
}

#[test]
fn errors_are_sentences_and_keep_their_source() {
    let error = MappedPageError::from(std::io::Error::other("the reason"));
    assert_eq!(error.source().unwrap().to_string(), "the reason");
    assert!(!error.to_string().contains("the reason"));
    for error in [
        error,
        MappedPageError::CorruptPage { page: 7 },
        MappedPageError::CutShort { expected: 2, len: 1 },
        MappedPageError::Unavailable,
    ] {
        let text = error.to_string();
        assert!(text.starts_with(char::is_lowercase) && !text.ends_with('.'), "{text}");
    }
    fn is_shareable<T: Send + Sync + 'static>() {}
    is_shareable::<MappedPageError>();
    is_shareable::<Pager<P>>();
    is_shareable::<mappedpages::SharedPager<P>>();
}
