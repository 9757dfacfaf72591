//! What carries a connection: whole messages, in order, both ways.
//!
//! A secret stream over bytes is one such pipe; a transport that encrypts by itself is another. Knows
//! nothing of what the messages mean.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;

/// A pipe for whole messages that is encrypted already: the message of a Hyperswarm connection, or of
/// any other transport that authenticates its peers.
///
/// All methods are polled from one task. A pipe neither splits nor joins messages.
pub trait MessagePipe: Send + Unpin + 'static {
    /// The next message that arrived; `None` once the other side has ended the pipe in good order.
    ///
    /// # Errors
    /// The pipe broke: nothing more will be received.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>>;

    /// Takes a message that is to be sent. It is sent by [`poll_flush`](Self::poll_flush), before which
    /// nothing more is handed over than some messages of the same moment.
    ///
    /// # Errors
    /// The pipe broke: nothing more will be sent.
    fn send(&mut self, message: Bytes) -> io::Result<()>;

    /// Sends what was taken. While this is pending, the connection hands over nothing more.
    ///
    /// # Errors
    /// The pipe broke: nothing more will be sent.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the pipe in good order after what was sent.
    ///
    /// # Errors
    /// The pipe broke before all was sent.
    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
}
