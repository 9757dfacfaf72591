//! Every image that a crash may leave.
//!
//! The window of a crash are the items that were not synced when it came: pieces of writes, one a sector; length
//! changes; names of new files. Any subset of them may be on the medium. Windows of at most
//! [`Plan::all_subsets_max`] items are searched whole. Of larger ones these subsets are taken: the prefixes, each
//! item kept alone, each lost alone, each pair kept alone and lost alone, and random ones. Of those, one half toss a coin
//! for each item and one half choose for each sector one of the contents it had, which is what a page cache does.
//!
//! There are `n * (n - 1) / 2` pairs; above [`Plan::pairs_max`] that many seeded ones are taken. Nothing else is
//! capped.
//!
//! Where a length is kept and bytes written there are not, the extent reads as zeros, and in a second image as garbage:
//! random bytes, what was written to some other sector before, or what the sector held before the file was cut, in
//! turns. A gap that nothing was written to has no extent, and is zeros.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::image::{Image, SECTOR_LEN};
use super::medium::{Change, Item, Op, apply_all};
use super::{Disk, Recording};
use crate::random::Random;

/// How widely windows are searched.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Chooses what is chosen.
    pub seed: u64,
    /// Items of a window of which all subsets are taken.
    pub all_subsets_max: usize,
    /// Prefixes, items kept and items lost that are taken of a larger window, each.
    pub singles_max: usize,
    /// Pairs that are taken of a larger window.
    pub pairs_max: usize,
    /// Random subsets that are taken of a larger window.
    pub random_subsets: usize,
    /// What lost extents of a file of that name hold besides zeros, if anything.
    pub garbage: fn(file: &str) -> &'static [Fill],
}

impl Plan {
    /// The whole search.
    #[must_use]
    pub const fn whole(seed: u64) -> Self {
        Self {
            seed,
            all_subsets_max: 10,
            singles_max: usize::MAX,
            pairs_max: 512,
            random_subsets: 64,
            garbage: every_garbage,
        }
    }

    /// A quick look, for crashes after crashes, of which there are many.
    #[must_use]
    pub const fn quick(seed: u64) -> Self {
        Self {
            seed,
            all_subsets_max: 3,
            singles_max: 6,
            pairs_max: 0,
            random_subsets: 6,
            garbage: every_garbage,
        }
    }
}

/// What is read where a length was kept and the bytes were not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fill {
    /// Zeros.
    Zeros,
    /// Random bytes.
    Random,
    /// Bytes that were written somewhere else before.
    Stale,
    /// The bytes that were there before the file was cut.
    Returned,
}

const fn every_garbage(_: &str) -> &'static [Fill] {
    &[Fill::Random, Fill::Stale, Fill::Returned]
}

/// One crash.
#[derive(Debug)]
pub struct Crash<'a> {
    /// Operations done before it.
    pub position: usize,
    /// By item of the window: whether it was kept.
    pub kept: &'a [bool],
    /// What lost extents hold.
    pub fill: Fill,
    /// What is on the medium.
    pub image: Image,
    window: &'a [Item],
}

impl Crash<'_> {
    /// What was kept and lost, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = format!("crash after {} operations, extents {:?}", self.position, self.fill);
        for (item, kept) in self.window.iter().zip(self.kept) {
            let name = self.image.names().get(item.file).map_or("?", String::as_str);
            let what = match &item.change {
                Change::Create => "name".to_owned(),
                Change::Grow(len) => format!("longer: {len}"),
                Change::Cut(len) => format!("shorter: {len}"),
                Change::Write { offset, bytes } => format!("{} bytes at {offset}", bytes.len()),
            };
            let fate = if *kept { "kept" } else { "lost" };
            text.push_str(&format!("\n    {fate} {name} {what}"));
        }
        text
    }
}

