//! Containers that somebody made up, with every checksum right: what does not fit is refused when the file is opened,
//! and what fits is read as what the table says.

mod support;

use paged::container::{Container, FormatError, OpenError};
use paged::schema::fingerprint;
use paged::{ReadError, Source};
use support::{Positioned, container};

const PAGE_LEN: u32 = 64;
const HEADER_LEN: usize = 24;
const FOOTER_LEN: usize = 48;
/// The pages of numbers, eight on each; more of them follow.
const NUMBERS: u32 = 24;

/// A container, taken apart.
struct Parts {
    /// Header, pages and their checksums.
    front: Vec<u8>,
    table: Vec<u8>,
    footer: Vec<u8>,
}

impl Parts {
    fn new() -> Self {
        let mut front = container(PAGE_LEN, NUMBERS);
        let footer = front.split_off(front.len() - FOOTER_LEN);
        let table_len = u64::from_be_bytes(footer[8..16].try_into().unwrap()) as usize;
        let table = front.split_off(front.len() - table_len);
        Self { front, table, footer }
    }

    fn page_count(&self) -> u32 {
        u64::from_be_bytes(self.footer[..8].try_into().unwrap()) as u32
    }

    /// The file with another table.
    fn with_table(mut self, table: Vec<u8>) -> Vec<u8> {
        self.footer[8..16].copy_from_slice(&(table.len() as u64).to_be_bytes());
        self.footer[20..24].copy_from_slice(&crc32fast::hash(&table).to_be_bytes());
        self.table = table;
        self.with_footer(0, &[])
    }

    /// The file with other bytes in its footer.
    fn with_footer(mut self, offset: usize, bytes: &[u8]) -> Vec<u8> {
        self.footer[offset..offset + bytes.len()].copy_from_slice(bytes);
        let checksum = crc32fast::hash(&self.footer[..36]);
        self.footer[36..40].copy_from_slice(&checksum.to_be_bytes());
        [self.front, self.table, self.footer].concat()
    }

    /// The file with another number in its header, and in the footer, which repeats it.
    fn with_header(mut self, offset: usize, number: u32) -> Vec<u8> {
        self.front[offset..offset + 4].copy_from_slice(&number.to_be_bytes());
        let checksum = crc32fast::hash(&self.front[..HEADER_LEN - 4]);
        self.front[HEADER_LEN - 4..HEADER_LEN].copy_from_slice(&checksum.to_be_bytes());
        self.with_footer(offset + 16, &number.to_be_bytes())
    }
}

/// An item of a table.
enum Item<'a> {
    Section { name: &'a [u8], page: u32, count: u32, size: u32, heap: u32, text: &'a str },
    Heap { name: &'a [u8], page: u32, len: u64 },
}

impl Item<'_> {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (kind, name): (u8, &[u8]) = match self {
            Self::Section { name, .. } => (1, name),
            Self::Heap { name, .. } => (2, name),
        };
        bytes.push(kind);
        bytes.extend((name.len() as u16).to_be_bytes());
        bytes.extend(name);
        match self {
            Self::Section { page, count, size, heap, text, .. } => {
                bytes.extend([page, count, size, heap].map(|number| number.to_be_bytes()).concat());
                bytes.extend(fingerprint(text).to_be_bytes());
                bytes.extend((text.len() as u16).to_be_bytes());
                bytes.extend(text.as_bytes());
            }
            Self::Heap { page, len, .. } => {
                bytes.extend(page.to_be_bytes());
                bytes.extend(len.to_be_bytes());
            }
        }
        bytes
    }
}

