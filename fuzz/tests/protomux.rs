//! A remote that wants a mux to keep as much as it can: the promise of `docs/format/protomux.md`, counted.

use bytes::Bytes;
use compact_encoding::Encoder;
use hypercore_fuzz::{live, peak_of};
use protomux::{
    ANSWERS_WAITING_MAX, ChannelId, Event, HELD_LEN_MAX, Mux, OFFER_LEN_MAX, OFFERS_MAX, Options,
    Raw,
};

/// What a mux may keep besides the frame that is being read and one held message.
const KEPT_MAX: usize = 512 * 1024;

/// One test at a time: what another one allocates would be counted.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn mux() -> Mux {
    let mut mux = Mux::new(Options::default());
    mux.add_protocol("x", &[]);
    mux
}

/// A mux with one channel that both sides have opened.
fn opened() -> (Mux, ChannelId) {
    let mut mux = Mux::new(Options::default());
    let protocol = mux.add_protocol("x", &[]);
    let channel = mux.open(protocol, b"", b"").unwrap();
    assert!(mux.next_frame().is_some());
    mux.receive(Bytes::from_static(&[0, 1, 1, 1, b'x', 0]));
    assert!(matches!(mux.next_event(), Ok(Some(Event::Opened { .. }))));
    (mux, channel)
}

/// A batch of control messages and, behind them, of messages.
#[derive(Default)]
struct Batch(Encoder);

impl Batch {
    fn new() -> Self {
        let mut out = Encoder::new();
        out.fixed(&[0, 0, 0]);
        Self(out)
    }

    fn open(&mut self, number: u64, protocol: &str, topic: &[u8]) {
        self.0.frame_with(|out| {
            out.uint(1);
            out.uint(number);
            out.string(protocol);
            out.optional_buffer(Some(topic));
        });
    }

    fn switch(&mut self, number: u64) {
        self.0.uint(0);
        self.0.uint(number);
    }

    fn message(&mut self, payload: &[u8]) {
        self.0.frame_with(|out| {
            out.uint(0);
            out.raw(payload);
        });
    }

    fn frame(self) -> Bytes {
        Bytes::from(self.0.into_vec())
    }
}

/// Bytes that were allocated at a time while the frame was read, and events it gave.
fn cost(mux: &mut Mux, frame: &Bytes) -> (usize, usize) {
    let (events, peak) = peak_of(|| {
        mux.receive(frame.clone());
        let mut events = 0;
        while mux.next_event().expect("nothing is wrong with it").is_some() {
            events += 1;
        }
        events
    });
    println!("{peak} bytes for a frame of {}, {events} events", frame.len());
    (peak, events)
}

#[test]
fn everything_at_its_limit() {
    let _alone = ALONE.lock();
    let mut batch = Batch::new();
    for number in 1..ANSWERS_WAITING_MAX as u64 {
        batch.open(number, "unknown", b"");
    }
    let first = ANSWERS_WAITING_MAX as u64;
    let mut topic = [7; OFFER_LEN_MAX];
    for number in 0..OFFERS_MAX as u64 - 1 {
        topic[..8].copy_from_slice(&number.to_le_bytes());
        batch.open(first + number, "x", &topic);
    }
    batch.switch(first);
    for _ in 0..HELD_LEN_MAX / 512 {
        batch.message(b"");
    }
    let most = vec![1; 1 << 20];
    batch.message(&most);
    let frame = batch.frame();
    let mut mux = mux();
    let (peak, events) = cost(&mut mux, &frame);
    assert!(mux.is_paused() && events == OFFERS_MAX - 1);
    assert!(mux.held_len() > HELD_LEN_MAX + most.len());
    assert!(peak < KEPT_MAX, "{peak} bytes");
    assert!(peak > KEPT_MAX / 2, "the promise is not a loose one: {peak} bytes");
}

#[test]
fn a_million_messages_in_a_frame_cost_nothing_but_the_frame() {
    let _alone = ALONE.lock();
    let (mut mux, _) = opened();
    let mut batch = Batch::new();
    batch.switch(1);
    for _ in 0..1_000_000 {
        batch.message(b"");
    }
    let (peak, events) = cost(&mut mux, &batch.frame());
    assert_eq!(events, 1_000_000);
    assert!(peak < 1024, "{peak} bytes");
}

#[test]
fn what_was_busy_keeps_nothing_of_it() {
    let _alone = ALONE.lock();
    let before = live();
    let (mut mux, channel) = opened();
    let ((), peak) = peak_of(|| {
        for _ in 0..100 {
            mux.cork();
            (0..100).for_each(|_| mux.send(channel, 0, &Raw([1; 10_000])).unwrap());
            mux.uncork();
            while mux.next_frame().is_some() {}
            let mut batch = Batch::new();
            batch.switch(1);
            (0..1000).for_each(|_| batch.message(&[2; 100]));
            mux.receive(batch.frame());
            while mux.next_event().expect("nothing is wrong with it").is_some() {}
        }
    });
    let kept = live() - before;
    println!("{peak} bytes while busy, {kept} afterwards");
    assert!(peak > 1_000_000 && kept < 4096);
}

#[test]
fn a_flood_of_opens_and_closes_leaves_nothing() {
    let _alone = ALONE.lock();
    let mut mux = mux();
    let (_, peak) = peak_of(|| {
        for round in 0..1000_u64 {
            let mut batch = Batch::new();
            for number in 1..=100 {
                batch.open(number, "x", &(round * 100 + number).to_le_bytes());
            }
            for number in 1..=100_u8 {
                batch.0.fixed(&[2, 3, number]);
            }
            mux.receive(batch.frame());
            let mut events = 0;
            while mux.next_event().expect("nothing is wrong with it").is_some() {
                events += 1;
            }
            assert_eq!(events, 200);
            while mux.next_frame().is_some() {}
        }
    });
    assert!(mux.held_len() == 0 && peak < 128 * 1024, "{peak} bytes");
}
