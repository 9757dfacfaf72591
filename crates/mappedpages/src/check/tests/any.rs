//! Files without problems, and files with any.

use std::sync::Arc;

use super::{Image, P, REGULAR, checked, sample, seal_page};
use crate::check::check_on;
use crate::format2::fields::crc_of;
use crate::format2::layout::{SEAL_OFFSET, SECTOR_LEN, record_page};
use crate::format2::record::Record;
use crate::format2::seal::Seal;
use crate::{Format, Medium, MemoryMedium, PageId, ProtectedPageId, ReadOnlyPager};

#[test]
fn a_sound_file_is_clean_and_its_figures_are_right() {
    for format in [Format::One, Format::Two] {
        let report = checked(sample(format));
        assert!(report.is_clean(), "{report}");
        assert!(!report.needs_recovery);
        assert_eq!(report.format, Some(format));
        let figures = report.figures;
        assert_eq!((figures.pages_regular, figures.protected), (REGULAR, 4));
        let all = figures.pages_free + figures.pages_regular + figures.pages_internal;
        assert_eq!(all, figures.pages);
        assert_eq!(figures.nodes, 1);
        // Reserved pages, pairs of protected pages, and a pair for their directory.
        assert_eq!(figures.pages_internal, 3 + 8 + 2);
        assert!(report.to_string().ends_with("clean"));
    }
}

/// Random numbers that a seed repeats.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

#[test]
fn no_content_makes_a_check_panic() {
    for format in [Format::One, Format::Two] {
        let sound = sample(format);
        for seed in 1..1500_u64 {
            let mut random = Random(seed * 0x9e37_79b9);
            let mut bytes = sound.clone();
            for _ in 0..1 + random.below(4) {
                let len = 1 + random.below(16);
                let at = random.below(bytes.len() - len);
                bytes[at..at + len].fill_with(|| random.below(256) as u8);
            }
            // Right checksums let what they cover come through to what reads it.
            let mut image = Image(bytes);
            if format == Format::Two && Seal::decode(&image.0[SEAL_OFFSET as usize..]).is_some() {
                fix(&mut image, &mut random);
            } else {
                for page in 1..image.0.len() / P {
                    seal_page(&mut image.0[page * P..][..P]);
                }
            }
            let medium = Arc::new(MemoryMedium::from(image.0)) as Arc<dyn Medium>;
            let _report = check_on::<P>(Arc::clone(&medium));
            if let Ok(reader) = ReadOnlyPager::<P>::open_on(medium) {
                for id in reader.iter_allocated_pages().flatten().take(100) {
                    let _page = reader.get_page(id);
                }
                for id in reader.iter_allocated_protected_pages().flatten().take(100) {
                    let _page = reader.get_protected_page(id);
                }
                let _page = reader.get_page(PageId(seed));
                let _page = reader.get_protected_page(ProtectedPageId(seed));
            }
        }
    }
}

/// Damages a record, a leaf and a list, and makes all checksums right.
fn fix(image: &mut Image, random: &mut Random) {
    let page = record_page(image.seal().generation);
    let sector = image.page(page);
    let at = random.below(SECTOR_LEN - 4);
    if random.below(2) == 0 {
        sector[at] ^= 1 << random.below(8);
    }
    let map_crc = crc_of(&sector[SECTOR_LEN..]);
    sector[28..32].copy_from_slice(&map_crc.to_le_bytes());
    let crc = crc_of(&sector[..SECTOR_LEN - 4]);
    sector[SECTOR_LEN - 4..SECTOR_LEN].copy_from_slice(&crc.to_le_bytes());
    let Some(record) = Record::decode(image.page(page), P) else { return };
    for reference in [record.directory.reference.page(), record.journal.first] {
        if reference == 0 || reference >= image.0.len() as u64 / P as u64 {
            return;
        }
        let node = image.page(reference);
        for _ in 0..random.below(3) {
            node[32 + random.below(120)] ^= 1 << random.below(8);
        }
    }
    let leaf = record.directory.reference.page();
    let (leaf_crc, list_crc) =
        (crc_of(image.page(leaf)), crc_of(image.page(record.journal.first.max(1))));
    image.change_record(|record| {
        record.directory.reference.crc = leaf_crc;
        record.journal.crc = list_crc;
    });
    let seal = image.seal();
    image.set_seal(Seal { applied: seal.generation.saturating_sub(2), ..seal });
}
