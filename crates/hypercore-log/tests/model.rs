//! A log against the dullest model of one: a list of blocks that may be cleared.
//!
//! Random operations, closing and dropping in between, both durabilities, both rhythms of checkpoints.

mod support;

use hypercore_log::{Create, Durability, Log, LogError, OpenOptions};
use proptest::prelude::*;
use support::{Disk, assert_sound, block, key_pair};

#[derive(Clone, Debug)]
enum Operation {
    Append(Vec<u16>),
    Truncate(u8),
    Clear(u8, u8),
    UserData(u8, Option<u8>),
    Checkpoint,
    Flush,
    Drop,
    Close,
}

fn operation() -> impl Strategy<Value = Operation> {
    let len = prop_oneof![Just(0_u16), 1..40_u16, Just(3000)];
    prop_oneof![
        6 => prop::collection::vec(len.clone(), 1..6).prop_map(Operation::Append),
        1 => prop::collection::vec(len, 260..300).prop_map(Operation::Append),
        2 => any::<u8>().prop_map(Operation::Truncate),
        3 => (any::<u8>(), any::<u8>()).prop_map(|(from, to)| Operation::Clear(from, to)),
        1 => (0..3_u8, any::<Option<u8>>()).prop_map(|(key, value)| Operation::UserData(key, value)),
        1 => Just(Operation::Checkpoint),
        1 => Just(Operation::Flush),
        2 => Just(Operation::Drop),
        1 => Just(Operation::Close),
    ]
}

#[derive(Default)]
struct Model {
    blocks: Vec<Option<Vec<u8>>>,
    sizes: Vec<u64>,
    fork: u64,
    user_data: Vec<(String, Vec<u8>)>,
    made: u64,
}

impl Model {
    fn scale(&self, part: u8) -> u64 {
        self.blocks.len() as u64 * u64::from(part) / 255
    }

    fn set_user_data(&mut self, key: String, value: Option<Vec<u8>>) {
        let at = self.user_data.iter().position(|(known, _)| *known == key);
        match (at, value) {
            (Some(at), Some(value)) => self.user_data[at].1 = value,
            (Some(at), None) => drop(self.user_data.remove(at)),
            (None, Some(value)) => self.user_data.push((key, value)),
            (None, None) => {}
        }
    }

    fn compare(&self, log: &Log) {
        assert_eq!(log.length(), self.blocks.len() as u64);
        assert_eq!(log.fork(), self.fork);
        assert_eq!(log.byte_length(), self.sizes.iter().sum::<u64>());
        assert_eq!(log.user_data_entries(), self.user_data);
        let mut offset = 0;
        for (index, (block, size)) in (0..).zip(self.blocks.iter().zip(&self.sizes)) {
            assert_eq!(log.get(index).unwrap(), *block, "block {index}");
            assert_eq!(log.has(index), block.is_some());
            assert_eq!(log.block_range(index).unwrap(), offset..offset + size);
            if *size > 0 {
                let (found, rest) = log.seek(offset + size - 1, 0).unwrap().unwrap();
                // As in JavaScript, an empty block right before the byte may be named in its place.
                let between: u64 = self.sizes[found as usize..index as usize].iter().sum();
                assert_eq!((between, found <= index, rest), (0, true, size - 1));
            }
            offset += size;
        }
        assert_eq!(log.seek(offset + 1, 0).unwrap(), None);
        let length = self.blocks.len() as u64;
        assert!(matches!(log.get(length), Err(LogError::OutOfBounds { .. })));
    }
}

fn run(operations: &[Operation], options: &OpenOptions) {
    let disk = Disk::new();
    let mut model = Model::default();
    let create = options.clone().create(Create::New).key_pair(key_pair());
    let mut log = Log::open(disk.stores(), create).unwrap();
    for operation in operations {
        match operation {
            Operation::Append(lens) => {
                let blocks: Vec<Vec<u8>> =
                    (model.made..).zip(lens).map(|(n, len)| block(n, usize::from(*len))).collect();
                model.made += blocks.len() as u64;
                log.append(&blocks).unwrap();
                model.sizes.extend(lens.iter().map(|len| u64::from(*len)));
                model.blocks.extend(blocks.into_iter().map(Some));
            }
            Operation::Truncate(part) => {
                let length = model.scale(*part);
                log.truncate(length, None).unwrap();
                model.blocks.truncate(length as usize);
                model.sizes.truncate(length as usize);
                model.fork += 1;
            }
            Operation::Clear(from, to) => {
                let range = model.scale(*from)..model.scale(*to);
                log.clear(range.clone()).unwrap();
                range.for_each(|index| model.blocks[index as usize] = None);
            }
            Operation::UserData(key, value) => {
                let (key, value) = (key.to_string(), value.map(|value| vec![value; 9]));
                log.set_user_data(&key, value.as_deref()).unwrap();
                model.set_user_data(key, value);
            }
            Operation::Checkpoint => log.checkpoint().unwrap(),
            Operation::Flush => log.flush().unwrap(),
            Operation::Drop | Operation::Close => {
                if matches!(operation, Operation::Close) {
                    log.close().unwrap();
                } else {
                    drop(log);
                }
                log = Log::open(disk.stores(), options.clone()).unwrap();
                assert!(!log.recovery().lost_something(), "{:?}", log.recovery());
            }
        }
    }
    model.compare(&log);
    drop(log);
    let log = Log::open(disk.stores(), options.clone()).unwrap();
    model.compare(&log);
    assert_sound(&log);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn behaves_as_a_list_of_blocks(
        operations in prop::collection::vec(operation(), 1..24),
        immediate in any::<bool>(),
        version_10 in any::<bool>(),
    ) {
        let durability = if immediate { Durability::Immediate } else { Durability::Eventual };
        let mut options = OpenOptions::new().durability(durability);
        if version_10 {
            options = options.imitate_version_10();
        }
        run(&operations, &options);
    }
}
