//! The worked example of `docs/format/replication.md`: what the two sides of it say, and that a reader that believes it
//! has the block in the end.

mod golden;
mod served;

use bytes::Bytes;
use compact_encoding::Encode;
use golden::{from_hex, to_hex};
use hypercore_crypto::Side;
use hypercore_merkle::{BlockRequest, Request};
use hypercore_replication::{Connection, Message, StandaloneProof};
use protomux::Options;
use served::{Served, hello, reader, upgrade_request, written};

const PAGE: &str = include_str!("../../../docs/format/replication.md");

/// The lines of the block called `name`: bytes, and the remark after two spaces. A line without a remark goes on in the
/// next one.
fn lines(name: &str) -> Vec<(Vec<u8>, String)> {
    let (_, rest) = PAGE.split_once(&format!("```hex {name}\n")).expect("a block of this name");
    let (block, _) = rest.split_once("```").expect("it ends");
    let mut lines = Vec::new();
    let mut bytes = Vec::new();
    for line in block.lines() {
        let (hex, remark) = line.split_once("  ").unwrap_or((line, ""));
        bytes.extend(from_hex(&hex.replace(' ', "")));
        if !remark.is_empty() {
            lines.push((std::mem::take(&mut bytes), remark.trim().to_owned()));
        }
    }
    assert!(bytes.is_empty(), "the last line has a remark");
    lines
}

/// Kind and payload, as an item of a batch has them.
fn item(message: &Message) -> Vec<u8> {
    let kind = u8::try_from(message.kind()).unwrap();
    [vec![kind], message.to_vec()].concat()
}

fn check(name: &str, said: &[Vec<u8>]) {
    let lines = lines(name);
    let expected: Vec<_> = lines.iter().map(|(bytes, _)| to_hex(bytes)).collect();
    let said: Vec<_> = said.iter().map(|bytes| to_hex(bytes)).collect();
    assert_eq!(said, expected);
}

#[test]
fn the_opening_is_written() {
    let key = written(0).key();
    let frames: Vec<_> = [Side::Initiator, Side::Responder]
        .into_iter()
        .map(|side| {
            let mut connection = Connection::new(side, &[9; 64], Options::default());
            connection.open(&key).unwrap();
            connection.next_frame().unwrap()
        })
        .collect();
    check("open", &frames);
}

#[test]
fn the_example_is_said_and_believed() {
    let mut served = Served::new(written(2));
    let mut said = served.run();
    let asked = Request {
        block: Some(BlockRequest { index: 1, nodes: 0 }),
        manifest: true,
        ..upgrade_request(1, 0, 2)
    };
    for message in [
        hello(0, 0),
        Message::Request(asked),
        hello(0, 2),
        Message::Request(served::block_request(2, 5)),
        served::want(0, 4096),
    ] {
        said.push(message.clone());
        said.extend(served.ask(message));
    }
    check("messages", &said.iter().map(item).collect::<Vec<_>>());

    let reader = reader(served.log.key());
    for (bytes, remark) in lines("messages") {
        let kind = u64::from(bytes[0]);
        let message = Message::decode(kind, &Bytes::from(bytes[1..].to_vec())).unwrap().unwrap();
        if let Message::Data(data) = message {
            assert!(remark.starts_with("second"));
            reader.apply_proof(&data.proof).unwrap();
        }
    }
    assert_eq!(reader.get(1).unwrap(), Some(served::block(1)));
}

#[test]
fn the_single_messages_are_read_and_written() {
    let lines = lines("single");
    assert_eq!(lines.len(), 13);
    for (bytes, remark) in lines {
        let kind = u64::from(bytes[0]);
        let message = Message::decode(kind, &Bytes::from(bytes[1..].to_vec())).unwrap().unwrap();
        let name = remark.split([' ', ':', ',']).next().unwrap();
        assert!(format!("{message:?}").to_lowercase().starts_with(name), "{remark}: {message:?}");
        if !remark.contains("short") {
            assert_eq!(item(&message), bytes, "{remark}");
        }
    }
}

#[test]
fn the_proof_that_stands_alone_is_written_and_believed() {
    let log = written(2);
    let proof = StandaloneProof::create(&log, Some(1)).unwrap().unwrap().to_vec();
    let page: Vec<u8> = lines("standalone").into_iter().flat_map(|(bytes, _)| bytes).collect();
    assert_eq!(to_hex(&proof), to_hex(&page));

    let read = StandaloneProof::decode(&page.into()).unwrap();
    let standing = read.verify(&log.key(), None).unwrap();
    assert_eq!(standing.block, Some((1, served::block(1).into())));
}
