//! Who signs: keys that are kept elsewhere, and signatures by several signers.
//!
//! A [`Signer`] is asked for a signature and waited for; what it gives is checked before anything is
//! stored with it. Waiting itself is the matter of [`outside`](crate::outside).

mod partial;

use std::fmt;

use hypercore_crypto::{
    CoreKey, KeyPair, Manifest, PartialSignature, PublicKey, Signature, ToSign, Verifier,
};
use hypercore_log::LogError;

pub use partial::{PartialOptions, decode_partial_signature, encode_partial_signature};

use crate::encryption::{BoxError, BoxFuture};
use crate::error::{self, Error};

/// Someone who signs for a log and keeps the key to itself: a hardware key, an agent, another machine. See
/// [`Builder::signer`](crate::Builder::signer).
///
/// A [`KeyPair`] is one as well, for calls that take any signer.
pub trait Signer: fmt::Debug + Send + Sync {
    /// The public key that the signatures verify with. Always the same.
    fn public_key(&self) -> PublicKey;

    /// Signs [`ToSign::message`] with Ed25519.
    ///
    /// The log is not locked meanwhile. A signature that is not needed any more, because the log went on or whoever
    /// asked is gone, is thrown away, so the same length may be asked for again with another tree; only what was
    /// stored is ever shown to others. The future may be dropped at any point.
    ///
    /// The log may be read here, and other logs written to. A write to the same log that is waited for here waits for
    /// this one, which waits for the signature: neither ends, unless it has a deadline of its own.
    ///
    /// # Errors
    /// Whatever went wrong: nothing is stored, and the caller gets it as the source of an error
    /// ([`Error::is_outside`]).
    fn sign<'a>(&'a self, to_sign: &'a ToSign) -> BoxFuture<'a, Result<Signature, BoxError>>;
}

impl Signer for KeyPair {
    fn public_key(&self) -> PublicKey {
        self.public()
    }

    fn sign<'a>(&'a self, to_sign: &'a ToSign) -> BoxFuture<'a, Result<Signature, BoxError>> {
        let signature = Self::sign(self, to_sign.message());
        Box::pin(std::future::ready(Ok(signature)))
    }
}

/// What a signer gives, once it is known to be its signature of what was asked for.
pub(crate) async fn ask(signer: &dyn Signer, to_sign: &ToSign) -> error::Result<PartialSignature> {
    let signature = signer.sign(to_sign).await.map_err(Error::not_signed)?;
    to_sign.signed(signature).map_err(Error::signed_otherwise)
}

/// Refuses a signer that the manifest does not let sign alone.
pub(crate) fn check_alone(
    public_key: &PublicKey,
    manifest: &Manifest,
    key: &CoreKey,
) -> error::Result<()> {
    let verifier = Verifier::new(manifest, key).map_err(LogError::Signature)?;
    Ok(verifier.check_alone(public_key).map_err(LogError::KeyPair)?)
}
