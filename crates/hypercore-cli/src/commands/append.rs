//! `new` and `append`.

use std::io::Read;
use std::path::{Path, PathBuf};

use hypercore::{BLOCK_LEN_MAX, Bytes, Create, Durability, Hypercore, Manifest};
use serde::Serialize;

use super::{
    builder, close, opened, refuse_foreign, refuse_read_only, refuse_unconfirmed,
    refuse_without_key,
};
use crate::args::{AppendArgs, Common, DurabilityArg, NewArgs};
use crate::commands::describe;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::parse::hex;
use crate::progress::{Progress, Unit};
use crate::source::{self, BATCH_BLOCKS_MAX, Cut, Source};

/// The longest manifest file that is read, in bytes: some thousand signers.
const MANIFEST_FILE_LEN_MAX: u64 = 1024 * 1024;

pub(super) async fn new(common: &Common, args: &NewArgs, out: &mut Output) -> Outcome {
    refuse_read_only(common)?;
    let manifest = args.manifest.as_deref().map(read_manifest).transpose()?;
    refuse_foreign(&args.dir)?;
    let mut options = builder(common, &args.dir).create(Create::New).compat(args.compat);
    if let Some(seed) = &args.seed {
        options = options.seed(seed.bytes());
    }
    if let Some(manifest) = manifest {
        options = options.manifest(manifest);
    }
    let log = opened(options, &args.dir, out).await?;
    describe::print(common, &log, &args.dir, None, out).await?;
    close(&log, &args.dir).await
}

/// Reads an encoded manifest: raw, or as hex digits.
#[expect(clippy::disallowed_methods, reason = "a tool reads the files it is given")]
fn read_manifest(path: &Path) -> Outcome<Manifest> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MANIFEST_FILE_LEN_MAX.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|error| Failure::input(&name, &error))?;
    if bytes.len() as u64 > MANIFEST_FILE_LEN_MAX {
        let message =
            format!("{name} is no manifest: it is longer than {MANIFEST_FILE_LEN_MAX} bytes");
        return Err(Failure::new(Exit::Usage, message));
    }
    let text = std::str::from_utf8(&bytes).ok().map(str::trim).filter(|text| !text.is_empty());
    if let Some(digits) = text.and_then(hex) {
        bytes = digits;
    }
    hypercore::decode_manifest(&bytes)
        .map_err(|error| Failure::new(Exit::Usage, format!("{name} is no manifest: {error}")))
}

#[derive(Serialize)]
struct AppendJson {
    length: u64,
    byte_length: u64,
    appended: u64,
    bytes: u64,
    tree_hash: String,
    key: String,
}

pub(super) async fn append(common: &Common, args: &AppendArgs, out: &mut Output) -> Outcome {
    refuse_read_only(common)?;
    let cut = cut(args)?;
    let files: Vec<PathBuf> =
        if args.files.is_empty() { vec![PathBuf::from("-")] } else { args.files.clone() };
    let mut total = Some(0_u64);
    for file in &files {
        let len = source::len(file)?;
        total = total.zip(len).map(|(total, len)| total.saturating_add(len));
    }
    refuse_foreign(&args.dir)?;
    let mut options = builder(common, &args.dir).create(Create::IfMissing);
    // Much is synced in large steps and not batch by batch, always before it is told of.
    let in_steps = matches!(common.durability, DurabilityArg::Immediate)
        && total.is_some_and(|total| total > STEP_LEN);
    if in_steps {
        options = options.durability(Durability::Eventual);
    }
    let log = opened(options, &args.dir, out).await?;
    refuse_without_key(&log, &args.dir)?;
    refuse_unconfirmed(&log, &args.dir)?;

    let mut work = Work {
        log: &log,
        dir: &args.dir,
        out,
        pending: Vec::new(),
        pending_len: 0,
        in_steps,
        step: Step::default(),
        appended: 0,
        bytes: 0,
        progress: Progress::new(out.quiet, "appending", Unit::Bytes, total),
        read_before: 0,
    };
    let result = work.files(&files, cut).await;
    // Also after a failure: what came before it counts.
    let ended = work.end_step().await;
    let result = result.and(ended);
    work.progress.end();
    let (appended, bytes) = (work.appended, work.bytes);
    if let Err(failure) = result {
        // The first failure is the one to tell; a second one of closing follows from it.
        drop(close(&log, &args.dir).await);
        return Err(failure.after(&format!("{appended} blocks were appended before")));
    }
    let info = log.info().await.map_err(|error| Failure::log(&args.dir, &error))?;
    close(&log, &args.dir).await?;
    if out.json {
        out.object(&AppendJson {
            length: info.length,
            byte_length: info.byte_length,
            appended,
            bytes,
            tree_hash: info.tree_hash.to_string(),
            key: info.key.to_string(),
        })
    } else {
        let length = info.length;
        out.line(format_args!(
            "appended {appended} blocks, {bytes} bytes; the log has {length} blocks"
        ))?;
        out.line(format_args!("key {}", info.key))
    }
}

