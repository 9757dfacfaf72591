//! What the logs of a seed are made of: key pairs, manifests, encryption.

use hypercore::{
    BlockKey, CoreKey, Encryption, Hash, KeyPair, Manifest, ManifestSigner, Prologue, Signer as _,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::protocol::{Failure, bytes, number, text};

/// Those who sign together: of three, the first and the last.
const SIGNING: [usize; 2] = [0, 2];

/// The signers of a log that needs two of them.
#[derive(Debug)]
pub(crate) struct Quorum {
    pub(crate) signing: [KeyPair; 2],
    /// The last signs more than the first, if there is more.
    pub(crate) is_patched: bool,
}

/// What a log of our own is made of.
pub(crate) enum Made {
    /// Its key is the bare public key.
    Compat(KeyPair),
    Nobody(Manifest),
    One(KeyPair, Manifest),
    Several(Quorum, Manifest),
}

/// Who signs a kind of manifest.
enum Signing {
    Nobody,
    One,
    Several { is_patched: bool },
}

/// What `"seed"`, `"manifest"` and `"prologue"` say.
pub(crate) fn made(command: &Value, seed: &str) -> Result<Made, Failure> {
    let kind = text(command, "manifest")?;
    let pairs = key_pairs(&bytes(seed)?);
    let [first, _, last] = &pairs;
    let signer = |pair: &KeyPair| ManifestSigner::new(pair.public_key());
    let one = Manifest::builder().signer(signer(first));
    let several = |version| {
        let builder = Manifest::builder().version(version).quorum(SIGNING.len() as u64);
        builder.signers(pairs.iter().map(signer))
    };
    let (builder, signing) = match kind {
        "compat" => return Ok(Made::Compat(first.clone())),
        "v0" => (one.version(0), Signing::One),
        "v1" => (one.version(1), Signing::One),
        "v2" => {
            let linked = CoreKey::from_bytes(sha256(&[b"linked"]));
            (one.linked([linked]).user_data(*b"interop"), Signing::One)
        }
        "quorum" => (several(1), Signing::Several { is_patched: false }),
        "quorum0" => (several(0), Signing::Several { is_patched: false }),
        "patch" => (several(1).allow_patch(), Signing::Several { is_patched: true }),
        "patch0" => (several(0).allow_patch(), Signing::Several { is_patched: true }),
        "static" => (Manifest::builder().version(1), Signing::Nobody),
        _ => return Err(format!("no such manifest: {kind}").into()),
    };
    let prologue = &command["prologue"];
    let manifest = if prologue.is_null() {
        builder
    } else {
        let hash = Hash::from_bytes(bytes(text(prologue, "hash")?)?);
        builder.prologue(Prologue { hash, length: number(prologue, "length")? })
    }
    .build()?;
    Ok(match signing {
        Signing::Nobody => Made::Nobody(manifest),
        Signing::One => Made::One(first.clone(), manifest),
        Signing::Several { is_patched } => {
            let signing = [first.clone(), last.clone()];
            Made::Several(Quorum { signing, is_patched }, manifest)
        }
    })
}

/// The last signer of this seed.
pub(crate) fn last_signer(seed: &[u8; 32]) -> KeyPair {
    let [_, _, last] = key_pairs(seed);
    last
}

/// What `"encryptionKey"` and `"block"` say.
pub(crate) fn encryption(command: &Value) -> Result<Option<Encryption>, Failure> {
    let Some(key) = command["encryptionKey"].as_str() else { return Ok(None) };
    let key = bytes(key)?;
    Ok(Some(if command["block"] == true {
        Encryption::block_key(BlockKey::from_bytes(&key))
    } else {
        Encryption::key(key)
    }))
}

/// Of several signers: the first has the seed itself, the others a hash of it.
fn key_pairs(seed: &[u8; 32]) -> [KeyPair; 3] {
    let other = |number: u8| KeyPair::from_seed(&sha256(&[seed, &[number]]));
    [KeyPair::from_seed(seed), other(1), other(2)]
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}
