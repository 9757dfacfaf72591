//! Values of an application as blocks, and the log as seen through them.
//!
//! A [`Codec`] knows values and bytes and nothing of logs; a [`Typed`] log has it encode on the way in and decode on the
//! way out. Codecs are chosen by the one who calls: nothing of them is stored.

#[cfg(feature = "serde")]
mod json;
mod streams;
mod typed;

use std::borrow::Borrow;

use bytes::Bytes;

#[cfg(feature = "serde")]
pub use json::Json;
pub use streams::{TypedReadStream, TypedWriteSink};
pub use typed::Typed;

use crate::encryption::BoxError;

/// How values are kept in blocks; see [`Hypercore::typed`](crate::Hypercore::typed).
///
/// ```
/// use hypercore::{BoxError, Bytes, Codec, Hypercore, Storage};
///
/// /// Numbers of four bytes, the smallest first.
/// struct Numbers;
///
/// impl Codec for Numbers {
///     type Item = u32;
///     type Input = u32;
///
///     fn encode(&self, item: &u32) -> Result<Bytes, BoxError> {
///         Ok(Bytes::copy_from_slice(&item.to_le_bytes()))
///     }
///
///     fn decode(&self, block: Bytes) -> Result<u32, BoxError> {
///         Ok(u32::from_le_bytes(block[..].try_into()?))
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() -> hypercore::Result<()> {
/// let log = Hypercore::open(Storage::memory()).await?.typed(Numbers);
/// log.append_batch([7, 8, 9]).await?;
/// assert_eq!(log.get(1).await?, 8);
/// # Ok(())
/// # }
/// ```
pub trait Codec: Send + Sync {
    /// What a block is decoded to.
    type Item: Borrow<Self::Input>;
    /// What is encoded: the same, or what can be borrowed of it, like `str` of a `String`.
    type Input: ?Sized;

    /// Makes a block of a value.
    ///
    /// # Errors
    /// Why the value can not be a block: nothing is appended.
    fn encode(&self, item: &Self::Input) -> Result<Bytes, BoxError>;

    /// Makes a value of a block again.
    ///
    /// # Errors
    /// Why the block is none of this codec's. Whoever may sign decides what is in a block, so anything can be.
    fn decode(&self, block: Bytes) -> Result<Self::Item, BoxError>;

    /// Makes the blocks of values that are appended together with one call: one of each, if not said otherwise. A
    /// [sink](Typed::write_sink) encodes each value as it comes.
    ///
    /// # Errors
    /// Those of [`encode`](Self::encode).
    fn encode_batch(&self, items: &[&Self::Input]) -> Result<Vec<Bytes>, BoxError> {
        items.iter().map(|item| self.encode(item)).collect()
    }
}

/// Blocks as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Binary;

impl Codec for Binary {
    type Item = Bytes;
    type Input = [u8];

    fn encode(&self, item: &[u8]) -> Result<Bytes, BoxError> {
        Ok(Bytes::copy_from_slice(item))
    }

    fn decode(&self, block: Bytes) -> Result<Bytes, BoxError> {
        Ok(block)
    }
}

/// Text. A block that is not UTF-8 is an error, where JavaScript puts other characters in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Utf8;

impl Codec for Utf8 {
    type Item = String;
    type Input = str;

    fn encode(&self, item: &str) -> Result<Bytes, BoxError> {
        Ok(Bytes::copy_from_slice(item.as_bytes()))
    }

    fn decode(&self, block: Bytes) -> Result<String, BoxError> {
        Ok(String::from_utf8(block.into())?)
    }
}
