//! The ways a channel ends, and when its number may be used again (wire.md section 3.3).

mod common;

use bytes::Bytes;
use common::{events, feed, frames, pump, written};
use protomux::{
    ChannelId, CloseReason, Event, Mux, MuxError, OpenError, Options, ProtocolId, Raw, SendError,
};

/// Two ends that know the protocol "x".
fn ends() -> (Mux, Mux, ProtocolId) {
    let end = || {
        let mut mux = Mux::new(Options::default());
        let protocol = mux.add_protocol("x", &[]);
        (mux, protocol)
    };
    let ((left, protocol), (right, _)) = (end(), end());
    (left, right, protocol)
}

/// A channel that both have opened, crossing each other.
fn pair(left: &mut Mux, right: &mut Mux, protocol: ProtocolId, topic: &[u8]) -> [ChannelId; 2] {
    let ours = left.open(protocol, topic, b"").unwrap();
    pump(left, right);
    let theirs = right.open(protocol, topic, b"").unwrap();
    pump(right, left);
    assert!(events(right).unwrap().len() == 1 && left.is_open(ours) && right.is_open(theirs));
    [ours, theirs]
}

fn closed(channel: ChannelId) -> Event {
    Event::Closed { channel, reason: CloseReason::Closed }
}

#[test]
fn a_close_is_not_answered_and_frees_the_number_on_both_sides() {
    let (mut left, mut right, x) = ends();
    let [ours, theirs] = pair(&mut left, &mut right, x, b"a");
    left.close(ours);
    assert_eq!(left.send(ours, 0, &Raw(b"")), Err(SendError::Closed));
    // The number is used at once, although the other side has not seen the close.
    let again = left.open(x, b"b", b"").unwrap();
    assert_ne!(again, ours);
    assert_eq!(written(&mut left), ["000301", "00010101780162"]);
    assert_eq!(feed(&mut right, "000301").unwrap(), [closed(theirs)]);
    assert_eq!(right.send(theirs, 0, &Raw(b"")), Err(SendError::Closed));
    assert_eq!(frames(&mut right).len(), 0);
    assert_eq!(feed(&mut right, "00010101780162").unwrap().len(), 1);
    left.close(ours);
    assert_eq!(frames(&mut left).len(), 0, "closing twice is nothing, also with the number in use");
}

#[test]
fn both_sides_close_at_once() {
    let (mut left, mut right, x) = ends();
    let [ours, theirs] = pair(&mut left, &mut right, x, b"a");
    left.close(ours);
    right.close(theirs);
    let again = left.open(x, b"a", b"").unwrap();
    assert_eq!(pump(&mut right, &mut left), []);
    assert_eq!(pump(&mut left, &mut right), [Event::Offered { protocol: x, topic: "a".into() }]);
    right.open(x, b"a", b"").unwrap();
    assert_eq!(pump(&mut right, &mut left).len(), 1);
    assert!(left.is_open(again));
}

#[test]
fn messages_for_a_closed_channel_are_dropped() {
    let (mut left, mut right, x) = ends();
    let [ours, theirs] = pair(&mut left, &mut right, x, b"a");
    left.close(ours);
    right.send(theirs, 0, &Raw(b"late")).unwrap();
    assert_eq!(pump(&mut right, &mut left), []);
}

#[test]
fn a_channel_closed_before_it_is_answered_keeps_its_number_until_then() {
    let (mut left, mut right, x) = ends();
    let abandoned = left.open(x, b"a", b"").unwrap();
    left.close(abandoned);
    left.open(x, b"b", b"").unwrap();
    assert_eq!(written(&mut left), ["00010101780161", "000301", "00010201780162"]);
    // The other side opens the same, not knowing of the close.
    right.open(x, b"a", b"").unwrap();
    assert_eq!(pump(&mut right, &mut left), []);
    // It might have forgotten the close (JavaScript does, when it opens late), so it is told again.
    left.open(x, b"c", b"").unwrap();
    assert_eq!(written(&mut left), ["000301", "00010101780163"]);
}

#[test]
fn an_abandoned_channel_and_its_successor_are_answered_in_order() {
    let (mut left, mut right, x) = ends();
    let abandoned = left.open(x, b"a", b"").unwrap();
    left.close(abandoned);
    let second = left.open(x, b"a", b"second").unwrap();
    // The first open of the other side crosses all of this: it answers the abandoned one.
    let crossing = right.open(x, b"a", b"").unwrap();
    assert_eq!(pump(&mut right, &mut left), []);
    let seen = pump(&mut left, &mut right);
    assert_eq!(seen[0], Event::Opened { channel: crossing, handshake: Bytes::new() });
    assert_eq!(seen[1], closed(crossing));
    assert_eq!(seen[2], Event::Offered { protocol: x, topic: "a".into() });
    let answer = right.open(x, b"a", b"answer").unwrap();
    let opened = Event::Opened { channel: second, handshake: "answer".into() };
    assert_eq!(pump(&mut right, &mut left), [opened]);
    let opened = Event::Opened { channel: answer, handshake: "second".into() };
    assert_eq!(events(&mut right).unwrap(), [opened]);
}

#[test]
fn an_offer_that_is_closed_is_withdrawn_and_answered_with_a_reject() {
    let (mut left, mut right, x) = ends();
    let ours = left.open(x, b"a", b"").unwrap();
    left.send(ours, 0, &Raw(b"held")).unwrap();
    pump(&mut left, &mut right);
    assert_eq!(right.held_len(), 512 + 4);
    left.close(ours);
    let withdrawn = Event::Withdrawn { protocol: x, topic: "a".into() };
    assert_eq!(pump(&mut left, &mut right), [withdrawn]);
    assert_eq!((right.held_len(), right.reject(x, b"a")), (0, false));
    assert_eq!(pump(&mut right, &mut left), []);
    left.open(x, b"b", b"").unwrap();
    assert_eq!(written(&mut left), ["00010101780162"], "the number is free again");
}

