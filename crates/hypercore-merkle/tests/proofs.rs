//! Proofs between a writer and readers that know less, against the slow twin; and proofs that were
//! changed on the way: whatever is still accepted says nothing that the twin's tree does not.

mod common;

use common::{Nodes, Reader, Writer, decode, encode, full, twin};
use flat_tree::Index;
use hypercore_merkle::{
    BlockRequest, HashRequest, Node, Proof, ProveError, Request, Seek, SeekRequest, Tree,
    TreeError, UpgradeRequest,
};
use proptest::prelude::*;
use proptest::sample::Index as Pick;

const SEED: [u8; 32] = [9; 32];

/// One thing that a reader asks for; the numbers are scaled to what there is.
#[derive(Debug, Clone)]
enum Ask {
    Block(Pick),
    Hash(Pick),
    Seek(Pick),
    BlockAndSeek(Pick, Pick),
    Upgrade(Pick),
    UpgradeAndBlock(Pick, Pick),
    UpgradeAndHash(Pick, Pick),
    UpgradeAndSeek(Pick, Pick),
}

fn any_ask() -> impl Strategy<Value = Ask> {
    let pick = any::<Pick>;
    prop_oneof![
        pick().prop_map(Ask::Block),
        pick().prop_map(Ask::Hash),
        pick().prop_map(Ask::Seek),
        (pick(), pick()).prop_map(|(a, b)| Ask::BlockAndSeek(a, b)),
        pick().prop_map(Ask::Upgrade),
        (pick(), pick()).prop_map(|(a, b)| Ask::UpgradeAndBlock(a, b)),
        (pick(), pick()).prop_map(|(a, b)| Ask::UpgradeAndHash(a, b)),
        (pick(), pick()).prop_map(|(a, b)| Ask::UpgradeAndSeek(a, b)),
    ]
}

fn any_blocks(most: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 1..most)
}

fn pick(pick: &Pick, below: u64) -> u64 {
    pick.index(usize::try_from(below).unwrap().max(1)) as u64
}

/// The request of a reader that wants this, as formats.md 7.2 says; `None` when it makes no sense.
fn request(reader: &Reader, writer: &Tree, ask: &Ask) -> Option<Request> {
    let own = reader.tree.length();
    let missing = |index| reader.tree.missing_nodes(&reader.nodes, index).unwrap();
    let block = |index: u64| {
        let nodes = missing(Index::leaf(index).unwrap());
        Some(BlockRequest { index, nodes })
    };
    let more = writer.length() - own;
    let upgrade = |by: &Pick| {
        let length = 1 + pick(by, more);
        Some(UpgradeRequest { start: own, length }).filter(|_| more > 0)
    };
    let mut request =
        Request { fork: writer.fork(), manifest: reader.manifest.is_none(), ..Request::default() };
    match ask {
        Ask::Block(at) if own > 0 => request.block = block(pick(at, own)),
        Ask::Hash(at) if own > 0 => {
            let index = Index::new(pick(at, 2 * own));
            let nodes = missing(index);
            request.hash =
                Some(HashRequest { index, nodes }).filter(|_| reader.tree.contains(index));
            request.hash?;
        }
        Ask::Seek(at) if own > 0 => {
            let bytes = pick(at, reader.tree.byte_length() + 1);
            let seek = reader.tree.seek(&reader.nodes, bytes, 0).unwrap();
            let Seek::Narrowed { blocks } = seek else { return None };
            let index = Index::leaf(blocks.start).unwrap();
            request.seek = Some(SeekRequest { bytes, padding: 0 });
            request.hash = Some(HashRequest { index, nodes: missing(index) });
        }
        Ask::BlockAndSeek(at, to) if own > 0 => {
            request.block = block(pick(at, own));
            let bytes = pick(to, reader.tree.byte_length() + 1);
            request.seek = Some(SeekRequest { bytes, padding: 0 });
        }
        Ask::Upgrade(by) => request.upgrade = Some(upgrade(by)?),
        Ask::UpgradeAndBlock(by, at) => {
            let upgrade = upgrade(by)?;
            request.upgrade = Some(upgrade);
            request.block = block(pick(at, own + upgrade.length));
        }
        Ask::UpgradeAndHash(by, at) => {
            let upgrade = upgrade(by)?;
            request.upgrade = Some(upgrade);
            let index = Index::new(pick(at, 2 * (own + upgrade.length)));
            request.hash = Some(HashRequest { index, nodes: missing(index) });
        }
        Ask::UpgradeAndSeek(by, to) => {
            request.upgrade = Some(upgrade(by)?);
            let bytes = pick(to, writer.byte_length() + 1);
            request.seek = Some(SeekRequest { bytes, padding: 0 });
        }
        _ => return None,
    }
    Some(request)
}

