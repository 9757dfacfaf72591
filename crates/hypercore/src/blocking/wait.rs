//! How a call without async waits for one with it: a runtime that all logs share, and a thread that sleeps meanwhile.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use tokio::runtime::{Builder, Runtime};
use tokio::task::coop::unconstrained;

use crate::error::{Error, Result};

/// The runtime, once it is made. It stays until the process ends.
static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// The runtime that the logs of this module are opened in. A copy of the reference shows that it is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting(&'static Runtime);

impl Waiting {
    /// Makes the runtime when it is first asked for.
    ///
    /// # Errors
    /// `Io` when the system gives no thread.
    pub(super) fn begin() -> Result<Self> {
        static MAKING: Mutex<()> = Mutex::new(());
        let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = RUNTIME.get() {
            return Ok(Self(runtime));
        }
        // One worker, for timers and what goes on in the background; long calls run on threads of their own.
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("hypercore")
            .enable_time()
            .build()
            .map_err(Error::no_thread)?;
        Ok(Self(RUNTIME.get_or_init(|| runtime)))
    }

    /// What `future` gives. This thread sleeps until it is there; in the middle of another runtime as well, to which it is a
    /// thread that is busy.
    pub(super) fn wait<T>(self, future: impl Future<Output = T>) -> T {
        // For timers, and for what is spawned.
        let _entered = self.0.enter();
        let waker = Waker::from(Arc::new(Sleeper(std::thread::current())));
        // A runtime that this thread works for wakes who has used up his share only once the thread is free again.
        let (mut context, mut future) = (Context::from_waker(&waker), pin!(unconstrained(future)));
        loop {
            match future.as_mut().poll(&mut context) {
                Poll::Ready(result) => return result,
                // Woken meanwhile, it returns at once.
                Poll::Pending => std::thread::park(),
            }
        }
    }
}

/// A thread that sleeps in a call.
struct Sleeper(Thread);

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}
