//! Keys as text: z-base-32 ids and hexadecimal.
//!
//! What people copy and paste. A wrong id is refused with the position of what is wrong.

use std::str::FromStr;

use crate::fixed::CoreKey;

/// The letters of z-base-32, by value.
const ALPHABET: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";

/// Letters of an id in z-base-32: 260 bits, of which the last 4 are not used.
const Z32_LEN: usize = 52;
/// Digits of an id in hexadecimal.
const HEX_LEN: usize = 64;
/// What may stand in front of an id.
const LINK_PREFIX: &str = "pear://";

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// Neither the 52 letters of z-base-32 nor the 64 digits of hexadecimal.
    #[error("an id has 52 letters of z-base-32 or 64 hexadecimal digits, not {found} bytes")]
    Length {
        /// Bytes that were found where the id should be.
        found: usize,
    },
    /// A letter outside the alphabet of z-base-32, which has no upper case.
    #[error("{found:?} at byte {position} is not a letter of z-base-32")]
    Letter {
        /// Where it stands, in bytes from the start of the whole text.
        position: usize,
        /// What stands there.
        found: char,
    },
    /// A character that is not a hexadecimal digit.
    #[error("{found:?} at byte {position} is not a hexadecimal digit")]
    Digit {
        /// Where it stands, in bytes from the start of the whole text.
        position: usize,
        /// What stands there.
        found: char,
    },
}

/// Writes a key as 52 letters of z-base-32.
///
/// # Source
/// formats.md section 4.
#[must_use]
pub fn encode(key: &[u8; 32]) -> String {
    // 5 bits a letter, most significant first; the last letter is filled up with zeros.
    let mut id = String::with_capacity(Z32_LEN);
    let (mut pending, mut bits) = (0_u16, 0_u32);
    for byte in key.iter().copied().chain([0]) {
        pending = (pending << 8) | u16::from(byte);
        bits = bits.saturating_add(8);
        while bits >= 5 && id.len() < Z32_LEN {
            bits = bits.saturating_sub(5);
            id.push(letter(pending >> bits));
        }
    }
    id
}

fn letter(value: u16) -> char {
    ALPHABET.get(usize::from(value & 31)).copied().map_or('?', char::from)
}

/// Reads a key from 52 letters of z-base-32 or 64 hexadecimal digits.
///
/// A leading `pear://` is dropped, together with everything from the next `/` on.
///
/// # Errors
/// [`IdError`] says what is wrong and where.
///
/// # Source
/// formats.md section 4.
pub fn decode(text: &str) -> Result<[u8; 32], IdError> {
    let (id, start) = match text.strip_prefix(LINK_PREFIX) {
        Some(link) => (link.split('/').next().unwrap_or(link), LINK_PREFIX.len()),
        None => (text, 0),
    };
    match id.len() {
        Z32_LEN => gather(id, 5, |found| ALPHABET.iter().position(|l| char::from(*l) == found))
            .map_err(|(at, found)| IdError::Letter { position: start.saturating_add(at), found }),
        HEX_LEN => gather(id, 4, |found| found.to_digit(16).map(|digit| digit as usize))
            .map_err(|(at, found)| IdError::Digit { position: start.saturating_add(at), found }),
        found => Err(IdError::Length { found }),
    }
}

/// Joins the values of the letters, `width` bits each; bits past the 32nd byte are dropped.
fn gather(
    id: &str,
    width: u32,
    value: impl Fn(char) -> Option<usize>,
) -> Result<[u8; 32], (usize, char)> {
    let mut key = [0; 32];
    let mut bytes = key.iter_mut();
    let (mut pending, mut bits) = (0_usize, 0_u32);
    for (at, found) in id.char_indices() {
        pending = ((pending << width) | value(found).ok_or((at, found))?) & 0xffff;
        bits = bits.saturating_add(width);
        if bits >= 8 {
            bits = bits.saturating_sub(8);
            if let Some(byte) = bytes.next() {
                let [low, ..] = (pending >> bits).to_le_bytes();
                *byte = low;
            }
        }
    }
    Ok(key)
}

impl CoreKey {
    /// The key as 52 letters of z-base-32, which parse again.
    #[must_use]
    pub fn to_id(&self) -> String {
        encode(self.as_bytes())
    }
}

impl FromStr for CoreKey {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        decode(text).map(Self::from_bytes)
    }
}
