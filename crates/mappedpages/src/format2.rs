//! Format 2: the layout of this crate.

mod entry;
mod fields;
mod kinds;
mod layout;
mod list;
mod node;
mod record;
mod reference;
mod seal;
mod superblock;
