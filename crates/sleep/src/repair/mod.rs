//! Makes again what can be derived from what is left.
//!
//! Nothing is believed that a signature does not hold for, and nothing is signed that was not hashed.
//! Written and synced in this order, so that a crash leaves a feed that the next repair goes on with:
//! headers, `key`, nodes, signature, bits; where a loss is accepted, what is cut comes before nodes are
//! made once more. `secret_key` and `data` are never written. Bytes and
//! signatures are only cut where the caller accepts the loss.
//!
//! # Source
//! "SLEEP storage", section 11.

mod headers;
mod loss;
mod nodes;
mod progress;
mod report;
mod roots;

use std::sync::Arc;

use hypercore_crypto::{KeyPair, PublicKey};
use random_access_storage::RandomAccess;

use self::loss::{Proven, sound_prefix};
use self::progress::Progress;
pub use self::progress::{RepairProgress, SIZES_TRIED_MAX};
pub use self::report::{Mended, RepairReport};
use self::roots::RootMender;
use crate::audit::{Audited, BlockReader, Finding, audit};
use crate::bitfield::Bitfield;
use crate::error::{Error, Result};
use crate::files::{Access, FileName, Files, Storage};
use crate::hashes;
use crate::header::PageSize;
use crate::keys;
use crate::recovery::{
    Found, Recovered, Recovery, RecoveryError, Search, Signed, find_blocks, recover, signable,
};
use crate::signatures::SignatureFile;
use crate::tree::TreeFile;

/// What a repair may do.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RepairOptions {
    key: Option<PublicKey>,
    key_pair: Option<KeyPair>,
    replaces_headers: bool,
    signs: bool,
    accepts_loss: bool,
    finds_blocks: bool,
    searches_sizes: bool,
}

impl RepairOptions {
    /// Only what needs no decision: missing headers, the key, nodes, bits.
    pub fn new() -> Self {
        Self::default()
    }

    /// The key of the feed, where `key` and `secret_key` are lost.
    pub const fn key(mut self, key: PublicKey) -> Self {
        self.key = Some(key);
        self
    }

    /// The key pair of the feed, where `secret_key` is lost or kept elsewhere.
    pub fn key_pair(mut self, key_pair: KeyPair) -> Self {
        self.key_pair = Some(key_pair);
        self
    }

    /// Replaces headers that are wrong.
    pub const fn replace_headers(mut self) -> Self {
        self.replaces_headers = true;
        self
    }

    /// Signs the feed again where its newest signature is lost or wrong, if every block since the last
    /// good one is stored and fits its tree. Needs the key pair.
    pub const fn sign(mut self) -> Self {
        self.signs = true;
        self
    }

    /// Gives up what is left unproven by all else that is allowed: drops blocks at the end, down to none
    /// of them, and blocks before that are damaged count as not stored. With [`sign`](Self::sign) an
    /// unsigned end is kept as far as it fits. If what is dropped was handed out, what is appended in its
    /// place makes two feeds out of one. The feed can be appended to afterwards, unless its key is not
    /// the one that signed it.
    ///
    /// Try the other options first: what is dropped here, none of them brings back.
    pub const fn accept_loss(mut self) -> Self {
        self.accepts_loss = true;
        self
    }

    /// Derives from the bytes which blocks are stored, of all that can be proven. Blocks that were cleared
    /// come back where their bytes are still there.
    pub const fn find_blocks(mut self) -> Self {
        self.finds_blocks = true;
        self
    }

    /// Looks for leaves that are lost with their sizes by trying every size, which takes a signature for
    /// each single block, and up to a tenth of a millisecond for each byte of `data` that no leaf is left
    /// of. Ends at [`SIZES_TRIED_MAX`].
    pub const fn search_sizes(mut self) -> Self {
        self.searches_sizes = true;
        self
    }

    /// Repairs the feed in `storage`.
    ///
    /// # Durability
    /// All that was written is on stable storage on return.
    ///
    /// # Errors
    /// [`Error::KeyMissing`] when nothing tells the key; [`RecoveryError::KeyMismatch`] when the key
    /// signed nothing that is there; [`Error::SecretKeyMismatch`] and [`Error::SecretKeyDamaged`] when
    /// the secret key is not that of the feed, which no repair changes; [`Error::Header`] when a header
    /// is wrong and not to be replaced; [`Error::NotFound`] when nothing is stored;
    /// [`Error::Storage`]. What is left undone is no error but in the report.
    pub fn repair(self, storage: impl Storage + 'static) -> Result<RepairReport> {
        self.repair_with(storage, &mut |_| ())
    }