#[test]
fn a_rejected_channel_is_closed_and_its_number_free() {
    let (mut left, mut right, x) = ends();
    let ours = left.open(x, b"a", b"").unwrap();
    let early = left.open(x, b"b", b"").unwrap();
    left.close(early);
    pump(&mut left, &mut right);
    assert!(right.reject(x, b"a"));
    let rejected = Event::Closed { channel: ours, reason: CloseReason::Rejected };
    assert_eq!(pump(&mut right, &mut left), [rejected]);
    assert_eq!(left.channels().count(), 0);
    // Freed in the order 2 (withdrawn before), 1: the last one is used first.
    left.open(x, b"c", b"").unwrap();
    left.open(x, b"d", b"").unwrap();
    left.open(x, b"e", b"").unwrap();
    assert_eq!(written(&mut left), ["00010101780163", "00010201780164", "00010301780165"]);
}

#[test]
fn numbers_are_used_again_last_in_first_out() {
    let (mut left, mut right, x) = ends();
    let channels = [b"a", b"b", b"c"].map(|topic| pair(&mut left, &mut right, x, topic)[0]);
    for number in [1, 0, 2] {
        left.close(channels[number]);
    }
    frames(&mut left);
    for topic in [b"d", b"e", b"f", b"g"] {
        left.open(x, topic, b"").unwrap();
    }
    let numbers: Vec<u8> = frames(&mut left).iter().map(|frame| frame[2]).collect();
    assert_eq!(numbers, [3, 1, 2, 4]);
}

#[test]
fn a_second_channel_of_the_same_name_is_refused_by_both_sides() {
    let (mut left, mut right, x) = ends();
    pair(&mut left, &mut right, x, b"a");
    assert_eq!(left.open(x, b"a", b""), Err(OpenError::AlreadyOpen));
    assert_eq!(feed(&mut right, "00010201780161").unwrap(), []);
    assert_eq!(written(&mut right), ["000202"]);
    // Also while the first is only offered.
    assert_eq!(feed(&mut right, "00010201780162").unwrap().len(), 1);
    assert_eq!(feed(&mut right, "00010301780162").unwrap(), []);
    assert_eq!(written(&mut right), ["000203"]);
    assert!(right.reject(x, b"b") && !right.reject(x, b"b"));
}

#[test]
fn what_was_held_is_not_handed_out_after_a_close() {
    let (mut left, mut right, x) = ends();
    let ours = left.open(x, b"a", b"").unwrap();
    left.send(ours, 0, &Raw(b"held")).unwrap();
    pump(&mut left, &mut right);
    let theirs = right.open(x, b"a", b"").unwrap();
    assert!(right.has_input());
    right.close(theirs);
    assert_eq!((events(&mut right).unwrap(), right.held_len()), (vec![], 0));
    assert_eq!(pump(&mut right, &mut left).len(), 2, "opened and closed");
}

#[test]
fn an_alias_is_answered_under_the_same_alias() {
    let mut mux = Mux::new(Options::default());
    let protocol = mux.add_protocol("real", &["other", "r"]);
    assert_eq!(feed(&mut mux, "000101017200").unwrap().len(), 1);
    mux.open(protocol, b"", b"").unwrap();
    assert_eq!(written(&mut mux), ["000101017200"]);
}

#[test]
fn breaches_are_told_apart_and_final() {
    let lost = |frames: &[&str]| {
        let (mut mux, _, x) = ends();
        mux.open(x, b"", b"").unwrap();
        let (last, before) = frames.split_last().unwrap();
        for frame in before {
            feed(&mut mux, frame).unwrap();
        }
        let error = feed(&mut mux, last).unwrap_err();
        let frame = Bytes::from(vec![1, 0]);
        mux.receive(frame.clone());
        assert_eq!(events(&mut mux), Err(error), "{frames:?}");
        assert!(frame.is_unique() && !mux.has_input(), "nothing is kept any more");
        error
    };
    assert_eq!(lost(&["000100017800"]), MuxError::ReservedNumber);
    assert_eq!(lost(&["000102017800"]), MuxError::NumberSkipped { number: 2, highest: 0 });
    assert_eq!(lost(&["000101017800", "000101017900"]), MuxError::NumberInUse { number: 1 });
    assert_eq!(lost(&["000202"]), MuxError::UnexpectedReject { number: 2 });
    assert_eq!(lost(&["000200"]), MuxError::UnexpectedReject { number: 0 });
    assert_eq!(lost(&["000101017800", "000201"]), MuxError::UnexpectedReject { number: 1 });
    assert_eq!(lost(&["0002ffffffffffffff1f00"]), {
        MuxError::UnexpectedReject { number: (1 << 53) - 1 }
    });
    assert_eq!(lost(&["0000000200000000"]), MuxError::NestedBatch);
    for malformed in
        ["00", "fd01", "0001", "000101", "00010178", "0001010178", "000101ff78", "0000"]
    {
        assert!(matches!(lost(&[malformed]), MuxError::Malformed(_)), "{malformed}");
    }
    // Number above 2^53 - 1; item without a type; switch without a number.
    for malformed in ["0003ffffffffffffff2f00", "00000105", "00000100"] {
        assert!(matches!(lost(&[malformed]), MuxError::Malformed(_)), "{malformed}");
    }
}
