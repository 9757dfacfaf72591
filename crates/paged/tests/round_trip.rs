//! Whatever is written is read back: derived types in both forms, on pages of any length, from a
//! source in memory and from one that is read piece by piece.

mod support;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use paged::container::{Container, Writer};
use paged::{
    Decode, DecodeFromHeap, Encode, EncodeOnHeap, Encoder, Heap, HeapBytes, Inline, Input, Paged,
    ReadError, Reader, Section, Source, Wide,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use support::Positioned;

#[derive(Paged, Debug, Clone, PartialEq)]
struct Leaf {
    small: (u8, i16),
    large: u128,
    flag: bool,
    letter: char,
    real: f64,
    hash: [u8; 5],
}

#[derive(Paged, Debug, Clone, PartialEq)]
#[paged(heap)]
enum Branch {
    Empty,
    Text(String),
    Leaves { leaves: Vec<Leaf>, first: Option<Box<Leaf>> },
    Words(Vec<Inline<String>>, Wide<String>),
}

#[derive(Paged, Debug, Clone, PartialEq)]
#[paged(unsized)]
enum Token {
    Stop,
    Number(i64),
    Group(Inline<Vec<Inline<Vec<u8>>>>),
}

#[derive(Paged, Debug, Clone, PartialEq)]
#[paged(heap)]
struct Tree<T> {
    id: u32,
    branches: [Branch; 2],
    extra: Option<T>,
    tokens: Vec<Token>,
    counts: BTreeMap<Inline<String>, (u32, Option<u8>)>,
    seen: BTreeSet<i8>,
    parts: Wide<Vec<(u8, u64)>>,
    nested: (Section<u8>, Box<str>, Box<[u16]>),
}

fn leaf() -> impl Strategy<Value = Leaf> {
    let real =
        any::<u64>().prop_map(f64::from_bits).prop_filter("equal to itself", |real| !real.is_nan());
    (any::<(u8, i16)>(), any::<u128>(), any::<bool>(), any::<char>(), real, any::<[u8; 5]>())
        .prop_map(|(small, large, flag, letter, real, hash)| Leaf {
            small,
            large,
            flag,
            letter,
            real,
            hash,
        })
}

fn text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..12).prop_map(|letters| letters.into_iter().collect())
}

fn branch() -> impl Strategy<Value = Branch> {
    prop_oneof![
        Just(Branch::Empty),
        text().prop_map(Branch::Text),
        (vec(leaf(), 0..4), prop::option::of(leaf().prop_map(Box::new)))
            .prop_map(|(leaves, first)| Branch::Leaves { leaves, first }),
        (vec(text().prop_map(Inline), 0..4), text())
            .prop_map(|(words, wide)| Branch::Words(words, Wide(wide))),
    ]
}

fn token() -> impl Strategy<Value = Token> {
    prop_oneof![
        Just(Token::Stop),
        any::<i64>().prop_map(Token::Number),
        vec(vec(any::<u8>(), 0..9).prop_map(Inline), 0..4)
            .prop_map(|group| Token::Group(Inline(group))),
    ]
}

fn tree() -> impl Strategy<Value = Tree<(char, String)>> {
    (
        (any::<u32>(), [branch(), branch()], prop::option::of((any::<char>(), text()))),
        (vec(token(), 0..6), btree_map(text().prop_map(Inline), any::<(u32, Option<u8>)>(), 0..5)),
        (btree_set(any::<i8>(), 0..5), vec(any::<(u8, u64)>(), 0..5)),
        (any::<(u32, u32)>(), text(), vec(any::<u16>(), 0..5)),
    )
        .prop_map(
            |((id, branches, extra), (tokens, counts), (seen, parts), (section, text, list))| {
                Tree {
                    id,
                    branches,
                    extra,
                    tokens,
                    counts,
                    seen,
                    parts: Wide(parts),
                    nested: (Section::new(section.0, section.1), text.into(), list.into()),
                }
            },
        )
}

type Entry = Tree<(char, String)>;

