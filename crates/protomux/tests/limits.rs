//! What a remote can make a mux hold, and what happens at each limit.

mod common;

use bytes::Bytes;
use common::{events, feed, frames, hex, written};
use protomux::{
    ANSWERS_WAITING_MAX, Event, HELD_LEN_MAX, HELD_MESSAGE_LEN, Mux, MuxError, OFFER_LEN_MAX,
    OFFERS_MAX, OpenError, Options, ProtocolId, Raw,
};

fn mux(options: Options) -> (Mux, ProtocolId) {
    let mut mux = Mux::new(options);
    let protocol = mux.add_protocol("x", &[]);
    (mux, protocol)
}

fn small() -> Options {
    let mut options = Options::default();
    options.channels_max = 4;
    options.offers_max = 3;
    options
}

/// The frames of a remote that opens `count` channels.
fn opens(count: u16) -> Vec<Vec<u8>> {
    let (mut remote, x) = mux(Options::default());
    for number in 0..count {
        remote.open(x, &number.to_le_bytes(), b"").unwrap();
    }
    frames(&mut remote)
}

fn receive(mux: &mut Mux, frames: Vec<Vec<u8>>) {
    frames.into_iter().for_each(|frame| mux.receive(Bytes::from(frame)));
}

#[test]
fn held_messages_count_512_and_their_bytes_and_pause_above_the_limit() {
    let (mut mux, x) = mux(Options::default());
    feed(&mut mux, "000101017800").unwrap();
    let mut held = 0;
    while !mux.is_paused() {
        assert!(held <= HELD_LEN_MAX);
        assert_eq!(feed(&mut mux, "0100616263").unwrap(), []);
        held += HELD_MESSAGE_LEN + 3;
        assert_eq!(mux.held_len(), held);
    }
    assert!(held > HELD_LEN_MAX);
    // What arrives now waits, in the frame and behind it.
    assert_eq!(feed(&mut mux, "00000102007a02007a").unwrap(), []);
    assert!(mux.held_len() == held && mux.has_input());
    let channel = mux.open(x, b"", b"").unwrap();
    let seen = events(&mut mux).unwrap();
    assert_eq!(seen.len(), 1 + held / (HELD_MESSAGE_LEN + 3) + 2);
    let last = Event::Message { channel, kind: 0, payload: "z".into() };
    assert_eq!(seen.last(), Some(&last));
    assert_eq!((mux.held_len(), mux.is_paused(), mux.has_input()), (0, false, false));
}

#[test]
fn exactly_the_limit_does_not_pause() {
    let (mut mux, _) = mux(Options::default());
    feed(&mut mux, "000101017800").unwrap();
    let most = vec![0; HELD_LEN_MAX - HELD_MESSAGE_LEN];
    mux.receive(Bytes::from([&[1, 0], &most[..]].concat()));
    assert_eq!(events(&mut mux).unwrap(), []);
    assert!(!mux.is_paused() && mux.held_len() == HELD_LEN_MAX);
}

#[test]
fn a_reject_lets_go_of_what_was_held() {
    let (mut mux, x) = mux(Options::default());
    feed(&mut mux, "000101017800").unwrap();
    mux.receive(Bytes::from([&[1, 0][..], &[0; HELD_LEN_MAX]].concat()));
    mux.receive(Bytes::from_static(&[0, 3, 9]));
    assert_eq!(events(&mut mux).unwrap(), []);
    assert!(mux.is_paused() && mux.has_input());
    assert!(mux.reject(x, b""));
    assert_eq!(events(&mut mux).unwrap(), []);
    assert!(!mux.is_paused() && !mux.has_input() && mux.held_len() == 0);
}

#[test]
fn held_bytes_do_not_keep_a_large_frame() {
    let (mut mux, _) = mux(Options::default());
    feed(&mut mux, "000101017800").unwrap();
    // A batch with a small message for the offer, and many bytes for a channel that is not there.
    let mut batch = common::unhex("0000010300616200 02fd0010".replace(' ', "").as_str());
    batch.extend([0; 0x1000]);
    let batch = Bytes::from(batch);
    mux.receive(batch.clone());
    assert_eq!(events(&mut mux).unwrap(), []);
    assert_eq!(mux.held_len(), HELD_MESSAGE_LEN + 2);
    assert!(batch.is_unique());
    // A message that is most of its frame is kept as it came.
    let frame = Bytes::from([1; 2000].to_vec());
    mux.receive(frame.clone());
    assert_eq!(events(&mut mux).unwrap(), []);
    assert!(!frame.is_unique());
}

#[test]
fn as_many_offers_as_may_wait_pause_until_one_is_decided() {
    let (mut mux, x) = mux(small());
    receive(&mut mux, opens(5));
    assert_eq!(events(&mut mux).unwrap().len(), 3);
    assert!(mux.is_paused());
    assert!(mux.reject(x, &0_u16.to_le_bytes()));
    assert_eq!(events(&mut mux).unwrap().len(), 1);
    assert!(mux.is_paused());
    assert!(mux.reject(x, &1_u16.to_le_bytes()) && mux.reject(x, &2_u16.to_le_bytes()));
    assert_eq!(events(&mut mux).unwrap().len(), 1);
    assert!(!mux.is_paused() && !mux.has_input());
}

