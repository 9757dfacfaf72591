//! A connection to one peer, and the logs that are replicated over it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use hypercore_crypto::{DiscoveryKey, KeyPair, PublicKey, Side};
use hypercore_replication::Connection;
use secret_stream::{Entropy, Handshake, Limits, Role, SecretStream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use zeroize::Zeroizing;

use super::carrier::{Carrier, Foreign};
use super::control::{Control, Opened, Order, Stage};
use super::options::{AllowHook, HANDSHAKE_MAX, PeerOptions, StreamOptions};
use super::pipe::MessagePipe;
use super::reason::EndReason;
use super::secret::SecretPipe;
use super::session::Session;
use crate::error::{Error, Result};
use crate::handle::Hypercore;

/// How long a stream that this side ends may take to say so.
const CLOSE_MAX: std::time::Duration = std::time::Duration::from_secs(5);

/// A connection to one peer that carries any number of logs.
///
/// It is also a future: of why it ended. Dropping it ends it, unless it is
/// [detached](Self::detach). While it runs, the logs on it stay open.
///
/// ```
/// use hypercore::{Hypercore, ProtocolStream, Role, Storage, StreamOptions};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let log = Hypercore::open(Storage::memory()).await?;
/// log.append("hello").await?;
/// let copy = Hypercore::builder(Storage::memory()).key(log.key()).open().await?;
///
/// let (here, there) = tokio::io::duplex(4096);
/// let server = ProtocolStream::new(here, Role::Responder, StreamOptions::new().log(&log));
/// let client = ProtocolStream::new(there, Role::Initiator, StreamOptions::new().log(&copy));
///
/// assert_eq!(copy.get(0).await?, "hello");
/// drop(client);
/// println!("{}", server.await);
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping it ends the connection"]
pub struct ProtocolStream {
    control: Arc<Control>,
    permissions: PeerOptions,
    ended: Ended,
    detached: bool,
}

type Ended = Pin<Box<dyn Future<Output = EndReason> + Send + Sync>>;

impl ProtocolStream {
    /// Starts a connection over a stream of bytes, such as a TCP socket. Exactly one of the two sides
    /// is the [initiator](Role::Initiator): usually the one that connected.
    ///
    /// Must be called inside a tokio runtime with its timer enabled, which runs the connection.
    pub fn new<S>(stream: S, role: Role, options: StreamOptions) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self::over_bytes(stream, role, None, options, None)
    }

    /// Starts a connection whose handshake has already taken place elsewhere, as HyperDHT does it.
    ///
    /// # Source
    /// wire.md section 10.
    pub fn from_handshake<S>(
        stream: S,
        role: Role,
        handshake: Handshake,
        options: StreamOptions,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self::over_bytes(stream, role, Some(handshake), options, None)
    }

    /// Starts a connection over a pipe that encrypts, authenticates and keeps alive by itself.
    /// `handshake_hash` must be the same on both sides, and different for every connection.
    ///
    /// # Source
    /// wire.md section 10.
    pub fn from_messages(
        pipe: impl MessagePipe,
        role: Role,
        handshake_hash: [u8; 64],
        remote_public_key: Option<PublicKey>,
        options: StreamOptions,
    ) -> Self {
        let opened = Opened { handshake_hash, remote_public_key };
        Self::start(options, |control, options| async move {
            carry(Foreign(pipe), role, opened, control, options, None).await
        })
    }

    /// Offers a log to the other side. It is replicated once the other side offers it as well, then or
    /// later, also when it had offered it before and was refused; the log stays open until the connection
    /// has ended.
    ///
    /// The connection runs already. A log that is to be on it from the start belongs into the
    /// [options](StreamOptions::log).
    ///
    /// # Errors
    /// `Closed` when the connection has ended.
    pub fn add(&self, log: &Hypercore) -> Result<()> {
        self.add_with(log, self.permissions)
    }

    /// Does what [`add`](Self::add) does, and says what this peer may do with the log.
    ///
    /// # Errors
    /// `Closed` when the connection has ended.
    pub fn add_with(&self, log: &Hypercore, options: PeerOptions) -> Result<()> {
        let order = Order::Add(log.clone(), options, log.finding_peers());
        let added = self.control.letters.order(order);
        if added { Ok(()) } else { Err(Error::stream_ended()) }
    }

    /// Waits until the handshake is done and the other side is let in.
    ///
    /// # Errors
    /// Why the connection ended before.
    pub async fn opened(&self) -> std::result::Result<(), EndReason> {
        self.control.opened().await.map(drop)
    }

    /// The identity that the other side has proven; `None` before, or where the carrier does not tell.
    #[must_use]
    pub fn remote_public_key(&self) -> Option<PublicKey> {
        match self.control.stage() {
            Stage::Open(opened) => opened.remote_public_key,
            _ => None,
        }
    }

    /// What names this connection, the same on both sides; `None` while it is not open.
    #[must_use]
    pub fn handshake_hash(&self) -> Option<[u8; 64]> {
        match self.control.stage() {
            Stage::Open(opened) => Some(opened.handshake_hash),
            _ => None,
        }
    }

    /// Ends the connection; awaiting it tells when that is done.
    pub fn close(&self) {
        self.control.close();
    }

    /// Waits for the end, without taking the handle.
    pub async fn ended(&self) -> EndReason {
        self.control.ended().await
    }

    /// Lets the connection go on by itself, until the other side or a log ends it.
    pub fn detach(mut self) {
        self.detached = true;
    }

    pub(crate) fn over_bytes<S>(
        stream: S,
        role: Role,
        handshake: Option<Handshake>,
        options: StreamOptions,
        single: Option<DiscoveryKey>,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self::start(options, |control, options| async move {
            let mut output = BytesMut::new();
            let secret = match begin(role, handshake, &options, &mut output) {
                Ok(secret) => secret,
                Err(error) => return EndReason::Failed(error),
            };
            let (keep_alive, silence) = (options.keep_alive, options.silence);
            let mut pipe = SecretPipe::new(stream, secret, output, keep_alive, silence);
            let opening =
                unless_closed(&control, std::future::poll_fn(|context| pipe.poll_open(context)));
            match tokio::time::timeout(HANDSHAKE_MAX, opening).await {
                Ok(Some(Ok(()))) => {}
                Ok(Some(Err(reason))) => return reason,
                Ok(None) => return EndReason::Closed,
                Err(_) => return EndReason::HandshakeLate,
            }
            let secret = pipe.secret();
            let (Some(hash), Some(key)) = (secret.handshake_hash(), secret.remote_public_key())
            else {
                return EndReason::HandshakeLate;
            };
            let opened = Opened {
                handshake_hash: *hash,
                remote_public_key: Some(PublicKey::from_bytes(*key.as_bytes())),
            };
            // In a place of its own, so that a peer before its handshake does not cost what a peer does.
            Box::pin(carry(pipe, role, opened, control, options, single)).await
        })
    }

    /// Starts the task of a connection.
    fn start<F>(
        mut options: StreamOptions,
        task: impl FnOnce(Arc<Control>, StreamOptions) -> F,
    ) -> Self
    where
        F: Future<Output = EndReason> + Send + 'static,
    {
        let control = Control::new();
        let ended = Box::pin({
            let control = Arc::clone(&control);
            async move { control.ended().await }
        });
        let permissions = options.peer;
        // The task finds them before it listens to anybody.
        for (log, peer) in options.logs.drain(..) {
            let finding = log.finding_peers();
            control.letters.order(Order::Add(log, peer.unwrap_or(permissions), finding));
        }
        let guard = EndOnDrop(Arc::clone(&control));
        match Handle::try_current() {
            Ok(runtime) => {
                let task = task(Arc::clone(&control), options);
                drop(runtime.spawn(async move {
                    let reason = task.await;
                    guard.0.end(reason);
                }));
            }
            Err(_) => control.end(EndReason::RuntimeGone),
        }
        Self { control, permissions, ended, detached: false }
    }
}

