//! BLAKE2b as the handshake uses it: plain, keyed, as HMAC and as HKDF.
//!
//! `blake2b_simd` and SHA-512 are named here and in `key.rs` alone.

use blake2b_simd::{Params, State};
use zeroize::Zeroizing;

/// Bytes of a hash in a handshake.
pub(crate) const HASH_LEN: usize = 64;
/// Bytes that HMAC fills its key up to.
const HMAC_BLOCK_LEN: usize = 128;

/// A value of HASH_LEN bytes that is wiped.
pub(crate) type SecretHash = Zeroizing<[u8; HASH_LEN]>;

/// The 64-byte hash of `parts`, one behind the other.
pub(crate) fn hash(parts: &[&[u8]]) -> [u8; HASH_LEN] {
    finish(State::new(), parts)
}

/// The 32-byte hash of `message` keyed with `key`.
pub(crate) fn keyed_hash(key: &[u8; HASH_LEN], message: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(Params::new().hash_length(32).key(key).hash(message).as_bytes());
    out
}

/// The two outputs that Noise takes from HKDF.
///
/// # Source
/// wire.md section 2.2 (HKDF).
pub(crate) fn derive_pair(chaining: &[u8; HASH_LEN], input: &[u8]) -> (SecretHash, SecretHash) {
    let secret = hmac(chaining, &[input]);
    let first = hmac(&secret, &[&[1]]);
    let second = hmac(&secret, &[&*first, &[2]]);
    (first, second)
}

fn hmac(key: &[u8; HASH_LEN], parts: &[&[u8]]) -> SecretHash {
    let keyed = |fill: u8| {
        let mut block = Zeroizing::new([fill; HMAC_BLOCK_LEN]);
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        let mut state = State::new();
        state.update(&*block);
        state
    };
    let inner = Zeroizing::new(finish(keyed(0x36), parts));
    Zeroizing::new(finish(keyed(0x5c), &[&*inner]))
}

fn finish(mut state: State, parts: &[&[u8]]) -> [u8; HASH_LEN] {
    for part in parts {
        state.update(part);
    }
    *state.finalize().as_array()
}
