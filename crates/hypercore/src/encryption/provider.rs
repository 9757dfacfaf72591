//! Encryption of one's own: where keys come from elsewhere, or blocks are sealed in another way.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// A future as the traits for one's own signers and encryption give it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a signer or an encryption of one's own failed.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The most bytes that a stored block may have more than its content.
///
/// [`Builder::open`](crate::Builder::open) refuses a provider that asks for more: every reader limits stored blocks to
/// [`BLOCK_LEN_MAX`](crate::BLOCK_LEN_MAX) and so many bytes.
pub const PADDING_LEN_MAX: usize = 64;

/// A way of one's own to encrypt the blocks of a log; see [`Encryption::provider`](crate::Encryption::provider).
///
/// Both calls are asynchronous, so a key may come from somewhere else each time. While one runs, the log
/// is not locked: others read and append. Futures may be dropped at any point. An `encrypt` that waits for a write to the
/// same log waits for itself.
///
/// What is stored is what `encrypt` gives; the log's hashes and its signature cover that, so nothing has to
/// be authenticated here.
pub trait EncryptionProvider: fmt::Debug + Send + Sync {
    /// Bytes that every stored block has more than its content, at most [`PADDING_LEN_MAX`].
    ///
    /// Asked once, when a session begins. It must be the same for every block of the log and for all who read
    /// it: lengths and places in bytes are counted with it.
    fn padding_len(&self) -> usize;

    /// Encrypts the content of block `index` into exactly [`padding_len`](Self::padding_len) bytes more.
    ///
    /// `fork` is the log's fork at this time; in a named batch, whose blocks are not signed yet, a random number of 2^63
    /// and up. No two different blocks are stored with the same index and number, so both together make a nonce. A
    /// reader is not told the number: what it needs of it has to be in the stored bytes. When somebody else appended
    /// first, this is called again for the same content; what it gave before is thrown away.
    ///
    /// # Errors
    /// Whatever went wrong: nothing is appended, and the caller gets it as the source of an error
    /// ([`Error::is_outside`](crate::Error::is_outside)).
    fn encrypt<'a>(
        &'a self,
        index: u64,
        fork: u64,
        content: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, BoxError>>;

    /// Decrypts block `index` as it is stored. The bytes are those that were signed, but who signed them may
    /// have stored anything, also less than the padding.
    ///
    /// # Errors
    /// Whatever went wrong, for example a key that is not known here.
    fn decrypt<'a>(
        &'a self,
        index: u64,
        stored: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, BoxError>>;
}
