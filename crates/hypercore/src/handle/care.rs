//! What a log says about itself, and how it is checked and mended.

use hypercore_log::{
    AuditProgress, AuditReport, Compacted, RecoveryReport, RepairProgress, RepairReport,
};

use super::Hypercore;
use crate::error::Result;
use crate::info::Info;

/// Looking after a log.
impl Hypercore {
    /// What the log is and what it takes in its storage, at one moment.
    ///
    /// # Errors
    /// `Io` when the disk does not tell; `Closed`.
    pub async fn info(&self) -> Result<Info> {
        Self::take_turn().await;
        let identity = &self.shared().identity;
        self.session.inline(|view, cipher| {
            let (log, head) = (view.log(), view.head());
            Ok(Info {
                key: identity.key,
                discovery_key: identity.discovery_key,
                writable: self.writable(),
                needs_confirmation: log.needs_confirmation(),
                signer: log.signer(),
                length: head.length,
                byte_length: cipher.content_len(head.byte_length, head.length),
                contiguous_length: view.contiguous_length().min(head.length),
                durable_length: log.durable_length().min(head.length),
                fork: head.fork,
                tree_hash: head.tree_hash,
                compat: log.is_compat(),
                manifest: log.manifest(),
                encrypted: cipher.is_on(),
                padding: cipher.padding(),
                active_sessions: self.active_sessions(),
                storage: log.storage_info()?,
            })
        })
    }

    /// Reads everything that is stored, hashes it again and checks tree, bitfield and signature.
    /// Changes nothing; what is wrong is in the report, not an error.
    ///
    /// # Errors
    /// `Io` when the disk failed, `Closed`.
    pub async fn verify(&self) -> Result<AuditReport> {
        self.verify_with(|_| {}).await
    }

    /// Does what [`verify`](Self::verify) does, and tells `progress` about it on the way, from a
    /// blocking thread.
    ///
    /// # Errors
    /// Those of [`verify`](Self::verify).
    pub async fn verify_with(
        &self,
        mut progress: impl FnMut(AuditProgress) + Send + 'static,
    ) -> Result<AuditReport> {
        self.session.blocking(move |view, _| Ok(view.log().audit(&mut progress)?)).await
    }

    /// Writes again what can be derived from the rest: tree nodes, and which blocks are stored. Head, keys and blocks
    /// stay as they are; damaged blocks of a log that can not be written to here no longer count as stored, so that they
    /// can be fetched again. A [`verify`](Self::verify) after it tells what is left.
    ///
    /// `progress` is told about it on the way, from a blocking thread.
    ///
    /// # Durability
    /// Survives a power cut on return, with either durability.
    ///
    /// # Errors
    /// `Caller` for a handle open for reading, `Corrupt` when the newest header is lost: nothing was changed. `Io` when
    /// the disk failed: reopen the log; `Closed`.
    pub async fn repair_with(
        &self,
        mut progress: impl FnMut(RepairProgress) + Send + 'static,
    ) -> Result<RepairReport> {
        self.session.check_writable()?;
        self.session.blocking_write(move |view, _| Ok(view.log().repair(&mut progress)?)).await
    }

    /// Gives back what no stored block and no live tree node needs: what other programs, a crash, or a log
    /// that was filled out of order have left behind. Clearing and truncating give back what is theirs
    /// by themselves. Nothing that can be read changes, and reads go on meanwhile.
    ///
    /// # Durability
    /// On return all that was written before survives a power cut, with either durability.
    ///
    /// # Errors
    /// `Caller` when this handle may not write; `Io` when the disk failed: reopen the log; `Closed`.
    pub async fn compact(&self) -> Result<Compacted> {
        self.session.check_writable()?;
        self.session.blocking_write(|view, _| Ok(view.log().compact()?)).await
    }

    /// What opening found, and mended.
    ///
    /// # Errors
    /// `Closed`.
    pub fn recovery(&self) -> Result<RecoveryReport> {
        self.session.inline(|view, _| Ok(view.log().recovery().clone()))
    }
}
