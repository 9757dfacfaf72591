//! The page on the format tells the truth: the file of its example is the file that is written, and is read.

use std::error::Error;

use paged::container::{Container, ItemKind, Writer};
use paged::{HeapSection, Reader, Section};

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/format/paged.md"));

/// The file of the example: zeros, and the lines of the block.
fn example() -> Vec<u8> {
    let (_, rest) = PAGE.split_once("```hex file\n").expect("the example");
    let (block, _) = rest.split_once("```").expect("its end");
    let mut file = Vec::new();
    for line in block.lines() {
        let (bytes, _remark) = line.split_once("  ").expect("a remark");
        let (offset, bytes) = bytes.split_once(' ').expect("bytes");
        let offset = usize::from_str_radix(offset.trim_start_matches("0x"), 16).expect("hex");
        let digits: Vec<char> = bytes.chars().filter(|c| *c != ' ').collect();
        assert!(offset >= file.len(), "lines in order");
        file.resize(offset, 0);
        for pair in digits.chunks(2) {
            let pair: String = pair.iter().collect();
            file.push(u8::from_str_radix(&pair, 16).expect("hex"));
        }
    }
    file
}

fn written() -> Result<Vec<u8>, Box<dyn Error>> {
    let mut writer = Writer::new(Vec::new(), 64)?;
    let mut text = writer.new_heap("text")?;
    let mut words = writer.begin_section::<(u16, String)>("words", &mut text)?;
    for (index, word) in ["ape", "bee", "cat", "dog", "eel", "fox", "gnu"].iter().enumerate() {
        words.push(&(), &(index as u16, (*word).to_owned()))?;
    }
    words.end()?;
    writer.add_heap(text)?;
    Ok(writer.finish()?)
}

#[test]
fn the_example_is_what_is_written() -> Result<(), Box<dyn Error>> {
    let (written, said) = (written()?, example());
    let differs = written.iter().zip(&said).position(|(written, said)| written != said);
    assert_eq!((differs, written.len()), (None, said.len()));
    Ok(())
}

#[test]
fn the_example_is_read() -> Result<(), Box<dyn Error>> {
    let file = example();
    let container = Container::new(file.as_slice())?;
    container.verify()?;
    let words = container.section::<(u16, String)>("words")?;
    assert_eq!(words.get(6)?, Some((6, "gnu".to_owned())));
    assert_eq!((words.len(), words.layout().page_count()), (7, 2));
    let heap = container.heap("text")?;
    assert_eq!(heap.bytes(0, heap.len())?, b"apebeecatdogeelfoxgnu".as_slice());
    let [_, section] = container.items() else { return Err("two items".into()) };
    let ItemKind::Section(section) = &section.kind else { return Err("a section".into()) };
    assert_eq!(section.type_text, "(u16,string)");

    // The plain form lies inside.
    let reader = Reader::new(file.as_slice(), 64, 64)?;
    let heap = HeapSection { page_offset: 2, page_count: 1 };
    let words = reader.entries(Section::<(u16, String)>::new(0, 7), Some(heap))?;
    assert_eq!(words.get(3)?, Some((3, "dog".to_owned())));
    Ok(())
}
