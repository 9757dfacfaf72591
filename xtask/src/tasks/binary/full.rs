//! A file system of 1 MiB that fills up.
//!
//! It is mounted in a namespace of its own, so nothing of it is left when the task ends: this
//! program starts itself again inside (`--part full-inside`). Each scenario runs with 0, 1, 2...
//! pages left, so each of its writes is the one that does not fit; then one log is filled, emptied
//! and filled again.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::process::{Echo, program, try_capture};
use crate::report::{Miss, miss};

use super::blocks::{SEED_HEX, blocks};
use super::log::{Log, Wanted};
use super::scenario::{Course, Scenario};

/// What is mounted. A page is the least that a file takes there.
const SIZE: &str = "size=1m";
const PAGE_LEN: u64 = 4096;

/// The most pages that are left before a scenario: from there on most of them fit.
const PAGES_LEFT_MAX: u64 = 12;

/// Runs of `append` that fill the one log. More than fit.
const FILLS_MAX: usize = 200;

/// Ways to get a mount of one's own: for anybody, and for root where that is forbidden.
const WAYS: [&[&str]; 2] = [&["--map-root-user", "--mount"], &["--mount"]];

/// Runs this part; the inner error says why it can not be done here.
pub(super) fn run(work: &Path) -> Result<Result<String, String>, Miss> {
    let place = work.join("mounted");
    std::fs::create_dir_all(&place)?;
    // A copy, as a build may have taken this program's name away meanwhile.
    let own = work.join("xtask");
    std::fs::copy("/proc/self/exe", &own)?;
    let mut why = String::new();
    for way in WAYS {
        let mut probe = program("unshare", way);
        probe.args(["mount", "-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(&place);
        match try_capture(&mut probe, Echo::OnFailure) {
            Ok((status, _)) if status.success() => {
                let mut inside = program("unshare", way);
                inside.arg(&own);
                inside.args(["binary", "--part", "full-inside"]);
                let (status, _) = try_capture(&mut inside, Echo::OnFailure)?;
                if !status.success() {
                    return miss("replay with `cargo xtask binary --part full`");
                }
                return Ok(Ok(std::fs::read_to_string(figures(work))?));
            }
            Ok((_, text)) => why = text.trim().to_owned(),
            Err(Miss(text)) => why = text,
        }
    }
    Ok(Err(format!("no file system can be mounted here ({why})")))
}

/// Where the inner run leaves its figures.
fn figures(work: &Path) -> PathBuf {
    work.join("figures")
}

/// The inner run, in a namespace of its own.
pub(super) fn inside(binary: &Path, work: &Path) -> Result<(), Miss> {
    let place = work.join("mounted");
    let mut mount = program("mount", ["-t", "tmpfs", "-o", SIZE, "tmpfs"]);
    crate::process::capture(mount.arg(&place), Echo::OnFailure)?;
    let disk = Disk { place };
    let course = Course::prepare(binary, &work.join("course")).map_err(Miss)?;
    let (mut points, mut full) = (0, 0);
    for pages_left in 0..=PAGES_LEFT_MAX {
        for scenario in &course.scenarios {
            let is_full = squeeze(&disk, &course, scenario, pages_left);
            let is_full = is_full.map_err(|what| {
                Miss(format!("{} with {pages_left} pages left: {what}", scenario.name))
            })?;
            points += 1;
            full += usize::from(is_full);
        }
    }
    let filled = fill(&disk, binary, &course).map_err(Miss)?;
    let text = format!(
        "{points} runs on a file system of 1 MiB with 0 to {PAGES_LEFT_MAX} pages left ({full} did \
         not fit), and one log filled: {filled}"
    );
    std::fs::write(figures(work), text)?;
    Ok(())
}

/// Runs a scenario with so much room; true when that was not enough.
fn squeeze(
    disk: &Disk,
    course: &Course,
    scenario: &Scenario,
    pages_left: u64,
) -> Result<bool, String> {
    disk.clean()?;
    let log = course.start(scenario, &disk.place)?;
    disk.leave(pages_left)?;
    let ran = super::log::run(&mut program(&log.binary, course.words(scenario, &log)))?;
    let is_full = ran.code != Some(0);
    if is_full && !ran.is_disk_full() {
        return Err(ran.unexpected("on a full disk, the command"));
    }
    // Nothing was freed: looking must not need room.
    course.check(scenario, &log, ran.stored())?;
    disk.make_room()?;
    let length = course.check(scenario, &log, ran.stored())?;
    course.go_on(scenario, &log, length)?;
    Ok(is_full)
}

/// Appends to one log until nothing fits, twice, with room made between by removing a file and by
/// clearing blocks.
fn fill(disk: &Disk, binary: &Path, course: &Course) -> Result<String, String> {
    disk.clean()?;
    let log = Log::new(binary, disk.place.join("log"));
    log.done("new", &["--seed", SEED_HEX])?;
    let mut stored = Vec::new();
    let failed = |error: std::io::Error| error.to_string();
    let (half, reserve) = (disk.place.join("ballast"), disk.place.join("reserve"));
    std::fs::write(&half, vec![1; 400_000]).map_err(failed)?;
    std::fs::write(&reserve, [1; PAGE_LEN as usize]).map_err(failed)?;
    let first = append_until_full(&log, course, &mut stored)?;
    std::fs::remove_file(&half).map_err(failed)?;
    let second = append_until_full(&log, course, &mut stored)?;

    // What is cleared makes room for what comes. The entry that says so may need a page of its own.
    let cleared = 0..stored.len() / 2;
    let range = format!("{}..{}", cleared.start, cleared.end);
    let ran = log.run("clear", &[&range, "--json"])?;
    if ran.code != Some(0) {
        if !ran.is_disk_full() {
            return Err(ran.unexpected("on a full disk, the command"));
        }
        log.check(&Wanted::new(&stored, stored.len()))?;
        std::fs::remove_file(&reserve).map_err(failed)?;
        log.done("clear", &[&range])?;
    }
    let wanted = Wanted::new(&stored, stored.len());
    let length = log.check(&Wanted { cleared, is_cleared: true, ..wanted })?;
    log.go_on(length, course.one_line())?;
    Ok(format!("{first} blocks, {second} after a file was removed, more after a clear"))
}

/// Appends a file of some kilobytes, again and again; gives how many fitted.
fn append_until_full(
    log: &Log,
    course: &Course,
    stored: &mut Vec<Vec<u8>>,
) -> Result<usize, String> {
    let before = stored.len();
    let file = course.one_line().with_file_name("next");
    for number in 0..FILLS_MAX {
        let block = blocks(stored.len() as u64, 1, 20_000).concat();
        std::fs::write(&file, &block).map_err(|error| error.to_string())?;
        let durability = if number % 2 == 0 { "immediate" } else { "eventual" };
        let path = file.to_string_lossy();
        let arguments = [path.as_ref(), "--json", "--verbose", "--durability", durability];
        let ran = log.run("append", &arguments)?;
        if ran.code == Some(0) {
            stored.push(block);
            continue;
        }
        if !ran.is_disk_full() {
            return Err(ran.unexpected("on a full disk, the command"));
        }
        let acknowledged = stored.len() + ran.acknowledged();
        stored.push(block);
        let length = log.check(&Wanted::new(stored, acknowledged))?;
        stored.truncate(length);
        return Ok(stored.len() - before);
    }
    Err(format!("{FILLS_MAX} files fitted on 1 MiB"))
}

/// The small file system.
struct Disk {
    place: PathBuf,
}

impl Disk {
    fn ballast(&self) -> PathBuf {
        self.place.join("ballast")
    }

    /// Removes everything.
    fn clean(&self) -> Result<(), String> {
        let failed = |error: std::io::Error| error.to_string();
        for entry in std::fs::read_dir(&self.place).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir() {
                std::fs::remove_dir_all(entry.path()).map_err(failed)?;
            } else {
                std::fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Fills it up to so many pages.
    fn leave(&self, pages: u64) -> Result<(), String> {
        let failed = |error: std::io::Error| error.to_string();
        let mut file = File::create(self.ballast()).map_err(failed)?;
        let mut len = 0;
        while file.write_all(&[1; PAGE_LEN as usize]).is_ok() {
            len += PAGE_LEN;
        }
        file.set_len(len.saturating_sub(pages * PAGE_LEN)).map_err(failed)
    }

    /// Takes the filling away.
    fn make_room(&self) -> Result<(), String> {
        std::fs::remove_file(self.ballast()).map_err(|error| error.to_string())
    }
}
