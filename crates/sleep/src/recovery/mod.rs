//! What an open does when signatures, roots and bits do not agree.
//!
//! The rules, in the order in which they are tried. *By the bits* is the length that the tree bits
//! make; a length is *signed* when its roots are stored and its slot holds a signature of them.
//!
//! 1. A signed length past that by the bits is taken when everything up to there checks out: what a
//!    crash between signature and bits leaves. Else it is the ghost of an append that another program
//!    lost, and is passed over. Of two signed lengths past the bits no crash is the cause, as only one
//!    append is under way at a time: the bits are lost. The longer is taken if its tree checks out,
//!    whatever blocks are stored; else nothing is appended, unless it was written over.
//! 2. The length by the bits is taken when it is signed, or when its tree hash is the key (a static
//!    feed). So it is without a signature in its slot, but then nothing is appended: signing what
//!    nobody signed is the owner's decision. A writer's tree bits that are torn below a proven length are made
//!    again from the tree: an append syncs those of the one before, so they would be missing past the next crash.
//! 3. Bits for blocks that have neither roots nor signatures are passed over, but where they say that
//!    such a block is stored nothing is appended. Of a root that is lost while the signature is there,
//!    the last one is dropped with its blocks, and nothing is appended; any other is an error.
//! 4. Length 0 is for a feed of which nothing is stored, as two of the three files with headers say; or
//!    whose first change was cut short. That begins with a page of zeros and a blank slot, so that it is
//!    told from the loss of bits and signatures. What version 9 truncated to nothing looks as if tree bits
//!    and signatures were lost: nothing is appended. Never is it for other nodes or blocks that are there.
//!
//! All of this happens in memory. This module must not write, and must not know how a feed is used
//! afterwards.
//!
//! # Source
//! "SLEEP storage", section 11.

mod bits;
mod empty;
mod error;
mod signed;

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use flat_tree::Index;
use hypercore_crypto::PublicKey;
use random_access_storage::RandomAccess;

pub(crate) use self::bits::find_blocks;
use self::bits::{Tail, checks_out, settle};
pub use self::error::RecoveryError;
use self::signed::SIGNATURES_TRIED_MAX;
pub(crate) use self::signed::{Search, Signed, stored_roots};
use crate::audit::Finding;
use crate::bitfield::Bitfield;
use crate::error::{Error, Result};
use crate::files::{FileName, Files};
use crate::hashes;
use crate::length::{FEED_LENGTH_MAX, length_of};
use crate::node::Node;
use crate::signatures::SignatureFile;
use crate::tree::TreeFile;

/// What an open has in hand.
#[derive(Clone, Debug)]
pub(crate) struct Found<'a> {
    pub(crate) files: &'a Files,
    /// Of the file, or of the caller.
    pub(crate) key: PublicKey,
    /// Whether the owner's secret key is here, so that the feed was written here.
    pub(crate) has_secret_key: bool,
    /// `None` where the file is missing or has no header.
    pub(crate) tree: Option<&'a TreeFile>,
    /// As `tree`.
    pub(crate) signatures: Option<&'a SignatureFile>,
    /// As loaded; empty where the file is missing.
    pub(crate) bitfield: Bitfield,
    /// Whether a feed is opened although its newest signature is wrong.
    pub(crate) is_lenient: bool,
    /// Whether what nothing proves may be given up.
    pub(crate) accepts_loss: bool,
}

/// What a feed is taken for.
#[derive(Clone, Debug)]
pub(crate) struct Recovered {
    pub(crate) length: u64,
    pub(crate) roots: Vec<Node>,
    /// Whether it is signed; a static feed is not.
    pub(crate) is_live: bool,
    /// The bits as they should be, none past the length; pages that differ from those stored are
    /// still to be written.
    pub(crate) bitfield: Bitfield,
    pub(crate) report: Recovery,
}

/// What an open found where the files did not agree, and what it made of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    findings: Vec<Finding>,
    refusal: Option<Finding>,
}