    /// As [`repair`](Self::repair); `progress` is called for every block, and every now and then while
    /// sizes are tried.
    ///
    /// # Durability
    /// As [`repair`](Self::repair).
    ///
    /// # Errors
    /// As [`repair`](Self::repair).
    pub fn repair_with(
        self,
        storage: impl Storage + 'static,
        progress: &mut dyn FnMut(RepairProgress),
    ) -> Result<RepairReport> {
        let files = Files::open(storage, Access::Create)?;
        if FileName::ALL.into_iter().all(|name| files.get(name).is_none()) {
            return Err(Error::NotFound);
        }
        let sizes_max = if self.searches_sizes { SIZES_TRIED_MAX } else { 0 };
        let progress = Progress::new(sizes_max, progress);
        let mut repair = Repair { files, options: self, progress, report: RepairReport::default() };
        if let Some(files) = repair.lost_files()? {
            if !repair.options.accepts_loss {
                repair.report.unresolved = Some(RecoveryError::FilesMissing { files });
                return Ok(repair.report);
            }
            repair.report.mended.push(Mended::Dropped { length: 0 });
        }
        let stores = repair.headers()?;
        let (key, pair) = repair.keys(&stores)?;
        repair.all_nodes(&stores, &key)?;
        if let Some(pair) = pair.as_ref().filter(|_| repair.options.signs) {
            repair.sign(&stores, pair)?;
        }
        repair.bits(&stores, key, pair.is_some())?;
        Ok(repair.report)
    }
}

/// The three files with headers.
struct Stores {
    tree: TreeFile,
    signatures: SignatureFile,
    bitfield: Arc<dyn RandomAccess>,
    page_size: PageSize,
}

struct Repair<'a> {
    files: Files,
    options: RepairOptions,
    progress: Progress<'a>,
    report: RepairReport,
}

