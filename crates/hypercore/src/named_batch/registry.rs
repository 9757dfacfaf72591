//! The named batches of an open log: where they are kept.

use std::sync::Arc;

use super::name;
use crate::error::{Error, Result};
use crate::side_stores::{Side, SideStores};

/// The named batches of an open log.
#[derive(Debug)]
pub(crate) struct Batches {
    side: Side,
}

impl Batches {
    pub(crate) fn new(side: Side) -> Arc<Self> {
        Arc::new(Self { side })
    }

    pub(crate) fn side(&self) -> &Side {
        &self.side
    }

    /// Where batches are kept.
    ///
    /// # Errors
    /// `Caller` when there is no such place.
    pub(crate) fn stores(&self) -> Result<&dyn SideStores> {
        self.side.stores().ok_or_else(Error::no_side_stores)
    }

    /// The names of the batches that are stored, in order; of stores without a place for batches, none.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let Some(stores) = self.side.stores() else { return Ok(Vec::new()) };
        let mut names = stores.batches().map_err(|error| Error::storage("batches", error))?;
        names.sort_unstable();
        Ok(names)
    }

    /// Deletes a batch.
    pub(crate) fn delete(&self, name: &str) -> Result<()> {
        name::check(name)?;
        self.stores()?.delete_batch(name).map_err(|error| Error::storage("batches", error))
    }

    /// Deletes all batches, for a log that is closed.
    pub(crate) fn delete_all(&self) -> Result<()> {
        self.names()?.iter().try_for_each(|name| self.delete(name))
    }
}
