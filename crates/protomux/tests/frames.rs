//! What becomes a frame, when, and in what memory.

mod common;

use bytes::Bytes;
use common::{events, feed, frames, hex, written};
use compact_encoding::{Encode, Encoder};
use protomux::{ChannelId, Event, FRAME_LEN_MAX, Mux, OpenError, Options, Raw, SendError};

/// A mux with these options and a channel that both sides opened; all frames are taken.
fn opened(options: Options) -> (Mux, ChannelId) {
    let mut mux = Mux::new(options);
    let protocol = mux.add_protocol("x", &[]);
    let channel = mux.open(protocol, b"", b"").unwrap();
    assert_eq!(feed(&mut mux, "000101017800").unwrap().len(), 1);
    frames(&mut mux);
    (mux, channel)
}

fn with(batch_len_max: usize) -> Options {
    let mut options = Options::default();
    options.batch_len_max = batch_len_max;
    options
}

/// The items of a batch, with the channel of each.
fn items(frame: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut input = compact_encoding::Decoder::new(frame.strip_prefix(&[0, 0]).unwrap());
    let mut channel = input.uint().unwrap();
    let mut items = Vec::new();
    while !input.is_empty() {
        match input.len_prefix().unwrap() {
            0 => channel = input.uint().unwrap(),
            len => items.push((channel, input.bytes(len).unwrap().to_vec())),
        }
    }
    items
}

#[test]
fn a_batch_never_passes_its_limit_unless_one_message_does() {
    for limit in [0, 1, 10, 100, 300, 70_000] {
        let (mut mux, channel) = opened(with(limit));
        let protocol = mux.add_protocol("y", &[]);
        let other = mux.open(protocol, b"", b"").unwrap();
        frames(&mut mux);
        mux.cork();
        let lens = [0, 5, 1, 90, 250, 251, 252, 253, 300, 0, 0, 65_000, 66_000, 7];
        for (number, len) in lens.into_iter().cycle().take(100).enumerate() {
            let channel = if number % 3 == 0 { other } else { channel };
            mux.send(channel, 0, &Raw(vec![number as u8; len])).unwrap();
        }
        mux.uncork();
        let frames = frames(&mut mux);
        let mut payloads = Vec::new();
        for frame in &frames {
            let items = items(frame);
            assert!(frame.len() <= limit || items.len() == 1, "{limit}: {}", frame.len());
            payloads.extend(items);
        }
        assert_eq!(payloads.len(), 100);
        for (number, (channel, payload)) in payloads.iter().enumerate() {
            assert_eq!(*channel, if number % 3 == 0 { 2 } else { 1 });
            assert_eq!(payload.len(), 1 + lens[number % lens.len()]);
            assert!(payload[1..].iter().all(|byte| *byte == number as u8));
        }
        let full: usize = frames.iter().map(Vec::len).sum();
        assert!(frames.len() == 100 || frames.len() < 3 * full / limit.max(1) + 2, "{limit}");
    }
}

#[test]
fn a_batch_may_be_as_long_as_its_limit() {
    for (limit, expected) in [(11, 1), (10, 2)] {
        let (mut mux, channel) = opened(with(limit));
        mux.cork();
        for _ in 0..2 {
            mux.send(channel, 0, &Raw(b"")).unwrap();
        }
        // 3 bytes of the batch, 2 for each message, and 4 more with their length.
        mux.send(channel, 0, &Raw(b"ab")).unwrap();
        mux.uncork();
        assert_eq!(frames(&mut mux).len(), expected, "{limit}");
    }
}

#[test]
fn frames_can_be_taken_while_corked() {
    let (mut mux, channel) = opened(with(1000));
    mux.cork();
    let mut taken = 0;
    for _ in 0..1000 {
        mux.send(channel, 0, &Raw([7; 90])).unwrap();
        taken += frames(&mut mux).len();
        assert!(mux.queued_len() <= 1000);
    }
    assert_eq!(taken, 1000 / 10 - 1, "ten messages of 92 bytes and the head fit");
    mux.flush();
    assert_eq!((frames(&mut mux).len(), mux.queued_len()), (1, 0));
    mux.flush();
    mux.uncork();
    assert_eq!(frames(&mut mux).len(), 0, "nothing was sent since");
}

