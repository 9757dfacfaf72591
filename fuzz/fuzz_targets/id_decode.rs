//! Any text as an id: no panic, and an id that decodes is the one its key encodes to.
#![no_main]

use hypercore_crypto::id;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(key) = id::decode(text) {
        assert_eq!(id::decode(&id::encode(&key)), Ok(key));
    }
});
