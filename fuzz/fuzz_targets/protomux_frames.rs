//! Any frames to a mux whose owner opens, rejects, closes and sends as the input says: no panic, no event for a
//! channel that is not open, what is counted is what is there, and memory within what the format page promises.
#![no_main]

use std::collections::HashMap;

use bytes::Bytes;
use hypercore_fuzz::{Script, peak_of};
use libfuzzer_sys::fuzz_target;
use protomux::{ChannelId, Event, HELD_LEN_MAX, HELD_MESSAGE_LEN, Mux, Options, Raw};

/// What a mux may keep besides frames.
const KEPT_MAX: usize = 512 * 1024;

fn run(script: &mut Script<'_>) {
    let mut options = Options::default();
    options.head_len = 4;
    let mut mux = Mux::new(options);
    let protocols = [mux.add_protocol("x", &["y"]), mux.add_protocol("z", &[])];
    // Each channel, and whether the remote has opened it.
    let mut channels: HashMap<ChannelId, bool> = HashMap::new();
    while !script.is_empty() {
        let what = script.byte();
        let (protocol, topic) =
            (protocols[usize::from(what >> 7)], &[0; 2][..usize::from(what >> 5 & 1)]);
        let newest = channels.keys().max().copied();
        match what % 16 {
            0 => drop(mux.open(protocol, topic, b"handshake").map(|id| channels.insert(id, false))),
            1 => drop(mux.reject(protocol, topic)),
            2 => newest.iter().for_each(|id| {
                mux.close(*id);
                channels.remove(id);
            }),
            3 => {
                newest.iter().for_each(|id| assert_eq!(mux.send(*id, 1, &Raw([what; 70])), Ok(())))
            }
            4 => mux.cork(),
            5 => mux.uncork(),
            6 => while mux.next_frame().map(|frame| assert_eq!(frame[..4], [0; 4])).is_some() {},
            _ => {
                let len = script.byte().into();
                mux.receive(Bytes::copy_from_slice(script.take(len)));
            }
        }
        loop {
            match mux.next_event() {
                Ok(Some(Event::Opened { channel, .. })) => {
                    assert_eq!(channels.insert(channel, true), Some(false))
                }
                Ok(Some(Event::Message { channel, .. })) => assert!(channels[&channel]),
                Ok(Some(Event::Closed { channel, .. })) => {
                    assert!(channels.remove(&channel).is_some())
                }
                Ok(Some(Event::Offered { .. } | Event::Withdrawn { .. })) => {}
                Ok(Some(other)) => panic!("{other:?}"),
                Ok(None) => break,
                Err(error) => return assert_eq!(mux.next_event(), Err(error)),
            }
        }
        assert!(mux.held_len() <= HELD_LEN_MAX + HELD_MESSAGE_LEN + usize::from(u8::MAX));
        assert_eq!(mux.channels().count(), channels.len());
        assert!(channels.iter().all(|(id, is_open)| mux.is_open(*id) == *is_open));
    }
}

fuzz_target!(|input: &[u8]| {
    let ((), peak) = peak_of(|| run(&mut Script::new(input)));
    // Frames that wait are the owner's; what it sends, 80 bytes for one of input.
    assert!(peak < KEPT_MAX + 256 * input.len(), "{peak} bytes for an input of {}", input.len());
});
