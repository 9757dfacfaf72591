//! The same feed written by both sides in directories of their own: the same files, byte for byte.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::interop::driver::{Side, Sides};
use crate::rng::Rng;

use super::script::{Start, batch, bulk_batch};
use super::tally::Tally;

const NAMES: [&str; 6] = ["key", "secret_key", "data", "tree", "signatures", "bitfield"];

/// Bytes of a header.
const HEADER_LEN: usize = 32;

/// Bytes of data bits and tree bits in a page of the bitfield.
const BITS_LEN: usize = 3072;

/// Bytes of a page before release 6.22.1.
const OLD_PAGE_LEN: usize = 3328;

/// Batches that are appended.
const BATCHES: u64 = 12;

/// Appends the same batches on both sides, each of which closes and opens its feed now and then.
pub(super) fn twins(
    sides: &mut Sides,
    seed: u64,
    start: &Start,
    folder: &Path,
    tally: &mut Tally,
) -> Result<(), String> {
    let dirs = [Side::JavaScript, Side::Rust].map(|side| (side, folder.join(side.to_string())));
    for (side, dir) in &dirs {
        // Both do the same, the openings apart.
        let mut rng = Rng::new(seed);
        let mut openings = Rng::new(seed ^ u64::from(*side == Side::Rust));
        append_all(sides, *side, start, dir, &mut rng, &mut openings)?;
    }
    let [(_, javascript), (_, rust)] = dirs;
    for name in NAMES {
        let files = [&javascript, &rust].map(|dir| read(dir, name));
        let [javascript, rust] = files;
        let (javascript, rust) = (javascript?, rust?);
        if javascript != rust {
            let at = javascript.iter().zip(&rust).position(|(one, other)| one != other);
            return Err(format!(
                "{name}: {} bytes of JavaScript and {} of ours differ from byte {at:?} on",
                javascript.len(),
                rust.len()
            ));
        }
        tally.files += 1;
    }
    Ok(())
}

fn append_all(
    sides: &mut Sides,
    side: Side,
    start: &Start,
    dir: &Path,
    rng: &mut Rng,
    openings: &mut Rng,
) -> Result<(), String> {
    let mut call = |command: Value| sides.call(side, &command);
    match start {
        Start::Copy(from) => {
            copy(from, dir).map_err(|error| error.to_string())?;
            call(json!({ "op": "open", "dir": dir.to_string_lossy() }))?;
        }
        Start::Nothing | Start::OldPages => {
            let seed = format!("{:02x}", rng.below(256)).repeat(32);
            call(json!({ "op": "open", "dir": dir.to_string_lossy(), "seed": seed }))?;
        }
    }
    for turn in 0..BATCHES {
        let is_large = turn == BATCHES / 2 && rng.chance(50);
        let batch = if is_large { bulk_batch(rng) } else { batch(rng) };
        call(json!({ "op": "append", "blocks": batch }))?;
        if openings.chance(20) {
            call(json!({ "op": "close" }))?;
            call(json!({ "op": "open", "dir": dir.to_string_lossy() }))?;
        }
    }
    call(json!({ "op": "close" })).map(drop)
}

/// A file. The index in pages of 3328 bytes is left out: what it says depends on the order of all changes.
fn read(dir: &Path, name: &str) -> Result<Vec<u8>, String> {
    let mut bytes = std::fs::read(dir.join(name)).map_err(|error| format!("{name}: {error}"))?;
    let page_len = usize::from(bytes.get(5).copied().unwrap_or(0)) << 8;
    if name == "bitfield" && page_len == OLD_PAGE_LEN {
        for page in bytes.get_mut(HEADER_LEN..).unwrap_or_default().chunks_mut(OLD_PAGE_LEN) {
            page.get_mut(BITS_LEN..).unwrap_or_default().fill(0);
        }
    }
    Ok(bytes)
}

/// Copies the files of a feed to a new directory.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let copied = to.join(entry.file_name());
        std::fs::copy(entry.path(), &copied)?;
    }
    Ok(())
}

/// The directories of `folder` that hold a feed with its secret key, by their names.
pub(super) fn kept(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut kept = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let storage = entry?.path().join("storage");
        if storage.join("secret_key").exists() {
            kept.push(storage);
        }
    }
    kept.sort();
    Ok(kept)
}
