//! Noise handshakes, patterns XX and IK, on Ed25519 keys.
//!
//! Each side writes and reads messages in turn. A message that cannot be read ends the handshake:
//! whatever is called afterwards is refused. Both sides end with the same [`Handshake`], seen from
//! their own side.
//!
//! It must not know frames or streams.

mod symmetric;

use std::fmt;

use bytes::{BufMut as _, BytesMut};
use zeroize::Zeroizing;

use crate::Role;
use crate::key::{KeyPair, Point, PublicKey};
use crate::poly1305::TAG_LEN;
use symmetric::Symmetric;

/// What a handshake leaves behind: keys of the two directions and the name of the conversation.
///
/// Wiped when dropped; `Debug` shows the remote public key only.
#[derive(Clone)]
pub struct Handshake {
    secrets: Box<Secrets>,
    remote_public_key: PublicKey,
}

/// Boxed, so that moving a result does not leave copies behind.
#[derive(Clone)]
struct Secrets {
    send_key: Zeroizing<[u8; 32]>,
    receive_key: Zeroizing<[u8; 32]>,
    hash: [u8; 64],
}

impl Handshake {
    /// Takes the result of a handshake that something else ran, as HyperDHT does.
    ///
    /// `send_key` encrypts what this side sends (`tx`), `receive_key` what it receives (`rx`).
    ///
    /// # Source
    /// wire.md section 10.
    #[must_use]
    pub fn from_parts(
        send_key: [u8; 32],
        receive_key: [u8; 32],
        hash: [u8; 64],
        remote_public_key: PublicKey,
    ) -> Self {
        let secrets = Secrets {
            send_key: Zeroizing::new(send_key),
            receive_key: Zeroizing::new(receive_key),
            hash,
        };
        Self { secrets: Box::new(secrets), remote_public_key }
    }

    /// The 64 bytes that name this conversation; both sides have the same.
    #[must_use]
    pub fn hash(&self) -> &[u8; 64] {
        &self.secrets.hash
    }

    /// The lasting key of the other side, whose secret half it has proven to hold.
    #[must_use]
    pub fn remote_public_key(&self) -> PublicKey {
        self.remote_public_key
    }

    /// The key of what this side sends.
    pub(crate) fn send_key(&self) -> &[u8; 32] {
        &self.secrets.send_key
    }

    /// The key of what this side receives.
    pub(crate) fn receive_key(&self) -> &[u8; 32] {
        &self.secrets.receive_key
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("remote_public_key", &self.remote_public_key)
            .finish_non_exhaustive()
    }
}

/// Why a handshake cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoiseError {
    /// The message ends before its keys do. The other side's fault.
    #[error("a handshake message is too short")]
    Truncated,
    /// A key is not a point that may be multiplied with. The other side's fault, unless it was
    /// given to [`Noise::ik_initiator`].
    #[error("a key is not a canonical point of prime order")]
    BadPoint,
    /// Something encrypted does not open: it was damaged, forged, replayed, or meant for another
    /// key. The other side's fault.
    #[error("a handshake message is not authentic")]
    Forged,
    /// It is not this side's turn to do this, or the handshake is over. The caller's fault.
    #[error("the handshake is not at this point")]
    OutOfTurn,
}

/// One step of a message.
#[derive(Clone, Copy)]
enum Token {
    /// The sender's passing key.
    E,
    /// The sender's lasting key.
    S,
    /// Secrets shared by two keys: the initiator's first, then the responder's.
    Ee,
    Es,
    Se,
    Ss,
}

/// The messages of a pattern, from the initiator and the responder in turn.
struct Pattern {
    name: &'static [u8],
    messages: &'static [&'static [Token]],
}

/// # Source
/// wire.md section 2.2.
const XX: Pattern = Pattern {
    name: b"Noise_XX_Ed25519_ChaChaPoly_BLAKE2b",
    messages: &[&[Token::E], &[Token::E, Token::Ee, Token::S, Token::Es], &[Token::S, Token::Se]],
};

/// # Source
/// wire.md section 2.7.
const IK: Pattern = Pattern {
    name: b"Noise_IK_Ed25519_ChaChaPoly_BLAKE2b",
    messages: &[&[Token::E, Token::Es, Token::S, Token::Ss], &[Token::E, Token::Ee, Token::Se]],
};

