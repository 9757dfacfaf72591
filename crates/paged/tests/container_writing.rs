//! Writing a container: the bytes around the pages, names, heaps, and when the file is found.

use std::fs;
use std::io::Write;
use std::path::Path;

use paged::container::{Container, FormatError, ItemKind, NO_HEAP, Writer};
use paged::heap::WideEntry;
use paged::{Heap, HeapSection, Paged, Section, Wide, WriteError};

#[derive(Paged, Debug, PartialEq, Clone)]
#[paged(heap)]
struct Word {
    text: String,
    seen: u32,
}

fn word(index: u32) -> Word {
    Word { text: "word".repeat(index as usize % 5), seen: index }
}

/// Two sections on one heap that is collected, one on a heap that was written before.
fn fill<W: Write>(writer: &mut Writer<W>, count: u32) -> Result<(), WriteError> {
    let mut blocks = writer.begin_heap("blocks")?;
    let mut places = Vec::new();
    for index in 0..count {
        let block = vec![index as u8; index as usize % 200];
        let offset = blocks.insert_wide(&(), block.as_slice())?;
        places.push(WideEntry { offset, len: block.len() as u64 });
    }
    let blocks = blocks.end()?;
    let mut section = writer.begin_section::<WideEntry>("places", blocks)?;
    for place in &places {
        section.push(&(), place)?;
    }
    section.end()?;
    let mut texts = writer.new_heap("texts")?;
    for name in ["words", "more words"] {
        let mut section = writer.begin_section::<Word>(name, &mut texts)?;
        for index in 0..count {
            section.push(&(), &word(index))?;
        }
        assert_eq!(section.entry_count(), count);
        section.end()?;
    }
    writer.add_heap(texts)?;
    Ok(())
}

fn written(page_len: u32, count: u32) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), page_len).unwrap();
    fill(&mut writer, count).unwrap();
    writer.finish().unwrap()
}

/// Takes numbers from the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u32(&mut self) -> u32 {
        let (head, rest) = self.0.split_first_chunk().unwrap();
        self.0 = rest;
        u32::from_be_bytes(*head)
    }

    fn u64(&mut self) -> u64 {
        u64::from(self.u32()) << 32 | u64::from(self.u32())
    }
}

fn page_checksum(page: u64, bytes: &[u8]) -> [u8; 4] {
    crc32fast::hash(&[&page.to_be_bytes(), bytes].concat()).to_be_bytes()
}

/// The frame as `docs/format/paged.md` has it, computed once more.
#[test]
fn every_page_has_its_checksum_and_the_footer_finds_everything() {
    for (page_len, count) in [(64, 0), (64, 1), (64, 100), (128, 300), (4096, 1000), (1 << 20, 10)]
    {
        let file = written(page_len as u32, count);
        let mut header = Fields(&file[8..24]);
        assert_eq!(&file[..8], b"\x89PGD\r\n\x1a\n");
        assert_eq!((header.u32(), header.u32()), (1, page_len as u32));
        let first_page = header.u32() as usize;
        assert_eq!(first_page, page_len.min(4096));
        assert_eq!(header.u32(), crc32fast::hash(&file[..20]));
        assert!(file[24..first_page].iter().all(|byte| *byte == 0));

        let (body, footer) = file.split_at(file.len() - 48);
        assert_eq!(&footer[40..], b"\n\x1a\n\rDGP\x89");
        let mut fields = Fields(footer);
        let (page_count, table_len) = (fields.u64() as usize, fields.u64() as usize);
        let (root_checksum, table_checksum) = (fields.u32(), fields.u32());
        assert_eq!(
            (fields.u32(), fields.u32(), fields.u32() as usize),
            (1, page_len as u32, first_page)
        );
        assert_eq!(fields.u32(), crc32fast::hash(&footer[..36]));

        let (body, table) = body.split_at(body.len() - table_len);
        assert_eq!(table_checksum, crc32fast::hash(table));
        let mut checksums: Vec<u8> = Vec::new();
        let pages = &body[first_page..];
        for (number, page) in pages.chunks(page_len).take(page_count).enumerate() {
            checksums.extend(page_checksum(number as u64, page));
        }
        checksums.resize(checksums.len().next_multiple_of(page_len), 0);
        let (checksum_pages, root) = pages[page_count * page_len..].split_at(checksums.len());
        assert_eq!(checksum_pages, checksums);
        let mut expected = Vec::new();
        for (number, page) in checksum_pages.chunks(page_len).enumerate() {
            expected.extend(page_checksum((page_count + number) as u64, page));
        }
        assert_eq!(root, expected);
        assert_eq!(root_checksum, crc32fast::hash(root));
    }
}