/// Whether a reader knows nothing but the truth. Sizes that only a sum covers may be off when the
/// prover lied, but never their hash.
fn check_truth(reader: &Reader, writer: &Writer, truth: &Nodes, honest: bool) {
    for (index, node) in &reader.nodes {
        let expected = truth.get(index).unwrap_or_else(|| panic!("node {index} does not exist"));
        if honest || !reader.unconfirmed.contains(index) {
            assert_eq!(node, expected);
        }
        assert_eq!(node.hash, expected.hash);
    }
    for (block, value) in &reader.blocks {
        assert_eq!(value, &writer.blocks[usize::try_from(*block).unwrap()]);
    }
    let length = usize::try_from(reader.tree.length()).unwrap();
    assert_eq!(reader.tree.hash(), twin::hash(&writer.blocks[..length]));
    let bytes: usize = writer.blocks[..length].iter().map(Vec::len).sum();
    assert_eq!(reader.tree.byte_length(), bytes as u64);
}

/// The writer as it was when it had fewer blocks.
fn earlier(writer: &Writer, length: u64) -> Writer {
    let length = usize::try_from(length).unwrap();
    Writer::new(&SEED, writer.tree.fork(), writer.blocks[..length].to_vec())
}

/// What can happen to a proof on the way.
#[derive(Debug, Clone)]
enum Change {
    FlipBit(Pick, u8),
    CutMessage(Pick),
    Node(Pick, NodeChange),
    UpgradeNumbers(i8, i8),
    BlockIndex(i8),
    Signature(Pick),
    DropPart(u8),
}

#[derive(Debug, Clone)]
enum NodeChange {
    Drop,
    Repeat,
    SwapWithNext,
    Size(i8),
    /// From this node to the one after it, so that their sum stays.
    ShiftSize(u8),
    Index(i8),
    MoveToOtherList,
}

fn any_change() -> impl Strategy<Value = Change> {
    let node = prop_oneof![
        Just(NodeChange::Drop),
        Just(NodeChange::Repeat),
        Just(NodeChange::SwapWithNext),
        any::<i8>().prop_map(NodeChange::Size),
        (1..5_u8).prop_map(NodeChange::ShiftSize),
        any::<i8>().prop_map(NodeChange::Index),
        Just(NodeChange::MoveToOtherList),
    ];
    prop_oneof![
        (any::<Pick>(), 0..8_u8).prop_map(|(at, bit)| Change::FlipBit(at, bit)),
        any::<Pick>().prop_map(Change::CutMessage),
        (any::<Pick>(), node.clone()).prop_map(|(at, change)| Change::Node(at, change)),
        (any::<Pick>(), node).prop_map(|(at, change)| Change::Node(at, change)),
        (-3..3_i8, -3..3_i8).prop_map(|(a, b)| Change::UpgradeNumbers(a, b)),
        any::<i8>().prop_map(Change::BlockIndex),
        any::<Pick>().prop_map(Change::Signature),
        (0..5_u8).prop_map(Change::DropPart),
    ]
}

fn any_lie() -> impl Strategy<Value = Change> {
    let shift = || (any::<Pick>(), (1..5_u8).prop_map(NodeChange::ShiftSize));
    prop_oneof![3 => shift().prop_map(|(at, shift)| Change::Node(at, shift)), 1 => any_change()]
}

