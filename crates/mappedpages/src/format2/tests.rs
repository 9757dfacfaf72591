//! The engine over the positioned twin in memory.

mod damage;
mod disk;
mod format_page;
mod journal;
mod model;
mod session;
mod sizes;
mod staging;
