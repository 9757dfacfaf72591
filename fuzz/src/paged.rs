//! Paged files that are not what they say.

use paged::container::{Container, ItemKind, NO_HEAP, Writer};
use paged::heap::{Entry, WideEntry};
use paged::{
    DecodeFromHeap, EncodeSized, HeapSection, Paged, ReadOptions, Reader, Schema, Section,
    Source as PagedSource, Wide,
};

use crate::Script;

/// Bytes that reading a paged file may allocate whatever it says: cache and windows.
pub const PAGED_CONSTANT: usize = 512 * 1024;

const PAGE_LEN: usize = 64;
/// Bytes of the header and the footer of a container.
const FRAME: (usize, usize) = (64, 48);

/// One of everything that is stored in a way of its own.
#[derive(Paged, Debug, Clone, PartialEq)]
#[paged(heap)]
pub enum Value {
    /// No bytes.
    Nothing,
    /// A text.
    Text(String),
    /// Lists.
    Lists {
        /// Of a fixed size.
        numbers: Vec<u16>,
        /// With bytes that are not all allowed.
        marks: Vec<(bool, char)>,
        /// Of one that may be absent.
        maybe: Option<u64>,
    },
    /// Eight bytes of offset and of length.
    Far(Wide<Vec<u32>>),
    /// Handles.
    Handles(HeapSection, Entry),
}

/// A source that is not in memory.
#[derive(Debug)]
pub struct Positioned<'a>(pub &'a [u8]);

impl PagedSource for Positioned<'_> {
    fn len(&self) -> std::io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<()> {
        self.0.read_at(offset, into)
    }
}

/// Some values, each kind several times.
fn values() -> impl Iterator<Item = Value> {
    (0..20_u8).map(|index| match index % 5 {
        0 => Value::Nothing,
        1 => Value::Text("text".repeat(index.into())),
        2 => Value::Lists {
            numbers: (0..index.into()).collect(),
            marks: vec![(index > 9, 'x'); index.into()],
            maybe: (index > 6).then_some(index.into()),
        },
        3 => Value::Far(Wide(vec![7; index.into()])),
        _ => Value::Handles(
            HeapSection { page_offset: 1, page_count: 2 },
            Entry { offset: paged::heap::Offset::new(3), len: 4 },
        ),
    })
}

/// A container of them.
///
/// # Panics
/// Never: what is written is constant.
#[must_use]
pub fn container() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), PAGE_LEN as u32).expect("a page length");
    let mut heap = writer.new_heap("heap").expect("a name");
    let mut section = writer.begin_section::<Value>("values", &mut heap).expect("a name");
    for value in values() {
        section.push(&(), &value).expect("memory");
    }
    section.end().expect("memory");
    writer.add_heap(heap).expect("memory");
    let mut numbers = writer.begin_section::<u64>("numbers", NO_HEAP).expect("a name");
    for number in 0..30 {
        numbers.push(&(), &number).expect("memory");
    }
    numbers.end().expect("memory");
    writer.finish().expect("memory")
}

/// A container with bytes changed anywhere, and with checksums that say so was it meant.
#[must_use]
pub fn edited_container(script: &mut Script<'_>) -> Vec<u8> {
    let mut file = container();
    let pages = u64_at(&file, file.len() - FRAME.1) as usize;
    while !script.is_empty() {
        let place = script.below(file.len());
        file[place] = script.byte();
    }
    let (checked, checksums) = file.split_at_mut(FRAME.0 + pages * PAGE_LEN);
    let sum = |number: usize, page: &[u8]| {
        crc32fast::hash(&[&(number as u64).to_be_bytes()[..], page].concat()).to_be_bytes()
    };
    for (number, page) in checked[FRAME.0..].chunks(PAGE_LEN).enumerate() {
        checksums[number * 4..][..4].copy_from_slice(&sum(number, page));
    }
    let checksum_pages = pages.div_ceil(PAGE_LEN / 4);
    let (checked, rest) = checksums.split_at_mut(checksum_pages * PAGE_LEN);
    for (number, page) in checked.chunks(PAGE_LEN).enumerate() {
        rest[number * 4..][..4].copy_from_slice(&sum(pages + number, page));
    }
    let (root, rest) = rest.split_at_mut(checksum_pages * 4);
    let (table, footer) = rest.split_at_mut(rest.len() - FRAME.1);
    footer[16..20].copy_from_slice(&crc32fast::hash(root).to_be_bytes());
    footer[20..24].copy_from_slice(&crc32fast::hash(table).to_be_bytes());
    let checksum = crc32fast::hash(&footer[..36]).to_be_bytes();
    footer[36..40].copy_from_slice(&checksum);
    let checksum = crc32fast::hash(&file[..20]).to_be_bytes();
    file[20..24].copy_from_slice(&checksum);
    file
}

