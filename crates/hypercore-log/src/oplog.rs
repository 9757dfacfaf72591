//! The oplog file: two header slots and the entries written since the newer header.
