//! Commands that run beside others, and a relay between two of them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use super::{Ran, Shell};

/// What takes longer than this has hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command that runs with `--json`.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
    seen: Vec<String>,
}

impl Running {
    pub fn start(shell: &Shell, args: &[&str]) -> Self {
        let mut child = shell.spawn(&[args, &["--json"]].concat());
        let stdout = child.stdout.take().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        Self { child, lines, stderr: Some(stderr), seen: Vec::new() }
    }

    /// The next event of this name; others are read over.
    #[track_caller]
    pub fn event(&mut self, name: &str) -> Value {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                drop(self.child.kill());
                let stderr = self.stderr.take().map(|thread| thread.join().unwrap());
                panic!("no {name}, but {:?}, stderr {stderr:?}", self.seen);
            };
            let event: Value = serde_json::from_str(&line).unwrap();
            self.seen.push(line);
            if event["event"] == name {
                return event;
            }
        }
    }

    /// The next object.
    #[track_caller]
    pub fn object(&mut self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).expect("nothing more is printed");
        serde_json::from_str(&line).unwrap()
    }

    /// Sends a signal: `-INT`, `-TERM`.
    pub fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Kills it without a word.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end; `stdout` is what was not read before.
    #[track_caller]
    pub fn end(mut self) -> Ran {
        let mut stdout = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => writeln!(stdout, "{line}").unwrap(),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("it does not end"),
            }
        }
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        let stderr = self.stderr.take().map(|thread| thread.join().unwrap()).unwrap_or_default();
        Ran { code, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Shares logs.
pub struct Server {
    pub running: Running,
    pub address: String,
}

impl Server {
    pub fn start(shell: &Shell, dirs: &[&str]) -> Self {
        Self::at(shell, dirs, "127.0.0.1:0")
    }

    pub fn at(shell: &Shell, dirs: &[&str], listen: &str) -> Self {
        let mut running =
            Running::start(shell, &[&["serve"], dirs, &["--listen", listen]].concat());
        let address = running.event("listening")["address"].as_str().unwrap().to_owned();
        Self { running, address }
    }

    /// Ends it in order.
    #[track_caller]
    pub fn stop(self) {
        self.running.signal("-TERM");
        self.running.end().exits(0);
    }
}

/// Relays to `target` until so many bytes went back to the client, and then holds everything.
pub struct Relay {
    pub address: String,
    passed: Arc<(Mutex<u64>, Condvar)>,
    limit: u64,
}

impl Relay {
    pub fn start(target: &str, limit: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let passed = Arc::new((Mutex::new(0), Condvar::new()));
        let (counted, target) = (Arc::clone(&passed), target.to_owned());
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let far = TcpStream::connect(&target).unwrap();
                let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                std::thread::spawn(move || copy(near_too, far_too, None));
                let counted = Arc::clone(&counted);
                std::thread::spawn(move || copy(far, near, Some((counted, limit))));
            }
        });
        Self { address, passed, limit }
    }

    /// Waits until nothing more goes through.
    pub fn wait(&self) {
        let (passed, changed) = &*self.passed;
        let waited = changed
            .wait_timeout_while(passed.lock().unwrap(), PATIENCE, |passed| *passed < self.limit)
            .unwrap();
        assert!(!waited.1.timed_out(), "only {} bytes went through", waited.0);
    }
}

type Counted = (Arc<(Mutex<u64>, Condvar)>, u64);

fn copy(mut from: TcpStream, mut to: TcpStream, counted: Option<Counted>) {
    let mut buffer = [0; 4096];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        if let Some((state, limit)) = &counted {
            let (passed, changed) = &**state;
            let mut passed = passed.lock().unwrap();
            if *passed >= *limit {
                // Held until the other side goes away.
                drop(passed);
                while to.peek(&mut [0]).is_ok_and(|len| len > 0) {
                    std::thread::sleep(Duration::from_millis(20));
                }
                break;
            }
            *passed += len as u64;
            changed.notify_all();
        }
        if to.write_all(&buffer[..len]).is_err() {
            break;
        }
    }
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}

/// An address that nobody listens on.
pub fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Runs a command under a limit on the size of files, in KiB, as a full disk would end it.
pub fn run_limited(shell: &Shell, limit_kib: u32, args: &[&str]) -> Ran {
    let quoted: Vec<String> = args.iter().map(|arg| format!("'{arg}'")).collect();
    let script = format!(
        "trap '' XFSZ; ulimit -f {limit_kib}; exec '{}' {}",
        env!("CARGO_BIN_EXE_hypercore"),
        quoted.join(" ")
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(shell.path("."))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
