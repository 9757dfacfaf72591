//! Named batches: what they hold beside the log, across restarts, and what a commit makes of them.

mod committing;
mod common;
mod keeping;
mod model;
mod writing;
