//! `serve`: shares logs with whoever connects and knows their keys.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hypercore::{
    DiscoveryKey, EndReason, Hypercore, PeerOptions, ProtocolStream, Role, StreamOptions, id,
};
use indicatif::BinaryBytes;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::open_to_read;
use super::signals::Signals;
use crate::args::{Common, ServeArgs};
use crate::failure::{Exit, Failure, Outcome, reason};
use crate::output::Output;
use crate::parse::Address;

/// Peers that are connected at the same time; more are turned away.
const PEERS_MAX: usize = 4096;

/// Connections that were accepted and not taken yet.
const ACCEPTED_MAX: usize = 16;

/// How long to wait after the system could not accept a connection, for want of descriptors say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long the connections may take to end.
const END_MAX: Duration = Duration::from_secs(2);

pub(super) async fn serve(common: &Common, args: &ServeArgs, out: &mut Output) -> Outcome {
    let mut signals = Signals::new()?;
    let mut logs = Vec::new();
    let mut keys = BTreeSet::new();
    for dir in &args.dirs {
        let log = open_to_read(common, dir, out).await?;
        if !keys.insert(*log.key().as_bytes()) {
            let message = format!("{}: the same log is given twice", dir.display());
            return Err(Failure::new(Exit::Usage, message));
        }
        logs.push(log);
    }
    let (sender, mut accepted) = mpsc::channel(ACCEPTED_MAX);
    let mut listeners = JoinSet::new();
    let mut addresses = Vec::new();
    for address in &args.listen {
        let listener = listen(address).await?;
        addresses.push(listener.local_addr().map_err(|error| not_listening(address, &error))?);
        listeners.spawn(accept(listener, sender.clone()));
    }
    print_listening(&addresses, &logs, args, out)?;

    let logs = logs.into_iter().map(|log| (log.discovery_key(), log)).collect();
    let mut server = Server {
        logs: Arc::new(logs),
        streams: JoinSet::new(),
        closing: watch::Sender::new(false),
        accepted: 0,
        sent: 0,
        received: 0,
    };
    loop {
        tokio::select! {
            biased;
            () = signals.next() => break,
            Some(ended) = server.streams.join_next() => {
                if let Ok(ended) = ended {
                    server.left(&ended, out)?;
                }
            }
            Some((socket, address)) = accepted.recv() => server.meet(socket, address, out)?,
        }
    }
    listeners.shutdown().await;
    server.end(out).await
}

async fn listen(address: &Address) -> Outcome<TcpListener> {
    TcpListener::bind(&address.0).await.map_err(|error| not_listening(address, &error))
}

fn not_listening(address: &Address, error: &std::io::Error) -> Failure {
    let message = format!("{address} can not be listened on: {}", reason(error));
    Failure::new(Exit::Network, message)
}

