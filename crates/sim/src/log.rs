//! The log under the simulator: what is done with it, what it must then show, and who asks.
//!
//! A [`Workload`] is a name and a [`Script`]: steps as data, so that whoever enumerates crashes, faults or
//! planted bugs does the same things. A [`Model`] is the dullest possible log and says what each step
//! leaves; a [`Player`] does the steps on a real one and compares.

pub mod branches;
#[cfg(canary)]
pub mod canaries;
pub mod crash;
mod faults;
mod model;
mod oracle;
mod play;
mod record;
pub(crate) mod script;
mod timeline;
mod workloads;

pub use model::{Fingerprint, Model};
pub use oracle::Oracle;
pub use play::{Failure, Player, Watch, change};
pub use record::Recorder;
pub use script::{Cast, Role, Script, Step, stores_on};
pub use timeline::{Claim, Moment, NOTHING, Observed, Promise, Timeline};
pub use workloads::{WORKLOADS, Workload};

use crate::trials::{Case, Cases};

/// Everything that is done with logs and branches, in all modes.
#[must_use]
pub fn cases() -> Cases {
    let logs = crash::LogCase::all().map(|case| Box::new(case) as Box<dyn Case>);
    logs.chain(branches::BranchCase::all().map(|case| Box::new(case) as Box<dyn Case>)).collect()
}
