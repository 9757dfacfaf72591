//! A sparse disk that remembers what a power cut would leave.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Mutex;

use crate::medium::Medium;

const SECTOR: u64 = 512;

type Sectors = HashMap<u64, [u8; SECTOR as usize]>;

/// Numbers that look random and can be had again.
#[derive(Debug, Clone)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(super) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

#[derive(Debug, Default, Clone)]
struct Inner {
    now: Sectors,
    len: u64,
    durable: Sectors,
    durable_len: u64,
    /// What was written to each sector since the last sync, in order.
    unsynced: BTreeMap<u64, Vec<[u8; SECTOR as usize]>>,
    /// The lowest sector that was cut away since the last sync.
    cut: Option<u64>,
    reads: u64,
    syncs: u64,
    sectors_written: u64,
    /// Bytes that may be had.
    room: u64,
    /// Syncs until they fail.
    syncs_left: u64,
}

#[derive(Debug)]
pub(super) struct Disk(Mutex<Inner>);

impl Default for Disk {
    fn default() -> Self {
        Self(Mutex::new(Inner { room: u64::MAX, syncs_left: u64::MAX, ..Inner::default() }))
    }
}

impl Disk {
    fn over(now: Sectors, len: u64) -> Self {
        let inner = Inner {
            durable: now.clone(),
            now,
            len,
            durable_len: len,
            room: u64::MAX,
            syncs_left: u64::MAX,
            ..Inner::default()
        };
        Self(Mutex::new(inner))
    }

    /// What a power cut leaves: each sector is as it was at the last sync, or has one of the contents
    /// written since; room that was new holds anything.
    pub(super) fn power_cut(&self, random: &mut Random) -> Self {
        let inner = self.0.lock().unwrap();
        let mut sectors = inner.durable.clone();
        let len = if random.one_in(2) { inner.len } else { inner.durable_len };
        if inner.len > inner.durable_len {
            for sector in inner.durable_len / SECTOR..(inner.durable_len + 65536).min(len) / SECTOR
            {
                sectors.insert(sector, [0xEE; SECTOR as usize]);
            }
        }
        // Mostly all or nothing, or all but little, or little.
        let mood = random.below(6);
        for (&sector, contents) in &inner.unsynced {
            let keeps = match mood {
                0 => false,
                1 => true,
                2 => !random.one_in(8),
                3 => random.one_in(8),
                _ => random.one_in(2),
            };
            if keeps {
                let at = if random.one_in(2) {
                    contents.len() - 1
                } else {
                    random.below(contents.len() as u64) as usize
                };
                sectors.insert(sector, contents[at]);
            }
        }
        sectors.retain(|&sector, _| sector < len / SECTOR);
        Self::over(sectors, len)
    }

    /// What the end of the process leaves.
    pub(super) fn kill(&self) -> Self {
        let inner = self.0.lock().unwrap();
        Self(Mutex::new(inner.clone()))
    }

    pub(super) fn reads(&self) -> u64 {
        self.0.lock().unwrap().reads
    }

    pub(super) fn syncs(&self) -> u64 {
        self.0.lock().unwrap().syncs
    }

    pub(super) fn sectors_written(&self) -> u64 {
        self.0.lock().unwrap().sectors_written
    }

    /// Lets so many syncs succeed.
    pub(super) fn set_syncs_left(&self, syncs: u64) {
        self.0.lock().unwrap().syncs_left = syncs;
    }

    pub(super) fn set_room(&self, room: u64) {
        self.0.lock().unwrap().room = room;
    }

    pub(super) fn bytes(&self, offset: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.read_at(offset, &mut bytes).unwrap();
        bytes
    }

    /// Changes bytes behind everybody's back.
    pub(super) fn damage(&self, offset: u64, change: impl FnOnce(&mut u8)) {
        let mut byte = self.bytes(offset, 1);
        change(&mut byte[0]);
        self.write_at(offset, &byte).unwrap();
    }
}

impl Medium for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().len)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let mut inner = self.0.lock().unwrap();
        inner.reads += 1;
        if offset + into.len() as u64 > inner.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let end = offset + into.len() as u64;
        let mut at = offset;
        while at < end {
            let start = at / SECTOR * SECTOR;
            let stop = (start + SECTOR).min(end);
            let part = &mut into[(at - offset) as usize..(stop - offset) as usize];
            match inner.now.get(&(at / SECTOR)) {
                Some(content) => {
                    part.copy_from_slice(&content[(at - start) as usize..(stop - start) as usize]);
                }
                None => part.fill(0),
            }
            at = stop;
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.0.lock().unwrap();
        let end = offset + bytes.len() as u64;
        assert!(end <= inner.len, "a write past the end");
        let mut at = offset;
        while at < end {
            let sector = at / SECTOR;
            let stop = ((sector + 1) * SECTOR).min(end);
            let content = inner.now.entry(sector).or_insert([0; SECTOR as usize]);
            content[(at - sector * SECTOR) as usize..(stop - sector * SECTOR) as usize]
                .copy_from_slice(&bytes[(at - offset) as usize..(stop - offset) as usize]);
            let content = *content;
            inner.sectors_written += 1;
            inner.unsynced.entry(sector).or_default().push(content);
            at = stop;
        }
        Ok(())
    }

    fn grow(&self, len: u64) -> io::Result<()> {
        let mut inner = self.0.lock().unwrap();
        if len > inner.room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        inner.len = inner.len.max(len);
        Ok(())
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        let mut inner = self.0.lock().unwrap();
        if len < inner.len {
            inner.len = len;
            inner.cut = Some(inner.cut.unwrap_or(u64::MAX).min(len / SECTOR));
            inner.now.retain(|&sector, _| sector < len / SECTOR);
            inner.unsynced.retain(|&sector, _| sector < len / SECTOR);
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = self.0.lock().unwrap();
        inner.syncs += 1;
        if inner.syncs_left == 0 {
            return Err(io::Error::other("no more syncs"));
        }
        inner.syncs_left -= 1;
        inner.durable_len = inner.len;
        // What was cut away is gone, also where the file has grown over it again.
        if let Some(cut) = inner.cut.take() {
            inner.durable.retain(|&sector, _| sector < cut);
            let Inner { now, durable, .. } = &mut *inner;
            durable.extend(now.iter().filter(|&(&sector, _)| sector >= cut));
        }
        for (sector, contents) in std::mem::take(&mut inner.unsynced) {
            inner.durable.extend(contents.last().map(|&content| (sector, content)));
        }
        Ok(())
    }
}
