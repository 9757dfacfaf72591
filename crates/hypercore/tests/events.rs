//! What is told of a log itself: in order, adding up, and never waited for.

mod common;

use common::{connect, reader, writer};
use futures_util::StreamExt as _;
use hypercore::{Durability, EVENTS_MAX, Event, Events, Hypercore, Storage};

async fn next(events: &mut Events) -> String {
    format!("{:?}", events.next().await)
}

fn told(event: Event) -> String {
    format!("{:?}", Some(event))
}

/// The next event that is not about a peer.
async fn next_of_log(events: &mut Events) -> Option<Event> {
    loop {
        match events.next().await {
            Some(
                Event::PeerAdded { .. }
                | Event::PeerChanged { .. }
                | Event::PeerRemoved { .. }
                | Event::Downloaded { .. }
                | Event::Uploaded { .. }
                | Event::RemoteContiguousLength { .. },
            ) => {}
            event => return event,
        }
    }
}

#[tokio::test]
async fn ready_comes_first_then_what_the_log_is_made_to_do() {
    let log = writer(2).await;
    let mut events = log.events();
    log.append("three").await.unwrap();
    log.append_batch(["four", "five"]).await.unwrap();
    log.truncate(1, None).await.unwrap();
    log.append("another").await.unwrap();
    log.close().await.unwrap();
    for event in [
        Event::Ready { length: 2, byte_length: 14, fork: 0 },
        Event::Appended { length: 3, byte_length: 19 },
        Event::Appended { length: 5, byte_length: 27 },
        Event::Truncated { length: 1, fork: 1 },
        Event::Appended { length: 2, byte_length: 14 },
        Event::Closed,
    ] {
        assert_eq!(next(&mut events).await, told(event));
    }
    assert!(events.next().await.is_none());
    assert!(events.next().await.is_none());
    assert!(matches!(log.events().next().await, Some(Event::Closed)));
}

#[tokio::test]
async fn a_reader_hears_of_the_writer_elsewhere() {
    let log = writer(3).await;
    let copy = reader(&log).await;
    let mut events = copy.events();
    let _both = connect(&copy, &log);
    let event = next_of_log(&mut events).await;
    assert!(matches!(event, Some(Event::Ready { length: 0, byte_length: 0, fork: 0 })));
    let event = next_of_log(&mut events).await;
    assert!(matches!(event, Some(Event::Appended { length: 3, byte_length: 21 })), "{event:?}");
    let event = next_of_log(&mut events).await;
    assert!(matches!(event, Some(Event::Manifest)), "{event:?}");
    log.truncate(2, None).await.unwrap();
    log.append("again").await.unwrap();
    let event = next_of_log(&mut events).await;
    assert!(matches!(event, Some(Event::Truncated { length: 2, fork: 1 })), "{event:?}");
    let event = next_of_log(&mut events).await;
    // The writer may have been seen between the two.
    assert!(matches!(event, Some(Event::Appended { length: 3, byte_length: 19 })), "{event:?}");
}

#[tokio::test]
async fn bytes_are_those_of_the_content() {
    let log = Hypercore::builder(Storage::memory()).encryption_key([1; 32]).open().await.unwrap();
    log.append("hello").await.unwrap();
    let mut events = log.events();
    log.append_batch(["", "world"]).await.unwrap();
    assert!(matches!(events.next().await, Some(Event::Ready { byte_length: 5, .. })));
    assert!(matches!(events.next().await, Some(Event::Appended { length: 3, byte_length: 10 })));
}

#[tokio::test]
async fn events_end_when_the_last_handle_is_dropped() {
    let log = writer(1).await;
    let other = log.clone();
    let mut events = log.events();
    drop(log);
    other.append("more").await.unwrap();
    drop(other);
    assert!(matches!(events.next().await, Some(Event::Ready { .. })));
    assert!(matches!(events.next().await, Some(Event::Appended { length: 2, .. })));
    assert!(matches!(events.next().await, Some(Event::Closed)));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn events_are_of_a_session_and_end_with_it() {
    let log = writer(1).await;
    for closes in [true, false] {
        let session = log.session().open().await.unwrap();
        let mut events = session.events();
        log.append("seen by both").await.unwrap();
        if closes {
            session.close().await.unwrap();
            assert!(matches!(session.events().next().await, Some(Event::Closed)));
        }
        drop(session);
        log.append("seen by one").await.unwrap();
        assert!(matches!(events.next().await, Some(Event::Ready { .. })));
        assert!(matches!(events.next().await, Some(Event::Appended { .. })));
        assert!(matches!(events.next().await, Some(Event::Closed)));
        assert!(events.next().await.is_none());
    }
}

/// Who does not read is told how much was missed, and what it then hears adds up again.
#[tokio::test]
async fn who_does_not_read_holds_up_nobody() {
    let builder = Hypercore::builder(Storage::memory()).durability(Durability::Eventual);
    let log = builder.open().await.unwrap();
    let (mut idle, mut awake) = (log.events(), log.events());
    let appends = EVENTS_MAX as u64 + 500;
    for length in 1..=appends {
        log.append([0]).await.unwrap();
        if length == 1 {
            assert!(matches!(awake.next().await, Some(Event::Ready { length: 0, .. })));
        }
        let event = awake.next().await;
        assert!(matches!(event, Some(Event::Appended { length: told, .. }) if told == length));
    }
    log.close().await.unwrap();
    let Some(Event::Lagged { missed }) = idle.next().await else { panic!("nothing was missed") };
    let rest: Vec<_> = idle.collect().await;
    // All appends, that it was ready and that it closed.
    assert_eq!((missed + rest.len() as u64, rest.len()), (appends + 2, EVENTS_MAX));
    let last = &rest[EVENTS_MAX - 2];
    assert!(matches!(last, Event::Appended { length, .. } if *length == appends), "{last:?}");
}

/// Whoever appends, and however many do so at once: what is told only ever grows, and ends at the head.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_told_is_in_order_whoever_changes_the_log() {
    for durability in [Durability::Immediate, Durability::Eventual] {
        let builder = Hypercore::builder(Storage::memory()).durability(durability);
        let log = builder.open().await.unwrap();
        let mut events = log.events();
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let log = log.clone();
                tokio::spawn(async move {
                    for _ in 0..50 {
                        log.append("block").await.unwrap();
                        // One that starts to listen in the middle of it.
                        let begin = match log.events().next().await {
                            Some(Event::Ready { length, byte_length, .. }) => (length, byte_length),
                            event => panic!("{event:?}"),
                        };
                        assert_eq!(begin.1, begin.0 * 5);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        log.close().await.unwrap();
        let mut last = 0;
        while let Some(event) = events.next().await {
            match event {
                Event::Ready { length: 0, .. } | Event::Lagged { .. } | Event::Closed => {}
                Event::Appended { length, byte_length } => {
                    assert!(length > last && byte_length == length * 5, "{length} after {last}");
                    last = length;
                }
                event => panic!("{event:?}"),
            }
        }
        assert_eq!(last, 400);
    }
}
