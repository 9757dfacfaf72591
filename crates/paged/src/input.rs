//! The bytes a value is decoded from, and the heap beside them.
//!
//! An [`Input`] is exactly one entry, or a heap from some byte on. It never hands out more than
//! there is, so whoever decodes from it cannot be led out of the entry or the heap by what is
//! stored there. It knows nothing of files: what a heap is read from is behind [`HeapBytes`].

use std::borrow::Cow;

use crate::ReadError;
use crate::values::TOO_LONG;

/// The bytes of one heap, wherever they are.
pub trait HeapBytes {
    /// Bytes of the heap; padding may count.
    fn len(&self) -> u64;

    /// `true` when there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `len` bytes from byte `offset` on, without a copy where they are in memory in one piece.
    ///
    /// # Errors
    /// [`ReadError::OutsideHeap`] when the heap does not have them, found out before anything is
    /// allocated; whatever reading them meets.
    fn bytes(&self, offset: u64, len: u64) -> Result<Cow<'_, [u8]>, ReadError>;

    /// All bytes, when they are in memory in one piece.
    fn in_memory(&self) -> Option<&[u8]> {
        None
    }
}

impl<H: HeapBytes + ?Sized> HeapBytes for &H {
    fn len(&self) -> u64 {
        (**self).len()
    }

    fn bytes(&self, offset: u64, len: u64) -> Result<Cow<'_, [u8]>, ReadError> {
        (**self).bytes(offset, len)
    }

    fn in_memory(&self) -> Option<&[u8]> {
        (**self).in_memory()
    }
}

impl HeapBytes for [u8] {
    fn len(&self) -> u64 {
        Self::len(self) as u64
    }

    fn bytes(&self, offset: u64, len: u64) -> Result<Cow<'_, [u8]>, ReadError> {
        let outside = ReadError::OutsideHeap { offset, len, heap_len: Self::len(self) as u64 };
        let range = usize::try_from(offset).ok().zip(usize::try_from(len).ok());
        range
            .and_then(|(offset, len)| self.get(offset..)?.get(..len))
            .map(Cow::Borrowed)
            .ok_or(outside)
    }

    fn in_memory(&self) -> Option<&[u8]> {
        Some(self)
    }
}

/// Bytes that are fetched at once while a value of unknown length is decoded from a heap.
const WINDOW_LEN: u64 = 4096;

/// Values in each other that are decoded, one on the stack for each.
pub(crate) const DEPTH_MAX: u8 = 128;

const TOO_DEEP: ReadError = ReadError::Invalid { what: "values in each other, more than 128 deep" };

/// Bytes to decode from, front to back.
#[derive(Debug)]
pub struct Input<'a> {
    rest: &'a [u8],
    beyond: Option<Box<Beyond<'a>>>,
    /// Values that the one being decoded is in, as far as a type can be in itself by them.
    depth: u8,
}

/// What follows `Input::rest` in a heap that is not in memory.
struct Beyond<'a> {
    heap: Box<dyn HeapBytes + 'a>,
    /// What was fetched last.
    window: Vec<u8>,
    /// Bytes of `window` that were taken.
    taken: usize,
    /// First byte of the heap that was not fetched.
    next: u64,
}

impl std::fmt::Debug for Beyond<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Beyond").field("next", &self.next).finish_non_exhaustive()
    }
}