impl Recording {
    /// Visits every image that a crash may leave after as many operations as `positions` say.
    ///
    /// The order is the same each time, so that an image can be named by its number.
    pub fn crashes(
        &self,
        positions: RangeInclusive<usize>,
        plan: &Plan,
        visit: &mut dyn FnMut(Crash<'_>),
    ) {
        let mut medium = self.medium().clone();
        let mut freed = Freed::default();
        for position in 0..=self.len().min(*positions.end()) {
            if position > 0 {
                let op = &self.ops[position - 1];
                let before = matches!(op, Op::Sync(_)).then(|| medium.durable.clone());
                medium.apply(op);
                if let Some(before) = before {
                    freed.note(&before, &medium.durable);
                }
            }
            if position < *positions.start() {
                continue;
            }
            let window = medium.pending.as_slice();
            let mut random = Random::along(plan.seed, &[position as u64]);
            let mut written: Option<Vec<&Item>> = None;
            subsets(window, plan, &mut random.clone(), &mut |kept| {
                let mut image = medium.durable.clone();
                apply_all(&mut image, window, |at| kept[at]);
                let mut lost = lost_extents(&medium.durable, &image, window, kept);
                lost.retain(|(file, _)| !(plan.garbage)(&image.names()[*file]).is_empty());
                if let Some((first, _)) = lost.first() {
                    let kinds = (plan.garbage)(&image.names()[*first]);
                    let fill = kinds[random.place(kinds.len())];
                    let mut garbage = image.clone();
                    for (file, sector) in lost {
                        let returned = freed.sector(&medium.durable, file, sector);
                        let bytes = match (fill, returned) {
                            (Fill::Returned, Some(bytes)) => bytes.to_vec(),
                            (Fill::Stale, _) => {
                                let written =
                                    written.get_or_insert_with(|| self.written(position).collect());
                                elsewhere(written, (file, sector), &mut random)
                            }
                            _ => random.bytes(SECTOR_LEN),
                        };
                        let file = garbage.file_mut(file);
                        file.put((sector * SECTOR_LEN) as u64, &bytes);
                        file.cut(file.len);
                    }
                    visit(Crash { position, kept, fill, image: garbage, window });
                }
                visit(Crash { position, kept, fill: Fill::Zeros, image, window });
            });
        }
    }
}

impl Recording {
    /// As [`crashes`](Self::crashes), up to the first image that is wrong.
    ///
    /// # Errors
    /// What is wrong with it, and how it came to be.
    pub fn try_crashes(
        &self,
        positions: RangeInclusive<usize>,
        plan: &Plan,
        visit: &mut dyn FnMut(&Crash<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut result = Ok(());
        self.crashes(positions, plan, &mut |crash| {
            if result.is_ok() {
                result = visit(&crash).map_err(|error| format!("{error}\n  {}", crash.describe()));
            }
        });
        result
    }
}

impl Disk {
    /// One of the images that a power cut may leave now, chosen by `random`.
    #[must_use]
    pub fn power_cut(&self, random: &mut Random) -> Image {
        let recording = self.recording();
        let plan = Plan::quick(random.next());
        let now = recording.len();
        let mut count = 0;
        let mut chosen = self.shown();
        recording.crashes(now..=now, &plan, &mut |crash| {
            count += 1;
            if random.below(count) == 0 {
                chosen = crash.image;
            }
        });
        chosen
    }
}

/// What sectors held when they were cut off their files.
#[derive(Default)]
struct Freed(BTreeMap<(usize, usize), [u8; SECTOR_LEN]>);

impl Freed {
    fn note(&mut self, before: &Image, after: &Image) {
        for (at, file) in before.files.iter().enumerate() {
            let len = after.file(at).map_or(0, |file| file.len);
            if len < file.len {
                let sectors = len.div_ceil(SECTOR_LEN as u64)..file.len.div_ceil(SECTOR_LEN as u64);
                for sector in sectors.map(|sector| sector as usize) {
                    self.0.insert((at, sector), file.sector(sector));
                }
            }
        }
    }

