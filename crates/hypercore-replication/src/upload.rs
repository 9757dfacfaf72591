//! Serving one peer: answers to what it asks, and news of what there is to ask for.
//!
//! Everything a peer asks is queued, within limits, and done in [`Upload::run`], as much as there is room for. Every
//! request gets one answer. News are kept as ranges that changed and put into words only when they go out, from what is
//! stored then, so a peer that does not read takes no more memory than one that does. It does not speak of syncs, nor
//! remember what this side asks for.

mod answer;
mod news;
mod push;
mod queue;
mod ranges;
#[cfg(test)]
mod tests;
mod wants;

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use compact_encoding::Encode;
use hypercore_log::{Log, LogError};
use hypercore_merkle::Request;

use crate::fault::PeerFault;
use crate::message::{Message, Want};
use crate::remote::Holdings;
use crate::sync::PeerSync;
use crate::view::View;
use news::News;
use push::Push;
use queue::Queue;
use wants::Wants;

/// What this side does for one peer.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    queue: Queue,
    wants: Wants,
    news: News,
    push: Push,
}

/// What serving a peer depends on.
#[derive(Clone, Copy)]
pub(crate) struct UploadContext<'a> {
    pub(crate) log: &'a Log,
    /// The log as it may be shown.
    pub(crate) view: View,
    /// What the peer told about its tree.
    pub(crate) remote: &'a PeerSync,
    /// What it holds.
    pub(crate) holdings: &'a Holdings,
    /// Whether the peer is served. Requests are refused and nothing is announced otherwise.
    pub(crate) enabled: bool,
    pub(crate) now: Duration,
}

/// Something that happened to the own log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// These blocks were appended or stored.
    Held(Range<u64>),
    /// These were cleared, or cut off.
    Dropped(Range<u64>),
}

/// When to call [`Upload::run`] again, if nothing happens before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UploadProgress {
    /// When something happens, or there is room again.
    Idle,
    /// At once.
    More,
    /// At this time.
    Until(Duration),
}

/// What came of serving.
#[derive(Debug, Default)]
pub(crate) struct UploadReport {
    /// Blocks that were sent: index and length in bytes.
    pub(crate) blocks: Vec<(u64, u64)>,
    /// Why the own log could not answer. The peer was told that there is nothing.
    pub(crate) failure: Option<LogError>,
}

/// Where messages go, as long as there is room.
struct Outlet<'a> {
    room: &'a mut usize,
    messages: &'a mut VecDeque<Message>,
}

impl Outlet<'_> {
    /// A message that begins while there is room may be longer than it, so that any gets through.
    const fn has_room(&self) -> bool {
        *self.room > 0
    }

    fn send(&mut self, message: Message) {
        *self.room = self.room.saturating_sub(message.encoded_len().saturating_add(MESSAGE_LEN));
        self.messages.push_back(message);
    }
}

/// What a message counts besides its payload: its kind and its length.
const MESSAGE_LEN: usize = 4;

impl Upload {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Queues a request; one that waits under the same id is replaced.
    pub(crate) fn request(&mut self, request: Request) -> Result<(), PeerFault> {
        self.queue.push(request)
    }

    /// Forgets a request.
    pub(crate) fn cancel(&mut self, request_id: u64) {
        self.queue.remove(request_id);
    }

    /// Remembers what the peer wants to know about, and that it asked.
    pub(crate) fn want(&mut self, want: &Want) {
        self.wants.add(want);
    }

    /// Takes a want back.
    pub(crate) fn unwant(&mut self, want: &Want) {
        self.wants.remove(want);
    }

    /// Requests that wait for their answer.
    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Remembers a change of the own log, to be announced.
    pub(crate) fn note(&mut self, change: &Change) {
        match change {
            Change::Held(range) => {
                self.news.held(range.clone());
                self.push.held(range.clone());
            }
            Change::Dropped(range) => self.news.dropped(range.clone()),
        }
    }

    /// Announces what is no longer held. To be called before the peer is told of another fork or length.
    ///
    /// # Source
    /// wire.md section 7.3.
    pub(crate) fn announce_drops(
        &mut self,
        context: &UploadContext<'_>,
        room: &mut usize,
        messages: &mut VecDeque<Message>,
    ) {
        self.news.announce_drops(context, &mut Outlet { room, messages });
    }

    /// Announces what is held, answers wants and requests, and pushes, as much as there is room for. To be called
    /// after the peer was told of another fork or length.
    ///
    /// # Errors
    /// [`PeerFault::InvalidRequests`].
    pub(crate) fn run(
        &mut self,
        context: &UploadContext<'_>,
        room: &mut usize,
        messages: &mut VecDeque<Message>,
        report: &mut UploadReport,
    ) -> Result<UploadProgress, PeerFault> {
        let out = &mut Outlet { room, messages };
        self.queue.refuse_due(context.now, out);
        if context.enabled {
            self.news.announce(context, &self.wants, out);
            self.wants.answer(context, out);
            self.push.run(context, out, report);
        } else {
            self.news.stop();
            self.wants.stop();
            self.push.stop();
        }
        answer::run(&mut self.queue, context, out, report)?;
        let waits = self.news.is_waiting(&context.view)
            || self.wants.is_waiting()
            || self.queue.is_waiting();
        Ok(match self.queue.due() {
            _ if !out.has_room() => UploadProgress::Idle,
            _ if waits => UploadProgress::More,
            Some(due) => UploadProgress::Until(due),
            None => UploadProgress::Idle,
        })
    }
}
