//! What the tests share: hex, and a mux whose frames are pumped into another.
#![allow(dead_code, reason = "each test file uses its part")]

use bytes::Bytes;
use protomux::{Event, Mux, MuxError};

/// The bytes that hex digits stand for.
pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex digits");
    (0..digits.len()).step_by(2).map(pair).collect()
}

/// The hex digits of bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All frames that wait.
pub(crate) fn frames(mux: &mut Mux) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| mux.next_frame()).collect()
}

/// All frames that wait, in hex.
pub(crate) fn written(mux: &mut Mux) -> Vec<String> {
    frames(mux).iter().map(|frame| hex(frame)).collect()
}

/// All events until there is none.
pub(crate) fn events(mux: &mut Mux) -> Result<Vec<Event>, MuxError> {
    let mut events = Vec::new();
    while let Some(event) = mux.next_event()? {
        events.push(event);
    }
    Ok(events)
}

/// The events of one frame, given in hex.
pub(crate) fn feed(mux: &mut Mux, frame: &str) -> Result<Vec<Event>, MuxError> {
    mux.receive(Bytes::from(unhex(frame)));
    events(mux)
}

/// Gives the frames of one mux to another and returns the other's events.
pub(crate) fn pump(from: &mut Mux, to: &mut Mux) -> Vec<Event> {
    let mut all = Vec::new();
    for frame in frames(from) {
        to.receive(Bytes::from(frame));
        all.extend(events(to).expect("frames of a mux are sound"));
    }
    all
}