impl Repair<'_> {
    fn data(&self) -> Option<&Arc<dyn RandomAccess>> {
        self.files.get(FileName::Data)
    }

    fn reader(&self) -> Result<BlockReader> {
        BlockReader::new(self.data())
    }

    /// The key of the feed, proven by what it signed, and its secret half. Writes `key` where it is
    /// missing, or where the signatures are those of the secret key.
    fn keys(&mut self, stores: &Stores) -> Result<(PublicKey, Option<KeyPair>)> {
        let stored = self.files.get(FileName::Key);
        let stored = stored.map(|store| keys::read_key(store)).transpose()?.flatten();
        let secret = self.files.get(FileName::SecretKey);
        let secret = secret.map(|store| keys::read_any_key_pair(store)).transpose()?.flatten();
        let pair = self.options.key_pair.clone().or(secret);
        let of_pair = pair.as_ref().map(KeyPair::public);
        let wanted = self.options.key.or(stored).or(of_pair).ok_or(Error::KeyMissing)?;
        let signed_something = |key: &PublicKey| -> Result<bool> {
            let tree = Some(&stores.tree);
            let mut search = Search::new(key, tree, Some(&stores.signatures), KEY_TRIES);
            Ok(search.next()?.is_some())
        };
        let key = match of_pair.filter(|of_pair| *of_pair != wanted) {
            Some(of_pair) if self.options.key.is_none() && signed_something(&of_pair)? => of_pair,
            Some(found) => return Err(Error::SecretKeyMismatch { found, wanted }),
            None => wanted,
        };
        if stored == Some(key) {
            return Ok((key, pair));
        }
        // A key that nothing stored here vouches for is not written over what there was.
        let slots = stores.signatures.slot_count()?;
        if slots > 0 && of_pair != Some(key) && !signed_something(&key)? {
            return Err(RecoveryError::KeyMismatch { key, tried: slots.min(KEY_TRIES) }.into());
        }
        let store = self.files.create(FileName::Key)?;
        keys::write_key(&store, &key)?;
        self.files.sync(FileName::Key)?;
        self.report.mended.push(Mended::Key);
        Ok((key, pair))
    }

    /// Makes nodes until there are no more to be made; whether there were any.
    fn all_nodes(&mut self, stores: &Stores, key: &PublicKey) -> Result<bool> {
        // What was mended may be what another root needs.
        for round in 0..NODE_ROUNDS_MAX {
            if !self.nodes(stores, key)? {
                return Ok(round > 0);
            }
        }
        Ok(true)
    }

    /// Makes nodes that are lost or wrong; whether there were any.
    fn nodes(&mut self, stores: &Stores, key: &PublicKey) -> Result<bool> {
        let data_len = self.data().map_or(Ok(0), |data| data.len());
        let data_len = data_len.map_err(Error::in_file(FileName::Data))?;
        let reader = self.reader()?;
        let roots = RootMender::new(key, &stores.tree, reader, data_len, &mut self.progress);
        let mut mended = Vec::new();
        for node in roots.mend(&stores.signatures)? {
            if stores.tree.node(node.index)? != Some(node) {
                stores.tree.write(&node)?;
                mended.push(node);
            }
        }
        let tree = Some(&stores.tree);
        let mut search = Search::new(key, tree, Some(&stores.signatures), u64::MAX);
        if let Some(signed) = search.next()? {
            mended.append(&mut nodes::mend(&stores.tree, &mut self.reader()?, &signed.roots)?);
        }
        if !mended.is_empty() {
            self.files.sync(FileName::Tree)?;
            self.report.mended.extend(mended.iter().map(|node| Mended::Node(node.index)));
        }
        Ok(!mended.is_empty())
    }

    /// Signs what has lost its signature, if all of it fits.
    fn sign(&mut self, stores: &Stores, pair: &KeyPair) -> Result<()> {
        let bitfield = Bitfield::load(&stores.bitfield, stores.page_size)?;
        let (key, data) = (pair.public(), self.data());
        let mut found = signable(&key, &stores.tree, &stores.signatures, &bitfield, data)?;
        if found.is_none() && self.options.accepts_loss {
            found = self.sound_end(stores, &key, &bitfield)?;
        }
        let Some(Signed { length, roots }) = found else { return Ok(()) };
        let slot = length.saturating_sub(1);
        let message = hashes::signable(&hashes::tree(&roots), length);
        stores.signatures.write(slot, &pair.sign(&message))?;
        self.files.sync(FileName::Signatures)?;
        self.report.mended.push(Mended::Signature { slot });
        Ok(())
    }

    /// As much as fits of what the bits claim past the last signature; makes the nodes of it. `None` when
    /// nothing does.
    fn sound_end(
        &mut self,
        stores: &Stores,
        key: &PublicKey,
        bitfield: &Bitfield,
    ) -> Result<Option<Signed>> {
        let signed =
            Search::new(key, Some(&stores.tree), Some(&stores.signatures), u64::MAX).next()?;
        let signed_length = signed.as_ref().map_or(0, |signed| signed.length);
        let end = match bitfield.length() {
            // Lost bits claim nothing, and zeros are of a feed that was empty.
            0 if signed_length > 0 || bitfield.page_count() > 0 => return Ok(None),
            0 => u64::MAX,
            by_bits => by_bits,
        };
        let (sound, nodes) = sound_prefix(&stores.tree, &mut self.reader()?, signed, end)?;
        if sound.length <= signed_length {
            return Ok(None);
        }
        let mut is_written = false;
        for node in nodes {
            if stores.tree.node(node.index)? != Some(node) {
                stores.tree.write(&node)?;
                self.report.mended.push(Mended::Node(node.index));
                is_written = true;
            }
        }
        if is_written {
            self.files.sync(FileName::Tree)?;
        }
        Ok(Some(sound))
    }

    /// What there is to settle the length by; opened although its newest signature is wrong.
    fn found<'a>(
        &'a self,
        stores: &'a Stores,
        key: PublicKey,
        has_secret_key: bool,
    ) -> Result<Found<'a>> {
        Ok(Found {
            files: &self.files,
            key,
            has_secret_key,
            tree: Some(&stores.tree),
            signatures: Some(&stores.signatures),
            bitfield: Bitfield::load(&stores.bitfield, stores.page_size)?,
            is_lenient: true,
            accepts_loss: false,
        })
    }

    /// Settles the length, and writes the bits for it.
    fn bits(&mut self, stores: &Stores, key: PublicKey, has_secret_key: bool) -> Result<()> {
        let mut recovered = decided(recover(self.found(stores, key, has_secret_key)?))?;
        let is_lossy = recovered.as_ref().map_or(true, |one| one.report.refusal().is_some());
        let drops = is_lossy && self.options.accepts_loss;
        if drops {
            recovered = decided(recover_signed(self.found(stores, key, has_secret_key)?))?;
            let length = recovered.as_ref().ok().map(|recovered| recovered.length);
            if let Some(length) = length {
                self.cut_signatures(stores, length)?;
                // A shorter feed has other roots, which may prove what those of the longer did not.
                if self.all_nodes(stores, &key)? {
                    let found = self.found(stores, key, has_secret_key)?;
                    recovered = decided(recover_signed(found))?;
                }
            }
        }
        let mut recovered = match recovered {
            Ok(recovered) => recovered,
            Err(error) => {
                self.report.unresolved = Some(error);
                return Ok(());
            }
        };
        self.report.length = recovered.length;
        if self.options.finds_blocks {
            let Recovered { bitfield, roots, .. } = &mut recovered;
            find_blocks(bitfield, &stores.tree, self.data(), roots)?;
        }
        let mut damage = self.damage(stores, &key, &recovered)?;
        if self.options.accepts_loss && !damage.is_empty() {
            self.give_up(stores, &key, &mut recovered)?;
            damage = self.damage(stores, &key, &recovered)?;
        }
        let refusal = recovered.report.refusal().filter(|_| !drops).cloned();
        if refusal.is_none() {
            self.write_bits(stores, &mut recovered)?;
        }
        // What else the open noted is mended.
        self.report.left = refusal.into_iter().chain(damage).collect();
        Ok(())
    }

    /// Blanks nodes that contradict what is signed, and counts as not stored what nothing proves.
    fn give_up(
        &mut self,
        stores: &Stores,
        key: &PublicKey,
        recovered: &mut Recovered,
    ) -> Result<()> {
        let (tree, signatures) = (&stores.tree, &stores.signatures);
        let proven = Proven::of(recovered, key, tree, signatures, self.data())?;
        if proven.blank_broken(tree)? {
            self.files.sync(FileName::Tree)?;
        }
        let blocks = proven.unlist_rest(&mut recovered.bitfield)?;
        self.report.mended.push(Mended::Unlisted { blocks });
        Ok(())
    }

    fn cut_signatures(&mut self, stores: &Stores, length: u64) -> Result<()> {
        if stores.signatures.truncate(length)? {
            self.files.sync(FileName::Signatures)?;
        }
        self.report.mended.push(Mended::Dropped { length });
        Ok(())
    }

    fn write_bits(&mut self, stores: &Stores, recovered: &mut Recovered) -> Result<()> {
        if !recovered.bitfield.is_dirty() {
            return Ok(());
        }
        let length = recovered.length;
        // Without its data bits a first append that was cut short is told by the blank slot alone.
        if length == 0 && stores.signatures.truncate(0)? {
            self.files.sync(FileName::Signatures)?;
        }
        recovered.bitfield.write(&stores.bitfield)?;
        self.files.sync(FileName::Bitfield)?;
        let blocks = recovered.bitfield.count_blocks(0..length);
        self.report.mended.push(Mended::Bits { length, blocks });
        Ok(())
    }

    /// What is lost or wrong in a feed.
    fn damage(
        &mut self,
        stores: &Stores,
        key: &PublicKey,
        recovered: &Recovered,
    ) -> Result<Vec<Finding>> {
        let data = self.data().cloned();
        let audited = Audited {
            key,
            data: data.as_ref(),
            tree: Some(&stores.tree),
            signatures: Some(&stores.signatures).filter(|_| recovered.is_live),
            bitfield: &recovered.bitfield,
            length: recovered.length,
            roots: &recovered.roots,
            recovery: &Recovery::default(),
        };
        let findings =
            audit(&audited, &mut |at| self.progress.at_block(at.blocks_checked))?.findings;
        Ok(findings.into_iter().filter(Finding::is_damage).collect())
    }
}

/// What is signed, whatever the bits say; nothing where nothing is.
fn recover_signed(found: Found<'_>) -> Result<Recovered> {
    let mut bitfield = found.bitfield.clone();
    bitfield.truncate(0);
    // So that an empty feed has a page.
    bitfield.reserve(1)?;
    recover(Found { bitfield, accepts_loss: true, ..found })
}

/// Tells what can not be decided from what failed.
fn decided(recovered: Result<Recovered>) -> Result<std::result::Result<Recovered, RecoveryError>> {
    match recovered {
        Ok(recovered) => Ok(Ok(recovered)),
        Err(Error::Recovery(error)) => Ok(Err(error)),
        Err(error) => Err(error),
    }
}

/// Rounds of mending nodes.
const NODE_ROUNDS_MAX: usize = 16;
/// Signatures that are tried before a key counts as another feed's.
const KEY_TRIES: u64 = 1024;
