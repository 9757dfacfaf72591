//! The page file under the simulator: what is done with it, what it must then show, and who asks.
//!
//! As with the log: a [`Workload`] is a name and a list of steps as data; a [`Model`] is the dullest possible page file
//! and says what each step leaves; a [`Player`] does the steps on a real pager over a simulated disk and compares. What
//! a crash may leave of that is a [`Promise`], and an [`Oracle`] judges images.

#[cfg(canary)]
pub mod canaries;
pub mod crash;
mod faults;
mod medium;
mod model;
mod observe;
mod oracle;
mod play;
pub(crate) mod script;
mod timeline;
mod workloads;

pub use medium::{FILE, Life, PageFile};
pub use model::{Content, Model};
pub use observe::Observed;
pub use oracle::Oracle;
pub use play::{Failure, Player, Setting, open};
pub use script::{Change, End, Step, Write};
pub use timeline::{Promise, Timeline};
pub use workloads::{WORKLOADS, Workload};

use crate::trials::{Case, Cases};

/// Everything that is done with page files, in all formats, page sizes and modes.
#[must_use]
pub fn cases() -> Cases {
    crash::PageCase::all().map(|case| Box::new(case) as Box<dyn Case>).collect()
}
