//! The writer of the plain form: what it refuses, what it leaves behind, what it costs.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use paged::{
    Encode, EncodeOnHeap, EncodeSized, Encoder, Heap, HeapSection, LayoutError, Section, WriteError,
};

/// An output that takes everything, keeps nothing and counts bytes.
#[derive(Debug, Default)]
struct Sink {
    bytes: u64,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A place to spill to that forgets.
impl Read for Sink {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(into.len())
    }
}

impl Seek for Sink {
    fn seek(&mut self, _to: SeekFrom) -> io::Result<u64> {
        Ok(0)
    }
}

#[test]
fn sections_and_heaps_follow_each_other_on_whole_pages() {
    let mut output = Cursor::new(vec![0xff; 100]);
    output.set_position(5);
    let mut encoder = Encoder::new(output, 8);
    let mut heap = Heap::new();
    let numbers = encoder.section_from_iter(&mut heap, &[1_u16, 2, 3, 4, 5]).unwrap();
    let empty = encoder.section_from_iter(&mut heap, &Vec::<u8>::new()).unwrap();
    let texts = encoder.section_from_iter(&mut heap, &["ab".to_owned(), "c".to_owned()]).unwrap();
    let texts_heap = encoder.add_heap(heap).unwrap();
    let empty_heap = encoder.add_heap(Heap::new()).unwrap();
    let last = encoder.section_from_iter(&mut Heap::new(), &[9_u8]).unwrap();
    assert_eq!(numbers, Section::new(0, 5));
    assert_eq!(empty, Section::new(2, 0));
    assert_eq!(texts, Section::new(2, 2));
    assert_eq!(texts_heap, HeapSection { page_offset: 4, page_count: 1 });
    assert_eq!(empty_heap, HeapSection { page_offset: 5, page_count: 0 });
    assert_eq!(last, Section::new(5, 1));
    let output = encoder.end().unwrap();
    assert_eq!(output.position(), 5 + 6 * 8);
    let file = output.into_inner();
    #[rustfmt::skip]
    assert_eq!(file[5..53], [
        0, 1, 0, 2, 0, 3, 0, 4,
        0, 5, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 2,
        0, 0, 0, 2, 0, 0, 0, 1,
        b'a', b'b', b'c', 0, 0, 0, 0, 0,
        9, 0, 0, 0, 0, 0, 0, 0,
    ]);
    assert!(file[..5].iter().chain(&file[53..]).all(|byte| *byte == 0xff));
}

#[test]
fn entries_that_fit_no_page_are_refused_when_the_section_begins() {
    let mut encoder = Encoder::new(Vec::new(), 16);
    let mut heap = Heap::new();
    let refused = encoder.begin_section::<()>(&mut heap).unwrap_err();
    let expected = LayoutError::EntrySize { entry_size: 0, page_len: 16 };
    assert!(matches!(refused, WriteError::Layout(error) if error == expected), "{refused}");
    let refused = encoder.begin_section::<[u8; 17]>(&mut heap).unwrap_err();
    let expected = LayoutError::EntrySize { entry_size: 17, page_len: 16 };
    assert!(matches!(refused, WriteError::Layout(error) if error == expected), "{refused}");
    let section = encoder.section_from_iter(&mut heap, &[[7_u8; 16]; 2]).unwrap();
    assert_eq!(section, Section::new(0, 2));
    assert_eq!(encoder.end().unwrap(), [7; 32]);

    let mut encoder = Encoder::new(Vec::new(), 0);
    let refused = encoder.begin_section::<u8>(&mut heap).unwrap_err();
    assert!(matches!(refused, WriteError::Layout(LayoutError::PageLen)), "{refused}");
    let refused = encoder.add_heap(heap).unwrap_err();
    assert!(matches!(refused, WriteError::Layout(LayoutError::PageLen)), "{refused}");
    assert!(encoder.end().unwrap().is_empty());
}

/// Pages of one byte, so that 2^32 of them can be filled with the little that a test may write.
#[test]
fn the_last_page_that_a_handle_can_name_is_the_last_one() {
    const PIECE: usize = 1 << 25;
    let mut encoder = Encoder::new(Sink::default(), 1);
    let mut heap = encoder.begin_heap().unwrap();
    let piece = vec![0; PIECE];
    for _ in 0..(1_u64 << 32) / PIECE as u64 - 1 {
        heap.write_all(&piece).unwrap();
    }
    heap.write_all(&piece[3..]).unwrap();
    let heap = heap.end().unwrap();
    assert_eq!(heap, HeapSection { page_offset: 0, page_count: u32::MAX - 2 });

    let mut no_heap = Heap::new();
    let mut section = encoder.begin_section::<u8>(&mut no_heap).unwrap();
    for entry in 0..3 {
        section.push(&(), &entry).unwrap();
    }
    let refused = section.push(&(), &3).unwrap_err();
    assert!(matches!(refused, WriteError::Layout(LayoutError::PastLastPage)), "{refused}");
    assert_eq!(section.page_count(), 3);
    assert_eq!(section.end().unwrap(), Section::new(u32::MAX - 2, 3));

    let refused = encoder.begin_section::<u8>(&mut no_heap).unwrap_err();
    assert!(matches!(refused, WriteError::Layout(LayoutError::PastLastPage)), "{refused}");
    assert_eq!(encoder.end().unwrap().bytes, 1 << 32);
}

