//! Every message of `secretstream.json`, both ways, with the state before and after it.

use super::*;
use crate::testing::{hex, text, unhex, unhex_array, vectors};

const SECRETSTREAM: &str = include_str!("../../tests/fixtures/secretstream.json");

/// The state as the vectors write it: key, counter, inner nonce.
fn state(cipher: &Cipher) -> String {
    let State { key, counter, inonce, .. } = &*cipher.0;
    hex([&key[..], &counter.to_le_bytes(), inonce].concat())
}

#[test]
fn messages() {
    let streams = vectors(SECRETSTREAM, "streams");
    assert_eq!(streams.len(), 4);
    for stream in streams {
        let new = || {
            let key = unhex_array(text(&stream["key"]));
            let mut cipher = Cipher::new(&key, &unhex_array(text(&stream["header"])));
            cipher.0.counter = stream["startCounter"].as_u64().unwrap().try_into().unwrap();
            cipher
        };
        let (mut sender, mut receiver) = (new(), new());
        for message in stream["messages"].as_array().unwrap() {
            assert_eq!(state(&sender), text(&message["stateBefore"]));
            let plaintext = unhex(text(&message["plaintext"]));
            let tag = message["tag"].as_u64().unwrap().try_into().unwrap();

            let mut data = plaintext.clone();
            let (sealed_tag, mac) = sender.seal(tag, &mut data);
            let body = [&[sealed_tag], &data[..], &mac].concat();
            assert_eq!(hex(body), text(&message["ciphertext"]));
            assert_eq!(state(&sender), text(&message["stateAfter"]));

            assert_eq!(receiver.open(sealed_tag, &mut data, &mac), Some(tag));
            assert_eq!(data, plaintext);
            assert_eq!(state(&receiver), text(&message["stateAfter"]));
        }
    }
}

/// Lengths around every border of the code: blocks of the authenticator, strides of the keystream.
#[test]
fn every_short_length_comes_back() {
    let new = || Cipher::new(&[1; 32], &[2; 24]);
    let (mut sender, mut receiver) = (new(), new());
    for len in (0..1300).chain([4095, 4096, 4097, 70_000]) {
        let plaintext: Vec<u8> = (0..len).map(|at| (at * 7 + at / 251) as u8).collect();
        let mut data = plaintext.clone();
        let (tag, mac) = sender.seal(TAG_MESSAGE, &mut data);
        assert!(len < 16 || data != plaintext);
        assert_eq!(receiver.open(tag, &mut data, &mac), Some(TAG_MESSAGE), "{len}");
        assert_eq!(data, plaintext, "{len}");
    }
}

/// A refused message leaves everything as it was: the right one is taken afterwards.
#[test]
fn a_refused_message_changes_nothing() {
    let new = || Cipher::new(&[1; 32], &[2; 24]);
    let (mut sender, mut receiver) = (new(), new());
    let mut data = *b"a message of more than one block";
    let (tag, mac) = sender.seal(TAG_MESSAGE, &mut data);
    let before = state(&receiver);
    for bit in 0..(1 + data.len() + mac.len()) * 8 {
        let (mut tag, mut data, mut mac) = (tag, data, mac);
        let mut bytes = std::iter::once(&mut tag).chain(&mut data).chain(&mut mac);
        *bytes.nth(bit / 8).unwrap() ^= 1 << (bit % 8);
        let damaged = data;
        assert_eq!(receiver.open(tag, &mut data, &mac), None, "bit {bit}");
        assert_eq!((data, state(&receiver)), (damaged, before.clone()), "bit {bit}");
    }
    assert_eq!(receiver.open(tag, &mut data, &mac), Some(TAG_MESSAGE));
    assert_eq!(&data, b"a message of more than one block");
}
