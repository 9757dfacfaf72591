//! Named batches: persisted, unsigned branches of a log.

pub(crate) mod name;
mod registry;

pub use name::BATCH_NAME_LEN_MAX;
pub(crate) use registry::Batches;