impl Recovery {
    /// Everything that was not as it should be, as far as an open looks. An
    /// [`audit`](crate::Feed::audit) looks at all of it.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether everything agreed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Why nothing may be changed: something that may have been handed out is not proven any more, and
    /// appending could sign another block in its place. [Repair](crate::RepairOptions) first.
    #[must_use]
    pub fn refusal(&self) -> Option<&Finding> {
        self.refusal.as_ref()
    }

    /// # Errors
    /// [`Error::NeedsRepair`] with the [`refusal`](Self::refusal), if there is one.
    pub(crate) fn check_changeable(&self) -> Result<()> {
        match &self.refusal {
            Some(finding) => Err(Error::NeedsRepair { finding: finding.clone() }),
            None => Ok(()),
        }
    }

    fn note(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    fn refuse(&mut self, finding: Finding) {
        self.refusal.get_or_insert_with(|| finding.clone());
        self.findings.push(finding);
    }
}

/// Settles what the feed is.
///
/// # Errors
/// [`Error::Recovery`] where that can not be done without loss; [`Error::Storage`].
pub(crate) fn recover(found: Found<'_>) -> Result<Recovered> {
    let by_bits = found.bitfield.length();
    let mut case = Case { by_bits, lacking: Vec::new(), report: Recovery::default(), found };
    case.note_files()?;
    let verdict = case.judge()?;
    case.finish(verdict)
}

/// A length, and why it is believed.
struct Verdict {
    length: u64,
    roots: Vec<Node>,
    is_live: bool,
    /// Bits of blocks before this one are as they should be.
    settled: u64,
}

impl Verdict {
    fn signed(signed: Signed, settled: u64) -> Self {
        Self { length: signed.length, roots: signed.roots, is_live: true, settled }
    }

    const fn empty() -> Self {
        Self { length: 0, roots: Vec::new(), is_live: true, settled: 0 }
    }
}

/// What a signed length past that by the bits is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Past {
    /// The length of the feed.
    Taken,
    /// That of an append that was lost.
    Ghost,
    /// It can not be told: what is taken in its place may be too short.
    Doubtful,
}

struct Case<'a> {
    found: Found<'a>,
    /// Length by the bits.
    by_bits: u64,
    /// Files that are missing, or too short for their header.
    lacking: Vec<FileName>,
    report: Recovery,
}