fn read_plain(
    source: impl Source,
    page_len: u32,
    first_page: u64,
    (trees, leaves, heap): (Section<Entry>, Section<Leaf>, paged::HeapSection),
) -> (Vec<Entry>, Vec<Leaf>) {
    let reader = Reader::new(source, page_len, first_page).unwrap();
    let trees =
        reader.entries(trees, Some(heap)).unwrap().iter().collect::<Result<_, _>>().unwrap();
    let leaves = reader.entries(leaves, None).unwrap().iter().collect::<Result<_, _>>().unwrap();
    (trees, leaves)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_plain_form(
        trees in vec(tree(), 0..12),
        leaves in vec(leaf(), 0..40),
        page_len in prop_oneof![Just(200), Just(4096), 200_u32..900],
        header in vec(any::<u8>(), 0..40),
        memory_limit in 0_usize..600,
    ) {
        let first_page = header.len() as u64;
        let mut output = header;
        let mut encoder = Encoder::new(&mut output, page_len);
        let mut heap = Heap::spilling(std::io::Cursor::new(Vec::new()), memory_limit);
        let handles = (
            encoder.section_from_iter(&mut heap, &trees).unwrap(),
            encoder.section_from_iter(&mut heap, &leaves).unwrap(),
            encoder.add_heap(heap).unwrap(),
        );
        encoder.end().unwrap();
        prop_assert_eq!((output.len() as u64 - first_page) % u64::from(page_len), 0);
        let expected = (trees, leaves);
        prop_assert_eq!(&read_plain(output.clone(), page_len, first_page, handles), &expected);
        prop_assert_eq!(&read_plain(Positioned(output), page_len, first_page, handles), &expected);
    }

    #[test]
    fn the_container(
        trees in vec(tree(), 0..12),
        leaves in vec(leaf(), 0..40),
        page_len in (8_u32..13).prop_map(|power| 1 << power),
    ) {
        let mut writer = Writer::new(Vec::new(), page_len).unwrap();
        let mut heap = writer.new_heap("heap").unwrap();
        let mut section = writer.begin_section::<Entry>("trees", &mut heap).unwrap();
        trees.iter().for_each(|tree| section.push(&(), tree).unwrap());
        section.end().unwrap();
        writer.add_heap(heap).unwrap();
        let mut section = writer.begin_section("leaves", paged::container::NO_HEAP).unwrap();
        leaves.iter().for_each(|leaf| section.push(&(), leaf).unwrap());
        section.end().unwrap();
        let file = writer.finish().unwrap();
        check_container(Container::new(file.clone()).unwrap(), &trees, &leaves);
        check_container(Container::new(Positioned(file)).unwrap(), &trees, &leaves);
    }
}

/// A heap that is not in memory in one piece.
struct InPieces<'a>(&'a [u8]);

impl HeapBytes for InPieces<'_> {
    fn len(&self) -> u64 {
        HeapBytes::len(self.0)
    }

    fn bytes(&self, offset: u64, len: u64) -> Result<Cow<'_, [u8]>, ReadError> {
        self.0.bytes(offset, len)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Bytes that somebody has changed decode to something else or to an error, the same one from
    /// memory and piece by piece.
    #[test]
    fn damaged_bytes(
        tree in tree(),
        changes in vec((any::<bool>(), any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let (mut heap, mut entry) = (Heap::new(), Vec::new());
        tree.encode_on_heap(&(), &mut heap, &mut entry).unwrap();
        let mut heap = heap.as_bytes().unwrap().to_vec();
        for (in_heap, place, byte) in changes {
            let bytes = if in_heap && !heap.is_empty() { &mut heap } else { &mut entry };
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let from_memory = Entry::decode_from_heap(&mut Input::new(&entry), &mut (), heap.as_slice());
        let pieces = InPieces(&heap);
        let from_pieces = Entry::decode_from_heap(&mut Input::new(&entry), &mut (), &pieces);
        match (from_memory, from_pieces) {
            // A damaged number may be none that is equal to itself.
            (Ok(one), Ok(other)) => prop_assert_eq!(format!("{one:?}"), format!("{other:?}")),
            (Err(_), Err(_)) => {}
            (one, other) => prop_assert!(false, "{one:?} {other:?}"),
        }
    }
}

fn check_container<S: Source>(container: Container<S>, trees: &[Entry], leaves: &[Leaf]) {
    container.verify().unwrap();
    let section = container.section::<Entry>("trees").unwrap();
    assert_eq!(section.iter().collect::<Result<Vec<_>, _>>().unwrap(), trees);
    let section = container.section::<Leaf>("leaves").unwrap();
    assert_eq!(
        section.iter().rev().collect::<Result<Vec<_>, _>>().unwrap(),
        leaves.iter().rev().cloned().collect::<Vec<_>>()
    );
    // The same entries as another type.
    container.section::<Branch>("leaves").unwrap_err();
}

/// A list of lists of its own kind.
#[derive(Paged, Debug, PartialEq, Default)]
#[paged(unsized)]
struct Nest(Inline<Vec<Self>>);

#[test]
fn a_value_is_written_only_as_deep_as_it_is_read() {
    let mut nest = Nest::default();
    for depth in 1..=200_u32 {
        let mut bytes = Vec::new();
        let written = nest.encode(&(), &mut bytes);
        assert_eq!(written.is_ok(), depth <= 128, "{depth} deep");
        match written {
            Ok(_) => assert_eq!(Nest::decode(&mut Input::new(&bytes), &mut ()).unwrap(), nest),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput),
        }
        nest = Nest(Inline(vec![nest]));
    }
    // What was refused leaves nothing behind.
    assert!(Nest::default().encode(&(), &mut Vec::new()).is_ok());
}
