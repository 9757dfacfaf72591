//! `#[derive(Paged)]`: what it stores, and that it reads the same back.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::marker::PhantomData;

use paged::schema::type_text;
use paged::{
    Decode, DecodeFromHeap, Encode, EncodeOnHeap, EncodeSized, Heap, HeapSection, Inline, Input,
    Paged, ReadError, Schema, Section, Wide,
};

/// Encodes `value` as an entry, compares the bytes, and decodes them again.
fn check_entry<T>(value: &T, expected: &[u8], expected_heap: &[u8])
where
    T: EncodeOnHeap + DecodeFromHeap + PartialEq + Debug,
{
    let mut heap = Heap::new();
    let mut bytes = Vec::new();
    let len = value.encode_on_heap(&(), &mut heap, &mut bytes).unwrap();
    assert_eq!(bytes, expected, "{value:?}");
    assert_eq!(len, T::ENCODED_SIZE);
    assert_eq!(bytes.len(), T::ENCODED_SIZE as usize);
    let heap = heap.as_bytes().unwrap();
    assert_eq!(heap, expected_heap, "{value:?}");
    let mut input = Input::new(&bytes);
    assert_eq!(&T::decode_from_heap(&mut input, &mut (), heap).unwrap(), value);
    assert_eq!(input.remaining(), 0);
}

/// The same as a value on a heap.
fn check_alone<T: Encode + Decode + PartialEq + Debug>(value: &T, expected: &[u8]) {
    let mut bytes = Vec::new();
    assert_eq!(value.encode(&(), &mut bytes).unwrap() as usize, expected.len());
    assert_eq!(bytes, expected, "{value:?}");
    if let Some(size) = T::FIXED_SIZE {
        assert_eq!(size as usize, expected.len());
    }
    let mut input = Input::new(&bytes);
    assert_eq!(&T::decode(&mut input, &mut ()).unwrap(), value);
    assert_eq!(input.remaining(), 0);
}

#[derive(Paged, Debug, PartialEq, Clone, Copy)]
struct Point {
    x: u16,
    y: i16,
}

#[derive(Paged, Debug, PartialEq)]
struct Pair(u8, Point);

#[derive(Paged, Debug, PartialEq)]
struct Nothing;

#[test]
fn a_struct_is_its_fields_in_order() {
    check_entry(&Point { x: 1, y: -2 }, &[0, 1, 0xff, 0xfe], &[]);
    check_entry(&Pair(7, Point { x: 258, y: 3 }), &[7, 1, 2, 0, 3], &[]);
    check_alone(&Pair(7, Point { x: 258, y: 3 }), &[7, 1, 2, 0, 3]);
    check_entry(&Nothing, &[], &[]);
    assert_eq!(type_text::<Pair>(), "(u8,{x:u16,y:i16})");
    assert_eq!(type_text::<Nothing>(), "()");
}

#[derive(Paged, Debug, PartialEq)]
enum Shape {
    Dot,
    Line(u32),
    Box { w: u32, h: u32 },
}

#[test]
fn an_enum_is_padded_to_its_longest_variant() {
    assert_eq!(Shape::ENCODED_SIZE, 9);
    check_entry(&Shape::Dot, &[0; 9], &[]);
    check_entry(&Shape::Line(7), &[1, 0, 0, 0, 7, 0, 0, 0, 0], &[]);
    check_entry(&Shape::Box { w: 1, h: 2 }, &[2, 0, 0, 0, 1, 0, 0, 0, 2], &[]);
    check_alone(&Shape::Line(7), &[1, 0, 0, 0, 7, 0, 0, 0, 0]);
    assert_eq!(type_text::<Shape>(), "enum{Dot,Line(u32),Box{w:u32,h:u32}}");
}

#[test]
fn a_tag_without_a_variant_is_an_error() {
    let decoded = Shape::decode(&mut Input::new(&[3; 9]), &mut ());
    assert!(matches!(decoded, Err(ReadError::Invalid { .. })), "{decoded:?}");
}

#[derive(Paged, Debug, PartialEq)]
#[paged(heap)]
enum Note {
    None,
    Text(String),
    Both { heap: Vec<Shape>, context: Option<String>, output: u8 },
}

