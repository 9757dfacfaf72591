//! How deep values are in each other while they are written: no deeper than they are read.

use std::cell::Cell;
use std::io;

use crate::WriteError;
use crate::input::DEPTH_MAX;

thread_local! {
    /// Values that the one being written is in. [`Encode`](crate::Encode) has nowhere else to keep it.
    static DEPTH: Cell<u8> = const { Cell::new(0) };
}

/// Leaves a value, however that comes about.
struct Leave;

impl Drop for Leave {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get().saturating_sub(1));
    }
}

/// Writes what may have a value of its own type in it: what [`Input::nested`](crate::Input::nested) reads.
pub(super) fn nested<T>(encode: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let depth = DEPTH.get();
    if depth >= DEPTH_MAX {
        return Err(WriteError::TooDeep.into());
    }
    DEPTH.set(depth.saturating_add(1));
    let _leave = Leave;
    encode()
}
