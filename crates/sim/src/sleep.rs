//! SLEEP feeds under the simulator: what is done with one, what it must then show, and who asks.
//!
//! As with the log: a [`Workload`] is a name and a list of steps as data; a [`Model`] is the dullest possible feed and
//! says what each step leaves; a [`Player`] does the steps on a real feed over a simulated disk and compares. What a crash
//! may leave of that is a [`Promise`], and an [`Oracle`] judges images.

mod begin;
#[cfg(canary)]
pub mod canaries;
pub mod crash;
mod faults;
mod model;
mod observe;
mod oracle;
mod play;
pub mod repairs;
mod script;
mod storage;
mod timeline;
mod workloads;

pub use begin::{Begin, Cast};
pub use model::{Block, Model};
pub use observe::{Observed, Shown};
pub use oracle::Oracle;
pub use play::{Failure, Player};
pub use script::{Role, Step};
pub use storage::FeedFiles;
pub use timeline::{Found, Promise, Timeline};
pub use workloads::{WORKLOADS, Workload};

use crate::trials::{Case, Cases};

/// Everything that is done with SLEEP feeds, in all modes, and the repairs of damaged ones.
#[must_use]
pub fn cases() -> Cases {
    let feeds = crash::FeedCase::all().map(|case| Box::new(case) as Box<dyn Case>);
    feeds.chain(repairs::RepairCase::all().map(|case| Box::new(case) as Box<dyn Case>)).collect()
}