#[test]
fn what_was_written_is_read() {
    let file = written(256, 500);
    let container = Container::new(file).unwrap();
    container.verify().unwrap();
    for name in ["words", "more words"] {
        let words = container.section::<Word>(name).unwrap();
        let read: Vec<Word> = words.iter().collect::<Result<_, _>>().unwrap();
        assert_eq!(read, (0..500).map(word).collect::<Vec<_>>());
    }
    let blocks = container.heap("blocks").unwrap();
    for (index, place) in container.section::<WideEntry>("places").unwrap().iter().enumerate() {
        let place = place.unwrap();
        let block = blocks.bytes(place.offset, place.len).unwrap();
        assert_eq!(block, vec![index as u8; index % 200]);
    }
    let kinds: Vec<&str> = container.items().iter().map(|item| item.name.as_str()).collect();
    // A heap that is collected has its place from when it was made.
    assert_eq!(kinds, ["blocks", "places", "texts", "words", "more words"]);
    let ItemKind::Section(words) = &container.items()[3].kind else { panic!("a section") };
    assert_eq!((words.heap, words.entry_size, words.entry_count), (Some(2), 12, 500));
    assert_eq!(words.type_text, "{text:string,seen:u32}");
}

fn names_in(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

#[test]
fn a_file_is_found_when_it_is_complete_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words.paged");
    let mut writer = Writer::create(&path, 256).unwrap();
    fill(&mut writer, 5000).unwrap();
    assert!(!path.exists());
    writer.publish().unwrap();
    assert_eq!(names_in(folder.path()), ["words.paged"]);
    assert_eq!(fs::read(&path).unwrap(), written(256, 5000));

    // Dropped, or refused at the end, nothing is left of it.
    let dropped = Writer::create(folder.path().join("other"), 256).unwrap();
    assert_eq!(names_in(folder.path()).len(), 2);
    drop(dropped);
    let mut unfinished = Writer::create(folder.path().join("other"), 256).unwrap();
    let _never_added = unfinished.new_heap("texts").unwrap();
    let refused = unfinished.publish().unwrap_err();
    assert!(matches!(&refused, WriteError::HeapNotAdded { name } if name == "texts"), "{refused}");
    assert_eq!(names_in(folder.path()), ["words.paged"]);
}

#[test]
fn what_is_there_is_replaced_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let io_error = |error: WriteError| match error {
        WriteError::Io(error) => error.kind(),
        other => panic!("{other}"),
    };
    // Created by somebody else while ours was written.
    let writer = Writer::create(&path, 64).unwrap();
    fs::write(&path, "theirs").unwrap();
    assert_eq!(io_error(writer.publish().unwrap_err()), std::io::ErrorKind::AlreadyExists);
    let refused = Writer::create(&path, 64).unwrap_err();
    assert_eq!(io_error(refused), std::io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"theirs");
    assert_eq!(names_in(folder.path()), ["file"]);

    let writer = Writer::create_or_replace(&path, 64).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"theirs");
    writer.publish().unwrap();
    assert_eq!(names_in(folder.path()), ["file"]);
    Container::open(&path).unwrap();
}

#[test]
fn names_are_one_to_255_bytes_and_nobody_elses() {
    let mut writer = Writer::new(Vec::new(), 64).unwrap();
    let longest = "n".repeat(255);
    writer.begin_section::<u8>(&longest, NO_HEAP).unwrap().end().unwrap();
    let refused = writer.begin_section::<u8>(&"n".repeat(256), NO_HEAP).unwrap_err();
    assert!(matches!(refused, WriteError::Format(FormatError::NameLen { len: 256 })), "{refused}");
    let refused = writer.new_heap("").unwrap_err();
    assert!(matches!(refused, WriteError::Format(FormatError::NameLen { len: 0 })), "{refused}");
    let refused = writer.begin_heap(&longest).unwrap_err();
    assert!(matches!(refused, WriteError::NameTaken { .. }), "{refused}");
    // A name is taken when the section is in the table.
    drop(writer.begin_section::<u8>("dropped", NO_HEAP).unwrap());
    writer.begin_section::<u16>("dropped", NO_HEAP).unwrap().end().unwrap();
    Container::new(writer.finish().unwrap()).unwrap().section::<u16>("dropped").unwrap();
}

