//! A peer that opens far more than anybody knows gets an answer to each, although the connection reads on only when
//! its answers are on their way.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hypercore::{MessagePipe, ProtocolStream, Role, StreamOptions};
use protomux::{ANSWERS_WAITING_MAX, CloseReason, Event, Mux, Options};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// One end of two queues.
struct Pipe {
    sent: UnboundedSender<Bytes>,
    received: UnboundedReceiver<Bytes>,
}

impl MessagePipe for Pipe {
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        self.received.poll_recv(context).map(Ok)
    }

    fn send(&mut self, message: Bytes) -> io::Result<()> {
        self.sent.send(message).map_err(io::Error::other)
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn every_open_of_a_flood_in_one_frame_is_rejected() {
    let (to_stream, received) = unbounded_channel();
    let (sent, mut from_stream) = unbounded_channel();
    let pipe = Pipe { sent, received };
    let options = StreamOptions::new();
    let _stream = ProtocolStream::from_messages(pipe, Role::Responder, [7; 64], None, options);

    let mut mux = Mux::new(Options::default());
    let unknown = mux.add_protocol("unknown", &[]);
    let hypercore = mux.add_protocol("hypercore/alpha", &[]);
    let count = 3 * ANSWERS_WAITING_MAX as u64;
    mux.cork();
    for number in 0..count {
        mux.open(unknown, &number.to_le_bytes(), b"").unwrap();
    }
    mux.open(hypercore, &[1; 32], b"").unwrap();
    mux.uncork();
    to_stream.send(Bytes::from(mux.next_frame().unwrap())).unwrap();
    assert_eq!(mux.next_frame(), None, "it was one frame");

    let mut rejected = 0;
    while rejected < count + 1 {
        let frame = tokio::time::timeout(Duration::from_secs(600), from_stream.recv());
        let frame = frame.await.expect("the connection does not stop in the middle of a frame");
        mux.receive(frame.expect("the connection goes on"));
        while let Some(event) = mux.next_event().unwrap() {
            assert!(matches!(event, Event::Closed { reason: CloseReason::Rejected, .. }));
            rejected += 1;
        }
    }
    assert_eq!(mux.channels().count(), 0);
}
