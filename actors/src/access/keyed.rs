//! Keyed hashes and comparisons that tell nothing by the time they take.

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Bytes of a block of SHA-256, which is what HMAC makes of its key.
const BLOCK: usize = 64;

/// HMAC-SHA-256 (RFC 2104) of a message under a key of any length.
pub(super) fn keyed(key: &SecretString, message: &[u8]) -> [u8; 32] {
    let key = key.expose_secret().as_bytes();
    let digest: [u8; 32] = Sha256::digest(key).into();
    let key = if key.len() > BLOCK { &digest[..] } else { key };
    let mut block = [0; BLOCK];
    block.iter_mut().zip(key).for_each(|(place, byte)| *place = *byte);
    let mut mac = <Hmac<Sha256>>::new(&block.into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Whether two texts are the same, in a time that does not tell where they differ.
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::digest::hex;

    /// RFC 4231, test cases 2 and 6: a short key, and one that is longer than a block.
    #[test]
    fn it_is_hmac() {
        let short = keyed(&"Jefe".into(), b"what do ya want for nothing?");
        assert_eq!(hex(short), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let long: String = "\u{2a}".repeat(65);
        assert_ne!(keyed(&long.clone().into(), b"x"), keyed(&long[..64].to_owned().into(), b"x"));
        let reference = <Hmac<Sha256>>::new_from_slice(long.as_bytes()).unwrap().chain_update(b"x");
        assert_eq!(keyed(&long.into(), b"x")[..], reference.finalize().into_bytes()[..]);
    }
}
