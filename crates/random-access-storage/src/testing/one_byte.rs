//! A store that moves one byte per call.

use std::ops::Range;

use crate::{Error, RandomAccess, Result, SyncScope};

/// Splits each read and write into calls of one byte to the store inside.
///
/// Finds users that count on one call being done at once, and implementations that go wrong
/// where parts meet. A write that fails has written a prefix.
#[derive(Clone, Debug)]
pub struct OneByte<S>(S);

impl<S: RandomAccess> OneByte<S> {
    /// Wraps `store`.
    pub fn new(store: S) -> Self {
        Self(store)
    }

    /// The store inside.
    pub fn inner(&self) -> &S {
        &self.0
    }

    /// The error of one byte, as that of the whole call.
    fn whole(error: Error, offset: u64, len: u64) -> Error {
        match error {
            Error::OutOfBounds { end, .. } => Error::OutOfBounds { offset, len, end },
            Error::TooLarge { max, .. } => Error::TooLarge { offset, len, max },
            Error::Io { operation, source, .. } => Error::io(operation, offset, len, source),
            other => other,
        }
    }
}

impl<S: RandomAccess> RandomAccess for OneByte<S> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let len = buffer.len() as u64;
        if buffer.is_empty() {
            return self.0.read_at(offset, buffer);
        }
        if offset.checked_add(len).is_none() {
            return Err(Error::OutOfBounds { offset, len, end: self.0.len()? });
        }
        for (position, byte) in (offset..).zip(buffer.chunks_mut(1)) {
            self.0.read_at(position, byte).map_err(|error| Self::whole(error, offset, len))?;
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        let len = data.len() as u64;
        if data.is_empty() {
            return self.0.write_at(offset, data);
        }
        if offset.checked_add(len).is_none() {
            return Err(Error::TooLarge { offset, len, max: u64::MAX });
        }
        for (position, byte) in (offset..).zip(data.chunks(1)) {
            self.0.write_at(position, byte).map_err(|error| Self::whole(error, offset, len))?;
        }
        Ok(())
    }

    fn discard(&self, offset: u64, len: u64) -> Result<()> {
        self.0.discard(offset, len)
    }

    fn truncate(&self, len: u64) -> Result<()> {
        self.0.truncate(len)
    }

    fn len(&self) -> Result<u64> {
        self.0.len()
    }

    fn sync(&self, scope: SyncScope) -> Result<()> {
        self.0.sync(scope)
    }

    fn stored_len(&self) -> Result<u64> {
        self.0.stored_len()
    }

    fn next_stored(&self, offset: u64) -> Result<Option<Range<u64>>> {
        self.0.next_stored(offset)
    }
}
