//! Names of batches, and the folders they are kept in.
//!
//! Every name has one folder name and every folder name at most one name, also on file systems that do not
//! tell upper case from lower case; none leads out of the folder it is in.

use crate::error::{Error, Result};

/// Bytes (UTF-8) that the name of a batch may have at most: encoded, it is still the name of a folder.
pub const BATCH_NAME_LEN_MAX: usize = 80;

/// Refuses names that can not be stored.
pub(crate) fn check(name: &str) -> Result<()> {
    match name.len() {
        1..=BATCH_NAME_LEN_MAX => Ok(()),
        len => Err(Error::batch_name(len)),
    }
}

/// The folder of a name: what is not a small letter, a digit, `-` or `_` becomes `%` and two hexadecimal
/// digits a byte.
///
/// # Source
/// docs/format/batch.md.
pub(crate) fn encode(name: &str) -> String {
    let mut folder = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => folder.push(char::from(byte)),
            _ => {
                let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
                folder.extend(['%', digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
    folder
}

/// The name that a folder stands for; `None` when it stands for none.
pub(crate) fn decode(folder: &str) -> Option<String> {
    let mut name = Vec::with_capacity(folder.len());
    let mut rest = folder.bytes();
    while let Some(byte) = rest.next() {
        name.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high << 4 | low).ok()?
            }
            plain => plain,
        });
    }
    let name = String::from_utf8(name).ok()?;
    (check(&name).is_ok() && encode(&name) == folder).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_a_folder_and_comes_back() {
        let long = "\u{10ffff}".repeat(BATCH_NAME_LEN_MAX / 4);
        for name in
            ["a", "A", ".", "..", "a/b", "/", "%41", "\0", "draft 7", "\u{fc}", long.as_str()]
        {
            let folder = encode(name);
            assert!(folder.bytes().all(|byte| byte.is_ascii_lowercase()
                || byte.is_ascii_digit()
                || b"-_%".contains(&byte)));
            // With room for the suffix of a folder that is being removed.
            assert!(folder.len() <= 240);
            assert_eq!(decode(&folder).as_deref(), Some(name));
        }
    }

    #[test]
    fn the_page_of_the_format_says_so() {
        const PAGE: &str = include_str!("../../../../docs/format/batch.md");
        let (_, rest) = PAGE.split_once("```names\n").unwrap();
        let (rows, _) = rest.split_once("```").unwrap();
        for row in rows.lines() {
            let (name, folder) = row.split_once("  ").unwrap();
            assert_eq!(format!("batches/{}", encode(name)), folder.trim_start());
        }
        assert_eq!(rows.lines().count(), 4);
    }

    #[test]
    fn what_was_not_made_here_is_no_name() {
        for folder in
            ["", "A", ".hidden", "%4", "%", "%zz", "%61", "%4A", "%ff", "a.removed", "a b"]
        {
            assert_eq!(decode(folder), None, "{folder}");
        }
        assert_eq!(decode(&"a".repeat(BATCH_NAME_LEN_MAX + 1)), None);
    }

    #[test]
    fn names_have_a_length() {
        assert!(check("").is_err());
        assert!(check(&"a".repeat(BATCH_NAME_LEN_MAX)).is_ok());
        assert!(check(&"a".repeat(BATCH_NAME_LEN_MAX + 1)).is_err());
    }
}
