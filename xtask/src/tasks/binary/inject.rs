//! Each system call that reads or writes a log, failing or killed, in each kind of run of the command.
//!
//! The calls of a run without a fault are counted first; then each of them is made to fail with EIO,
//! and those that write with ENOSPC as well, and the process is killed before them. After each: the exit is typed, what was
//! acknowledged is there, nothing else than what was attempted is, and the log goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::report::{Miss, miss};
use crate::rng::Rng;

use super::scenario::{Course, Scenario};
use super::strace::{self, Fault, Injection};

/// One fault in one scenario.
#[derive(Clone, Copy)]
struct Point<'a> {
    scenario: &'a Scenario,
    injection: Injection,
}

impl Point<'_> {
    fn name(&self) -> String {
        format!("{}/{}", self.scenario.name, self.injection)
    }

    /// Whether it is the point of that name, or one of the scenario of that name.
    fn is_named(&self, name: &str) -> bool {
        self.name() == name || self.scenario.name == name
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Tally {
    all: usize,
    points: usize,
    calls: usize,
    unreached: usize,
    kills: usize,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { all, points, calls, unreached, kills } = self;
        write!(
            f,
            "{points} of {all} points of strace in {calls} system calls ({kills} kills, \
             {unreached} not reached)"
        )
    }
}

/// Runs `limit` of the points, chosen by `seed`, or those named `only`.
pub(super) fn run(
    binary: &Path,
    work: &Path,
    seed: u64,
    limit: usize,
    only: Option<&str>,
) -> Result<Tally, Miss> {
    let course = Course::prepare(binary, work).map_err(Miss)?;
    let mut calls = 0;
    let mut points = Vec::new();
    for scenario in &course.scenarios {
        let counted = count(&course, scenario);
        let counted = counted.map_err(|what| Miss(format!("{}: {what}", scenario.name)))?;
        calls += counted.values().sum::<usize>();
        points.extend(points_of(scenario, &counted));
    }
    let all = points.len();
    let chosen = match only {
        Some(name) => points.into_iter().filter(|point| point.is_named(name)).collect(),
        None => choose(points, seed, limit),
    };
    if chosen.is_empty() {
        return miss("there is no such point");
    }
    let unreached = run_all(&course, &chosen)?;
    let kills = chosen.iter().filter(|point| point.injection.fault == Fault::Kill).count();
    Ok(Tally { all, points: chosen.len(), calls, unreached, kills })
}

fn points_of<'a>(
    scenario: &'a Scenario,
    counted: &BTreeMap<&'static str, usize>,
) -> Vec<Point<'a>> {
    let mut points = Vec::new();
    for (&call, &count) in counted {
        for when in 1..=count {
            let injections = Fault::of(call).iter().map(|&fault| Injection { call, fault, when });
            points.extend(injections.map(|injection| Point { scenario, injection }));
        }
    }
    points
}

/// The first of each call and fault in each scenario, and others by chance.
fn choose(mut points: Vec<Point<'_>>, seed: u64, limit: usize) -> Vec<Point<'_>> {
    let mut rng = Rng::new(seed);
    for at in (1..points.len()).rev() {
        points.swap(at, rng.below(at as u64 + 1) as usize);
    }
    let mut seen = BTreeSet::new();
    let (mut chosen, others): (Vec<_>, Vec<_>) = points.into_iter().partition(|point| {
        seen.insert((point.scenario.name, point.injection.call, point.injection.fault))
    });
    let room = limit.saturating_sub(chosen.len());
    chosen.extend(others.into_iter().take(room));
    chosen
}

/// Runs the points on all processors; gives how many were not reached.
fn run_all(course: &Course, points: &[Point<'_>]) -> Result<usize, Miss> {
    let next = AtomicUsize::new(0);
    let unreached = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed)
                    && let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    match play(course, point) {
                        Ok(true) => {}
                        Ok(false) => _ = unreached.fetch_add(1, Ordering::Relaxed),
                        Err(what) => {
                            stop.store(true, Ordering::Relaxed);
                            let mut failures = failures.lock().expect("no point panics");
                            failures.push(format!("{}: {what}", point.name()));
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no point panics");
    for failure in &failures {
        eprintln!("  {failure}");
    }
    match failures.first() {
        None => Ok(unreached.into_inner()),
        Some(first) => {
            let name = first.split(": ").next().unwrap_or_default();
            miss(format!("replay with `cargo xtask binary --part inject --only {name}`"))
        }
    }
}

/// Runs a scenario without a fault, to the end that it should have; gives its calls.
fn count(course: &Course, scenario: &Scenario) -> Result<BTreeMap<&'static str, usize>, String> {
    let folder = course.folder(scenario.name)?;
    let log = course.start(scenario, &folder)?;
    let trace = folder.join("trace");
    let calls = strace::calls(&log, &course.words(scenario, &log), &trace)?;
    let length = course.check(scenario, &log, None)?;
    course.go_on(scenario, &log, length)?;
    course.spare_others(scenario, &folder)?;
    std::fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
    Ok(calls)
}

/// Runs a scenario with a fault; false when the fault was not reached.
fn play(course: &Course, point: &Point<'_>) -> Result<bool, String> {
    let Point { scenario, injection } = point;
    let folder = course.folder(&point.name())?;
    let log = course.start(scenario, &folder)?;
    let trace = folder.join("trace");
    let result = strace::inject(&log, &course.words(scenario, &log), *injection, &trace)?;
    let ran = &result.ran;
    if result.reached && injection.fault != Fault::Kill {
        let told = ran.failure()?;
        if result.file.is_some() && told["file"].as_str() != result.file {
            return Err(format!("a failure of {:?} was told as {told}", result.file));
        }
        if injection.fault == Fault::Enospc && !ran.is_disk_full() {
            return Err(format!("a full disk was told as {told}"));
        }
    } else if !result.reached && ran.code != Some(0) {
        return Err(ran.unexpected("without a fault, the command"));
    }
    let length = course.check(scenario, &log, ran.stored())?;
    course.go_on(scenario, &log, length)?;
    std::fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
    Ok(result.reached)
}