impl Case<'_> {
    fn data(&self) -> Option<&Arc<dyn RandomAccess>> {
        self.found.files.get(FileName::Data)
    }

    /// Notes the files that are missing, or too short for their header; refuses those that are too long.
    fn note_files(&mut self) -> Result<()> {
        let bitfield = self.found.files.get(FileName::Bitfield);
        let is_loaded = self.found.bitfield.page_count() > 0;
        let files = [
            (FileName::Tree, self.found.tree.is_some()),
            (FileName::Signatures, self.found.signatures.is_some()),
            (FileName::Bitfield, is_loaded || bitfield.is_some()),
        ];
        for (file, is_there) in files {
            let Some(store) = self.found.files.get(file) else {
                self.report.note(Finding::FileMissing { file });
                self.lacking.push(file);
                continue;
            };
            let len = store.len().map_err(Error::in_file(file))?;
            if !is_there || len < crate::HEADER_LEN as u64 {
                self.report.note(Finding::FileShort { file, len });
                self.lacking.push(file);
            }
            let len_max = match file {
                FileName::Tree => TreeFile::offset(Index::new(2 * FEED_LENGTH_MAX - 1)),
                FileName::Signatures => SignatureFile::offset(FEED_LENGTH_MAX),
                _ => None,
            };
            if len_max.is_some_and(|len_max| len > len_max) {
                return Err(Error::TooLong { file, len });
            }
        }
        Ok(())
    }

    fn judge(&mut self) -> Result<Verdict> {
        let (tree, key) = (self.found.tree, self.found.key);
        let mut search = Search::new(&key, tree, self.found.signatures, SIGNATURES_TRIED_MAX);
        let bits_roots = stored_roots(tree, self.by_bits)?;
        let mut signed = search.next()?;
        let mut passed_over = None;
        while let Some(past) = signed.take_if(|signed| signed.length > self.by_bits) {
            let older = search.next()?;
            let are_bits_lost = older.as_ref().is_some_and(|older| older.length > self.by_bits);
            match self.look_past_bits(&past, older.as_ref(), bits_roots.is_ok())? {
                Past::Taken => {
                    if let Some(stale) = passed_over.filter(|_| are_bits_lost) {
                        self.report.refuse(stale);
                    }
                    let settled = self.settled_before(&mut search, older)?;
                    return Ok(Verdict::signed(past, settled));
                }
                found => passed_over = Some(self.pass_over(&past, found == Past::Doubtful)),
            }
            signed = older;
        }
        if self.by_bits == 0 {
            return self.judge_without_bits(&search);
        }
        let newest_slot = search.newest_slot.filter(|slot| *slot >= self.by_bits);
        let stale = newest_slot.map(|slot| Finding::SignatureStale { slot });
        if let Some(stale) = stale.filter(|stale| !self.report.findings.contains(stale)) {
            self.report.note(stale);
        }
        match (bits_roots, signed) {
            (Ok(_), Some(signed)) if signed.length == self.by_bits => {
                Ok(Verdict::signed(signed, self.by_bits))
            }
            (Ok(roots), signed) => self.judge_without_signature(roots, signed.as_ref(), &search),
            (Err(missing), signed) => self.judge_without_root(missing, signed),
        }
    }

    /// Rule 1: what a signed length past that by the bits is, with the next shorter one.
    fn look_past_bits(
        &self,
        past: &Signed,
        older: Option<&Signed>,
        has_roots: bool,
    ) -> Result<Past> {
        let Some(tree) = self.found.tree else { return Ok(Past::Ghost) };
        let is_readers = !self.found.has_secret_key;
        if self.by_bits == 0 || !has_roots {
            // The bits are lost, so they say nothing against it. It should go on from an older one, as far
            // as can be told from a reader's part of the tree.
            let Some(older) = older else { return Ok(Past::Taken) };
            return Ok(match checks_out(tree, None, past, older.length)? {
                Tail::Sound => Past::Taken,
                Tail::Gaps if is_readers => Past::Taken,
                // It may be the feed, and the older one that is taken instead not.
                _ if self.by_bits == 0 => Past::Doubtful,
                _ => Past::Ghost,
            });
        }
        if older.is_some_and(|older| older.length > self.by_bits) {
            return Ok(match checks_out(tree, None, past, self.by_bits)? {
                Tail::Sound => Past::Taken,
                Tail::Gaps if is_readers => Past::Taken,
                Tail::Overwritten => Past::Ghost,
                Tail::SomeBlocks | Tail::Gaps | Tail::Broken => Past::Doubtful,
            });
        }
        let bitfield = &self.found.bitfield;
        let is_full = bitfield.first_missing(0..self.by_bits).is_none();
        let is_signed = older.is_some_and(|older| older.length == self.by_bits);
        let data = (!is_readers || is_full).then(|| (self.data(), bitfield));
        Ok(match checks_out(tree, data, past, self.by_bits)? {
            Tail::Sound => Past::Taken,
            // A reader stores no whole tail, and nodes before signatures; its bits come last and may be torn.
            Tail::Gaps if is_readers && !is_signed => Past::Taken,
            // The blocks of an append are written in one piece: the others were cleared, or lost later.
            Tail::SomeBlocks if !is_readers => Past::Doubtful,
            Tail::SomeBlocks | Tail::Gaps | Tail::Broken | Tail::Overwritten => Past::Ghost,
        })
    }

    /// The blocks whose bits need no second look when a length past that by the bits is taken.
    fn settled_before(&self, search: &mut Search<'_>, older: Option<Signed>) -> Result<u64> {
        let mut older = older;
        while older.as_ref().is_some_and(|older| older.length > self.by_bits) {
            older = search.next()?;
        }
        Ok(older.map_or(0, |older| older.length))
    }

    fn pass_over(&mut self, past: &Signed, is_doubtful: bool) -> Finding {
        let stale = Finding::SignatureStale { slot: past.length.saturating_sub(1) };
        if is_doubtful {
            self.report.refuse(stale.clone());
        } else {
            self.report.note(stale.clone());
        }
        stale
    }

    /// Rule 2, without a signature of the length by the bits.
    fn judge_without_signature(
        &mut self,
        roots: Vec<Node>,
        signed: Option<&Signed>,
        search: &Search<'_>,
    ) -> Result<Verdict> {
        let length = self.by_bits;
        if self.is_static(&roots) {
            return Ok(Verdict { length, roots, is_live: false, settled: length });
        }
        self.check_key(signed, search)?;
        let (slot, signed_length) = (length.saturating_sub(1), signed.map_or(0, |one| one.length));
        let stored = self.found.signatures.map_or(Ok(None), |file| file.slot(slot))?;
        if stored.is_none() {
            self.report.refuse(Finding::SignatureMissing { slot, signed_length });
        } else if self.found.is_lenient {
            self.report.refuse(Finding::SignatureWrong { slot });
        } else {
            let error = RecoveryError::SignatureWrong { slot, proven_length: signed_length };
            return Err(error.into());
        }
        Ok(Verdict { length, roots, is_live: true, settled: length })
    }

    /// Rule 3: a root of the length by the bits is missing.
    fn judge_without_root(&mut self, missing: Index, signed: Option<Signed>) -> Result<Verdict> {
        let length = self.by_bits;
        let proven_length = signed.as_ref().map_or(0, |signed| signed.length);
        let lost = RecoveryError::RootMissing { index: missing, length, proven_length };
        let next =
            self.found.signatures.map_or(Ok(None), |file| file.at_or_after(proven_length))?;
        let was_signed = next.is_some_and(|(slot, _)| slot < length);
        let Some(signed) = signed else {
            if was_signed {
                return Err(lost.into());
            }
            return self.static_by_nodes()?.ok_or_else(|| lost.into());
        };
        if was_signed {
            let node_count = self.found.tree.map_or(Ok(0), TreeFile::node_count)?;
            let is_last = missing.end_block() == length;
            if !is_last || missing.get() >= node_count {
                return Err(lost.into());
            }
        }
        if was_signed || self.says_stored(signed.length..length) {
            self.report.refuse(Finding::NodeMissing { index: missing });
        }
        let settled = signed.length;
        Ok(Verdict::signed(signed, settled))
    }

    /// Whether the bits say of one of these blocks that it is stored, with its leaf.
    fn says_stored(&self, blocks: Range<u64>) -> bool {
        let bitfield = &self.found.bitfield;
        let has_leaf = |block| Index::leaf(block).is_some_and(|leaf| bitfield.has_node(leaf));
        bitfield.blocks(blocks).flatten().any(has_leaf)
    }

    /// # Errors
    /// [`RecoveryError::KeyMismatch`] when nothing at all is signed with the key.
    fn check_key(&self, signed: Option<&Signed>, search: &Search<'_>) -> Result<()> {
        let (key, tried) = (self.found.key, search.tried);
        if signed.is_none() && tried > 0 && !self.found.has_secret_key {
            return Err(RecoveryError::KeyMismatch { key, tried }.into());
        }
        Ok(())
    }

    fn is_static(&self, roots: &[Node]) -> bool {
        hashes::tree(roots).as_bytes() == self.found.key.as_bytes()
    }

    /// A static feed whose bits are lost: which nodes are stored says how long it may be, and the key
    /// whether it is.
    fn static_by_nodes(&self) -> Result<Option<Verdict>> {
        let Some(tree) = self.found.tree else { return Ok(None) };
        let length = length_by_nodes(tree)?;
        let roots = stored_roots(Some(tree), length)?;
        let roots = roots.ok().filter(|roots| length > 0 && self.is_static(roots));
        Ok(roots.map(|roots| Verdict { length, roots, is_live: false, settled: 0 }))
    }

    /// Makes the bits those of the verdict.
    fn finish(self, verdict: Verdict) -> Result<Recovered> {
        let Self { found, by_bits, mut report, .. } = self;
        let Verdict { length, roots, is_live, settled } = verdict;
        let byte_length = roots.iter().try_fold(0_u64, |sum, root| sum.checked_add(root.size));
        if byte_length.is_none() {
            return Err(RecoveryError::TooManyBytes { length }.into());
        }
        let mut bitfield = found.bitfield;
        if by_bits == 0 && length > 0 {
            report.note(Finding::BitsLost { length });
        } else if by_bits != length {
            report.note(Finding::LengthByBits { bits: by_bits, length });
        }
        if by_bits != length
            && let Some(index) = contradiction(&bitfield, settled)
        {
            report.refuse(Finding::BitsContradict { index });
        }
        // What a reader lacks it may never have been sent.
        let is_writers = found.has_secret_key && by_bits == length && report.refusal.is_none();
        let torn = if is_writers { bitfield.torn_from(length) } else { None };
        let settled = torn.unwrap_or(settled);
        if let Some(tree) = found.tree.filter(|_| settled < length) {
            // Where only bits of nodes are missing those of the blocks are right.
            let data = found.files.get(FileName::Data).filter(|_| torn.is_none());
            settle(&mut bitfield, tree, data, &roots, settled)?;
        }
        if let Some(index) = torn.filter(|_| bitfield.is_dirty()) {
            report.note(Finding::BitsTorn { index });
        }
        for root in &roots {
            bitfield.set_node(root.index, true)?;
        }
        let count = bitfield.truncate(length);
        if count > 0 {
            report.note(Finding::StrayBits { count, length });
        }
        Ok(Recovered { length, roots, is_live, bitfield, report })
    }
}

