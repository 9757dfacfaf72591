//! What the tests share.

use hypercore::{Bytes, Hypercore, Storage};

pub(crate) async fn in_memory() -> Hypercore {
    Hypercore::open(Storage::memory()).await.unwrap()
}

/// All blocks of a log or a batch, those that are not here left out.
pub(crate) async fn blocks(log: &Hypercore) -> Vec<Bytes> {
    let mut blocks = Vec::new();
    for index in 0..log.length() {
        blocks.extend(log.get_local(index).await.unwrap());
    }
    blocks
}
