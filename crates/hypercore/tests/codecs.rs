//! Values as blocks: the codecs, what is said of what they can not do, and streams of values.

mod common;

use std::error::Error as _;

use futures_util::{StreamExt as _, stream};
use hypercore::{
    Binary, BoxError, Bytes, Codec, ErrorKind, GetOptions, Hypercore, Storage, Utf8,
    WriteSinkOptions,
};
use proptest::prelude::*;

use common::writer;

async fn empty() -> Hypercore {
    writer(0).await
}

/// Numbers of four bytes; a batch of them begins with a block that says how many follow.
struct Counted;

impl Codec for Counted {
    type Item = u32;
    type Input = u32;

    fn encode(&self, item: &u32) -> Result<Bytes, BoxError> {
        if *item == 0 {
            return Err("zero is no number here".into());
        }
        Ok(Bytes::copy_from_slice(&item.to_le_bytes()))
    }

    fn decode(&self, block: Bytes) -> Result<u32, BoxError> {
        Ok(u32::from_le_bytes(block[..].try_into()?))
    }

    fn encode_batch(&self, items: &[&u32]) -> Result<Vec<Bytes>, BoxError> {
        let count = u32::try_from(items.len())?;
        std::iter::once(&count).chain(items.iter().copied()).map(|item| self.encode(item)).collect()
    }
}

#[tokio::test]
async fn a_codec_of_ones_own_encodes_values_and_batches() {
    let log = empty().await.typed(Counted);
    log.append(&7).await.unwrap();
    let appended = log.append_batch([8, 9]).await.unwrap();
    assert_eq!((appended.first, appended.length), (1, 4));
    let values: Vec<u32> = log.read_stream(..).map(Result::unwrap).collect().await;
    assert_eq!(values, [7, 2, 8, 9]);
    assert_eq!(log.get_with(3, GetOptions::new().wait(false)).await.unwrap(), Some(9));
    assert_eq!(log.get_with(4, GetOptions::new().wait(false)).await.ok().flatten(), None);
    assert_eq!(log.get_local(0).await.unwrap(), Some(7));
    assert_eq!(log.log().get(0).await.unwrap(), &[7, 0, 0, 0][..]);
}

#[tokio::test]
async fn a_value_that_can_not_be_encoded_is_not_appended() {
    let log = empty().await.typed(Counted);
    for error in [log.append(&0).await.unwrap_err(), log.append_batch([1, 0, 2]).await.unwrap_err()]
    {
        assert!(error.is_codec() && error.kind() == ErrorKind::Caller);
        assert_eq!(error.source().unwrap().to_string(), "zero is no number here");
    }
    let mut sink = log.write_sink(WriteSinkOptions::new());
    sink.feed(&1).await.unwrap();
    assert!(sink.feed(&0).await.unwrap_err().is_codec());
    sink.feed(&2).await.unwrap();
    sink.close().await.unwrap();
    assert_eq!(log.log().length(), 2);
}

/// Whoever may sign decides what is in a block.
#[tokio::test]
async fn a_block_that_can_not_be_decoded_is_an_error_and_the_next_one_follows() {
    let log = empty().await;
    log.append_batch([&b"good"[..], b"\xff\xfe", b""]).await.unwrap();
    let log = log.typed(Utf8);
    let error = log.get(1).await.unwrap_err();
    assert!(error.is_codec(), "{error}");
    assert_eq!(error.to_string(), "block 1 can not be decoded: it was not written by this codec");
    let mut stream = log.read_stream(..);
    assert_eq!(stream.next().await.unwrap().unwrap(), "good");
    assert!(stream.next().await.unwrap().unwrap_err().is_codec());
    assert_eq!(stream.next().await.unwrap().unwrap(), "");
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn binary_is_the_blocks_as_they_are() {
    let log = empty().await;
    let typed = log.typed(Binary);
    typed.append(b"one").await.unwrap();
    typed.append_batch([&b"two"[..], b""]).await.unwrap();
    assert_eq!(typed.get(1).await.unwrap(), "two");
    // The same session in another skin.
    assert_eq!(log.typed(Utf8).get(0).await.unwrap(), "one");
    assert_eq!(log.active_sessions(), 1);
}

#[tokio::test]
async fn values_can_be_forwarded() {
    let log = empty().await.typed(Utf8);
    let values = stream::iter(["a", "b", "c"]).map(Ok);
    values.forward(log.write_sink(WriteSinkOptions::new())).await.unwrap();
    let copy = Hypercore::open(Storage::memory()).await.unwrap().typed(Utf8);
    log.read_stream(1..).forward(copy.write_sink(WriteSinkOptions::new())).await.unwrap();
    assert_eq!(copy.get(1).await.unwrap(), "c");
    assert_eq!(copy.log().length(), 2);
}

proptest! {
    #[test]
    fn what_a_codec_encodes_it_decodes(text in ".*", bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        prop_assert_eq!(&Utf8.decode(Utf8.encode(&text).unwrap()).unwrap(), &text);
        prop_assert_eq!(&Binary.decode(Binary.encode(&bytes).unwrap()).unwrap(), &bytes);
        prop_assert_eq!(Utf8.decode(bytes.clone().into()).is_ok(), std::str::from_utf8(&bytes).is_ok());
    }
}

#[cfg(feature = "serde")]
mod json {
    use std::collections::BTreeMap;

    use hypercore::Json;
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Reading {
        sensor: String,
        celsius: Option<i32>,
    }

    #[tokio::test]
    async fn json_is_that_of_javascript() {
        let log = empty().await.typed(Json::<Reading>::new());
        let cold = Reading { sensor: "roof \u{1F321}".into(), celsius: Some(-7) };
        log.append(&cold).await.unwrap();
        log.append_batch([Reading { sensor: "\"cellar\"\n".into(), celsius: None }]).await.unwrap();
        // What JSON.stringify gives.
        let first = "{\"sensor\":\"roof \u{1F321}\",\"celsius\":-7}";
        assert_eq!(log.log().get(0).await.unwrap(), first);
        let second = r#"{"sensor":"\"cellar\"\n","celsius":null}"#;
        assert_eq!(log.log().get(1).await.unwrap(), second);
        assert_eq!(log.get(0).await.unwrap(), cold);
        log.log().append("{\"sensor\":").await.unwrap();
        assert!(log.get(2).await.unwrap_err().is_codec());
    }

    type Values = BTreeMap<String, Option<Vec<(i64, bool, char)>>>;

    proptest! {
        #[test]
        fn what_json_encodes_it_decodes(
            value in proptest::collection::btree_map(
                ".*",
                proptest::option::of(proptest::collection::vec(any::<(i64, bool, char)>(), 0..5)),
                0..5,
            ),
            noise in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let codec = Json::<Values>::new();
            prop_assert_eq!(codec.decode(codec.encode(&value).unwrap()).unwrap(), value);
            let _ = codec.decode(noise.into());
        }
    }
}
