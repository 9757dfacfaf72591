//! Keeps a log connected to peers at known addresses: one task each, which dials again when a
//! connection is lost, until it is no use.

use std::time::{Duration, Instant};

use hypercore::{EndReason, Hypercore, Role};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::failure::reason;
use crate::parse::Address;

/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A connection that held so long was a good one: what comes after it is counted from the start.
const GOOD_AFTER: Duration = Duration::from_secs(1);

/// The first pause between two attempts; each is twice as long as the one before.
const PAUSE_FIRST: Duration = Duration::from_millis(100);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(3);

/// Attempts at an address that never answered, within about a second.
const FIRST_ATTEMPTS_MAX: u32 = 4;

/// Attempts in a row at an address that answered before, within about ten seconds.
const ATTEMPTS_MAX: u32 = 8;

/// Turns that wait to be taken; a task waits when there are more.
const TURNS_MAX: usize = 64;

/// What happened at an address.
#[derive(Debug)]
pub(super) enum Turn {
    /// A connection was made; the handshake is done.
    Connected,
    /// It ended; it is made again.
    Lost(String),
    /// Nothing more is to be expected from there.
    GivenUp(String),
    /// Not the peer failed, but the log, or what keeps it.
    Failed(EndReason),
}

/// The tasks, which end when it is dropped.
#[derive(Debug)]
pub(super) struct Dialler {
    tasks: JoinSet<()>,
    turns: mpsc::Receiver<(usize, Turn)>,
}

impl Dialler {
    /// Starts to dial. An address that is `kept` is never given up for being out of reach.
    pub(super) fn start(log: &Hypercore, addresses: &[Address], kept: bool) -> Self {
        let (sender, turns) = mpsc::channel(TURNS_MAX);
        let mut tasks = JoinSet::new();
        for (at, address) in addresses.iter().enumerate() {
            let line = Line {
                at,
                address: address.clone(),
                log: log.clone(),
                kept,
                sender: sender.clone(),
            };
            tasks.spawn(line.hold());
        }
        Self { tasks, turns }
    }

    /// The next turn, with the position of its address. Pending for ever once there are none.
    pub(super) async fn next(&mut self) -> (usize, Turn) {
        match self.turns.recv().await {
            Some(turn) => turn,
            None => std::future::pending().await,
        }
    }

    /// Ends all connections, and waits for the tasks.
    pub(super) async fn end(mut self) {
        self.tasks.shutdown().await;
    }
}

/// One address.
struct Line {
    at: usize,
    address: Address,
    log: Hypercore,
    kept: bool,
    sender: mpsc::Sender<(usize, Turn)>,
}

impl Line {
    async fn hold(self) {
        let mut attempts = 0_u32;
        let mut was_connected = false;
        loop {
            let why = match self.connect().await {
                Ok(socket) => match self.replicate(socket, &mut attempts, &mut was_connected).await
                {
                    After::Again(why) => why,
                    After::Never(turn) => return self.tell(turn).await,
                },
                Err(why) => why,
            };
            attempts = attempts.saturating_add(1);
            let limit = if was_connected { ATTEMPTS_MAX } else { FIRST_ATTEMPTS_MAX };
            if attempts >= limit && !self.kept {
                return self.tell(Turn::GivenUp(why)).await;
            }
            let doubled = 1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
            tokio::time::sleep(PAUSE_FIRST.saturating_mul(doubled).min(PAUSE_MAX)).await;
        }
    }

    async fn connect(&self) -> Result<TcpStream, String> {
        match tokio::time::timeout(CONNECT_MAX, TcpStream::connect(&self.address.0)).await {
            Ok(Ok(socket)) => {
                // Slower without it, not wrong.
                drop(socket.set_nodelay(true));
                Ok(socket)
            }
            Ok(Err(error)) => Err(reason(&error)),
            Err(_) => Err("it does not answer".to_owned()),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a tool may read the clock")]
    async fn replicate(
        &self,
        socket: TcpStream,
        attempts: &mut u32,
        was_connected: &mut bool,
    ) -> After {
        let began = Instant::now();
        let replication = self.log.replicate(socket, Role::Initiator);
        if replication.stream().opened().await.is_ok() {
            *was_connected = true;
            self.tell(Turn::Connected).await;
        }
        let reason = replication.await;
        if began.elapsed() >= GOOD_AFTER {
            *attempts = 0;
        }
        let after = After::of(reason);
        if let After::Again(why) = &after {
            self.tell(Turn::Lost(why.clone())).await;
        }
        after
    }

    async fn tell(&self, turn: Turn) {
        // Nobody listens any more when the command is about to end.
        drop(self.sender.send((self.at, turn)).await);
    }
}

/// What to do after a connection.
enum After {
    Again(String),
    Never(Turn),
}

impl After {
    fn of(reason: EndReason) -> Self {
        match reason {
            EndReason::Rejected | EndReason::Fault(_) | EndReason::NotAllowed => {
                Self::Never(Turn::GivenUp(reason.to_string()))
            }
            EndReason::Failed(_)
            | EndReason::Conflict
            | EndReason::LogClosed
            | EndReason::RuntimeGone => Self::Never(Turn::Failed(reason)),
            reason => Self::Again(reason.to_string()),
        }
    }
}
