//! While a store stalls, those who poll do not.

use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::time::Duration;

use hypercore::{Durability, Hypercore};

use crate::gate::Disk;

/// An append to a batch that would have to wait for its flush is none for the thread that asks.
#[tokio::test]
async fn an_append_to_a_batch_does_not_wait_for_a_flush_on_the_thread_that_polls() {
    let disk = Disk::new();
    let builder = Hypercore::builder(disk.storage()).durability(Durability::Eventual);
    let log = builder.open().await.unwrap();
    let batch = log.batch("draft").open().await.unwrap();
    batch.append("a").await.unwrap();
    disk.gate.close();
    let flushing = tokio::spawn({
        let batch = batch.clone();
        async move { batch.flush().await }
    });
    disk.gate.arrived().await;
    let (polled, told) = mpsc::channel();
    let appending = std::thread::spawn({
        let batch = batch.clone();
        move || {
            let mut append = pin!(batch.append("b"));
            let begun = append.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            polled.send(begun.is_pending()).unwrap();
        }
    });
    // The time only counts when it fails.
    let is_pending = told.recv_timeout(Duration::from_secs(10));
    disk.gate.open();
    flushing.await.unwrap().unwrap();
    appending.join().unwrap();
    assert!(is_pending.unwrap());
}
