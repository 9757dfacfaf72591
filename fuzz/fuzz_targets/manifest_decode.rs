//! Any bytes as a manifest: no panic, and writing what was read gives what reads the same.
#![no_main]

use compact_encoding::{Decode, Encode};
use hypercore_crypto::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(manifest) = Manifest::from_slice(bytes) else { return };
    let written = manifest.to_vec();
    assert_eq!(written.len(), manifest.encoded_len());
    assert!(written.len() <= bytes.len());
    let again = Manifest::from_slice(&written).unwrap();
    assert_eq!(again, manifest);
    assert!(manifest.belongs_to(&again.key()));
});