/// A handshake under way.
///
/// [`write_message`](Self::write_message) and [`read_message`](Self::read_message) in turn, the
/// initiator writing first, until [`is_finished`](Self::is_finished); then
/// [`handshake`](Self::handshake). XX takes three messages, IK two.
///
/// Wiped when dropped; `Debug` shows where it stands.
pub struct Noise {
    role: Role,
    /// The messages that are still to come, `None` after a failure.
    ahead: Option<&'static [&'static [Token]]>,
    /// Whether the next one is this side's.
    is_writer: bool,
    state: Box<State>,
}

/// Boxed, so that moving a handshake does not leave copies behind.
struct State {
    symmetric: Symmetric,
    lasting: KeyPair,
    passing: KeyPair,
    remote_lasting: Option<(PublicKey, Point)>,
    remote_passing: Option<Point>,
}

impl Noise {
    /// Starts an XX handshake: both sides learn and prove their lasting keys.
    ///
    /// `seed` must be random and never be used again; it makes the passing key.
    #[must_use]
    pub fn xx(role: Role, key_pair: &KeyPair, seed: &[u8; 32], prologue: &[u8]) -> Self {
        Self::new(&XX, role, key_pair, seed, prologue)
    }

    /// Starts an IK handshake with a responder whose key is known; the first payload is already
    /// for it alone.
    ///
    /// `seed` must be random and never be used again; it makes the passing key.
    ///
    /// # Errors
    /// [`NoiseError::BadPoint`] when `remote` cannot be a key.
    pub fn ik_initiator(
        key_pair: &KeyPair,
        remote: &PublicKey,
        seed: &[u8; 32],
        prologue: &[u8],
    ) -> Result<Self, NoiseError> {
        let point = Point::decode(remote).ok_or(NoiseError::BadPoint)?;
        let mut noise = Self::new(&IK, Role::Initiator, key_pair, seed, prologue);
        noise.state.symmetric.mix_hash(remote.as_bytes());
        noise.state.remote_lasting = Some((*remote, point));
        Ok(noise)
    }

    /// Starts the other side of an IK handshake.
    ///
    /// `seed` must be random and never be used again; it makes the passing key.
    #[must_use]
    pub fn ik_responder(key_pair: &KeyPair, seed: &[u8; 32], prologue: &[u8]) -> Self {
        let mut noise = Self::new(&IK, Role::Responder, key_pair, seed, prologue);
        noise.state.symmetric.mix_hash(key_pair.public().as_bytes());
        noise
    }

    fn new(
        pattern: &Pattern,
        role: Role,
        key_pair: &KeyPair,
        seed: &[u8; 32],
        prologue: &[u8],
    ) -> Self {
        let state = State {
            symmetric: Symmetric::new(pattern.name, prologue),
            lasting: key_pair.clone(),
            passing: KeyPair::from_seed(seed),
            remote_lasting: None,
            remote_passing: None,
        };
        Self {
            role,
            ahead: Some(pattern.messages),
            is_writer: role == Role::Initiator,
            state: Box::new(state),
        }
    }

