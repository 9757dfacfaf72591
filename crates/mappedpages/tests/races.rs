//! Two processes that want the same file at the same time: one gets it, the other is told.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use mappedpages::{MappedPageError, Pager};

const ROUNDS: usize = 100;
/// Set for a process that takes orders.
const IS_RACER: &str = "MAPPEDPAGES_RACER";
/// Begins the lines that are answers; the test harness prints others.
const ANSWER: &str = "answer: ";

/// A process that opens or makes files when told.
struct Racer {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Racer {
    fn new() -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "racer", "--nocapture"])
            .env(IS_RACER, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self { process, orders, answers }
    }

    fn order(&mut self, order: &str, path: &Path) {
        self.orders.write_all(format!("{order} {}\n", path.display()).as_bytes()).unwrap();
    }

    fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.answers.read_line(&mut line).unwrap(), 0, "the racer ended");
            if let Some((_, answer)) = line.split_once(ANSWER) {
                return answer.trim_end().to_owned();
            }
        }
    }

    fn end(mut self) {
        drop(self.orders);
        assert!(self.process.wait().unwrap().success());
    }
}

/// What a racer runs; nothing when this is not one.
#[test]
fn racer() {
    if std::env::var_os(IS_RACER).is_none() {
        return;
    }
    let mut held = None;
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (order, path) = line.split_once(' ').unwrap();
        let pager = match order {
            "open" => Pager::<1024>::open(path),
            "create" => Pager::<1024>::create(path),
            _ => {
                held = None;
                println!("{ANSWER}let go");
                continue;
            }
        };
        let answer = match pager {
            Ok(pager) => {
                held = Some(pager);
                "has it".to_owned()
            }
            Err(MappedPageError::Locked) => "locked".to_owned(),
            Err(MappedPageError::Io(error)) => format!("{:?}", error.kind()),
            Err(error) => format!("{error:?}"),
        };
        println!("{ANSWER}{answer}");
    }
    drop(held);
}

/// Lets both racers go for the file at once and gives their answers, sorted.
fn race(racers: &mut [Racer; 2], orders: [&str; 2], path: &Path) -> [String; 2] {
    for (racer, order) in racers.iter_mut().zip(orders) {
        racer.order(order, path);
    }
    let mut answers = racers.each_mut().map(Racer::answer);
    for racer in racers {
        racer.order("let", path);
        assert_eq!(racer.answer(), "let go");
    }
    answers.sort();
    answers
}

#[test]
fn of_two_processes_that_open_a_file_one_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    Pager::<1024>::create(&path).unwrap().close().unwrap();
    let mut racers = [Racer::new(), Racer::new()];
    for _ in 0..ROUNDS {
        assert_eq!(race(&mut racers, ["open", "open"], &path), ["has it", "locked"]);
    }
    racers.into_iter().for_each(Racer::end);
    Pager::<1024>::open(&path).unwrap();
}

#[test]
fn of_two_processes_that_make_a_file_one_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut racers = [Racer::new(), Racer::new()];
    for round in 0..ROUNDS {
        let path = folder.path().join(format!("file-{round}"));
        assert_eq!(race(&mut racers, ["create", "create"], &path), ["AlreadyExists", "has it"]);
        assert_eq!(race(&mut racers, ["open", "open"], &path), ["has it", "locked"]);
    }
    racers.into_iter().for_each(Racer::end);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), ROUNDS, "nothing else is left");
}

/// A file that has its name is whole, so whoever opens it early finds nothing, or a lock.
#[test]
fn who_opens_a_file_that_is_being_made_finds_none_or_a_locked_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut racers = [Racer::new(), Racer::new()];
    for round in 0..ROUNDS {
        let path = folder.path().join(format!("file-{round}"));
        let answers = race(&mut racers, ["create", "open"], &path);
        assert!(
            answers == ["NotFound", "has it"] || answers == ["has it", "locked"],
            "round {round}: {answers:?}"
        );
    }
    racers.into_iter().for_each(Racer::end);
}

#[test]
fn of_many_threads_that_open_a_file_one_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    Pager::<1024>::create(&path).unwrap().close().unwrap();
    for _ in 0..ROUNDS {
        let barrier = std::sync::Barrier::new(4);
        let open = || {
            barrier.wait();
            let opened = Pager::<1024>::open(&path);
            // Nobody lets go before all have tried.
            barrier.wait();
            match opened {
                Ok(_) => 1,
                Err(MappedPageError::Locked) => 0,
                Err(error) => panic!("{error:?}"),
            }
        };
        let winners: usize = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).sum()
        });
        assert_eq!(winners, 1);
    }
}