/// A task that is dropped before its end tells so.
struct EndOnDrop(Arc<Control>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end(EndReason::RuntimeGone);
    }
}

/// Starts the secret stream, with randomness of its own.
fn begin(
    role: Role,
    handshake: Option<Handshake>,
    options: &StreamOptions,
    output: &mut BytesMut,
) -> Result<SecretStream> {
    let mut random = Zeroizing::new([0; Entropy::LEN]);
    getrandom::fill(&mut *random).map_err(Error::entropy)?;
    if let Some(handshake) = handshake {
        let mut header = [0; 24];
        header.iter_mut().zip(&*random).for_each(|(to, byte)| *to = *byte);
        return Ok(SecretStream::from_handshake(
            role,
            &handshake,
            header,
            Limits::default(),
            output,
        ));
    }
    let key_pair = match &options.key_pair {
        Some(key_pair) => stream_key_pair(key_pair),
        None => {
            let mut seed = Zeroizing::new([0; 32]);
            getrandom::fill(&mut *seed).map_err(Error::entropy)?;
            secret_stream::KeyPair::from_seed(&seed)
        }
    };
    let entropy = Entropy::from_bytes(&random);
    Ok(SecretStream::new(role, &key_pair, entropy, Limits::default(), output))
}

/// The same pair, as the secret stream has it.
fn stream_key_pair(key_pair: &KeyPair) -> secret_stream::KeyPair {
    let secret = key_pair.secret_bytes();
    let (seed, _) = secret.split_first_chunk::<32>().unwrap_or((&[0; 32], &[]));
    secret_stream::KeyPair::from_seed(seed)
}

