//! Every file that a power cut may leave.

use crate::recorder::{ATOMIC_LENS, Interval, sector_of};

/// A sequence of numbers that a seed determines (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % bound as u64).unwrap()
    }
}

/// One choice for each sector, and for the length.
struct Choices<'a> {
    interval: &'a Interval,
    atomic_len: usize,
    /// Contents that each sector may have; the first is the durable one.
    sectors: Vec<(usize, Vec<Vec<u8>>)>,
}

impl Choices<'_> {
    /// How many there are of each: of the length first, then of each sector.
    fn counts(&self) -> Vec<usize> {
        let lens = std::iter::once(self.interval.lens.len());
        lens.chain(self.sectors.iter().map(|(_, contents)| contents.len())).collect()
    }

    fn image(&self, choice: &[usize]) -> Vec<u8> {
        let mut image = self.interval.durable.clone();
        image.resize(self.interval.lens[choice[0]], 0);
        for ((sector, contents), &which) in self.sectors.iter().zip(&choice[1..]) {
            let start = (sector * self.atomic_len).min(image.len());
            let end = (start + self.atomic_len).min(image.len());
            image[start..end].copy_from_slice(&contents[which][..end - start]);
        }
        image
    }
}

/// The files that the power may leave in `interval` when sectors of `ATOMIC_LENS[atomic]` bytes are
/// written wholly or not at all: all of them, or, when they are more than `limit`, so many: those with
/// nothing and with everything, then half in which one sector differs from all others, and half in which
/// any do. None comes twice.
pub(crate) fn images(
    interval: &Interval,
    atomic: usize,
    limit: usize,
    random: &mut Random,
) -> Vec<Vec<u8>> {
    let atomic_len = ATOMIC_LENS[atomic];
    let sectors = interval.versions[atomic].iter().map(|(&sector, versions)| {
        let durable = sector_of(&interval.durable, sector, atomic_len);
        (sector, std::iter::once(durable).chain(versions.iter().cloned()).collect())
    });
    let choices = Choices { interval, atomic_len, sectors: sectors.collect() };
    let counts = choices.counts();
    let all = counts.iter().try_fold(1_usize, |all, &count| all.checked_mul(count));
    let mut chosen = match all {
        Some(all) if all <= limit => (0..all).map(|number| digits(number, &counts)).collect(),
        _ => sample(&counts, limit, random),
    };
    chosen.sort_unstable();
    chosen.dedup();
    let mut images: Vec<_> = chosen.iter().map(|choice| choices.image(choice)).collect();
    images.sort_unstable();
    images.dedup();
    images
}

/// `number` written with a base for each place.
fn digits(mut number: usize, bases: &[usize]) -> Vec<usize> {
    let digit = |&base: &usize| {
        let digit = number % base;
        number /= base;
        digit
    };
    bases.iter().map(digit).collect()
}

fn sample(counts: &[usize], limit: usize, random: &mut Random) -> Vec<Vec<usize>> {
    let newest: Vec<usize> = counts.iter().map(|count| count - 1).collect();
    let durable = vec![0; counts.len()];
    let mut alone = Vec::new();
    for (place, &count) in counts.iter().enumerate() {
        for which in 0..count {
            for rest in [&durable, &newest] {
                let mut choice = rest.clone();
                choice[place] = which;
                alone.push(choice);
            }
        }
    }
    let mut chosen = vec![durable, newest.clone()];
    while chosen.len() < limit / 2 && !alone.is_empty() {
        chosen.push(alone.swap_remove(random.below(alone.len())));
    }
    while chosen.len() < limit {
        // Few, half, or most of the sectors arrived.
        let share = [1, 4, 7][random.below(3)];
        let pick = |&count: &usize, random: &mut Random| {
            if random.below(8) < share { random.below(count) } else { 0 }
        };
        let mut choice: Vec<_> = counts.iter().map(|count| pick(count, random)).collect();
        if random.below(2) == 0 {
            choice[0] = newest[0];
        }
        chosen.push(choice);
    }
    chosen
}
