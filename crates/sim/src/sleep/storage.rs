//! The files of a SLEEP feed on a simulated disk.

use std::sync::Arc;

use random_access_storage::testing::{Fault, Faults};
use random_access_storage::{Operation, RandomAccess, Result};
use sleep::{Access, FileName, Storage};

use crate::disk::Disk;

/// The six files on a disk, each under its own name, with the calls failing that the faults plan.
#[derive(Clone, Debug)]
pub struct FeedFiles {
    disk: Disk,
    faults: Faults,
}

impl FeedFiles {
    /// On `disk`, where every call does what it should.
    #[must_use]
    pub fn on(disk: &Disk) -> Self {
        Self::failing(disk, &Faults::none())
    }

    /// On `disk`, with the calls failing that `faults` plan.
    #[must_use]
    pub fn failing(disk: &Disk, faults: &Faults) -> Self {
        Self { disk: disk.clone(), faults: faults.clone() }
    }
}

impl Storage for FeedFiles {
    fn open(&self, name: FileName, access: Access) -> Result<Option<Arc<dyn RandomAccess>>> {
        let fault: Option<Fault> = self.faults.take(Operation::Open);
        if let Some(fault) = fault {
            return Err(fault.error(Operation::Open, 0, 0));
        }
        let name = name.as_str();
        if !self.disk.has(name) {
            if access != Access::Create {
                return Ok(None);
            }
            let _made = self.disk.create(name);
        }
        Ok(Some(Arc::new(self.disk.faulty_file(name, &self.faults))))
    }
}