/// Hands over the connections of one listener.
async fn accept(listener: TcpListener, sender: mpsc::Sender<(TcpStream, SocketAddr)>) {
    loop {
        match listener.accept().await {
            Ok(accepted) => {
                if sender.send(accepted).await.is_err() {
                    return;
                }
            }
            // The peer has gone already, or there are no descriptors: others may still come.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Logs by what they are asked for with.
type Logs = BTreeMap<DiscoveryKey, Hypercore>;

struct Server {
    logs: Arc<Logs>,
    streams: JoinSet<Ended>,
    /// Tells all connections to end.
    closing: watch::Sender<bool>,
    /// Peers so far; the number of one names it.
    accepted: u64,
    /// Bytes of connections that have ended.
    sent: u64,
    received: u64,
}

/// A connection that is over.
struct Ended {
    peer: u64,
    address: SocketAddr,
    reason: EndReason,
    passed: Arc<Passed>,
}

impl Server {
    /// Lets a new peer have the logs that it names.
    fn meet(&mut self, socket: TcpStream, address: SocketAddr, out: &mut Output) -> Outcome {
        if self.streams.len() >= PEERS_MAX {
            out.status(format_args!("{address}: turned away, {PEERS_MAX} peers are connected"));
            return Ok(());
        }
        self.accepted = self.accepted.saturating_add(1);
        let peer = self.accepted;
        // Slower without it, not wrong.
        drop(socket.set_nodelay(true));
        let passed = Arc::new(Passed::default());
        let counted = Counted { socket, passed: Arc::clone(&passed) };
        let logs = Arc::clone(&self.logs);
        // Logs are named by the peer, never by us.
        let options = StreamOptions::new()
            .peers(PeerOptions::new().download(false))
            .on_offer(move |offer| ready(logs.get(&offer.discovery_key).cloned()));
        let stream = ProtocolStream::new(counted, Role::Responder, options);
        let mut closing = self.closing.subscribe();
        self.streams.spawn(async move {
            let asked = tokio::select! {
                _ = stream.ended() => false,
                // The server outlives its connections.
                _ = closing.wait_for(|closing| *closing) => true,
            };
            if asked {
                stream.close();
            }
            Ended { peer, address, reason: stream.await, passed }
        });
        out.status(format_args!("peer {peer} ({address}): connected"));
        if out.json {
            let address = address.to_string();
            out.object(&MetJson { event: "connected", peer, address })?;
        }
        out.flush()
    }

    /// Tells that a peer has gone.
    fn left(&mut self, ended: &Ended, out: &mut Output) -> Outcome {
        let Ended { peer, address, reason, passed } = ended;
        let (sent, received) = passed.both();
        self.sent = self.sent.saturating_add(sent);
        self.received = self.received.saturating_add(received);
        out.status(format_args!("peer {peer} ({address}): {reason}; {} sent", BinaryBytes(sent)));
        if out.json {
            let (peer, address, reason) = (*peer, address.to_string(), reason.to_string());
            out.object(&LeftJson { event: "disconnected", peer, address, reason, sent, received })?;
        }
        out.flush()
    }

    /// Ends all connections, closes the logs, and tells what was done.
    async fn end(mut self, out: &mut Output) -> Outcome {
        self.closing.send_replace(true);
        let streams = &mut self.streams;
        let mut ended = Vec::new();
        let ending = async {
            while let Some(stream) = streams.join_next().await {
                ended.extend(stream);
            }
        };
        // Who does not end in time is left behind.
        drop(tokio::time::timeout(END_MAX, ending).await);
        for stream in &ended {
            self.left(stream, out)?;
        }
        for log in self.logs.values() {
            // Nothing was written, so nothing can be lost.
            drop(log.close().await);
        }
        let (peers, sent, received) = (self.accepted, self.sent, self.received);
        if out.json {
            out.object(&EndJson { event: "interrupted", peers, sent, received })?;
        } else {
            out.line(format_args!("interrupted: {peers} peers, {} sent", BinaryBytes(sent)))?;
        }
        out.flush()
    }
}

fn print_listening(
    addresses: &[SocketAddr],
    logs: &[Hypercore],
    args: &ServeArgs,
    out: &mut Output,
) -> Outcome {
    if out.json {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let cores = logs
            .iter()
            .map(|log| CoreJson {
                key: log.key().to_string(),
                discovery_key: log.discovery_key().to_string(),
                length: log.length(),
            })
            .collect();
        let address = addresses.first().cloned().unwrap_or_default();
        out.object(&ListeningJson { event: "listening", address, addresses, cores })?;
    } else {
        for address in addresses {
            out.line(format_args!("listening {address}"))?;
        }
        for (log, dir) in logs.iter().zip(&args.dirs) {
            let (id, length) = (id::encode(log.key().as_bytes()), log.length());
            out.line(format_args!("{id}  {length} blocks  {}", dir.display()))?;
        }
    }
    out.flush()
}

/// Bytes that passed over a connection.
#[derive(Debug, Default)]
struct Passed {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Passed {
    fn both(&self) -> (u64, u64) {
        (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }
}

/// A socket that counts what passes.
struct Counted {
    socket: TcpStream,
    passed: Arc<Passed>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(context, buffer);
        let len = buffer.filled().len().saturating_sub(before);
        self.passed.received.fetch_add(len as u64, Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(context, bytes);
        if let Poll::Ready(Ok(len)) = polled {
            self.passed.sent.fetch_add(len as u64, Ordering::Relaxed);
        }
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        if let Poll::Ready(Ok(len)) = polled {
            self.passed.sent.fetch_add(len as u64, Ordering::Relaxed);
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[derive(Serialize)]
struct ListeningJson {
    event: &'static str,
    address: String,
    addresses: Vec<String>,
    cores: Vec<CoreJson>,
}

#[derive(Serialize)]
struct CoreJson {
    key: String,
    discovery_key: String,
    length: u64,
}

#[derive(Serialize)]
struct MetJson {
    event: &'static str,
    peer: u64,
    address: String,
}

#[derive(Serialize)]
struct LeftJson {
    event: &'static str,
    peer: u64,
    address: String,
    reason: String,
    sent: u64,
    received: u64,
}

#[derive(Serialize)]
struct EndJson {
    event: &'static str,
    peers: u64,
    sent: u64,
    received: u64,
}
