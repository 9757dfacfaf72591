//! What can go wrong, by whose fault it was and what to do now.

use hypercore_crypto::{AssembleError, CoreKey, SignError, VerifyError};

use crate::stores::FileName;

/// A store failed; says which of the core's stores it was.
#[derive(Debug, thiserror::Error)]
#[error("the {file} store failed")]
#[non_exhaustive]
pub struct StorageError {
    /// The store that failed.
    pub file: FileName,
    /// What it said.
    #[source]
    pub source: random_access_storage::Error,
}

impl StorageError {
    pub(crate) fn in_file(file: FileName) -> impl Fn(random_access_storage::Error) -> Self {
        move |source| Self { file, source }
    }
}

/// Bytes in a store are not what they must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file} is damaged at byte {offset}: {what}")]
#[non_exhaustive]
pub struct Corruption {
    /// The store with the damage.
    pub file: FileName,
    /// Byte offset of the damaged record in that store.
    pub offset: u64,
    /// What was expected there.
    pub what: &'static str,
}

impl Corruption {
    pub(crate) const fn new(file: FileName, offset: u64, what: &'static str) -> Self {
        Self { file, offset, what }
    }
}

/// Why a log did not open.
///
/// What is stored was not changed, with two exceptions: a [`Storage`](Self::Storage) failure can come while a core
/// is made, emptied ([`Create::Overwrite`](crate::Create::Overwrite)) or mended; what it leaves opens again, or
/// as no core where one was being made or emptied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no core in these stores, and creating one was not asked for.
    #[error("no core is stored here")]
    NotFound,
    /// A core is already stored here, and only a new one was asked for.
    #[error("something is already stored here, and only a new one was asked for")]
    AlreadyExists,
    /// A new core needs a key pair, a manifest or a key.
    #[error("a new core needs a key pair or a key")]
    KeyRequired,
    /// The stores hold another core than the one asked for.
    #[error("the stores hold the core {stored}, not {wanted}")]
    KeyMismatch {
        /// The key that is stored.
        stored: CoreKey,
        /// The key that was asked for.
        wanted: CoreKey,
    },
    /// The key pair is none that may sign for this core alone.
    #[error("the key pair is not one that may sign for this core alone")]
    WrongKeyPair,
    /// The manifest does not belong to the key.
    #[error("the manifest does not belong to the key")]
    WrongManifest,
    /// A branch is stored here, which [`Branch::open`](crate::Branch::open) opens with the log it is of.
    #[error("a branch of a log is stored here, and not a log")]
    IsBranch,
    /// A log is stored here, and not a branch of one.
    #[error("a log is stored here, and not a branch of one")]
    NotBranch,
    /// The log is shorter than the length at which a branch of it shall begin.
    #[error("a branch can not begin at {checkout}: the log has {length} blocks")]
    CheckoutTooLong {
        /// Where it shall begin.
        checkout: u64,
        /// Blocks in the log.
        length: u64,
    },
    /// The log that a branch is of could not be read or flushed.
    #[error("the log that the branch is of failed")]
    Base(#[source] Box<LogError>),
    /// A newer program, or another one, wrote this.
    #[error("{file} is of a format this program does not read, at byte {offset}: {what}")]
    Unsupported {
        /// The store that is foreign.
        file: FileName,
        /// Byte offset of what is foreign in that store.
        offset: u64,
        /// What is foreign about it.
        what: &'static str,
    },
    /// The bytes are damaged beyond what recovery can mend.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// A store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why an operation on an open log failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The block lies at or past the end of the log.
    #[error("block {index} is out of bounds: the log has {length} blocks")]
    OutOfBounds {
        /// The block (or the end of the range) that was asked for.
        index: u64,
        /// Blocks in the log.
        length: u64,
    },
    /// The block is larger than [`BLOCK_LEN_MAX`](crate::BLOCK_LEN_MAX), or, where room for the padding of an
    /// encryption is given, by more than that.
    #[error("a block of {len} bytes is too large: at most {max} bytes fit")]
    BlockTooLarge {
        /// Its length in bytes.
        len: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// The log would get longer ([`LENGTH_MAX`](hypercore_merkle::LENGTH_MAX) blocks) or hold more bytes
    /// ([`SIZE_MAX`](hypercore_merkle::SIZE_MAX)) than the format can count.
    #[error("the log can not grow beyond 2^52 blocks or 2^53 - 1 bytes")]
    TooLong,
    /// The log was opened for reading only.
    #[error("the log is open for reading only")]
    ReadOnly,
    /// The log has no key pair that may sign for it alone.
    #[error("the log has no key pair that may sign for it")]
    NotWritable,
    /// The key pair can not sign for this log alone.
    #[error("the key pair can not sign for this log")]
    KeyPair(#[source] SignError),
    /// A signature does not hold for what was to be stored with it. Nothing was changed.
    #[error("the signature does not hold")]
    Signature(#[source] VerifyError),
    /// The signatures of several signers do not make one.
    #[error("the signatures do not make one of the log")]
    Assemble(#[source] AssembleError),
    /// The log has another head than the one this was made for. Make it again for the present one.
    #[error("the log moved on to {length} blocks of fork {fork}")]
    HeadMoved {
        /// The present fork.
        fork: u64,
        /// The present length in blocks.
        length: u64,
    },
    /// The log would be longer than the append allows.
    #[error("the log would have {length} blocks: at most {max} were allowed")]
    LengthLimit {
        /// Blocks with the batch.
        length: u64,
        /// The limit that came with it.
        max: u64,
    },
    /// This is a backup, and the log that it was taken of may have gone on since: blocks signed here would fork it for everyone.
    /// [`confirm_newest`](crate::Log::confirm_newest) once it is known that nobody has a longer one.
    #[error("the log is a backup that may not be the newest: confirm it before writing to it")]
    MaybeNotNewest,
    /// The new fork number must be above the present one.
    #[error("fork {fork} is not above the present fork {present}")]
    ForkTooLow {
        /// The fork asked for.
        fork: u64,
        /// The fork of the log.
        present: u64,
    },
    /// The fork number is larger than the format can hold.
    #[error("fork {fork} is above {max}, the largest there can be")]
    ForkTooHigh {
        /// The fork asked for.
        fork: u64,
        /// The largest there can be: 2^53 - 1.
        max: u64,
    },
    /// The prologue of the manifest fixes the first blocks.
    #[error("the first {prologue} blocks are fixed by the prologue")]
    BelowPrologue {
        /// Length of the prologue in blocks.
        prologue: u64,
    },
    /// The newest header, or a signed entry, is lost to damage, and with it what was signed last: another block signed in
    /// its place would fork the log for everyone who has seen the first. [`truncate`](crate::Log::truncate) to what is here,
    /// under a fork number that was never used, makes the log writable again.
    #[error("what was signed last is lost: truncate the log under a new fork before writing to it")]
    HeaderLost,
    /// Another history was signed for this fork ([`Log::freeze`](crate::Log::freeze)), so nothing more is added to either.
    /// [`truncate`](crate::Log::truncate) under a new fork, or taking over one, goes on.
    #[error("two histories were signed for this fork: the log is frozen")]
    Frozen,
    /// What is stored for a block is not what was signed.
    #[error("block {index} of core {key} is damaged: {corruption}")]
    CorruptBlock {
        /// The core.
        key: CoreKey,
        /// The block.
        index: u64,
        /// Where the damage is.
        corruption: Corruption,
    },
    /// Stored bytes are damaged.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// A needed tree node is not stored, so the answer is not known here.
    #[error("tree node {index} is not stored here")]
    NodeMissing {
        /// The tree index of the node.
        index: u64,
    },
    /// The proof does not hold. Nothing was changed.
    #[error("the proof does not hold")]
    Proof(#[source] Box<hypercore_merkle::VerifyError<StorageError>>),
    /// The request can not be answered by a proof.
    #[error("the request can not be answered")]
    Request(#[source] Box<hypercore_merkle::ProveError<StorageError>>),
    /// The tree changed between the check of a reorganisation and its application. Start it again.
    #[error("the log changed while the reorganisation was prepared")]
    Changed,
    /// The reorganisation wants to know more before it can be applied.
    #[error("the reorganisation wants to know more first")]
    Unfinished,
    /// The log itself uses the keys of user data that begin with `hypercore-log/`.
    #[error("the user data key {key:?} is one of the log itself")]
    ReservedKey {
        /// The key.
        key: String,
    },
    /// The manifest has no prologue that could be copied, or is not known.
    #[error("the manifest has no prologue")]
    NoPrologue,
    /// A backup goes to empty stores only.
    #[error("the {file} store of the backup is not empty")]
    TargetNotEmpty {
        /// The store that is not.
        file: FileName,
    },
    /// A store of a backup failed, which says nothing of the log. What is there is no core, or all of the backup.
    #[error("the backup failed")]
    Target(#[source] StorageError),
    /// The user data would be larger than [`USER_DATA_LEN_MAX`](crate::USER_DATA_LEN_MAX).
    #[error("{len} bytes of user data are too many")]
    UserDataTooLarge {
        /// Bytes of all keys and values.
        len: u64,
    },
    /// What a snapshot or a branch shared with its log is gone: the log was rewritten from block `shared` on, and it could not
    /// be copied in time (a full disk), or the branch was not open. Blocks before are as they were.
    #[error("the log was rewritten from block {shared} on, and what was there is not kept")]
    BaseRewritten {
        /// The first blocks that are still shared.
        shared: u64,
    },
    /// A branch can not be committed: the log has other blocks than the branch at the same places, or was truncated below the
    /// length where it began. Nothing was changed.
    #[error(
        "the log, now of {length} blocks, has other blocks than the branch: nothing was committed"
    )]
    BranchConflict {
        /// Blocks in the log.
        length: u64,
    },
    /// The stores of a branch, and not those of its log, failed or are damaged. The log was not changed.
    #[error("the branch failed")]
    Branch(#[source] Box<Self>),
    /// The log is not the one that the snapshot or the branch is of, or that a write was prepared for.
    #[error("this was made for another log")]
    OtherLog,
    /// A store failed. After a failed write or sync the log is poisoned.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// An earlier write or sync failed, so what is on disk is not known. Reopen the log: opening
    /// verifies what is there.
    #[error("an earlier write failed, reopen the log")]
    Poisoned,
}