#[test]
fn files_go_on_past_4_gib() {
    const PIECE: usize = 1 << 25;
    let mut encoder = Encoder::new(Sink::default(), 4096);
    let mut heap = encoder.begin_heap().unwrap();
    let piece = vec![1; PIECE];
    while heap.len() < 5 << 30 {
        heap.write_all(&piece).unwrap();
    }
    let refused = heap.insert(&(), "text").unwrap_err();
    assert!(matches!(refused, WriteError::HeapFull), "{refused}");
    assert_eq!(heap.insert_wide(&(), "text").unwrap(), 5 << 30);
    let heap = heap.end().unwrap();
    assert_eq!(heap.page_count, (5 << 18) + 1);
    let section = encoder.section_from_iter(&mut Heap::new(), &[1_u8]).unwrap();
    assert_eq!(section.page_offset(), (5 << 18) + 1);
}

#[test]
fn a_heap_is_full_for_short_offsets_at_byte_2_to_the_32() {
    let mut heap = Heap::spilling(Sink::default(), 0);
    let piece = vec![0_u8; 1 << 25];
    for _ in 0..127 {
        heap.insert(&(), piece.as_slice()).unwrap();
    }
    heap.insert(&(), &piece[1..]).unwrap();
    assert_eq!(heap.insert(&(), "xy").unwrap().unwrap(), u32::MAX);
    let refused = WriteError::from(heap.insert(&(), "z").unwrap_err());
    assert!(matches!(refused, WriteError::HeapFull), "{refused}");
    assert_eq!(heap.len(), (1 << 32) + 1);
    assert_eq!(heap.insert_wide(&(), "z").unwrap(), (1 << 32) + 1);
    assert_eq!(heap.page_count(4096), (1 << 20) + 1);
    assert_eq!(heap.padding(4096), 4094);
}

/// Writes as many bytes as it holds, but claims three. The heap gets them too.
struct Liar(Vec<u8>);

impl EncodeSized for Liar {
    const ENCODED_SIZE: u32 = 3;
}

impl EncodeOnHeap for Liar {
    fn encode_on_heap(
        &self,
        context: &(),
        heap: &mut Heap,
        output: &mut impl Write,
    ) -> io::Result<u32> {
        heap.insert(context, self.0.as_slice())?;
        self.0.as_slice().encode(context, output)?;
        if self.0.len() > 4 {
            return Err(io::Error::other("no more than four"));
        }
        if self.0.len() == 4 {
            panic!("four");
        }
        Ok(3)
    }
}

#[test]
fn a_value_that_cannot_be_stored_leaves_no_trace() {
    let mut encoder = Encoder::new(Vec::new(), 4);
    let mut heap = Heap::new();
    let mut section = encoder.begin_section::<Liar>(&mut heap).unwrap();
    section.push(&(), &Liar(vec![1; 3])).unwrap();
    let refused = section.push(&(), &Liar(vec![2; 2])).unwrap_err();
    assert!(matches!(refused, WriteError::EntrySize { expected: 3, written: 2 }), "{refused}");
    let refused = section.push(&(), &Liar(vec![3; 5])).unwrap_err();
    assert!(matches!(refused, WriteError::Value(_)), "{refused}");
    section.push(&(), &Liar(vec![4; 3])).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        section.push(&(), &Liar(vec![5; 4]))
    }));
    panicked.unwrap_err();
    section.push(&(), &Liar(vec![6; 3])).unwrap();
    assert_eq!(section.end().unwrap(), Section::new(0, 3));
    assert_eq!(encoder.end().unwrap(), [1, 1, 1, 0, 4, 4, 4, 0, 6, 6, 6, 0]);
    // A panic is the one thing that leaves something on the heap: bytes that nobody refers to.
    assert_eq!(heap.as_bytes().unwrap(), [1, 1, 1, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6]);
}