impl<'a> Input<'a> {
    /// Decodes from `bytes` and nothing else.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, beyond: None, depth: 0 }
    }

    /// Decodes from byte `offset` of `heap` on, at most to its end. Bytes are fetched as they are
    /// needed.
    ///
    /// # Errors
    /// [`ReadError::OutsideHeap`] when the heap ends before `offset`.
    pub fn from_heap<H: HeapBytes + ?Sized>(heap: &'a H, offset: u64) -> Result<Self, ReadError> {
        let heap_len = heap.len();
        let outside = ReadError::OutsideHeap { offset, len: 0, heap_len };
        if let Some(bytes) = heap.in_memory() {
            let start = usize::try_from(offset).ok();
            return start.and_then(|start| bytes.get(start..)).map(Self::new).ok_or(outside);
        }
        if offset > heap_len {
            return Err(outside);
        }
        let heap = Box::new(heap);
        let beyond = Beyond { heap, window: Vec::new(), taken: 0, next: offset };
        Ok(Self { rest: &[], beyond: Some(Box::new(beyond)), depth: 0 })
    }

    /// Bytes that are left.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        let beyond = self.beyond.as_deref().map_or(0, Beyond::remaining);
        (self.rest.len() as u64).saturating_add(beyond)
    }

    /// Decodes what may have a value of its own type in it: [`Inline`](crate::Inline) lists and boxes do
    /// it so, and other pointers should. The stack then does not end before the bytes do.
    ///
    /// # Errors
    /// [`ReadError::Invalid`] at a depth of more than 128; those of `decode`.
    pub fn nested<T>(
        &mut self,
        decode: impl FnOnce(&mut Self) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let outside = self.depth;
        self.depth = outside.checked_add(1).filter(|depth| *depth <= DEPTH_MAX).ok_or(TOO_DEEP)?;
        let value = decode(self);
        self.depth = outside;
        value
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// [`ReadError::PastEnd`] when fewer are left; what the heap meets.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        if let Some((head, rest)) = self.rest.split_first_chunk() {
            self.rest = rest;
            return Ok(*head);
        }
        self.array_beyond()
    }

    #[cold]
    fn array_beyond<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let past_end = ReadError::PastEnd { needed: N as u64, available: self.remaining() };
        let (Some(beyond), true) = (self.beyond.as_deref_mut(), self.rest.is_empty()) else {
            return Err(past_end);
        };
        if N as u64 > beyond.remaining() {
            return Err(past_end);
        }
        let mut array = [0; N];
        beyond.read(&mut array)?;
        Ok(array)
    }

    /// The next `len` bytes, without a copy where they are in memory in one piece.
    ///
    /// # Errors
    /// [`ReadError::PastEnd`] when fewer are left, found out before anything is allocated; what
    /// the heap meets.
    pub fn bytes(&mut self, len: u64) -> Result<Cow<'a, [u8]>, ReadError> {
        let at_hand = usize::try_from(len).ok().and_then(|len| self.rest.split_at_checked(len));
        if let Some((head, rest)) = at_hand {
            self.rest = rest;
            return Ok(Cow::Borrowed(head));
        }
        let past_end = ReadError::PastEnd { needed: len, available: self.remaining() };
        let (Some(beyond), true) = (self.beyond.as_deref_mut(), self.rest.is_empty()) else {
            return Err(past_end);
        };
        if len > beyond.remaining() {
            return Err(past_end);
        }
        let mut bytes = vec![0; usize::try_from(len).map_err(|_| TOO_LONG)?];
        beyond.read(&mut bytes)?;
        Ok(Cow::Owned(bytes))
    }

    /// Passes over `len` bytes of padding, whatever they hold.
    ///
    /// # Errors
    /// As [`Self::bytes`].
    pub fn skip(&mut self, len: u32) -> Result<(), ReadError> {
        self.bytes(u64::from(len)).map(|_| ())
    }
}

impl Beyond<'_> {
    fn remaining(&self) -> u64 {
        let fetched = self.window.len().saturating_sub(self.taken) as u64;
        fetched.saturating_add(self.heap.len().saturating_sub(self.next))
    }

    /// Fills `into` with the next bytes, which are known to be there.
    fn read(&mut self, into: &mut [u8]) -> Result<(), ReadError> {
        let fetched = self.window.get(self.taken..).unwrap_or_default();
        let (from_window, beyond) = into.split_at_mut(fetched.len().min(into.len()));
        from_window.copy_from_slice(fetched.get(..from_window.len()).unwrap_or_default());
        self.taken = self.taken.saturating_add(from_window.len());
        if beyond.is_empty() {
            return Ok(());
        }
        let rest = self.heap.len().saturating_sub(self.next);
        let fetched =
            self.heap.bytes(self.next, (beyond.len() as u64).max(WINDOW_LEN).min(rest))?;
        let past_end =
            ReadError::PastEnd { needed: beyond.len() as u64, available: fetched.len() as u64 };
        let (head, tail) = fetched.split_at_checked(beyond.len()).ok_or(past_end)?;
        beyond.copy_from_slice(head);
        self.next = self.next.saturating_add(fetched.len() as u64);
        self.window.clear();
        self.window.extend_from_slice(tail);
        self.taken = 0;
        Ok(())
    }
}
