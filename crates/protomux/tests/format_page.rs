//! The format page tells the truth: its frames are written and read as it says, and what it says
//! is refused is refused.

mod common;

use bytes::Bytes;
use common::{events, frames, hex, unhex};
use protomux::{CloseReason, Event, Mux, Options, Raw};

/// The page.
const PAGE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/format/protomux.md"));

/// The lines of the block called `name`: bytes, and the remark after them.
fn lines(name: &str) -> Vec<(Vec<u8>, &'static str)> {
    let (_, rest) = PAGE.split_once(&format!("```hex {name}\n")).expect("a block of this name");
    let (block, _) = rest.split_once("```").unwrap();
    let line = |line: &'static str| {
        let (bytes, remark) = line.split_once("   ").unwrap();
        (unhex(&bytes.replace(' ', "")), remark.trim())
    };
    block.lines().map(line).collect()
}

#[test]
fn the_example_is_written_and_read() {
    let lines = lines("frames");
    let (mut first, mut second) = (Mux::new(Options::default()), Mux::new(Options::default()));
    let chat = first.add_protocol("chat", &[]);
    assert_eq!(second.add_protocol("chat", &[]), chat);
    for other in [b"a", b"b", b"c"] {
        first.open(chat, other, b"").unwrap();
    }
    // They are of no interest here, but the second must have seen their numbers.
    for frame in frames(&mut first) {
        second.receive(Bytes::from(frame));
    }
    events(&mut second).unwrap();
    for other in [b"a", b"b", b"c"] {
        second.reject(chat, other);
    }
    frames(&mut second);

    let ours = first.open(chat, b"lobby", b"v1").unwrap();
    first.send(ours, 0, &Raw(b"hi")).unwrap();
    let written = frames(&mut first);
    assert_eq!(written, [lines[0].0.clone(), lines[1].0.clone()]);

    written.into_iter().for_each(|frame| second.receive(frame.into()));
    let offered = Event::Offered { protocol: chat, topic: "lobby".into() };
    assert_eq!(events(&mut second).unwrap(), [offered]);
    let theirs = second.open(chat, b"lobby", b"v2").unwrap();
    let opened = Event::Opened { channel: theirs, handshake: "v1".into() };
    let message = Event::Message { channel: theirs, kind: 0, payload: "hi".into() };
    assert_eq!(events(&mut second).unwrap(), [opened, message]);
    let mut written = frames(&mut second);
    second.cork();
    second.send(theirs, 0, &Raw(b"yo")).unwrap();
    second.send(theirs, 1, &Raw(b"")).unwrap();
    second.close(theirs);
    second.uncork();
    written.extend(frames(&mut second));
    assert_eq!(written, [lines[2].0.clone(), lines[3].0.clone()]);

    written.into_iter().for_each(|frame| first.receive(frame.into()));
    let seen = events(&mut first).unwrap();
    assert_eq!(seen[0], Event::Opened { channel: ours, handshake: "v2".into() });
    assert_eq!(seen[1], Event::Message { channel: ours, kind: 0, payload: "yo".into() });
    assert_eq!(seen[2], Event::Message { channel: ours, kind: 1, payload: Bytes::new() });
    assert_eq!(seen[3], Event::Closed { channel: ours, reason: CloseReason::Closed });
    assert_eq!(seen.len(), 4);
}

#[test]
fn the_reject_is_written_for_an_unknown_protocol() {
    let mut second = Mux::new(Options::default());
    let known = second.add_protocol("known", &[]);
    for number in 1..4 {
        second.receive(Bytes::from(unhex(&format!("00010{number}056b6e6f776e010{number}"))));
    }
    assert_eq!(events(&mut second).unwrap().len(), 3);
    assert!(second.reject(known, &[3]));
    frames(&mut second);
    second.receive(lines("frames")[0].0.clone().into());
    assert_eq!(events(&mut second).unwrap(), []);
    let frames: Vec<String> = frames(&mut second).iter().map(|frame| hex(frame)).collect();
    assert_eq!(frames, [hex(&lines("reject")[0].0)]);
}

#[test]
fn what_the_page_refuses_is_refused_for_that_reason() {
    let lines = lines("refused");
    assert_eq!(lines.len(), 7);
    for (frame, reason) in lines {
        let mut mux = Mux::new(Options::default());
        mux.add_protocol("x", &[]);
        mux.receive(frame.clone().into());
        let error = events(&mut mux).unwrap_err();
        assert!(format!("{error:?}").starts_with(reason), "{}: {error:?}", hex(&frame));
    }
}
