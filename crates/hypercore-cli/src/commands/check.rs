//! `verify`: everything that is stored is hashed again. Reads only, unless it is to repair first.

use hypercore::{AuditReport, Create, Error, ErrorKind, RecoveryReport, RepairReport};
use serde::Serialize;

use super::sleep_check;
use super::stored::feeds_within;
use crate::args::{Common, VerifyArgs};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::progress::{Progress, Unit};
use crate::sleep_dir::SleepDir;

#[derive(Serialize)]
pub(super) struct VerifyJson {
    pub(super) ok: bool,
    pub(super) length: u64,
    pub(super) checked: u64,
    pub(super) missing: u64,
    pub(super) errors: Vec<FindingJson>,
    /// Errors that are not listed.
    pub(super) omitted: u64,
    /// Blocks among the missing ones whose bytes are here.
    pub(super) unlisted: u64,
    /// What is told without being an error.
    pub(super) notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) repaired: Option<RepairedJson>,
}

#[derive(Serialize)]
pub(super) struct RepairedJson {
    /// Tree nodes that were written again.
    pub(super) nodes: u64,
    /// Blocks that count as stored again.
    pub(super) listed: u64,
    /// Damaged blocks that do not count as stored any more.
    pub(super) dropped: u64,
    /// In a feed, each thing that was written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) mended: Vec<String>,
}

