//! A log whose blocks are values.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::Codec;
use super::streams::{TypedReadStream, TypedWriteSink};
use crate::error::{Error, Result};
use crate::handle::Hypercore;
use crate::info::Appended;
use crate::options::{AppendOptions, GetOptions};
use crate::streams::{ReadStreamOptions, WriteSinkOptions};

impl Hypercore {
    /// This log with blocks that are values of a codec: [`Utf8`](super::Utf8), `Json` (feature `serde`),
    /// [`Binary`](super::Binary), or one's own. It is the same session.
    ///
    /// ```
    /// use hypercore::{Hypercore, Storage, Utf8};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> hypercore::Result<()> {
    /// let log = Hypercore::open(Storage::memory()).await?.typed(Utf8);
    /// log.append("hello").await?;
    /// assert_eq!(log.get(0).await?, "hello");
    /// # Ok(())
    /// # }
    /// ```
    pub fn typed<C: Codec>(&self, codec: C) -> Typed<C> {
        Typed { log: self.clone(), codec: Arc::new(codec) }
    }
}

/// A log whose blocks are values of a codec; see [`Hypercore::typed`].
///
/// Everything that is not about the content of blocks is called on [`log`](Self::log).
#[must_use]
pub struct Typed<C> {
    log: Hypercore,
    codec: Arc<C>,
}

impl<C: Codec> Typed<C> {
    /// The log, with its blocks as bytes.
    #[must_use]
    pub const fn log(&self) -> &Hypercore {
        &self.log
    }

    /// The codec.
    #[must_use]
    pub fn codec(&self) -> &C {
        &self.codec
    }

    /// Appends a value.
    ///
    /// # Durability
    /// That of [`Hypercore::append`].
    ///
    /// # Errors
    /// Those of [`Hypercore::append`]; `Caller` when the value can not be encoded ([`Error::is_codec`]): nothing was
    /// changed.
    pub async fn append(&self, item: &C::Input) -> Result<Appended> {
        let block = self.codec.encode(item).map_err(Error::encode)?;
        self.log.append_owned(vec![block]).await
    }

    /// Appends values, all or none, with one signature.
    ///
    /// # Durability
    /// That of [`Hypercore::append_batch`].
    ///
    /// # Errors
    /// Those of [`append`](Self::append).
    pub async fn append_batch<I: Borrow<C::Input>>(
        &self,
        items: impl IntoIterator<Item = I>,
    ) -> Result<Appended> {
        let blocks = self.encode_batch(items)?;
        self.log.append_owned(blocks).await
    }

    /// Appends values as [`append_batch`](Self::append_batch) does, with options.
    ///
    /// # Durability
    /// That of [`Hypercore::append_with`].
    ///
    /// # Errors
    /// Those of [`Hypercore::append_with`] and of [`append`](Self::append).
    pub async fn append_with<I: Borrow<C::Input>>(
        &self,
        items: impl IntoIterator<Item = I>,
        options: AppendOptions,
    ) -> Result<Appended> {
        let blocks = self.encode_batch(items)?;
        self.log.append_with(blocks, options).await
    }

    /// The value of a block, which is waited for.
    ///
    /// # Errors
    /// Those of [`Hypercore::get`]; `Caller` when it can not be decoded ([`Error::is_codec`]).
    pub async fn get(&self, index: u64) -> Result<C::Item> {
        let block = self.log.get(index).await?;
        decode(&*self.codec, index, block)
    }

    /// The value of a block, as [`get`](Self::get) gives it, with options.
    ///
    /// # Errors
    /// Those of [`Hypercore::get_with`] and of [`get`](Self::get).
    pub async fn get_with(&self, index: u64, options: GetOptions) -> Result<Option<C::Item>> {
        let block = self.log.get_with(index, options).await?;
        block.map(|block| decode(&*self.codec, index, block)).transpose()
    }

    /// The value of a block that is stored here.
    ///
    /// # Errors
    /// Those of [`Hypercore::get_local`] and of [`get`](Self::get).
    pub async fn get_local(&self, index: u64) -> Result<Option<C::Item>> {
        let block = self.log.get_local(index).await?;
        block.map(|block| decode(&*self.codec, index, block)).transpose()
    }

    /// The values one after the other, as [`Hypercore::read_stream`] gives the blocks. A block that can not be decoded is
    /// an error, and the next one follows.
    pub fn read_stream(&self, options: impl Into<ReadStreamOptions>) -> TypedReadStream<C> {
        TypedReadStream::new(self.log.read_stream(options), Arc::clone(&self.codec))
    }

    /// A sink that appends values, as [`Hypercore::write_sink`] does blocks. They are encoded one by one as they come, so that
    /// a value that can not be encoded is refused, and nothing else happens; [`Codec::encode_batch`] is not asked, as nobody
    /// knows yet what will be appended together.
    pub fn write_sink(&self, options: WriteSinkOptions) -> TypedWriteSink<C> {
        TypedWriteSink::new(self.log.write_sink(options), Arc::clone(&self.codec))
    }

    fn encode_batch<I: Borrow<C::Input>>(
        &self,
        items: impl IntoIterator<Item = I>,
    ) -> Result<Vec<Bytes>> {
        let items: Vec<I> = items.into_iter().collect();
        let items: Vec<&C::Input> = items.iter().map(Borrow::borrow).collect();
        self.codec.encode_batch(&items).map_err(Error::encode)
    }
}

/// Decodes block `index`.
pub(super) fn decode<C: Codec>(codec: &C, index: u64, block: Bytes) -> Result<C::Item> {
    codec.decode(block).map_err(|source| Error::decode(index, source))
}

impl<C> Clone for Typed<C> {
    fn clone(&self) -> Self {
        Self { log: self.log.clone(), codec: Arc::clone(&self.codec) }
    }
}

impl<C> fmt::Debug for Typed<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Typed").field("log", &self.log).finish_non_exhaustive()
    }
}