fn u64_at(bytes: &[u8], place: usize) -> u64 {
    let bytes = bytes[place..].first_chunk().expect("eight bytes");
    u64::from_be_bytes(*bytes)
}

/// Opens a container and reads all of it, by either kind of source: both say the same.
///
/// # Panics
/// When they do not, or reading does.
pub fn use_container(file: &[u8]) {
    let options = ReadOptions::new().cache_limit(PAGE_LEN as u64 * 512);
    let in_memory = Container::new(file);
    let positioned = Container::with_options(Positioned(file), options);
    assert_eq!(in_memory.is_ok(), positioned.is_ok());
    let (Ok(in_memory), Ok(positioned)) = (in_memory, positioned) else { return };
    assert_eq!(in_memory.verify().is_ok(), positioned.verify().is_ok());
    assert_eq!(in_memory.items(), positioned.items());
    for item in in_memory.items() {
        let name = item.name.as_str();
        same::<Value>(&in_memory, &positioned, name);
        same::<u64>(&in_memory, &positioned, name);
        if let ItemKind::Heap(heap) = &item.kind {
            let bytes = in_memory.heap(name).and_then(|bytes| Ok(bytes.bytes(0, heap.byte_len)?));
            let copy = positioned.heap(name).and_then(|bytes| Ok(bytes.bytes(0, heap.byte_len)?));
            assert_eq!(bytes.ok(), copy.ok());
        }
    }
}

fn same<T: EncodeSized + Schema + DecodeFromHeap + PartialEq + std::fmt::Debug>(
    in_memory: &Container<&[u8]>,
    positioned: &Container<Positioned<'_>>,
    name: &str,
) {
    let pair = (in_memory.section::<T>(name), positioned.section::<T>(name));
    let (Ok(in_memory), Ok(positioned)) = pair else { return };
    // A section of a small file may say that it has many: entries of one page are told apart by it.
    for (one, other) in in_memory.iter().zip(positioned.iter()).take(1000) {
        assert_eq!(one.ok(), other.ok());
    }
}

/// Reads a plain file with handles that come from anywhere.
pub fn use_plain(file: &[u8], script: &mut Script<'_>) {
    let (page_len, header_len) = (script.number() as u32, script.number());
    let options = ReadOptions::new().cache_limit(64 * 1024);
    let in_memory = Reader::new(file, page_len, header_len);
    let positioned = Reader::with_options(Positioned(file), page_len, header_len, options);
    let (Ok(in_memory), Ok(positioned)) = (in_memory, positioned) else { return };
    let heap =
        HeapSection { page_offset: script.number() as u32, page_count: script.number() as u32 };
    let (first_page, count) = (script.number() as u32, script.number() as u32);
    let wanted = script.number() as u32;
    plain::<Value>(&in_memory, &positioned, heap, Section::new(first_page, count), wanted);
    plain::<String>(&in_memory, &positioned, heap, Section::new(first_page, count), wanted);
    plain::<(u8, WideEntry)>(
        &in_memory,
        &positioned,
        heap,
        Section::new(first_page, count),
        wanted,
    );
    plain::<Option<Vec<[u16; 3]>>>(
        &in_memory,
        &positioned,
        heap,
        Section::new(first_page, count),
        wanted,
    );
}

fn plain<T: EncodeSized + DecodeFromHeap + PartialEq + std::fmt::Debug>(
    in_memory: &Reader<&[u8]>,
    positioned: &Reader<Positioned<'_>>,
    heap: HeapSection,
    section: Section<T>,
    wanted: u32,
) {
    let pair = (in_memory.entries(section, Some(heap)), positioned.entries(section, Some(heap)));
    assert_eq!(pair.0.is_ok(), pair.1.is_ok());
    let (Ok(one), Ok(other)) = pair else { return };
    assert_eq!(one.get(wanted).ok(), other.get(wanted).ok());
    for (one, other) in one.iter().zip(other.iter()).take(50) {
        assert_eq!(one.ok(), other.ok());
    }
    for (one, other) in one.iter().rev().zip(other.iter().rev()).take(50) {
        assert_eq!(one.ok(), other.ok());
    }
    let mut looked_at = 0;
    let search = one.binary_search_by(|_| {
        looked_at += 1;
        looked_at.cmp(&(wanted as usize % 40))
    });
    assert!(looked_at <= 33, "{search:?}");
    for page in one.pages().take(20) {
        let _ = page.map(|page| page.get(0).is_ok());
    }
}
