//! The typed view of a log.

use std::future::Future;

use hypercore::{AppendOptions, GetOptions, Result, Typed, Utf8, WriteSinkOptions};

use crate::dropping::Case;
use crate::stage::{BLOCKS, Scene, Stage, block, blocks, holds};

fn typed<F: Future<Output = Result<()>> + 'static>(
    covers: &'static [&'static str],
    call: impl Fn(Typed<Utf8>) -> F + 'static,
) -> Case {
    Case::new(covers, Scene::Writer, move |stage: &Stage| call(stage.log().typed(Utf8)))
}

fn texts(range: std::ops::Range<usize>) -> Vec<String> {
    blocks(range).into_iter().map(|block| String::from_utf8(block).unwrap()).collect()
}

pub(crate) fn table() -> Vec<Case> {
    let one = || String::from_utf8(block(1)).unwrap();
    vec![
        typed(&["Typed::get", "Typed::get_local", "Typed::get_with"], move |log| async move {
            assert_eq!(log.get(1).await?, one());
            assert_eq!(log.get_local(1).await?, Some(one()));
            assert_eq!(log.get_with(1, GetOptions::new()).await?, Some(one()));
            Ok(())
        }),
        typed(&["TypedReadStream: Stream", "TypedReadStream::next"], |log| async move {
            let mut stream = log.read_stream(..);
            for text in texts(0..BLOCKS) {
                assert_eq!(stream.next().await.unwrap()?, text);
            }
            Ok(())
        }),
        typed(&["Typed::append", "Typed::append_batch", "Typed::append_with"], |log| async move {
            log.append(&texts(BLOCKS..BLOCKS + 1)[0]).await?;
            log.append_batch(texts(BLOCKS + 1..BLOCKS + 3)).await?;
            log.append_with(texts(BLOCKS + 3..BLOCKS + 5), AppendOptions::new()).await.map(drop)
        })
        .leaves([1, 3, 5].map(|more| holds(0..BLOCKS + more))),
        typed(
            &[
                "TypedWriteSink: Sink",
                "TypedWriteSink::feed",
                "TypedWriteSink::flush",
                "TypedWriteSink::close",
            ],
            |log| async move {
                let mut sink = log.write_sink(WriteSinkOptions::new());
                for text in texts(BLOCKS..BLOCKS + 2) {
                    sink.feed(&text).await?;
                }
                sink.flush().await?;
                sink.feed(&texts(BLOCKS + 2..BLOCKS + 3)[0]).await?;
                sink.close().await
            },
        )
        .leaves([2, 3].map(|more| holds(0..BLOCKS + more))),
    ]
}

#[test]
fn values_are_whole_or_absent() {
    crate::drop_all(&table());
}
