//! Logs and connections that the replication tests share.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod pipe;

use hypercore::{Hypercore, Replication, Role, Storage};

/// A writer in memory with so many blocks, "block 0" to the last.
pub(crate) async fn writer(blocks: usize) -> Hypercore {
    let log = Hypercore::open(Storage::memory()).await.unwrap();
    let blocks: Vec<String> = (0..blocks).map(block).collect();
    log.append_batch(&blocks).await.unwrap();
    log
}

/// An empty reader of a log.
pub(crate) async fn reader(of: &Hypercore) -> Hypercore {
    Hypercore::builder(Storage::memory()).key(of.key()).open().await.unwrap()
}

pub(crate) fn block(index: usize) -> String {
    format!("block {index}")
}

/// Connects two logs over a pipe in memory.
pub(crate) fn connect(initiator: &Hypercore, responder: &Hypercore) -> (Replication, Replication) {
    connect_through(initiator, responder, 64 * 1024)
}

/// Connects two logs over a pipe that holds so many bytes.
pub(crate) fn connect_through(
    initiator: &Hypercore,
    responder: &Hypercore,
    len: usize,
) -> (Replication, Replication) {
    let (one, other) = tokio::io::duplex(len);
    (initiator.replicate(one, Role::Initiator), responder.replicate(other, Role::Responder))
}
