//! The task of one connection: what comes in goes to the logs, what they answer goes out.
//!
//! Polled as one state machine, so that nothing is lost between two polls and both directions go on
//! beside each other. Messages pass in batches: all that one round of reading brought is given to each
//! log at once, and all that waits in the mailbox leaves as few frames. It reads no more than the logs
//! take, and takes no more from the logs than the other side reads.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hypercore_crypto::{DiscoveryKey, PublicKey};
use hypercore_replication::{
    CloseReason, Connection, ConnectionEvent, Message, PeerOptions as Permissions,
};
use protomux::{ChannelId, CloseReason as ChannelCloseReason};

use super::carrier::Carrier;
use super::control::{Control, Order};
use super::exchange::{self, Command};
use super::fetch::FindingPeers;
use super::link::{Link, LinkKey, Outgoing, message_len};
use super::mailbox::Mail;
use super::options::{Offer, OfferHook, PeerOptions};
use super::reason::EndReason;
use crate::error::Error;
use crate::handle::Hypercore;

/// Frames that are read before the logs get what they brought and something is sent.
const FRAMES_PER_ROUND: usize = 64;

/// Rounds of reading and sending before other tasks get a turn.
const ROUNDS_PER_POLL: usize = 16;

/// Bytes of messages that are encoded at a time. So much more than [`MAIL_LEN_MAX`] may wait for a peer
/// that does not read.
///
/// [`MAIL_LEN_MAX`]: super::mailbox::MAIL_LEN_MAX
const SEND_LEN: usize = 128 * 1024;

/// Offers that the hook thinks about at a time. Others are refused meanwhile.
const OFFERS_MAX: usize = 64;

type Thinking = Pin<Box<dyn Future<Output = Option<Hypercore>> + Send>>;

pub(crate) struct Session<C> {
    carrier: C,
    connection: Connection,
    control: Arc<Control>,
    remote_public_key: Option<PublicKey>,
    offers: Option<OfferHook>,
    permissions: PeerOptions,
    /// The log that the session is about, and ends with.
    single: Option<DiscoveryKey>,
    /// Logs that were added here, by what the other side calls them.
    logs: HashMap<DiscoveryKey, (Hypercore, PeerOptions)>,
    /// Says to the logs that the other side has not answered for that there may be a peer.
    unanswered: HashMap<ChannelId, (DiscoveryKey, FindingPeers)>,
    /// Logs that both sides have opened.
    channels: HashMap<ChannelId, Channel>,
    thinking: Vec<(DiscoveryKey, Thinking)>,
    /// Channels with messages for their log.
    unread: Vec<ChannelId>,
    /// Links that take no more at present.
    full: Vec<Arc<Link>>,
    mail: Vec<Mail<Outgoing>>,
    /// Why the session ends, once what is left has been sent.
    ending: Option<EndReason>,
}

/// A log that both sides have opened.
struct Channel {
    log: Hypercore,
    link: Arc<Link>,
    messages: Vec<Mail<Message>>,
}

impl<C: Carrier> Session<C> {
    pub(crate) fn new(
        carrier: C,
        connection: Connection,
        control: Arc<Control>,
        remote_public_key: Option<PublicKey>,
        offers: Option<OfferHook>,
        permissions: PeerOptions,
        single: Option<DiscoveryKey>,
    ) -> Self {
        Self {
            carrier,
            connection,
            control,
            remote_public_key,
            offers,
            permissions,
            single,
            logs: HashMap::new(),
            unanswered: HashMap::new(),
            channels: HashMap::new(),
            thinking: Vec::new(),
            unread: Vec::new(),
            full: Vec::new(),
            mail: Vec::new(),
            ending: None,
        }
    }

