//! A pipe of messages whose other end a test holds, and a peer behind it that is not bound to the rules.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use hypercore::{CoreKey, MessagePipe};
use hypercore_replication::{Connection, ConnectionEvent, Message, Sync};
use protomux::ChannelId;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, UnboundedSender, channel, unbounded_channel};

/// What names the connections of such pipes.
pub(crate) const HASH: [u8; 64] = [7; 64];

/// One end of two queues. What is sent is taken without limit, until so many messages were.
pub(crate) struct Pipe {
    sent: UnboundedSender<Bytes>,
    received: Receiver<Bytes>,
    takes: usize,
}

impl MessagePipe for Pipe {
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        self.received.poll_recv(context).map(Ok)
    }

    fn send(&mut self, message: Bytes) -> io::Result<()> {
        self.takes = self.takes.saturating_sub(1);
        self.sent.send(message).map_err(io::Error::other)
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.takes == 0 { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The other end.
pub(crate) struct Far {
    pub(crate) to: tokio::sync::mpsc::Sender<Bytes>,
    pub(crate) from: UnboundedReceiver<Bytes>,
}

/// A pipe whose near end sends `takes` messages and then finds that nobody reads any more.
pub(crate) fn pipe(takes: usize) -> (Pipe, Far) {
    let (sent, from) = unbounded_channel();
    let (to, received) = channel(1);
    (Pipe { sent, received, takes }, Far { to, from })
}

/// Two ends that are connected with each other.
pub(crate) fn pipes() -> (Pipe, Pipe) {
    let (one, far) = pipe(usize::MAX);
    let (sent, mut from) = unbounded_channel();
    let Far { to, from: received } = far;
    drop(tokio::spawn(async move {
        while let Some(message) = from.recv().await {
            if to.send(message).await.is_err() {
                break;
            }
        }
    }));
    let (forward, received_by_other) = channel(1);
    let mut received = received;
    drop(tokio::spawn(async move {
        while let Some(message) = received.recv().await {
            if forward.send(message).await.is_err() {
                break;
            }
        }
    }));
    (one, Pipe { sent, received: received_by_other, takes: usize::MAX })
}

/// A peer that knows the key of a log, and says what it likes.
pub(crate) struct Stranger {
    connection: Connection,
    channel: ChannelId,
    pub(crate) far: Far,
}

impl Stranger {
    /// Opens the log, and waits until the other side has.
    pub(crate) async fn open(key: &CoreKey, far: Far) -> Self {
        let side = hypercore_crypto::Side::Initiator;
        let mut connection = Connection::new(side, &HASH, protomux::Options::default());
        let channel = connection.open(key).unwrap();
        let mut stranger = Self { connection, channel, far };
        stranger.send_frames().await;
        while !matches!(stranger.next().await, Some(ConnectionEvent::Opened { .. })) {}
        stranger
    }

    /// What the other side says; `None` once it has ended.
    pub(crate) async fn next(&mut self) -> Option<ConnectionEvent> {
        loop {
            if let Some(event) = self.connection.next_event().unwrap() {
                return Some(event);
            }
            let frame = self.far.from.recv().await?;
            self.connection.receive(frame);
        }
    }

    /// Says that it has a log of some length, and is interested.
    pub(crate) async fn greet(&mut self, length: u64) -> bool {
        let sync = Sync {
            uploading: true,
            downloading: true,
            can_upgrade: true,
            length,
            ..Sync::default()
        };
        self.say([Message::Sync(sync)]).await
    }

    /// Sends messages in one frame, or a few; `false` when nobody takes them any more.
    pub(crate) async fn say(&mut self, messages: impl IntoIterator<Item = Message>) -> bool {
        self.write(messages);
        self.send_frames().await
    }

    /// The first frame of messages that are not sent.
    #[allow(dead_code, reason = "each test binary uses its own part")]
    pub(crate) fn frame(&mut self, messages: impl IntoIterator<Item = Message>) -> Bytes {
        self.write(messages);
        let frame = self.connection.next_frame().unwrap();
        while self.connection.next_frame().is_some() {}
        frame.into()
    }

    fn write(&mut self, messages: impl IntoIterator<Item = Message>) {
        self.connection.cork();
        for message in messages {
            self.connection.send(self.channel, &message).unwrap();
        }
        self.connection.uncork();
    }

    async fn send_frames(&mut self) -> bool {
        while let Some(frame) = self.connection.next_frame() {
            if self.far.to.send(frame.into()).await.is_err() {
                return false;
            }
        }
        true
    }
}