#[test]
fn fields_may_have_the_names_of_our_arguments() {
    let list = vec![Shape::Line(1), Shape::Dot];
    check_entry(
        &Note::Both { heap: list, context: Some("ab".into()), output: 5 },
        &[2, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 18, 0, 0, 0, 2, 5],
        &[1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b'a', b'b'],
    );
    check_entry(
        &Note::Text("x".into()),
        &[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        b"x",
    );
    check_entry(&Note::None, &[0; 19], &[]);
}

/// An enum on a heap, whose values take what they need.
#[derive(Paged, Debug, PartialEq)]
#[paged(unsized)]
enum Step {
    Stay,
    Say(Inline<String>),
    Go { dx: i8, dy: i8 },
}

#[derive(Paged, Debug, PartialEq)]
#[paged(unsized)]
struct Walk {
    id: u8,
    steps: Inline<Vec<Step>>,
}

#[derive(Paged, Debug, PartialEq)]
#[paged(heap)]
struct Walks {
    all: Vec<Walk>,
}

#[test]
fn values_without_a_size_stand_on_heaps() {
    let walk = Walk {
        id: 9,
        steps: Inline(vec![Step::Go { dx: 1, dy: -1 }, Step::Stay, Step::Say(Inline("hi".into()))]),
    };
    let bytes = [9, 0, 0, 0, 3, 2, 1, 0xff, 0, 1, 0, 0, 0, 2, b'h', b'i'];
    check_alone(&walk, &bytes);
    assert_eq!(<Walk as Decode>::FIXED_SIZE, None);
    check_entry(&Walks { all: vec![walk] }, &[0, 0, 0, 0, 0, 0, 0, 1], &bytes);
}

/// Interned names: the context is a table.
trait Names {
    fn number(&self, name: &str) -> u32;
    fn name(&self, number: u32) -> String;
}

impl Names for BTreeMap<u32, String> {
    fn number(&self, name: &str) -> u32 {
        *self.iter().find(|(_, known)| *known == name).unwrap().0
    }

    fn name(&self, number: u32) -> String {
        self[&number].clone()
    }
}

#[derive(Debug, PartialEq)]
struct Name(String);

impl<N: Names> Encode<N> for Name {
    fn encode(&self, context: &N, output: &mut impl std::io::Write) -> std::io::Result<u32> {
        context.number(&self.0).encode(context, output)
    }
}

impl EncodeSized for Name {
    const ENCODED_SIZE: u32 = 4;
}

impl<N: Names> EncodeOnHeap<N> for Name {
    fn encode_on_heap(
        &self,
        context: &N,
        _heap: &mut Heap,
        output: &mut impl std::io::Write,
    ) -> std::io::Result<u32> {
        self.encode(context, output)
    }
}

impl<N: Names> Decode<N> for Name {
    fn decode(input: &mut Input<'_>, context: &mut N) -> Result<Self, ReadError> {
        let number = u32::decode(input, context)?;
        Ok(Self(context.name(number)))
    }
}

impl<N: Names> DecodeFromHeap<N> for Name {
    fn decode_from_heap<H: paged::HeapBytes + ?Sized>(
        input: &mut Input<'_>,
        context: &mut N,
        _heap: &H,
    ) -> Result<Self, ReadError> {
        Self::decode(input, context)
    }
}

#[derive(Paged, Debug, PartialEq)]
#[paged(context(N: Names), no_schema)]
struct Person {
    name: Name,
    age: u8,
}

/// The context is a parameter of the type itself.
#[derive(Paged, Debug, PartialEq)]
#[paged(heap, context(N: Names), no_schema)]
struct Group<N> {
    people: Vec<Person>,
    names: PhantomData<N>,
}

#[test]
fn a_context_reaches_every_value() {
    let mut names: BTreeMap<u32, String> = [(5, "ada".into()), (6, "bob".into())].into();
    let group = Group {
        people: vec![
            Person { name: Name("bob".into()), age: 30 },
            Person { name: Name("ada".into()), age: 40 },
        ],
        names: PhantomData,
    };
    let (mut heap, mut bytes) = (Heap::new(), Vec::new());
    group.encode_on_heap(&names, &mut heap, &mut bytes).unwrap();
    let heap = heap.as_bytes().unwrap();
    assert_eq!(heap, [0, 0, 0, 6, 30, 0, 0, 0, 5, 40]);
    let read = Group::decode_from_heap(&mut Input::new(&bytes), &mut names, heap).unwrap();
    assert_eq!(read, group);
}

/// Without bounds: implemented where the fields allow it.
#[derive(Paged, Debug, PartialEq)]
struct Tagged<T, const N: usize> {
    tag: [u8; N],
    value: Option<T>,
}

/// With bounds, as the published macro wants them.
#[derive(Paged, Debug, PartialEq)]
#[paged(context(C), bounds(T: EncodeSized), encode_bounds(T: Encode<C> + EncodeOnHeap<C>))]
#[paged(decode_bounds(T: Decode<C> + DecodeFromHeap<C>))]
struct Bounded<T> {
    value: T,
}

#[derive(Paged, Debug, PartialEq)]
enum Either<L, R> {
    Left(L),
    Right(R),
}

#[test]
fn types_may_have_parameters() {
    check_entry(&Tagged { tag: *b"ab", value: Some(3_u16) }, &[b'a', b'b', 1, 0, 3], &[]);
    check_alone(&Tagged { tag: *b"", value: None::<u16> }, &[0, 0, 0]);
    check_entry(&Bounded { value: (1_u8, 2_u8) }, &[1, 2], &[]);
    check_entry(&Either::<u8, String>::Right("hi".into()), &[1, 0, 0, 0, 0, 0, 0, 0, 2], b"hi");
    check_alone(&Either::<u8, u16>::Left(4), &[0, 4, 0]);
    assert_eq!(type_text::<Either<u8, String>>(), "enum{Left(u8),Right(string)}");
    assert_eq!(type_text::<Tagged<u16, 2>>(), "{tag:[u8;2],value:option<u16>}");
}

#[derive(Paged)]
#[paged(heap, encode_only)]
struct Borrowed<'a> {
    text: &'a str,
    numbers: &'a [u16],
}

