//! Opening: a new core, or a stored one brought back from header and entries.
//!
//! The tail of the oplog is verified, not trusted. Data and oplog are synced in one round, in either order, so
//! after a power cut an entry may be there and its blocks not. Every block that an entry speaks of is hashed
//! again; at the first that does not match, the entry and all after it are cut. What is left is a valid
//! prefix of what was written.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, RwLock};

use flat_tree::{Index, full_roots};
use hypercore_crypto::{CoreKey, Hash, KeyPair, Manifest, PublicKey};
use hypercore_merkle::{Node, NodeLookup as _, Tree};
use random_access_storage::SyncScope;

use crate::bitfield::Bitfield;
use crate::branch::{check_kind, seal};
use crate::canary::{Bug, planted};
use crate::checkpoint::Version10Rhythm;
use crate::commit::{Announced, GroupCommit};
use crate::entry::Entry;
use crate::error::{Corruption, LogError, OpenError, StorageError};
use crate::header::{Header, HeaderTree, StoredKeyPair};
use crate::log::{Log, Settings};
use crate::nodes::Nodes;
use crate::oplog::{self, ENTRIES_START, Loaded, OplogPosition, OplogState, SlotState, Tail};
use crate::options::{Access, Create, OpenOptions, Rhythm};
use crate::proven::Proven;
use crate::purge;
use crate::repair::rebuild_roots;
use crate::replay::{Replayed, replay};
use crate::rewrite::{cut_oplog, rewrite_tail, sync_all};
use crate::seal::Counts;
use crate::snapshot::keep::Snapshots;
use crate::state::{State, node_offset};
use crate::stores::{FileName, Stores};
use crate::user_data::UserData;
use crate::writer::Writer;

/// Heads behind a flipped bit whose signatures are looked at. Of what was really signed the first holds; a hostile oplog
/// can name any number.
const HEADS_VERIFIED_MAX: usize = 16;

/// What opening found, and what it did about it.
///
/// All zero and `None` after a clean close; entries are replayed, and an end may be torn, after a kill; entries are cut
/// after a power cut. The rest is damage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// Entries since the last checkpoint that were applied.
    pub entries_replayed: usize,
    /// Valid entries that were cut because their blocks or nodes are not what they say.
    pub entries_cut: usize,
    /// An entry is damaged: valid ones follow it, which were lost with it (nobody can tell how many), or one bit of it
    /// is wrong. A power cut in the mode [`Durability::Eventual`](crate::Durability::Eventual) may do the first.
    pub entry_damaged: bool,
    /// One bit of an entry is wrong, and with it put right its signature holds, or that of one behind it. No kill and no power cut does that: it
    /// may have been on stable storage, and what it signed with others. A log with a key takes no writes: see
    /// [`LogError::HeaderLost`].
    pub entry_bit_flipped: bool,
    /// Behind the last entry that was kept is something that is no entry, and nothing tells more: a write that a
    /// kill or a power cut tore, or damage to the last entry.
    pub torn_end: bool,
    /// Blocks by which the log is shorter than the entries that were cut said.
    pub blocks_cut: u64,
    /// Bytes past the last entry that was kept: torn entries, or those of before the last header.
    pub oplog_bytes_cut: u64,
    /// The header slot (0 or 1) that is damaged. The other one counts.
    pub damaged_slot: Option<u8>,
    /// A header slot is damaged or empty, and it was the newer one or may have been. What was written last is lost, and a
    /// log with a key takes no writes: see [`LogError::HeaderLost`].
    pub newer_header_lost: bool,
    /// The bitfield has more or fewer blocks than the header says: some may be stored and not listed. A
    /// [repair](crate::Log::repair) finds them.
    pub bitfield_damaged: bool,
    /// Tree nodes that were missing or torn and were computed again from the blocks' hashes.
    pub nodes_rebuilt: usize,
}

impl RecoveryReport {
    /// Whether anything that had been written is not there any more, as far as that can be told. A
    /// [torn end](Self::torn_end) does not count: it is what every kill may leave.
    #[must_use]
    pub const fn lost_something(&self) -> bool {
        self.entries_cut > 0
            || self.entry_damaged
            || self.newer_header_lost
            || self.bitfield_damaged
    }

    /// Whether what was signed last is gone by damage and may be with others: nothing may be signed in its place.
    pub(crate) const fn lost_head(&self) -> bool {
        self.newer_header_lost || self.entry_bit_flipped
    }
}

