//! Letters as Linux's terminals know them: Latin-1, whatever the program's character set (observed on a pseudo-terminal).

/// A letter beyond ASCII?
fn is_latin(byte: u8) -> bool {
    byte >= 0xc0 && !matches!(byte, 0xd7 | 0xf7)
}

/// Part of a word for VWERASE: letters, digits and `_`.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || is_latin(byte)
}

/// IUCLC
pub(super) fn lower(byte: u8) -> u8 {
    if is_latin(byte) && byte < 0xdf { byte + 0x20 } else { byte.to_ascii_lowercase() }
}

/// OLCUC
pub(super) fn upper(byte: u8) -> u8 {
    if is_latin(byte) && byte >= 0xdf { byte - 0x20 } else { byte.to_ascii_uppercase() }
}