#[test]
fn head_and_tail_are_left_free() {
    let mut options = Options::default();
    options.head_len = 4;
    options.tail_len = 16;
    let (mut mux, channel) = opened(options);
    for (is_corked, expected) in [(false, "0101616c6f6e65"), (true, "0000010601616c6f6e65")] {
        if is_corked {
            mux.cork();
        }
        mux.send(channel, 1, &Raw(b"alone")).unwrap();
        if is_corked {
            mux.uncork();
        }
        let frame = mux.next_frame().unwrap();
        assert_eq!((hex(&frame[4..]).as_str(), &frame[..4]), (expected, &[0; 4][..]));
        assert!(frame.capacity() >= frame.len() + 16);
    }
}

#[test]
fn a_batch_is_given_the_memory_that_the_last_one_needed_and_no_more_than_its_limit() {
    let (mut mux, channel) = opened(with(1000));
    let mut room_after = |len: usize, count: usize| {
        mux.cork();
        (0..count).for_each(|_| mux.send(channel, 0, &Raw(vec![1; len])).unwrap());
        mux.flush();
        mux.send(channel, 0, &Raw(b"")).unwrap();
        mux.uncork();
        frames(&mut mux).pop().unwrap().capacity()
    };
    assert!((920..1100).contains(&room_after(90, 10)));
    assert!((1000..1100).contains(&room_after(1 << 20, 1)));
    assert!(room_after(1, 1) < 50);
}

#[test]
fn what_no_frame_can_carry_is_refused_before_anything_is_written() {
    let (mut mux, channel) = opened(Options::default());
    let most = FRAME_LEN_MAX - 2 - 1 - 5 - 1;
    for is_corked in [false, true] {
        if is_corked {
            mux.cork();
        }
        let payload = vec![0; most + 1];
        assert_eq!(mux.send(channel, 0, &Raw(&payload)), Err(SendError::TooLarge));
        assert_eq!(mux.queued_len(), 0);
        assert_eq!(mux.send(channel, 0, &Raw(&payload[1..])), Ok(()));
        mux.flush();
        assert!(frames(&mut mux).remove(0).len() <= FRAME_LEN_MAX);
    }
    let protocol = mux.add_protocol("y", &[]);
    let handshake = vec![0; FRAME_LEN_MAX];
    assert_eq!(mux.open(protocol, b"", &handshake), Err(OpenError::TooLarge));
    assert_eq!((mux.channels().count(), mux.queued_len()), (1, 0));
    assert!(mux.open(protocol, b"", b"").is_ok());
}

#[test]
fn answers_to_a_batch_are_a_batch_also_between_its_items() {
    let (mut mux, channel) = opened(Options::default());
    // Three messages, two, and then one alone.
    for frame in ["000001010001000100", "00000101000100", "0100"] {
        mux.receive(Bytes::from(common::unhex(frame)));
    }
    let mut seen = 0;
    while let Some(event) = mux.next_event().unwrap() {
        assert!(matches!(event, Event::Message { .. }));
        seen += 1;
        mux.send(channel, seen, &Raw(b"")).unwrap();
    }
    assert_eq!(seen, 6);
    assert_eq!(written(&mut mux), ["000001010101020103", "00000101040105", "0106"]);
}

#[test]
fn payloads_are_slices_of_their_frame() {
    let (mut mux, _) = opened(Options::default());
    let frame = Bytes::from(common::unhex("000001050061626364"));
    mux.receive(frame.clone());
    let events = events(&mut mux).unwrap();
    let [Event::Message { payload, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(payload.as_ptr(), frame[5..].as_ptr());
    drop(events);
    assert!(frame.is_unique(), "a frame that is read is let go");
}

/// Says that it is one byte longer than it is.
struct Liar;

impl Encode for Liar {
    fn encoded_len(&self) -> usize {
        2
    }

    fn encode(&self, out: &mut Encoder) {
        out.uint8(0);
    }
}

#[test]
#[should_panic(expected = "encoded_len said 3 bytes, 2 were encoded")]
fn a_wrong_length_never_reaches_a_frame() {
    let (mut mux, channel) = opened(Options::default());
    let _ = mux.send(channel, 0, &Liar);
}
