//! Limits, and the room that the layer below wants around a frame.
//!
//! Every queue that a remote can fill has its bound here.

/// The bytes of the largest frame that a secret stream encrypts: 2^24 - 1 less 17 for its tag
/// byte and its MAC. A longer one is refused with [`SendError::TooLarge`](crate::SendError) or
/// [`OpenError::TooLarge`](crate::OpenError) before anything is written.
///
/// # Source
/// wire.md section 3.4.
pub const FRAME_LEN_MAX: usize = 16_777_198;

/// The bytes a batch may have before it becomes a frame, unless [`Options::batch_len_max`] says
/// otherwise. A message that is longer travels alone. JavaScript stops at 8 MiB.
pub const BATCH_LEN_MAX: usize = 64 * 1024;

/// Channels of one mux, unless [`Options::channels_max`] says otherwise: those that this side
/// opened and those that the remote offers. A remote that offers more gets
/// [`MuxError::TooManyChannels`](crate::MuxError); opening more here is
/// [`OpenError::TooManyChannels`](crate::OpenError).
pub const CHANNELS_MAX: usize = 4096;

/// Offers that may wait for a decision, unless [`Options::offers_max`] says otherwise. When as
/// many wait, the mux [is paused](crate::Mux::is_paused).
pub const OFFERS_MAX: usize = 256;

/// The bytes of topic and handshake that one offer may bring. A remote that brings more gets
/// [`MuxError::OfferTooLarge`](crate::MuxError); hypercore brings 65.
pub const OFFER_LEN_MAX: usize = 1024;

/// The bytes held for channels that are offered and not decided on, unless
/// [`Options::held_len_max`] says otherwise. Beyond it, the mux
/// [is paused](crate::Mux::is_paused).
///
/// # Source
/// wire.md section 3.2.
pub const HELD_LEN_MAX: usize = 32_768;

/// What a held message counts besides its payload.
///
/// # Source
/// wire.md section 3.2.
pub const HELD_MESSAGE_LEN: usize = 512;

/// Rejects and closes that the mux wrote on its own behalf and that nobody took yet. When as many
/// wait, the mux [is paused](crate::Mux::is_paused): a remote that never reads can open as much as
/// it likes.
pub const ANSWERS_WAITING_MAX: usize = 256;

/// How a [`Mux`](crate::Mux) is set up.
///
/// ```
/// let mut options = protomux::Options::default();
/// options.head_len = 4;
/// options.tail_len = 16;
/// let mux = protomux::Mux::new(options);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Bytes in front of each outgoing frame that are left free (zero), so that the layer below
    /// can write its own head there and encrypt in place. 0.
    pub head_len: usize,
    /// Bytes that can be appended to an outgoing frame without moving it. 0.
    pub tail_len: usize,
    /// Bytes of a batch, head and tail not counted. [`BATCH_LEN_MAX`].
    pub batch_len_max: usize,
    /// Channels. [`CHANNELS_MAX`].
    pub channels_max: usize,
    /// Offers that wait for a decision. [`OFFERS_MAX`].
    pub offers_max: usize,
    /// Bytes held for them. [`HELD_LEN_MAX`].
    pub held_len_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            head_len: 0,
            tail_len: 0,
            batch_len_max: BATCH_LEN_MAX,
            channels_max: CHANNELS_MAX,
            offers_max: OFFERS_MAX,
            held_len_max: HELD_LEN_MAX,
        }
    }
}