#[test]
fn a_heap_belongs_to_one_container_and_is_added_once() {
    let mut writer = Writer::new(Vec::new(), 64).unwrap();
    let mut other = Writer::new(Vec::new(), 64).unwrap();
    let _taken = writer.new_heap("ours").unwrap();
    let mut theirs = other.new_heap("theirs").unwrap();
    let refused = writer.begin_section::<String>("texts", &mut theirs).unwrap_err();
    assert!(matches!(refused, WriteError::ForeignHeap), "{refused}");
    let refused = writer.add_heap(theirs).unwrap_err();
    assert!(matches!(refused, WriteError::ForeignHeap), "{refused}");
}

#[test]
fn entries_that_need_a_heap_are_refused_where_there_is_none() {
    let mut writer = Writer::new(Vec::new(), 64).unwrap();
    let mut section = writer.begin_section::<Option<String>>("texts", NO_HEAP).unwrap();
    section.push(&(), &None).unwrap();
    let refused = section.push(&(), &Some("text".to_owned())).unwrap_err();
    assert!(matches!(refused, WriteError::NoHeap), "{refused}");
    section.push(&(), &None).unwrap();
    assert_eq!(section.end().unwrap().entry_count(), 2);
    let heap = writer.begin_heap("heap").unwrap().end().unwrap();
    let mut section = writer.begin_section::<Wide<String>>("wide", heap).unwrap();
    let refused = section.push(&(), &Wide("text".to_owned())).unwrap_err();
    assert!(matches!(refused, WriteError::NoHeap), "{refused}");
}

#[test]
fn a_heap_may_come_with_something_in_it_and_a_place_of_its_own_to_spill_to() {
    let mut heap = Heap::spilling(tempfile::tempfile().unwrap(), 4);
    heap.insert(&(), "before").unwrap();
    let mut writer = Writer::new(Vec::new(), 64).unwrap();
    let mut heap = writer.new_heap_in("texts", heap).unwrap();
    let mut section = writer.begin_section::<String>("names", &mut heap).unwrap();
    section.push(&(), &"after".to_owned()).unwrap();
    section.end().unwrap();
    writer.add_heap(heap).unwrap();
    let container = Container::new(writer.finish().unwrap()).unwrap();
    assert_eq!(*container.heap("texts").unwrap().bytes(0, 11).unwrap(), *b"beforeafter");
    let names = container.section::<String>("names").unwrap();
    assert_eq!(names.get(0).unwrap().unwrap(), "after");
}

#[test]
fn sections_and_heaps_may_stand_in_entries_of_others() {
    let mut writer = Writer::new(Vec::new(), 64).unwrap();
    let mut inner = Vec::new();
    for index in 0..3_u8 {
        let mut section = writer.begin_section::<u8>(&format!("inner {index}"), NO_HEAP).unwrap();
        (0..index * 50).for_each(|entry| section.push(&(), &entry).unwrap());
        inner.push(section.end().unwrap());
    }
    let mut names = writer.begin_heap("names").unwrap();
    names.insert(&(), "abc").unwrap();
    let names = names.end().unwrap().section();
    let mut outer = writer.begin_section::<(Section<u8>, HeapSection)>("outer", NO_HEAP).unwrap();
    inner.iter().for_each(|section| outer.push(&(), &(*section, names)).unwrap());
    outer.end().unwrap();
    let container = Container::new(writer.finish().unwrap()).unwrap();
    let outer = container.section::<(Section<u8>, HeapSection)>("outer").unwrap();
    for (index, entry) in outer.iter().enumerate() {
        let (section, names) = entry.unwrap();
        assert_eq!(section, inner[index]);
        let section = container.reader().entries(section, None).unwrap();
        let read: Vec<u8> = section.iter().collect::<Result<_, _>>().unwrap();
        assert_eq!(read, (0..index as u8 * 50).collect::<Vec<_>>());
        let names = container.reader().heap(names).unwrap();
        assert_eq!(*names.bytes(0, 3).unwrap(), *b"abc");
    }
}

#[test]
fn pages_of_a_container_have_a_power_of_two_of_bytes() {
    for page_len in [0, 1, 32, 63, 65, 4095, 1 << 21, u32::MAX] {
        let refused = Writer::new(Vec::new(), page_len).unwrap_err();
        assert!(matches!(refused, WriteError::Format(FormatError::PageLen { .. })), "{refused}");
    }
}

#[test]
fn a_name_may_be_as_long_as_names_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("n".repeat(255));
    let mut writer = Writer::create(&path, 64).unwrap();
    fill(&mut writer, 3).unwrap();
    writer.publish().unwrap();
    assert!(Container::open(&path).is_ok());
}
