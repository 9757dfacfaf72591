//! Files with wrong bytes: an error or a state, never a panic, never a page with two owners.

use super::harness::{Random, Recorder, Session, State};
use crate::engine::{Content, Engine};
use crate::error::MappedPageError;
use crate::format1::directory;
use crate::format1::field;
use crate::format1::metadata::{Metadata, checksum_of};
use crate::format1::page_zero::{self, Superblock};

/// A small file with everything in it: two blocks, writes, freed pages of both kinds.
fn sample() -> (Vec<u8>, State) {
    let medium = Recorder::over(Vec::new());
    let mut session = Session::<1024>::create(medium.clone());
    let mut ids = Vec::new();
    let mut pages = Vec::new();
    session
        .commit(|s| {
            s.engine.alloc_bulk(&mut s.pages, 5, Content::Zeroed, &mut pages)?;
            s.engine.alloc_protected_bulk(&mut s.pages, 35, &mut ids)
        })
        .unwrap();
    for (fill, id) in ids.iter().enumerate() {
        session.write_protected(*id, fill as u8).unwrap();
    }
    session
        .commit(|s| {
            s.engine.free(&mut s.pages, pages[2])?;
            s.engine.free_protected(&mut s.pages, ids[7])
        })
        .unwrap();
    (medium.image(), session.state().unwrap())
}

/// Opens and uses a file as far as it lets itself be used.
fn use_all(image: Vec<u8>) -> Result<(), MappedPageError> {
    let mut session = Session::<1024>::open_image(image)?;
    let mut from = 0;
    let mut ids = Vec::new();
    while let Some(id) = session.engine.next_protected(&session.pages, from)? {
        ids.push(id);
        from = crate::protected::parts_of(id).0 + 1;
    }
    for id in &ids {
        let _ = session.engine.protected(&session.pages, *id);
    }
    session.commit(|s| {
        s.engine.alloc_bulk(&mut s.pages, 20, Content::Zeroed, &mut Vec::new())?;
        s.engine.alloc_protected(&mut s.pages)
    })?;
    if let Some(id) = ids.first() {
        session.commit(|s| s.engine.free_protected(&mut s.pages, *id))?;
    }
    Ok(())
}

#[test]
fn no_byte_of_the_stored_pages_makes_a_panic() {
    let (image, _) = sample();
    for seed in 0..6000 {
        let mut random = Random(seed);
        let mut damaged = image.clone();
        for _ in 0..1 + random.below(4) {
            // Pages 0 to 2 and the blocks of the directory, mostly.
            let page = [0, 0, 1, 2, 8, 9, random.below(128)][random.below(7) as usize];
            let at = (page * 1024 + random.below(1024)) as usize;
            damaged[at] = random.next() as u8;
        }
        let _ = use_all(damaged);
    }
}

/// Damage with right checksums: what a mistaken or hostile writer makes.
#[test]
fn no_number_behind_a_right_checksum_makes_a_panic() {
    let (image, _) = sample();
    for seed in 0..6000 {
        let mut random = Random(seed);
        let mut forged = image.clone();
        for _ in 0..1 + random.below(3) {
            let page = [0, 1, 2, 8, 9, 10, 11][random.below(7) as usize] * 1024;
            let at =
                page + [random.below(40), random.below(1020)][random.below(2) as usize] as usize;
            let numbers = [0, 1, 2, 3, 7, 8, 9, 255, random.next() as u8];
            forged[at] = numbers[random.below(9) as usize];
        }
        for page in [1, 2, 8, 9] {
            let page = &mut forged[page * 1024..][..1024];
            let checksum = crc32fast::hash(&page[..1020]);
            page[1020..].copy_from_slice(&checksum.to_le_bytes());
        }
        page_zero::store_index_checksum(&mut forged[..1024]);
        let _ = use_all(forged);
    }
}

#[test]
fn any_short_file_is_refused() {
    let (image, _) = sample();
    for len in [0, 1, 19, 20, 511, 1023, 1024, 3000, 4095, 4096, 127 * 1024, 128 * 1024 - 1] {
        let refused = Session::<1024>::open_image(image[..len].to_vec());
        match refused.map(|_| ()) {
            Err(MappedPageError::CorruptSuperblock) => assert!(len < 4096),
            Err(MappedPageError::CutShort { expected, len: there }) => {
                assert_eq!((expected, there), (128 * 1024, len as u64 / 1024 * 1024));
            }
            other => panic!("{len}: {other:?}"),
        }
    }
}