fn cut(args: &AppendArgs) -> Outcome<Cut> {
    if args.lines {
        return Ok(Cut::Lines);
    }
    let Some(size) = args.chunk else { return Ok(Cut::Whole) };
    match usize::try_from(size.0) {
        Ok(len) if len <= BLOCK_LEN_MAX => Ok(Cut::Chunks(len)),
        _ => Err(Failure::new(
            Exit::Usage,
            format!("--chunk {} is above the block limit of {BLOCK_LEN_MAX} bytes", size.0),
        )),
    }
}

/// An append on its way.
struct Work<'a> {
    log: &'a Hypercore,
    dir: &'a Path,
    out: &'a Output,
    /// Blocks of small files, gathered for one batch.
    pending: Vec<Bytes>,
    pending_len: u64,
    /// Whether batches are only synced at the end of each step.
    in_steps: bool,
    step: Step,
    /// What anybody may be told of.
    appended: u64,
    bytes: u64,
    progress: Progress,
    /// Bytes of the files that are done.
    read_before: u64,
}

/// What was appended and not told of yet.
#[derive(Default)]
struct Step {
    blocks: u64,
    bytes: u64,
}

/// Small files are gathered until they have so many bytes.
const GATHER_LEN: u64 = 2 * 1024 * 1024;

/// The next blocks are read beside an append of at most so many bytes: two batches are in memory then.
const BESIDE_LEN_MAX: u64 = 2 * GATHER_LEN;

/// Bytes of a step, which is synced as a whole.
pub(super) const STEP_LEN: u64 = 32 * 1024 * 1024;

impl Work<'_> {
    async fn files(&mut self, files: &[PathBuf], cut: Cut) -> Outcome {
        for file in files {
            let mut source = Source::open(file, cut)?;
            let mut next = source.next_batch()?;
            while let Some(blocks) = next {
                for block in blocks {
                    self.pending_len = self.pending_len.saturating_add(block.len() as u64);
                    self.pending.push(block);
                }
                let is_full =
                    self.pending.len() >= BATCH_BLOCKS_MAX || self.pending_len >= GATHER_LEN;
                next = if is_full && !source.is_pipe() && self.pending_len <= BESIDE_LEN_MAX {
                    // A thread appends; meanwhile this one reads and cuts.
                    let (handed_over, next) =
                        tokio::join!(self.hand_over(), async { source.next_batch() });
                    handed_over?;
                    next?
                } else {
                    if is_full || source.is_pipe() {
                        self.hand_over().await?;
                    }
                    source.next_batch()?
                };
                self.progress.set(self.read_before.saturating_add(source.read()));
            }
            self.read_before = self.read_before.saturating_add(source.read());
        }
        self.hand_over().await
    }

    /// Appends what was gathered, as one batch.
    async fn hand_over(&mut self) -> Outcome {
        let blocks = std::mem::take(&mut self.pending);
        let len = std::mem::take(&mut self.pending_len);
        if blocks.is_empty() {
            return Ok(());
        }
        let count = blocks.len() as u64;
        self.log.append_owned(blocks).await.map_err(|error| Failure::log(self.dir, &error))?;
        self.step.blocks = self.step.blocks.saturating_add(count);
        self.step.bytes = self.step.bytes.saturating_add(len);
        if self.in_steps && self.step.bytes < STEP_LEN { Ok(()) } else { self.end_step().await }
    }

    /// Tells of what was appended, once it is as durable as was asked for.
    async fn end_step(&mut self) -> Outcome {
        let Step { blocks, bytes } = std::mem::take(&mut self.step);
        if blocks == 0 {
            return Ok(());
        }
        if self.in_steps {
            self.log.flush().await.map_err(|error| Failure::log(self.dir, &error))?;
        }
        self.appended = self.appended.saturating_add(blocks);
        self.bytes = self.bytes.saturating_add(bytes);
        let (dir, appended) = (self.dir.display(), self.appended);
        self.out.detail(format_args!("{dir}: {appended} blocks appended so far"));
        Ok(())
    }
}