pub(crate) fn open(stores: Stores, options: OpenOptions) -> Result<Log, OpenError> {
    if options.create == Create::Overwrite && options.access == Access::ReadWrite {
        // Refused options must not cost what is stored.
        identity(&options)?;
        purge::empty(&stores)?;
    }
    match oplog::read(&*stores.oplog, &*stores.header)? {
        OplogState::Present(_) if options.create == Create::New => Err(OpenError::AlreadyExists),
        OplogState::Present(loaded) => reopen(stores, options, loaded),
        OplogState::Missing
            if options.create == Create::Never || options.access == Access::ReadOnly =>
        {
            Err(OpenError::NotFound)
        }
        OplogState::Missing => create(stores, options),
    }
}

fn create(stores: Stores, options: OpenOptions) -> Result<Log, OpenError> {
    for name in [FileName::Tree, FileName::Bitfield, FileName::Data] {
        if stores.file(name).len().map_err(StorageError::in_file(name))? > 0 {
            let what = "there is no header here, but other files of a core are";
            return Err(Corruption::new(FileName::Oplog, 0, what).into());
        }
    }
    let (key, manifest) = identity(&options)?;
    let key_pair = options.key_pair.clone();
    let header = Header {
        key,
        manifest,
        key_pair: key_pair.map(|pair| StoredKeyPair { public: pair.public(), secret: Some(pair) }),
        user_data: UserData::default(),
        tree: HeaderTree::default(),
        reorg_hints: Vec::new(),
        contiguous_length: 0,
        counts: (options.rhythm == Rhythm::Bounded).then(Counts::default),
    };
    let signer = choose_signer(&header, &options)?;
    let mut position = OplogPosition::fresh();
    let slot = position.prepare_header(&header)?;
    let in_oplog = StorageError::in_file(FileName::Oplog);
    if let Some((offset, bytes)) = &slot.external {
        let write = stores.header.write_at(*offset, bytes);
        write
            .and_then(|()| stores.header.sync(SyncScope::All))
            .map_err(StorageError::in_file(FileName::Header))?;
    }
    stores
        .oplog
        .write_at(slot.offset, &slot.bytes)
        .and_then(|()| stores.oplog.sync(SyncScope::All))
        .and_then(|()| stores.oplog.truncate(ENTRIES_START))
        .and_then(|()| stores.oplog.sync(SyncScope::All))
        .map_err(&in_oplog)?;
    position.header_written(&slot);
    let stores = Arc::new(stores);
    let state = State::from_header(&header, Arc::clone(&stores), Bitfield::new());
    let report = RecoveryReport::default();
    Ok(finish(stores, &options, header, signer, position, state, report))
}

/// The key and the manifest of a new core.
fn identity(options: &OpenOptions) -> Result<(CoreKey, Option<Manifest>), OpenError> {
    let manifest = match (&options.manifest, &options.key_pair) {
        (Some(manifest), _) => Some(manifest.clone()),
        (None, Some(pair)) => Some(Manifest::single(pair.public())),
        (None, None) => None,
    };
    let Some(manifest) = manifest else {
        return options.key.map(|key| (key, None)).ok_or(OpenError::KeyRequired);
    };
    let key = match options.key {
        Some(key) if manifest.belongs_to(&key) => key,
        Some(_) => return Err(OpenError::WrongManifest),
        None if options.compat => match manifest.signers() {
            [signer] => CoreKey::from_bytes(*signer.public_key.as_bytes()),
            _ => return Err(OpenError::WrongManifest),
        },
        None => manifest.key(),
    };
    Ok((key, Some(manifest)))
}