    /// What a sector held before it was cut off, also if the cut is not durable yet.
    fn sector(&self, durable: &Image, file: usize, sector: usize) -> Option<[u8; SECTOR_LEN]> {
        let stored = durable.file(file).filter(|file| ((sector * SECTOR_LEN) as u64) < file.len);
        stored.map(|file| file.sector(sector)).or_else(|| self.0.get(&(file, sector)).copied())
    }
}

/// A sector with bytes that were written to another one.
fn elsewhere(written: &[&Item], not: (usize, usize), random: &mut Random) -> Vec<u8> {
    let start = random.place(written.len());
    let around = written[start..].iter().chain(&written[..start]);
    let mut others = around.filter(|item| item.sector() != Some(not));
    others.next().map_or_else(|| random.bytes(SECTOR_LEN), |item| sector_of(item))
}

/// The sectors past the durable end of a file that were written, are inside the kept length, and of which nothing
/// was kept.
fn lost_extents(
    durable: &Image,
    image: &Image,
    window: &[Item],
    kept: &[bool],
) -> BTreeSet<(usize, usize)> {
    let mut lost = BTreeSet::new();
    let mut there: Vec<(usize, usize)> = Vec::new();
    for (item, is_kept) in window.iter().zip(kept) {
        let Some(sector) = item.sector() else { continue };
        if *is_kept {
            there.push(sector);
            continue;
        }
        let (file, number) = sector;
        let cuts = window.iter().zip(kept).filter_map(|(other, is_kept)| match other.change {
            Change::Cut(len) if *is_kept && other.file == file => Some(len),
            _ => None,
        });
        let old_len = durable.file(file).map_or(0, |file| file.len);
        let old_len = cuts.fold(old_len, u64::min);
        let new_len = image.file(file).map_or(0, |file| file.len);
        // The rest of a sector in which the file ended is zero: it was written so.
        let fresh = number as u64 >= old_len.div_ceil(SECTOR_LEN as u64);
        if fresh && ((number * SECTOR_LEN) as u64) < new_len {
            lost.insert(sector);
        }
    }
    for sector in there {
        lost.remove(&sector);
    }
    lost
}

/// A sector with the bytes of `item` where they were.
fn sector_of(item: &Item) -> Vec<u8> {
    let mut sector = vec![0; SECTOR_LEN];
    if let Change::Write { offset, bytes } = &item.change {
        let from = *offset as usize % SECTOR_LEN;
        sector[from..from + bytes.len()].copy_from_slice(bytes);
    }
    sector
}

/// Visits the subsets of `window` that `plan` takes, each as what is kept.
fn subsets(window: &[Item], plan: &Plan, random: &mut Random, visit: &mut dyn FnMut(&[bool])) {
    let count = window.len();
    let mut kept = vec![false; count];
    if count <= plan.all_subsets_max {
        for bits in 0..1_u64 << count {
            for (at, kept) in kept.iter_mut().enumerate() {
                *kept = bits >> at & 1 == 1;
            }
            visit(&kept);
        }
        return;
    }
    let singles: Vec<usize> = if count <= plan.singles_max {
        (0..count).collect()
    } else {
        (0..plan.singles_max).map(|_| random.place(count)).collect()
    };
    kept.fill(true);
    visit(&kept);
    for &single in &singles {
        // A prefix, which is what is there when everything arrives in order.
        kept.fill(false);
        kept[..single].fill(true);
        visit(&kept);
        for alone in [true, false] {
            kept.fill(!alone);
            kept[single] = alone;
            visit(&kept);
        }
    }
    let pairs = count * (count - 1) / 2;
    let mut pair = |first: usize, second: usize| {
        for alone in [true, false] {
            kept.fill(!alone);
            kept[first] = alone;
            kept[second] = alone;
            visit(&kept);
        }
    };
    if pairs <= plan.pairs_max {
        for first in 0..count {
            for second in first + 1..count {
                pair(first, second);
            }
        }
    } else {
        for _ in 0..plan.pairs_max {
            let first = random.place(count);
            let second = (first + 1 + random.place(count - 1)) % count;
            pair(first, second);
        }
    }
    for turn in 0..plan.random_subsets {
        if turn % 2 == 0 {
            kept.fill_with(|| random.toss());
        } else {
            one_content_a_sector(window, random, &mut kept);
        }
        visit(&kept);
    }
}

/// Keeps of each sector the first few of its pieces: a sector holds one of the contents it had.
fn one_content_a_sector(window: &[Item], random: &mut Random, kept: &mut [bool]) {
    let salt = random.next();
    let mut versions: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    for sector in window.iter().filter_map(Item::sector) {
        *versions.entry(sector).or_default() += 1;
    }
    let mut left: BTreeMap<(usize, usize), u64> = versions
        .into_iter()
        .map(|(sector, versions)| {
            let path = [sector.0 as u64, sector.1 as u64];
            (sector, Random::along(salt, &path).below(versions + 1))
        })
        .collect();
    for (kept, item) in kept.iter_mut().zip(window) {
        let left = item.sector().and_then(|sector| left.get_mut(&sector));
        *kept = match left {
            None => random.toss(),
            Some(left) => {
                let keeps = *left > 0;
                *left = left.saturating_sub(1);
                keeps
            }
        };
    }
}
