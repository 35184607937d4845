//! Digests as text.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// Bytes as hexadecimal digits, in small letters.
#[must_use]
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String never fails.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// SHA-256 (FIPS 180-4), as 64 hexadecimal digits.
#[must_use]
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex(Sha256::digest(bytes))
}

/// The first `digits` hexadecimal digits of the SHA-256, for names that people compare; 64 at
/// most.
#[must_use]
pub fn short_sha256(bytes: impl AsRef<[u8]>, digits: usize) -> String {
    let mut text = sha256(bytes);
    text.truncate(digits);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standard() {
        assert_eq!(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(short_sha256("abc", 8), "ba7816bf");
        assert_eq!(short_sha256("abc", 100).len(), 64);
        assert_eq!(hex([0, 10, 255]), "000aff");
    }
}