#[test]
fn a_list_whose_elements_take_no_bytes_is_refused() {
    let mut encoder = Encoder::new(Vec::new(), 8);
    let mut heap = Heap::new();
    let refused = encoder.section_from_iter(&mut heap, &[vec![(), ()]]).unwrap_err();
    assert!(matches!(refused, WriteError::EmptyElement), "{refused}");
    let section = encoder.section_from_iter(&mut heap, &[Vec::<()>::new()]).unwrap();
    assert_eq!(section.entry_count(), 1);
}

/// Fails once it has taken `left` bytes.
struct Failing {
    left: usize,
    taken: Vec<u8>,
}

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part = bytes.len().min(self.left);
        if part == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.left -= part;
        self.taken.extend_from_slice(&bytes[..part]);
        Ok(part)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_output_that_failed_poisons_the_encoder() {
    let mut encoder = Encoder::new(Failing { left: 300_000, taken: Vec::new() }, 4096);
    let mut heap = Heap::new();
    let mut section = encoder.begin_section::<[u8; 1000]>(&mut heap).unwrap();
    let failed = (0..).find_map(|_| section.push(&(), &[1; 1000]).err()).unwrap();
    assert!(matches!(failed, WriteError::Io(_)), "{failed}");
    drop(section);
    let refused = encoder.begin_section::<u8>(&mut heap).unwrap_err();
    assert!(matches!(refused, WriteError::Poisoned), "{refused}");
    let refused = encoder.begin_heap().unwrap_err();
    assert!(matches!(refused, WriteError::Poisoned), "{refused}");
    assert!(matches!(encoder.end(), Err(WriteError::Poisoned)));
}

#[test]
fn an_output_that_fails_at_the_end_says_so() {
    let mut encoder = Encoder::new(Failing { left: 10, taken: Vec::new() }, 16);
    encoder.section_from_iter(&mut Heap::new(), &[1_u8]).unwrap();
    assert!(matches!(encoder.end(), Err(WriteError::Io(_))));
}

#[test]
fn what_was_begun_and_dropped_takes_pages_and_has_no_handle() {
    let mut encoder = Encoder::new(Vec::new(), 4);
    let mut heap = Heap::new();
    encoder.begin_section::<u8>(&mut heap).unwrap().push(&(), &1).unwrap();
    encoder.begin_heap().unwrap().insert(&(), "abcde").unwrap();
    let section = encoder.section_from_iter(&mut heap, &[2_u8]).unwrap();
    assert_eq!(section, Section::new(3, 1));
    assert_eq!(encoder.end().unwrap(), *b"\x01\0\0\0abcde\0\0\0\x02\0\0\0");
}

#[test]
fn a_heap_that_spills_is_the_same_heap() {
    let values: Vec<Vec<u8>> = (0..200_u8).map(|len| vec![len; usize::from(len)]).collect();
    let write = |mut heap: Heap| {
        let mut encoder = Encoder::new(Vec::new(), 64);
        encoder.section_from_iter(&mut heap, &values).unwrap();
        encoder.add_heap(heap).unwrap();
        encoder.end().unwrap()
    };
    let expected = write(Heap::new());
    for memory_limit in [0, 1, 100, 5000, 1 << 20] {
        assert_eq!(write(Heap::spilling(Cursor::new(Vec::new()), memory_limit)), expected);
    }
    let mut heap = Heap::spilling(tempfile::tempfile().unwrap(), 10);
    assert!(heap.is_empty());
    heap.insert(&(), "0123456789").unwrap();
    assert_eq!(heap.as_bytes(), Some(&b"0123456789"[..]));
    heap.insert(&(), "x").unwrap();
    assert_eq!(heap.as_bytes(), None);
    assert_eq!(heap.len(), 11);
}

#[test]
fn a_heap_that_cannot_spill_says_so_and_stays_so() {
    struct Full;
    impl Read for Full {
        fn read(&mut self, _into: &mut [u8]) -> io::Result<usize> {
            Ok(0)
        }
    }
    impl Write for Full {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl Seek for Full {
        fn seek(&mut self, _to: SeekFrom) -> io::Result<u64> {
            Ok(0)
        }
    }
    let mut heap = Heap::spilling(Full, 2);
    heap.insert(&(), "ab").unwrap();
    assert_eq!(heap.insert(&(), "cd").unwrap_err().kind(), io::ErrorKind::StorageFull);
    let refused = WriteError::from(heap.insert(&(), "e").unwrap_err());
    assert!(matches!(refused, WriteError::Poisoned), "{refused}");
    let refused = Encoder::new(Vec::new(), 8).add_heap(heap).unwrap_err();
    assert!(matches!(refused, WriteError::Poisoned), "{refused}");
}
