//! What a disk holds at one moment: named files as sectors that copies share.
//!
//! Sectors are shared by copies until one writes to them, so a copy costs a pointer a sector, and a
//! sector is hashed once for all images it is in.

use std::sync::{Arc, OnceLock};

use crate::hash::Hasher128;

/// Bytes that reach the medium together or not at all.
pub const SECTOR_LEN: usize = 512;

/// A sector's bytes, and their hash once somebody asked.
#[derive(Debug)]
struct Sector {
    bytes: [u8; SECTOR_LEN],
    hash: OnceLock<u128>,
}

impl Sector {
    const fn new(bytes: [u8; SECTOR_LEN]) -> Self {
        Self { bytes, hash: OnceLock::new() }
    }

    fn hash(&self) -> u128 {
        *self.hash.get_or_init(|| {
            if self.bytes == [0; SECTOR_LEN] {
                return 0;
            }
            let mut hasher = Hasher128::default();
            hasher.write(&self.bytes);
            hasher.finish()
        })
    }
}

impl Clone for Sector {
    /// A copy is made to be changed.
    fn clone(&self) -> Self {
        Self::new(self.bytes)
    }
}

/// A file. Sectors that are absent are zero.
#[derive(Clone, Debug, Default)]
pub(crate) struct File {
    pub(crate) exists: bool,
    pub(crate) len: u64,
    sectors: Vec<Option<Arc<Sector>>>,
}

impl File {
    /// Copies what is at `offset` into `buffer`; zeros where nothing is.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) {
        let mut done = 0;
        for (sector, from, count) in parts(offset, buffer.len()) {
            let part = &mut buffer[done..done + count];
            match self.sectors.get(sector) {
                Some(Some(bytes)) => part.copy_from_slice(&bytes.bytes[from..from + count]),
                _ => part.fill(0),
            }
            done += count;
        }
    }

    /// Puts `data` at `offset`, also past the end: it shows once the length says so.
    pub(crate) fn put(&mut self, offset: u64, data: &[u8]) {
        let mut done = 0;
        for (sector, from, count) in parts(offset, data.len()) {
            if sector >= self.sectors.len() {
                self.sectors.resize(sector + 1, None);
            }
            let part = &data[done..done + count];
            let slot = &mut self.sectors[sector];
            if let (Ok(whole), None) = (<&[u8; SECTOR_LEN]>::try_from(part), &slot) {
                *slot = Some(Arc::new(Sector::new(*whole)));
            } else {
                let shared = slot.get_or_insert_with(|| Arc::new(Sector::new([0; SECTOR_LEN])));
                let own = Arc::make_mut(shared);
                own.hash = OnceLock::new();
                own.bytes[from..from + count].copy_from_slice(part);
            }
            done += count;
        }
    }

    /// Drops whatever is at or past `len`.
    pub(crate) fn cut(&mut self, len: u64) {
        let sectors = len.div_ceil(SECTOR_LEN as u64) as usize;
        self.sectors.truncate(sectors);
        let rest = len as usize % SECTOR_LEN;
        if rest > 0
            && let Some(Some(last)) = self.sectors.get_mut(sectors - 1)
            && last.bytes[rest..].iter().any(|byte| *byte != 0)
        {
            let own = Arc::make_mut(last);
            own.hash = OnceLock::new();
            own.bytes[rest..].fill(0);
        }
    }

    /// The bytes of one sector.
    pub(crate) fn sector(&self, sector: usize) -> [u8; SECTOR_LEN] {
        let stored = self.sectors.get(sector).and_then(Option::as_ref);
        stored.map_or([0; SECTOR_LEN], |sector| sector.bytes)
    }

    /// Sectors that take room.
    pub(crate) fn sectors_stored(&self) -> usize {
        self.sectors.iter().flatten().count()
    }

    /// The first sector from `sector` on that takes room, and the first after it that does not.
    pub(crate) fn next_stored(&self, sector: usize) -> Option<std::ops::Range<usize>> {
        let stored = |at: &usize| self.sectors[*at].is_some();
        let start = (sector..self.sectors.len()).find(stored)?;
        let end = (start..self.sectors.len()).find(|at| !stored(at)).unwrap_or(self.sectors.len());
        Some(start..end)
    }

    fn digest(&self, hasher: &mut Hasher128) {
        hasher.write_u64(u64::from(self.exists));
        hasher.write_u64(self.len);
        // Zeros that are stored are the same as none.
        for (at, sector) in self.sectors.iter().enumerate() {
            let hash = sector.as_ref().map_or(0, |sector| sector.hash());
            if hash != 0 {
                hasher.write_u64(at as u64);
                hasher.write_u128(hash);
            }
        }
    }
}

/// What a disk holds. Copies are cheap.
#[derive(Clone, Debug, Default)]
pub struct Image {
    pub(crate) names: Arc<Vec<String>>,
    pub(crate) files: Vec<File>,
}

impl Image {
    /// The names of its files, those that were only looked for included.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What the file `name` holds, or `None` while there is none.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let at = self.names.iter().position(|known| known == name)?;
        let file = self.files.get(at).filter(|file| file.exists)?;
        let mut bytes = vec![0; file.len as usize];
        file.read(0, &mut bytes);
        Some(bytes)
    }

    /// A hash of everything in it: images with the same one are taken for the same.
    #[must_use]
    pub fn digest(&self) -> u128 {
        let mut hasher = Hasher128::default();
        for file in &self.files {
            file.digest(&mut hasher);
        }
        hasher.finish()
    }

    pub(crate) fn file(&self, at: usize) -> Option<&File> {
        self.files.get(at)
    }

    pub(crate) fn file_mut(&mut self, at: usize) -> &mut File {
        if at >= self.files.len() {
            self.files.resize_with(at + 1, File::default);
        }
        &mut self.files[at]
    }
}

/// The sectors that `len` bytes at `offset` touch: which one, where in it, and how many bytes.
pub(crate) fn parts(offset: u64, len: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let start = offset as usize;
    let end = start + len;
    let mut at = start;
    std::iter::from_fn(move || {
        let from = at % SECTOR_LEN;
        let count = (SECTOR_LEN - from).min(end - at);
        let sector = at / SECTOR_LEN;
        at += count;
        (count > 0).then_some((sector, from, count))
    })
}
