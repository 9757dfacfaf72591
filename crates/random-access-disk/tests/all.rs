//! The tests that need no process of their own, in one binary: each more would be linked, with all that it stands on,
//! and compile what the others have of generic code once more.

#[path = "conformance.rs"]
mod conformance;
#[path = "naming.rs"]
mod naming;
#[path = "opening.rs"]
mod opening;
#[path = "removed.rs"]
mod removed;
#[path = "sparse.rs"]
mod sparse;
#[path = "unnamed.rs"]
mod unnamed;
