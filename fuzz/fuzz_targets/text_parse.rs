//! Any text as what people type: ids, sizes, ranges, hex digits. No panic, and what is read is what was written.
#![no_main]

use hypercore_crypto::{CoreKey, id};
use libfuzzer_sys::fuzz_target;

#[expect(dead_code, reason = "the command's own module, of which secrets need its parser")]
#[path = "../../crates/hypercore-cli/src/parse.rs"]
mod parse;

fuzz_target!(|text: &str| {
    if let Ok(key) = id::decode(text) {
        assert_eq!(id::decode(&id::encode(&key)), Ok(key));
    }
    if let Ok(key) = text.parse::<CoreKey>() {
        assert_eq!(key.to_string().parse(), Ok(key));
    }
    if let Some(bytes) = parse::hex(text) {
        assert_eq!(parse::to_hex(&bytes), text.to_ascii_lowercase());
    }
    if let Ok(size) = parse::size(text) {
        assert!(size.0 > 0);
        assert_eq!(parse::size(&size.0.to_string()), Ok(size));
    }
    if let Ok(range) = parse::block_range(text) {
        for length in [0, 1, range.start, u64::MAX] {
            match range.within(length) {
                Ok(inside) => assert!(inside.start <= inside.end && inside.end <= length),
                Err(past) => assert!(past > length),
            }
        }
    }
});