impl From<RepairReport> for RepairedJson {
    fn from(report: RepairReport) -> Self {
        Self {
            nodes: report.nodes_rebuilt,
            listed: report.blocks_listed,
            dropped: report.blocks_unlisted,
            mended: Vec::new(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct FindingJson {
    pub(super) what: &'static str,
    pub(super) index: Option<u64>,
    pub(super) message: String,
    pub(super) file: Option<&'static str>,
    pub(super) offset: Option<u64>,
}

impl From<&AuditReport> for VerifyJson {
    fn from(report: &AuditReport) -> Self {
        let errors = report.findings.iter().map(|finding| FindingJson {
            what: finding.what.as_str(),
            index: Some(finding.index),
            message: finding.message.to_owned(),
            file: Some(finding.file.as_str()),
            offset: Some(finding.offset),
        });
        Self {
            ok: report.is_ok(),
            length: report.length,
            checked: report.blocks_checked,
            missing: report.blocks_missing,
            errors: errors.collect(),
            omitted: report.findings_omitted,
            unlisted: report.blocks_unlisted,
            notes: Vec::new(),
            repaired: None,
        }
    }
}

impl VerifyJson {
    /// What opening had to leave out.
    fn add_recovery(&mut self, recovery: &RecoveryReport) {
        if recovery.newer_header_lost {
            self.add(
                "header",
                None,
                "oplog",
                "the newest header is damaged, and what was written after it is lost".to_owned(),
            );
        }
        let end = Some(self.length);
        if recovery.entry_bit_flipped {
            let message = "one bit of an oplog entry is wrong: what it and later ones say is lost, and to go on takes \
                           a truncation under a new fork";
            self.add("recovery", end, "oplog", message.to_owned());
        } else if recovery.entry_damaged {
            let message = "an entry of the oplog is damaged, and what later entries say is lost";
            self.add("recovery", end, "oplog", message.to_owned());
        }
        if recovery.entries_cut > 0 {
            let count = recovery.blocks_cut;
            let message = format!(
                "a power cut or damage lost what was written last, {count} blocks from this one on; the next command that writes cuts it off"
            );
            self.add("recovery", end, "oplog", message);
        }
        if recovery.bitfield_damaged {
            let message =
                "it has other blocks than when it was written; --repair finds those that are here";
            self.add("bitfield", None, "bitfield", message.to_owned());
        }
        if recovery.torn_end {
            self.notes.push(format!(
                "{} bytes after the last whole oplog entry are left out: a write that was cut short, or damage to the last entry",
                recovery.oplog_bytes_cut
            ));
        }
        if let Some(slot) = recovery.damaged_slot.filter(|_| !recovery.newer_header_lost) {
            self.notes
                .push(format!("header {slot} of the oplog is damaged; the newer one is whole"));
        }
        if self.unlisted > 0 {
            let count = self.unlisted;
            self.notes.push(format!(
                "{count} blocks are here and do not count as stored; --repair lists them"
            ));
        }
    }

    fn add(&mut self, what: &'static str, index: Option<u64>, file: &'static str, message: String) {
        self.ok = false;
        let file = Some(file);
        self.errors.push(FindingJson { what, index, message, file, offset: None });
    }

    /// The report of a log that is too damaged to be opened or read through.
    fn of_error(error: &Error, message: String) -> Self {
        let found = error.corruption();
        Self::of_finding(FindingJson {
            what: "storage",
            index: None,
            message,
            file: error.file(),
            offset: found.map(|found| found.offset),
        })
    }

    /// The report of what is too damaged for more than one thing to be said.
    pub(super) fn of_finding(finding: FindingJson) -> Self {
        Self {
            ok: false,
            length: 0,
            checked: 0,
            missing: 0,
            errors: vec![finding],
            omitted: 0,
            unlisted: 0,
            notes: Vec::new(),
            repaired: None,
        }
    }
}

pub(super) async fn verify(common: &Common, args: &VerifyArgs, out: &mut Output) -> Outcome {
    if let Some(place) = SleepDir::find(&args.dir) {
        return sleep_check::verify(common, args, &place, out);
    }
    if args.feed.is_used() {
        let dir = args.dir.display();
        let message = format!(
            "{dir}: no feed of Dat or Hypercore 6 to 9, and these options are for such only"
        );
        return Err(Failure::new(Exit::Usage, message));
    }
    let repaired = if args.repair { repair(common, args, out).await? } else { None };
    let log = match super::builder(common, &args.dir).read_only().open().await {
        Ok(log) => log,
        Err(error) => return refused(args, &error, out),
    };
    let report = {
        // The audit tells its progress from a blocking thread.
        let mut progress = Progress::new(out.quiet, "verifying", Unit::Blocks, Some(log.length()));
        log.verify_with(move |seen| progress.set(seen.blocks_checked)).await
    };
    let report = match report {
        Ok(report) => report,
        Err(error) => return refused(args, &error, out),
    };
    let mut json = VerifyJson::from(&report);
    let recovery = log.recovery().map_err(|error| Failure::log(&args.dir, &error))?;
    json.add_recovery(&recovery);
    json.repaired = repaired.map(RepairedJson::from);
    tell(&json, out)
}

/// Prints the report, and makes the exit code of it.
pub(super) fn tell(report: &VerifyJson, out: &mut Output) -> Outcome {
    if out.json {
        out.object(report)?;
    } else {
        print(report, out)?;
    }
    if report.ok { Ok(()) } else { Err(Failure::Reported(Exit::Corrupt)) }
}

/// Repairs the log, as far as it can be opened for writing. `None` where the verification tells why not.
async fn repair(
    common: &Common,
    args: &VerifyArgs,
    out: &mut Output,
) -> Outcome<Option<RepairReport>> {
    super::refuse_read_only(common)?;
    let builder = super::builder(common, &args.dir).create(Create::Never).rebuild_roots();
    let failed = |error: &Error| match error.kind() {
        ErrorKind::Corrupt => Ok(None),
        _ => Err(Failure::log(&args.dir, error)),
    };
    let log = match builder.open().await {
        Ok(log) => log,
        Err(error) => return failed(&error),
    };
    if let Ok(report) = log.recovery() {
        super::tell_recovery(&args.dir, &report, out);
    }
    let repaired = {
        let mut progress = Progress::new(out.quiet, "repairing", Unit::Blocks, Some(log.length()));
        log.repair_with(move |seen| progress.set(seen.blocks_checked)).await
    };
    let closed = super::close(&log, &args.dir).await;
    match repaired {
        Ok(report) => closed.map(|()| Some(report)),
        // Closing only says that something failed before.
        Err(error) => failed(&error),
    }
}

/// A log that could not be opened or read through: if that is damage, it is a result as well.
fn refused(args: &VerifyArgs, error: &Error, out: &mut Output) -> Outcome {
    if let Some(failure) = feeds_within(&args.dir) {
        return Err(failure);
    }
    let failure = Failure::log(&args.dir, error).of_reading();
    if error.kind() == ErrorKind::Corrupt && out.json {
        out.object(&VerifyJson::of_error(error, error.to_string()))?;
    }
    Err(failure)
}

fn print(report: &VerifyJson, out: &mut Output) -> Outcome {
    if let Some(RepairedJson { nodes, listed, dropped, mended }) = &report.repaired {
        out.line(format_args!(
            "repaired: {nodes} tree nodes written again, {listed} blocks listed again, {dropped} damaged blocks no longer listed"
        ))?;
        for what in mended {
            out.line(format_args!("repaired: {what}"))?;
        }
    }
    for error in &report.errors {
        let (what, message) = (error.what, &error.message);
        let index = error.index.map(|index| format!(" {index}")).unwrap_or_default();
        out.line(format_args!("{what}{index}: {message}"))?;
    }
    if report.omitted > 0 {
        out.line(format_args!("and {} more", report.omitted))?;
    }
    for note in &report.notes {
        out.line(format_args!("note: {note}"))?;
    }
    let VerifyJson { length, checked, missing, .. } = report;
    let verdict = if report.ok { "ok" } else { "DAMAGED" };
    out.line(format_args!(
        "{verdict}: {length} blocks, {checked} checked, {missing} not stored here"
    ))
}
