//! Messages against the same made of the published cipher and authenticator, also where the counter wraps around.

use ::poly1305::universal_hash::KeyInit as _;
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _, StreamCipherSeek as _};
use proptest::prelude::*;

use super::*;

/// A direction, written as libsodium has it.
struct Reference {
    key: [u8; 32],
    counter: u32,
    inonce: [u8; 8],
}

impl Reference {
    fn new(key: &[u8; 32], header: &[u8; HEADER_LEN]) -> Self {
        let nonce: [u8; 16] = header[..16].try_into().unwrap();
        let key = chacha20::hchacha::<chacha20::R20>(&(*key).into(), &nonce.into());
        Self { key: key.into(), counter: 1, inonce: header[16..].try_into().unwrap() }
    }

    fn cipher(&self, block: u64) -> ChaCha20 {
        let mut nonce = [0; 12];
        nonce[..4].copy_from_slice(&self.counter.to_le_bytes());
        nonce[4..].copy_from_slice(&self.inonce);
        let mut cipher = ChaCha20::new(&self.key.into(), &nonce.into());
        cipher.seek(block * 64);
        cipher
    }

    fn seal(&mut self, tag: u8, data: &mut [u8]) -> (u8, [u8; MAC_LEN]) {
        let mut authenticator_key = [0; 32];
        self.cipher(0).apply_keystream(&mut authenticator_key);
        let mut block = [0; 64];
        block[0] = tag;
        self.cipher(1).apply_keystream(&mut block);
        self.cipher(2).apply_keystream(data);
        let mut covered = block.to_vec();
        covered.extend_from_slice(data);
        // (16 - 64 + length) modulo 16, where (16 - length) was meant.
        covered.resize(covered.len() + data.len() % 16, 0);
        covered.extend_from_slice(&0_u64.to_le_bytes());
        covered.extend_from_slice(&(64 + data.len() as u64).to_le_bytes());
        let authenticator = ::poly1305::Poly1305::new(&authenticator_key.into());
        let mac: [u8; MAC_LEN] = authenticator.compute_unpadded(&covered).into();
        self.inonce.iter_mut().zip(mac).for_each(|(byte, mac)| *byte ^= mac);
        self.counter = self.counter.wrapping_add(1);
        if tag & 2 != 0 || self.counter == 0 {
            let mut secrets = [0; 40];
            secrets[..32].copy_from_slice(&self.key);
            secrets[32..].copy_from_slice(&self.inonce);
            self.cipher(0).apply_keystream(&mut secrets);
            self.key.copy_from_slice(&secrets[..32]);
            self.inonce.copy_from_slice(&secrets[32..]);
            self.counter = 1;
        }
        (block[0], mac)
    }
}

fn check(key: &[u8; 32], header: &[u8; HEADER_LEN], counter: u32, messages: &[(u8, Vec<u8>)]) {
    let mut reference = Reference::new(key, header);
    let (mut sender, mut receiver) = (Cipher::new(key, header), Cipher::new(key, header));
    reference.counter = counter;
    sender.0.counter = counter;
    receiver.0.counter = counter;
    for (tag, plain) in messages {
        let (mut expected, mut data) = (plain.clone(), plain.clone());
        let (sealed_tag, mac) = reference.seal(*tag, &mut expected);
        assert_eq!(sender.seal(*tag, &mut data), (sealed_tag, mac), "{} bytes", plain.len());
        assert_eq!(data, expected, "{} bytes", plain.len());
        assert_eq!(receiver.open(sealed_tag, &mut data, &mac), Some(*tag));
        assert_eq!(&data, plain);
    }
    assert_eq!((reference.counter, reference.key), (sender.0.counter, sender.0.key));
}

#[test]
fn every_length_and_a_long_one() {
    let messages = (0..1100).chain([70_001, 1 << 20]).map(|len| (TAG_MESSAGE, vec![0xa5; len]));
    check(&[7; 32], &[9; HEADER_LEN], 1, &messages.collect::<Vec<_>>());
}

proptest! {
    #[test]
    fn same_as_the_published_parts(
        key: [u8; 32],
        header: [u8; HEADER_LEN],
        until_wrap in 0..6_u32,
        messages in prop::collection::vec(
            (0..4_u8, prop::collection::vec(any::<u8>(), 0..200)),
            1..8,
        ),
    ) {
        check(&key, &header, 1, &messages);
        check(&key, &header, u32::MAX - until_wrap, &messages);
    }
}