#[test]
fn what_is_only_written_may_borrow() {
    let (mut heap, mut bytes) = (Heap::new(), Vec::new());
    let value = Borrowed { text: "ab", numbers: &[1, 2] };
    value.encode_on_heap(&(), &mut heap, &mut bytes).unwrap();
    assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2]);
    assert_eq!(heap.as_bytes().unwrap(), [b'a', b'b', 0, 1, 0, 2]);
    assert_eq!(type_text::<Borrowed<'_>>(), "{text:string,numbers:list<u16>}");
}

macro_rules! made_by_a_macro {
    ($name:ident, $type:ty) => {
        #[derive(Paged, Debug, PartialEq)]
        struct $name {
            given: $type,
            own: u8,
        }
    };
}

made_by_a_macro!(Made, u16);

#[test]
fn a_type_may_be_made_by_a_macro() {
    check_entry(&Made { given: 1, own: 2 }, &[0, 1, 2], &[]);
    check_alone(&Made { given: 1, own: 2 }, &[0, 1, 2]);
}

/// A tree: a section of its own kind inside an entry.
#[derive(Paged, Debug, PartialEq)]
struct Node {
    r#type: u8,
    #[paged(name = "kids")]
    children: Section<Self>,
    data: HeapSection,
}

mod elsewhere {
    pub(crate) use ::paged as found_here;
}

/// Contains itself with its parameter, so what its field needs is not to be asked of the field.
#[derive(Paged, Debug, PartialEq)]
#[paged(crate = elsewhere::found_here)]
#[paged(context(C), encode_sized_bounds(T: EncodeSized), schema_bounds(T: Schema))]
#[paged(encode_bounds(T: Encode<C> + EncodeOnHeap<C>), decode_bounds(T: Decode<C> + DecodeFromHeap<C>))]
struct Chain<T> {
    value: T,
    next: Option<Section<Self>>,
}