/// Runs a connection whose other side is known, to its end.
async fn carry<C: Carrier>(
    carrier: C,
    role: Role,
    opened: Opened,
    control: Arc<Control>,
    options: StreamOptions,
    single: Option<DiscoveryKey>,
) -> EndReason {
    match unless_closed(&control, is_allowed(options.allow, opened.remote_public_key)).await {
        Some(true) => {}
        Some(false) => return EndReason::NotAllowed,
        None => return EndReason::Closed,
    }
    control.open(opened);
    let side = match role {
        Role::Initiator => Side::Initiator,
        Role::Responder => Side::Responder,
    };
    let mut room = protomux::Options::default();
    (room.head_len, room.tail_len) = (C::HEAD_LEN, C::TAIL_LEN);
    let connection = Connection::new(side, &opened.handshake_hash, room);
    let session = Session::new(
        carrier,
        connection,
        Arc::clone(&control),
        opened.remote_public_key,
        options.offers,
        options.peer,
        single,
    );
    let (reason, mut carrier) = session.run().await;
    // The logs are let go by now. Whether the other side hears of the end does not matter any more.
    let closing = std::future::poll_fn(|context| carrier.poll_close(context));
    let _ = tokio::time::timeout(CLOSE_MAX, closing).await;
    reason
}

/// A peer that can not be named is not let in where somebody wants to know.
async fn is_allowed(hook: Option<AllowHook>, remote: Option<PublicKey>) -> bool {
    match (hook, remote) {
        (None, _) => true,
        (Some(hook), Some(remote)) => hook(remote).await,
        (Some(_), None) => false,
    }
}

/// Waits for something, unless the handle closes the connection before.
async fn unless_closed<T>(control: &Control, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        control.letters.watch(context.waker());
        if control.is_closing() {
            return Poll::Ready(None);
        }
        future.as_mut().poll(context).map(Some)
    })
    .await
}

impl Future for ProtocolStream {
    type Output = EndReason;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<EndReason> {
        self.ended.as_mut().poll(context)
    }
}

impl Drop for ProtocolStream {
    fn drop(&mut self) {
        if !self.detached {
            self.control.close();
        }
    }
}

impl fmt::Debug for ProtocolStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtocolStream")
            .field("remote_public_key", &self.remote_public_key())
            .finish_non_exhaustive()
    }
}

/// One log that is replicated over one stream; see [`Hypercore::replicate`].
///
/// It is also a future: of why it ended. Dropping it ends the stream, unless it is
/// [detached](Self::detach).
#[derive(Debug)]
#[must_use = "dropping it ends the stream"]
pub struct Replication(pub(crate) ProtocolStream);

impl Replication {
    /// The stream, which can carry more logs. It still ends with the log it was made for.
    pub fn stream(&self) -> &ProtocolStream {
        &self.0
    }

    /// Ends the stream; awaiting the handle tells when that is done.
    pub fn close(&self) {
        self.0.close();
    }

    /// Waits for the end, without taking the handle.
    pub async fn ended(&self) -> EndReason {
        self.0.ended().await
    }

    /// Lets the stream go on by itself, until the other side or the log ends it.
    pub fn detach(self) {
        self.0.detach();
    }
}

impl Future for Replication {
    type Output = EndReason;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<EndReason> {
        Pin::new(&mut self.0).poll(context)
    }
}
