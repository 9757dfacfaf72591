//! Values of an application beside the log.

mod common;

use std::collections::BTreeMap;
use std::ops::Bound;

use common::{reader, writer};
use hypercore::{Access, Durability, ErrorKind, Hypercore, MemoryStorage, USER_DATA_LEN_MAX};
use proptest::prelude::*;

#[tokio::test]
async fn values_are_set_replaced_and_removed() {
    let log = writer(1).await;
    assert_eq!(log.user_data("a").await.unwrap(), None);
    log.set_user_data("a", "one").await.unwrap();
    log.set_user_data("a", b"two").await.unwrap();
    log.set_user_data("b", [0, 255]).await.unwrap();
    assert_eq!(log.user_data("a").await.unwrap().unwrap(), "two");
    assert_eq!(log.user_data("b").await.unwrap().unwrap(), &[0, 255][..]);
    log.remove_user_data("a").await.unwrap();
    log.remove_user_data("never there").await.unwrap();
    log.set_user_data("b", "").await.unwrap();
    assert_eq!(log.user_data("a").await.unwrap(), None);
    assert_eq!(log.user_data("b").await.unwrap(), None);
    assert_eq!((log.length(), log.fork()), (1, 0));
}

#[tokio::test]
async fn user_data_survives_a_reopening() {
    for durability in [Durability::Immediate, Durability::Eventual] {
        let scratch = tempfile::tempdir().unwrap();
        let builder = || Hypercore::builder(scratch.path()).durability(durability);
        let log = builder().open().await.unwrap();
        log.set_user_data("kept", "value").await.unwrap();
        log.set_user_data("gone", "value").await.unwrap();
        log.remove_user_data("gone").await.unwrap();
        drop(log);
        let log = builder().open().await.unwrap();
        assert_eq!(log.user_data("kept").await.unwrap().unwrap(), "value");
        assert_eq!(log.user_data("gone").await.unwrap(), None);
    }
}

#[tokio::test]
async fn ranges_are_in_the_order_of_the_keys() {
    let log = writer(0).await;
    for key in ["b", "a", "ca", "c", "d", "\u{e9}", "aa"] {
        log.set_user_data(key, key.to_uppercase()).await.unwrap();
    }
    let keys = async |range: (Bound<&'static str>, Bound<&'static str>), limit| {
        let found = log.user_data_range(range, limit).await.unwrap();
        assert!(found.iter().all(|(key, value)| *value == key.to_uppercase()));
        found.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    let all = (Bound::Unbounded, Bound::Unbounded);
    assert_eq!(keys(all, 100).await, ["a", "aa", "b", "c", "ca", "d", "\u{e9}"]);
    assert_eq!(keys(all, 2).await, ["a", "aa"]);
    assert!(keys(all, 0).await.is_empty());
    assert_eq!(keys((Bound::Excluded("aa"), Bound::Unbounded), 2).await, ["b", "c"]);
    assert_eq!(log.user_data_range("b".."ca", 9).await.unwrap().len(), 2);
    assert_eq!(log.user_data_range("b"..="ca", 9).await.unwrap().len(), 3);
    assert_eq!(log.user_data_range("c".., 9).await.unwrap().len(), 4);
    assert!(log.user_data_range("x".."b", 9).await.unwrap().is_empty());
}

/// A reader keeps its own; what the writer keeps does not come to it.
#[tokio::test]
async fn a_log_that_others_write_has_user_data_of_its_own() {
    let log = writer(1).await;
    log.set_user_data("key", "the writer's").await.unwrap();
    let copy = reader(&log).await;
    let _both = common::connect(&copy, &log);
    copy.get(0).await.unwrap();
    assert_eq!(copy.user_data("key").await.unwrap(), None);
    copy.set_user_data("key", "the reader's").await.unwrap();
    assert_eq!(log.user_data("key").await.unwrap().unwrap(), "the writer's");
}

#[tokio::test]
async fn keys_of_the_log_itself_are_hidden() {
    let log = writer(0).await;
    for key in ["hypercore-log/", "hypercore-log/conflict"] {
        let error = log.set_user_data(key, "x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Caller);
        assert!(log.remove_user_data(key).await.is_err());
        assert_eq!(log.user_data(key).await.unwrap(), None);
    }
    log.set_user_data("hypercore-log", "not one of them").await.unwrap();
    assert_eq!(log.user_data_range(.., 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let memory = MemoryStorage::new();
    let log = Hypercore::open(memory.clone()).await.unwrap();
    log.set_user_data("a", "value").await.unwrap();
    let error = log.set_user_data("b", vec![1; USER_DATA_LEN_MAX]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Caller);
    let session = log.session().writable(false).open().await.unwrap();
    assert!(session.set_user_data("a", "other").await.unwrap_err().is_not_writable());
    let snapshot = log.snapshot().await.unwrap();
    assert!(snapshot.remove_user_data("a").await.unwrap_err().is_not_writable());
    assert_eq!(snapshot.user_data("a").await.unwrap().unwrap(), "value");
    drop((session, snapshot));
    log.close().await.unwrap();
    assert_eq!(log.user_data("a").await.unwrap_err().kind(), ErrorKind::Closed);
    let log = Hypercore::builder(memory).access(Access::ReadOnly).open().await.unwrap();
    assert!(log.set_user_data("a", "other").await.unwrap_err().is_not_writable());
    assert_eq!(log.user_data_range(.., 9).await.unwrap(), [("a".to_owned(), "value".into())]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn it_is_a_map_in_order(
        steps in proptest::collection::vec(("[a-d]{0,3}", proptest::option::of(0_u8..4)), 0..60),
        ends in ("[a-d]{0,3}", "[a-d]{0,3}"),
        limit in 0_usize..20,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let log = writer(0).await;
            let mut map = BTreeMap::new();
            for (key, value) in steps {
                match value {
                    Some(value) => {
                        log.set_user_data(&key, [value]).await.unwrap();
                        map.insert(key, vec![value]);
                    }
                    None => {
                        log.remove_user_data(&key).await.unwrap();
                        map.remove(&key);
                    }
                }
            }
            let (start, end) = (ends.0.clone().min(ends.1.clone()), ends.0.max(ends.1));
            let found = log.user_data_range(&*start..&*end, limit).await.unwrap();
            let found: Vec<_> = found.into_iter().map(|(key, value)| (key, value.to_vec())).collect();
            let wanted: Vec<_> = map.range(start..end).take(limit).map(|(key, value)| (key.clone(), value.clone())).collect();
            prop_assert_eq!(found, wanted);
            Ok(())
        })?;
    }
}
