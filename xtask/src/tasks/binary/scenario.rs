//! Runs of the command, what they start from, and what must be true after them.
//!
//! Knows nothing of what goes wrong during a run.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::blocks::{SEED_HEX, blocks, lines};
use super::log::{FAILED, Log, NOT_FOUND, Ran, Wanted, copy, run};
use super::writer::Writer;
use crate::process::program;

/// The exit code for a log that may not be written to.
const NOT_WRITABLE: i32 = 4;

/// A run of the command.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) verb: &'static str,
    arguments: Vec<String>,
    base: Base,
    effect: Effect,
}

/// The feed that is imported. The JavaScript package made it, of blocks of up to 22 bytes.
const FEED: &str = "crates/sleep/tests/vectors/v9-len100/storage";
const FEED_LENGTH: usize = 100;

/// How many of them are in the log that an import goes on with.
const BEGUN_LENGTH: usize = 40;

/// What the directory holds before the run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Base {
    Missing,
    /// The first blocks of the feed.
    Begun,
    /// Closed in order.
    Closed,
    /// Left by a process that was killed, with entries to replay.
    Killed,
}

/// What the run does to a log.
enum Effect {
    Nothing,
    Makes,
    Appends(Vec<Vec<u8>>),
    Clears(Range<usize>),
    Truncates(usize),
    /// Appends what the feed has more.
    Imports(Vec<Vec<u8>>),
    /// Copies the closed log to where nothing is.
    BacksUp,
    /// The same, into one file.
    Packs,
}

/// All scenarios, and the directories they start from.
pub(super) struct Course {
    binary: PathBuf,
    work: PathBuf,
    closed: Vec<Vec<u8>>,
    killed: Vec<Vec<u8>>,
    feed: Vec<Vec<u8>>,
    one_line: PathBuf,
    pub(super) scenarios: Vec<Scenario>,
}

impl Scenario {
    /// What it copies from: a folder among those that were prepared.
    fn source(&self) -> Option<&'static str> {
        match self.effect {
            Effect::BacksUp | Effect::Packs => Some("closed"),
            Effect::Imports(_) => Some("feed"),
            _ => None,
        }
    }
}

impl Course {
    /// Makes inputs and directories in `work`.
    pub(super) fn prepare(binary: &Path, work: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| error.to_string();
        std::fs::create_dir_all(work).map_err(failed)?;
        let write = |name: &str, bytes: &[u8]| -> Result<String, String> {
            let path = work.join(name);
            std::fs::write(&path, bytes).map_err(failed)?;
            Ok(path.to_string_lossy().into_owned())
        };
        let one_line = PathBuf::from(write("one-line", b"and on it goes\n")?);

        let few = blocks(1, 40, 200);
        // More than one batch, each large enough to write its nodes at once.
        let many = blocks(2, 8_500, 60);
        // More than one batch of few blocks.
        let files = blocks(3, 5, 1_500_000);
        let small_files = blocks(4, 3, 5_000);
        let chunks = blocks(5, 1, 2_500_000).concat();
        let few_path = write("few-lines", &lines(&few))?;
        let lined = vec!["--lines".to_owned(), write("many-lines", &lines(&many))?];
        let chunked = vec!["--chunk".to_owned(), "64k".to_owned(), write("chunks", &chunks)?];
        let chunk_blocks: Vec<Vec<u8>> = chunks.chunks(64 * 1024).map(<[u8]>::to_vec).collect();
        let mut whole = Vec::new();
        for (number, file) in files.iter().chain(&small_files).enumerate() {
            whole.push(write(&format!("file-{number}"), file)?);
        }
        let small = whole.split_off(files.len());

        let closed_log = Log::new(binary, work.join("closed"));
        closed_log.done("new", &["--seed", SEED_HEX])?;
        closed_log.done("append", &["--lines", &few_path])?;
        closed_log.done("append", &["--lines", &few_path])?;
        let closed = [few.clone(), few].concat();

        let killed_log = Log::new(binary, work.join("killed"));
        copy(&closed_log.dir, &killed_log.dir).map_err(failed)?;
        let mut killed = closed.clone();
        // Entries that name their nodes, and one that does not.
        for group in [blocks(6, 20, 100), blocks(7, 600, 60), blocks(8, 20, 100)] {
            let mut writer = Writer::start(&killed_log, "eventual")?;
            writer.write(&group)?;
            writer.wait_until_stored()?;
            writer.kill()?;
            killed.extend(group);
        }

        copy(&crate::tree::root().join(FEED), &work.join("feed")).map_err(failed)?;
        let feed: Vec<Vec<u8>> =
            (0..FEED_LENGTH).map(|index| vec![(31 * index + 5) as u8; 7 * index % 23]).collect();
        let (begun, rest) = feed.split_at(BEGUN_LENGTH);
        let begun_log = Log::new(binary, work.join("begun"));
        begun_log.done("append", &["--lines", &write("begun-lines", &lines(begun))?])?;

        let scenario = |name, base, verb, arguments: &[String], effect| Scenario {
            name,
            base,
            verb,
            arguments: arguments.to_vec(),
            effect,
        };
        let append = |name, base, arguments: &[String], blocks: &[Vec<u8>]| {
            scenario(name, base, "append", arguments, Effect::Appends(blocks.to_vec()))
        };
        let eventual = ["--durability".to_owned(), "eventual".to_owned()];
        let eventual = |arguments: &[String]| [arguments, eventual.as_slice()].concat();
        let clear = |name, base| {
            scenario(name, base, "clear", &["3..70".to_owned()], Effect::Clears(3..70))
        };
        let truncate = |name, base| {
            scenario(name, base, "truncate", &["33".to_owned()], Effect::Truncates(33))
        };
        let scenarios = vec![
            scenario("new", Base::Missing, "new", &[], Effect::Makes),
            append("append-makes", Base::Missing, &small, &small_files),
            append("append-whole", Base::Closed, &whole, &files),
            append("append-whole-eventual", Base::Closed, &eventual(&whole), &files),
            append("append-lines", Base::Closed, &lined, &many),
            append("append-lines-eventual", Base::Closed, &eventual(&lined), &many),
            append("append-chunks", Base::Closed, &chunked, &chunk_blocks),
            append("append-after-kill", Base::Killed, &small, &small_files),
            clear("clear", Base::Closed),
            clear("clear-after-kill", Base::Killed),
            truncate("truncate", Base::Closed),
            truncate("truncate-after-kill", Base::Killed),
            scenario("backup", Base::Missing, "backup", &[], Effect::BacksUp),
            scenario("pack", Base::Missing, "pack", &[], Effect::Packs),
            scenario("import", Base::Missing, "import", &[], Effect::Imports(feed.clone())),
            scenario("import-goes-on", Base::Begun, "import", &[], Effect::Imports(rest.to_vec())),
            scenario("verify", Base::Closed, "verify", &[], Effect::Nothing),
            scenario("verify-after-kill", Base::Killed, "verify", &[], Effect::Nothing),
            scenario(
                "repair-after-kill",
                Base::Killed,
                "verify",
                &["--repair".to_owned()],
                Effect::Nothing,
            ),
        ];
        let (binary, work) = (binary.to_path_buf(), work.to_path_buf());
        Ok(Self { binary, work, closed, killed, feed, one_line, scenarios })
    }

