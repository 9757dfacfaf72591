//! Messages as short lines of a trace: what is in them, without the bytes.

use std::fmt::Write as _;

use hypercore_merkle::{Proof, Request};
use hypercore_replication::Message;

/// A message in a few words.
pub(super) fn message(message: &Message) -> String {
    match message {
        Message::Request(request) => self::request(request),
        Message::Data(data) => format!("data {} {}", data.request_id, proof(&data.proof)),
        Message::Sync(sync) => {
            let flags = [
                (sync.can_upgrade, " can-upgrade"),
                (sync.uploading, " uploading"),
                (sync.downloading, " downloading"),
                (sync.has_manifest, " manifest"),
                (sync.allow_push, " push"),
            ];
            let flags: String =
                flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
            let (fork, length, remote) = (sync.fork, sync.length, sync.remote_length);
            format!("sync fork {fork}, length {length}, of yours {remote}{flags}")
        }
        other => format!("{other:?}"),
    }
}

fn request(request: &Request) -> String {
    let mut text = format!("request {} fork {}", request.id, request.fork);
    if let Some(part) = &request.block {
        let _ = write!(text, " block {} nodes {}", part.index, part.nodes);
    }
    if let Some(part) = &request.hash {
        let _ = write!(text, " hash {} nodes {}", part.index.get(), part.nodes);
    }
    if let Some(part) = &request.seek {
        let _ = write!(text, " seek {}", part.bytes);
    }
    if let Some(part) = &request.upgrade {
        let _ = write!(text, " upgrade {}+{}", part.start, part.length);
    }
    if request.manifest {
        text.push_str(" manifest");
    }
    text
}

fn proof(proof: &Proof) -> String {
    let mut text = format!("fork {}", proof.fork);
    if let Some(part) = &proof.block {
        let (index, len, nodes) = (part.index, part.value.len(), part.nodes.len());
        let _ = write!(text, " block {index} of {len} bytes, {nodes} nodes");
    }
    if let Some(part) = &proof.hash {
        let _ = write!(text, " hash {}, {} nodes", part.index.get(), part.nodes.len());
    }
    if let Some(part) = &proof.seek {
        let _ = write!(text, " seek {}, {} nodes", part.bytes, part.nodes.len());
    }
    if let Some(part) = &proof.upgrade {
        let (start, length) = (part.start, part.length);
        let (nodes, more) = (part.nodes.len(), part.additional_nodes.len());
        let _ = write!(text, " upgrade {start}+{length}, {nodes} and {more} nodes");
    }
    if proof.manifest.is_some() {
        text.push_str(" manifest");
    }
    text
}
