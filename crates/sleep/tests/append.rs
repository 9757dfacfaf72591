//! What an append writes: the bytes that version 9 writes, in the order that survives a crash.

mod common;

use std::sync::Arc;

use common::{Golden, Stores, block, calls, golden, goldens, recorded, unhex};
use flat_tree::Index;
use hypercore_crypto::KeyPair;
use random_access_memory::RandomAccessMemory;
use random_access_storage::RandomAccess;
use random_access_storage::testing::Journal;
use sleep::{
    Access, BLOCK_LEN_MAX, Bitfield, Durability, Error, Feed, FileName, Finding, NODE_LEN, Node,
    PageSize, SignatureForm,
};

fn pair() -> KeyPair {
    KeyPair::from_seed(&[7; 32])
}

/// The batches in which a golden feed was written, when it was written in order and left so.
fn batches(golden: &Golden) -> Option<Vec<Vec<Vec<u8>>>> {
    if golden.name == "v9-emptyblocks" {
        let batches = golden.expected["appended"].as_array().unwrap().iter();
        let blocks = |batch: &serde_json::Value| {
            let blocks = batch.as_array().unwrap().iter();
            blocks.map(|block| unhex(block.as_str().unwrap())).collect()
        };
        return Some(batches.map(blocks).collect());
    }
    let batch_len = golden.expected["appended_in_batches_of"].as_u64()?;
    let blocks: Vec<_> = (0..golden.u64("length")).map(|index| golden.block(index)).collect();
    Some(blocks.chunks(batch_len as usize).map(<[_]>::to_vec).collect())
}

