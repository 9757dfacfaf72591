//! The TCP connections of a peer, and the listeners that make more.

use std::future::ready;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use hypercore::{Hypercore, ProtocolStream, Role, StreamOptions};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::protocol::Failure;

/// All that is connected.
#[derive(Default)]
pub(crate) struct Connections {
    streams: Arc<Mutex<Vec<Arc<ProtocolStream>>>>,
    listeners: Vec<JoinHandle<()>>,
}

impl Connections {
    /// Accepts connections that carry `logs`, and gives the port.
    pub(crate) async fn listen(&mut self, logs: Vec<Hypercore>) -> Result<u16, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let streams = Arc::clone(&self.streams);
        self.listeners.push(tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                attach(&streams, socket, Role::Responder, &logs);
            }
        }));
        Ok(port)
    }

    /// Connects `logs` to a peer.
    pub(crate) async fn connect(&self, port: u16, logs: &[Hypercore]) -> Result<(), Failure> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        attach(&self.streams, socket, Role::Initiator, logs);
        Ok(())
    }

    /// Ends all connections and stops listening.
    pub(crate) async fn end(&mut self) {
        for listener in self.listeners.drain(..) {
            listener.abort();
            // It was told to end.
            drop(listener.await);
        }
        let streams =
            std::mem::take(&mut *self.streams.lock().unwrap_or_else(PoisonError::into_inner));
        for stream in streams {
            stream.close();
            stream.ended().await;
        }
    }
}

fn attach(
    streams: &Mutex<Vec<Arc<ProtocolStream>>>,
    socket: TcpStream,
    role: Role,
    logs: &[Hypercore],
) {
    // Slower without it, not wrong.
    drop(socket.set_nodelay(true));
    // The other side may name a log before it is added.
    let known = logs.to_vec();
    // A machine that is busy may keep the other side from saying anything for long: its end is told by its socket.
    let options = StreamOptions::new().silence_limit(None).on_offer(move |offer| {
        ready(known.iter().find(|log| log.discovery_key() == offer.discovery_key).cloned())
    });
    let stream = Arc::new(ProtocolStream::new(socket, role, options));
    for log in logs {
        // A stream that has ended already is found by those who wait for peers.
        drop(stream.add(log));
    }
    streams.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&stream));
    tokio::spawn(async move { eprintln!("stream: {}", stream.ended().await) });
}
