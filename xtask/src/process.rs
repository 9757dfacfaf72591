//! Child processes: quiet on success, everything they said on failure.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::report::{Miss, miss};
use crate::tree;

/// What builds the commands that others run, as the tests build them: named by themselves, or without the examples, for
/// which cargo counts what only tests depend on, they would be built anew with their own choice of features.
pub(crate) const BUILD_BINARIES: [&str; 5] =
    ["build", "--workspace", "--all-features", "--bins", "--examples"];

/// What cargo is told when all is built once, and nobody is going to change or to debug it: neither what a next build
/// could take over nor the lines of the source are written down.
const BUILT_ONCE: [(&str, &str); 4] = [
    ("CARGO_INCREMENTAL", "0"),
    ("CARGO_PROFILE_DEV_DEBUG", "0"),
    ("CARGO_PROFILE_CHECKED_DEBUG", "0"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
];

static IS_BUILT_ONCE: AtomicBool = AtomicBool::new(false);

/// From now on cargo builds for one run of all checks.
pub(crate) fn build_once() {
    IS_BUILT_ONCE.store(true, Ordering::Relaxed);
}

/// `cargo`, in the project's root, by the path of the cargo that runs this.
pub(crate) fn cargo<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    program(cargo, arguments)
}

/// Any other program, in the project's root.
pub(crate) fn program<I: AsRef<OsStr>>(
    name: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = I>,
) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(tree::root()).stdin(Stdio::null());
    // What cargo tells this process about its own package is not meant for others.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    if IS_BUILT_ONCE.load(Ordering::Relaxed) {
        command.envs(BUILT_ONCE);
    }
    command
}

/// Whether `name --version` works here.
pub(crate) fn is_present(name: impl AsRef<OsStr>) -> bool {
    Command::new(name)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// What `command` is, for people.
pub(crate) fn show(command: &Command) -> String {
    let mut text = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

/// Whether lines are shown as they come, or only when the command failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Echo {
    /// Shown only when the command failed.
    OnFailure,
    /// Shown as they come.
    Always,
}

/// Runs `command` to its end and gives what it printed, both streams together.
pub(crate) fn capture(command: &mut Command, echo: Echo) -> Result<String, Miss> {
    let (status, text) = try_capture(command, echo)?;
    if status.success() {
        Ok(text)
    } else {
        miss(format!("`{}` ended with {status}", show(command)))
    }
}

/// As [`capture`], for those who want to read what a command that failed printed.
pub(crate) fn try_capture(command: &mut Command, echo: Echo) -> Result<(ExitStatus, String), Miss> {
    let what = show(command);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Miss(format!("{what}: {error}")))?;
    let text = collect(&mut child, echo);
    let status = child.wait()?;
    if !status.success() && echo == Echo::OnFailure {
        eprint!("{text}");
    }
    Ok((status, text))
}

/// Runs `command` on this process' own terminal.
pub(crate) fn run_in_front(command: &mut Command) -> Result<(), Miss> {
    let what = show(command);
    let status = command.status().map_err(|error| Miss(format!("{what}: {error}")))?;
    if status.success() { Ok(()) } else { miss(format!("`{what}` ended with {status}")) }
}

/// Runs `command` and gives its standard output alone.
pub(crate) fn output(command: &mut Command) -> Result<String, Miss> {
    let what = show(command);
    let output = command.output().map_err(|error| Miss(format!("{what}: {error}")))?;
    if output.status.success() {
        return String::from_utf8(output.stdout).map_err(|_| Miss(format!("{what}: not UTF-8")));
    }
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    miss(format!("`{what}` ended with {}", output.status))
}

fn collect(child: &mut Child, echo: Echo) -> String {
    let lines = Arc::new(Mutex::new(String::new()));
    let standard = child.stdout.take().map(|stream| copy(stream, Arc::clone(&lines), echo));
    let error = child.stderr.take().map(|stream| copy(stream, Arc::clone(&lines), echo));
    for thread in [standard, error].into_iter().flatten() {
        let _ = thread.join();
    }
    let text = lines.lock().expect("no reader panicked");
    text.clone()
}

fn copy(
    stream: impl Read + Send + 'static,
    lines: Arc<Mutex<String>>,
    echo: Echo,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|len| len > 0) {
            let text = String::from_utf8_lossy(&line);
            if echo == Echo::Always {
                print!("{text}");
            }
            lines.lock().expect("no reader panicked").push_str(&text);
            line.clear();
        }
    })
}