#[test]
fn offers_beyond_the_number_of_channels_are_a_fault() {
    let (mut mux, x) = mux(small());
    receive(&mut mux, opens(5));
    let mut taken = 0;
    let error = loop {
        match mux.next_event() {
            Ok(Some(Event::Offered { topic, .. })) => {
                mux.open(x, &topic, b"").unwrap();
                taken += 1;
            }
            Ok(Some(_)) => {}
            Ok(None) => panic!("five were offered"),
            Err(error) => break error,
        }
    };
    assert_eq!((taken, error), (4, MuxError::TooManyChannels { max: 4 }));
}

#[test]
fn own_channels_are_limited_closed_ones_without_an_answer_included() {
    let (mut mux, x) = mux(small());
    for number in 0..4 {
        let channel = mux.open(x, &[number], b"").unwrap();
        mux.close(channel);
    }
    frames(&mut mux);
    assert_eq!(mux.open(x, b"4", b""), Err(OpenError::TooManyChannels { max: 4 }));
    assert_eq!(mux.queued_len(), 0);
    feed(&mut mux, "000203").unwrap();
    assert!(mux.open(x, b"4", b"").is_ok());
    assert_eq!(mux.open(x, b"5", b""), Err(OpenError::TooManyChannels { max: 4 }));
}

#[test]
fn an_offer_brings_no_more_than_its_share() {
    let open = |topic_len: usize, handshake_len: usize| {
        let (mut remote, x) = mux(Options::default());
        remote.open(x, &vec![1; topic_len], &vec![2; handshake_len]).unwrap();
        hex(&frames(&mut remote)[0])
    };
    let offered =
        |frame: &str| feed(&mut mux(Options::default()).0, frame).map(|events| events.len());
    assert_eq!(offered(&open(32, OFFER_LEN_MAX - 32)), Ok(1));
    let len = OFFER_LEN_MAX + 1;
    assert_eq!(offered(&open(32, len - 32)), Err(MuxError::OfferTooLarge { len }));
    assert_eq!(offered(&open(len, 0)), Err(MuxError::OfferTooLarge { len }));
    // An answer may bring more: nothing of it is kept.
    let (mut waiting, x) = mux(Options::default());
    waiting.open(x, &[1; 32], b"").unwrap();
    assert_eq!(feed(&mut waiting, &open(32, 100_000)).unwrap().len(), 1);
}

#[test]
fn a_remote_that_never_reads_stops_itself() {
    let (mut mux, _) = mux(Options::default());
    // One frame with many opens of a protocol that nobody knows.
    let mut flood = vec![0, 0, 0];
    let count = 10 * ANSWERS_WAITING_MAX;
    for number in 1..=count {
        let mut item = compact_encoding::Encoder::new();
        item.uint(1);
        item.uint(number as u64);
        item.string("y");
        item.optional_buffer(None);
        flood.push(item.len() as u8);
        flood.extend(item.as_slice());
    }
    mux.receive(Bytes::from(flood));
    assert_eq!(events(&mut mux).unwrap(), []);
    assert!(mux.is_paused() && mux.has_input());
    let answers = mux.queued_len();
    // Type, number in one byte or three, and the length of the item.
    assert_eq!(answers, 3 + 252 * 3 + (ANSWERS_WAITING_MAX - 252) * 5);
    assert_eq!(events(&mut mux).unwrap(), []);
    assert_eq!(mux.queued_len(), answers, "nothing more until they are taken");
    let mut rounds = 1;
    while mux.has_input() {
        assert_eq!(frames(&mut mux).len(), 1);
        assert_eq!(events(&mut mux).unwrap(), []);
        rounds += 1;
    }
    assert_eq!(rounds, count / ANSWERS_WAITING_MAX);
}

#[test]
fn what_is_sent_while_paused_does_not_wait_for_the_rest_of_the_batch() {
    let (mut mux, x) = mux(Options::default());
    let channel = mux.open(x, b"mine", b"").unwrap();
    frames(&mut mux);
    // An offer, a message for it that pauses, and one more item that is not read.
    let mut batch = common::unhex("00000005010101780000 01fe00800000 00".replace(' ', "").as_str());
    batch.extend([0; 0x7fff]);
    batch.extend([2, 0, 0]);
    mux.receive(Bytes::from(batch));
    assert_eq!(events(&mut mux).unwrap().len(), 1);
    assert!(mux.is_paused() && mux.has_input());
    mux.send(channel, 0, &Raw(b"now")).unwrap();
    assert_eq!(written(&mut mux), ["01006e6f77"]);
}

#[test]
fn the_defaults_are_the_constants() {
    let options = Options::default();
    assert_eq!((options.held_len_max, options.offers_max), (HELD_LEN_MAX, OFFERS_MAX));
    assert_eq!((options.head_len, options.tail_len), (0, 0));
}