/// Every bit of what is stored about pages, and of protected contents: what is lost is said.
#[test]
fn a_flipped_bit_is_never_a_silent_return_to_another_state() {
    let (image, state) = sample();
    let session = Session::<1024>::open_image(image.clone()).unwrap();
    let blocks = session.engine.blocks.iter().flat_map(|block| block.reference.pages);
    let contents = session.engine.blocks[0].entries[0].pages;
    for page in (0..3).chain(blocks).chain(contents) {
        for byte in 0..1024_usize {
            let at = page as usize * 1024 + byte;
            // All bits of page 0, of which the first have no checksum of their own; elsewhere one a byte.
            let bits = if page == 0 { 0..8 } else { at % 8..at % 8 + 1 };
            for bit in bits {
                let mut damaged = image.clone();
                damaged[at] ^= 1 << bit;
                let Ok(session) = Session::<1024>::open_image(damaged) else { continue };
                let said = session.recovery.unclean || session.recovery.repaired;
                match session.state() {
                    Err(MappedPageError::CorruptPage { .. }) => {}
                    Err(error) => panic!("byte {at}: {error}"),
                    Ok(now) if now == state => {}
                    Ok(_) => assert!(said, "byte {at} changes what is there and nothing says so"),
                }
            }
        }
    }
}

#[test]
fn a_page_with_two_owners_is_refused() {
    let (image, _) = sample();
    let entries = directory::decode(&image[8 * 1024..9 * 1024])
        .or_else(|| directory::decode(&image[9 * 1024..10 * 1024]))
        .unwrap();
    let block = |change: &dyn Fn(&mut Vec<directory::Entry>)| {
        let mut image = image.clone();
        let mut entries = entries.clone();
        change(&mut entries);
        let page = directory::encode(&entries, 1024);
        image[8 * 1024..9 * 1024].copy_from_slice(&page);
        image[9 * 1024..10 * 1024].copy_from_slice(&page);
        Session::<1024>::open_image(image).map(|_| ())
    };
    block(&|_| {}).unwrap();
    for pages in [[0, 20], [1, 20], [8, 20], [128, 20], [u64::MAX, 20], [20, 20]] {
        let refused = block(&|entries| entries[3].pages = pages);
        assert!(matches!(refused, Err(MappedPageError::CorruptProtectedDirectory)), "{pages:?}");
    }
    let shared = entries[4].pages[1];
    let refused = block(&|entries| entries[3].pages[0] = shared);
    assert!(matches!(refused, Err(MappedPageError::CorruptProtectedDirectory)));
}

/// The bitmap went back by a commit and the directory did not: its pages are not handed out.
#[test]
fn pages_of_the_directory_that_the_bitmap_lost_are_kept() {
    let medium = Recorder::over(Vec::new());
    let mut session = Session::<1024>::create(medium.clone());
    session.alloc_protected();
    session.write_protected(0, 3).unwrap();
    session.commit(|s| s.engine.alloc_protected_bulk(&mut s.pages, 20, &mut Vec::new())).unwrap();
    let state = session.state().unwrap();
    let mut image = medium.image();
    let superblock = Superblock::decode(&image, 1024).unwrap();
    let page = crate::format1::commit::metadata_page(superblock.active) as usize * 1024;
    image[page + 30] ^= 1;
    let mut session = Session::<1024>::open_image(image).unwrap();
    assert!(session.recovery.rolled_back.is_some());
    assert_eq!(session.state().unwrap(), state);
    let new = session.commit(|s| s.engine.alloc(&mut s.pages, Content::Zeroed)).unwrap();
    assert!(!state.regular.contains_key(&new));
    session.write_protected(0, 4).unwrap();
    assert_eq!(session.engine.protected(&session.pages, 0).unwrap(), [4; 1024]);
}

#[test]
fn the_checksum_of_a_metadata_page_is_the_same_for_all() {
    for page_len in [1024, 4096] {
        assert_eq!(checksum_of(&Metadata::new().encode(page_len)), 0x2144_df1c);
    }
    let mut page = vec![1, 2, 3];
    field::seal(&mut page, 1024);
    assert_eq!(checksum_of(&page), 0x2144_df1c);
}
