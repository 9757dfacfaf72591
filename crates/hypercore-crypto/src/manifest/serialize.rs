//! What serde makes of a manifest: its fields where people read it, its encoding elsewhere.

use compact_encoding::{Decode as _, Encode as _};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fixed::{CoreKey, Hash, Namespace, PublicKey};
use crate::manifest::{Manifest, ManifestSigner, Prologue};
use crate::serialize::{HexBytes, checked};

/// A manifest as people read it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestForm {
    version: u8,
    allow_patch: bool,
    quorum: u64,
    signers: Vec<SignerForm>,
    prologue: Option<PrologueForm>,
    linked: Option<Vec<CoreKey>>,
    user_data: Option<HexBytes>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignerForm {
    namespace: Namespace,
    public_key: PublicKey,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrologueForm {
    hash: Hash,
    length: u64,
}

impl Serialize for Manifest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_bytes(&self.to_vec());
        }
        let signer = |signer: &ManifestSigner| SignerForm {
            namespace: signer.namespace,
            public_key: signer.public_key,
        };
        let prologue = |Prologue { hash, length }| PrologueForm { hash, length };
        let form = ManifestForm {
            version: self.version(),
            allow_patch: self.allow_patch(),
            quorum: self.quorum(),
            signers: self.signers().iter().map(signer).collect(),
            prologue: self.prologue().map(prologue),
            linked: self.linked().map(<[CoreKey]>::to_vec),
            user_data: self.user_data().map(|bytes| HexBytes(bytes.to_vec())),
        };
        form.serialize(serializer)
    }
}

/// Takes what the encoding takes, also a manifest whose quorum nobody can reach: what was signed long ago stays readable.
impl<'de> Deserialize<'de> for Manifest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            let HexBytes(bytes) = HexBytes::deserialize(deserializer)?;
            return Self::from_slice(&bytes).map_err(D::Error::custom);
        }
        let form = ManifestForm::deserialize(deserializer)?;
        let signer = |SignerForm { namespace, public_key }: SignerForm| ManifestSigner {
            namespace,
            public_key,
        };
        let prologue = |PrologueForm { hash, length }| Prologue { hash, length };
        checked(Self {
            version: form.version,
            allow_patch: form.allow_patch,
            quorum: form.quorum,
            signers: form.signers.into_iter().map(signer).collect(),
            prologue: form.prologue.map(prologue),
            linked: form.linked,
            user_data: form.user_data.map(|HexBytes(bytes)| bytes),
        })
    }
}
