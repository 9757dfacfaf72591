//! How the keys of logs are spelled on the command line.

use hypercore::CoreKey;

/// Parses the key of a log: 64 hex digits, or 52 letters of z-base-32.
pub(crate) fn core_key(text: &str) -> Result<CoreKey, String> {
    text.parse().map_err(|error: hypercore::id::IdError| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let key = core_key(&"0f".repeat(32)).unwrap();
        assert_eq!(core_key(&key.to_id()), Ok(key));
        for text in ["", "0f", &"0g".repeat(32), &"0f".repeat(33)] {
            assert!(core_key(text).is_err(), "{text}");
        }
    }
}
