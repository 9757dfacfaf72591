//! Values as blocks, without async.

use std::borrow::Borrow;
use std::fmt;

use super::wait::Waiting;
use super::{Hypercore, WriteSink};
use crate::codec::Codec;
use crate::error::Result;
use crate::info::Appended;
use crate::options::{AppendOptions, GetOptions};
use crate::streams::{ReadStreamOptions, WriteSinkOptions};

impl Hypercore {
    /// This log with blocks that are values of a codec, as [`typed`](crate::Hypercore::typed) gives it.
    pub fn typed<C: Codec>(&self, codec: C) -> Typed<C> {
        Typed { typed: self.log.typed(codec), waiting: self.waiting }
    }

    /// A sink that appends what it is given, many blocks at a time, as [`write_sink`](crate::Hypercore::write_sink)
    /// gives it.
    pub fn write_sink(&self, options: WriteSinkOptions) -> WriteSink {
        WriteSink { sink: self.log.write_sink(options), waiting: self.waiting }
    }
}

/// A log whose blocks are values of a codec, and whose calls wait: a [`Typed`](crate::Typed) log.
#[must_use]
pub struct Typed<C> {
    typed: crate::Typed<C>,
    waiting: Waiting,
}

impl<C: Codec> Typed<C> {
    /// Does what [`append`](crate::Typed::append) does.
    ///
    /// # Errors
    /// Those of [`append`](crate::Typed::append).
    pub fn append(&self, item: &C::Input) -> Result<Appended> {
        self.waiting.wait(self.typed.append(item))
    }

    /// Does what [`append_batch`](crate::Typed::append_batch) does.
    ///
    /// # Errors
    /// Those of [`append_batch`](crate::Typed::append_batch).
    pub fn append_batch<I: Borrow<C::Input>>(
        &self,
        items: impl IntoIterator<Item = I>,
    ) -> Result<Appended> {
        self.waiting.wait(self.typed.append_batch(items))
    }

    /// Does what [`append_with`](crate::Typed::append_with) does.
    ///
    /// # Errors
    /// Those of [`append_with`](crate::Typed::append_with).
    pub fn append_with<I: Borrow<C::Input>>(
        &self,
        items: impl IntoIterator<Item = I>,
        options: AppendOptions,
    ) -> Result<Appended> {
        self.waiting.wait(self.typed.append_with(items, options))
    }

    /// Does what [`get`](crate::Typed::get) does.
    ///
    /// # Errors
    /// Those of [`get`](crate::Typed::get).
    pub fn get(&self, index: u64) -> Result<C::Item> {
        self.waiting.wait(self.typed.get(index))
    }

    /// Does what [`get_with`](crate::Typed::get_with) does.
    ///
    /// # Errors
    /// Those of [`get_with`](crate::Typed::get_with).
    pub fn get_with(&self, index: u64, options: GetOptions) -> Result<Option<C::Item>> {
        self.waiting.wait(self.typed.get_with(index, options))
    }

    /// Does what [`get_local`](crate::Typed::get_local) does.
    ///
    /// # Errors
    /// Those of [`get_local`](crate::Typed::get_local).
    pub fn get_local(&self, index: u64) -> Result<Option<C::Item>> {
        self.waiting.wait(self.typed.get_local(index))
    }

    /// The values one after the other, as [`read_stream`](crate::Typed::read_stream) gives them.
    pub fn read_stream(&self, options: impl Into<ReadStreamOptions>) -> TypedReadStream<C> {
        TypedReadStream { stream: self.typed.read_stream(options), waiting: self.waiting }
    }
}

impl<C> Clone for Typed<C> {
    fn clone(&self) -> Self {
        Self { typed: self.typed.clone(), waiting: self.waiting }
    }
}

impl<C> fmt::Debug for Typed<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.typed.fmt(f)
    }
}

/// The values of a log one after the other: a [`TypedReadStream`](crate::TypedReadStream) as an iterator.
#[must_use = "nothing is read before it is asked for the next value"]
pub struct TypedReadStream<C> {
    stream: crate::TypedReadStream<C>,
    waiting: Waiting,
}

impl<C: Codec> Iterator for TypedReadStream<C> {
    type Item = Result<C::Item>;

    fn next(&mut self) -> Option<Self::Item> {
        self.waiting.wait(self.stream.next())
    }
}

impl<C> fmt::Debug for TypedReadStream<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stream.fmt(f)
    }
}
