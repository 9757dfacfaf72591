//! How a call waits for what is not here: whether, how long, and whom it tells.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;

use super::Session;
use crate::error::{Error, Result};

/// Called with the index of a block right before a call waits for it.
#[derive(Clone)]
pub(crate) struct WaitHook(Arc<dyn Fn(u64) + Send + Sync>);

impl WaitHook {
    pub(crate) fn new(hook: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }

    pub(crate) fn call(&self, index: u64) {
        (self.0)(index);
    }
}

impl fmt::Debug for WaitHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WaitHook")
    }
}

/// How the calls of a session wait, unless they say otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// Whether they do at all.
    pub(crate) wait: bool,
    /// The longest that one of them does.
    pub(crate) timeout: Option<Duration>,
    pub(crate) on_wait: Option<WaitHook>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { wait: true, timeout: None, on_wait: None }
    }
}

impl Session {
    /// What `waiting` gives, or `Closed` when this session ends before, or the log is closed. Every call that
    /// waits for somebody else goes through here.
    pub(crate) async fn until_end<T>(&self, waiting: impl Future<Output = Result<T>>) -> Result<T> {
        let mut ended = pin!(self.on_end.notified());
        let mut closing = pin!(self.shared.on_closing().notified());
        let mut waiting = pin!(waiting);
        ended.as_mut().enable();
        closing.as_mut().enable();
        if self.is_closed() {
            return Err(Error::closed());
        }
        poll_fn(|context| {
            if let Poll::Ready(result) = waiting.as_mut().poll(context) {
                return Poll::Ready(result);
            }
            let ended = ended.as_mut().poll(context).is_ready();
            if ended || closing.as_mut().poll(context).is_ready() {
                Poll::Ready(Err(Error::closed()))
            } else {
                Poll::Pending
            }
        })
        .await
    }

    /// Does what [`until_end`](Self::until_end) does, for no longer than `timeout`.
    pub(crate) async fn until_end_or<T>(
        &self,
        timeout: Option<Duration>,
        waiting: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let Some(timeout) = timeout else { return self.until_end(waiting).await };
        // Whoever polls it may be no tokio task: then the timer is that of the log's runtime.
        let sleep = {
            let elsewhere = Handle::try_current().is_err();
            let _within = elsewhere.then(|| self.shared.runtime().enter());
            tokio::time::sleep(timeout)
        };
        let bounded = async {
            let (mut sleep, mut waiting) = (pin!(sleep), pin!(waiting));
            poll_fn(|context| match waiting.as_mut().poll(context) {
                Poll::Ready(result) => Poll::Ready(result),
                Poll::Pending => sleep.as_mut().poll(context).map(|()| Err(Error::timed_out())),
            })
            .await
        };
        self.until_end(bounded).await
    }
}
