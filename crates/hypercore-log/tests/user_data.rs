//! User data: by key, in ranges, and what the log keeps there for itself.

mod support;

use std::collections::BTreeMap;
use std::ops::Bound;

use hypercore_log::LogError;
use proptest::prelude::*;
use support::{Disk, create, reopen};

type Entries = Vec<(String, Vec<u8>)>;

fn key_bound() -> impl Strategy<Value = Bound<String>> {
    prop_oneof![
        Just(Bound::Unbounded),
        "[a-e]{0,2}".prop_map(Bound::Included),
        "[a-e]{0,2}".prop_map(Bound::Excluded),
    ]
}

fn as_str(bound: &Bound<String>) -> Bound<&str> {
    match bound {
        Bound::Included(key) => Bound::Included(key),
        Bound::Excluded(key) => Bound::Excluded(key),
        Bound::Unbounded => Bound::Unbounded,
    }
}

proptest! {
    #[test]
    fn a_range_is_that_of_an_ordered_map(
        entries in proptest::collection::vec(("[a-e]{0,2}", proptest::option::of(0_u8..4)), 0..80),
        start in key_bound(),
        end in key_bound(),
        limit in 0_usize..30,
    ) {
        let disk = Disk::new();
        let log = create(&disk);
        let mut map = BTreeMap::new();
        for (key, value) in entries {
            // Of no bytes is none.
            let value = value.map(|len| vec![1; usize::from(len)]);
            log.set_user_data(&key, value.as_deref()).unwrap();
            map.remove(&key);
            map.extend(value.filter(|value| !value.is_empty()).map(|value| (key, value)));
        }
        let inside = |key: &str| {
            let after = match &start {
                Bound::Included(start) => key >= start.as_str(),
                Bound::Excluded(start) => key > start.as_str(),
                Bound::Unbounded => true,
            };
            let before = match &end {
                Bound::Included(end) => key <= end.as_str(),
                Bound::Excluded(end) => key < end.as_str(),
                Bound::Unbounded => true,
            };
            after && before
        };
        let wanted: Entries = map.into_iter().filter(|(key, _)| inside(key)).take(limit).collect();
        let bounds = (as_str(&start), as_str(&end));
        prop_assert_eq!(log.user_data_range(bounds, limit), wanted.clone());
        drop(log);
        prop_assert_eq!(reopen(&disk).user_data_range(bounds, limit), wanted);
    }
}

#[test]
fn pages_follow_each_other() {
    let log = create(&Disk::new());
    for number in (0..100).rev() {
        log.set_user_data(&format!("key {number:02}"), Some(b"value")).unwrap();
    }
    let mut seen: Vec<String> = Vec::new();
    loop {
        let after = seen.last().map_or(Bound::Unbounded, |last| Bound::Excluded(last.as_str()));
        let page = log.user_data_range((after, Bound::Unbounded), 7);
        if page.is_empty() {
            break;
        }
        seen.extend(page.into_iter().map(|(key, _)| key));
    }
    assert_eq!(seen, (0..100).map(|number| format!("key {number:02}")).collect::<Vec<_>>());
    assert_eq!(log.user_data_range("key 10".."key 12", 99).len(), 2);
    assert_eq!(log.user_data_range("key 90".., 99).len(), 10);
    assert_eq!(log.user_data_range(.., 99).len(), 99);
}

#[test]
fn what_the_log_keeps_for_itself_is_not_seen_and_not_set() {
    let (disk, target) = (Disk::new(), Disk::new());
    let log = create(&disk);
    log.set_user_data("mine", Some(b"value")).unwrap();
    // A backup has a mark there.
    log.backup(target.stores()).unwrap();
    let backup = reopen(&target);
    assert!(backup.needs_confirmation());
    let mine = vec![("mine".to_owned(), b"value".to_vec())];
    assert_eq!(backup.user_data_entries(), mine);
    assert_eq!(backup.user_data_range(.., 10), mine);
    assert_eq!(backup.user_data("hypercore-log/backup"), None);
    for key in ["hypercore-log/backup", "hypercore-log/", "hypercore-log/conflict"] {
        for value in [None, Some(&b"value"[..])] {
            let refused = backup.set_user_data(key, value);
            assert!(matches!(refused, Err(LogError::ReservedKey { .. })), "{refused:?}");
        }
    }
    assert!(backup.needs_confirmation());
    backup.set_user_data("hypercore-log", Some(b"is somebody else's")).unwrap();
}
