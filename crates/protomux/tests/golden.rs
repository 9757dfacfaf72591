//! Every case that was recorded from JavaScript's protomux 3.12.1: the frames it writes, and how
//! it reacts to frames. Where this crate does something else, a test below says what and why.

mod common;

use std::collections::BTreeMap;

use bytes::Bytes;
use common::{feed, frames, hex, unhex, written};
use compact_encoding::Decoder;
use protomux::{ChannelId, CloseReason, Event, Mux, Options, ProtocolId, Raw};
use serde_json::Value;

const VECTORS: &str = include_str!("fixtures/protomux.json");

/// Kinds that the recorded channels knew; JavaScript's mux itself drops others.
const KINDS: u64 = 3;

/// Events in hex that are longer were left out of the recording: the two held messages.
const LONG_EVENT: usize = 10_000;

/// Where the JavaScript side holds a number for ever, see `closing.rs`.
const LATE_OPEN: &str = "local close before the remote answered";

/// Where batches are allowed to be 8 MiB and more.
const LARGE_BATCH: &str = "a corked series of 5 MiB";

fn cases(of: &str) -> Vec<Value> {
    let mut vectors: Value = serde_json::from_str(VECTORS).unwrap();
    match vectors[of].take() {
        Value::Array(cases) => cases,
        other => panic!("{of} is a list, not {other}"),
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn strings(value: &Value) -> Vec<String> {
    let strings = value.as_array().unwrap().iter();
    strings.map(|value| value.as_str().unwrap().to_owned()).collect()
}

/// A mux that opened channels 1 to `count`, whose frames are taken.
fn opened(count: u64) -> (Mux, Vec<ChannelId>) {
    let mut mux = Mux::new(Options::default());
    let protocol = mux.add_protocol("any", &[]);
    let open = |number: u64| mux.open(protocol, &number.to_le_bytes(), b"").unwrap();
    let channels = (1..=count).map(open).collect();
    frames(&mut mux);
    (mux, channels)
}

/// Opens what `part` says, as the channel with the number it says.
fn open(mux: &mut Mux, part: &Value) {
    let protocol = mux.add_protocol(text(part, "protocol"), &[]);
    let (topic, handshake) = (unhex(text(part, "topic")), unhex(text(part, "handshake")));
    mux.open(protocol, &topic, &handshake).unwrap();
}

fn number(part: &Value, field: &str) -> u64 {
    part[field].as_u64().unwrap()
}

#[test]
fn frames_are_those_of_javascript() {
    let mut compared = 0;
    for case in cases("frames") {
        let comment = text(&case, "comment");
        if comment.starts_with(LARGE_BATCH) {
            continue;
        }
        let parts = &case["parts"];
        let parts = parts.as_array().cloned().unwrap_or_else(|| vec![parts.clone()]);
        let is_open = |part: &Value| part.get("protocol").is_some();
        // Channels that are opened in the case come after those that it uses.
        let first_open = parts.iter().filter(|part| is_open(part)).map(|part| number(part, "id"));
        let used = parts.iter().filter(|part| !is_open(part)).map(|part| match part.get("id") {
            Some(id) => id.as_u64().unwrap(),
            None => number(part, "channel"),
        });
        let before = match first_open.min() {
            Some(id) => id - 1,
            None => used.max().unwrap_or_default(),
        };
        let (mut mux, channels) = opened(before);
        let mut channels: BTreeMap<u64, ChannelId> = (1..).zip(channels).collect();

        let is_corked = comment.starts_with("corked") || comment.starts_with("corks");
        let depth = if comment.starts_with("corks nest") { 2 } else { 1 };
        if is_corked {
            (0..depth).for_each(|_| mux.cork());
        }
        for part in &parts {
            if is_open(part) {
                open(&mut mux, part);
                let newest =
                    mux.channels().find(|channel| !channels.values().any(|c| c == channel));
                channels.insert(number(part, "id"), newest.unwrap());
            } else if part.get("channel").is_some() {
                let payload = Raw(unhex(text(part, "payload")));
                mux.send(channels[&number(part, "channel")], number(part, "type"), &payload)
                    .unwrap();
            } else {
                mux.close(channels[&number(part, "id")]);
            }
        }
        if is_corked {
            for _ in 1..depth {
                mux.uncork();
                assert_eq!(written(&mut mux), [""; 0], "{comment}");
            }
            mux.uncork();
        }
        assert_eq!(written(&mut mux), strings(&case["frames"]), "{comment}");
        compared += 1;
    }
    assert_eq!(compared, 11);
}

/// JavaScript lets a batch pass 8 MiB by one message. Here none passes its limit, unless one
/// message alone does.
#[test]
fn large_batches_are_split_earlier() {
    let case =
        cases("frames").into_iter().find(|case| text(case, "comment").starts_with(LARGE_BATCH));
    let case = case.unwrap();
    let lens: Vec<usize> = case["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|len| len.as_u64().unwrap() as usize)
        .collect();
    let mut options = Options::default();
    options.batch_len_max = 8 << 20;
    let mut mux = Mux::new(options);
    let protocol = mux.add_protocol("any", &[]);
    let channel = mux.open(protocol, b"", b"").unwrap();
    frames(&mut mux);
    mux.cork();
    for len in &lens {
        mux.send(channel, 0, &Raw(vec![0; *len])).unwrap();
    }
    mux.uncork();
    let written: Vec<usize> = frames(&mut mux).iter().map(Vec::len).collect();
    // Head of the batch, then for each message its length and its type.
    assert_eq!(written, [3 + 5 + 1 + lens[0], 3 + 5 + 1 + lens[1] + 2 * (1 + 1 + 100)]);
    // In the recording the two large ones share a frame.
    assert_eq!(case["frameLengths"][0], 3 + 2 * (5 + 1 + lens[0]));
}

/// One side, with what the recorded one had: names for channels, and a callback.
struct Side {
    mux: Mux,
    protocols: BTreeMap<String, ProtocolId>,
    names: BTreeMap<ChannelId, String>,
    offered: Vec<(ProtocolId, Bytes)>,
    /// Answers a message with its byte twice and tells nothing, as the recorded application did.
    echoes: bool,
}

impl Side {
    fn new(protocols: &[String]) -> Self {
        let mut mux = Mux::new(Options::default());
        let add = |name: &String| {
            let aliases: &[&str] = if name == "hypercore/alpha" { &["hypercore"] } else { &[] };
            (name.clone(), mux.add_protocol(name, aliases))
        };
        let protocols = protocols.iter().map(add).collect();
        let names = BTreeMap::new();
        Self { mux, protocols, names, offered: Vec::new(), echoes: false }
    }

    /// Opens what the recorded side opened, by the frame it wrote.
    fn open(&mut self, frame: &str) {
        let (name, topic, handshake) = opening(frame).expect("an open");
        let protocol = self.protocols[&name];
        self.offered.retain(|offer| *offer != (protocol, Bytes::from(topic.clone())));
        let channel = self.mux.open(protocol, &topic, &handshake).unwrap();
        self.names.insert(channel, name);
    }

    fn channel(&self, name: &str) -> ChannelId {
        let live: Vec<ChannelId> = self.mux.channels().collect();
        *self.names.iter().find(|(id, of)| *of == name && live.contains(id)).unwrap().0
    }

    /// An event in the words of the recording.
    fn tell(&mut self, event: Event) -> Option<String> {
        match event {
            Event::Offered { protocol, topic } => {
                self.offered.push((protocol, topic));
                None
            }
            Event::Opened { channel, handshake } => Some(format!(
                "opened {}, remote handshake {}",
                self.names[&channel],
                hex(&handshake)
            )),
            Event::Message { channel, kind, payload } if kind < KINDS => {
                if self.echoes {
                    self.mux.send(channel, kind, &Raw([payload[0], payload[0]])).unwrap();
                    return None;
                }
                Some(format!("message {} type {kind}: {}", self.names[&channel], hex(&payload)))
            }
            Event::Closed { channel, reason } => {
                assert!(matches!(reason, CloseReason::Closed | CloseReason::Rejected));
                Some(format!("closed {}, by remote", self.names[&channel]))
            }
            _ => None,
        }
    }

    /// Events until there is none; whether the stream is lost.
    fn events(&mut self) -> (Vec<String>, bool) {
        let mut told = Vec::new();
        loop {
            match self.mux.next_event() {
                Ok(Some(event)) => told.extend(self.tell(event)),
                Ok(None) => return (told, false),
                Err(_) => return (told, true),
            }
        }
    }
}

/// Protocol, topic and handshake of an open.
fn opening(frame: &str) -> Option<(String, Vec<u8>, Vec<u8>)> {
    let bytes = unhex(frame);
    let mut input = Decoder::new(bytes.strip_prefix(&[0, 1])?);
    input.uint().ok()?;
    let name = input.string().ok()?.to_owned();
    let topic = input.optional_buffer().ok()?.unwrap_or_default().to_vec();
    Some((name, topic, input.rest().to_vec()))
}

/// Does what the recorded application did, and returns what it was told of it.
fn act(side: &mut Side, what: &str, writes: &[String]) -> Vec<String> {
    if let Some(name) = what.strip_prefix("close ") {
        side.mux.close(side.channel(name));
        return vec![format!("closed {name}, by local")];
    }
    if what.starts_with("send type 2 on x") {
        let payload = unhex(&writes[0]).split_off(2);
        side.mux.send(side.channel("x"), 2, &Raw(payload)).unwrap();
    } else {
        assert!(
            what == "setup"
                || what.starts_with("open ")
                || what.starts_with("wait for the pairing"),
            "{what}"
        );
        writes.iter().for_each(|frame| side.open(frame));
    }
    side.events().0
}

#[test]
fn reactions_are_those_of_javascript() {
    let cases = cases("reactions");
    assert_eq!(cases.len(), 20);
    let mut long_events = 0;
    for case in cases {
        let comment = text(&case, "comment");
        let steps = case["steps"].as_array().unwrap();
        let mut protocols: Vec<String> = Vec::new();
        for step in steps.iter().filter(|step| step.get("local").is_some()) {
            let names = strings(&step["writes"]).into_iter().filter_map(|frame| opening(&frame));
            protocols.extend(names.map(|(name, ..)| name));
        }
        let mut side = Side::new(&protocols);
        side.echoes = comment.contains("that are answered");
        for (number, step) in steps.iter().enumerate() {
            let at = format!("{comment}, step {number}");
            let mut writes = strings(&step["writes"]);
            let mut expected = strings(&step["events"]);
            let (told, is_lost) = match step.get("local") {
                Some(what) => (act(&mut side, what.as_str().unwrap(), &writes), false),
                None => {
                    let live = side.mux.channels().count();
                    side.mux.receive(Bytes::from(unhex(text(step, "receives"))));
                    let (told, is_lost) = side.events();
                    if is_lost {
                        // JavaScript closes every channel then; here the error says it for all.
                        assert_eq!(expected.len(), live, "{at}");
                        expected.clear();
                    }
                    (told, is_lost)
                }
            };
            if comment.starts_with(LATE_OPEN) && number == 2 {
                assert!(writes.is_empty());
                writes.push("000301".to_owned());
            }
            assert_eq!(written(&mut side.mux), writes, "{at}");
            let (long, told): (Vec<_>, Vec<_>) =
                told.into_iter().partition(|event| event.len() > LONG_EVENT);
            long_events += long.len();
            assert_eq!(told, expected, "{at}");
            assert_eq!(is_lost, step["destroyed"].as_bool().unwrap_or(false), "{at}");
            let pauses = step["readingPaused"].as_bool().unwrap_or(false);
            assert_eq!(side.mux.is_paused(), pauses, "{at}");
            if is_lost {
                let again = side.mux.next_event();
                assert_eq!(feed(&mut side.mux, "").unwrap_err(), again.unwrap_err(), "{at}");
            }
        }
    }
    assert_eq!(long_events, 2);
}
