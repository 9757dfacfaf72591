//! Every crash of a workload.
//!
//! Three kinds, in this order, which numbers the images:
//! 1. The power fails after each operation.
//! 2. The process is killed after each of some operations; the next one opens the file, commits, and the power fails after
//!    each of its operations. What the dead process had not synced is still not synced.
//! 3. The power fails, the file is opened and written to, and the power fails again, for some images of the first kind.
//!
//! Syncs that fail are `faults`.

use mappedpages::{Durability, Format};

use super::faults::Stage;
use super::oracle::Oracle;
use super::play::{Player, Setting};
use super::script::{Change, Step, Write};
use super::timeline::Promise;
use super::workloads::{WORKLOADS, Workload};
use crate::chosen::Chosen;
use crate::disk::{Disk, Plan};
use crate::random::Random;
use crate::trials::Case;
use crate::trials::crash::{self, Report, Settings, some};
use crate::trials::faults::{self, Options};

/// A workload in a format, with a page size, in a mode.
#[derive(Clone, Copy, Debug)]
pub struct PageCase {
    /// What is done.
    pub workload: &'static Workload,
    /// How it is stored.
    pub setting: Setting,
    /// Bytes of a page: 1024 or 4096.
    pub page_len: usize,
}

impl PageCase {
    /// All there are.
    pub fn all() -> impl Iterator<Item = Self> {
        WORKLOADS.iter().flat_map(|workload| {
            let formats = workload.formats.iter();
            formats.flat_map(move |format| {
                workload.page_lens.iter().flat_map(move |page_len| {
                    workload.modes.iter().map(move |durability| {
                        let setting = Setting { format: *format, durability: *durability };
                        Self { workload, setting, page_len: *page_len }
                    })
                })
            })
        })
    }
}

/// What fits into some seconds for all workloads together, with less for large files, each image of which takes long.
fn settings(seed: u64, wide: bool) -> Settings {
    let some = Plan {
        all_subsets_max: 5,
        singles_max: 16,
        pairs_max: 4,
        random_subsets: 6,
        ..Plan::whole(seed)
    };
    let few = Plan { all_subsets_max: 3, singles_max: 4, pairs_max: 0, random_subsets: 2, ..some };
    if wide { Settings::new(some, 8) } else { Settings::new(few, 2) }
}

impl Case for PageCase {
    fn name(&self) -> String {
        let format = match self.setting.format {
            Format::One => "format1",
            _ => "format2",
        };
        let mode = match self.setting.durability {
            Durability::Immediate => "immediate",
            Durability::Barriers => "barriers",
            _ => "eventual",
        };
        format!("{}-{format}-{}-{mode}", self.workload(), self.page_len)
    }

    fn workload(&self) -> String {
        format!("pages/{}", self.workload.name)
    }

    fn row(&self) -> String {
        let format = match self.setting.format {
            Format::One => 1,
            _ => 2,
        };
        format!("{}, format {format}", self.workload())
    }

    fn subject(&self) -> &'static str {
        match self.setting.format {
            Format::One => "pages in format 1",
            _ => "pages in format 2",
        }
    }

    fn settings(&self, seed: u64, deep: bool) -> Settings {
        match (deep, self.workload.wide) {
            (true, true) => Settings::new(Plan::whole(seed), 64),
            (deep, wide) => settings(seed, deep || wide),
        }
    }

    fn crash(&self, settings: &Settings) -> Report {
        match self.page_len {
            1024 => crash_sized::<1024>(self, settings),
            4096 => crash_sized::<4096>(self, settings),
            other => panic!("no workload has pages of {other} bytes"),
        }
    }

    fn stage(&self, options: &Options) -> Result<Option<Box<dyn faults::Stage>>, String> {
        Ok(Some(match self.page_len {
            1024 => Box::new(Stage::<1024>::new(self, options.seed)?),
            4096 => Box::new(Stage::<4096>::new(self, options.seed)?),
            other => panic!("no workload has pages of {other} bytes"),
        }))
    }
}

fn crash_sized<const P: usize>(case: &PageCase, settings: &Settings) -> Report {
    let steps = (case.workload.script)(&mut Random::new(settings.seed), P);
    let run = crash::Run::new(*settings, Oracle::<P>::new(case.setting));
    let mut run = Run { steps: &steps, setting: case.setting, run };
    run.all();
    run.run.report()
}

struct Run<'a, const P: usize> {
    steps: &'a [Step],
    setting: Setting,
    run: crash::Run<Oracle<P>>,
}

impl<const P: usize> Run<'_, P> {
    fn all(&mut self) {
        let disk = Disk::new();
        let played = Player::<P>::create(&disk, self.setting);
        let made = disk.position();
        let played = played.and_then(|mut player| {
            for (at, step) in self.steps.iter().enumerate() {
                player.step(step).map_err(|failure| failure.at(at, step))?;
            }
            Ok(player.kill())
        });
        let timeline = match played {
            Ok(timeline) => timeline,
            Err(failure) => return self.run.bad(format!("without any fault: {failure}")),
        };
        let recording = disk.recording();
        let Settings { plan, interruptions_max, seed, .. } = self.run.settings;
        let mut chosen = Chosen::new(seed, interruptions_max);
        let promise_at = |position| timeline.after(position);
        self.run.cut_power(&recording, made..=recording.len(), &plan, promise_at, &mut chosen);

        for position in some(made, recording.len() + 1, interruptions_max) {
            self.go_on(&recording.at(position), &timeline.after(position), "killed");
        }
        for (image, promise) in chosen.images {
            self.go_on(&Disk::of(image), &promise, "after a power cut");
        }
    }

    /// Lets the next process open what `disk` shows, which is one of the states of `promise`, and go on; then cuts the
    /// power after each of its operations.
    fn go_on(&mut self, disk: &Disk, promise: &Promise, how: &str) {
        if self.run.is_over() {
            return;
        }
        let done = Player::<P>::resume(disk, self.setting, promise).and_then(|mut player| {
            for (at, step) in next_steps(P).iter().enumerate() {
                player.step(step).map_err(|failure| failure.at(at, step))?;
            }
            Ok(player.kill())
        });
        match done {
            Err(failure) => self.run.bad(format!("{how}, without any fault: {failure}")),
            Ok(timeline) => {
                let plan = Plan { random_subsets: 2, ..Plan::quick(self.run.settings.seed) };
                let recording = disk.recording();
                let (positions, none) = (1..=recording.len(), &mut Chosen::none());
                self.run.cut_power(&recording, positions, &plan, |at| timeline.after(at), none);
            }
        }
    }
}

/// What a process does that comes after another one.
pub(super) fn next_steps(page_len: usize) -> [Step; 5] {
    let write = |nth| Write { nth, offset: 0, data: vec![0x5a; page_len] };
    [
        Step::One(Change::AllocBulk(2)),
        Step::One(Change::AllocProtected),
        Step::Store(write(1)),
        Step::One(Change::WriteProtected(write(0))),
        Step::One(Change::Free(0)),
    ]
}
