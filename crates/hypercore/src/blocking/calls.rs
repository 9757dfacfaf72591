//! The calls, each waiting for the one of the same name.

use std::ops::{Range, RangeBounds};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use hypercore_crypto::{CoreKey, DiscoveryKey, Hash, PartialSignature};
use hypercore_log::{
    Applied, AuditProgress, AuditReport, BackupProgress, Cleared, Compacted, RecoveryReport,
    RepairProgress, RepairReport,
};

use super::{ByteStream, Events, Hypercore, ReadStream};
use crate::backup::BackupReport;
use crate::error::Result;
use crate::info::{Appended, Info, Purged};
use crate::options::{AppendOptions, GetOptions, SeekOptions, TruncateOptions};
use crate::proofs::{Proof, ProofRequest, Proven, RemoteProof};
use crate::replication::survey::Survey;
use crate::signing::{PartialOptions, Signer};
use crate::streams::{ByteStreamOptions, ReadStreamOptions};

/// Declares calls that wait for those of the same name.
macro_rules! waiting_calls {
    ($(fn $name:ident $(<$generic:ident: $bound:path>)? (&self $(, $argument:ident: $type:ty)*) -> $result:ty;)*) => {
        $(
            #[doc = concat!("Does what [`", stringify!($name), "`](crate::Hypercore::", stringify!($name), ") does.")]
            ///
            /// # Errors
            #[doc = concat!("Those of [`", stringify!($name), "`](crate::Hypercore::", stringify!($name), ").")]
            pub fn $name $(<$generic: $bound>)? (&self $(, $argument: $type)*) -> Result<$result> {
                self.waiting.wait(self.log.$name($($argument),*))
            }
        )*
    };
}

/// Declares calls that have nothing to wait for.
macro_rules! calls_at_once {
    ($(fn $name:ident(&self) -> $result:ty;)*) => {
        $(
            #[doc = concat!("Does what [`", stringify!($name), "`](crate::Hypercore::", stringify!($name), ") does.")]
            #[must_use]
            pub fn $name(&self) -> $result {
                self.log.$name()
            }
        )*
    };
}

/// Writing.
impl Hypercore {
    waiting_calls! {
        fn append(&self, block: impl AsRef<[u8]>) -> Appended;
        fn append_batch<B: AsRef<[u8]>>(&self, blocks: impl IntoIterator<Item = B>) -> Appended;
        fn append_owned(&self, blocks: Vec<Bytes>) -> Appended;
        fn append_with<B: AsRef<[u8]>>(&self, blocks: impl IntoIterator<Item = B>, options: AppendOptions) -> Appended;
        fn clear(&self, blocks: Range<u64>) -> Cleared;
        fn truncate(&self, length: u64, fork: Option<u64>) -> ();
        fn truncate_with(&self, length: u64, options: TruncateOptions) -> ();
        fn flush(&self) -> ();
        fn compact(&self) -> Compacted;
        fn purge(&self) -> Purged;
        fn close(&self) -> ();
    }

    /// Does what [`copy_prologue`](crate::Hypercore::copy_prologue) does.
    ///
    /// # Errors
    /// Those of [`copy_prologue`](crate::Hypercore::copy_prologue).
    pub fn copy_prologue(&self, source: &Self) -> Result<u64> {
        self.waiting.wait(self.log.copy_prologue(&source.log))
    }
}

/// Reading.
impl Hypercore {
    waiting_calls! {
        fn get(&self, index: u64) -> Bytes;
        fn get_with(&self, index: u64, options: GetOptions) -> Option<Bytes>;
        fn get_local(&self, index: u64) -> Option<Bytes>;
        fn has(&self, index: u64) -> bool;
        fn has_range(&self, blocks: Range<u64>) -> bool;
        fn stored_ranges(&self, blocks: Range<u64>, limit: usize) -> Vec<Range<u64>>;
        fn seek(&self, byte: u64) -> (u64, u64);
        fn seek_with(&self, byte: u64, options: SeekOptions) -> Option<(u64, u64)>;
        fn seek_local(&self, byte: u64) -> Option<(u64, u64)>;
        fn tree_hash(&self, length: u64) -> Hash;
        fn tree_hash_local(&self, length: u64) -> Hash;
        fn batches(&self) -> Vec<String>;
        fn delete_batch(&self, name: &str) -> ();
        fn update(&self) -> bool;
        fn wait_for_length(&self, length: u64) -> ();
    }

    /// The blocks one after the other, as [`read_stream`](crate::Hypercore::read_stream) gives them.
    pub fn read_stream(&self, options: impl Into<ReadStreamOptions>) -> ReadStream {
        ReadStream { stream: self.log.read_stream(options), waiting: self.waiting }
    }

