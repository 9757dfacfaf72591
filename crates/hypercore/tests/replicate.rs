//! Two logs over one stream: what one has the other gets, now and later.

mod common;

use common::{block, connect, reader, writer};
use hypercore::{DownloadRange, EndReason};

#[tokio::test]
async fn a_reader_gets_a_block_it_asks_for() {
    let log = writer(10).await;
    let copy = reader(&log).await;
    let (there, here) = connect(&copy, &log);
    assert_eq!(copy.get(7).await.unwrap(), block(7));
    assert!(!copy.has(6).await.unwrap(), "nobody asked for it");
    drop(there);
    assert!(matches!(here.await, EndReason::Ended));
}

#[tokio::test]
async fn a_download_brings_all_blocks() {
    let log = writer(1000).await;
    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    copy.update().await.unwrap();
    assert_eq!(copy.length(), 1000);
    let mut download = copy.download(DownloadRange::all()).unwrap();
    download.done().await.unwrap();
    let progress = download.progress().unwrap();
    assert_eq!((progress.wanted, progress.stored), (1000, 1000));
    for index in 0..1000 {
        assert_eq!(copy.get_local(index).await.unwrap().unwrap(), block(index as usize));
    }
    assert!(copy.verify().await.unwrap().is_ok());
}

#[tokio::test]
async fn what_is_appended_later_arrives() {
    let log = writer(0).await;
    let copy = reader(&log).await;
    let _both = connect(&copy, &log);
    for index in 0..5 {
        let waiting = tokio::spawn({
            let copy = copy.clone();
            async move { copy.get(index).await }
        });
        log.append(block(index as usize)).await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), block(index as usize));
    }
}

#[tokio::test]
async fn a_local_append_ends_the_wait_for_a_block() {
    let log = writer(1).await;
    let waiting = tokio::spawn({
        let log = log.clone();
        async move { log.get(2).await }
    });
    tokio::task::yield_now().await;
    log.append_batch(["one", "two"]).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), "two");
}
