//! Entries: both ways, at their limits, and bytes that must be refused. The recorded entries are checked
//! with the oplog.

use flat_tree::Index;
use hypercore_crypto::Hash;
use proptest::prelude::*;

use super::*;

fn node(index: u64, size: u64) -> Node {
    Node { index: Index::new(index), size, hash: Hash::from_bytes([index as u8; 32]) }
}

fn encode(entry: &Entry) -> Vec<u8> {
    let pieces: Vec<Vec<u8>> = entry.pieces().unwrap().map(|piece| piece.to_vec()).collect();
    assert_eq!(pieces.len(), 1);
    pieces.into_iter().next().unwrap()
}

fn decode(bytes: &[u8]) -> Result<Entry, DecodeError> {
    Entry::decode(&mut Decoder::new(bytes))
}

#[test]
fn an_entry_with_nothing_is_one_byte() {
    assert_eq!(encode(&Entry::default()), [0]);
    assert_eq!(decode(&[0]).unwrap(), Entry::default());
}

#[test]
fn no_nodes_and_an_empty_list_differ_in_the_flag() {
    let empty = Entry { tree_nodes: Some(Vec::new()), ..Entry::default() };
    assert_eq!(encode(&empty), [2, 0]);
    assert_eq!(decode(&[2, 0]).unwrap(), empty);
}

#[test]
fn an_absent_value_deletes_and_an_empty_one_is_absent() {
    let delete = Entry { user_data: Some(("k".into(), None)), ..Entry::default() };
    assert_eq!(encode(&delete), [1, 1, b'k', 0]);
    let empty = Entry { user_data: Some(("k".into(), Some(Vec::new()))), ..Entry::default() };
    assert_eq!(encode(&empty), encode(&delete));
    assert_eq!(decode(&encode(&empty)).unwrap(), delete);
}

#[test]
fn blocks_that_end_above_2_to_the_53_are_refused() {
    let check = |start: u64, length: u64, refused: bool| {
        let mut out = Encoder::new();
        out.uint8(8);
        out.uint8(0);
        out.uint(start);
        out.uint(length);
        assert_eq!(decode(out.as_slice()).is_err(), refused, "{start} {length}");
        let bitfield = Some(BitfieldUpdate { drop: true, start, length });
        let entry = Entry { bitfield, ..Entry::default() };
        assert_eq!(entry.pieces().is_err(), refused, "{start} {length}");
    };
    check(0, NUMBER_MAX, false);
    check(NUMBER_MAX, 0, false);
    check(1, NUMBER_MAX, true);
    check(NUMBER_MAX, NUMBER_MAX, true);
    check(u64::MAX, 1, true);
    check(1 << 53, 0, true);
}

#[test]
fn numbers_no_reader_accepts_are_not_written() {
    let upgrade = |fork, ancestors, length| Entry {
        tree_upgrade: Some(TreeUpgrade { fork, ancestors, length, signature: None }),
        ..Entry::default()
    };
    let big = NUMBER_MAX + 1;
    let bad = [
        upgrade(big, 0, 0),
        upgrade(0, big, 0),
        upgrade(0, 0, big),
        Entry { tree_nodes: Some(vec![node(big, 0)]), ..Entry::default() },
        Entry { tree_nodes: Some(vec![node(0, big)]), ..Entry::default() },
    ];
    for entry in bad {
        assert!(entry.pieces().is_err());
    }
    assert!(upgrade(NUMBER_MAX, NUMBER_MAX, NUMBER_MAX).pieces().is_ok());
}

#[test]
fn unknown_flags_and_bytes_behind_are_ignored() {
    let entry = decode(&[0xf8, 0xfe, 3, 4, 99, 99]).unwrap();
    let update = BitfieldUpdate { drop: false, start: 3, length: 4 };
    assert_eq!(entry, Entry { bitfield: Some(update), ..Entry::default() });
}

#[test]
fn a_count_of_nodes_makes_no_room_by_its_own_say_so() {
    let error = decode(&[2, 0xfd, 0xff, 0xff, 1, 2, 3]).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::UnexpectedEnd);
    let error = decode(&[2, 0xfe, 1, 0, 0x10, 0, 1]).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::TooManyElements);
}

#[test]
fn too_many_nodes_make_several_entries_with_the_rest_in_the_last() {
    let update = BitfieldUpdate { drop: false, start: 0, length: 5 };
    let check = |count: usize, lens: &[usize]| {
        let nodes = (0..count as u64).map(|index| node(index, 1)).collect();
        let entry = Entry {
            user_data: Some(("k".into(), Some(vec![1]))),
            tree_nodes: Some(nodes),
            tree_upgrade: Some(TreeUpgrade { length: 5, ..TreeUpgrade::default() }),
            bitfield: Some(update),
        };
        let pieces: Vec<_> = entry.pieces().unwrap().collect();
        let found: Vec<_> = pieces.iter().map(|piece| piece.tree_nodes.unwrap().len()).collect();
        assert_eq!(found, lens);
        let (last, early) = pieces.split_last().unwrap();
        assert!(early.iter().all(|piece| piece.flags() == TREE_NODES));
        assert_eq!(last.flags(), 15);
        let joined: Vec<Node> =
            pieces.iter().flat_map(|piece| piece.tree_nodes.unwrap()).copied().collect();
        assert_eq!(Some(joined), entry.tree_nodes);
    };
    let max = NODES_PER_ENTRY_MAX;
    check(0, &[0]);
    check(max, &[max]);
    check(max + 1, &[max, 1]);
    check(2 * max, &[max, max]);
    check(2 * max + 7, &[max, max, 7]);
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..300_u64, 0..=NUMBER_MAX, Just(NUMBER_MAX), Just(0xffff_ffff), Just(0xfd)]
}

fn entry() -> impl Strategy<Value = Entry> {
    use proptest::collection::vec;
    use proptest::option::of;
    let value = of(vec(any::<u8>(), 1..40));
    let upgrade = (number(), number(), number(), of(vec(any::<u8>(), 1..300))).prop_map(
        |(fork, ancestors, length, signature)| TreeUpgrade { fork, ancestors, length, signature },
    );
    let bitfield = (any::<bool>(), number(), number()).prop_map(|(drop, start, length)| {
        let length = length.min(NUMBER_MAX - start);
        BitfieldUpdate { drop, start, length }
    });
    let nodes = vec((number(), number()).prop_map(|(index, size)| node(index, size)), 0..9);
    (of((".{0,9}", value)), of(nodes), of(upgrade), of(bitfield)).prop_map(
        |(user_data, tree_nodes, tree_upgrade, bitfield)| Entry {
            user_data,
            tree_nodes,
            tree_upgrade,
            bitfield,
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(entry in entry()) {
        let bytes = encode(&entry);
        prop_assert_eq!(bytes.len(), entry.pieces().unwrap().next().unwrap().encoded_len());
        let mut input = Decoder::new(&bytes);
        prop_assert_eq!(Entry::decode(&mut input).unwrap(), entry);
        prop_assert!(input.is_empty());
    }

    #[test]
    fn a_cut_entry_is_refused(entry in entry(), at: proptest::sample::Index) {
        let bytes = encode(&entry);
        prop_assert!(decode(&bytes[..at.index(bytes.len())]).is_err());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(entry) = decode(&bytes) {
            let again = encode(&entry);
            prop_assert_eq!(decode(&again).unwrap(), entry);
        }
    }
}