/// A table of so many items, whatever it says their number is.
fn table(count: u32, items: &[Item<'_>]) -> Vec<u8> {
    let items = items.iter().map(Item::encode).collect::<Vec<_>>().concat();
    [&count.to_be_bytes()[..], &items].concat()
}

/// The section of numbers as it is.
const SOUND: Item<'static> =
    Item::Section { name: b"numbers", page: 0, count: NUMBERS, size: 8, heap: 0, text: "u64" };

fn open_both(file: &[u8]) -> [Result<(), OpenError>; 2] {
    let in_memory = Container::new(file).map(|_| ());
    [in_memory, Container::new(Positioned(file.to_vec())).map(|_| ())]
}

#[test]
fn a_table_put_together_by_hand_is_one() {
    let file = Parts::new().with_table(table(1, &[SOUND]));
    let container = Container::new(file.as_slice()).unwrap();
    let numbers = container.section::<u64>("numbers").unwrap();
    assert_eq!(numbers.get(23).unwrap(), Some(23 * 7));
    container.verify().unwrap();
}

#[test]
fn tables_that_lead_astray_are_refused() {
    let end = Parts::new().page_count();
    let section = |page, count, size, heap| Item::Section {
        name: b"a",
        page,
        count,
        size,
        heap,
        text: "u64",
    };
    let heap = |page, len| Item::Heap { name: b"a", page, len };
    let other_fingerprint = {
        let mut bytes = table(1, &[SOUND]);
        let place = bytes.len() - 2 - "u64".len() - 8;
        bytes[place..place + 8].copy_from_slice(&fingerprint("i64").to_be_bytes());
        bytes
    };
    let unknown_kind = {
        let mut bytes = table(1, &[SOUND]);
        bytes[4] = 3;
        bytes
    };
    let long_name = [b'a'; 256];
    let cases = [
        ("no count", vec![0; 3]),
        ("more items than there are", table(2, &[SOUND])),
        ("as many as can be counted", table(u32::MAX, &[SOUND])),
        ("fewer items than there are", table(0, &[SOUND])),
        ("an item of no kind", unknown_kind),
        ("a section past the end", table(1, &[section(end, 1, 8, 0)])),
        ("a section at the last page there can be", table(1, &[section(u32::MAX, 1, 8, 0)])),
        ("a section of all entries", table(1, &[section(0, u32::MAX, 8, 0)])),
        ("both", table(1, &[section(u32::MAX, u32::MAX, 64, 0)])),
        ("a section that ends past the end", table(1, &[section(end - 1, 9, 8, 0)])),
        ("entries of nothing", table(1, &[section(0, 1, 0, 0)])),
        ("entries longer than a page", table(1, &[section(0, 1, 65, 0)])),
        ("entries of 4 GiB", table(1, &[section(0, 1, u32::MAX, 0)])),
        ("a heap past the end", table(1, &[heap(end, 1)])),
        ("a heap of 2^64 bytes", table(1, &[heap(0, u64::MAX)])),
        ("a heap that ends there", table(1, &[heap(u32::MAX, u64::MAX)])),
        ("a byte too much", table(1, &[heap(0, u64::from(end) * 64 + 1)])),
        ("the heap of a section is itself", table(1, &[section(0, 1, 8, 1)])),
        ("is nowhere", table(1, &[section(0, 1, 8, 2)])),
        ("is the last that can be named", table(1, &[section(0, 1, 8, u32::MAX)])),
        ("a name of nothing", table(1, &[Item::Heap { name: b"", page: 0, len: 0 }])),
        ("a name of 256 bytes", table(1, &[Item::Heap { name: &long_name, page: 0, len: 0 }])),
        ("a name twice", table(2, &[heap(0, 0), section(0, 1, 8, 0)])),
        ("a fingerprint of another type than is told", other_fingerprint),
    ];
    for (what, table) in cases {
        let file = Parts::new().with_table(table);
        for opened in open_both(&file) {
            assert!(matches!(opened, Err(OpenError::Format(_))), "{what}: {opened:?}");
        }
    }
}

#[test]
fn frames_that_lead_astray_are_refused() {
    let numbers = [0, 1, 3, 23, 32, 63, 65, 96, (1 << 20) + 1, 1 << 21, 1 << 31, u32::MAX];
    // Page length and first page offset.
    for offset in [12, 16] {
        for number in numbers {
            let file = Parts::new().with_header(offset, number);
            for opened in open_both(&file) {
                assert!(opened.is_err(), "{number} at {offset}");
            }
        }
    }
    for version in [0, 2, u32::MAX] {
        for opened in open_both(&Parts::new().with_header(8, version)) {
            let named = matches!(opened, Err(OpenError::Format(FormatError::Version { version: told })) if told == version);
            assert!(named, "{opened:?}");
        }
    }
    // Page count and table length.
    for offset in [0, 8] {
        for number in [0, 1, 1 << 31, (1 << 32) + 1, 1 << 58, u64::MAX - 1, u64::MAX] {
            let file = Parts::new().with_footer(offset, &number.to_be_bytes());
            for opened in open_both(&file) {
                assert!(opened.is_err(), "{number} at {offset} of the footer");
            }
        }
    }
}

/// Nothing is written to a container, so parts that share pages harm nobody.
#[test]
fn parts_that_share_pages_are_read_each_as_its_type() {
    let items = [
        SOUND,
        Item::Section { name: b"halves", page: 0, count: 48, size: 4, heap: 4, text: "u32" },
        Item::Section { name: b"bytes", page: 0, count: 192, size: 1, heap: 4, text: "u8" },
        Item::Heap { name: b"heap", page: 0, len: 192 },
        // Each number taken for the place of a text.
        Item::Section { name: b"texts", page: 0, count: NUMBERS, size: 8, heap: 4, text: "string" },
    ];
    let file = Parts::new().with_table(table(items.len() as u32, &items));
    let positioned = Positioned(file.clone());
    for source in [&file.as_slice() as &dyn Source, &positioned] {
        let container = Container::new(source).unwrap();
        let halves = container.section::<u32>("halves").unwrap();
        assert_eq!(halves.get(47).unwrap(), Some(23 * 7));
        let bytes = container.section::<u8>("bytes").unwrap();
        assert_eq!(bytes.iter().last().unwrap().unwrap(), 23 * 7);
        assert_eq!(container.heap("heap").unwrap().bytes(184, 8).unwrap()[7], 23 * 7);
        let texts = container.section::<String>("texts").unwrap();
        assert_eq!(texts.get(0).unwrap(), Some(String::new()));
        assert_eq!(texts.get(1).unwrap(), Some("\0".repeat(7)));
        assert!(matches!(texts.get(23), Err(ReadError::Invalid { .. })), "no UTF-8");
        let is_told = |text: Result<String, ReadError>| match text {
            Ok(text) => text.len() <= 192,
            Err(error) => {
                matches!(error, ReadError::Invalid { .. } | ReadError::OutsideHeap { .. })
            }
        };
        assert!(texts.iter().all(is_told));
        container.verify().unwrap();
    }
}

#[test]
fn names_are_any_text_and_only_that() {
    let long = "\u{1f600}".repeat(63);
    let names =
        ["\0", " ", "numbers ", "e\u{301}", "\u{e9}", "\u{202e}abc", "\u{feff}", "../up", &long];
    let items: Vec<_> =
        names.iter().map(|name| Item::Heap { name: name.as_bytes(), page: 0, len: 7 }).collect();
    let file = Parts::new().with_table(table(names.len() as u32, &items));
    let container = Container::new(file.as_slice()).unwrap();
    for (name, item) in names.iter().zip(container.items()) {
        assert_eq!(item.name, *name);
        assert_eq!(container.heap(name).unwrap().len(), 7, "{name:?}");
    }
    assert!(matches!(container.heap("e"), Err(OpenError::NoHeap { .. })));

    let cut: &[u8] = &[b'a', 0xe2, 0x82];
    for name in [&[0xff][..], &[0xc0, 0x80], &[0xed, 0xa0, 0x80], &[0xf4, 0x90, 0x80, 0x80], cut] {
        let file = Parts::new().with_table(table(1, &[Item::Heap { name, page: 0, len: 0 }]));
        for opened in open_both(&file) {
            assert!(matches!(opened, Err(OpenError::Format(_))), "{name:?}: {opened:?}");
        }
    }
}

#[test]
fn a_type_is_told_by_its_text_and_the_size_of_its_entries() {
    let items = [
        Item::Section { name: b"longer", page: 0, count: 3, size: 16, heap: 0, text: "u64" },
        Item::Section { name: b"spaced", page: 0, count: 3, size: 8, heap: 0, text: "u64 " },
        Item::Section { name: b"nothing", page: 0, count: 3, size: 8, heap: 0, text: "" },
    ];
    let file = Parts::new().with_table(table(3, &items));
    let container = Container::new(file.as_slice()).unwrap();
    for name in ["longer", "spaced", "nothing"] {
        let wrong = container.section::<u64>(name).map(|_| ());
        assert!(matches!(wrong, Err(OpenError::WrongType { .. })), "{name}: {wrong:?}");
    }
}