#[test]
fn a_type_with_parameters_may_contain_itself() {
    check_entry(&Chain { value: 1_u8, next: None }, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[]);
    let next = Some(Section::new(2, 3));
    check_alone(&Chain { value: 1_u8, next }, &[1, 1, 0, 0, 0, 2, 0, 0, 0, 3]);
    assert_eq!(
        type_text::<Chain<u8>>(),
        "{value:u8,next:option<section<{value:u8,next:option<section>}>>}"
    );
}

#[derive(Paged, Debug, PartialEq)]
enum Renamed {
    #[paged(name = "Old")]
    New {
        #[paged(name = "before")]
        after: u8,
    },
}

#[test]
fn names_can_be_kept_and_a_type_may_contain_itself() {
    let node = Node {
        r#type: 1,
        children: Section::new(2, 3),
        data: HeapSection { page_offset: 4, page_count: 5 },
    };
    check_entry(&node, &[1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5], &[]);
    assert_eq!(
        type_text::<Node>(),
        "{type:u8,kids:section<{type:u8,kids:section,data:heap}>,data:heap}"
    );
    assert_eq!(type_text::<Renamed>(), "enum{Old{before:u8}}");
}

#[derive(Paged, Debug, PartialEq)]
#[paged(heap)]
struct Everything {
    wide: Wide<Vec<u32>>,
    map: BTreeMap<Inline<String>, (u8, bool)>,
    boxed: Box<str>,
    letters: [char; 2],
}

#[test]
fn fields_may_be_of_any_type_that_can_be_stored() {
    let value = Everything {
        wide: Wide(vec![1, 2]),
        map: [(Inline("k".to_owned()), (1, true))].into(),
        boxed: "box".into(),
        letters: ['a', 'b'],
    };
    let mut expected = vec![0; 8];
    expected.extend([0, 0, 0, 0, 0, 0, 0, 2]);
    expected.extend([0, 0, 0, 8, 0, 0, 0, 1]);
    expected.extend([0, 0, 0, 15, 0, 0, 0, 3]);
    expected.extend([0, 0, 0, b'a', 0, 0, 0, b'b']);
    let heap = [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, b'k', 1, 1, b'b', b'o', b'x'];
    check_entry(&value, &expected, &heap);
    fn stored<T: Schema>(_: &T) -> String {
        type_text::<T>()
    }
    assert_eq!(
        stored(&value),
        "{wide:wide<list<u32>>,map:map<inline<string>,(u8,bool)>,boxed:string,letters:[char;2]}"
    );
}

#[derive(Paged, Debug, PartialEq)]
#[paged(unsized)]
enum Tree {
    Leaf(u8),
    Branch(Inline<Vec<Self>>),
    Edge { to: Box<Self>, twig: Twig },
}

#[derive(Paged, Debug, PartialEq)]
#[paged(unsized)]
struct Twig(Inline<Vec<Tree>>);

/// Branches in each other.
fn branches(depth: usize) -> Vec<u8> {
    let mut bytes = [1, 0, 0, 0, 1].repeat(depth);
    bytes.extend([0, 7]);
    bytes
}

#[test]
fn a_type_that_is_in_itself_is_read_as_deep_as_the_stack_is_good_for() {
    let tree = Tree::decode(&mut Input::new(&branches(128)), &mut ()).unwrap();
    let mut inner = &tree;
    while let Tree::Branch(branch) = inner {
        inner = &branch[0];
    }
    assert_eq!(*inner, Tree::Leaf(7));

    for deeper in [branches(129), branches(1_000_000), vec![2; 1_000_000]] {
        let refused = Tree::decode(&mut Input::new(&deeper), &mut ()).unwrap_err();
        assert!(refused.to_string().contains("deep"), "{refused}");
    }
    // What stands side by side is not deep.
    let mut wide = vec![1, 0, 0, 1, 0];
    wide.extend([1, 0, 0, 0, 0].repeat(256));
    assert!(Tree::decode(&mut Input::new(&wide), &mut ()).is_ok());
}

#[test]
fn a_type_that_is_in_itself_says_so() {
    assert_eq!(
        type_text::<Tree>(),
        "enum{Leaf(u8),Branch(inline<list<up<1>>>),Edge{to:up<1>,twig:(inline<list<up<2>>>)}}"
    );
}