    /// The content as one row of bytes, as [`byte_stream`](crate::Hypercore::byte_stream) gives it.
    pub fn byte_stream(&self, options: impl Into<ByteStreamOptions>) -> ByteStream {
        ByteStream { stream: self.log.byte_stream(options), waiting: self.waiting }
    }

    /// What happens to the log from now on, as [`events`](crate::Hypercore::events) tells it.
    pub fn events(&self) -> Events {
        Events { events: self.log.events(), waiting: self.waiting }
    }

    /// The log as it is now, whatever becomes of it, as [`snapshot`](crate::Hypercore::snapshot) gives it.
    ///
    /// # Errors
    /// Those of [`snapshot`](crate::Hypercore::snapshot).
    pub fn snapshot(&self) -> Result<Self> {
        let log = self.waiting.wait(self.log.snapshot())?;
        Ok(Self { log, waiting: self.waiting })
    }
}

/// What it is, and care for it.
impl Hypercore {
    calls_at_once! {
        fn key(&self) -> CoreKey;
        fn discovery_key(&self) -> DiscoveryKey;
        fn length(&self) -> u64;
        fn byte_length(&self) -> u64;
        fn contiguous_length(&self) -> u64;
        fn fork(&self) -> u64;
        fn is_empty(&self) -> bool;
        fn is_closed(&self) -> bool;
        fn writable(&self) -> bool;
        fn active_sessions(&self) -> usize;
    }

    waiting_calls! {
        fn info(&self) -> Info;
        fn verify(&self) -> AuditReport;
        fn verify_with(&self, progress: impl FnMut(AuditProgress) + Send + 'static) -> AuditReport;
        fn repair_with(&self, progress: impl FnMut(RepairProgress) + Send + 'static) -> RepairReport;
    }

    /// Does what [`recovery`](crate::Hypercore::recovery) does.
    ///
    /// # Errors
    /// Those of [`recovery`](crate::Hypercore::recovery).
    pub fn recovery(&self) -> Result<RecoveryReport> {
        self.log.recovery()
    }
}

/// User data.
impl Hypercore {
    waiting_calls! {
        fn user_data(&self, key: &str) -> Option<Bytes>;
        fn set_user_data(&self, key: &str, value: impl AsRef<[u8]>) -> ();
        fn remove_user_data(&self, key: &str) -> ();
    }

    /// Does what [`user_data_range`](crate::Hypercore::user_data_range) does.
    ///
    /// # Errors
    /// Those of [`user_data_range`](crate::Hypercore::user_data_range).
    pub fn user_data_range<'a>(
        &self,
        keys: impl RangeBounds<&'a str>,
        limit: usize,
    ) -> Result<Vec<(String, Bytes)>> {
        self.waiting.wait(self.log.user_data_range(keys, limit))
    }
}

/// Several signers.
impl Hypercore {
    waiting_calls! {
        fn sign_partial(&self, signer: &dyn Signer, length: u64) -> PartialSignature;
        fn sign_partial_with(&self, signer: &dyn Signer, length: u64, options: PartialOptions) -> PartialSignature;
        fn assemble(&self, length: u64, parts: &[PartialSignature]) -> Vec<u8>;
    }
}

/// Proofs and backups.
impl Hypercore {
    waiting_calls! {
        fn create_proof(&self, request: &ProofRequest) -> Option<Proof>;
        fn missing_levels(&self, index: u64) -> u64;
        fn verify_proof(&self, proof: &Proof) -> Proven;
        fn apply_proof(&self, proof: &Proof) -> Applied;
        fn remote_proof(&self, index: Option<u64>) -> Option<RemoteProof>;
        fn backup(&self, directory: impl Into<PathBuf>) -> BackupReport;
        fn backup_with(&self, directory: impl Into<PathBuf>, progress: impl FnMut(BackupProgress) + Send + 'static) -> BackupReport;
        fn pack(&self, file: impl Into<PathBuf>) -> BackupReport;
        fn pack_with(&self, file: impl Into<PathBuf>, progress: impl FnMut(BackupProgress) + Send + 'static) -> BackupReport;
        fn confirm_newest(&self) -> ();
        fn confirm_with_peers(&self, deadline: Duration) -> Survey;
    }

    /// Does what [`needs_confirmation`](crate::Hypercore::needs_confirmation) does.
    ///
    /// # Errors
    /// Those of [`needs_confirmation`](crate::Hypercore::needs_confirmation).
    pub fn needs_confirmation(&self) -> Result<bool> {
        self.log.needs_confirmation()
    }
}
