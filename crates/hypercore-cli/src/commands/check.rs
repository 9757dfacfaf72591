//! `verify`: everything that is stored is hashed again. Reads only.

use hypercore::{AuditReport, Error, ErrorKind};
use serde::Serialize;

use crate::args::{Common, DirArgs};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::progress::{Progress, Unit};

#[derive(Serialize)]
struct VerifyJson {
    ok: bool,
    length: u64,
    checked: u64,
    missing: u64,
    errors: Vec<FindingJson>,
    /// Errors that are not listed.
    omitted: u64,
}

#[derive(Serialize)]
struct FindingJson {
    what: &'static str,
    index: Option<u64>,
    message: String,
    file: Option<&'static str>,
    offset: Option<u64>,
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
        }
    }
}

impl VerifyJson {
    /// The log opened from an older header: what it says holds, but it is not all.
    fn add_lost_header(&mut self) {
        self.ok = false;
        self.errors.push(FindingJson {
            what: "header",
            index: None,
            message: "the newest header is damaged, and what was written after it is lost"
                .to_owned(),
            file: Some("oplog"),
            offset: None,
        });
    }

    /// Blocks that the oplog tells of, but that are not what was signed. Opening cuts them.
    fn add_damaged_entry(&mut self) {
        self.ok = false;
        self.errors.push(FindingJson {
            what: "recovery",
            index: Some(self.length),
            message: "an entry of the oplog is damaged, and what later entries say is lost"
                .to_owned(),
            file: Some("oplog"),
            offset: None,
        });
    }

    fn add_lost_blocks(&mut self, count: u64) {
        self.ok = false;
        self.errors.push(FindingJson {
            what: "recovery",
            index: Some(self.length),
            message: format!(
                "a power cut or damage lost what was written last, {count} blocks from this one on; the next command that writes cuts it off"
            ),
            file: Some("oplog"),
            offset: None,
        });
    }

    /// The report of a log that is too damaged to be opened or read through.
    fn of_error(error: &Error, message: String) -> Self {
        let found = error.corruption();
        let finding = FindingJson {
            what: "storage",
            index: None,
            message,
            file: error.file(),
            offset: found.map(|found| found.offset),
        };
        Self { ok: false, length: 0, checked: 0, missing: 0, errors: vec![finding], omitted: 0 }
    }
}

pub(super) async fn verify(common: &Common, args: &DirArgs, out: &mut Output) -> Outcome {
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
    if recovery.newer_header_lost {
        json.add_lost_header();
    }
    if recovery.entry_damaged {
        json.add_damaged_entry();
    }
    if recovery.entries_cut > 0 {
        json.add_lost_blocks(recovery.blocks_cut);
    }
    if out.json {
        out.object(&json)?;
    } else {
        print(&json, out)?;
    }
    if json.ok { Ok(()) } else { Err(Failure::Reported(Exit::Corrupt)) }
}

/// A log that could not be opened or read through: if that is damage, it is a result as well.
fn refused(args: &DirArgs, error: &Error, out: &mut Output) -> Outcome {
    let failure = Failure::log(&args.dir, error).of_reading();
    if error.kind() == ErrorKind::Corrupt && out.json {
        out.object(&VerifyJson::of_error(error, error.to_string()))?;
    }
    Err(failure)
}

fn print(report: &VerifyJson, out: &mut Output) -> Outcome {
    for error in &report.errors {
        let (what, message) = (error.what, &error.message);
        let index = error.index.map(|index| format!(" {index}")).unwrap_or_default();
        out.line(format_args!("{what}{index}: {message}"))?;
    }
    if report.omitted > 0 {
        out.line(format_args!("and {} more", report.omitted))?;
    }
    let VerifyJson { length, checked, missing, .. } = report;
    let verdict = if report.ok { "ok" } else { "DAMAGED" };
    out.line(format_args!(
        "{verdict}: {length} blocks, {checked} checked, {missing} not stored here"
    ))
}