    /// Runs until the connection ends, and gives the carrier back. The logs are let go then, after they
    /// got all that was read for them.
    pub(crate) async fn run(mut self) -> (EndReason, C) {
        let ended = std::future::poll_fn(|context| self.poll(context)).await;
        self.deliver();
        let reason = match ended {
            Ok(()) => self.ending.take().unwrap_or(EndReason::Closed),
            Err(reason) => reason,
        };
        (reason, self.carrier)
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), EndReason>> {
        for _ in 0..ROUNDS_PER_POLL {
            if self.control.is_closing() {
                return Poll::Ready(Ok(()));
            }
            while let Some(order) = self.control.letters.take_order() {
                self.obey(order);
            }
            self.poll_offers(context);
            let reads = self.poll_input(context)?;
            let was_held = !self.may_read();
            let writes = self.poll_output(context)?;
            if self.ending.is_some() && writes.is_ready() {
                return Poll::Ready(Ok(()));
            }
            let may_read = self.may_read();
            let ticked = self.carrier.poll_tick(context, may_read)?;
            // Where writing has made room, the rest of a frame waits, and the carrier has not been asked for more.
            let goes_on = was_held && may_read;
            let stays = reads.is_pending() && ticked.is_pending() && !goes_on;
            // Mail is taken only when what was sent before is on its way.
            if stays && self.control.letters.sleep(context.waker(), writes.is_ready()) {
                return Poll::Pending;
            }
        }
        // Others have waited long enough.
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Add(log, options, finding) => {
                let (key, discovery_key) = (log.key(), log.discovery_key());
                self.logs.insert(discovery_key, (log, options));
                // What is open already stays as it is.
                if let Ok(channel) = self.connection.open(&key) {
                    self.unanswered.insert(channel, (discovery_key, finding));
                }
            }
            Order::LogGone(channel) => {
                let Some(gone) = self.stop(channel) else { return };
                self.logs.remove(&gone);
                self.connection.close(channel);
                self.end_single(gone, EndReason::LogClosed);
            }
        }
    }

    /// A session about one log ends with it.
    fn end_single(&mut self, ended: DiscoveryKey, reason: EndReason) {
        if self.single == Some(ended) {
            self.ending.get_or_insert(reason);
        }
    }

    /// Ready when something was read, or may be to be read.
    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<Result<(), EndReason>> {
        let mut progress = Poll::Pending;
        for _ in 0..FRAMES_PER_ROUND {
            let may_read = self.may_read();
            self.take_events()?;
            if !(may_read && self.may_read()) {
                break;
            }
            // The other side may have sent a lot: one frame at a time is kept.
            if self.connection.has_input() {
                progress = Poll::Ready(Ok(()));
                continue;
            }
            let Poll::Ready(frame) = self.carrier.poll_receive(context)? else {
                self.deliver();
                return progress;
            };
            progress = Poll::Ready(Ok(()));
            match frame {
                Some(frame) => self.connection.receive(frame),
                None => return Poll::Ready(Err(EndReason::Ended)),
            }
        }
        self.deliver();
        progress
    }

    /// Whether the logs, and the frames that are not decided on, leave room for more.
    fn may_read(&mut self) -> bool {
        self.full.retain(|link| !link.takes_more());
        self.full.is_empty() && !self.connection.is_paused() && self.ending.is_none()
    }

    /// Takes what the frames brought, as far as the logs take it.
    fn take_events(&mut self) -> Result<(), EndReason> {
        while self.full.is_empty() {
            let event = self.connection.next_event();
            match event.map_err(|error| EndReason::Fault(Error::peer(error)))? {
                Some(event) => self.take_event(event),
                None => return Ok(()),
            }
        }
        Ok(())
    }

    fn take_event(&mut self, event: ConnectionEvent) {
        match event {
            ConnectionEvent::Message { channel: id, message } => {
                let Some(channel) = self.channels.get_mut(&id) else { return };
                if channel.messages.is_empty() {
                    self.unread.push(id);
                }
                let len = message_len(&message);
                channel.link.delivered(len);
                channel.messages.push(Mail { message, len });
                if !channel.link.takes_more() {
                    self.full.push(Arc::clone(&channel.link));
                }
            }
            ConnectionEvent::Offered { discovery_key } => self.consider(discovery_key),
            ConnectionEvent::Withdrawn { discovery_key } => {
                self.thinking.retain(|(offered, _)| *offered != discovery_key);
            }
            ConnectionEvent::Opened { channel, discovery_key, .. } => {
                self.begin(channel, discovery_key);
            }
            ConnectionEvent::Closed { channel, reason } => {
                let unanswered = self.unanswered.remove(&channel).map(|(of, _)| of);
                let Some(of) = self.stop(channel).or(unanswered) else { return };
                let rejected = matches!(reason, ChannelCloseReason::Rejected);
                let reason = if rejected { EndReason::Rejected } else { EndReason::ChannelClosed };
                self.end_single(of, reason);
            }
            _ => {}
        }
    }

    /// The other side offers a log that is not open.
    fn consider(&mut self, offered: DiscoveryKey) {
        if let Some((log, _)) = self.logs.get(&offered) {
            // It was closed, and is wanted again.
            let _ = self.connection.open(&log.key());
            return;
        }
        match &self.offers {
            Some(hook) if self.thinking.len() < OFFERS_MAX => {
                let offer =
                    Offer { discovery_key: offered, remote_public_key: self.remote_public_key };
                self.thinking.push((offered, hook(offer)));
            }
            _ => {
                self.connection.reject(&offered);
            }
        }
    }

    /// Hears what the hook decided.
    fn poll_offers(&mut self, context: &mut Context<'_>) {
        let mut decided = Vec::new();
        self.thinking.retain_mut(|(offered, thinking)| {
            let Poll::Ready(log) = thinking.as_mut().poll(context) else { return true };
            decided.push((*offered, log));
            false
        });
        for (offered, log) in decided {
            match log.filter(|log| log.discovery_key() == offered) {
                Some(log) => {
                    let key = log.key();
                    // It may have been added meanwhile.
                    self.logs.entry(offered).or_insert((log, self.permissions));
                    let _ = self.connection.open(&key);
                }
                None => {
                    self.connection.reject(&offered);
                }
            }
        }
    }

    /// Both sides have opened a log.
    fn begin(&mut self, channel: ChannelId, discovery_key: DiscoveryKey) {
        // Until the log knows of the peer.
        let _finding = self.unanswered.remove(&channel);
        let Some((log, options)) = self.logs.get(&discovery_key) else {
            self.connection.close(channel);
            return;
        };
        let shared = log.shared();
        let key = LinkKey(shared.exchange().next_key());
        let letters = Arc::clone(&self.control.letters);
        let link = Arc::new(Link::new(key, channel, letters, self.remote_public_key));
        let permissions = Permissions::new()
            .upload(options.upload)
            .download(options.download && shared.identity.stores);
        if log.is_closed()
            || !exchange::push(shared, Command::AddPeer(Arc::clone(&link), permissions))
        {
            self.connection.close(channel);
            self.end_single(discovery_key, EndReason::LogClosed);
            return;
        }
        let log = log.clone();
        self.channels.insert(channel, Channel { log, link, messages: Vec::new() });
    }

    /// A channel is closed. Gives the log it was about, if both sides had opened it.
    fn stop(&mut self, channel: ChannelId) -> Option<DiscoveryKey> {
        self.deliver();
        let channel = self.channels.remove(&channel)?;
        self.full.retain(|link| link.key != channel.link.key);
        Some(channel.log.discovery_key())
    }

    /// Gives the logs what was read for them.
    fn deliver(&mut self) {
        for id in self.unread.drain(..) {
            let Some(channel) = self.channels.get_mut(&id) else { continue };
            let messages = std::mem::take(&mut channel.messages);
            exchange::push(channel.log.shared(), Command::Messages(channel.link.key, messages));
        }
    }

    /// Ready once everything there is to send is on its way.
    fn poll_output(&mut self, context: &mut Context<'_>) -> Poll<Result<(), EndReason>> {
        loop {
            // What the other side does not read stays where it is counted.
            if self.carrier.poll_flush(context)?.is_pending() {
                return Poll::Pending;
            }
            if self.send_frames()? {
                continue;
            }
            let roomy = self.control.letters.take_mail(SEND_LEN, &mut self.mail);
            if roomy {
                for channel in self.channels.values() {
                    exchange::push(channel.log.shared(), Command::Room(channel.link.key));
                }
            }
            if self.mail.is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.send_mail()?;
        }
    }

    fn send_mail(&mut self) -> Result<(), EndReason> {
        self.connection.cork();
        let mut mail = std::mem::take(&mut self.mail);
        for Mail { message, .. } in mail.drain(..) {
            match message {
                // What is for a channel that was closed meanwhile goes nowhere.
                Outgoing::Message(channel, message) => {
                    let _ = self.connection.send(channel, &message);
                }
                Outgoing::Close(channel, reason) => self.close_channel(channel, reason)?,
            }
        }
        self.connection.uncork();
        Ok(())
    }

    /// The replicator is done with a channel, and has forgotten it.
    fn close_channel(&mut self, channel: ChannelId, reason: CloseReason) -> Result<(), EndReason> {
        let stopped = self.stop(channel);
        self.connection.close(channel);
        match (reason, stopped) {
            (CloseReason::Fault(fault), _) => Err(EndReason::Fault(Error::peer(fault))),
            (CloseReason::Conflict, Some(of)) => {
                self.end_single(of, EndReason::Conflict);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether there were any.
    fn send_frames(&mut self) -> Result<bool, EndReason> {
        let mut any = false;
        while let Some(frame) = self.connection.next_frame() {
            self.carrier.send(frame)?;
            any = true;
        }
        Ok(any)
    }
}

/// However a channel ends, the log hears of it.
impl Drop for Channel {
    fn drop(&mut self) {
        exchange::push(self.log.shared(), Command::RemovePeer(self.link.key));
    }
}
