//! Processes that do timed jobs: JavaScript Hypercore 11 and 9, which take part without node's start, and
//! peers of our own that speak the same lines.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::measure::Contender;

/// Where the packages and the scripts are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("javascript")
}

/// Why JavaScript can not take part, if it can not.
pub fn absence() -> Option<String> {
    absence_in(&folder())
}

fn absence_in(folder: &Path) -> Option<String> {
    let node = Command::new("node").arg("--version").stdout(Stdio::null()).status();
    if !node.is_ok_and(|status| status.success()) {
        return Some("node is missing".to_owned());
    }
    let installed = folder.join("node_modules").join("hypercore").exists();
    let name = folder.file_name().unwrap_or_default().display();
    (!installed).then(|| format!("not installed: `npm ci` in the folder {name} of the bench"))
}

/// The process, until it is dropped.
pub struct JavaScript {
    child: Child,
    pipes: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
}

impl JavaScript {
    /// Starts it, or says why not.
    pub fn start() -> Result<Self, String> {
        if let Some(why) = absence() {
            return Err(why);
        }
        Self::spawn(Command::new("node").arg(folder().join("driver.js")))
    }

    /// Starts JavaScript Hypercore 9, or says why not.
    pub fn sleep() -> Result<Self, String> {
        let folder = folder().join("sleep");
        if let Some(why) = absence_in(&folder) {
            return Err(why);
        }
        Self::spawn(Command::new("node").arg(folder.join("driver.js")))
    }

    /// Starts a process that speaks the lines of `driver.js`.
    pub fn spawn(command: &mut Command) -> Result<Self, String> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Ok(Self { child, pipes: RefCell::new((input, output)) })
    }

    /// Has a job done and gives its answer, which for most is its time in nanoseconds.
    pub fn ask(&self, job: &str) -> f64 {
        let answer = self.ask_text(job);
        answer.parse().unwrap_or_else(|_| panic!("{job}: {answer}"))
    }

    /// Has a job done whose answer is a word.
    pub fn ask_text(&self, job: &str) -> String {
        let (input, output) = &mut *self.pipes.borrow_mut();
        writeln!(input, "{job}").expect("the process listens");
        let mut answer = String::new();
        output.read_line(&mut answer).expect("the process answers");
        answer.trim().to_owned()
    }

    /// Opens the log in `folder`, and gives the most memory in bytes that the process ever had.
    pub fn opened_memory(&self, folder: &Path) -> u64 {
        self.ask(&format!("open {}", folder.display()));
        self.ask("resident") as u64
    }

    /// JavaScript in a race, or its excuse.
    pub fn contender<'a>(
        javascript: &'a Result<Self, String>,
        name: impl Into<String>,
        mut sample: impl FnMut(&Self) -> f64 + 'a,
    ) -> Contender<'a> {
        match javascript {
            Ok(javascript) => Contender::new(name, move || sample(javascript)),
            Err(why) => Contender::absent(name, why.as_str()),
        }
    }
}

impl Drop for JavaScript {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
