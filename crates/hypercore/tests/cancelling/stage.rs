//! The logs of one attempt: set up before it, judged after it.

use std::sync::Mutex;

use hypercore::{Durability, Hypercore, NamedBatch, Replication, Storage};

use crate::common::connect;
use crate::dropping::{Case, IDLE};
use crate::gate::Disk;

/// The blocks of a log; `None` for one that is not stored.
pub(crate) type Contents = Vec<Option<Vec<u8>>>;

/// Blocks that a log has at the beginning.
pub(crate) const BLOCKS: usize = 5;

/// Which logs there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    /// A log that can be written to, with a few blocks.
    Writer,
    /// A copy without any block yet, connected to a writer with a few.
    Reader,
    /// A log that was written and closed.
    Closed,
    /// A log with a batch of three blocks that are not committed.
    Drafted,
    /// A log that a backup brought back, which nobody has confirmed yet.
    Restored,
}

pub(crate) struct Stage {
    pub(crate) disk: Disk,
    pub(crate) durability: Durability,
    /// The log that lies on `disk`; none while it is closed.
    log: Option<Hypercore>,
    /// The writer that the log on `disk` is a copy of, and their connection.
    source: Option<(Hypercore, (Replication, Replication))>,
    /// What somebody else had of the log before it was restored.
    copy: Option<Hypercore>,
    /// A batch of the log.
    draft: Mutex<Option<NamedBatch>>,
}

/// What the key pair of the log on the disk comes from.
pub(crate) const SEED: [u8; 32] = [1; 32];

/// The content of block `index`: long enough that two or three of them make more than one page.
pub(crate) fn block(index: usize) -> Vec<u8> {
    format!("block {index} ").repeat(100).into_bytes()
}

/// The blocks of a range, as they are at the beginning or appended by a case.
pub(crate) fn blocks(range: std::ops::Range<usize>) -> Vec<Vec<u8>> {
    range.map(block).collect()
}

/// A log that has these blocks.
pub(crate) fn holds(range: std::ops::Range<usize>) -> Contents {
    range.map(|index| Some(block(index))).collect()
}

impl Stage {
    pub(crate) async fn set(disk: Disk, scene: Scene, durability: Durability) -> Self {
        let draft = Mutex::new(None);
        let mut stage = Self { disk, durability, log: None, source: None, copy: None, draft };
        if scene == Scene::Reader {
            let source = Hypercore::open(Storage::memory()).await.unwrap();
            source.append_batch(blocks(0..BLOCKS)).await.unwrap();
            let builder = Hypercore::builder(stage.disk.storage()).key(source.key());
            let log = builder.durability(durability).open().await.unwrap();
            let connection = connect(&log, &source);
            log.update().await.unwrap();
            (stage.log, stage.source) = (Some(log), Some((source, connection)));
        } else {
            let log = stage.open().await;
            log.append_batch(blocks(0..BLOCKS)).await.unwrap();
            log.flush().await.unwrap();
            match scene {
                Scene::Closed => log.close().await.unwrap(),
                Scene::Drafted => {
                    let batch = log.batch("draft").open().await.unwrap();
                    batch.append_batch(blocks(BLOCKS..BLOCKS + 3)).await.unwrap();
                    stage.draft = Mutex::new(Some(batch));
                    stage.log = Some(log);
                }
                Scene::Restored => stage.log = Some(stage.restored(log).await),
                _ => stage.log = Some(log),
            }
        }
        settle().await;
        stage
    }

    /// The log on the disk.
    pub(crate) fn log(&self) -> Hypercore {
        self.log.clone().expect("a scene with an open log")
    }

    /// The writer of the log on the disk.
    pub(crate) fn source(&self) -> Hypercore {
        self.source.as_ref().expect("a scene with a writer elsewhere").0.clone()
    }

    /// What somebody else had of the log before it was restored.
    pub(crate) fn copy(&self) -> Hypercore {
        self.copy.clone().expect("a scene with a restored log")
    }

    /// The batch of the log; the future of the case has it alone.
    pub(crate) fn draft(&self) -> NamedBatch {
        self.draft.lock().unwrap().take().expect("a scene with a batch")
    }

    /// Brings a backup of the log into the place of the log.
    async fn restored(&mut self, log: Hypercore) -> Hypercore {
        let copy = Hypercore::builder(Storage::memory()).key(log.key()).open().await.unwrap();
        let connection = connect(&copy, &log);
        copy.update().await.unwrap();
        drop(connection);
        self.copy = Some(copy);
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("copy");
        log.backup(&folder).await.unwrap();
        log.close().await.unwrap();
        self.disk = self.disk.emptied();
        self.disk.fill_from(&folder);
        self.open().await
    }

