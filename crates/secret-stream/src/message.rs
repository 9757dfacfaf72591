//! Messages of one direction, as `crypto_secretstream_xchacha20poly1305` of libsodium has them.
//!
//! Each message changes the state that the next one needs, so nothing can be left out, repeated
//! or moved without the next message failing. A state that has refused a message is of no more
//! use.
//!
//! # Source
//! wire.md section 2.4.

use subtle::ConstantTimeEq as _;
use zeroize::Zeroize as _;

use crate::keystream::{self, BLOCK_LEN, Keystream, Processor, STRIDE_LEN, Stride};
use crate::poly1305::{self, Poly1305};

/// Bytes of the header that a direction starts with.
pub(crate) const HEADER_LEN: usize = 24;
/// Bytes of the encrypted tag in front of a message.
pub(crate) const TAG_LEN: usize = 1;
/// Bytes of the authenticator behind a message.
pub(crate) const MAC_LEN: usize = poly1305::TAG_LEN;

/// The tag of an ordinary message, the only one that is sent.
pub(crate) const TAG_MESSAGE: u8 = 0;
/// The bit of a tag that asks for new keys behind the message.
const TAG_REKEY_BIT: u8 = 2;

/// Where the bytes of a message begin in the keystream: behind the authenticator's key and the
/// block of the tag.
const MESSAGE_OFFSET: usize = 2 * BLOCK_LEN;
/// Bytes of the two lengths at the end of what is authenticated.
const LENGTHS_LEN: usize = 16;
/// The most that stands behind the whole blocks in what is authenticated: a rest of 15 bytes,
/// as many zeros, and the lengths.
const REST_LEN_MAX: usize = 15 + 15 + LENGTHS_LEN;

/// The state of one direction, boxed so that moving it does not leave copies behind.
pub(crate) struct Cipher(Box<State>);

struct State {
    key: [u8; 32],
    counter: u32,
    inonce: [u8; 8],
    stride: Stride,
    processor: Processor,
}

impl Cipher {
    /// Starts a direction with its key and the header that its sender drew.
    pub(crate) fn new(key: &[u8; 32], header: &[u8; HEADER_LEN]) -> Self {
        let mut state = Box::new(State {
            key: [0; 32],
            counter: 1,
            inonce: [0; 8],
            stride: [0; STRIDE_LEN],
            processor: Processor::new(),
        });
        if let Some((nonce, inonce)) = header.split_first_chunk() {
            state.key = *keystream::derive(state.processor, key, nonce);
            state.inonce.copy_from_slice(inonce);
        }
        Self(state)
    }

    /// Encrypts `data` in place; gives the encrypted tag and the authenticator.
    #[inline]
    pub(crate) fn seal(&mut self, tag: u8, data: &mut [u8]) -> (u8, [u8; MAC_LEN]) {
        let state = &mut *self.0;
        let keystream = state.keystream();
        let authenticator = Poly1305::new(&keystream.authenticator_key());
        let mut tag_block = keystream.second_block();
        tag_block[0] ^= tag;
        keystream.apply(MESSAGE_OFFSET, data);
        let mac = authenticate(authenticator, &tag_block, data);
        state.advance(tag, &mac);
        (tag_block[0], mac)
    }

    /// Decrypts `data` in place and gives the tag; `None`, and nothing changed, if the message is
    /// not the one that was sent.
    #[inline]
    pub(crate) fn open(
        &mut self,
        sealed_tag: u8,
        data: &mut [u8],
        mac: &[u8; MAC_LEN],
    ) -> Option<u8> {
        let state = &mut *self.0;
        let keystream = state.keystream();
        let authenticator = Poly1305::new(&keystream.authenticator_key());
        let mut tag_block = keystream.second_block();
        let tag = tag_block[0] ^ sealed_tag;
        tag_block[0] = sealed_tag;
        if !bool::from(authenticate(authenticator, &tag_block, data).ct_eq(mac)) {
            return None;
        }
        keystream.apply(MESSAGE_OFFSET, data);
        state.advance(tag, mac);
        Some(tag)
    }
}

impl State {
    /// The keystream of the next message.
    #[inline]
    fn keystream(&mut self) -> Keystream<'_> {
        let nonce = nonce(self.counter, self.inonce);
        Keystream::start(self.processor, &self.key, &nonce, &mut self.stride)
    }

    /// Makes ready for the message behind the one with this tag and authenticator.
    #[inline]
    fn advance(&mut self, tag: u8, mac: &[u8; MAC_LEN]) {
        for (byte, mac) in self.inonce.iter_mut().zip(mac) {
            *byte ^= mac;
        }
        self.counter = self.counter.wrapping_add(1);
        if tag & TAG_REKEY_BIT != 0 || self.counter == 0 {
            self.rekey();
        }
    }

    /// Encrypts the key and the inner nonce with themselves.
    #[cold]
    fn rekey(&mut self) {
        let _ = self.keystream();
        let secrets = self.key.iter_mut().chain(&mut self.inonce);
        for (byte, keystream) in secrets.zip(&self.stride) {
            *byte ^= keystream;
        }
        self.counter = 1;
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.key.zeroize();
        self.inonce.zeroize();
        self.stride.zeroize();
    }
}

#[inline]
fn nonce(counter: u32, inonce: [u8; 8]) -> [u8; 12] {
    let ([a, b, c, d], [e, f, g, h, i, j, k, l]) = (counter.to_le_bytes(), inonce);
    [a, b, c, d, e, f, g, h, i, j, k, l]
}

/// The authenticator of the encrypted block of the tag and the encrypted message.
#[inline]
fn authenticate(
    mut authenticator: Poly1305,
    tag_block: &[u8; BLOCK_LEN],
    sealed: &[u8],
) -> [u8; MAC_LEN] {
    authenticator.update(tag_block.as_chunks().0);
    let (blocks, last) = sealed.as_chunks();
    authenticator.update(blocks);

    // As many zeros as there are bytes in the last block: libsodium meant to fill the block, and
    // its slip is part of the format. Behind them the length of the associated data, of which
    // there is none, and that of what was encrypted.
    let lengths = ((BLOCK_LEN as u128).wrapping_add(sealed.len() as u128)) << 64;
    let mut rest = [0; REST_LEN_MAX];
    let (bytes, behind) = rest.split_at_mut(last.len());
    bytes.copy_from_slice(last);
    let (_zeros, behind) = behind.split_at_mut(last.len());
    if let Some(place) = behind.first_chunk_mut() {
        *place = lengths.to_le_bytes();
    }
    let rest_len = last.len().wrapping_mul(2).wrapping_add(LENGTHS_LEN);
    authenticator.finish(rest.get(..rest_len).unwrap_or_default())
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod reference;
