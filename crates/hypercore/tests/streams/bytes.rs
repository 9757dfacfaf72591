//! The content as one row of bytes.

use std::io::SeekFrom;

use hypercore::{ByteStreamOptions, ErrorKind, Hypercore, Storage};
use proptest::prelude::*;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncSeekExt as _};

use super::{rest_of_bytes, settle};

async fn log_of<B: AsRef<[u8]>>(blocks: impl IntoIterator<Item = B>) -> Hypercore {
    let log = Hypercore::open(Storage::memory()).await.unwrap();
    log.append_batch(blocks).await.unwrap();
    log
}

#[tokio::test]
async fn byte_stream_through_empty_blocks() {
    let log = log_of(["", "hello", "", "", "world", "", "!", ""]).await;
    let mut stream = log.byte_stream(..);
    for piece in ["hello", "world", "!"] {
        assert_eq!(stream.next().await.unwrap().unwrap(), piece);
    }
    assert!(stream.next().await.is_none());
    let mut text = String::new();
    log.byte_stream(..).read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "helloworld!");
    assert_eq!(rest_of_bytes(&mut log.byte_stream(5..)).await.unwrap(), b"world!");

    let log = log_of(["", "", ""]).await;
    assert!(log.byte_stream(..).next().await.is_none());
}

#[tokio::test]
async fn offset_and_length_cut_blocks() {
    let log = log_of(["hello", "big", "world"]).await;
    for (range, expected) in [
        (0..13, &b"hellobigworld"[..]),
        (2..6, b"llob"),
        (5..8, b"big"),
        (5..6, b"b"),
        (12..13, b"d"),
        (3..3, b""),
        (13..13, b""),
    ] {
        assert_eq!(rest_of_bytes(&mut log.byte_stream(range)).await.unwrap(), expected);
    }
    assert_eq!(rest_of_bytes(&mut log.byte_stream(..4)).await.unwrap(), b"hell");
    assert_eq!(rest_of_bytes(&mut log.byte_stream(9..)).await.unwrap(), b"orld");
    assert_eq!(rest_of_bytes(&mut log.byte_stream(2..=5)).await.unwrap(), b"llob");
    assert_eq!(rest_of_bytes(&mut log.byte_stream(..=4)).await.unwrap(), b"hello");
    // From past the end on there is nothing.
    assert_eq!(rest_of_bytes(&mut log.byte_stream(99..)).await.unwrap(), b"");
}

#[tokio::test]
async fn bytes_past_the_end_are_waited_for_where_a_length_says_so() {
    let log = log_of(["abc"]).await;
    let mut stream = log.byte_stream(1..6);
    assert_eq!(stream.next().await.unwrap().unwrap(), "bc");
    tokio::select! {
        biased;
        piece = stream.next() => panic!("{piece:?}"),
        () = settle() => {}
    }
    log.append("defg").await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), "def");
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_byte_stream_reads_the_log_as_it_was_at_the_first_poll() {
    let log = log_of(["abc", "def", "ghi"]).await;
    let mut stream = log.byte_stream(1..8);
    assert_eq!(stream.next().await.unwrap().unwrap(), "bc");
    log.truncate(1, None).await.unwrap();
    log.append("something else").await.unwrap();
    assert_eq!(rest_of_bytes(&mut stream).await.unwrap(), b"defgh");
    stream.seek(SeekFrom::Start(0)).await.unwrap();
    assert_eq!(rest_of_bytes(&mut stream).await.unwrap(), b"bcdefgh");
}

#[tokio::test]
async fn seeks_go_anywhere_and_past_the_end_there_is_nothing() {
    let log = log_of(["hello", "", "world", "!"]).await;
    let mut stream = log.byte_stream(2..10);
    let mut bytes = [0; 3];
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!((&bytes, stream.position()), (b"llo", 3));
    assert_eq!(stream.seek(SeekFrom::Start(1)).await.unwrap(), 1);
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"low");
    assert_eq!(stream.seek(SeekFrom::Current(-4)).await.unwrap(), 0);
    assert_eq!(stream.seek(SeekFrom::End(-2)).await.unwrap(), 6);
    let mut left = Vec::new();
    stream.read_to_end(&mut left).await.unwrap();
    assert_eq!(left, b"ld");
    assert_eq!(stream.seek(SeekFrom::End(5)).await.unwrap(), 13);
    assert_eq!(stream.read(&mut bytes).await.unwrap(), 0);
    assert_eq!(stream.seek(SeekFrom::Current(-6)).await.unwrap(), 7);
    assert_eq!(stream.read(&mut bytes).await.unwrap(), 1);
    assert_eq!(bytes[0], b'd');
    for outside in [SeekFrom::Current(-9), SeekFrom::End(-9), SeekFrom::Start(u64::MAX)] {
        let error = stream.seek(outside).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert_eq!(stream.position(), 8);
    }
    assert_eq!(stream.stream_position().await.unwrap(), 8);
    stream.rewind().await.unwrap();
    assert_eq!(rest_of_bytes(&mut stream).await.unwrap(), b"lloworld");
}