    /// Opens what lies on the disk.
    async fn open(&self) -> Hypercore {
        let builder = Hypercore::builder(self.disk.storage()).seed(&SEED);
        builder.durability(self.durability).open().await.unwrap()
    }

    /// What must hold whenever a future was dropped: what it had begun is whole or absent, nothing waits any more, the
    /// next call works, and the log closes, opens and verifies.
    pub(crate) async fn judge(mut self, case: &Case, ended: bool, points: usize) {
        let at = format!("{:?}, {:?}, point {points}", case.covers, self.durability);
        settle().await;
        let Some(log) = self.log.take() else {
            return self.judge_reopened(&holds(0..BLOCKS), &at).await;
        };
        let before = if self.source.is_some() { None } else { Some(holds(0..BLOCKS)) };
        let mut expected = match before {
            Some(before) if !case.closes => {
                let now = contents(&log).await;
                let allowed = [before].into_iter().chain(case.leaves.iter().cloned());
                let allowed: Vec<Contents> =
                    if ended { allowed.last().into_iter().collect() } else { allowed.collect() };
                assert!(allowed.contains(&now), "{at}: {} blocks", now.len());
                now
            }
            _ => holds(0..BLOCKS),
        };
        if let Some((source, _)) = &self.source {
            let debug = format!("{log:?}");
            assert!(debug.contains("wishes: Some(0)"), "{at}: {debug}");
            for peer in log.peers().await.unwrap() {
                assert_eq!(peer.info().in_flight, 0, "{at}");
            }
            let last = source.append("next").await.unwrap().first;
            assert_eq!(log.get(last).await.unwrap(), "next", "{at}");
        } else if !case.closes {
            if log.needs_confirmation().unwrap() {
                assert!(!ended, "{at}: it is not confirmed");
                log.confirm_newest().await.unwrap();
            }
            let next = log.append("next").await.unwrap();
            assert_eq!(next.first, expected.len() as u64, "{at}");
            assert_eq!(log.get(next.first).await.unwrap(), "next", "{at}");
            expected.push(Some(b"next".to_vec()));
        }
        let closed = log.close().await;
        closed.unwrap_or_else(|error| panic!("{at}: {error}"));
        drop(log);
        settle().await;
        if case.deletes && (ended || self.disk.is_empty()) {
            assert!(self.disk.is_empty(), "{at}: something is left");
            return;
        }
        self.judge_reopened(&expected, &at).await;
    }

    async fn judge_reopened(&self, expected: &Contents, at: &str) {
        let Some((source, _)) = &self.source else {
            let log = self.open().await;
            assert_eq!(&contents(&log).await, expected, "{at}: reopened");
            judge_batches(&log, at).await;
            return verify(log, at).await;
        };
        let builder = Hypercore::builder(self.disk.storage()).key(source.key());
        let log = builder.open().await.unwrap_or_else(|error| panic!("{at}: {error}"));
        let stored = contents(&log).await;
        for (index, block) in stored.iter().enumerate() {
            let theirs = source.get_local(index as u64).await.unwrap().map(Vec::from);
            assert!(block.is_none() || *block == theirs, "{at}: block {index}");
        }
        assert!(stored.iter().any(Option::is_some), "{at}: the block that was read is stored");
        verify(log, at).await;
    }
}

/// Batches are what some call left: the blocks of the log and up to three more, all there.
async fn judge_batches(log: &Hypercore, at: &str) {
    for name in log.batches().await.unwrap() {
        let batch = log.batch(&name).open().await.unwrap_or_else(|error| panic!("{at}: {error}"));
        let length = usize::try_from(batch.length()).unwrap();
        assert!((BLOCKS..=BLOCKS + 3).contains(&length), "{at}: {length} blocks in {name}");
        assert_eq!(contents(&batch).await, holds(0..length), "{at}: batch {name}");
        batch.discard().await.unwrap();
    }
}

async fn verify(log: Hypercore, at: &str) {
    let report = log.verify().await.unwrap();
    assert!(report.is_ok(), "{at}: {report:?}");
    log.close().await.unwrap();
}

pub(crate) async fn contents(log: &Hypercore) -> Contents {
    let mut contents = Vec::new();
    for index in 0..log.length() {
        contents.push(log.get_local(index).await.unwrap().map(Vec::from));
    }
    contents
}

/// Waits until no task and no blocking thread has anything to do.
async fn settle() {
    tokio::time::sleep(IDLE).await;
    tokio::time::sleep(IDLE).await;
}
