//! What was done although nobody waited for it any more is told to those who wait for something else.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use hypercore::{Event, Hypercore, Result};

use crate::gate::Disk;

/// Drops a call once it has begun to write, and lets it end.
async fn drop_begun(disk: &Disk, call: impl Future<Output = Result<()>>) {
    disk.gate.close();
    {
        let mut call = pin!(call);
        let begun = poll_fn(|context| Poll::Ready(call.as_mut().poll(context)));
        assert!(begun.await.is_pending());
        disk.gate.arrived().await;
    }
    disk.gate.open();
}

async fn three_blocks(disk: &Disk) -> Hypercore {
    let log = Hypercore::builder(disk.storage()).open().await.unwrap();
    log.append_batch(["a", "b", "c"]).await.unwrap();
    log
}

#[tokio::test]
async fn a_truncation_nobody_waits_for_is_an_event() {
    let disk = Disk::new();
    let log = three_blocks(&disk).await;
    let mut events = log.events();
    assert!(matches!(events.next().await, Some(Event::Ready { length: 3, .. })));
    drop_begun(&disk, log.truncate(1, None)).await;
    let told = events.next().await;
    assert!(matches!(told, Some(Event::Truncated { length: 1, .. })), "{told:?}");
}

#[tokio::test]
async fn who_waits_in_a_snapshot_hears_of_a_truncation_nobody_waits_for() {
    let disk = Disk::new();
    let log = three_blocks(&disk).await;
    log.clear(2..3).await.unwrap();
    let snapshot = log.snapshot().await.unwrap();
    let mut waiting: Pin<Box<_>> = Box::pin(snapshot.get(2));
    let begun = poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context)));
    assert!(begun.await.is_pending());
    drop_begun(&disk, log.truncate(1, None)).await;
    assert!(waiting.await.unwrap_err().is_rewritten());
}
