//! The page on format 1 tells the truth: the file of its example is the file that is written, and is read.

#![cfg(unix)]

use std::error::Error;
use std::fs;

use mappedpages::{Format, Pager};

const PAGE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/format/mappedpages-1.md"));

/// The file of the example: zeros, the pages that the text names, and the lines of the block.
fn example() -> Vec<u8> {
    let mut file = vec![0; 8 * 1024];
    file[3 * 1024..4 * 1024].fill(0x11);
    file[7 * 1024..].fill(0x22);
    let (_, rest) = PAGE.split_once("```hex file\n").expect("the example");
    let (block, _) = rest.split_once("```").expect("its end");
    for line in block.lines() {
        let (bytes, _remark) = line.split_once("  ").expect("a remark");
        let (offset, bytes) = bytes.split_once(' ').expect("bytes");
        let offset = usize::from_str_radix(offset.trim_start_matches("0x"), 16).expect("hex");
        let digits: Vec<char> = bytes.chars().filter(|c| *c != ' ').collect();
        for (at, pair) in digits.chunks(2).enumerate() {
            let pair: String = pair.iter().collect();
            file[offset + at] = u8::from_str_radix(&pair, 16).expect("hex");
        }
    }
    file
}

#[test]
fn the_example_is_what_is_written() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("pages");
    let mut pager = Pager::<1024>::builder().format(Format::One).create(&path)?;
    let regular = pager.alloc()?;
    regular.get_mut(&mut pager)?.as_bytes_mut().fill(0x11);
    let protected = pager.alloc_protected()?;
    let mut writer = protected.get_mut(&mut pager)?;
    writer.page_mut().as_bytes_mut().fill(0x22);
    writer.commit()?;
    pager.close()?;
    assert_eq!((regular.0, protected.0), (3, 0));
    let written = fs::read(&path)?;
    let differs = written.iter().zip(example()).position(|(written, said)| *written != said);
    assert_eq!(differs, None);
    assert_eq!(written.len(), example().len());
    Ok(())
}

#[test]
fn the_example_is_read() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("pages");
    fs::write(&path, example())?;
    let pager = Pager::<1024>::open(&path)?;
    assert_eq!((pager.page_count(), pager.free_page_count(), pager.generation()), (8, 0, 2));
    let regular: Vec<_> = pager.iter_allocated_pages().collect();
    let protected: Vec<_> = pager.iter_allocated_protected_pages().collect();
    assert_eq!((regular[0].0, protected[0].0), (3, 0));
    assert_eq!(regular[0].get(&pager)?.as_bytes(), [0x11; 1024]);
    assert_eq!(protected[0].get(&pager)?.as_bytes(), [0x22; 1024]);
    assert_eq!((regular.len(), protected.len()), (1, 1));
    Ok(())
}
