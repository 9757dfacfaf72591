//! A conformance suite for implementers, and backends for the tests of those who use a store.
//!
//! Nothing here is meant for production. What panics is a failed check, or a test that is wrong.
//!
//! | | |
//! |---|---|
//! | [`conformance`], [`conformance_large`] | does a store do what the crate documentation says? |
//! | [`OneByte`] | moves one byte per call |
//! | [`Recording`], [`Journal`] | says which calls were made |
//! | [`FaultyDisk`], [`Faults`] | fails the N-th call in each way a disk can; keeps durable and volatile content apart |

mod conformance;
mod faulty;
mod one_byte;
mod recording;

pub use conformance::{conformance, conformance_large};
pub use faulty::{Fault, Faults, FaultyDisk};
pub use one_byte::OneByte;
pub use recording::{Call, Journal, Recorded, Recording};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A test that panicked elsewhere must not hide behind a poisoned lock.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
