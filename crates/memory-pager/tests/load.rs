//! Loading from readers: at an offset, in short reads, with an end that is not where it should be.

use std::fs::File;
use std::io::{Cursor, ErrorKind, Read, Write};

use memory_pager::Pager;

/// Gives at most three bytes a call.
struct Slow<R>(R);

impl<R: Read> Read for Slow<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let len = buffer.len().min(3);
        self.0.read(&mut buffer[..len])
    }
}

/// A header of 5 bytes, then pages of 10: ones, zeros, twos.
fn stored() -> Vec<u8> {
    [vec![9; 5], vec![1; 10], vec![0; 10], vec![2; 10]].concat()
}

fn check(pager: &Pager) {
    assert_eq!(pager.len(), 3);
    assert_eq!(pager.pages_present(), 2);
    assert_eq!(pager.get(0).unwrap()[..], [1; 10]);
    assert!(pager.get(1).is_none());
    assert_eq!(pager.get(2).unwrap()[..], [2; 10]);
    assert_eq!(pager.dirty().count(), 0);
}

#[test]
fn readers_of_any_kind() {
    check(&Pager::from_reader(&stored()[..], 10, 5).unwrap());
    check(&Pager::from_reader(Slow(&stored()[..]), 10, 5).unwrap());
    check(&Pager::from_seekable(Cursor::new(stored()), 10, 5).unwrap());
}

#[test]
fn a_file_with_a_header() {
    let path = std::env::temp_dir().join(format!("memory-pager-load-{}", std::process::id()));
    File::create(&path).unwrap().write_all(&stored()).unwrap();
    let mut file = File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    check(&Pager::from_file(&mut file, 10, Some(5)).unwrap());
    let whole = Pager::from_file(&mut file, 7, None).unwrap();
    assert_eq!(whole.len(), 5);
    assert_eq!(whole.get(0).unwrap()[..], [9, 9, 9, 9, 9, 1, 1]);
}

#[test]
fn trailing_zeros_count_into_the_length() {
    let pager = Pager::from_reader(&[0; 40][..], 10, 0).unwrap();
    assert_eq!((pager.len(), pager.pages_present()), (4, 0));
}

#[test]
fn wrong_lengths_and_sizes_are_errors() {
    let kind = |result: std::io::Result<Pager>| result.unwrap_err().kind();
    let bytes = stored();
    assert_eq!(kind(Pager::from_reader(&bytes[..], 10, 4)), ErrorKind::InvalidData);
    assert_eq!(kind(Pager::from_reader(&bytes[..], 0, 5)), ErrorKind::InvalidInput);
    assert_eq!(kind(Pager::from_reader(&bytes[..], 10, 36)), ErrorKind::UnexpectedEof);
    assert_eq!(kind(Pager::from_seekable(Cursor::new(&bytes), 10, 36)), ErrorKind::UnexpectedEof);
    assert_eq!(kind(Pager::from_seekable(Cursor::new(&bytes), 10, 4)), ErrorKind::InvalidData);
    assert!(Pager::from_reader(&bytes[..], 10, 35).unwrap().is_empty());
}
