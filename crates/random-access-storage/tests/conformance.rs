//! The suite passes on the disk model, plain and wrapped, and catches stores that are wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use random_access_storage::testing::{
    Faults, FaultyDisk, Journal, OneByte, Recording, conformance, conformance_large,
};
use random_access_storage::{Error, RandomAccess, Result, SyncScope};

fn disk() -> FaultyDisk {
    FaultyDisk::new(&Faults::none())
}

#[test]
fn the_disk_model_conforms() {
    conformance(disk);
    conformance_large(disk);
}

#[test]
fn a_disk_read_one_byte_at_a_time_conforms() {
    conformance(|| OneByte::new(disk()));
}

#[test]
fn a_recorded_disk_conforms() {
    conformance(|| Recording::new("disk", disk(), &Journal::new()));
}

#[test]
fn boxes_and_arcs_conform() {
    conformance(|| Box::new(disk()) as Box<dyn RandomAccess>);
    conformance(|| Arc::new(disk()) as Arc<dyn RandomAccess>);
}

/// The least an implementer can write: everything provided stays as provided.
#[derive(Debug, Default)]
struct Plain {
    bytes: Mutex<Vec<u8>>,
    slip: Slip,
}

/// The mistakes that the published implementations make.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Slip {
    #[default]
    None,
    EmptyWriteGrows,
    DiscardKeepsBytes,
    DiscardPastTheEndShrinksNothing,
    RegrownBytesReturn,
    ShortReadIsZeros,
}

/// Positions past this are answered without being stored: a vector cannot be sparse.
const DENSE_LEN_MAX: u64 = 1 << 22;

impl RandomAccess for Plain {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let bytes = self.bytes.lock().unwrap();
        let len = buffer.len() as u64;
        let end = bytes.len() as u64;
        if offset.checked_add(len).is_none_or(|last| last > end) {
            if self.slip == Slip::ShortReadIsZeros {
                buffer.fill(0);
                return Ok(());
            }
            return Err(Error::OutOfBounds { offset, len, end });
        }
        buffer.copy_from_slice(&bytes[offset as usize..][..buffer.len()]);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        if data.is_empty() && (self.slip != Slip::EmptyWriteGrows || offset > 100) {
            return Ok(());
        }
        let len = data.len() as u64;
        let end = offset.checked_add(len).filter(|end| *end <= DENSE_LEN_MAX);
        let end = end.ok_or(Error::TooLarge { offset, len, max: DENSE_LEN_MAX })? as usize;
        let mut bytes = self.bytes.lock().unwrap();
        let grown = bytes.len().max(end);
        bytes.resize(grown, 0);
        bytes[offset as usize..end].copy_from_slice(data);
        Ok(())
    }

    fn discard(&self, offset: u64, len: u64) -> Result<()> {
        let mut bytes = self.bytes.lock().unwrap();
        let end = offset.saturating_add(len);
        if len == 0 || offset >= bytes.len() as u64 {
        } else if end >= bytes.len() as u64 {
            if self.slip != Slip::DiscardPastTheEndShrinksNothing {
                bytes.truncate(offset as usize);
            }
        } else if self.slip != Slip::DiscardKeepsBytes {
            bytes[offset as usize..end as usize].fill(0);
        }
        Ok(())
    }

    fn truncate(&self, len: u64) -> Result<()> {
        if len > DENSE_LEN_MAX {
            return Err(Error::TooLarge { offset: 0, len, max: DENSE_LEN_MAX });
        }
        let fill = if self.slip == Slip::RegrownBytesReturn { 1 } else { 0 };
        self.bytes.lock().unwrap().resize(len as usize, fill);
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn sync(&self, _: SyncScope) -> Result<()> {
        Ok(())
    }
}

/// The name of the first case that the store fails, if any.
fn first_failure(slip: Slip) -> Option<String> {
    let run = AssertUnwindSafe(|| conformance(|| Plain { slip, ..Plain::default() }));
    let message = catch_unwind(run).err()?;
    let message = message.downcast::<String>().map(|text| *text).unwrap_or_default();
    Some(message)
}

#[test]
fn a_dense_vector_is_right_until_it_has_to_be_sparse() {
    let message = first_failure(Slip::None).unwrap();
    assert!(message.starts_with("far apart"), "{message}");
}

#[test]
fn the_slips_of_earlier_implementations_are_caught() {
    for slip in [
        Slip::EmptyWriteGrows,
        Slip::DiscardKeepsBytes,
        Slip::DiscardPastTheEndShrinksNothing,
        Slip::RegrownBytesReturn,
        Slip::ShortReadIsZeros,
    ] {
        let message = first_failure(slip).unwrap();
        assert!(!message.starts_with("far apart"), "{slip:?}: {message}");
    }
}
