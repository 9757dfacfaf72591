//! Readers: what they see of a file, that it stays as it is, and what they refuse.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mappedpages::{
    Format, MappedPageError, Medium, MemoryMedium, PageBuffer, PageId, Pager, ProtectedPageId,
    ReadOnlyPager,
};
use support::medium::Watched;
use support::{P, in_all_cases};

type Pages = BTreeMap<u64, Vec<u8>>;

/// Everything that a pager shows.
fn shown(pager: &Pager<P>) -> (Pages, Pages) {
    let bytes = |page: &mappedpages::MappedPage| page.as_bytes().to_vec();
    let regular = pager.iter_allocated_pages();
    let regular = regular.map(|id| (id.0, bytes(id.get(pager).unwrap()))).collect();
    let protected = pager.iter_allocated_protected_pages();
    let protected = protected.map(|id| (id.0, bytes(id.get(pager).unwrap()))).collect();
    (regular, protected)
}

/// Everything that a reader shows, or that it cannot any more.
fn read(reader: &ReadOnlyPager<P>) -> Result<(Pages, Pages), MappedPageError> {
    let (mut regular, mut protected) = (Pages::new(), Pages::new());
    for id in reader.iter_allocated_pages() {
        let id = id?;
        regular.insert(id.0, reader.get_page(id)?.as_bytes().to_vec());
    }
    for id in reader.iter_allocated_protected_pages() {
        let id = id?;
        protected.insert(id.0, reader.get_protected_page(id)?.as_bytes().to_vec());
    }
    Ok((regular, protected))
}

/// Random numbers that a seed repeats.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
fn a_reader_shows_what_the_writer_committed() {
    in_all_cases(|case| {
        let mut random = Random(0x1234_5678_9abc_def1);
        let mut pager = case.create();
        let mut reader = Pager::<P>::open_read_only(case.path()).unwrap();
        assert_eq!(reader.format(), case.format);
        let (mut regular, mut protected) = (Vec::new(), Vec::new());
        for step in 0..150_u64 {
            match random.below(6) {
                0 => regular.extend(pager.alloc_bulk(1 + random.below(20) as usize).unwrap()),
                1 => protected.push(pager.alloc_protected().unwrap()),
                2 if !regular.is_empty() => {
                    let id = regular.swap_remove(random.below(regular.len() as u64) as usize);
                    pager.free(id).unwrap();
                }
                3 if !protected.is_empty() => {
                    let id = protected.swap_remove(random.below(protected.len() as u64) as usize);
                    pager.free_protected(id).unwrap();
                    assert!(matches!(id.get(&pager), Err(MappedPageError::Stale)));
                }
                4 if !regular.is_empty() => {
                    let id = regular[random.below(regular.len() as u64) as usize];
                    id.get_mut(&mut pager).unwrap().as_bytes_mut().fill(step as u8);
                    pager.flush().unwrap();
                }
                5 if !protected.is_empty() => {
                    let id = protected[random.below(protected.len() as u64) as usize];
                    let mut writer = id.get_mut(&mut pager).unwrap();
                    writer.page_mut().as_bytes_mut()[..8].copy_from_slice(&step.to_le_bytes());
                    writer.commit().unwrap();
                }
                _ => continue,
            }
            if random.below(3) == 0 {
                reader.refresh().unwrap();
                assert_eq!(read(&reader).unwrap(), shown(&pager), "step {step}");
                assert_eq!(reader.page_count(), pager.page_count());
                assert_eq!(reader.free_page_count(), pager.free_page_count());
                assert_eq!(reader.generation(), pager.generation());
                assert!(!reader.refresh().unwrap());
            }
        }
        let before = shown(&pager);
        pager.close().unwrap();
        assert_eq!(read(&ReadOnlyPager::open(case.path()).unwrap()).unwrap(), before);
    });
}

#[test]
fn a_reader_refuses_what_is_no_page_of_its_state() {
    in_all_cases(|case| {
        let mut pager = case.create();
        let pages = pager.alloc_bulk(3).unwrap();
        let protected = pager.alloc_protected().unwrap();
        let gone = pager.alloc_protected().unwrap();
        pager.free(pages[1]).unwrap();
        pager.free_protected(gone).unwrap();
        let reader = ReadOnlyPager::<P>::open(case.path()).unwrap();
        for page in 0..3 {
            let refused = reader.get_page(PageId(page));
            assert!(matches!(refused, Err(MappedPageError::ReservedPage)), "{refused:?}");
        }
        for page in [pager.page_count(), u64::MAX] {
            let refused = reader.get_page(PageId(page));
            assert!(matches!(refused, Err(MappedPageError::OutOfBounds)), "{refused:?}");
        }
        assert!(matches!(reader.get_page(pages[1]), Err(MappedPageError::Stale)));
        assert!(matches!(reader.get_protected_page(gone), Err(MappedPageError::Stale)));
        let never = reader.get_protected_page(ProtectedPageId(1 << 39));
        let same = ProtectedPageId::<P>(1 << 39).get(&pager).map(|_| ()).unwrap_err();
        assert_eq!(format!("{:?}", never.unwrap_err()), format!("{same:?}"));
        let internal = (3..pager.page_count()).map(PageId).filter(|id| !pages.contains(id));
        for id in internal {
            let refused = reader.get_page(id).unwrap_err();
            let same = id.get(&pager).map(|_| ()).unwrap_err();
            assert_eq!(format!("{refused:?}"), format!("{same:?}"));
        }
        let mut buffer = PageBuffer::new();
        reader.get_protected_page_into(protected, &mut buffer).unwrap();
        assert_eq!(buffer.as_bytes(), [0; P]);
    });
}

