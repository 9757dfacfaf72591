//! The bytes of one heap in a file.

use std::borrow::Cow;
use std::fmt;

use crate::heap::WideEntry;
use crate::reader::store::Store;
use crate::source::Source;
use crate::view::View;
use crate::{Decode, HeapBytes, Input, ReadError};

/// A heap of a file that is being read. Cheap to copy.
///
/// Bytes of a source in memory are lent, those of any other are copied.
pub struct HeapReader<'r, S> {
    store: &'r Store<S>,
    /// From the first page of the file.
    start: u64,
    len: u64,
}

impl<'r, S: Source> HeapReader<'r, S> {
    pub(crate) const fn new(store: &'r Store<S>, start: u64, len: u64) -> Self {
        Self { store, start, len }
    }

    /// Bytes of the heap. In a plain file, which does not tell them from the padding of the last page,
    /// the padding counts as far as the file has it.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// `true` when there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// `len` bytes from byte `offset` of the heap on.
    ///
    /// # Errors
    /// [`ReadError::OutsideHeap`] when the heap does not have them, before anything is allocated;
    /// [`ReadError::Io`] and [`ReadError::Checksum`] when they cannot be read.
    pub fn bytes(&self, offset: u64, len: u64) -> Result<Cow<'r, [u8]>, ReadError> {
        let start = self.require(offset, len)?;
        if let Some(bytes) = self.store.slice(start, len)? {
            return Ok(Cow::Borrowed(bytes));
        }
        let outside = ReadError::OutsideHeap { offset, len, heap_len: self.len };
        let mut bytes = vec![0; usize::try_from(len).map_err(|_| outside)?];
        self.store.read(start, &mut bytes)?;
        Ok(Cow::Owned(bytes))
    }

    /// Fills `into` with the bytes from byte `offset` of the heap on.
    ///
    /// # Errors
    /// As [`Self::bytes`].
    pub fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), ReadError> {
        let start = self.require(offset, into.len() as u64)?;
        self.store.read(start, into)
    }

    /// Decodes the value that starts at byte `offset` of the heap.
    ///
    /// # Errors
    /// As [`Self::bytes`]; any other when the bytes are those of no value.
    pub fn decode<C, T: Decode<C>>(&self, offset: u64, context: &mut C) -> Result<T, ReadError> {
        T::decode(&mut Input::from_heap(self, offset)?, context)
    }

    /// Elements of a fixed size that stand back to back, to be decoded one at a time: those of a `Vec`
    /// whose entry was read as [`heap::Entry`](crate::heap::Entry) or [`WideEntry`].
    ///
    /// # Errors
    /// As [`Self::bytes`]; [`ReadError::Invalid`] for elements that do not all take the same number of
    /// bytes, or take none.
    pub fn view<T: Decode>(&self, list: impl Into<WideEntry>) -> Result<View<'r, T>, ReadError> {
        let list = list.into();
        let size = View::<T>::element_size()?;
        let outside =
            ReadError::OutsideHeap { offset: list.offset, len: u64::MAX, heap_len: self.len };
        let len = list.len.checked_mul(size).ok_or(outside)?;
        self.bytes(list.offset, len).and_then(View::new)
    }

    /// The place of a range in the file, once it is known to lie in the heap.
    fn require(&self, offset: u64, len: u64) -> Result<u64, ReadError> {
        match offset.checked_add(len) {
            Some(end) if end <= self.len => Ok(self.start.saturating_add(offset)),
            _ => Err(ReadError::OutsideHeap { offset, len, heap_len: self.len }),
        }
    }
}

impl<S: Source> HeapBytes for HeapReader<'_, S> {
    fn len(&self) -> u64 {
        self.len
    }

    fn bytes(&self, offset: u64, len: u64) -> Result<Cow<'_, [u8]>, ReadError> {
        (*self).bytes(offset, len)
    }

    fn in_memory(&self) -> Option<&[u8]> {
        // Not all of a heap with checksums has been verified.
        let store = self.store;
        let source = || store.in_memory().filter(|_| store.checks().is_none());
        let memory = store.cached_whole().or_else(source)?;
        let range = usize::try_from(self.start).ok().zip(usize::try_from(self.len).ok());
        range.and_then(|(start, len)| memory.get(start..)?.get(..len))
    }
}

impl<S> Clone for HeapReader<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for HeapReader<'_, S> {}

impl<S> fmt::Debug for HeapReader<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeapReader")
            .field("start", &self.start)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
