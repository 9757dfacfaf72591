//! Hexadecimal of public values: lower case on the way out, either case on the way in.
//!
//! Knows nothing of what it prints and reads; secrets never come here.

use std::fmt::{self, Write as _};

/// Writes `bytes` as lower-case hexadecimal digits.
pub(crate) fn write(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            f.write_char(char::from_digit(u32::from(digit), 16).unwrap_or('?'))?;
        }
    }
    Ok(())
}

/// Why a text is not the hexadecimal of a hash, a public key or a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HexError {
    /// There are too few digits, or too many.
    #[error("expected {expected} hexadecimal digits, found {found} bytes")]
    Length {
        /// Digits needed.
        expected: usize,
        /// Bytes of the text.
        found: usize,
    },
    /// Something that is no digit.
    #[error("{found:?} at byte {position} is not a hexadecimal digit")]
    Digit {
        /// Where it stands, in bytes.
        position: usize,
        /// What stands there.
        found: char,
    },
}

/// Reads `LEN` bytes from twice as many digits.
pub(crate) fn read<const LEN: usize>(text: &str) -> Result<[u8; LEN], HexError> {
    let mut bytes = [0; LEN];
    let (expected, found) = (LEN.saturating_mul(2), text.len());
    if found != expected {
        return Err(HexError::Length { expected, found });
    }
    let mut digits = text.char_indices().map(|(position, found)| {
        let digit = found.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        digit.ok_or(HexError::Digit { position, found })
    });
    for byte in &mut bytes {
        // Where there are as many bytes as digits are needed, there are as many digits, or another character among them.
        let mut next = || digits.next().unwrap_or(Err(HexError::Length { expected, found }));
        *byte = (next()? << 4) | next()?;
    }
    Ok(bytes)
}