#[test]
fn what_a_reader_holds_does_not_change_under_it() {
    in_all_cases(|case| {
        let mut pager = case.create();
        let page = pager.alloc().unwrap();
        let id = pager.alloc_protected().unwrap();
        let mut reader = ReadOnlyPager::<P>::open(case.path()).unwrap();
        let held = (reader.get_page(page).unwrap(), reader.get_protected_page(id).unwrap());
        let copy = held.clone();
        for step in 1..5 {
            page.get_mut(&mut pager).unwrap().as_bytes_mut().fill(step);
            let mut writer = id.get_mut(&mut pager).unwrap();
            writer.page_mut().as_bytes_mut().fill(step);
            writer.commit().unwrap();
        }
        assert_eq!(held, copy);
        reader.refresh().unwrap();
        assert_eq!(reader.get_protected_page(id).unwrap().as_bytes(), [4; P]);
        assert_eq!(reader.get_page(page).unwrap().as_bytes(), [4; P]);
    });
}

#[test]
fn a_state_that_the_writer_left_behind_is_stale_and_a_refresh_helps() {
    in_all_cases(|case| {
        let mut pager = case.create();
        let pages = pager.alloc_bulk(10).unwrap();
        let id = pager.alloc_protected().unwrap();
        let mut reader = ReadOnlyPager::<P>::open(case.path()).unwrap();
        reader.get_page(pages[3]).unwrap();
        pager.free(pages[3]).unwrap();
        let again = pager.alloc().unwrap();
        assert_eq!(again, pages[3]);
        for step in 0..4 {
            let mut writer = id.get_mut(&mut pager).unwrap();
            writer.page_mut().as_bytes_mut().fill(step);
            writer.commit().unwrap();
        }
        assert!(matches!(reader.get_page(pages[3]), Err(MappedPageError::Stale)));
        assert!(reader.refresh().unwrap());
        assert_eq!(reader.get_page(pages[3]).unwrap().as_bytes(), [0; P]);
        assert_eq!(reader.get_protected_page(id).unwrap().as_bytes(), [3; P]);
    });
}

#[test]
fn a_reader_neither_writes_nor_locks() {
    for format in [Format::One, Format::Two] {
        let medium = Watched::new();
        let shared = Arc::clone(&medium) as Arc<dyn Medium>;
        let builder = Pager::<P>::builder().format(format);
        let mut pager = builder.create_on(Arc::clone(&shared)).unwrap();
        pager.alloc_bulk(9).unwrap();
        let id = pager.alloc_protected().unwrap();
        let (writes, syncs, bytes) = (medium.writes(), medium.syncs(), medium.bytes());
        let mut reader = ReadOnlyPager::<P>::open_on(shared).unwrap();
        reader.refresh().unwrap();
        read(&reader).unwrap();
        reader.get_protected_page(id).unwrap();
        assert!(reader.check().unwrap().is_clean());
        assert_eq!((medium.writes(), medium.syncs()), (writes, syncs));
        assert!(medium.bytes() == bytes);
    }
    in_all_cases(|case| {
        let mut pager = case.create();
        let id = pager.alloc().unwrap();
        pager.close().unwrap();
        let reader = ReadOnlyPager::<P>::open(case.path()).unwrap();
        let mut writer = case.open();
        let second = ReadOnlyPager::<P>::open(case.path()).unwrap();
        reader.get_page(id).unwrap();
        second.get_page(id).unwrap();
        writer.alloc().unwrap();
    });
}