#[test]
fn the_same_blocks_by_the_same_author_give_the_same_bytes() {
    let mut compared = 0;
    for golden in goldens() {
        let Some(batches) = batches(&golden) else { continue };
        for durability in [Durability::Strict, Durability::Lazy] {
            let stores = Stores::default();
            let options = Feed::options().access(Access::Create).durability(durability);
            let pair = golden.pair().unwrap();
            let mut feed = options.key_pair(pair).open(stores.clone()).unwrap();
            for batch in &batches {
                feed.append(batch).unwrap();
            }
            assert_eq!(feed.length(), golden.u64("length"));
            assert_eq!(feed.byte_length(), golden.u64("byte_length"));
            for name in FileName::ALL {
                let (ours, theirs) = (stores.bytes(name), golden.stores.bytes(name));
                let is_same = match name {
                    // Before version 9 another message was signed; before 3584 the index depends on history.
                    FileName::Signatures => golden.name.starts_with("v9"),
                    FileName::Bitfield => golden.u64("bitfield_page_size") == 3584,
                    _ => true,
                };
                if is_same {
                    assert!(ours == theirs, "{}: {name} differs", golden.name);
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(compared, 2 * 90);
}

#[test]
fn a_feed_of_version_8_goes_on_in_the_form_of_version_9() {
    let golden = golden("v8-len10");
    let mut feed = golden.stores.write();
    feed.append(&["b10"]).unwrap();
    drop(feed);
    let feed = golden.stores.read();
    assert!(feed.recovery().is_clean());
    assert_eq!(feed.verify_signature(9).unwrap(), Some(SignatureForm::TreeOnly));
    assert_eq!(feed.verify_signature(10).unwrap(), Some(SignatureForm::WithLength));
    let same = common::golden("v8-then-v9").stores;
    for name in [FileName::Data, FileName::Tree, FileName::Bitfield] {
        assert!(golden.stores.bytes(name) == same.bytes(name), "{name}");
    }
}

#[test]
fn a_feed_with_short_pages_keeps_them() {
    let golden = golden("v6_12-len10");
    let mut feed = golden.stores.write();
    feed.append(&["b10"]).unwrap();
    assert_eq!(feed.page_size(), PageSize::Bytes3328);
    drop(feed);
    let feed = golden.stores.read();
    assert_eq!((feed.page_size(), feed.length()), (PageSize::Bytes3328, 11));
    assert_eq!(golden.stores.bytes(FileName::Bitfield).unwrap().len(), 32 + 3328);
    let same = common::golden("v6_12-then-v9").stores;
    for name in [FileName::Data, FileName::Tree] {
        assert!(golden.stores.bytes(name) == same.bytes(name), "{name}");
    }
}

/// A truncation of version 9 leaves data bits, nodes and bytes past the new length.
#[test]
fn a_truncated_feed_goes_on_without_what_was_cut() {
    let golden = golden("v9-truncated");
    let mut feed = golden.stores.write();
    let appended = feed.append(&["new 12", "new 13"]).unwrap();
    assert_eq!((appended.first, appended.length, appended.byte_length), (12, 14, 38));
    for feed in [feed, golden.stores.read()] {
        assert_eq!(feed.get(12).unwrap(), b"new 12");
        assert_eq!(feed.blocks(0..14).unwrap().filter(Result::is_ok).count(), 14);
        assert_eq!(feed.signature(12).unwrap().unwrap().0, 13);
        assert_eq!(feed.verify_signature(13).unwrap(), Some(SignatureForm::WithLength));
    }
    let bits = golden.stores.bytes(FileName::Bitfield).unwrap();
    let store = RandomAccessMemory::new();
    store.write_at(0, &bits).unwrap();
    let bits = Bitfield::load(&store, PageSize::Bytes3584).unwrap();
    assert_eq!(bits.blocks(0..u64::MAX).collect::<Vec<_>>(), vec![0..14]);
    let tree = golden.stores.bytes(FileName::Tree).unwrap();
    assert_eq!(tree.len(), 32 + 27 * NODE_LEN);
    // The root of 16 of the 20 blocks that once were.
    let at = 32 + 15 * NODE_LEN;
    assert_eq!(Node::decode(Index::new(15), tree[at..][..NODE_LEN].try_into().unwrap()), None);
    assert_eq!(golden.stores.bytes(FileName::Data).unwrap().len(), 38);
}

#[test]
fn what_cannot_be_appended_changes_nothing() {
    let golden = golden("v9-len10");
    let before = golden.stores.all();
    let mut feed = golden.stores.write();
    let long = vec![0; BLOCK_LEN_MAX as usize + 1];
    assert!(matches!(
        feed.append(&[&b"short"[..], &long]),
        Err(Error::BlockTooLarge { len, .. }) if len == BLOCK_LEN_MAX + 1
    ));
    let appended = feed.append::<&[u8]>(&[]).unwrap();
    assert_eq!((appended.first, appended.length), (10, 10));
    assert!(matches!(golden.stores.read().append(&["x"]), Err(Error::ReadOnly)));
    assert!(golden.stores.all() == before);

    golden.stores.remove(FileName::SecretKey);
    assert!(matches!(golden.stores.write().append(&["x"]), Err(Error::SecretKeyMissing)));
    assert!(matches!(
        common::golden("v9-static").stores.write().append(&["x"]),
        Err(Error::SecretKeyMissing)
    ));
    // A feed whose blocks are kept elsewhere, or that lost them.
    let golden = common::golden("v9-len10");
    golden.stores.remove(FileName::Data);
    assert!(matches!(golden.stores.write().append(&["x"]), Err(Error::DataMissing)));
}

#[test]
fn the_secret_key_may_be_kept_elsewhere() {
    let stores = Stores::default();
    let options = Feed::options().key_pair(pair()).secret_key_elsewhere();
    let mut feed = options.clone().access(Access::Create).open(stores.clone()).unwrap();
    feed.append(&["one"]).unwrap();
    drop(feed);
    assert_eq!(stores.bytes(FileName::SecretKey), None);
    assert!(!stores.write().is_writable());
    let mut feed = options.access(Access::Write).open(stores.clone()).unwrap();
    feed.append(&["two"]).unwrap();
    assert_eq!(stores.read().get(1).unwrap(), b"two");
    assert_eq!(stores.bytes(FileName::SecretKey), None);
}

#[test]
fn a_new_feed_is_made_only_when_asked_and_never_over_another() {
    let stores = Stores::default();
    let open = |access: Access| Feed::options().access(access).open(stores.clone());
    assert!(matches!(open(Access::Read), Err(Error::NotFound)));
    assert!(matches!(open(Access::Write), Err(Error::NotFound)));
    assert!(matches!(open(Access::Create), Err(Error::KeyRequired)));
    assert!(stores.all().is_empty());
    drop(stores.create(&pair()));
    let made = stores.all();
    drop(stores.create(&pair()));
    let other = KeyPair::from_seed(&[8; 32]);
    let options = Feed::options().access(Access::Create).key_pair(other.clone());
    assert!(matches!(options.clone().open(stores.clone()), Err(Error::AnotherFeed { .. })));
    assert!(stores.all() == made);

    // A crash before `key`, the last file, was written: the same author goes on, another one does not.
    stores.remove(FileName::Key);
    assert!(matches!(options.open(stores.clone()), Err(Error::SecretKeyMismatch { .. })));
    drop(stores.create(&pair()));
    assert!(stores.all() == made);

    // A torn header, likewise.
    stores.remove(FileName::Key);
    let mut header = stores.bytes(FileName::Tree).unwrap();
    header[7..].fill(0);
    stores.set(FileName::Tree, &header);
    drop(stores.create(&pair()));
    assert!(stores.all() == made);
}

#[test]
fn each_round_is_synced_before_the_next() {
    let rounds = [
        &["write data", "write tree", "write bitfield"][..],
        &["sync data", "sync tree", "sync bitfield"],
        &["write signatures"],
        &["sync signatures"],
        &["write bitfield"],
        &["sync bitfield"],
    ];
    let check = |durability: Durability, expected: Vec<&str>| {
        let journal = Journal::new();
        let options = Feed::options().access(Access::Create).durability(durability);
        let mut feed = options.key_pair(pair()).open(recorded(&journal)).unwrap();
        feed.append(&["first"]).unwrap();
        drop(journal.take());
        let blocks: Vec<_> = (0..1000).map(|index| block("mixed", index)).collect();
        feed.append(&blocks).unwrap();
        assert_eq!(calls(&journal), expected, "{durability:?}");
    };
    check(Durability::Strict, rounds.concat());
    check(Durability::Ordered, rounds[..5].concat());
    let lazy = ["write data", "write tree", "write signatures", "write bitfield"];
    check(Durability::Lazy, lazy.to_vec());
}

#[test]
fn the_first_change_cuts_and_syncs_what_lies_past_the_length() {
    let journal = Journal::new();
    let storage = recorded(&journal);
    let options = || Feed::options().access(Access::Create).key_pair(pair());
    let mut feed = options().open(storage.clone()).unwrap();
    drop(journal.take());
    feed.append(&["one", "two"]).unwrap();
    // A blank slot and a page of zeros, which say that the feed was empty.
    let first = [
        &["write key", "sync key", "sync secret_key", "sync tree"][..],
        &["write signatures", "sync signatures", "write bitfield", "sync bitfield", "write data"],
    ];
    assert_eq!(calls(&journal)[..9], first.concat());
    drop(feed);
    // A tail that nobody signed.
    let tail = |name| storage_of(&storage, name);
    tail(FileName::Data).write_at(6, b"lost").unwrap();
    tail(FileName::Tree).write_at(32 + 4 * 40, &[1; 40]).unwrap();
    let mut feed = options().open(storage.clone()).unwrap();
    drop(journal.take());
    feed.append(&["three"]).unwrap();
    let expected = [
        // What a killed process may have left in the cache.
        &["sync data", "sync tree", "sync signatures"][..],
        &["cut tree", "cut data", "sync tree", "sync data", "write data"],
    ];
    assert_eq!(calls(&journal)[..8], expected.concat());
    assert_eq!(feed.blocks(0..3).unwrap().filter(Result::is_ok).count(), 3);
}

fn storage_of(storage: &impl sleep::Storage, name: FileName) -> Arc<dyn RandomAccess> {
    storage.open(name, Access::Write).unwrap().unwrap()
}

/// A writer that was killed between its signature and its tree bits.
#[test]
fn what_an_open_recovered_is_seen_by_others_after_a_sync() {
    let golden = golden("v9-len10");
    let bits = golden.stores.bytes(FileName::Bitfield).unwrap();
    golden.stores.write().append(&["b10"]).unwrap();
    let written = golden.stores.bytes(FileName::Bitfield).unwrap();
    for durability in [Durability::Strict, Durability::Lazy] {
        golden.stores.set(FileName::Bitfield, &bits);
        let options = Feed::options().access(Access::Write).durability(durability);
        let mut feed = options.open(golden.stores.clone()).unwrap();
        assert_eq!(feed.length(), 11);
        assert!(!feed.recovery().is_clean());
        assert!(golden.stores.bytes(FileName::Bitfield).unwrap() == bits);
        feed.sync().unwrap();
        assert!(golden.stores.bytes(FileName::Bitfield).unwrap() == written);
        assert!(golden.stores.read().recovery().is_clean());
        assert_eq!(golden.stores.read().get(10).unwrap(), b"b10");
    }
}

/// Without a bitfield there is nothing to lock: the first who changes something makes it, and the other is
/// refused before it writes.
/// A power cut between two syncs of an ordered writer leaves any mix of old and new sectors of the tree bits.
#[test]
fn torn_tree_bits_are_made_again_and_do_not_stand_in_the_way_after_the_next_crash() {
    // Of node 4, the leaf of block 2; of node 3, the parent of blocks 0..4; of both, and of a later one.
    for (torn, first_block) in [([0x08, 0], 2), ([0x10, 0], 0), ([0x18, 0x80], 0)] {
        let stores = Stores::default();
        let mut feed = stores.create(&pair());
        feed.append(&(0..8).map(|block| [block]).collect::<Vec<_>>()).unwrap();
        drop(feed);
        let whole = stores.bytes(FileName::Bitfield).unwrap();
        let mut bits = whole.clone();
        let tree_bits = &mut bits[32 + 1024..];
        tree_bits[0] &= !torn[0];
        tree_bits[1] &= !torn[1];
        stores.set(FileName::Bitfield, &bits);

        let mut feed = stores.write();
        assert_eq!(feed.recovery().findings(), [Finding::BitsTorn { index: first_block }]);
        assert_eq!((feed.recovery().refusal(), feed.length()), (None, 8));
        assert_eq!(stores.bytes(FileName::Bitfield).unwrap(), bits, "an open writes nothing");
        feed.sync().unwrap();
        assert_eq!(stores.bytes(FileName::Bitfield).unwrap(), whole);

        // The next append, of whose rounds the last one is lost.
        feed.append(&[b"next"]).unwrap();
        drop(feed);
        stores.set(FileName::Bitfield, &whole);
        let mut feed = stores.write();
        assert_eq!((feed.recovery().refusal(), feed.length()), (None, 9));
        feed.append(&[b"one more"]).unwrap();
        assert!(feed.audit(&mut |_| ()).unwrap().is_ok());
    }
}

/// What the tree does not prove is not listed, whatever the bits say.
#[test]
fn tree_bits_are_not_made_again_for_nodes_that_are_not_proven() {
    let stores = Stores::default();
    stores.create(&pair()).append(&(0..8).map(|block| [block]).collect::<Vec<_>>()).unwrap();
    let mut bits = stores.bytes(FileName::Bitfield).unwrap();
    bits[32 + 1024] &= !0x08;
    stores.set(FileName::Bitfield, &bits);
    let mut tree = stores.bytes(FileName::Tree).unwrap();
    tree[32 + 4 * 40] ^= 1;
    stores.set(FileName::Tree, &tree);
    let feed = stores.read();
    assert!(!feed.present_nodes().any(|nodes| nodes.contains(&4)));
    assert!(feed.recovery().is_clean());
    assert!(!feed.audit(&mut |_| ()).unwrap().is_ok());
}

#[test]
fn of_two_writers_without_a_bitfield_one_is_refused() {
    use random_access_disk::{Create, Lock, LockKind, RandomAccessDisk};
    use random_access_storage::Error as StorageError;

    let golden = golden("v9-len10");
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in golden.stores.all() {
        if name != FileName::Bitfield {
            std::fs::write(folder.path().join(name.as_str()), bytes).unwrap();
        }
    }
    let path = folder.path().to_path_buf();
    let storage = move |name: FileName, access: Access| {
        let create = if access == Access::Create { Create::Now } else { Create::Never };
        let store = RandomAccessDisk::builder(path.join(name.as_str())).create(create);
        let is_lock = name == FileName::Bitfield;
        let lock = if is_lock { Lock::Exclusive } else { Lock::None };
        match store.lock(lock).lock_kind(LockKind::Flock).open() {
            Ok(store) => Ok(Some(Arc::new(store) as Arc<dyn RandomAccess>)),
            Err(StorageError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    };
    let open = || Feed::options().access(Access::Write).open(storage.clone()).unwrap();
    let all = || {
        FileName::ALL
            .map(|name| std::fs::read(folder.path().join(name.as_str())).unwrap_or_default())
    };
    let (mut one, mut other, mut late) = (open(), open(), open());
    assert_eq!(other.length(), 10);
    one.append(&["one"]).unwrap();
    let before = all();
    let refused = other.append(&["other"]);
    assert!(matches!(
        refused,
        Err(Error::Storage { file: FileName::Bitfield, source: StorageError::Locked })
    ));
    assert!(matches!(other.append(&["other"]), Err(Error::Poisoned)));
    assert!(all() == before);
    drop(one);
    // Nobody has the lock now, and what was opened is no more what is stored.
    let refused = late.append(&["late"]);
    assert!(matches!(refused, Err(Error::MadeMeanwhile { file: FileName::Bitfield })));
    assert!(all() == before);
    let feed = open();
    assert_eq!((feed.length(), feed.get(10).unwrap()), (11, b"one".to_vec()));
}

#[test]
fn blocks_in_a_row_are_read_many_at_a_time() {
    let journal = Journal::new();
    let options = Feed::options().access(Access::Create).durability(Durability::Lazy);
    let mut feed = options.key_pair(pair()).open(recorded(&journal)).unwrap();
    let blocks: Vec<_> = (0..4096).map(|index| block("mixed", index)).collect();
    feed.append(&blocks).unwrap();
    drop(journal.take());
    for (next, block) in feed.blocks(0..4096).unwrap().zip(&blocks) {
        assert_eq!(&next.unwrap(), block);
    }
    let reads = journal.take().len();
    assert!(reads <= 4 * 4096 / 128, "{reads} reads");
}

#[test]
fn a_failed_write_is_the_last() {
    use random_access_storage::testing::{Fault, Faults, FaultyDisk};

    let faults = Faults::none();
    let disks: Vec<(FileName, FaultyDisk)> =
        FileName::ALL.iter().map(|name| (*name, FaultyDisk::new(&faults))).collect();
    let storage = move |name: FileName, _: Access| {
        let disk = disks.iter().find(|(of, _)| *of == name).map(|(_, disk)| disk.clone());
        Ok(disk.map(|disk| Arc::new(disk) as Arc<dyn RandomAccess>))
    };
    let options = Feed::options().access(Access::Create).key_pair(pair());
    let mut feed = options.open(storage).unwrap();
    feed.append(&["one"]).unwrap();
    faults.set(3, Fault::SyncKeeps);
    assert!(matches!(feed.append(&["two"]), Err(Error::Storage { .. })));
    assert_eq!(feed.length(), 1);
    assert_eq!(feed.get(0).unwrap(), b"one");
    assert!(matches!(feed.append(&["two"]), Err(Error::Poisoned)));
    assert!(matches!(feed.clear(0..1), Err(Error::Poisoned)));
    assert!(matches!(feed.sync(), Err(Error::Poisoned)));
}
