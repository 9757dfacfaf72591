//! How much memory the honest side takes for a peer.
//!
//! Only what is done inside of [`Meter::run`] counts, so the attacker's own memory does not. Whoever runs the attacks
//! has the allocator that counts.

/// What an allocator that counts can be asked, all about this thread.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    /// Bytes that are allocated now. What others allocated and this thread freed counts against it.
    pub live: fn() -> isize,
    /// The most there were since [`restart`](Self::restart).
    pub peak: fn() -> isize,
    /// Lets [`peak`](Self::peak) begin anew.
    pub restart: fn(),
}

/// Bytes that one purpose takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    pub(super) counter: Counter,
    /// Taken now.
    pub(super) held: isize,
    /// The most at one time.
    pub(super) peak: isize,
}

impl Meter {
    pub(super) const fn new(counter: Counter) -> Self {
        Self { counter, held: 0, peak: 0 }
    }

    /// Counts what `work` takes and gives back.
    pub(super) fn run<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let before = (self.counter.live)();
        (self.counter.restart)();
        let result = work();
        self.peak = self.peak.max(self.held + (self.counter.peak)() - before);
        self.held += (self.counter.live)() - before;
        result
    }
}
