//! Lower-case hexadecimal for `Debug` and `Display` of public values.
//!
//! Knows nothing of what it prints; secrets never come here.

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