    /// Whether all messages were written and read.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.ahead.is_some_and(<[_]>::is_empty)
    }

    /// Whether the next message is this side's to write.
    #[must_use]
    pub fn is_writer(&self) -> bool {
        self.is_writer && self.ahead.is_some_and(|ahead| !ahead.is_empty())
    }

    /// Appends the next message, with `payload` in it, to `output`.
    ///
    /// A payload in the first message of XX can be read by everyone.
    ///
    /// # Errors
    /// [`NoiseError::OutOfTurn`] when it is the other side's turn or the handshake is over.
    pub fn write_message(
        &mut self,
        payload: &[u8],
        output: &mut BytesMut,
    ) -> Result<(), NoiseError> {
        let tokens = self.turn(true)?;
        for token in tokens {
            match token {
                Token::E => {
                    let key = self.state.passing.public();
                    self.state.symmetric.mix_hash(key.as_bytes());
                    output.put_slice(key.as_bytes());
                }
                Token::S => {
                    let key = self.state.lasting.public();
                    self.state.symmetric.encrypt_and_hash(key.as_bytes(), output);
                }
                secret => self.mix_secret(*secret)?,
            }
        }
        self.state.symmetric.encrypt_and_hash(payload, output);
        Ok(())
    }

    /// Takes a message of the other side and gives the payload in it.
    ///
    /// # Errors
    /// [`NoiseError::OutOfTurn`] when it is this side's turn or the handshake is over; otherwise
    /// what is wrong with the message, and the handshake is over.
    pub fn read_message(&mut self, message: &[u8]) -> Result<Vec<u8>, NoiseError> {
        let tokens = self.turn(false)?;
        let read = self.read_tokens(tokens, message);
        if read.is_err() {
            self.ahead = None;
        }
        read
    }

    fn read_tokens(&mut self, tokens: &[Token], message: &[u8]) -> Result<Vec<u8>, NoiseError> {
        let mut rest = message;
        for token in tokens {
            match token {
                Token::E => {
                    let key = PublicKey::from_bytes(*take(&mut rest)?);
                    self.state.symmetric.mix_hash(key.as_bytes());
                    self.state.remote_passing = Some(point(&key)?);
                }
                Token::S => {
                    let key = self.read_lasting_key(&mut rest)?;
                    self.state.remote_lasting = Some((key, point(&key)?));
                }
                secret => self.mix_secret(*secret)?,
            }
        }
        self.state.symmetric.decrypt_and_hash(rest)
    }

    /// In all patterns here the lasting key comes when there is a cipher key already.
    fn read_lasting_key(&mut self, rest: &mut &[u8]) -> Result<PublicKey, NoiseError> {
        let sealed: &[u8; PublicKey::LEN + TAG_LEN] = take(rest)?;
        let key = self.state.symmetric.decrypt_and_hash(sealed)?;
        let key = key.try_into().map_err(|_| NoiseError::Truncated)?;
        Ok(PublicKey::from_bytes(key))
    }

    /// Mixes in what a key of this side and one of the other share.
    fn mix_secret(&mut self, token: Token) -> Result<(), NoiseError> {
        let state = &mut *self.state;
        // The initiator's key comes first in a token's name.
        let (is_own_lasting, is_remote_lasting) = match (token, self.role) {
            (Token::Es, Role::Responder) | (Token::Se, Role::Initiator) => (true, false),
            (Token::Es, Role::Initiator) | (Token::Se, Role::Responder) => (false, true),
            (Token::Ss, _) => (true, true),
            (Token::E | Token::S | Token::Ee, _) => (false, false),
        };
        let own = if is_own_lasting { &state.lasting } else { &state.passing };
        let remote = if is_remote_lasting {
            state.remote_lasting.as_ref().map(|(_, point)| point)
        } else {
            state.remote_passing.as_ref()
        };
        let secret = own.shared_secret(remote.ok_or(NoiseError::OutOfTurn)?);
        state.symmetric.mix_key(&*secret);
        Ok(())
    }

    /// The steps of the next message, if it is this side's to write or to read.
    fn turn(&mut self, is_writer: bool) -> Result<&'static [Token], NoiseError> {
        let (next, ahead) = self.ahead.and_then(<[_]>::split_first).ok_or(NoiseError::OutOfTurn)?;
        if is_writer != self.is_writer {
            return Err(NoiseError::OutOfTurn);
        }
        self.ahead = Some(ahead);
        self.is_writer = !is_writer;
        Ok(next)
    }

    /// The result, once the handshake [`is_finished`](Self::is_finished).
    #[must_use]
    pub fn handshake(&self) -> Option<Handshake> {
        let (remote_public_key, _) =
            self.state.remote_lasting.as_ref().filter(|_| self.is_finished())?;
        let (first, second) = self.state.symmetric.split();
        let (send_key, receive_key) = match self.role {
            Role::Initiator => (first, second),
            Role::Responder => (second, first),
        };
        let hash = *self.state.symmetric.hash();
        let secrets = Secrets { send_key, receive_key, hash };
        Some(Handshake { secrets: Box::new(secrets), remote_public_key: *remote_public_key })
    }
}

impl fmt::Debug for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Noise")
            .field("role", &self.role)
            .field("messages_ahead", &self.ahead.map(<[_]>::len))
            .finish_non_exhaustive()
    }
}

fn point(key: &PublicKey) -> Result<Point, NoiseError> {
    Point::decode(key).ok_or(NoiseError::BadPoint)
}

/// The next `LEN` bytes.
fn take<'a, const LEN: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; LEN], NoiseError> {
    let (taken, behind) = rest.split_first_chunk().ok_or(NoiseError::Truncated)?;
    *rest = behind;
    Ok(taken)
}

#[cfg(test)]
mod golden;
