//! The engine over the positioned twin in memory.

mod disk;
mod model;
mod session;
