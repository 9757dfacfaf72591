//! What of a log is wanted from peers, what of it is here, and what came.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use hypercore::{Download, Hypercore, PeerInfo, Result};

use crate::parse::BlockRange;

/// How long the other addresses may take once one peer told its length.
const OTHERS_MAX: Duration = Duration::from_secs(2);

/// What is wanted.
pub(super) struct Fetch {
    log: Hypercore,
    blocks: Vec<BlockRange>,
    is_live: bool,
    /// When the first peer told its length.
    first_told: Option<Instant>,
    /// What is on its way, and the fork that it was asked for in.
    aim: Option<(u64, Vec<Download>)>,
    /// Ends when nothing can come any more, whoever is connected.
    failure: Pin<Box<dyn Future<Output = Result<()>>>>,
}

/// How it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) length: u64,
    pub(super) fork: u64,
    /// Blocks that are to be here in the end, as far as is known.
    pub(super) wanted: u64,
    pub(super) stored: u64,
    /// Blocks that came in this run, and their bytes.
    pub(super) downloaded: u64,
    pub(super) bytes: u64,
    pub(super) peers: u64,
    /// Whether all that was asked for is here, as far as the peers tell.
    pub(super) is_complete: bool,
}

impl Standing {
    /// What makes it worth telling again: fork, length, and blocks.
    pub(super) fn news(&self) -> (u64, u64, u64) {
        (self.fork, self.length, self.stored)
    }
}

/// A range that was asked for ends past the log, at this block.
#[derive(Clone, Copy, Debug)]
pub(super) struct PastTheEnd(pub(super) u64);

impl Fetch {
    /// `blocks` may be empty: then only the head is wanted.
    pub(super) fn new(log: &Hypercore, blocks: Vec<BlockRange>, is_live: bool) -> Self {
        let waiting = log.clone();
        // As many there will never be.
        let failure = Box::pin(async move { waiting.wait_for_length(u64::MAX).await });
        Self { log: log.clone(), blocks, is_live, first_told: None, aim: None, failure }
    }

    /// Looks at the peers and at the log, and asks for what has become known to be wanted. `lines` are
    /// the addresses from which something may be expected.
    pub(super) async fn look(
        &mut self,
        lines: usize,
    ) -> Result<std::result::Result<Standing, PastTheEnd>> {
        let peers = self.log.peers().await?;
        let told: Vec<&PeerInfo> =
            peers.iter().map(|peer| peer.info()).filter(|info| info.synced).collect();
        let (length, fork) = (self.log.length(), self.log.fork());
        let is_behind = told.iter().any(|info| {
            info.remote_fork > fork || (info.remote_fork == fork && info.remote_length > length)
        });
        let knows_all = self.have_told(told.len(), lines) && !is_behind;
        if let Err(past) = self.take_aim(knows_all, length, fork)? {
            return Ok(Err(past));
        }

        self.fail_if_failed().await?;
        let (wanted, stored) = self.progress()?;
        let traffic = self.log.traffic();
        Ok(Ok(Standing {
            length,
            fork,
            wanted,
            stored,
            downloaded: traffic.blocks_downloaded,
            bytes: traffic.bytes_downloaded,
            peers: told.len() as u64,
            is_complete: knows_all && self.aim.is_some() && stored >= wanted,
        }))
    }

    /// Whether those who may know the log's length have told it.
    #[expect(clippy::disallowed_methods, reason = "a tool may read the clock")]
    fn have_told(&mut self, told: usize, lines: usize) -> bool {
        if told == 0 {
            // Whoever told has gone.
            self.first_told = None;
            return false;
        }
        let first = *self.first_told.get_or_insert_with(Instant::now);
        told >= lines || first.elapsed() >= OTHERS_MAX
    }

    /// Asks for blocks: at once for those to come, else when the length is known, and again when the
    /// writer took back what he had written.
    fn take_aim(
        &mut self,
        knows_all: bool,
        length: u64,
        fork: u64,
    ) -> Result<std::result::Result<(), PastTheEnd>> {
        if let Some((aimed, _)) = &self.aim
            && (self.is_live || *aimed == fork)
        {
            return Ok(Ok(()));
        }
        self.aim = None;
        if !knows_all && !self.is_live {
            return Ok(Ok(()));
        }
        let mut downloads = Vec::new();
        for range in &self.blocks {
            downloads.push(match (self.is_live, range.end) {
                (true, Some(end)) => self.log.download(range.start..end)?,
                (true, None) => self.log.download(range.start..)?,
                (false, _) => match range.within(length) {
                    Ok(blocks) => self.log.download(blocks)?,
                    Err(end) => return Ok(Err(PastTheEnd(end))),
                },
            });
        }
        self.aim = Some((fork, downloads));
        Ok(Ok(()))
    }

    /// What keeps the log from growing keeps it from taking blocks as well.
    async fn fail_if_failed(&mut self) -> Result<()> {
        let polled = poll_fn(|context| Poll::Ready(self.failure.as_mut().poll(context))).await;
        if let Poll::Ready(ended) = polled { ended } else { Ok(()) }
    }

    /// Blocks that are wanted, and those of them that are here.
    fn progress(&self) -> Result<(u64, u64)> {
        let (mut wanted, mut stored) = (0_u64, 0_u64);
        for download in self.aim.iter().flat_map(|(_, downloads)| downloads) {
            let progress = download.progress()?;
            wanted = wanted.saturating_add(progress.wanted);
            stored = stored.saturating_add(progress.stored);
        }
        Ok((wanted, stored))
    }
}
