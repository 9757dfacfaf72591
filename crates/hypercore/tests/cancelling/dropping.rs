//! Drops a future at every point where it waits, and looks at what is left each time.
//!
//! A point is a poll that gave nothing. Between two polls exactly one thing happens: the future was woken, one call of
//! a store that stalls goes on, or, when nothing moves any more, what the future waits for is delivered. So a future is
//! dropped in front of every call of a store that it causes, not only once for each of its own waits.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use hypercore::{Durability, Result};
use tokio::sync::Notify;

use crate::gate::{Disk, Gate};
use crate::stage::{Contents, Scene, Stage};

/// A call that runs to its end, or is dropped before.
pub(crate) type Act = Pin<Box<dyn Future<Output = Result<()>>>>;

/// Virtual time after which nothing moves by itself: the paused clock advances only when no task and no blocking
/// thread has anything to do.
pub(crate) const IDLE: Duration = Duration::from_millis(1);

/// Virtual time after which nothing will ever move again.
const FOR_EVER: Duration = Duration::from_secs(60);

/// Points after which a future is taken for endless.
const POINTS_MAX: usize = 3000;

/// Makes the future of a case.
type Make = Box<dyn Fn(&Stage) -> Act>;

/// Something of the API that waits.
pub(crate) struct Case {
    /// What of the source it drops: `Type::method`, or `Type` for what is polled itself.
    pub(crate) covers: &'static [&'static str],
    pub(crate) scene: Scene,
    make: Make,
    deliver: Box<dyn Fn(&Stage)>,
    /// What the log may hold afterwards beside what it held before; the last of them once the future has ended.
    pub(crate) leaves: Vec<Contents>,
    /// Whether the log is closed by it.
    pub(crate) closes: bool,
    /// Whether the log is deleted by it, or not touched.
    pub(crate) deletes: bool,
}

impl Case {
    pub(crate) fn new<F>(
        covers: &'static [&'static str],
        scene: Scene,
        make: impl Fn(&Stage) -> F + 'static,
    ) -> Self
    where
        F: Future<Output = Result<()>> + 'static,
    {
        Self {
            covers,
            scene,
            make: Box::new(move |stage| Box::pin(make(stage))),
            deliver: Box::new(|_| {}),
            leaves: Vec::new(),
            closes: false,
            deletes: false,
        }
    }

    /// What happens once nothing else does.
    pub(crate) fn deliver(mut self, deliver: impl Fn(&Stage) + 'static) -> Self {
        self.deliver = Box::new(deliver);
        self
    }

    /// What it makes of the log, step by step.
    pub(crate) fn leaves(mut self, leaves: impl IntoIterator<Item = Contents>) -> Self {
        self.leaves = leaves.into_iter().collect();
        self
    }

    pub(crate) fn closes(mut self) -> Self {
        self.closes = true;
        self
    }

    pub(crate) fn deletes(mut self) -> Self {
        (self.closes, self.deletes) = (true, true);
        self
    }
}

/// Drops the future of `case` before its first poll, after its first, and so on, until it ends by itself. Gives the
/// number of points.
pub(crate) fn at_every_point(case: &Case, durability: Durability) -> usize {
    for points in 0..POINTS_MAX {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let disk = Disk::new();
        // The runtime waits for its threads when it goes, also when a check has failed.
        let _opened = Opened(Arc::clone(&disk.gate));
        let ended = runtime.block_on(async {
            let stage = Stage::set(disk, case.scene, durability).await;
            stage.disk.gate.close();
            let ended = run(case, &stage, points).await;
            stage.disk.gate.open();
            stage.judge(case, ended, points).await;
            ended
        });
        if ended {
            return points;
        }
    }
    panic!("{:?} does not end", case.covers);
}

/// Opens a gate for good.
struct Opened(Arc<Gate>);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.open();
    }
}

/// Polls the future `points` times, then drops it. Whether it ended.
async fn run(case: &Case, stage: &Stage, points: usize) -> bool {
    let mut act = (case.make)(stage);
    let woken = Arc::new(Woken::default());
    let mut is_delivered = false;
    for point in 0..points {
        if let Some(result) = poll_once(&mut act, &woken, point == 0).await {
            result.unwrap_or_else(|error| panic!("{:?}: {error}", case.covers));
            return true;
        }
        // A poll has a budget of its own, and others run in between.
        tokio::task::yield_now().await;
        tokio::select! {
            biased;
            () = woken.0.notified() => {}
            () = stage.disk.gate.arrived() => stage.disk.gate.let_one_pass(),
            () = tokio::time::sleep(IDLE), if !is_delivered => {
                is_delivered = true;
                (case.deliver)(stage);
            }
            () = tokio::time::sleep(FOR_EVER) => panic!("{:?}: nothing moves any more", case.covers),
        }
    }
    false
}

/// Polls once; without a budget, so that the future is told to let others run as soon as it asks.
async fn poll_once(act: &mut Act, woken: &Arc<Woken>, is_starved: bool) -> Option<Result<()>> {
    let waker = Waker::from(Arc::clone(woken));
    poll_fn(|_| {
        if is_starved {
            starve();
        }
        Poll::Ready(match act.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        })
    })
    .await
}

/// Uses up the budget of this poll.
fn starve() {
    let mut context = Context::from_waker(Waker::noop());
    while pin!(tokio::task::coop::consume_budget()).poll(&mut context).is_ready() {}
}

#[derive(Default)]
struct Woken(Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}
