//! Transcripts as they were recorded, taken apart into who said what about which core.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use compact_encoding::{Decode, Decoder};
use hypercore_crypto::{CoreKey, Manifest, Side, discovery_key};
use hypercore_merkle::{Data, Proof, Request};
use hypercore_replication::Message;
use serde_json::Value;

use crate::golden::{array, bytes, list, text};

/// Who takes part: a party may have several connections.
pub(crate) type Party = usize;

/// One recorded replication.
pub(crate) struct Transcript {
    pub(crate) name: String,
    pub(crate) json: Value,
    pub(crate) cores: Vec<CoreKey>,
    pub(crate) steps: Vec<Step>,
}

/// What was written, or done.
pub(crate) enum Step {
    Frame(Frame),
    Note(String),
}

pub(crate) struct Frame {
    pub(crate) connection: usize,
    pub(crate) from: Side,
    pub(crate) bytes: Bytes,
    pub(crate) said: Vec<Said>,
}

/// One message, or one control message, about a core.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    Open(usize),
    /// Of a number of the other side's.
    Reject(usize),
    Close,
    Message(usize, Message),
}

pub(crate) fn other(side: Side) -> Side {
    match side {
        Side::Initiator => Side::Responder,
        Side::Responder => Side::Initiator,
    }
}

/// All transcripts, in the order of their names.
pub(crate) fn all() -> Vec<Transcript> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/transcripts");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| Transcript::new(&std::fs::read_to_string(path).unwrap())).collect()
}

impl Transcript {
    fn new(json: &str) -> Self {
        let json: Value = serde_json::from_str(json).unwrap();
        let name = text(&json["scenario"]).to_owned();
        let key = |value: &Value| CoreKey::from_bytes(array(value));
        let cores: Vec<CoreKey> = match json["keys"].as_array() {
            Some(keys) => keys.iter().map(key).collect(),
            None => vec![key(&json["core"]["key"])],
        };
        let mut parser = Parser { cores: &cores, numbers: BTreeMap::new(), names: BTreeMap::new() };
        let steps = list(&json["frames"]).iter().map(|step| parser.step(step)).collect();
        Self { name, cores, steps, json }
    }

    pub(crate) fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.steps.iter().filter_map(|step| match step {
            Step::Frame(frame) => Some(frame),
            Step::Note(_) => None,
        })
    }

    /// The party that writes from this end of a connection.
    pub(crate) fn party(&self, connection: usize, side: Side) -> Party {
        let is_responder = side == Side::Responder;
        match self.name.as_str() {
            // One reader, two writers.
            "conflict-11-11" if is_responder => 1 + connection,
            // A new reader, a reader that it asks, and the writer which that one asks.
            "gossip-11-11" if connection == 0 => 1 + usize::from(is_responder),
            _ => usize::from(is_responder),
        }
    }

    pub(crate) fn parties(&self) -> usize {
        let parties = self.frames().map(|frame| self.party(frame.connection, frame.from));
        parties.max().unwrap_or_default().max(1) + 1
    }

    /// Whether a party has a log to begin with.
    pub(crate) fn is_source(&self, party: Party) -> bool {
        let role = |side: &str| text(&self.json["roles"][side]);
        let role = match party {
            0 => role("initiator"),
            _ => role("responder"),
        };
        ["writer", "writable", "uploader", "sparse reader"].iter().any(|word| role.contains(word))
    }

    /// Whose proofs show what a party has, if not everybody's.
    pub(crate) fn source_of(&self, party: Party) -> Option<Party> {
        let is_writer_of_all = self.name.starts_with("gossip") && party == 2;
        (!is_writer_of_all).then_some(party)
    }

    /// What the recording says of a reader's log afterwards.
    pub(crate) fn after(&self) -> Option<&Value> {
        let after = self.json["after"].as_object()?;
        after.get("downloader").or_else(|| after.get("reader"))
    }

    pub(crate) fn handshake_hash(&self, connection: usize) -> [u8; 64] {
        array(&self.json["connections"][connection]["handshakeHash"])
    }

    /// Proofs about a core that `party` gave, in order; of anybody without a party.
    pub(crate) fn proofs(&self, core: usize, party: Option<Party>) -> Vec<Proof> {
        let from = |frame: &&Frame| {
            party.is_none_or(|party| self.party(frame.connection, frame.from) == party)
        };
        let proof = |said: &Said| match said {
            Said::Message(of, Message::Data(data)) if *of == core => Some(data.proof.clone()),
            _ => None,
        };
        self.frames().filter(from).flat_map(|frame| frame.said.iter().filter_map(proof)).collect()
    }

    pub(crate) fn manifest(&self, core: usize) -> Option<Manifest> {
        let key = self.cores[core];
        let given = || Manifest::from_slice(&bytes(&self.json["core"]["manifest"])).ok();
        let said = self.proofs(core, None).into_iter().find_map(|proof| proof.manifest);
        said.or_else(given).filter(|manifest| manifest.belongs_to(&key))
    }

    /// The recorded answer to a request that asked for the same on this connection.
    pub(crate) fn answer(
        &self,
        core: usize,
        connection: usize,
        from: Side,
        wanted: &Request,
    ) -> Option<Data> {
        let of_interest = |request: &Request| Request { id: 0, priority: 0, ..*request };
        let mut frames = self.frames().filter(|frame| frame.connection == connection);
        let id = frames.by_ref().filter(|frame| frame.from == from).find_map(|frame| {
            frame.said.iter().find_map(|said| match said {
                Said::Message(of, Message::Request(request))
                    if *of == core && of_interest(request) == of_interest(wanted) =>
                {
                    Some(request.id)
                }
                _ => None,
            })
        })?;
        let data = frames.filter(|frame| frame.from != from).find_map(|frame| {
            frame.said.iter().find_map(|said| match said {
                Said::Message(of, Message::Data(data)) if *of == core && data.request_id == id => {
                    Some((**data).clone())
                }
                _ => None,
            })
        })?;
        Some(Data { request_id: wanted.id, ..data })
    }
}