fn reopen(stores: Stores, options: OpenOptions, loaded: Loaded) -> Result<Log, OpenError> {
    let header = &loaded.header;
    if let Some(wanted) = options.key
        && wanted != header.key
    {
        return Err(OpenError::KeyMismatch { stored: header.key, wanted });
    }
    if let Some(manifest) = &header.manifest
        && !manifest.belongs_to(&header.key)
    {
        let what = "the manifest does not belong to the key";
        return Err(Corruption::new(FileName::Oplog, loaded.position.slot_offset(), what).into());
    }
    let signer = choose_signer(header, &options)?;
    let stores = Arc::new(stores);
    if options.rebuild_roots && options.access == Access::ReadWrite && loaded.entries.is_empty() {
        rebuild_roots(&stores, header)?;
    }
    let Replayed {
        mut state,
        kept,
        length_wanted,
        truncated,
        blocks_gone,
        nodes_rebuilt,
        data_len,
    } = replay(&stores, header, &loaded, options.unsigned)?;
    check_kind(options.unsigned, &state)?;
    check_head(header, &state, options.unsigned, kept.entries == 0, loaded.position.slot_offset())?;
    let leftovers = state.nodes.leftovers()?;
    let mut position = loaded.position;
    position.entries_end =
        if planted(Bug::ReplayedEntriesOverwritten) { ENTRIES_START } else { kept.end };
    // Only a checkpoint writes the bitfield, and it ends with a second header.
    let second_gone = loaded.slots[1] == SlotState::Empty
        && !loaded.has_entries
        && !stores.bitfield.is_empty().map_err(StorageError::in_file(FileName::Bitfield))?;
    let slot_gone = loaded.damaged_slot.is_some() || loaded.file_len < ENTRIES_START;
    let newer_header_lost = loaded.newer_header_lost
        || second_gone
        || (slot_gone && !loaded.has_entries && leftovers.is_some());
    let report = RecoveryReport {
        entries_replayed: kept.entries,
        entries_cut: loaded.entries.len().saturating_sub(kept.entries),
        blocks_cut: length_wanted.saturating_sub(state.tree.length()),
        oplog_bytes_cut: loaded.file_len.saturating_sub(kept.end),
        entry_damaged: matches!(loaded.tail, Tail::Damaged | Tail::Flipped),
        entry_bit_flipped: was_signed(&stores, header, &state, &loaded.flipped)?,
        torn_end: matches!(loaded.tail, Tail::Invalid | Tail::Undecodable),
        damaged_slot: loaded.damaged_slot,
        newer_header_lost,
        bitfield_damaged: state.stored_off != 0 && !newer_header_lost,
        nodes_rebuilt,
    };
    let (header, file_len) = (loaded.header, loaded.file_len);
    if options.access == Access::ReadOnly {
        return Ok(finish(stores, &options, header, signer, position, state, report));
    }
    let left_clean = file_len == ENTRIES_START;
    if left_clean && header.counts.is_none() {
        // Another program wrote this header, which may never have synced: JavaScript does not.
        sync_all(&stores)?;
    }
    if !left_clean && !planted(Bug::TailNotRewritten) {
        let old = Announced { fork: header.tree.fork, length: header.tree.length };
        let entries = loaded.entries.get(..kept.entries).unwrap_or_default();
        rewrite_tail(&stores, &mut state, &position, old, entries).map_err(open_error)?;
    }
    let bounded = options.rhythm == Rhythm::Bounded;
    if report.lost_head() && may_be_signed_here(&header, signer.as_ref(), &state) && bounded {
        // Nothing is cut: what is left of the later state may still help whoever mends this.
        return Ok(finish(stores, &options, header, signer, position, state, report));
    }
    if !left_clean && !planted(Bug::TailNotCut) {
        // Before anything is written behind it: otherwise a later power cut could undo the cut and leave a cut entry
        // standing behind a new one.
        cut_oplog(&stores, kept.end)?;
    }
    if report.entries_cut > 0 {
        let length = state.tree.length();
        state.nodes.truncate(length);
    } else if let Some(leftovers) = leftovers.filter(|_| bounded && !truncated) {
        // A batch whose entry was lost may have left nodes behind, which a later proof must not bring to
        // light. Where the header still needs nodes past the end, the checkpoint below takes them away.
        state.nodes.drop_leftovers(leftovers)?;
    }
    let log = finish(stores, &options, header, signer, position, state, report);
    let mut writer = log.lock_to_truncate().map_err(open_error)?;
    writer.tail_data_len = data_len;
    // A copy of a log that is written elsewhere goes on from what is left of it.
    // Entries whose blocks are gone are kept by what is damaged now. Once the log grows again that can no longer be
    // told, and the next opening would cut them, and what was appended behind them.
    if bounded
        && (truncated
            || blocks_gone
            || log.recovery.entries_cut > 0
            || log.recovery.newer_header_lost)
    {
        log.write_checkpoint(&mut writer).map_err(open_error)?;
    }
    drop(writer);
    Ok(log)
}

