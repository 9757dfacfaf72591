//! Files of a disk whose calls fail as planned: by number, each in one of the ways that a disk has.

use std::ops::Range;

use random_access_storage::testing::{Fault, Faults};
use random_access_storage::{Operation, RandomAccess, Result, SyncScope};

use super::medium::{Op, SyncFault};
use super::{Disk, DiskFile};

/// A file whose calls fail as [`Faults`] say.
///
/// [`Fault`] tells what a failed call leaves; [`SyncFault`] tells it of syncs that lose something.
#[derive(Clone, Debug)]
pub struct FaultyFile {
    file: DiskFile,
    faults: Faults,
}

impl Disk {
    /// As [`file`](Self::file), with the calls of the handle counted and failed by `faults`.
    #[must_use]
    pub fn faulty_file(&self, name: &str, faults: &Faults) -> FaultyFile {
        FaultyFile { file: self.file(name), faults: faults.clone() }
    }
}

impl FaultyFile {
    /// Counts a call of which nothing is done when it fails.
    fn call(&self, operation: Operation, offset: u64, len: u64) -> Result<()> {
        match self.faults.take(operation) {
            None => Ok(()),
            Some(fault) => Err(fault.error(operation, offset, len)),
        }
    }
}

impl RandomAccess for FaultyFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let Some(fault) = self.faults.take(Operation::Read) else {
            return self.file.read_at(offset, buffer);
        };
        let len = buffer.len();
        if fault == Fault::ShortRead {
            self.file.read_at(offset, &mut buffer[..len.div_ceil(2)])?;
        }
        Err(fault.error(Operation::Read, offset, len as u64))
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        let Some(fault) = self.faults.take(Operation::Write) else {
            return self.file.write_at(offset, data);
        };
        if let Fault::ShortWrite { kept } = fault {
            self.file.write_at(offset, data.get(..kept).unwrap_or(data))?;
        }
        Err(fault.error(Operation::Write, offset, data.len() as u64))
    }

    fn discard(&self, offset: u64, len: u64) -> Result<()> {
        self.call(Operation::Discard, offset, len)?;
        self.file.discard(offset, len)
    }

    fn truncate(&self, len: u64) -> Result<()> {
        self.call(Operation::Truncate, 0, len)?;
        self.file.truncate(len)
    }

    fn len(&self) -> Result<u64> {
        self.call(Operation::Stat, 0, 0)?;
        self.file.len()
    }

    fn sync(&self, scope: SyncScope) -> Result<()> {
        let Some(fault) = self.faults.take(Operation::Sync) else { return self.file.sync(scope) };
        let loses = match fault {
            Fault::SyncLoses => Some(SyncFault::Reverts),
            Fault::SyncLingers => Some(SyncFault::Lingers),
            _ => None,
        };
        if let Some(loses) = loses {
            let op = Op::FailedSync(self.file.file, loses);
            self.file.disk.operate(|state| state.apply(op));
        }
        Err(fault.error(Operation::Sync, 0, 0))
    }

    fn stored_len(&self) -> Result<u64> {
        self.call(Operation::Stat, 0, 0)?;
        self.file.stored_len()
    }

    fn next_stored(&self, offset: u64) -> Result<Option<Range<u64>>> {
        self.call(Operation::Stat, offset, 0)?;
        self.file.next_stored(offset)
    }
}
