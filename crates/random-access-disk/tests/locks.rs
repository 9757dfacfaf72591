//! Locks exclude other handles of this process and of others, and end with their holder.
//!
//! Another process is this test program, started again for one test with a task in its
//! environment.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use random_access_disk::{Access, Create, Lock, LockKind, RandomAccessDisk};
use random_access_storage::{Error, RandomAccess, Result};

const PATH: &str = "RANDOM_ACCESS_DISK_TEST_PATH";
const LOCK: &str = "RANDOM_ACCESS_DISK_TEST_LOCK";

fn open(path: &Path, lock: Lock) -> Result<RandomAccessDisk> {
    RandomAccessDisk::builder(path).lock(lock).open()
}

fn read(path: &Path, lock: Lock) -> Result<RandomAccessDisk> {
    RandomAccessDisk::builder(path).access(Access::ReadOnly).lock(lock).open()
}

fn locked(opened: &Result<RandomAccessDisk>) -> bool {
    match opened {
        Ok(_) => false,
        Err(Error::Locked) => true,
        Err(error) => panic!("{error:?}"),
    }
}

/// The other process: takes a lock, says how that went, and holds it until its input ends.
#[test]
fn other_process() {
    let (Ok(path), Ok(lock)) = (std::env::var(PATH), std::env::var(LOCK)) else {
        return;
    };
    let lock = if lock == "shared" { Lock::Shared } else { Lock::Exclusive };
    let opened = open(Path::new(&path), lock);
    println!("\nanswer {}", if locked(&opened) { "locked" } else { "taken" });
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// Starts the other process; gives it and whether it found the file locked.
fn start(path: &Path, lock: &str) -> (Child, bool) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "other_process", "--nocapture"])
        .env(PATH, path)
        .env(LOCK, lock)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let answer = output
        .lines()
        .map_while(std::result::Result::ok)
        .find_map(|line| line.strip_prefix("answer ").map(|answer| answer == "locked"));
    (child, answer.unwrap())
}

#[test]
fn another_process_is_excluded_until_the_holder_ends() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    let (mut holder, found_locked) = start(&path, "exclusive");
    assert!(!found_locked);
    assert!(locked(&open(&path, Lock::Exclusive)));
    assert!(locked(&open(&path, Lock::Shared)));
    assert!(locked(&read(&path, Lock::Shared)));
    // Locks are advisory.
    assert!(!locked(&open(&path, Lock::None)));
    holder.kill().unwrap();
    holder.wait().unwrap();
    let mine = open(&path, Lock::Exclusive).unwrap();
    let (mut other, found_locked) = start(&path, "shared");
    assert!(found_locked);
    other.kill().unwrap();
    other.wait().unwrap();
    drop(mine);
    let (mut other, found_locked) = start(&path, "shared");
    assert!(!found_locked);
    assert!(!locked(&read(&path, Lock::Shared)));
    assert!(locked(&open(&path, Lock::Exclusive)));
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn another_handle_of_this_process_is_excluded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    let writer = open(&path, Lock::Exclusive).unwrap();
    assert!(locked(&open(&path, Lock::Exclusive)));
    assert!(locked(&read(&path, Lock::Shared)));
    // Opening and closing other handles must not lose the lock, as it would with `F_SETLK`.
    drop(open(&path, Lock::None).unwrap());
    assert!(locked(&open(&path, Lock::Exclusive)));
    drop(writer);
    let readers = [read(&path, Lock::Shared).unwrap(), open(&path, Lock::Shared).unwrap()];
    assert!(locked(&open(&path, Lock::Exclusive)));
    drop(readers);
    open(&path, Lock::Exclusive).unwrap();
}

#[test]
fn a_file_made_later_is_locked_when_it_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    let open = || {
        let options = RandomAccessDisk::builder(&path).create(Create::OnFirstWrite);
        options.lock(Lock::Exclusive).open().unwrap()
    };
    let (one, two) = (open(), open());
    one.write_at(0, b"one").unwrap();
    assert!(matches!(two.write_at(0, b"two"), Err(Error::Locked)));
    assert!(matches!(two.read_vec_at(0, 1), Err(Error::Locked)));
    drop(one);
    two.write_at(1, b"two").unwrap();
    assert_eq!(two.read_vec_at(0, 4).unwrap(), b"otwo");
}

#[test]
fn flock_is_seen_by_those_who_take_it_themselves_and_not_by_the_other_kind() {
    use rustix::fs::{FlockOperation, flock};

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bitfield");
    let with = |lock| RandomAccessDisk::builder(&path).lock(lock).lock_kind(LockKind::Flock);
    let writer = with(Lock::Exclusive).open().unwrap();
    assert!(locked(&with(Lock::Shared).access(Access::ReadOnly).open()));
    assert!(!locked(&open(&path, Lock::Exclusive)));
    // What `fsctl` and `fd-lock` do.
    let other = std::fs::File::open(&path).unwrap();
    let try_it = || flock(&other, FlockOperation::NonBlockingLockExclusive);
    assert_eq!(try_it(), Err(rustix::io::Errno::WOULDBLOCK));
    drop(writer);
    let reader = with(Lock::Shared).access(Access::ReadOnly).open().unwrap();
    assert_eq!(try_it(), Err(rustix::io::Errno::WOULDBLOCK));
    drop(reader);
    try_it().unwrap();
    assert!(locked(&with(Lock::Shared).open()));
}
