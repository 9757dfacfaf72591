//! The ChaCha20 keystream, taken in strides of four blocks.
//!
//! Four blocks are what the vector units make at once, at the price of one. So the first four
//! are always made together: they hold the authenticator's key, in a message its tag block, and
//! all that a short message needs. What is left at the end is again made as four.
//!
//! It must not know messages, only where in the stream their bytes begin.

use chacha20::cipher::{Block, KeyIvInit as _, StreamCipherCore as _};
use chacha20::variants::Ietf;
use chacha20::{ChaChaCore, R20, hchacha};
use zeroize::Zeroizing;

type Core = ChaChaCore<R20, Ietf>;

/// Bytes of a block of the keystream.
pub(crate) const BLOCK_LEN: usize = 64;
/// Bytes of four blocks.
pub(crate) const STRIDE_LEN: usize = 4 * BLOCK_LEN;

/// A place for four blocks, which outlives the messages, so that it need not be wiped for each.
pub(crate) type Stride = [u8; STRIDE_LEN];

/// The keystream of one key and nonce.
pub(crate) struct Keystream<'a> {
    /// Stands behind the blocks in `stride`.
    core: Core,
    /// Blocks 0 to 3.
    stride: &'a mut Stride,
}

impl<'a> Keystream<'a> {
    /// Starts at block 0.
    #[inline]
    pub(crate) fn start(key: &[u8; 32], nonce: &[u8; 12], stride: &'a mut Stride) -> Self {
        let mut core = Core::new(key.into(), nonce.into());
        refill(&mut core, stride);
        Self { core, stride }
    }

    /// The one-time key of the message's authenticator, from block 0.
    #[inline]
    pub(crate) fn authenticator_key(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(leading(self.stride))
    }

    /// Block 1.
    #[inline]
    pub(crate) fn second_block(&self) -> [u8; BLOCK_LEN] {
        let (_, rest) = self.stride.split_at(BLOCK_LEN);
        leading(rest)
    }

    /// Encrypts or decrypts `data` with what stands in the keystream from byte `offset` of the
    /// first four blocks on.
    #[inline]
    pub(crate) fn apply(mut self, offset: usize, data: &mut [u8]) {
        let first = self.stride.get(offset..).unwrap_or_default();
        let (head, rest) = data.split_at_mut(data.len().min(first.len()));
        xor(head, first);
        if rest.is_empty() {
            return;
        }
        let tail_len = rest.len() % STRIDE_LEN;
        let (strides, tail) = rest.split_at_mut(rest.len().saturating_sub(tail_len));
        self.core.apply_keystream_blocks(Block::<Core>::slice_as_chunks_mut(strides).0);
        if !tail.is_empty() {
            refill(&mut self.core, self.stride);
            xor(tail, self.stride);
        }
    }
}

/// The key under which a stream with a long nonce runs.
pub(crate) fn derive(key: &[u8; 32], nonce: &[u8; 16]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(hchacha::<R20>(key.into(), nonce.into()).into())
}

/// The first bytes of `bytes`, of which there are enough.
#[inline]
fn leading<const LEN: usize>(bytes: &[u8]) -> [u8; LEN] {
    let mut taken = [0; LEN];
    for (to, byte) in taken.iter_mut().zip(bytes) {
        *to = *byte;
    }
    taken
}

#[inline]
fn refill(core: &mut Core, stride: &mut Stride) {
    core.write_keystream_blocks(Block::<Core>::slice_as_chunks_mut(stride).0);
}

/// Changes as many bytes of `data` as there are in `keystream`.
#[inline]
fn xor(data: &mut [u8], keystream: &[u8]) {
    for (byte, key) in data.iter_mut().zip(keystream) {
        *byte ^= key;
    }
}