#[test]
fn a_damaged_protected_page_is_never_shown() {
    for format in [Format::One, Format::Two] {
        let medium = Arc::new(MemoryMedium::new());
        let shared = Arc::clone(&medium) as Arc<dyn Medium>;
        let mut pager = Pager::<P>::builder().format(format).create_on(shared).unwrap();
        let id = pager.alloc_protected().unwrap();
        let mut writer = id.get_mut(&mut pager).unwrap();
        writer.page_mut().as_bytes_mut().fill(0x5a);
        writer.commit().unwrap();
        pager.close().unwrap();
        let bytes = medium.to_vec();
        let page = bytes.chunks(P).position(|page| page == [0x5a; P]).unwrap();
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[page * P + 77 * (bit + 1)] ^= 1 << bit;
            let reader =
                ReadOnlyPager::<P>::open_on(Arc::new(MemoryMedium::from(damaged))).unwrap();
            match reader.get_protected_page(id) {
                Err(MappedPageError::CorruptPage { page: named }) => assert_eq!(named, page as u64),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_file_that_was_replaced_is_opened_anew() {
    in_all_cases(|case| {
        let mut pager = case.create();
        let first = pager.alloc_protected().unwrap();
        pager.close().unwrap();
        let mut reader = ReadOnlyPager::<P>::open(case.path()).unwrap();
        reader.get_protected_page(first).unwrap();
        let beside = case.path().with_extension("new");
        let mut other = Pager::<P>::create(&beside).unwrap();
        let ids = other.alloc_protected_bulk(2).unwrap();
        other.close().unwrap();
        std::fs::rename(&beside, case.path()).unwrap();
        assert!(reader.refresh().unwrap());
        assert_eq!(reader.format(), Format::Two);
        assert_eq!(reader.get_protected_page(ids[1]).unwrap().as_bytes(), [0; P]);
    });
}

/// What is shown of a file with pages of `N` bytes, and the error instead.
fn read_and_opened<const N: usize>(bytes: &[u8]) -> [Result<Vec<Vec<u8>>, String>; 2] {
    let medium = || Arc::new(MemoryMedium::from(bytes.to_vec())) as Arc<dyn Medium>;
    let told = |error: MappedPageError| format!("{error:?}");
    let read = || {
        let reader = ReadOnlyPager::<N>::open_on(medium())?;
        let (mut pages, mut contents) = (Vec::new(), Vec::new());
        for id in reader.iter_allocated_pages() {
            let id = id?;
            pages.push(id.0);
            contents.push(reader.get_page(id)?.as_bytes().to_vec());
        }
        for id in reader.iter_allocated_protected_pages() {
            let id = id?;
            pages.push(id.0);
            // Damaged content is an error of its page alone.
            let content = reader.get_protected_page(id);
            contents.push(
                content.map_or_else(|error| told(error).into(), |page| page.as_bytes().into()),
            );
        }
        contents.push(pages.iter().flat_map(|page| page.to_le_bytes()).collect());
        contents.push(format!("{} {}", reader.page_count(), reader.free_page_count()).into());
        Ok(contents)
    };
    let opened = || {
        let pager = Pager::<N>::builder().open_on(medium()).map_err(told)?;
        let (mut pages, mut contents) = (Vec::new(), Vec::new());
        let mut regular = pager.iter_allocated_pages();
        for id in regular.by_ref() {
            pages.push(id.0);
            contents.push(id.get(&pager).map_err(told)?.as_bytes().to_vec());
        }
        let mut protected = pager.iter_allocated_protected_pages();
        for id in protected.by_ref() {
            pages.push(id.0);
            let content = id.get(&pager);
            contents.push(
                content.map_or_else(|error| told(error).into(), |page| page.as_bytes().into()),
            );
        }
        if let Some(error) = regular.error().or(protected.error()) {
            return Err(format!("{error:?}"));
        }
        contents.push(pages.iter().flat_map(|page| page.to_le_bytes()).collect());
        contents.push(format!("{} {}", pager.page_count(), pager.free_page_count()).into());
        Ok(contents)
    };
    [read().map_err(told), opened()]
}

#[test]
fn published_files_read_as_they_open() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut files = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "mpp") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let [read, opened] = read_and_opened::<1024>(&bytes);
        assert_eq!(read, opened, "{}", path.display());
        let [read, opened] = read_and_opened::<4096>(&bytes);
        assert_eq!(read, opened, "{}", path.display());
        files += 1;
    }
    assert!(files >= 18, "{files}");
}

/// Every bit of a small file: a reader shows what an open for writing would show, or an error.
#[test]
fn a_flipped_bit_is_met_as_by_an_open_for_writing() {
    for format in [Format::One, Format::Two] {
        let medium = Arc::new(MemoryMedium::new());
        let shared = Arc::clone(&medium) as Arc<dyn Medium>;
        let mut pager = Pager::<P>::builder().format(format).create_on(shared).unwrap();
        pager.alloc_bulk(2).unwrap();
        let id = pager.alloc_protected().unwrap();
        let mut writer = id.get_mut(&mut pager).unwrap();
        writer.page_mut().as_bytes_mut().fill(3);
        writer.commit().unwrap();
        pager.close().unwrap();
        let sound = medium.to_vec();
        // The head of each page, where all numbers are, and a part of what follows.
        let bits = (0..sound.len() * 8).filter(|bit| bit / 8 % P < 64 || bit % 401 == 0);
        for bit in bits {
            let mut bytes = sound.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let [read, opened] = read_and_opened::<P>(&bytes);
            let same = read == opened;
            assert!(same, "{format:?}, bit {bit}: {:?}, {:?}", read.err(), opened.err());
        }
    }
}