fn change(proof: &Proof, change: &Change) -> Option<Proof> {
    let mut changed = proof.clone();
    match change {
        Change::FlipBit(at, bit) => {
            let mut message = encode(changed);
            let at = at.index(message.len());
            message[at] ^= 1 << bit;
            return parse(&message);
        }
        Change::CutMessage(at) => {
            let message = encode(changed);
            return parse(&message[..at.index(message.len())]);
        }
        Change::Node(at, change) => {
            let mut lists: Vec<&mut Vec<Node>> = Vec::new();
            lists.extend(changed.block.as_mut().map(|part| &mut part.nodes));
            lists.extend(changed.hash.as_mut().map(|part| &mut part.nodes));
            lists.extend(changed.seek.as_mut().map(|part| &mut part.nodes));
            if let Some(upgrade) = &mut changed.upgrade {
                lists.extend([&mut upgrade.nodes, &mut upgrade.additional_nodes]);
            }
            let mut places = Vec::new();
            for (list, nodes) in lists.iter().enumerate() {
                places.extend((0..nodes.len()).map(|position| (list, position)));
            }
            if places.is_empty() {
                return None;
            }
            let chosen = at.index(places.len());
            let (list, position) = places[chosen];
            let node = lists[list][position];
            match change {
                NodeChange::Drop => drop(lists[list].remove(position)),
                NodeChange::Repeat => lists[list].insert(position, node),
                NodeChange::SwapWithNext => {
                    let next = (position + 1) % lists[list].len();
                    lists[list].swap(position, next);
                }
                NodeChange::Size(by) => {
                    lists[list][position].size = node.size.wrapping_add_signed(i64::from(*by));
                }
                NodeChange::ShiftSize(by) => {
                    let (other, next) = *places.get(chosen + 1)?;
                    let by = u64::from(*by).min(node.size);
                    lists[list][position].size -= by;
                    lists[other][next].size += by;
                }
                NodeChange::Index(by) => {
                    let index = node.index.get().wrapping_add_signed(i64::from(*by));
                    lists[list][position].index = Index::new(index);
                }
                NodeChange::MoveToOtherList => {
                    lists[list].remove(position);
                    let other = (list + 1) % lists.len();
                    lists[other].push(node);
                }
            }
        }
        Change::UpgradeNumbers(start, length) => {
            let upgrade = changed.upgrade.as_mut()?;
            upgrade.start = upgrade.start.wrapping_add_signed(i64::from(*start));
            upgrade.length = upgrade.length.wrapping_add_signed(i64::from(*length));
        }
        Change::BlockIndex(by) => {
            let block = changed.block.as_mut()?;
            block.index = block.index.wrapping_add_signed(i64::from(*by));
        }
        Change::Signature(at) => {
            let signature = changed.upgrade.as_mut()?.signature.as_mut()?;
            let at = at.index(signature.len());
            signature[at] ^= 1;
        }
        Change::DropPart(part) => match part {
            0 => changed.block = None,
            1 => changed.hash = None,
            2 => changed.seek = None,
            3 => changed.upgrade = None,
            _ => changed.manifest = None,
        },
    }
    Some(changed)
}