/// The length of the feed if all nodes that are stored are its own.
fn length_by_nodes(tree: &TreeFile) -> Result<u64> {
    let failed = RefCell::new(None);
    let length = length_of(tree.node_count()?, |index| {
        let node = tree.node(index).map_err(|error| failed.replace(Some(error)));
        node.is_ok_and(|node| node.is_some())
    });
    failed.into_inner().map_or(Ok(length), Err)
}

/// A feed without a signature of all of it that may be signed again: every node and every block since
/// the last good signature is stored, and they fit.
///
/// # Errors
/// [`Error::Storage`].
pub(crate) fn signable(
    key: &PublicKey,
    tree: &TreeFile,
    signatures: &SignatureFile,
    bitfield: &Bitfield,
    data: Option<&Arc<dyn RandomAccess>>,
) -> Result<Option<Signed>> {
    let signed = Search::new(key, Some(tree), Some(signatures), u64::MAX).next()?;
    let signed_length = signed.map_or(0, |signed| signed.length);
    let length = match bitfield.length() {
        0 if signed_length == 0 => length_by_nodes(tree)?,
        by_bits => by_bits,
    };
    if length <= signed_length {
        return Ok(None);
    }
    let Ok(roots) = stored_roots(Some(tree), length)? else { return Ok(None) };
    let whole = Signed { length, roots };
    let tail = checks_out(tree, Some((data, bitfield)), &whole, signed_length)?;
    Ok((tail == Tail::Sound).then_some(whole))
}

/// The first of the settled blocks that counts as stored and whose leaf does not.
fn contradiction(bitfield: &Bitfield, settled: u64) -> Option<u64> {
    let is_bare = |block: &u64| Index::leaf(*block).is_some_and(|leaf| !bitfield.has_node(leaf));
    bitfield.blocks(0..settled).flatten().find(is_bare)
}
