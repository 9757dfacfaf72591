//! Every crash of a workload.
//!
//! Three kinds, in this order, which numbers the images:
//! 1. The power fails after each operation.
//! 2. The process is killed after each of some operations; the next one opens the file, commits, and the power fails after
//!    each of its operations. What the dead process had not synced is still not synced.
//! 3. The power fails, the file is opened and written to, and the power fails again, for some images of the first kind.
//!
//! Syncs that fail are [`faults`](super::faults).

use std::rc::Rc;

use mappedpages::{Durability, Format};

use super::model::Model;
use super::oracle::Oracle;
use super::play::{Player, Setting};
use super::script::{Change, Step, Write};
use super::timeline::{Promise, Timeline};
use super::workloads::Workload;
use crate::chosen::Chosen;
use crate::disk::{Disk, Image, Plan, Recording};
use crate::log::crash::{Bad, Report};
use crate::random::Random;

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Chooses contents and subsets.
    pub seed: u64,
    /// Judge this image only.
    pub image: Option<u64>,
    /// Kills and second power cuts that are tried, each.
    pub interruptions_max: usize,
    /// How widely power cuts of the workload itself are searched.
    pub plan: Plan,
    /// Bad images after which the workload is given up.
    pub bad_max: u64,
}

impl Settings {
    /// What fits into some seconds for all workloads together.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        let plan = Plan {
            all_subsets_max: 5,
            singles_max: 16,
            pairs_max: 4,
            random_subsets: 6,
            ..Plan::whole(seed)
        };
        Self { seed, image: None, interruptions_max: 8, plan, bad_max: 100 }
    }

    /// The same for large files, each image of which takes long.
    const fn narrow(&self) -> Self {
        let plan = Plan {
            all_subsets_max: 3,
            singles_max: 4,
            pairs_max: 0,
            random_subsets: 2,
            ..self.plan
        };
        Self { interruptions_max: 2, plan, ..*self }
    }

    /// What takes its time.
    #[must_use]
    pub const fn deep(seed: u64) -> Self {
        Self { interruptions_max: 64, plan: Plan::whole(seed), ..Self::new(seed) }
    }
}

/// A workload in a format, with a page size, in a mode.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What is done.
    pub workload: &'static Workload,
    /// How it is stored.
    pub setting: Setting,
    /// Bytes of a page: 1024 or 4096.
    pub page_len: usize,
}

impl Case {
    /// All there are.
    pub fn all() -> impl Iterator<Item = Self> {
        super::WORKLOADS.iter().flat_map(|workload| {
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

    /// Its name, which tells it from all others.
    #[must_use]
    pub fn name(&self) -> String {
        let format = match self.setting.format {
            Format::One => "format1",
            _ => "format2",
        };
        let mode = match self.setting.durability {
            Durability::Immediate => "immediate",
            Durability::Barriers => "barriers",
            _ => "eventual",
        };
        format!("pages/{}-{format}-{}-{mode}", self.workload.name, self.page_len)
    }

    /// Crashes it in all ways.
    #[must_use]
    pub fn run(&self, settings: &Settings) -> Report {
        match self.page_len {
            1024 => run::<1024>(self, settings),
            4096 => run::<4096>(self, settings),
            other => panic!("no workload has pages of {other} bytes"),
        }
    }
}

fn run<const P: usize>(case: &Case, settings: &Settings) -> Report {
    let steps = (case.workload.script)(&mut Random::new(settings.seed), P);
    let mut run = Run::<P> {
        steps: &steps,
        setting: case.setting,
        settings: if case.workload.wide { *settings } else { settings.narrow() },
        oracle: Oracle::new(case.setting),
        next_image: 0,
        report: Report::default(),
    };
    run.all();
    run.report.counts = run.oracle.counts();
    run.report
}

struct Run<'a, const P: usize> {
    steps: &'a [Step],
    setting: Setting,
    settings: Settings,
    oracle: Oracle<P>,
    next_image: u64,
    report: Report,
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
            Err(failure) => return self.bad(format!("without any fault: {failure}")),
        };
        let recording = disk.recording();
        let mut chosen = Chosen::new(self.settings.seed, self.settings.interruptions_max);
        let plan = self.settings.plan;
        self.cut_power(&recording, made, &plan, &timeline, &mut chosen);

        for position in some(made, recording.len() + 1, self.settings.interruptions_max) {
            self.go_on(&recording.at(position), &timeline.after(position), "killed");
        }
        for (image, promise) in chosen.images {
            self.go_on(&Disk::of(image), &promise, "after a power cut");
        }
    }

    /// Cuts the power after each operation from `from` on.
    fn cut_power(
        &mut self,
        recording: &Recording,
        from: usize,
        plan: &Plan,
        timeline: &Timeline,
        chosen: &mut Chosen<Promise>,
    ) {
        let mut promised: Option<(usize, Rc<Promise>)> = None;
        recording.crashes(from..=recording.len(), plan, &mut |crash| {
            let promise = match &promised {
                Some((position, promise)) if *position == crash.position => Rc::clone(promise),
                _ => {
                    let promise = Rc::new(timeline.after(crash.position));
                    promised = Some((crash.position, Rc::clone(&promise)));
                    promise
                }
            };
            chosen.offer(&crash, &promise);
            let _ = self.judge(&crash.image, &promise, || crash.describe());
        });
    }

    /// Judges an image, unless another one is asked for.
    fn judge(
        &mut self,
        image: &Image,
        promise: &Promise,
        describe: impl FnOnce() -> String,
    ) -> Option<Rc<Model>> {
        let number = self.next_image;
        self.next_image += 1;
        let is_wanted = self.settings.image.is_none_or(|only| only == number);
        if self.report.bad >= self.settings.bad_max || !is_wanted {
            return None;
        }
        match self.oracle.judge(image, promise) {
            Ok(model) => Some(model),
            Err(what) => {
                self.note_bad(number, format!("{what}\n  {}", describe()));
                None
            }
        }
    }

    fn note_bad(&mut self, image: u64, what: String) {
        self.report.bad += 1;
        self.report.first_bad.get_or_insert(Bad { image, what });
    }

    /// Something that is wrong and is no image: it has a number as if it were one.
    fn bad(&mut self, what: String) {
        let number = self.next_image;
        self.next_image += 1;
        if self.settings.image.is_none_or(|only| only == number) {
            self.note_bad(number, what);
        }
    }

    /// Lets the next process open what `disk` shows, which is one of the states of `promise`, and go on; then cuts the
    /// power after each of its operations.
    fn go_on(&mut self, disk: &Disk, promise: &Promise, how: &str) {
        if self.report.bad >= self.settings.bad_max {
            return;
        }
        let done = Player::<P>::resume(disk, self.setting, promise).and_then(|mut player| {
            for (at, step) in next_steps(P).iter().enumerate() {
                player.step(step).map_err(|failure| failure.at(at, step))?;
            }
            Ok(player.kill())
        });
        match done {
            Err(failure) => self.bad(format!("{how}, without any fault: {failure}")),
            Ok(timeline) => {
                let plan = Plan { random_subsets: 2, ..Plan::quick(self.settings.seed) };
                self.cut_power(&disk.recording(), 1, &plan, &timeline, &mut Chosen::none());
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

/// At most `max` numbers from `from` to below `end`, evenly spread.
fn some(from: usize, end: usize, max: usize) -> impl Iterator<Item = usize> {
    let count = end - from;
    (0..count.min(max)).map(move |at| from + at * count / count.min(max))
}
