//! `info`, and the same fields after `new`, `truncate`, `clear` and `confirm-newest`.

use std::path::Path;

use hypercore::{Hypercore, Info, Manifest, id};
use serde::Serialize;

use super::sleep_info;
use super::stored::Stored;
use crate::args::{Common, DirArgs};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::parse::to_hex;

pub(super) async fn info(common: &Common, args: &DirArgs, out: &mut Output) -> Outcome {
    match Stored::open(common, &args.dir, out).await? {
        Stored::Log(log) => print(common, &log, &args.dir, None, out).await,
        Stored::Feed(feed) => sleep_info::print(common, &args.dir, &feed, out),
    }
}

#[derive(Serialize)]
struct InfoJson {
    format: &'static str,
    key: String,
    id: String,
    discovery_key: String,
    writable: bool,
    needs_confirmation: bool,
    length: u64,
    byte_length: u64,
    contiguous_length: u64,
    fork: u64,
    tree_hash: String,
    compat: bool,
    manifest: Option<ManifestJson>,
    storage: StorageJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_freed: Option<u64>,
}

#[derive(Serialize)]
struct StorageJson {
    oplog: u64,
    tree: u64,
    bitfield: u64,
    data: u64,
    total: u64,
}

#[derive(Serialize)]
struct ManifestJson {
    version: u8,
    hash: &'static str,
    allow_patch: bool,
    quorum: u64,
    signers: Vec<SignerJson>,
    prologue: Option<PrologueJson>,
    linked: Option<Vec<String>>,
    user_data: Option<String>,
    /// The whole manifest, as `new --manifest` reads it.
    encoded: String,
}

#[derive(Serialize)]
struct SignerJson {
    signature: &'static str,
    namespace: String,
    public_key: String,
}

#[derive(Serialize)]
struct PrologueJson {
    hash: String,
    length: u64,
}

impl ManifestJson {
    fn of(manifest: &Manifest) -> Self {
        Self {
            version: manifest.version(),
            hash: "blake2b",
            allow_patch: manifest.allow_patch(),
            quorum: manifest.quorum(),
            signers: manifest
                .signers()
                .iter()
                .map(|signer| SignerJson {
                    signature: "ed25519",
                    namespace: signer.namespace.to_string(),
                    public_key: signer.public_key.to_string(),
                })
                .collect(),
            prologue: manifest.prologue().map(|prologue| PrologueJson {
                hash: prologue.hash.to_string(),
                length: prologue.length,
            }),
            linked: manifest.linked().map(|keys| keys.iter().map(ToString::to_string).collect()),
            user_data: manifest.user_data().map(to_hex),
            encoded: to_hex(&hypercore::encode_manifest(manifest)),
        }
    }
}

/// Prints what the log is; `bytes_freed` after a command that shrank it.
pub(super) async fn print(
    common: &Common,
    log: &Hypercore,
    dir: &Path,
    bytes_freed: Option<u64>,
    out: &mut Output,
) -> Outcome {
    let info = log.info().await.map_err(|error| Failure::log(dir, &error))?;
    // Describing opens for reading only; what counts is whether a command that writes would succeed.
    let writable = info.signer.is_some() && !info.needs_confirmation && !common.read_only;
    let shown = Shown { format: format_of(dir), writable, bytes_freed };
    if out.json { print_json(&info, &shown, out) } else { print_text(&info, &shown, out) }
}

/// What is told beside what the log tells.
struct Shown {
    format: &'static str,
    writable: bool,
    bytes_freed: Option<u64>,
}

/// How the log is stored at `dir`, which was opened.
fn format_of(dir: &Path) -> &'static str {
    if dir.is_file() { "hypercore-packed" } else { "hypercore-10" }
}

fn print_json(info: &Info, shown: &Shown, out: &mut Output) -> Outcome {
    let storage = &info.storage;
    let &Shown { format, writable, bytes_freed } = shown;
    out.object(&InfoJson {
        format,
        key: info.key.to_string(),
        id: id::encode(info.key.as_bytes()),
        discovery_key: info.discovery_key.to_string(),
        writable,
        needs_confirmation: info.needs_confirmation,
        length: info.length,
        byte_length: info.byte_length,
        contiguous_length: info.contiguous_length,
        fork: info.fork,
        tree_hash: info.tree_hash.to_string(),
        compat: info.compat,
        manifest: info.manifest.as_ref().map(ManifestJson::of),
        storage: StorageJson {
            oplog: storage.oplog,
            tree: storage.tree,
            bitfield: storage.bitfield,
            data: storage.data,
            total: storage.total(),
        },
        bytes_freed,
    })
}

fn print_text(info: &Info, shown: &Shown, out: &mut Output) -> Outcome {
    let &Shown { format, writable, bytes_freed } = shown;
    let compat = if info.compat { " (compat: the writer's public key)" } else { "" };
    out.line(format_args!("format             {format}"))?;
    out.line(format_args!("key                {}{compat}", info.key))?;
    out.line(format_args!("id                 {}", id::encode(info.key.as_bytes())))?;
    out.line(format_args!("discovery key      {}", info.discovery_key))?;
    out.line(format_args!("writable           {}", if writable { "yes" } else { "no" }))?;
    if info.needs_confirmation && info.signer.is_some() {
        out.line(format_args!("backup             not confirmed to be the newest copy"))?;
    }
    out.line(format_args!("length             {} blocks", info.length))?;
    out.line(format_args!("byte length        {}", info.byte_length))?;
    out.line(format_args!("contiguous length  {} blocks", info.contiguous_length))?;
    out.line(format_args!("fork               {}", info.fork))?;
    out.line(format_args!("tree hash          {}", info.tree_hash))?;
    if let Some(manifest) = &info.manifest {
        out.line(format_args!(
            "manifest           version {}, {} of {} signers",
            manifest.version(),
            manifest.quorum(),
            manifest.signers().len()
        ))?;
    } else {
        out.line(format_args!("manifest           not known here"))?;
    }
    let storage = &info.storage;
    out.line(format_args!(
        "storage            {} bytes: oplog {}, tree {}, bitfield {}, data {}",
        storage.total(),
        storage.oplog,
        storage.tree,
        storage.bitfield,
        storage.data
    ))?;
    match bytes_freed {
        Some(freed) => out.line(format_args!("bytes freed        {freed}")),
        None => Ok(()),
    }
}
