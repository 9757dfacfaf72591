//! Getting one entry decodes one, and looks at nothing else of its page but its checksum, when the page is loaded.

use std::io::{self, Cursor, Write};
use std::sync::Mutex;

use paged::container::{Container, NO_HEAP, Writer};
use paged::{
    Decode, DecodeFromHeap, Encode, EncodeOnHeap, EncodeSized, Encoder, Heap, HeapBytes, Input,
    ReadError, ReadOptions, Reader, Source,
};

const PAGE_LEN: u32 = 4096;
const COUNT: u32 = 100_000;

/// A number that counts in its context how often one was decoded.
#[derive(Debug, PartialEq)]
struct Counted(u64);

impl EncodeSized for Counted {
    const ENCODED_SIZE: u32 = 8;
}

impl<C> Encode<C> for Counted {
    fn encode(&self, context: &C, output: &mut impl Write) -> io::Result<u32> {
        self.0.encode(context, output)
    }
}

impl<C> EncodeOnHeap<C> for Counted {
    fn encode_on_heap(
        &self,
        context: &C,
        _: &mut Heap,
        output: &mut impl Write,
    ) -> io::Result<u32> {
        self.encode(context, output)
    }
}

impl DecodeFromHeap<u32> for Counted {
    fn decode_from_heap<H: HeapBytes + ?Sized>(
        input: &mut Input<'_>,
        count: &mut u32,
        _: &H,
    ) -> Result<Self, ReadError> {
        *count += 1;
        u64::decode(input, &mut ()).map(Self)
    }
}

/// Remembers what was read.
struct Watched {
    file: Vec<u8>,
    reads: Mutex<Vec<(u64, usize)>>,
}

impl Watched {
    fn new(file: Vec<u8>) -> Self {
        Self { file, reads: Mutex::default() }
    }

    fn take_reads(&self) -> Vec<(u64, usize)> {
        std::mem::take(&mut self.reads.lock().unwrap())
    }
}

impl Source for Watched {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.len() as u64)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.reads.lock().unwrap().push((offset, into.len()));
        self.file.as_slice().read_at(offset, into)
    }
}

#[test]
fn one_entry_is_decoded_for_each_that_is_asked_for() {
    let mut encoder = Encoder::new(Cursor::new(Vec::new()), PAGE_LEN);
    let mut heap = Heap::new();
    let mut section = encoder.begin_section::<Counted>(&mut heap).unwrap();
    for number in 0..u64::from(COUNT) {
        section.push(&(), &Counted(number * 2)).unwrap();
    }
    let section = section.end().unwrap();
    let file = encoder.end().unwrap().into_inner();
    let in_memory = Reader::new(file.as_slice(), PAGE_LEN, 0).unwrap();
    let in_memory = in_memory.entries(section, None).unwrap();
    let options = ReadOptions::new().cache_limit(64 << 10);
    let positioned =
        Reader::with_options(Watched::new(file.clone()), PAGE_LEN, 0, options).unwrap();
    let positioned = positioned.entries(section, None).unwrap();
    for index in [0, 1, 511, 512, 50_001, COUNT - 1] {
        let mut decoded = [0; 2];
        let expected = Some(Counted(u64::from(index) * 2));
        assert_eq!(in_memory.get_with(index, &mut decoded[0]).unwrap(), expected);
        assert_eq!(positioned.get_with(index, &mut decoded[1]).unwrap(), expected);
        assert_eq!(decoded, [1, 1], "entry {index}");
        // 17 halvings of 100,000, and one to say whether it is the one.
        let mut decoded = [0; 2];
        let wanted = u64::from(index) * 2;
        let compare = |entry: &Counted, _: &mut u32| entry.0.cmp(&wanted);
        let found = in_memory.binary_search_by_with(&mut decoded[0], compare).unwrap();
        assert_eq!(found, Ok(index));
        let found = positioned.binary_search_by_with(&mut decoded[1], compare).unwrap();
        assert_eq!(found, Ok(index));
        assert!(decoded.iter().all(|decoded| (17..=18).contains(decoded)), "{decoded:?}");
    }
}

#[test]
fn a_page_of_a_container_is_read_and_verified_once_and_its_neighbours_not_at_all() {
    let mut writer = Writer::new(Vec::new(), PAGE_LEN).unwrap();
    let mut section = writer.begin_section::<u64>("numbers", NO_HEAP).unwrap();
    for number in 0..u64::from(COUNT) {
        section.push(&(), &number).unwrap();
    }
    section.end().unwrap();
    let mut file = writer.finish().unwrap();
    // What is wrong with the other pages does not matter.
    let page = |number: usize| (number + 1) * PAGE_LEN as usize;
    file[page(99)] ^= 1;
    file[page(101)] ^= 1;
    let options = ReadOptions::new().cache_limit(64 << 10);
    let container = Container::with_options(Watched::new(file), options).unwrap();
    let source = container.reader().source();
    let numbers = container.section::<u64>("numbers").unwrap();
    source.take_reads();
    assert_eq!(numbers.get(100 * 512 + 7).unwrap(), Some(100 * 512 + 7));
    let reads = source.take_reads();
    assert_eq!(reads[0], (page(100) as u64, PAGE_LEN as usize));
    assert_eq!(reads.len(), 2, "the page, and that of its checksum: {reads:?}");
    for place in 0..512 {
        assert_eq!(numbers.get(100 * 512 + place).unwrap(), Some(u64::from(100 * 512 + place)));
    }
    assert_eq!(source.take_reads(), []);
    assert!(matches!(numbers.get(99 * 512), Err(ReadError::Checksum { page: 99 })));
}
