//! `info` of a feed of Dat or Hypercore 6 to 9: the fields of a log, as far as a feed has them, and its own.

use std::path::Path;

use hypercore::id;
use serde::Serialize;
use sleep::{Feed, FileName};

use crate::args::Common;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::parse::to_hex;
use crate::sleep_dir::SleepDir;

#[derive(Serialize)]
struct FeedJson {
    format: &'static str,
    key: String,
    id: String,
    discovery_key: String,
    /// Whether the secret key is stored there. No command here appends to a feed.
    writable: bool,
    needs_confirmation: bool,
    length: u64,
    byte_length: u64,
    contiguous_length: u64,
    /// Always 0: a feed has no forks.
    fork: u64,
    tree_hash: String,
    /// Whether the key is the writer's public key, as that of a live feed is.
    compat: bool,
    /// Always null: manifests are younger.
    manifest: Option<()>,
    storage: StorageJson,
    /// Whether it can grow: the key of a feed that can not is its tree hash.
    live: bool,
    bitfield_page_size: usize,
    /// Blocks that are stored.
    blocks: u64,
}

/// Bytes on disk.
#[derive(Serialize)]
struct StorageJson {
    key: u64,
    secret_key: u64,
    signatures: u64,
    tree: u64,
    bitfield: u64,
    data: u64,
    /// Always 0: what a log has and a feed has not.
    oplog: u64,
    total: u64,
}

impl StorageJson {
    fn of(place: &SleepDir) -> Self {
        let len = |name| place.stored_len(name);
        Self {
            key: len(FileName::Key),
            secret_key: len(FileName::SecretKey),
            signatures: len(FileName::Signatures),
            tree: len(FileName::Tree),
            bitfield: len(FileName::Bitfield),
            data: len(FileName::Data),
            oplog: 0,
            total: FileName::ALL.into_iter().fold(0, |sum, name| sum.saturating_add(len(name))),
        }
    }
}

pub(super) fn print(common: &Common, dir: &Path, feed: &Feed, out: &mut Output) -> Outcome {
    let place = SleepDir::find(dir).ok_or_else(|| {
        Failure::new(Exit::Failed, format!("{}: the feed is gone", dir.display()))
    })?;
    let is_writable = !common.read_only && place.key_pair(dir, feed.key())?.is_some();
    let mut blocks = 0_u64;
    let mut contiguous_length = 0;
    for range in feed.present() {
        blocks = blocks.saturating_add(range.end.saturating_sub(range.start));
        if range.start == contiguous_length {
            contiguous_length = range.end;
        }
    }
    let info = FeedJson {
        format: "sleep",
        key: feed.key().to_string(),
        id: id::encode(feed.key().as_bytes()),
        discovery_key: to_hex(feed.discovery_key().as_bytes()),
        writable: is_writable,
        needs_confirmation: false,
        length: feed.length(),
        byte_length: feed.byte_length(),
        contiguous_length,
        fork: 0,
        // That of a log without blocks, which a feed never signs, is of no roots as well.
        tree_hash: feed.tree_hash().unwrap_or_else(|| sleep::hashes::tree(&[])).to_string(),
        compat: feed.is_live(),
        manifest: None,
        storage: StorageJson::of(&place),
        live: feed.is_live(),
        bitfield_page_size: feed.page_size().bytes(),
        blocks,
    };
    if out.json { out.object(&info) } else { print_text(&info, out) }
}

fn print_text(info: &FeedJson, out: &mut Output) -> Outcome {
    let of_what = if info.live { "the writer's public key" } else { "static: its tree hash" };
    out.line(format_args!("format             sleep (Dat, Hypercore 6 to 9)"))?;
    out.line(format_args!("key                {} ({of_what})", info.key))?;
    out.line(format_args!("id                 {}", info.id))?;
    out.line(format_args!("discovery key      {}", info.discovery_key))?;
    let secret_key = if info.writable { "stored" } else { "not stored" };
    out.line(format_args!("secret key         {secret_key}"))?;
    out.line(format_args!("length             {} blocks, {} stored", info.length, info.blocks))?;
    out.line(format_args!("byte length        {}", info.byte_length))?;
    out.line(format_args!("contiguous length  {} blocks", info.contiguous_length))?;
    out.line(format_args!("tree hash          {}", info.tree_hash))?;
    out.line(format_args!("bitfield pages     {} bytes each", info.bitfield_page_size))?;
    let StorageJson { key, secret_key, signatures, tree, bitfield, data, total, .. } = info.storage;
    out.line(format_args!(
        "storage            {total} bytes: key {key}, secret_key {secret_key}, signatures {signatures}, tree {tree}, \
         bitfield {bitfield}, data {data}"
    ))
}
