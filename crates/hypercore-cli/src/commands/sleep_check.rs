//! `verify` of a feed of Dat or Hypercore 6 to 9: what `verify` tells of a log, from what `sleep` finds.

use hypercore::PublicKey;
use sleep::{AuditReport, Feed, Finding, Mended, RepairOptions, RepairReport, SIZES_TRIED_MAX};

use super::check::{FindingJson, RepairedJson, VerifyJson};
use crate::args::{Common, FeedRepairArgs, VerifyArgs};
use crate::failure::{Failure, Outcome, file_of};
use crate::output::Output;
use crate::progress::{Progress, Unit};
use crate::sleep_dir::SleepDir;

/// What a repair that was not enough leaves to say.
const MORE: &str =
    "--sign, --find-blocks and --accept-loss may mend more; --help tells what each of them does";

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

impl From<&RepairReport> for RepairedJson {
    fn from(report: &RepairReport) -> Self {
        let (mut nodes, mut listed, mut dropped) = (0_u64, 0, 0);
        for mended in &report.mended {
            match mended {
                Mended::Node(_) => nodes = nodes.saturating_add(1),
                Mended::Bits { blocks, .. } => listed = *blocks,
                Mended::Unlisted { blocks } => dropped = *blocks,
                _ => {}
            }
        }
        let mended = report.mended.iter().filter(|what| !matches!(what, Mended::Node(_)));
        Self { nodes, listed, dropped, mended: mended.map(words).collect() }
    }
}

/// What was written, as a clause.
fn words(mended: &Mended) -> String {
    match mended {
        Mended::Header(file) => format!("{file}: its header"),
        Mended::Key => "key: made again".to_owned(),
        Mended::Signature { slot } => {
            format!("signatures: slot {slot}, signed again with the stored secret key")
        }
        Mended::Bits { length, blocks } => {
            format!("bitfield: {length} blocks, {blocks} of them stored")
        }
        Mended::Unlisted { blocks } => {
            format!("bitfield: {blocks} blocks that are lost or damaged no longer count as stored")
        }
        Mended::Dropped { length } => format!("what was past {length} blocks is dropped"),
        other => format!("{other:?}"),
    }
}

/// Looks at everything that is stored in the feed at `args.dir`; with `--repair`, after mending what can be.
pub(super) fn verify(
    common: &Common,
    args: &VerifyArgs,
    place: &SleepDir,
    out: &mut Output,
) -> Outcome {
    let mut repaired = None;
    if args.repair {
        super::refuse_read_only(common)?;
        match repair(&args.feed, place, out) {
            Ok(report) => repaired = Some(report),
            Err(error) => return refused(args, &error, None, out),
        }
    }
    let repaired = repaired.as_ref().map(RepairedJson::from);
    let report = match audit(place, out) {
        Ok(report) => report,
        Err(error) => return refused(args, &error, repaired, out),
    };
    let mut json = VerifyJson::from(&report);
    if args.repair && !json.ok {
        json.notes.push(MORE.to_owned());
    }
    json.repaired = repaired;
    super::check::tell(&json, out)
}

/// A feed that could not be opened or read through: if that is damage, it is a result as well.
fn refused(
    args: &VerifyArgs,
    error: &sleep::Error,
    repaired: Option<RepairedJson>,
    out: &mut Output,
) -> Outcome {
    let advice = if args.repair { MORE } else { "with --repair, what can be is made again" };
    let failure = Failure::feed_advised(&args.dir, error, advice);
    if failure.is_corrupt() && out.json {
        let mut json = VerifyJson::of_finding(FindingJson {
            what: "storage",
            index: None,
            message: error.to_string(),
            file: file_of(error),
            offset: None,
        });
        json.repaired = repaired;
        out.object(&json)?;
    }
    Err(if args.repair { failure } else { failure.of_reading() })
}

fn repair(args: &FeedRepairArgs, place: &SleepDir, out: &Output) -> sleep::Result<RepairReport> {
    // Begins only where leaves are lost, and tries a bounded number of sizes.
    let mut options = RepairOptions::new().replace_headers().search_sizes();
    if let Some(key) = args.key {
        options = options.key(PublicKey::from_bytes(*key.as_bytes()));
    }
    if args.sign {
        options = options.sign();
    }
    if args.find_blocks {
        options = options.find_blocks();
    }
    if args.accept_loss {
        options = options.accept_loss();
    }
    let sizes_max = Some(SIZES_TRIED_MAX);
    let mut sizes = Some(Progress::new(out.quiet, "trying lost sizes", Unit::Sizes, sizes_max));
    let mut blocks = Progress::new(out.quiet, "checking", Unit::Blocks, None);
    options.repair_with(place.clone(), &mut |seen| match &mut sizes {
        Some(sizes) if seen.blocks_checked == 0 => sizes.set(seen.sizes_tried),
        _ => {
            sizes = None;
            blocks.set(seen.blocks_checked);
        }
    })
}

fn audit(place: &SleepDir, out: &Output) -> sleep::Result<AuditReport> {
    // What keeps others from opening is what is wanted here.
    let feed = Feed::options().lenient().open(place.clone())?;
    let mut progress =
        Progress::new(out.quiet, "verifying", Unit::Blocks, Some(feed.present_count()));
    feed.audit(&mut |seen| progress.set(seen.blocks_checked))
}
