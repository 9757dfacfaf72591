//! A signed, append-only log that anyone can share and verify block by block.
//!
//! This crate is the front door: it opens a log in a directory or in memory, gives a handle that any
//! number of tasks use at once, and replicates the log over any stream. What it composes (the engine,
//! the tree, the keys, the storage, the protocol) are crates of their own. It does not merge writers,
//! does not order several logs, and does not find peers.
//!
//! ```
//! use hypercore::Hypercore;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let scratch = tempfile::tempdir()?;
//! # let directory = scratch.path().join("log");
//! let log = Hypercore::open(&directory).await?;
//! log.append("hello").await?;
//! log.append_batch(["many", "at", "once"]).await?;
//!
//! assert_eq!(log.length(), 4);
//! assert_eq!(log.get_local(3).await?.as_deref(), Some(&b"once"[..]));
//! println!("readers need this key: {}", log.key());
//! log.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # The guide
//!
//! | page | is about |
//! |---|---|
//! | [storage](guide::storage) | directories, memory, stores of one's own; clearing, backups, damage |
//! | [durability](guide::durability) | what is still there after a crash, and after a future was dropped |
//! | [sessions](guide::sessions) | sessions, snapshots, named batches, streams, events |
//! | [encryption](guide::encryption) | keys, encryption of one's own, what it hides and what not |
//! | [signing](guide::signing) | who may write: keys elsewhere, several signers, beginnings that are given |
//! | [replication](guide::replication) | copies, waiting for peers, proofs |
//! | [coming from JavaScript](guide::coming_from_javascript) | every method, property, option and event of JavaScript Hypercore, and what it is here |
//!
//! Programs to start from are in `examples/`; each shows something when it is run.
//!
//! # Runtime
//!
//! Opening needs a tokio runtime; its timer and I/O driver are not used, but for replication and timeouts, which
//! need the timer. Long calls (large reads and appends, all that syncs, audits) run on its blocking
//! threads; short ones run inline. After opening, any executor may await the calls. What
//! [`Durability::Eventual`] still owes when the runtime goes away is synced then.
//!
//! # Features
//!
//! - `blocking`: the module `blocking`, the same log for programs without a runtime.
//! - `serde`: `Json`, a codec for values; what a log tells ([`Info`], [`Appended`], [`BackupReport`]), manifests and proofs
//!   as JSON with hex digits.
#![forbid(unsafe_code)]

mod background;
mod backup;
mod batch;
#[cfg(feature = "blocking")]
pub mod blocking;
mod builder;
mod codec;
mod encryption;
mod error;
mod events;
pub mod guide;
mod handle;
mod info;
mod key;
mod named_batch;
mod options;
mod outside;
mod packed;
mod proofs;
mod queue;
mod replication;
#[cfg(feature = "serde")]
mod serialize;
mod session;
mod shared;
mod side_stores;
mod signing;
mod snapshot;
mod storage;
mod streams;
mod turns;
mod user_data;
mod view;

pub use background::EVENTUAL_FLUSH_AFTER;
pub use backup::BackupReport;
pub use builder::{Builder, random_key_pair};
#[cfg(feature = "serde")]
pub use codec::Json;
pub use codec::{Binary, Codec, Typed, TypedReadStream, TypedWriteSink, Utf8};
pub use encryption::{BoxError, BoxFuture, Encryption, EncryptionProvider, PADDING_LEN_MAX};
pub use error::{Error, ErrorKind, Result};
pub use events::{EVENTS_MAX, EXTENSION_LEN_MAX, Event, Events, PeerId};
pub use handle::Hypercore;
pub use info::{Appended, Info, Purged, decode_manifest, encode_manifest};
pub use key::IntoCoreKey;
pub use named_batch::{BATCH_NAME_LEN_MAX, BatchBuilder, CommitOptions, NamedBatch};
pub use options::{Access, AppendOptions, GetOptions, SeekOptions, TruncateOptions};
pub use proofs::{Conflict, Proof, ProofRequest, Proven, RemoteProof, RemoteProven};
pub use replication::download::{Download, DownloadProgress, DownloadRange};
pub use replication::extension::Extension;
pub use replication::fetch::FindingPeers;
pub use replication::options::{
    HANDSHAKE_MAX, KEEP_ALIVE_AFTER, Offer, PeerOptions, SILENCE_MAX, STALL_MAX, StreamOptions,
};
pub use replication::peers::{Peer, PeerInfo, Traffic};
pub use replication::pipe::MessagePipe;
pub use replication::reason::EndReason;
pub use replication::stream::{ProtocolStream, Replication};
pub use replication::survey::{PeerAnswer, Survey};
pub use session::SessionBuilder;
pub use side_stores::SideStores;
pub use signing::{PartialOptions, Signer, decode_partial_signature, encode_partial_signature};
pub use storage::{MemoryStorage, Storage};
pub use streams::{
    BATCH_LEN, ByteStream, ByteStreamOptions, PREFETCH_LEN, ReadStream, ReadStreamOptions,
    WriteSink, WriteSinkOptions,
};

pub use bytes::{self, Bytes};
pub use compact_encoding::DecodeError;
pub use hypercore_crypto::{
    AssembleError, BlockKey, CoreKey, DiscoveryKey, Hash, HexError, KeyIdEncryption, KeyPair,
    KeyPairMismatch, LengthError, Manifest, ManifestBuilder, ManifestError, ManifestSigner,
    Namespace, PartialSignature, Prologue, PublicKey, SignError, Signature, SignatureNode,
    SignedTree, ToSign, Verifier, VerifyError, discovery_key, id, signable_length,
};
pub use hypercore_log::{
    Applied, AuditProgress, AuditReport, Audited, BLOCK_LEN_MAX, BackupProgress, Cleared,
    Compacted, Corruption, Create, Durability, FileName, Finding, RecoveryReport, RepairProgress,
    RepairReport, StorageInfo, Stores, USER_DATA_LEN_MAX,
};
pub use random_access_storage::{Error as StoreError, RandomAccess};
pub use secret_stream::{Handshake, PublicKey as StreamPublicKey, Role};
