//! ChaCha20-Poly1305 of RFC 8439, which encrypts what a handshake hides.
//!
//! # Source
//! wire.md section 2.2 (the cipher and its nonce).

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::keystream::{BLOCK_LEN, Keystream, Processor, STRIDE_LEN};
use crate::poly1305::{self, Poly1305, TAG_LEN};

/// Encrypts `data` in place and gives its tag.
pub(crate) fn seal(
    key: &[u8; 32],
    nonce: u64,
    associated: &[u8],
    data: &mut [u8],
) -> [u8; TAG_LEN] {
    let mut stride = Zeroizing::new([0; STRIDE_LEN]);
    let keystream = Keystream::start(Processor::new(), key, &nonce_bytes(nonce), &mut stride);
    let authenticator = Poly1305::new(&keystream.authenticator_key());
    keystream.apply(BLOCK_LEN, data);
    tag(authenticator, associated, data)
}

/// Decrypts `data` in place, or leaves it as it is if `claimed` is not its tag.
#[must_use]
pub(crate) fn open(
    key: &[u8; 32],
    nonce: u64,
    associated: &[u8],
    data: &mut [u8],
    claimed: &[u8; TAG_LEN],
) -> bool {
    let mut stride = Zeroizing::new([0; STRIDE_LEN]);
    let keystream = Keystream::start(Processor::new(), key, &nonce_bytes(nonce), &mut stride);
    let authenticator = Poly1305::new(&keystream.authenticator_key());
    let is_genuine: bool = tag(authenticator, associated, data).ct_eq(claimed).into();
    if is_genuine {
        keystream.apply(BLOCK_LEN, data);
    }
    is_genuine
}

/// Four zeros, then the number.
fn nonce_bytes(nonce: u64) -> [u8; 12] {
    let mut bytes = [0; 12];
    if let Some(number) = bytes.last_chunk_mut() {
        *number = nonce.to_le_bytes();
    }
    bytes
}

fn tag(mut authenticator: Poly1305, associated: &[u8], data: &[u8]) -> [u8; TAG_LEN] {
    for part in [associated, data] {
        let (blocks, last) = part.as_chunks();
        authenticator.update(blocks);
        if !last.is_empty() {
            let mut block = [0; poly1305::BLOCK_LEN];
            for (to, byte) in block.iter_mut().zip(last) {
                *to = *byte;
            }
            authenticator.update(&[block]);
        }
    }
    let lengths = (data.len() as u128) << 64 | associated.len() as u128;
    authenticator.finish(&lengths.to_le_bytes())
}
