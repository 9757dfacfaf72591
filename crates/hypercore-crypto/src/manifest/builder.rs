//! Making a manifest from its fields: defaults, and what is refused.

use crate::fixed::CoreKey;
use crate::manifest::{MANIFEST_VERSION_MAX, Manifest, ManifestSigner, Prologue};

/// Most signers, and most linked keys: more would not decode again.
///
/// # Source
/// formats.md section 2 (array).
pub const MANIFEST_LIST_LEN_MAX: usize = compact_encoding::ARRAY_LEN_MAX;

/// Longest prologue: the largest number that decodes again, 2^53 - 1.
const PROLOGUE_LENGTH_MAX: u64 = compact_encoding::UINT_MAX;

/// Why fields do not make a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// There is no such version.
    #[error("manifest version {version} is unknown")]
    UnknownVersion {
        /// What was asked for.
        version: u8,
    },
    /// More must sign than there are signers.
    #[error("a quorum of {quorum} is more than the {signers} signers")]
    QuorumTooLarge {
        /// What was asked for.
        quorum: u64,
        /// How many signers there are.
        signers: usize,
    },
    /// Linked keys or user data need version 2.
    #[error("{what} need manifest version 2, not {version}")]
    NeedsVersion2 {
        /// What was given.
        what: &'static str,
        /// The version asked for.
        version: u8,
    },
    /// Version 0 writes a prologue only without signers, length and patches.
    #[error("a version 0 manifest with a prologue has nothing else")]
    PrologueInVersion0,
    /// More than [`MANIFEST_LIST_LEN_MAX`] signers or linked keys, or a prologue of 2^53 blocks.
    #[error("too many {what}")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
    },
}

/// Collects the fields of a [`Manifest`].
///
/// Left alone: version 1, or 2 when linked keys or user data are given; a quorum of more than half
/// of the signers.
///
/// # Source
/// formats.md section 5.2.
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct ManifestBuilder {
    version: Option<u8>,
    allow_patch: bool,
    quorum: Option<u64>,
    signers: Vec<ManifestSigner>,
    prologue: Option<Prologue>,
    linked: Vec<CoreKey>,
    user_data: Option<Vec<u8>>,
}

impl ManifestBuilder {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Sets the version, 0 to [`MANIFEST_VERSION_MAX`].
    pub fn version(mut self, version: u8) -> Self {
        self.version = Some(version);
        self
    }

    /// Lets signers sign longer trees than the one their signatures are used for.
    pub fn allow_patch(mut self) -> Self {
        self.allow_patch = true;
        self
    }

    /// Sets how many must sign, at most the number of signers.
    pub fn quorum(mut self, quorum: u64) -> Self {
        self.quorum = Some(quorum);
        self
    }

    /// Adds a signer.
    pub fn signer(mut self, signer: ManifestSigner) -> Self {
        self.signers.push(signer);
        self
    }

    /// Adds signers.
    pub fn signers(mut self, signers: impl IntoIterator<Item = ManifestSigner>) -> Self {
        self.signers.extend(signers);
        self
    }

    /// Sets the tree that needs no signature.
    pub fn prologue(mut self, prologue: Prologue) -> Self {
        self.prologue = Some(prologue);
        self
    }

    /// Adds keys of cores that belong to this one.
    pub fn linked(mut self, keys: impl IntoIterator<Item = CoreKey>) -> Self {
        self.linked.extend(keys);
        self
    }

    /// Attaches user data, which may be empty.
    pub fn user_data(mut self, user_data: impl Into<Vec<u8>>) -> Self {
        self.user_data = Some(user_data.into());
        self
    }

    /// Makes the manifest.
    ///
    /// # Errors
    /// [`ManifestError`] says which field does not fit.
    pub fn build(self) -> Result<Manifest, ManifestError> {
        let needs_2 = !self.linked.is_empty() || self.user_data.is_some();
        let version = self.version.unwrap_or(if needs_2 { 2 } else { 1 });
        let majority = match self.signers.len() as u64 {
            0 => 0,
            count => (count / 2).saturating_add(1),
        };
        let manifest = Manifest {
            version,
            allow_patch: self.allow_patch,
            quorum: self.quorum.unwrap_or(majority),
            signers: self.signers,
            prologue: self.prologue,
            linked: (!self.linked.is_empty()).then_some(self.linked),
            user_data: self.user_data,
        };
        check(&manifest)?;
        Ok(manifest)
    }
}

fn check(manifest: &Manifest) -> Result<(), ManifestError> {
    let Manifest { version, allow_patch, quorum, signers, prologue, linked, user_data } = manifest;
    let (version, quorum) = (*version, *quorum);
    if version > MANIFEST_VERSION_MAX {
        return Err(ManifestError::UnknownVersion { version });
    }
    if quorum > signers.len() as u64 {
        return Err(ManifestError::QuorumTooLarge { quorum, signers: signers.len() });
    }
    if version < 2 && linked.is_some() {
        return Err(ManifestError::NeedsVersion2 { what: "linked keys", version });
    }
    if version < 2 && user_data.is_some() {
        return Err(ManifestError::NeedsVersion2 { what: "user data", version });
    }
    if signers.len() > MANIFEST_LIST_LEN_MAX {
        return Err(ManifestError::TooMany { what: "signers" });
    }
    if linked.as_ref().is_some_and(|linked| linked.len() > MANIFEST_LIST_LEN_MAX) {
        return Err(ManifestError::TooMany { what: "linked keys" });
    }
    match prologue {
        Some(prologue) if prologue.length > PROLOGUE_LENGTH_MAX => {
            Err(ManifestError::TooMany { what: "blocks in the prologue" })
        }
        // Its encoding has no room for the rest, which would silently not be part of the key.
        Some(prologue)
            if version == 0 && (!signers.is_empty() || prologue.length != 0 || *allow_patch) =>
        {
            Err(ManifestError::PrologueInVersion0)
        }
        _ => Ok(()),
    }
}
