//! The commands, one module for those that belong together, and how they open a log.

mod append;
mod check;
mod clone;
mod describe;
mod dial;
mod fetch;
mod follow;
mod import;
mod keep;
mod read;
mod serve;
mod shell;
mod shrink;
mod signals;
mod sleep_check;
mod sleep_info;
mod stored;

use std::path::Path;

use hypercore::{Access, Builder, Create, Durability, Hypercore, RecoveryReport};

use crate::args::{Cli, Command, Common, DurabilityArg};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::sleep_dir::SleepDir;

/// Runs the command to its end.
pub(crate) async fn run(cli: &Cli, out: &mut Output) -> Outcome {
    let common = &cli.common;
    match &cli.command {
        Command::New(args) => append::new(common, args, out).await,
        Command::Append(args) => append::append(common, args, out).await,
        Command::Get(args) => read::get(common, args, out).await,
        Command::Cat(args) => read::cat(common, args, out).await,
        Command::Seek(args) => read::seek(common, args, out).await,
        Command::Ls(args) => read::ls(common, args, out).await,
        Command::Tail(args) => follow::tail(common, args, out).await,
        Command::Info(args) => describe::info(common, args, out).await,
        Command::Verify(args) => check::verify(common, args, out).await,
        Command::Truncate(args) => shrink::truncate(common, args, out).await,
        Command::Clear(args) => shrink::clear(common, args, out).await,
        Command::Backup(args) => keep::backup(common, args, out).await,
        Command::Pack(args) => keep::pack(common, args, out).await,
        Command::Unpack(args) => keep::unpack(common, args, out).await,
        Command::ConfirmNewest(args) => keep::confirm_newest(common, args, out).await,
        Command::Serve(args) => serve::serve(common, args, out).await,
        Command::Clone(args) => clone::clone(common, args, out).await,
        Command::Import(args) => import::import(common, args, out).await,
        Command::Completions { shell } => shell::completions(*shell, out),
        Command::Man => shell::man(out),
    }?;
    out.flush()
}

/// The options that every command opens a log with.
fn builder(common: &Common, dir: &Path) -> Builder {
    let builder = Hypercore::builder(dir).durability(match common.durability {
        DurabilityArg::Immediate => Durability::Immediate,
        DurabilityArg::Eventual => Durability::Eventual,
    });
    match &common.encryption_key {
        Some(key) => builder.encryption_key(*key.bytes()),
        None => builder,
    }
}

/// Opens the log in `dir` for reading, under a shared lock.
async fn open_to_read(common: &Common, dir: &Path, out: &Output) -> Outcome<Hypercore> {
    refuse_sleep(dir)?;
    let log = opened(builder(common, dir).access(Access::ReadOnly), dir, out).await;
    log.map_err(Failure::of_reading)
}

/// Opens the log in `dir` for writing. It must be there.
async fn open_to_write(common: &Common, dir: &Path, out: &Output) -> Outcome<Hypercore> {
    refuse_read_only(common)?;
    refuse_sleep(dir)?;
    let log = opened(builder(common, dir).create(Create::Never), dir, out).await?;
    refuse_without_key(&log, dir)?;
    Ok(log)
}

async fn opened(builder: Builder, dir: &Path, out: &Output) -> Outcome<Hypercore> {
    let log = builder.open().await.map_err(|error| Failure::log(dir, &error))?;
    if let Ok(report) = log.recovery() {
        tell_recovery(dir, &report, out);
        if report.lost_something() {
            out.status(format_args!(
                "{}: a power cut or damage lost what was written last; verify tells more",
                dir.display()
            ));
        }
    }
    Ok(log)
}

/// What `-v` asks for: what opening found and mended.
fn tell_recovery(dir: &Path, report: &RecoveryReport, out: &Output) {
    let dir = dir.display();
    let RecoveryReport { entries_replayed, entries_cut, blocks_cut, .. } = report;
    out.detail(format_args!(
        "{dir}: opened: {entries_replayed} oplog entries replayed, {entries_cut} cut with {blocks_cut} blocks"
    ));
    if report.oplog_bytes_cut > 0 {
        let bytes = report.oplog_bytes_cut;
        out.detail(format_args!(
            "{dir}: {bytes} bytes after the last whole oplog entry are left out"
        ));
    }
    if let Some(slot) = report.damaged_slot {
        out.detail(format_args!(
            "{dir}: header {slot} of the oplog is damaged, the other one counts"
        ));
    }
    if report.nodes_rebuilt > 0 {
        let nodes = report.nodes_rebuilt;
        out.detail(format_args!("{dir}: {nodes} tree nodes were computed again from the blocks"));
    }
}

/// `--read-only` and a command that writes do not go together.
fn refuse_read_only(common: &Common) -> Outcome {
    if common.read_only {
        return Err(Failure::new(
            Exit::NotWritable,
            "this command writes, which --read-only forbids; nothing was changed",
        ));
    }
    Ok(())
}

/// Says before any work that the key to sign with is not here.
fn refuse_without_key(log: &Hypercore, dir: &Path) -> Outcome {
    if log.writable() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::NotWritable,
        format!(
            "{}: the log has no key that may sign for it alone, so it can not be changed here",
            dir.display()
        ),
    ))
}

/// Says before any work that this is a backup that may not be the newest copy.
fn refuse_unconfirmed(log: &Hypercore, dir: &Path) -> Outcome {
    match log.needs_confirmation() {
        Ok(false) => Ok(()),
        Ok(true) => Err(Failure::unconfirmed(dir, log.key())),
        Err(error) => Err(Failure::log(dir, &error)),
    }
}

/// What can only be done with a log of Hypercore 10 says how to get one.
fn refuse_sleep(dir: &Path) -> Outcome {
    if SleepDir::find(dir).is_none() {
        return Ok(());
    }
    let dir = dir.display();
    Err(Failure::new(
        Exit::NotWritable,
        format!(
            "{dir}: this is a feed of Dat or Hypercore 6 to 9 (SLEEP), which this command can do nothing with; nothing was changed. \
             Make a log of it first: hypercore import {dir} NEW-DIR"
        ),
    ))
}

/// Refuses to make a log among files of another kind.
#[expect(clippy::disallowed_methods, reason = "a tool looks into the directory it is given")]
fn refuse_foreign(dir: &Path) -> Outcome {
    refuse_sleep(dir)?;
    if std::fs::exists(dir.join("oplog")).unwrap_or(true) {
        return Ok(());
    }
    let Ok(mut entries) = std::fs::read_dir(dir) else { return Ok(()) };
    // Looked for once more: another process may just have made a log there.
    if entries.next().is_none() || std::fs::exists(dir.join("oplog")).unwrap_or(true) {
        return Ok(());
    }
    Err(Failure::new(
        Exit::NotFound,
        format!(
            "{}: no log is stored there, but other files are; choose a missing or empty directory",
            dir.display()
        ),
    ))
}

/// Closes a log that was written to; what was not durable yet becomes so.
async fn close(log: &Hypercore, dir: &Path) -> Outcome {
    log.close().await.map_err(|error| Failure::log(dir, &error))
}