    /// The run of a scenario on `log`, without the name of the program, and so that it says what it does.
    pub(super) fn words(&self, scenario: &Scenario, log: &Log) -> Vec<String> {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let source = scenario.source().map(|name| path(&self.work.join(name)));
        let mut words = vec![scenario.verb.to_owned()];
        words.extend(source);
        words.push(path(&log.dir));
        words.extend_from_slice(&scenario.arguments);
        words.extend(["--json", "--verbose"].map(str::to_owned));
        words
    }

    /// A file with one line.
    pub(super) fn one_line(&self) -> &Path {
        &self.one_line
    }

    /// Goes on with a log of `length` blocks after a run of a scenario.
    pub(super) fn go_on(
        &self,
        scenario: &Scenario,
        log: &Log,
        length: Option<usize>,
    ) -> Result<(), String> {
        let length = match scenario.effect {
            Effect::Packs => return self.unpack(scenario, log, length.is_some()),
            Effect::Imports(_) => self.import_again(scenario, log)?,
            Effect::BacksUp if !self.confirm(log, length.is_some())? => return Ok(()),
            _ => length.unwrap_or(0),
        };
        log.go_on(length, &self.one_line)?;
        if matches!(scenario.effect, Effect::Imports(_)) {
            self.refuse_import(scenario, log)?;
        }
        Ok(())
    }

    /// The same run once more, without anything that goes wrong.
    fn again(&self, scenario: &Scenario, log: &Log) -> Result<Ran, String> {
        run(&mut program(&self.binary, self.words(scenario, log)))
    }

    /// What is left of a backup that was cut short is no log, and a whole one is confirmed before it is written to. Whether it is whole.
    fn confirm(&self, log: &Log, is_whole: bool) -> Result<bool, String> {
        let is_left = log.dir.exists() && !is_empty(&log.dir)?;
        let ran = log.run("append", &["--lines", &self.one_line.to_string_lossy()])?;
        let wanted = match (is_whole, is_left) {
            (true, _) => NOT_WRITABLE,
            (false, true) => NOT_FOUND,
            (false, false) => 0,
        };
        if ran.code != Some(wanted) {
            return Err(ran.unexpected("after a backup, `append`"));
        }
        if is_whole {
            log.done("confirm-newest", &[])?;
        }
        Ok(is_whole)
    }

    /// Packs what is not packed yet, and makes a directory of it, which must be the log.
    fn unpack(&self, scenario: &Scenario, log: &Log, is_packed: bool) -> Result<(), String> {
        let ran = self.again(scenario, log)?;
        if ran.code != Some(if is_packed { FAILED } else { 0 }) {
            return Err(ran.unexpected("a second `pack`"));
        }
        let unpacked = Log::new(&self.binary, log.dir.with_extension("unpacked"));
        log.done("unpack", &[&unpacked.dir.to_string_lossy()])?;
        unpacked.check(&Wanted::new(&self.closed, self.closed.len()))?;
        Ok(())
    }

