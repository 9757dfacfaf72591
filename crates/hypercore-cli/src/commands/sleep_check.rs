//! `verify` of a feed of Dat or Hypercore 6 to 9: what `verify` tells of a log, from what `sleep` finds.

use sleep::{AuditReport, Feed, Finding};

use super::check::{FindingJson, VerifyJson};
use crate::args::VerifyArgs;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::progress::{Progress, Unit};
use crate::sleep_dir::SleepDir;

impl From<&AuditReport> for VerifyJson {
    fn from(report: &AuditReport) -> Self {
        let (damage, traces): (Vec<_>, Vec<_>) =
            report.findings.iter().partition(|finding| finding.is_damage());
        Self {
            ok: report.is_ok(),
            length: report.length,
            checked: report.blocks_checked,
            missing: report.blocks_missing,
            errors: damage.into_iter().map(FindingJson::from).collect(),
            omitted: report.findings_omitted,
            unlisted: 0,
            notes: traces.into_iter().map(ToString::to_string).collect(),
            repaired: None,
        }
    }
}

impl From<&Finding> for FindingJson {
    fn from(finding: &Finding) -> Self {
        Self {
            what: finding.subject().as_str(),
            index: finding.index(),
            message: finding.to_string(),
            file: Some(finding.file().as_str()),
            offset: None,
        }
    }
}

/// Looks at everything that is stored in the feed at `args.dir`.
pub(super) fn verify(args: &VerifyArgs, place: &SleepDir, out: &mut Output) -> Outcome {
    if args.repair {
        super::refuse_sleep(&args.dir)?;
    }
    match audit(place, out) {
        Ok(report) => super::check::tell(&VerifyJson::from(&report), out),
        Err(error) => {
            let failure = Failure::feed(&args.dir, &error);
            if failure.is_corrupt() && out.json {
                out.object(&VerifyJson::of_finding(FindingJson {
                    what: "storage",
                    index: None,
                    message: error.to_string(),
                    file: crate::failure::file_of(&error),
                    offset: None,
                }))?;
            }
            Err(failure)
        }
    }
}

fn audit(place: &SleepDir, out: &Output) -> sleep::Result<AuditReport> {
    // What keeps others from opening is what is wanted here.
    let feed = Feed::options().lenient().open(place.clone())?;
    let mut progress =
        Progress::new(out.quiet, "verifying", Unit::Blocks, Some(feed.present_count()));
    feed.audit(&mut |seen| progress.set(seen.blocks_checked))
}
