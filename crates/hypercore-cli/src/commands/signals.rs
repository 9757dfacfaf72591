//! SIGINT and SIGTERM: a request to end in order.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::{Exit, Failure, Outcome, reason};

/// Both signals. From the moment on when it is made, neither kills the process.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn new() -> Outcome<Self> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                let message = format!("signals could not be listened for: {}", reason(&error));
                Failure::new(Exit::Failed, message)
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for one of them. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
