//! Format 2: the layout of this crate.

pub(crate) mod entry;
pub(crate) mod fields;
pub(crate) mod kinds;
pub(crate) mod layout;
pub(crate) mod list;
pub(crate) mod node;
pub(crate) mod record;
pub(crate) mod reference;
pub(crate) mod seal;
pub(crate) mod superblock;
