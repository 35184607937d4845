//! Proof that whoever redeems a code is whoever asked for it (RFC 7636). Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

/// A secret, and what may be known of it before.
#[derive(Debug, Clone)]
pub struct PkcePair {
    /// Sent with the code.
    pub verifier: SecretString,
    /// Sent with the request, as `code_challenge` of method `S256`.
    pub challenge: String,
}

impl PkcePair {
    /// Of bytes that nobody can guess.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        let verifier = URL_SAFE_NO_PAD.encode(secret);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
        Self { verifier: verifier.into(), challenge }
    }
}

/// Bytes as text for an address.
#[must_use]
pub fn unguessable(secret: [u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(secret)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn the_example_of_the_specification_comes_out() {
        // RFC 7636 appendix B.
        let secret = [
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105,
            214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
        ];
        let pair = PkcePair::new(secret);
        assert_eq!(pair.verifier.expose_secret(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(pair.challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
