//! Puts the checksums of a page file right, from what is deepest to what refers to it, as far as the file makes sense.

use super::PAGE_LEN;

/// Bytes that have a checksum in the last four.
const SECTOR_LEN: usize = 512;

/// References that are followed below each other at most.
const DEPTH_MAX: usize = 4;

/// References that are followed in all, at most: an edited file may refer to itself.
const STEPS_MAX: usize = 4000;

pub(super) fn all(file: &mut [u8]) {
    if file.starts_with(b"MPPG") {
        format_one(file);
    } else {
        let mut sealer = Sealer { file, steps: 0 };
        sealer.format_two();
    }
}

fn number(file: &[u8], at: usize) -> Option<u64> {
    file.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

fn small(file: &[u8], at: usize) -> Option<u32> {
    file.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// Stores the checksum of `covered` at `at`, where both are in the file.
fn store(file: &mut [u8], at: usize, covered: std::ops::Range<usize>) {
    let Some(crc) = file.get(covered).map(crc32fast::hash) else { return };
    if let Some(into) = file.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *into = crc.to_le_bytes();
    }
}

/// The first byte of a page, if the page is in the file.
fn start_of(file: &[u8], page: u64) -> Option<usize> {
    let start = usize::try_from(page).ok()?.checked_mul(PAGE_LEN)?;
    (start.checked_add(PAGE_LEN)? <= file.len()).then_some(start)
}

/// Metadata pages, directory pages, the checksum of the active metadata page and that of the index.
fn format_one(file: &mut [u8]) {
    let whole = |page: usize| page * PAGE_LEN..page * PAGE_LEN + PAGE_LEN - 4;
    let count = small(file, 20).unwrap_or(0).min(64) as usize;
    for at in (0..count).map(|block| 24 + 17 * block) {
        for page in [number(file, at), number(file, at + 8)].into_iter().flatten() {
            let Some(start) = start_of(file, page) else { continue };
            // 33 entries of 30 bytes, each with the checksum of the copy that counts.
            for entry in (0..33).map(|entry| start + 8 + 30 * entry) {
                let copy = if file[entry + 17] == 0 { entry + 1 } else { entry + 9 };
                let content = number(file, copy).and_then(|page| start_of(file, page));
                if let Some(content) = content.filter(|_| file[entry] == 1) {
                    store(file, entry + 26, content..content + PAGE_LEN);
                }
            }
            store(file, start + PAGE_LEN - 4, start..start + PAGE_LEN - 4);
        }
    }
    for page in [1, 2] {
        store(file, (page + 1) * PAGE_LEN - 4, whole(page));
    }
    store(file, PAGE_LEN - 4, 20..PAGE_LEN - 4);
}

struct Sealer<'a> {
    file: &'a mut [u8],
    steps: usize,
}

impl Sealer<'_> {
    /// Trees and journals, then the maps and the records of both commits, then seal and superblock.
    fn format_two(&mut self) {
        for record in [PAGE_LEN, 2 * PAGE_LEN] {
            for (root, level) in [(32, 96), (64, 97)] {
                let level = self.file.get(record + level).copied().unwrap_or(0);
                self.reference(record + root, level, DEPTH_MAX);
            }
            for journal in [104, 136] {
                let first = number(self.file, record + journal).unwrap_or(0);
                self.list(first, record + journal + 24, DEPTH_MAX);
            }
            store(self.file, record + 28, record + SECTOR_LEN..record + PAGE_LEN);
        }
        for sector in [0, SECTOR_LEN, PAGE_LEN, 2 * PAGE_LEN] {
            store(self.file, sector + SECTOR_LEN - 4, sector..sector + SECTOR_LEN - 4);
        }
    }

    fn may_go_on(&mut self, depth: usize) -> bool {
        self.steps += 1;
        depth > 0 && self.steps < STEPS_MAX
    }

    /// The node that the reference at `at` means, and the checksum in the reference.
    fn reference(&mut self, at: usize, level: u8, depth: usize) {
        if !self.may_go_on(depth) {
            return;
        }
        let copy = self.file.get(at + 28).copied().unwrap_or(0);
        let Some(first) = number(self.file, at).filter(|first| *first > 0) else { return };
        let page = first.checked_add(copy.into());
        let Some(start) = page.and_then(|page| start_of(self.file, page)) else { return };
        let body = start + 32;
        if level > 0 {
            for child in 0..(PAGE_LEN - 32) / 32 {
                self.reference(body + 32 * child, level - 1, depth - 1);
            }
        } else if self.file[start..].starts_with(b"MPD2") {
            (0..(PAGE_LEN - 32) / 24).for_each(|entry| self.entry(body + 24 * entry));
        }
        store(self.file, at + 24, start..start + PAGE_LEN);
    }

    /// The checksum of the content of a protected page, unless nothing was written there yet.
    fn entry(&mut self, at: usize) {
        let state = small(self.file, at + 20).unwrap_or(0);
        let is_written = state & 1 << 24 != 0 && state & 1 << 26 == 0;
        let page =
            number(self.file, at).and_then(|first| first.checked_add((state >> 25 & 1).into()));
        if let Some(start) = page.and_then(|page| start_of(self.file, page)).filter(|_| is_written)
        {
            store(self.file, at + 16, start..start + PAGE_LEN);
        }
    }

    /// The list of a journal from its page `first` on, and its checksum at `crc`.
    fn list(&mut self, first: u64, crc: usize, depth: usize) {
        if first == 0 || !self.may_go_on(depth) {
            return;
        }
        let Some(start) = start_of(self.file, first) else { return };
        let next = number(self.file, start + 16).unwrap_or(0);
        self.list(next, start + 24, depth - 1);
        let count = small(self.file, start + 4).unwrap_or(0).min(41) as usize;
        for at in (0..count).map(|entry| start + 32 + 24 * entry) {
            let page = number(self.file, at + 8)
                .filter(|page| *page > 0)
                .or_else(|| number(self.file, at));
            if let Some(content) = page.and_then(|page| start_of(self.file, page)) {
                store(self.file, at + 16, content..content + PAGE_LEN);
            }
        }
        store(self.file, crc, start..start + PAGE_LEN);
    }
}