fn parse(message: &[u8]) -> Option<Proof> {
    use compact_encoding::Decode;
    let mut input = compact_encoding::Decoder::new(message);
    hypercore_merkle::Data::decode(&mut input).ok().map(|data| data.proof)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// A writer that grows, a reader that follows in parts and asks for all sorts of things.
    #[test]
    fn honest_proofs_are_taken_and_true(
        blocks in any_blocks(45),
        lengths in prop::collection::vec(any::<Pick>(), 1..3),
        asks in prop::collection::vec(any_ask(), 1..14),
    ) {
        let whole = Writer::new(&SEED, 2, blocks);
        let truth = twin::nodes(&whole.blocks);
        let mut reader = Reader::new(whole.key, 2);
        let mut lengths: Vec<u64> =
            lengths.iter().map(|length| 1 + pick(length, whole.tree.length())).collect();
        lengths.push(whole.tree.length());
        lengths.sort_unstable();
        for length in lengths {
            let writer = earlier(&whole, length);
            for ask in &asks {
                let Some(request) = request(&reader, &writer.tree, ask) else { continue };
                match writer.prove(&request) {
                    Ok(proof) => {
                        prop_assert_eq!(&decode(&encode(proof.clone())), &proof);
                        reader.take(&proof).unwrap();
                    }
                    // What the format has no answer for.
                    Err(
                        ProveError::SeekInUpgrade(_)
                        | ProveError::Straddles(_)
                        | ProveError::InvalidSeek { .. }
                        | ProveError::OutOfBounds(_),
                    ) => {}
                    Err(error) => panic!("{error} for {request:?}"),
                }
                check_truth(&reader, &whole, &truth, true);
            }
        }
    }

    /// Whatever a liar has made a reader believe, every honest answer is taken, and at the end all of it is true.
    #[test]
    fn a_liar_stops_nobody(
        blocks in any_blocks(40),
        order in any::<u64>(),
        first in any::<Pick>(),
        lies in prop::collection::vec((any_ask(), any_lie()), 1..12),
    ) {
        let writer = Writer::new(&SEED, 0, blocks);
        let mut reader = Reader::new(writer.key, 0);
        let length = writer.tree.length();
        let mut wanted: Vec<u64> = (0..length).collect();
        wanted.sort_by_key(|block| (block ^ order).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let start = Ask::Upgrade(first);
        let mut lies = lies.iter().cycle();
        for index in std::iter::once(None).chain(wanted.into_iter().map(Some)) {
            let (ask, lie) = lies.next().unwrap();
            let ask = if index.is_none() { &start } else { ask };
            if let Some(request) = request(&reader, &writer.tree, ask)
                && let Ok(proof) = writer.prove(&request)
            {
                let before = reader.tree.length();
                if let Some(lie) = change(&proof, lie) {
                    let _ = reader.take(&lie);
                }
                if reader.tree.length() == before {
                    reader.take(&proof).unwrap();
                }
            }
            let Some(index) = index else { continue };
            let nodes = reader.tree.missing_nodes(&reader.nodes, Index::leaf(index).unwrap()).unwrap();
            let block = Some(BlockRequest { index, nodes });
            reader.take(&writer.prove(&Request { block, ..Request::default() }).unwrap()).unwrap();
        }
        prop_assert_eq!(&reader.nodes, &twin::nodes(&writer.blocks));
        prop_assert_eq!(reader.contiguous_length(), length);
    }

    /// Every block can be had from any state, and at the end the reader has the whole tree.
    #[test]
    fn a_reader_ends_with_the_whole_tree(blocks in any_blocks(40), order in any::<u64>()) {
        let writer = Writer::new(&SEED, 0, blocks);
        let mut reader = Reader::new(writer.key, 0);
        let length = writer.tree.length();
        let upgrade = Some(UpgradeRequest { start: 0, length });
        reader.take(&writer.prove(&Request { upgrade, manifest: true, ..Request::default() }).unwrap()).unwrap();
        let mut wanted: Vec<u64> = (0..length).collect();
        wanted.sort_by_key(|block| (block ^ order).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for index in wanted {
            let nodes = reader.tree.missing_nodes(&reader.nodes, Index::leaf(index).unwrap()).unwrap();
            prop_assert!(nodes <= Tree::missing_nodes_max(Index::leaf(index).unwrap(), length));
            let block = Some(BlockRequest { index, nodes });
            reader.take(&writer.prove(&Request { block, ..Request::default() }).unwrap()).unwrap();
        }
        prop_assert_eq!(&reader.nodes, &twin::nodes(&writer.blocks));
        prop_assert_eq!(reader.contiguous_length(), length);
    }

    /// A prover that misses nodes says so, or answers as truly as one that has them all.
    #[test]
    fn sparse_provers_are_true_or_say_what_is_missing(
        blocks in any_blocks(40),
        asks in prop::collection::vec(any_ask(), 1..8),
        dropped in prop::collection::vec(any::<Pick>(), 0..30),
    ) {
        let mut writer = Writer::new(&SEED, 0, blocks);
        let truth = writer.nodes.clone();
        let mut reader = Reader::new(writer.key, 0);
        for index in dropped {
            let index = Index::new(pick(&index, 2 * writer.tree.length()));
            if !writer.tree.roots().iter().any(|root| root.index == index) {
                writer.nodes.remove(&index);
            }
        }
        for ask in &asks {
            let Some(request) = request(&reader, &writer.tree, ask) else { continue };
            match writer.prove(&request) {
                Ok(proof) => reader.take(&proof).unwrap(),
                Err(ProveError::Tree(TreeError::MissingNode(index))) => {
                    prop_assert!(!writer.nodes.contains_key(&index));
                }
                Err(_) => {}
            }
            check_truth(&reader, &writer, &truth, true);
        }
    }

    /// Accepted implies true, whatever was changed.
    #[test]
    fn changed_proofs_are_refused_or_harmless(
        blocks in any_blocks(40),
        asks in prop::collection::vec(any_ask(), 1..8),
        changes in prop::collection::vec(prop::collection::vec(any_change(), 1..3), 12),
    ) {
        let writer = Writer::new(&SEED, 0, blocks);
        let truth = writer.nodes.clone();
        let mut reader = Reader::new(writer.key, 0);
        for ask in &asks {
            let Some(request) = request(&reader, &writer.tree, ask) else { continue };
            let Ok(proof) = writer.prove(&request) else { continue };
            for changes in &changes {
                let mut changed = proof.clone();
                for one in changes {
                    if let Some(next) = change(&changed, one) {
                        changed = next;
                    }
                }
                let mut victim = reader.clone();
                match victim.take(&changed) {
                    Ok(()) => {
                        check_truth(&victim, &writer, &truth, false);
                        let own = [0, reader.tree.length(), writer.tree.length()];
                        prop_assert!(own.contains(&victim.tree.length()), "only what was signed");
                    }
                    Err(_) => prop_assert_eq!(&victim, &reader, "refused and yet changed"),
                }
            }
            reader.take(&proof).unwrap();
        }
    }

    /// Whatever a request says, the prover answers or refuses.
    #[test]
    fn no_request_upsets_the_prover(
        blocks in any_blocks(20),
        numbers in prop::collection::vec(prop_oneof![0..50_u64, any::<u64>(), Just(u64::MAX), Just(1 << 52), Just((1 << 53) - 1)], 8),
        parts in 0..32_u8,
    ) {
        let writer = Writer::new(&SEED, 0, blocks);
        let part = |bit: u8| parts & (1 << bit) != 0;
        let request = Request {
            block: part(0).then(|| BlockRequest { index: numbers[0], nodes: numbers[1] }),
            hash: part(1).then(|| HashRequest { index: Index::new(numbers[2]), nodes: numbers[3] }),
            seek: part(2).then(|| SeekRequest { bytes: numbers[4], padding: numbers[5] }),
            upgrade: part(3).then(|| UpgradeRequest { start: numbers[6], length: numbers[7] }),
            manifest: part(4),
            ..Request::default()
        };
        if let Ok(proof) = writer.prove(&request) {
            let mut reader = Reader::new(writer.key, 0);
            let upgrade = Some(UpgradeRequest { start: 0, length: writer.tree.length() });
            let whole = Request { upgrade, manifest: true, ..Request::default() };
            reader.take(&writer.prove(&whole).unwrap()).unwrap();
            // The levels may end below what this reader knows; nothing else may be wrong.
            if reader.take(&proof).is_ok() {
                check_truth(&reader, &writer, &writer.nodes, true);
            }
        }
    }

    /// Arbitrary bytes are a proof that is refused, or none.
    #[test]
    fn arbitrary_messages_are_refused(message in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Some(proof) = parse(&message) {
            let writer = Writer::new(&SEED, 0, vec![b"a".to_vec(), b"b".to_vec()]);
            let mut reader = Reader::new(writer.key, 0);
            let before = reader.clone();
            let _ = reader.take(&proof);
            prop_assert_eq!(reader, before);
        }
    }

    /// A reorg finds the last block that is shared, and what it stores is the new tree's.
    #[test]
    fn reorgs_find_what_is_shared(
        blocks in any_blocks(40),
        cut in any::<Pick>(),
        tail in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..9), 0..20),
        asks in prop::collection::vec(any_ask(), 0..8),
        everything: bool,
        signed_at in any::<Pick>(),
    ) {
        let old = Writer::new(&SEED, 0, blocks);
        let shared = usize::try_from(pick(&cut, old.tree.length() + 1)).unwrap();
        let mut blocks = old.blocks[..shared].to_vec();
        blocks.extend(tail);
        prop_assume!(!blocks.is_empty());
        let same = |(a, b): &(&Vec<u8>, &Vec<u8>)| a == b;
        let shared = old.blocks.iter().zip(&blocks).take_while(same).count() as u64;
        let new = Writer::new(&SEED, 4, blocks);

        let mut reader = Reader::new(old.key, 0);
        let mut asks = asks;
        asks.insert(0, Ask::UpgradeAndBlock(cut, cut));
        for ask in &asks {
            let Some(request) = request(&reader, &old.tree, ask) else { continue };
            if let Ok(proof) = old.prove(&request) {
                reader.take(&proof).unwrap();
            }
        }
        if everything {
            reader.nodes = old.nodes.clone();
            reader.blocks = (0..).zip(old.blocks.clone()).collect();
        }

        let length = 1 + pick(&signed_at, new.tree.length());
        let upgrade = Some(UpgradeRequest { start: 0, length });
        let first = Request { fork: 4, upgrade, manifest: true, ..Request::default() };
        let mut reorg = reader.start_reorg(&new.prove(&first).unwrap()).unwrap();
        let mut steps = 0;
        while let Some(want) = reorg.want().cloned() {
            steps += 1;
            prop_assert!(steps < 64 && !want.blocks.is_empty());
            let block = want.blocks.start + pick(&cut, want.blocks.end - want.blocks.start);
            // The new tree may be shorter than what is wanted of the old one.
            let proof = new.prove(&want.request(block)).unwrap();
            reorg.feed(&reader.nodes, &proof).unwrap();
        }
        let verified = reorg.finish().unwrap();
        prop_assert!(verified.ancestors <= shared);
        if everything {
            prop_assert_eq!(verified.ancestors, shared);
        }
        reader.store(verified);
        prop_assert_eq!(&reader.tree, &new.tree);
        check_truth(&reader, &new, &twin::nodes(&new.blocks), true);
    }
}

#[test]
fn a_twin_of_one_block_is_its_leaf() {
    let block = vec![b"x".to_vec()];
    let (tree, nodes) = full(&block, 0);
    assert_eq!(twin::nodes(&block), nodes);
    assert_eq!(tree.roots(), [twin::node(&block, 0).unwrap()]);
}
