//! What a power cut leaves of a feed whose writer syncs nothing, and a repair that may sign again and
//! accept loss: the feed opens, shows only what was appended, and goes on.

mod common;

use common::Stores;
use hypercore_crypto::KeyPair;
use proptest::prelude::*;
use sleep::{Access, Durability, Error, Feed, FileName, RepairOptions};

const HEADER_LEN: usize = 32;
const NODE_LEN: usize = 40;
const SIGNATURE_LEN: usize = 64;

fn block(index: u64) -> Vec<u8> {
    vec![b'a' + index as u8; 1 + (index * 7 % 40) as usize]
}

/// A feed of batches, as a lazy writer left it.
fn feed(batches: &[u64]) -> Stores {
    let stores = Stores::default();
    let options = Feed::options().access(Access::Create).durability(Durability::Lazy);
    let mut feed = options.key_pair(KeyPair::from_seed(&[7; 32])).open(stores.clone()).unwrap();
    for batch in batches {
        let blocks: Vec<Vec<u8>> = (feed.length()..feed.length() + batch).map(block).collect();
        feed.append(&blocks).unwrap();
    }
    stores
}

/// What became of one file: where it ends, and which of its entries are zeros.
#[derive(Clone, Debug)]
struct Lost {
    kept: prop::sample::Index,
    is_whole: bool,
    zeroed: Vec<prop::sample::Index>,
}

impl Lost {
    fn any() -> impl Strategy<Value = Self> {
        let zeroed = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
        (any::<prop::sample::Index>(), prop::bool::weighted(0.7), zeroed)
            .prop_map(|(kept, is_whole, zeroed)| Self { kept, is_whole, zeroed })
    }

    fn apply(&self, stores: &Stores, file: FileName, header_len: usize, entry_len: usize) {
        let mut bytes = stores.bytes(file).unwrap();
        let entries = bytes.len().saturating_sub(header_len).div_ceil(entry_len);
        for entry in self.zeroed.iter().filter(|_| entries > 0).map(|zeroed| zeroed.index(entries))
        {
            let start = header_len + entry * entry_len;
            let end = bytes.len().min(start + entry_len);
            bytes[start..end].fill(0);
        }
        if !self.is_whole {
            bytes.truncate(header_len + self.kept.index(bytes.len() - header_len + 1));
        }
        stores.set(file, &bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn a_lossy_repair_leaves_a_feed_that_goes_on(
        batches in prop::collection::vec(1_u64..5, 1..6),
        stored_bits in any::<prop::sample::Index>(),
        lost in [Lost::any(), Lost::any(), Lost::any(), Lost::any()],
    ) {
        let stores = feed(&batches);
        // The bits are those of some earlier length.
        let earlier = feed(&batches[..stored_bits.index(batches.len() + 1)]);
        stores.set(FileName::Bitfield, &earlier.bytes(FileName::Bitfield).unwrap());
        let [data, tree, signatures, bitfield] = &lost;
        data.apply(&stores, FileName::Data, 0, 8);
        tree.apply(&stores, FileName::Tree, HEADER_LEN, NODE_LEN);
        signatures.apply(&stores, FileName::Signatures, HEADER_LEN, SIGNATURE_LEN);
        bitfield.apply(&stores, FileName::Bitfield, HEADER_LEN, 512);

        let options = RepairOptions::new().sign().accept_loss();
        let report = options.clone().repair(stores.clone()).unwrap();
        prop_assert!(report.is_ok(), "{report:?}");
        let again = options.repair(stores.clone()).unwrap();
        prop_assert!(again.mended.is_empty() && again.is_ok(), "{report:?} and then {again:?}");

        let mut feed = stores.write();
        prop_assert_eq!(feed.length(), report.length);
        prop_assert!(feed.audit(&mut |_| ()).unwrap().is_ok());
        let length = feed.length();
        for index in 0..length {
            match feed.get(index) {
                Ok(found) => prop_assert_eq!(found, block(index)),
                Err(Error::NotStored { .. }) => prop_assert!(!feed.has(index)),
                Err(error) => prop_assert!(false, "block {}: {:?} after {:?}", index, error, report),
            }
        }
        prop_assert_eq!(feed.append(&["one more"]).unwrap().length, length + 1);
        drop(feed);
        let feed = stores.read();
        prop_assert!(feed.recovery().is_clean(), "{:?}", feed.recovery());
        prop_assert_eq!(feed.get(length).unwrap(), b"one more");
        let audited = feed.audit(&mut |_| ()).unwrap();
        prop_assert!(audited.is_ok(), "{audited:?} after {report:?}");
    }
}
