//! How byte strings, sizes, ranges and addresses are spelled on the command line.
//!
//! Knows no other crate of the project: a fuzz target includes this file as it is.

use std::ffi::OsStr;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command};

/// 32 secret bytes that are never printed.
#[derive(Clone)]
pub(crate) struct Secret([u8; 32]);

impl Secret {
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Parses a secret. What is wrong with it is told without repeating it: it may be nearly right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecretParser;

impl TypedValueParser for SecretParser {
    type Value = Secret;

    fn parse_ref(
        &self,
        command: &Command,
        option: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Secret, clap::Error> {
        value.to_str().ok_or("it must be 64 hex digits".to_owned()).and_then(secret).map_err(
            |what| {
                let name = option.map(ToString::to_string).unwrap_or_default();
                let message = format!("invalid value for '{name}': {what}\n");
                clap::Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
            },
        )
    }
}

/// Parses 64 hex digits.
fn secret(text: &str) -> Result<Secret, String> {
    let bytes = hex(text).ok_or("it must be 64 hex digits")?;
    let bytes = <[u8; 32]>::try_from(bytes.as_slice())
        .map_err(|_| format!("it must be 64 hex digits, not {}", text.len()))?;
    Ok(Secret(bytes))
}

/// Decodes hex digits of either case; `None` for anything else.
pub(crate) fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// Lowercase hex digits of `bytes`.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('?');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A number of bytes above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

/// Parses a size: a number and a unit, powers of 1024 (`k`, `KiB`, `M`, `MiB`, `G`, `GiB`) or of 1000
/// (`kB`, `MB`, `GB`).
pub(crate) fn size(text: &str) -> Result<Size, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| "it must be a number with a unit, as 64k")?;
    let factor: u64 = match unit {
        "" | "B" => 1,
        "k" | "K" | "KiB" | "kib" => 1 << 10,
        "m" | "M" | "MiB" | "mib" => 1 << 20,
        "g" | "G" | "GiB" | "gib" => 1 << 30,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => {
            return Err(format!(
                "the unit {unit} is none of B, k, KiB, kB, M, MiB, MB, G, GiB, GB"
            ));
        }
    };
    match number.checked_mul(factor) {
        Some(0) => Err("it must be above 0".to_owned()),
        Some(bytes) => Ok(Size(bytes)),
        None => Err("it is too large".to_owned()),
    }
}

/// A range whose ends may be left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockRange {
    pub(crate) start: u64,
    pub(crate) end: Option<u64>,
}

impl BlockRange {
    pub(crate) const ALL: Self = Self { start: 0, end: None };

    /// The range in something that ends at `end`, or the first position that lies past it.
    pub(crate) fn within(self, end: u64) -> Result<Range<u64>, u64> {
        match self.end {
            Some(own) if own > end => Err(own),
            _ if self.start > end => Err(self.start),
            own => Ok(self.start..own.unwrap_or(end)),
        }
    }
}

/// Parses `A..B`, `A..`, `..B` or `..`.
pub(crate) fn block_range(text: &str) -> Result<BlockRange, String> {
    let (start, end) = text.split_once("..").ok_or("it must have the form A..B")?;
    let number = |text: &str| {
        text.parse::<u64>().map_err(|_| format!("{text:?} is not a number from 0 to 2^64 - 1"))
    };
    let start = if start.is_empty() { 0 } else { number(start)? };
    let end = if end.is_empty() { None } else { Some(number(end)?) };
    if end.is_some_and(|end| end < start) {
        return Err("it ends before it starts".to_owned());
    }
    Ok(BlockRange { start, end })
}

/// A host and a port, to be looked up when they are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address(pub(crate) String);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Parses `HOST:PORT`; an IPv6 address stands in brackets.
pub(crate) fn address(text: &str) -> Result<Address, String> {
    let (host, port) = text.rsplit_once(':').ok_or("it must have the form HOST:PORT")?;
    if host.is_empty() {
        return Err("the host is missing: it must have the form HOST:PORT".to_owned());
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err("an IPv6 address must stand in brackets, as [::1]:4000".to_owned());
    }
    port.parse::<u16>().map_err(|_| format!("{port:?} is not a port from 0 to 65535"))?;
    Ok(Address(text.to_owned()))
}

/// Parses a time above 0.
pub(crate) fn milliseconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(0) => Err("it must be above 0".to_owned()),
        Ok(ms) => Ok(Duration::from_millis(ms)),
        Err(_) => Err("it must be a number of milliseconds".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("1", Some(1)),
            ("64k", Some(65_536)),
            ("1MiB", Some(1_048_576)),
            ("2MB", Some(2_000_000)),
            ("0", None),
            ("k", None),
            ("", None),
            ("1x", None),
            ("-1", None),
            ("99999999999999999999", None),
            ("18446744073709551615k", None),
        ] {
            assert_eq!(size(text).ok(), expected.map(Size), "{text}");
        }
    }

    #[test]
    fn ranges() {
        let range = |start, end| Some(BlockRange { start, end });
        for (text, expected) in [
            ("1..3", range(1, Some(3))),
            ("..3", range(0, Some(3))),
            ("2..", range(2, None)),
            ("..", range(0, None)),
            ("3..3", range(3, Some(3))),
            ("3..2", None),
            ("3", None),
            ("a..b", None),
            ("1..=2", None),
        ] {
            assert_eq!(block_range(text).ok(), expected, "{text}");
        }
        assert_eq!(BlockRange { start: 1, end: None }.within(5), Ok(1..5));
        assert_eq!(BlockRange { start: 1, end: Some(6) }.within(5), Err(6));
        assert_eq!(BlockRange { start: 6, end: None }.within(5), Err(6));
        assert_eq!(BlockRange { start: 5, end: None }.within(5), Ok(5..5));
    }

    #[test]
    fn addresses() {
        for (text, is_one) in [
            ("127.0.0.1:0", true),
            ("localhost:4000", true),
            ("[::1]:4000", true),
            ("::1:4000", false),
            (":4000", false),
            ("4000", false),
            ("host:", false),
            ("host:65536", false),
            ("host:-1", false),
            ("", false),
        ] {
            assert_eq!(address(text).is_ok(), is_one, "{text}");
        }
    }

    #[test]
    fn hex_digits() {
        assert_eq!(hex("00fFA0"), Some(vec![0, 255, 160]));
        assert_eq!(hex("0"), None);
        assert_eq!(hex("0g"), None);
        assert_eq!(to_hex(&[0, 255, 160]), "00ffa0");
        assert!(secret(&"ab".repeat(32)).is_ok());
        assert!(secret(&"ab".repeat(31)).is_err());
    }
}