    /// The same import ends with the whole feed, wherever it was cut short. Gives the length.
    fn import_again(&self, scenario: &Scenario, log: &Log) -> Result<usize, String> {
        let ran = self.again(scenario, log)?;
        if ran.code != Some(0) {
            return Err(ran.unexpected("a second import"));
        }
        let told: serde_json::Value =
            serde_json::from_slice(&ran.stdout).map_err(|error| error.to_string())?;
        if told["length"] != FEED_LENGTH || told["verified"] != FEED_LENGTH {
            return Err(format!("a second import says {told}"));
        }
        log.check(&Wanted::new(&self.feed, FEED_LENGTH))
    }

    /// A log that is not, or no more, what an import left is as before after one.
    fn refuse_import(&self, scenario: &Scenario, log: &Log) -> Result<(), String> {
        let before = log.done("ls", &["--json"])?;
        let ran = self.again(scenario, log)?;
        if ran.code != Some(FAILED) {
            return Err(ran.unexpected("an import into another log"));
        }
        if log.done("ls", &["--json"])? != before {
            return Err("an import changed another log".into());
        }
        Ok(())
    }

    /// Imports into somebody else's logs, one shorter than the feed and one that a killed process left: they must stay as they are.
    pub(super) fn spare_others(&self, scenario: &Scenario, folder: &Path) -> Result<(), String> {
        if !matches!(scenario.effect, Effect::Imports(_)) {
            return Ok(());
        }
        for (name, blocks) in [("closed", &self.closed), ("killed", &self.killed)] {
            let log = Log::new(&self.binary, folder.join(name));
            copy(&self.work.join(name), &log.dir).map_err(|error| error.to_string())?;
            self.refuse_import(scenario, &log)?;
            log.check(&Wanted::new(blocks, blocks.len()))?;
        }
        Ok(())
    }

    /// An empty folder for files of `name`.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf, String> {
        let failed = |error: std::io::Error| error.to_string();
        let folder = self.work.join(name.replace('/', "-"));
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(failed)?;
        }
        std::fs::create_dir_all(&folder).map_err(failed)?;
        Ok(folder)
    }

    /// The log that a scenario starts from, copied into `folder`.
    pub(super) fn start(&self, scenario: &Scenario, folder: &Path) -> Result<Log, String> {
        let log = Log::new(&self.binary, folder.join("log"));
        let base = match scenario.base {
            Base::Missing => return Ok(log),
            Base::Begun => "begun",
            Base::Closed => "closed",
            Base::Killed => "killed",
        };
        copy(&self.work.join(base), &log.dir).map_err(|error| error.to_string())?;
        Ok(log)
    }

    /// Checks a log after a run, and gives its length; `None` when nothing is stored, as is right
    /// where nothing was and nothing was acknowledged.
    ///
    /// `acknowledged` is how many blocks the run said it had stored before it failed; `None` for a
    /// run that succeeded.
    pub(super) fn check(
        &self,
        scenario: &Scenario,
        log: &Log,
        acknowledged: Option<usize>,
    ) -> Result<Option<usize>, String> {
        let is_done = acknowledged.is_none();
        if scenario.base == Base::Missing && acknowledged == Some(0) && !log.is_stored()? {
            return Ok(None);
        }
        let base = match scenario.base {
            Base::Missing => &[],
            Base::Begun => &self.feed[..BEGUN_LENGTH],
            Base::Closed => self.closed.as_slice(),
            Base::Killed => self.killed.as_slice(),
        };
        let length = match &scenario.effect {
            Effect::Nothing => log.check(&Wanted::new(base, base.len()))?,
            Effect::Makes => log.check(&Wanted::new(base, 0))?,
            Effect::BacksUp | Effect::Packs => {
                log.check(&Wanted::new(&self.closed, self.closed.len()))?
            }
            Effect::Appends(blocks) | Effect::Imports(blocks) => {
                let attempted = [base, blocks].concat();
                let stored = acknowledged.unwrap_or(blocks.len());
                log.check(&Wanted::new(&attempted, base.len() + stored))?
            }
            Effect::Clears(cleared) => {
                let cleared = cleared.clone();
                let wanted = Wanted::new(base, base.len());
                log.check(&Wanted { cleared, is_cleared: is_done, ..wanted })?
            }
            Effect::Truncates(shorter) => {
                let length = log.check(&Wanted::new(base, *shorter))?;
                if length != *shorter && (is_done || length != base.len()) {
                    return Err(format!("{length} blocks are neither all nor {shorter}"));
                }
                length
            }
        };
        Ok(Some(length))
    }
}

fn is_empty(folder: &Path) -> Result<bool, String> {
    let mut entries = std::fs::read_dir(folder).map_err(|error| error.to_string())?;
    Ok(entries.next().is_none())
}
