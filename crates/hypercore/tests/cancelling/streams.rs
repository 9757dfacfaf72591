//! Streams and the sink: dropped in the middle, and between two calls.

use std::future::Future;
use std::io::SeekFrom;

use hypercore::{
    ByteStreamOptions, Hypercore, ReadStreamOptions, Result, WriteSink, WriteSinkOptions,
};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use crate::dropping::Case;
use crate::stage::{BLOCKS, Scene, Stage, block, blocks, holds};
use crate::waits::append_more;

/// A call on a copy whose blocks all lie at its source.
fn streams<F: Future<Output = Result<()>> + 'static>(
    covers: &'static [&'static str],
    call: impl Fn(Hypercore) -> F + 'static,
) -> Case {
    let case = Case::new(covers, Scene::Reader, move |stage: &Stage| call(stage.log()));
    case.deliver(|stage| append_more(stage.source()))
}

fn writes<F: Future<Output = Result<()>> + 'static>(
    covers: &'static [&'static str],
    call: impl Fn(WriteSink) -> F + 'static,
) -> Case {
    // Two blocks fill a batch.
    let options = || WriteSinkOptions::new().batch_len(2 * block(9).len());
    let case = Case::new(covers, Scene::Writer, move |stage: &Stage| {
        call(stage.log().write_sink(options()))
    });
    case.leaves((1..=5).map(|more| holds(0..BLOCKS + more)))
}

pub(crate) fn table() -> Vec<Case> {
    vec![
        streams(&["ReadStream: Stream", "ReadStream::next"], |log| async move {
            let mut stream = log.read_stream(..);
            for index in 0..BLOCKS {
                assert_eq!(stream.next().await.unwrap()?, block(index));
            }
            assert!(stream.next().await.is_none());
            Ok(())
        }),
        streams(&["ReadStream: Stream"], |log| async move {
            let mut stream = log.read_stream(ReadStreamOptions::new().start(3).live(true));
            for index in 3..BLOCKS + 2 {
                assert_eq!(stream.next().await.unwrap()?, block(index));
            }
            Ok(())
        }),
        streams(&["ByteStream: Stream", "ByteStream::next"], |log| async move {
            let mut stream = log.byte_stream(ByteStreamOptions::new().offset(1));
            let mut len = 1;
            while let Some(bytes) = stream.next().await {
                len += bytes?.len();
            }
            assert_eq!(len, blocks(0..BLOCKS).concat().len());
            Ok(())
        }),
        streams(&["ByteStream: AsyncRead", "ByteStream: AsyncSeek"], |log| async move {
            let mut stream = log.byte_stream(..);
            let mut bytes = Vec::new();
            let offset = block(0).len() as u64;
            stream.seek(SeekFrom::Start(offset)).await.unwrap();
            stream.read_to_end(&mut bytes).await.unwrap();
            assert_eq!(bytes, blocks(1..BLOCKS).concat());
            Ok(())
        }),
        writes(
            &["WriteSink: Sink", "WriteSink::feed", "WriteSink::close"],
            |mut sink| async move {
                for block in blocks(BLOCKS..BLOCKS + 5) {
                    sink.feed(block).await?;
                }
                sink.close().await
            },
        ),
        writes(&["WriteSink::flush"], |mut sink| async move {
            for block in blocks(BLOCKS..BLOCKS + 5) {
                sink.feed(block).await?;
                sink.flush().await?;
            }
            Ok(())
        }),
    ]
}

#[test]
fn streams_are_left_anywhere() {
    crate::drop_all(&table());
}
