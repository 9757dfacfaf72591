//! The tasks, one module each, or one a small family.

pub(crate) mod binaries;
pub(crate) mod binary;
pub(crate) mod canaries;
pub(crate) mod checks;
pub(crate) mod ci;
pub(crate) mod crash;
pub(crate) mod deeper;
pub(crate) mod demo;
pub(crate) mod deny;
pub(crate) mod faults;
pub(crate) mod formats;
pub(crate) mod fuzz;
pub(crate) mod layers;
pub(crate) mod loom;
pub(crate) mod network;
pub(crate) mod promises;
pub(crate) mod references;
pub(crate) mod test;
pub(crate) mod tidy;