#[tokio::test]
async fn a_live_stream_waits_past_the_end() {
    let log = log_of(["abc"]).await;
    let mut stream = log.byte_stream(ByteStreamOptions::new().live(true));
    assert_eq!(stream.seek(SeekFrom::End(2)).await.unwrap(), 5);
    let reading = tokio::spawn(async move {
        let mut bytes = [0; 2];
        stream.read_exact(&mut bytes).await.unwrap();
        bytes
    });
    settle().await;
    log.append("d").await.unwrap();
    settle().await;
    assert!(!reading.is_finished());
    log.append("efgh").await.unwrap();
    assert_eq!(&reading.await.unwrap(), b"fg");
}

#[tokio::test]
async fn lines_can_be_read() {
    let log = log_of(["first\nsec", "", "ond\n", "third"]).await;
    let mut lines = log.byte_stream(..).lines();
    for line in ["first", "second", "third"] {
        assert_eq!(lines.next_line().await.unwrap().unwrap(), line);
    }
    assert!(lines.next_line().await.unwrap().is_none());
}

#[tokio::test]
async fn a_failed_read_can_be_tried_again() {
    let log = log_of(["abc"]).await;
    log.clear(0..1).await.unwrap();
    let builder = log.session().timeout(std::time::Duration::from_millis(1));
    let session = builder.open().await.unwrap();
    let mut stream = session.byte_stream(..);
    for _ in 0..2 {
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        let error = error.downcast::<hypercore::Error>().unwrap();
        assert!(error.is_timed_out());
    }
    assert_eq!(stream.next().await.unwrap().unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(stream.next().await.is_none());
}

#[derive(Clone, Debug)]
enum Step {
    Read(usize),
    Fill(usize),
    Piece,
    Start(u64),
    Current(i64),
    End(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0_usize..40).prop_map(Step::Read),
        (0_usize..40).prop_map(Step::Fill),
        Just(Step::Piece),
        (0_u64..400).prop_map(Step::Start),
        (-60_i64..60).prop_map(Step::Current),
        (-300_i64..60).prop_map(Step::End),
    ];
    proptest::collection::vec(step, 0..40)
}

fn blocks() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let len = prop_oneof![3 => Just(0_usize), 5 => 1..6_usize, 2 => 6..60_usize];
    proptest::collection::vec(
        len.prop_flat_map(|len| proptest::collection::vec(any::<u8>(), len)),
        0..40,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Against the dullest model: the bytes, and where one is in them.
    #[test]
    fn reads_and_seeks_are_those_of_a_row_of_bytes(
        blocks in blocks(),
        steps in steps(),
        window in proptest::option::of((0_usize..300, 0_usize..300)),
        options in (any::<bool>(), any::<bool>()),
    ) {
        let (encrypted, snapshot) = options;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut builder = Hypercore::builder(Storage::memory());
            if encrypted {
                builder = builder.encryption_key([5; 32]);
            }
            let log = builder.open().await.unwrap();
            log.append_batch(&blocks).await.unwrap();
            let content = blocks.concat();
            let mut options = ByteStreamOptions::new().snapshot(snapshot);
            let mut bytes = &content[..];
            if let Some((offset, length)) = window {
                let (offset, end) = (offset.min(content.len()), (offset + length).min(content.len()));
                bytes = &content[offset..end];
                options = options.offset(offset as u64).length(bytes.len() as u64);
            }
            let mut stream = log.byte_stream(options);
            let mut at = 0_usize;
            for step in steps {
                let left = bytes.get(at..).unwrap_or_default();
                let sought = match step {
                    Step::Read(len) => {
                        let mut buffer = vec![0; len];
                        let read = stream.read(&mut buffer).await.unwrap();
                        prop_assert!(read > 0 || len == 0 || left.is_empty());
                        prop_assert_eq!(&buffer[..read], &left[..read]);
                        at += read;
                        continue;
                    }
                    Step::Fill(len) => {
                        let filled = stream.fill_buf().await.unwrap();
                        prop_assert_eq!(filled.is_empty(), left.is_empty());
                        prop_assert!(left.starts_with(filled));
                        let len = len.min(filled.len());
                        stream.consume(len);
                        at += len;
                        continue;
                    }
                    Step::Piece => {
                        match stream.next().await {
                            None => prop_assert!(left.is_empty()),
                            Some(piece) => {
                                let piece = piece.unwrap();
                                prop_assert!(!piece.is_empty() && left.starts_with(&piece));
                                at += piece.len();
                            }
                        }
                        continue;
                    }
                    Step::Start(to) => SeekFrom::Start(to),
                    Step::Current(by) => SeekFrom::Current(by),
                    Step::End(by) => SeekFrom::End(by),
                };
                let to = match sought {
                    SeekFrom::Start(to) => Some(to as usize),
                    SeekFrom::Current(by) => at.checked_add_signed(by as isize),
                    SeekFrom::End(by) => bytes.len().checked_add_signed(by as isize),
                };
                match (stream.seek(sought).await, to) {
                    (Ok(position), Some(to)) => {
                        prop_assert_eq!(position, to as u64);
                        at = to;
                    }
                    (Err(error), None) => {
                        prop_assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
                    }
                    other => prop_assert!(false, "{:?}", other),
                }
                prop_assert_eq!(stream.position(), at as u64);
            }
            Ok(())
        })?;
    }
}
