//! The crash enumerator: every workload stands a quick look, and it sees what is wrong with a store that lies.

use hypercore_log::{Durability, Stores};
use random_access_storage::{RandomAccess, Result, SyncScope};
use sim::Random;
use sim::disk::{Disk, DiskFile, Plan};
use sim::log::crash::{LogCase, quick};
use sim::log::{Cast, Oracle, Recorder, WORKLOADS, Workload, stores_on};
use sim::trials::Case;
use sim::trials::crash::{Judge, Settings};

/// Some of them: `cargo xtask crash` judges all, and more closely.
#[test]
fn workloads_stand_a_quick_look() {
    let plan = Plan { all_subsets_max: 0, singles_max: 0, random_subsets: 1, ..quick(1) };
    let mut distinct = 0;
    for workload in WORKLOADS.iter().step_by(4) {
        let case = LogCase { workload, durability: workload.modes[0] };
        let report = case.crash(&Settings::new(plan, 1));
        assert_eq!(report.bad, 0, "{}: {:?}", workload.name, report.first_bad);
        distinct += report.counts.distinct;
    }
    assert!(distinct > 500, "{distinct}");
}

#[test]
fn there_are_at_least_sixteen_workloads_of_different_names() {
    let mut names: Vec<&str> = WORKLOADS.iter().map(|workload| workload.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), WORKLOADS.len());
    assert!(names.len() >= 16, "{names:?}");
}

#[test]
fn one_image_can_be_seen_again() {
    let case = LogCase { workload: named("appends"), durability: Durability::Immediate };
    let report = case.crash(&Settings { image: Some(100), ..case.settings(1, false) });
    assert_eq!(report.bad, 0);
    assert!(report.counts.enumerated < 2_000, "{:?}", report.counts);
}

/// A file whose syncs may do nothing.
#[derive(Debug)]
struct Lazy(DiskFile, bool);

impl RandomAccess for Lazy {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.0.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.0.write_at(offset, data)
    }
    fn discard(&self, offset: u64, len: u64) -> Result<()> {
        self.0.discard(offset, len)
    }
    fn truncate(&self, len: u64) -> Result<()> {
        self.0.truncate(len)
    }
    fn len(&self) -> Result<u64> {
        self.0.len()
    }
    fn sync(&self, scope: SyncScope) -> Result<()> {
        if self.1 { Ok(()) } else { self.0.sync(scope) }
    }
}

/// What the oracle says first of a workload whose files named `lazy` are not synced.
fn with_lazy(lazy: &str, workload: &Workload) -> Option<String> {
    let script = (workload.script)(&mut Random::new(1));
    let (disk, cast) = (Disk::new(), Cast::of(&script));
    let file = |name: &str| Box::new(Lazy(disk.file(name), name == lazy));
    let open = || Stores {
        oplog: file("oplog"),
        header: file("header"),
        tree: file("tree"),
        bitfield: file("bitfield"),
        data: file("data"),
    };
    let mut recorder = Recorder::new(&disk, script.role, Durability::Immediate, &cast, &open);
    recorder.create().unwrap();
    for step in &script.steps {
        recorder.step(step).unwrap();
    }
    let mut oracle = Oracle::new(Durability::Immediate);
    oracle.learn(recorder.timeline());
    let mut first = None;
    let recording = disk.recording();
    recording.crashes(0..=recording.len(), &quick(1), &mut |crash| {
        if first.is_none() {
            let promise = recorder.timeline().after_power_cut(crash.position);
            first = oracle.judge(&crash.image, &promise).err();
        }
    });
    first
}

fn named(name: &str) -> &'static Workload {
    WORKLOADS.iter().find(|workload| workload.name == name).unwrap()
}

#[test]
fn a_file_whose_syncs_do_nothing_is_found_out() {
    let workload = named("checkpoints");
    assert_eq!(with_lazy("none of them", workload), None);
    for lazy in ["oplog", "tree", "bitfield", "data"] {
        let found = with_lazy(lazy, workload);
        assert!(found.is_some(), "nobody noticed that {lazy} is not synced");
    }
    assert!(with_lazy("header", named("large-user-data")).is_some(), "header");
}

#[test]
fn a_log_that_forgets_is_found_out() {
    let workload = named("appends");
    let script = (workload.script)(&mut Random::new(1));
    let (disk, cast) = (Disk::new(), Cast::of(&script));
    let open = || stores_on(&disk);
    let mut recorder = Recorder::new(&disk, script.role, Durability::Immediate, &cast, &open);
    recorder.create().unwrap();
    let empty = disk.shown();
    recorder.step(&script.steps[0]).unwrap();
    let mut oracle = Oracle::new(Durability::Immediate);
    oracle.learn(recorder.timeline());
    let promise = recorder.timeline().after_power_cut(disk.position());
    assert!(oracle.judge(&disk.shown(), &promise).is_ok());
    let wrong = oracle.judge(&empty, &promise).unwrap_err();
    assert!(wrong.contains("recovered fork 0, length 0"), "{wrong}");
}
