//! Decodes files: UTF-8 with or without a byte order mark, or UTF-16, which some export tools write.

use super::{DefinitionError, MAX_BYTES};
use std::borrow::Cow;

const UTF8_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Decodes a file to UTF-8. A UTF-8 file is returned unchanged, including its mark; a UTF-16 file (recognized by its
/// mark, or by the zero bytes of its first character) is converted without its mark.
pub fn to_utf8(bytes: &[u8]) -> Result<Cow<'_, str>, DefinitionError> {
    if bytes.len() > MAX_BYTES {
        return Err(DefinitionError::TooLong);
    }
    match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [first, 0, ..] if *first != 0 => utf16(bytes, u16::from_le_bytes),
        [0, second, ..] if *second != 0 => utf16(bytes, u16::from_be_bytes),
        _ => std::str::from_utf8(bytes)
            .map(Cow::Borrowed)
            .map_err(|error| DefinitionError::Encoding { line: line_of(bytes, error.valid_up_to()) }),
    }
}

/// The number of bytes of a byte order mark at the beginning.
pub(super) fn mark(text: &str) -> usize {
    if text.as_bytes().starts_with(UTF8_MARK) { UTF8_MARK.len() } else { 0 }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'static, str>, DefinitionError> {
    let units = bytes.chunks_exact(2);
    if !units.remainder().is_empty() {
        return Err(DefinitionError::Encoding { line: 1 });
    }
    let mut text = String::with_capacity(bytes.len() / 2);
    for decoded in char::decode_utf16(units.map(|pair| unit([pair[0], pair[1]]))) {
        match decoded {
            Ok(c) => text.push(c),
            Err(_) => return Err(DefinitionError::Encoding { line: line_of(text.as_bytes(), text.len()) }),
        }
    }
    if text.len() > MAX_BYTES { Err(DefinitionError::TooLong) } else { Ok(Cow::Owned(text)) }
}

/// The line of the byte at this offset, from 1.
pub(super) fn line_of(bytes: &[u8], offset: usize) -> usize {
    bytes.iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}