/// Whether one of the entries that could come next holds a head that was signed: then they are what they seem, to the bit.
fn was_signed(
    stores: &Arc<Stores>,
    header: &Header,
    state: &State,
    entries: &[Entry],
) -> Result<bool, OpenError> {
    let Some(manifest) = &state.manifest else { return Ok(false) };
    let direct = Nodes::new(Arc::clone(stores), u64::MAX);
    let mut named: BTreeMap<Index, Node> = BTreeMap::new();
    let mut heads = 0_usize;
    for entry in entries {
        let nodes = entry.tree_nodes.iter().flatten();
        named.extend(nodes.map(|node| (node.index, *node)));
        let Some(upgrade) = &entry.tree_upgrade else { continue };
        heads = heads.saturating_add(1);
        if heads > HEADS_VERIFIED_MAX {
            break;
        }
        let mut roots = Vec::new();
        for index in full_roots(upgrade.length) {
            let root = match named.get(&index) {
                Some(node) => Some(*node),
                None => state
                    .nodes
                    .node(index)?
                    .map_or_else(|| direct.node(index), |node| Ok(Some(node)))?,
            };
            roots.extend(root);
        }
        let signature = upgrade.signature.as_deref().unwrap_or_default();
        if Tree::from_roots(upgrade.fork, roots, upgrade.length)
            .is_ok_and(|tree| manifest.verify(&header.key, &tree, signature).is_ok())
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What the head says must be what was signed.
fn check_head(
    header: &Header,
    state: &State,
    unsigned: bool,
    no_entries: bool,
    slot_offset: u64,
) -> Result<(), OpenError> {
    if state.tree.length() == 0 {
        return Ok(());
    }
    let known: Option<Hash> = if no_entries { header.tree.root_hash } else { None };
    if known.is_some_and(|known| known != state.tree.hash()) {
        let root = state.tree.roots().last().map_or(0, |root| root.index.get());
        let what = "the roots do not hash to the header's tree hash";
        return Err(Corruption::new(FileName::Tree, node_offset(root), what).into());
    }
    // As for a proof without a manifest: only the key's own can have signed. A reader stores it with the first blocks.
    let by_key = || Manifest::single(PublicKey::from_bytes(*header.key.as_bytes()));
    let signature = state.signature.as_deref().unwrap_or_default();
    let holds = if unsigned {
        signature == seal(&state.tree.hash())
    } else {
        let manifest = state.manifest.clone().unwrap_or_else(by_key);
        manifest.verify(&header.key, &state.tree, signature).is_ok()
    };
    if holds {
        return Ok(());
    }
    let offset = if no_entries { slot_offset } else { ENTRIES_START };
    Err(Corruption::new(FileName::Oplog, offset, "the signature is not valid for the tree").into())
}

/// The key pair that signs: the given one, or else the stored one if it may.
fn choose_signer(header: &Header, options: &OpenOptions) -> Result<Option<KeyPair>, OpenError> {
    let given = options.key_pair.as_ref().filter(|given| may_sign(header, given));
    if options.key_pair.is_some() && given.is_none() && header.manifest.is_some() {
        return Err(OpenError::WrongKeyPair);
    }
    let stored = header.key_pair.as_ref().and_then(|pair| pair.secret.as_ref());
    Ok(given.or(stored.filter(|stored| may_sign(header, stored))).cloned())
}

fn finish(
    stores: Arc<Stores>,
    options: &OpenOptions,
    header: Header,
    signer: Option<KeyPair>,
    position: OplogPosition,
    state: State,
    recovery: RecoveryReport,
) -> Log {
    let settings = Settings {
        access: options.access,
        durability: options.durability,
        verify_reads: options.verify_reads,
        rhythm: options.rhythm,
        signer: signer.as_ref().map(KeyPair::public),
        unsigned: options.unsigned,
    };
    let has_manifest = header.manifest.is_some();
    let bounded = options.rhythm == Rhythm::Bounded;
    let writer = Writer {
        header_lost: recovery.lost_head()
            && may_be_signed_here(&header, signer.as_ref(), &state)
            && bounded,
        seals: bounded,
        oplog: position,
        stored_key_pair: header.key_pair,
        signer,
        tail_data_len: 0,
        version_10: Version10Rhythm::opened(has_manifest),
        buffer: Vec::new(),
    };
    Log {
        stores,
        key: header.key,
        options: settings,
        commit: GroupCommit::new(state.announced()),
        state: RwLock::new(state),
        writer: Mutex::new(writer),
        recovery,
        proven: Proven::default(),
        snapshots: Snapshots::default(),
    }
}

/// Whether this log is signed from this directory, by this handle, by one that is given the secret key, or with signatures
/// from elsewhere.
fn may_be_signed_here(header: &Header, signer: Option<&KeyPair>, state: &State) -> bool {
    signer.is_some() || header.key_pair.is_some() || state.is_signed_here()
}

/// Whether this key pair alone satisfies the manifest.
fn may_sign(header: &Header, pair: &KeyPair) -> bool {
    header.manifest.as_ref().is_some_and(|manifest| {
        manifest.sign(&header.key, pair, &Hash::from_bytes([0; 32]), 0, 0).is_ok()
    })
}

pub(crate) fn open_error(error: LogError) -> OpenError {
    match error {
        LogError::Storage(error) => OpenError::Storage(error),
        LogError::Corrupt(corruption) | LogError::CorruptBlock { corruption, .. } => {
            OpenError::Corrupt(corruption)
        }
        _ => Corruption::new(FileName::Oplog, 0, "the recovered state can not be written").into(),
    }
}