/// Knows which number stands for which core.
struct Parser<'a> {
    cores: &'a [CoreKey],
    /// By connection, writer and number.
    numbers: BTreeMap<(usize, bool, u64), usize>,
    /// The extension named last by a writer.
    names: BTreeMap<(usize, bool), Arc<str>>,
}

impl Parser<'_> {
    fn step(&mut self, json: &Value) -> Step {
        if let Some(note) = json["note"].as_str() {
            return Step::Note(note.to_owned());
        }
        let connection = json["connection"].as_u64().map_or(0, |number| number as usize);
        let from = match text(&json["from"]) {
            "initiator" => Side::Initiator,
            _ => Side::Responder,
        };
        let bytes = Bytes::from(bytes(&json["hex"]));
        let writer = (connection, from == Side::Initiator);
        let said = self.frame(writer, &bytes);
        Step::Frame(Frame { connection, from, bytes, said })
    }

    fn frame(&mut self, writer: (usize, bool), frame: &Bytes) -> Vec<Said> {
        let mut input = Decoder::new(frame);
        let mut channel = input.uint().unwrap();
        if channel != 0 || input.peek()[0] != 0 {
            return self
                .item(writer, channel, &frame.slice(input.position()..))
                .into_iter()
                .collect();
        }
        input.uint().unwrap();
        channel = input.uint().unwrap();
        let mut said = Vec::new();
        while !input.is_empty() {
            match input.len_prefix().unwrap() {
                0 => channel = input.uint().unwrap(),
                len => {
                    let start = input.position();
                    input.bytes(len).unwrap();
                    said.extend(self.item(writer, channel, &frame.slice(start..start + len)));
                }
            }
        }
        said
    }

    fn item(&mut self, writer: (usize, bool), channel: u64, item: &Bytes) -> Option<Said> {
        let mut input = Decoder::new(item);
        let kind = input.uint().unwrap();
        let (connection, is_initiator) = writer;
        if channel != 0 {
            // Where a recording begins in the middle, the first core is open on both sides.
            let core = self.numbers.get(&(connection, is_initiator, channel)).copied().unwrap_or(0);
            let message = Message::decode(kind, &item.slice(input.position()..)).unwrap()?;
            return Some(Said::Message(core, self.named(writer, message)));
        }
        let number = input.uint().unwrap();
        match kind {
            1 => {
                input.string().unwrap();
                let topic = input.optional_buffer().unwrap().unwrap();
                let core = self.cores.iter().position(|key| discovery_key(key).as_bytes() == topic);
                // One core more than the recording gives the key of.
                let core = core.unwrap_or(self.cores.len());
                self.numbers.insert((connection, is_initiator, number), core);
                Some(Said::Open(core))
            }
            2 => Some(Said::Reject(self.numbers[&(connection, !is_initiator, number)])),
            3 => Some(Said::Close),
            _ => None,
        }
    }

    /// With the name that an empty one stands for.
    fn named(&mut self, writer: (usize, bool), message: Message) -> Message {
        let Message::Extension(mut extension) = message else { return message };
        if extension.name.is_empty() {
            extension.name = self.names[&writer].clone();
        }
        self.names.insert(writer, extension.name.clone());
        Message::Extension(extension)
    }
}
