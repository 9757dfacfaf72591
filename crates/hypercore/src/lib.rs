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
//! # Storage
//!
//! A directory holds one log, in the format of JavaScript Hypercore 10: each opens what the other
//! wrote. The `oplog` file holds the secret key and has mode 0600; lose the directory and nobody
//! can append any more. One handle writes at a time: a second opener, in this or another process,
//! gets an error that [`Error::is_locked`] tells apart. See [`Storage`] and [`Access`].
//!
//! # Durability
//!
//! After a crash, opening finds a valid prefix of the log: every block is checked against what was
//! signed, and a torn tail is cut. Which blocks are certain to be there is chosen on opening:
//!
//! - [`Durability::Immediate`], the default: those whose append returned. Appends at the same time
//!   share one signature and the syncs.
//! - [`Durability::Eventual`]: those too, if the process was killed; after a power cut, those whose
//!   append returned before the last flush began. A flush begins at most [`EVENTUAL_FLUSH_AFTER`] after
//!   the first append that waits for one, on [`flush`](Hypercore::flush), and on
//!   [`close`](Hypercore::close).
//!
//! # Replication
//!
//! A log is replicated over any stream of bytes, with this implementation or with JavaScript Hypercore
//! 10 and 11:
//!
//! ```
//! use hypercore::{Hypercore, Role, Storage};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let log = Hypercore::open(Storage::memory()).await?;
//! log.append_batch(["a", "b", "c"]).await?;
//! let copy = Hypercore::builder(Storage::memory()).key(log.key()).open().await?;
//!
//! let (here, there) = tokio::io::duplex(4096); // a TCP socket, most of the time
//! let serving = log.replicate(here, Role::Responder);
//! let reading = copy.replicate(there, Role::Initiator);
//!
//! assert_eq!(copy.get(1).await?, "b"); // one block, proven, and no other
//! copy.download(0..3)?.done().await?; // all that were there
//! log.append("d").await?;
//! assert_eq!(copy.get(3).await?, "d"); // what comes later comes as well
//!
//! reading.close(); // or drop it
//! println!("{}", serving.await);
//! # Ok(())
//! # }
//! ```
//!
//! - Who knows the [key](Hypercore::key) can read; nobody can read without it, and the key is not told.
//!   Who knows only the encrypted half ([`Builder::encryption_key`] missing) can mirror the log.
//! - What arrives is verified before it is stored; what is stored here is served to others, whoever
//!   brought it. What was appended is announced once it is durable.
//! - [`get`](Hypercore::get), [`seek`](Hypercore::seek) and [`tree_hash`](Hypercore::tree_hash) wait
//!   for peers; [`get_local`](Hypercore::get_local), [`seek_local`](Hypercore::seek_local) and
//!   [`tree_hash_local`](Hypercore::tree_hash_local) never do. Dropping a future takes the wish back.
//! - A [`ProtocolStream`] carries many logs, and says which others the other side offers.
//! - A peer costs some 16 KiB while nothing happens, 1 MiB and a frame while it is busy. One that does
//!   not read, says nothing or breaks the rules is let go with an [`EndReason`]; the others do not
//!   notice.
//! - Two histories that were signed for one fork [freeze](Hypercore::conflict) the log.
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
mod handle;
mod info;
mod key;
mod named_batch;
mod options;
mod outside;
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
pub use named_batch::BATCH_NAME_LEN_MAX;
pub use options::{Access, AppendOptions, GetOptions, SeekOptions};
pub use proofs::{Proof, ProofRequest, Proven, RemoteProof, RemoteProven};
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
pub use signing::{PartialOptions, Signer};
pub use storage::{MemoryStorage, Storage};
pub use streams::{
    BATCH_LEN, ByteStream, ByteStreamOptions, PREFETCH_LEN, ReadStream, ReadStreamOptions,
    WriteSink, WriteSinkOptions,
};

pub use bytes::{self, Bytes};
pub use compact_encoding::DecodeError;
pub use hypercore_crypto::{
    BlockKey, CoreKey, DiscoveryKey, Hash, KeyIdEncryption, KeyPair, Manifest, ManifestBuilder,
    ManifestError, ManifestSigner, Namespace, PartialSignature, Prologue, PublicKey, Signature,
    SignatureNode, SignedTree, ToSign, Verifier, VerifyError, id, signable_length,
};
pub use hypercore_log::{
    Applied, AuditProgress, AuditReport, Audited, BLOCK_LEN_MAX, Cleared, Compacted, Conflict,
    Corruption, Create, Durability, FileName, Finding, RecoveryReport, RepairProgress,
    RepairReport, StorageInfo, Stores, USER_DATA_LEN_MAX,
};
pub use random_access_storage::{Error as StoreError, RandomAccess};
pub use secret_stream::{Handshake, PublicKey as StreamPublicKey, Role};
