//! One peer: what it told, what was told to it, what waits in both directions.

use std::collections::VecDeque;

use crate::download::PeerDownload;
use crate::fault::PeerFault;
use crate::limits::{
    INPUT_COUNT_MAX, INPUT_LEN_MAX, INPUT_SLACK, MESSAGE_LEN, REQUESTS_PER_PEER_MAX,
};
use crate::message::Message;
use crate::options::PeerOptions;
use crate::remote::Holdings;
use crate::statistics::PeerStatistics;
use crate::sync::{OwnSync, PeerSync};
use crate::upload::Upload;

/// A peer of the log.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) options: PeerOptions,
    /// What it told about its tree.
    pub(crate) remote: PeerSync,
    /// What it was told about ours.
    pub(crate) own: OwnSync,
    /// The blocks it holds.
    pub(crate) holdings: Holdings,
    /// What it asks for.
    pub(crate) upload: Upload,
    /// What it is asked for.
    pub(crate) download: PeerDownload,
    /// What goes out to it.
    pub(crate) output: VecDeque<Message>,
    /// Bytes of answers that may be put out now.
    pub(crate) room: usize,
    /// Whether it was greeted: the first sync is out, and what is held was announced.
    pub(crate) is_greeted: bool,
    pub(crate) blocks_sent: u64,
    pub(crate) bytes_sent: u64,
    input: Input,
}

/// What of a peer waits to be looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Input {
    count: usize,
    len: usize,
}

impl Peer {
    pub(crate) fn new(options: PeerOptions) -> Self {
        Self {
            options,
            remote: PeerSync::default(),
            own: OwnSync::default(),
            holdings: Holdings::new(),
            upload: Upload::new(),
            download: PeerDownload::default(),
            output: VecDeque::new(),
            room: usize::MAX,
            is_greeted: false,
            blocks_sent: 0,
            bytes_sent: 0,
            input: Input::default(),
        }
    }

    /// Whether it should be read.
    pub(crate) fn wants_input(&self) -> bool {
        self.input.count < INPUT_COUNT_MAX
            && self.input.len < INPUT_LEN_MAX
            && self.upload.queued() < REQUESTS_PER_PEER_MAX
    }

    /// Notes a message of it that waits, with that many bytes of payload.
    pub(crate) fn input_added(&mut self, len: usize) -> Result<(), PeerFault> {
        self.input.count = self.input.count.saturating_add(1);
        self.input.len = self.input.len.saturating_add(len).saturating_add(MESSAGE_LEN);
        if self.input.count > INPUT_COUNT_MAX.saturating_add(INPUT_SLACK) {
            Err(PeerFault::InputOverflow)
        } else {
            Ok(())
        }
    }

    /// Notes that a message of it does not wait any more.
    pub(crate) fn input_removed(&mut self, len: usize) {
        self.input.count = self.input.count.saturating_sub(1);
        self.input.len = self.input.len.saturating_sub(len).saturating_sub(MESSAGE_LEN);
    }

    /// What its owner may see.
    pub(crate) fn statistics(&self) -> PeerStatistics {
        PeerStatistics {
            synced: self.remote.is_known(),
            remote_fork: self.remote.fork(),
            remote_length: self.remote.length(),
            first_fork: self.remote.first.map_or(0, |sync| sync.fork),
            first_length: self.remote.first.map_or(0, |sync| sync.length),
            remote_contiguous_length: self.holdings.contiguous_length(),
            remote_uploading: self.remote.uploading(),
            remote_downloading: self.remote.downloading(),
            upload: self.options.upload,
            download: self.options.download,
            queued: self.upload.queued(),
            blocks_uploaded: self.blocks_sent,
            bytes_uploaded: self.bytes_sent,
            ..self.download.statistics()
        }
    }
}
