//! Signatures after Standard Webhooks 1.0.0 (symmetric, `v1`).
//!
//! `webhook-signature` = `v1,` + base64 of HMAC-SHA256 over `<id>.<timestamp>.<body>`;
//! one per secret, separated by a blank, so that a receiver may know either while a
//! secret is being replaced.

use std::fmt;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// Shortest and longest secret that the specification allows, in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;
/// Secrets at a time: the new one and the one it replaces.
const MOST: usize = 2;

/// Why a variable with secrets cannot be used, for behind its name. Never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// There is none.
    #[error("is blank; unset it, or generate one: echo whsec_$(openssl rand -base64 32)")]
    Blank,
    /// More than two.
    #[error("holds {0} secrets; at most two are used (the new one, then the one it replaces)")]
    TooMany(usize),
    /// Not base64.
    #[error(
        "secret {0} in it is not base64 (with or without the prefix whsec_); generate one: echo whsec_$(openssl rand -base64 32)"
    )]
    NotBase64(usize),
    /// Too short or too long.
    #[error(
        "secret {place} in it has {length} bytes; Standard Webhooks asks for 24 to 64. Generate one: echo whsec_$(openssl rand -base64 32)"
    )]
    Length {
        /// Place in the list, from 1.
        place: usize,
        /// Bytes after decoding.
        length: usize,
    },
}

/// The secrets to sign with, the newest first.
#[derive(Clone)]
pub struct SigningKeys(Vec<Hmac<Sha256>>);

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKeys({} redacted)", self.0.len())
    }
}

impl SigningKeys {
    /// Reads the value of a variable (`WEBHOOK_SECRET`, `INGRESS_HMAC_SECRET`): one or two secrets, separated by a blank or a comma, each
    /// base64 with or without the prefix `whsec_`.
    ///
    /// # Errors
    /// See [`SecretError`].
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let secrets: Vec<&str> =
            text.split(|c: char| c.is_whitespace() || c == ',').filter(|part| !part.is_empty()).collect();
        match secrets.len() {
            0 => return Err(SecretError::Blank),
            1..=MOST => {}
            many => return Err(SecretError::TooMany(many)),
        }
        secrets
            .iter()
            .enumerate()
            .map(|(index, secret)| key(index + 1, secret))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The value of `webhook-signature`. `timestamp` is in seconds since 1970.
    #[must_use]
    pub fn signature(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let timestamp = timestamp.to_string();
        let mut value = String::with_capacity(self.0.len() * 48);
        for key in &self.0 {
            let mut mac = key.clone();
            for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
                mac.update(part);
            }
            if !value.is_empty() {
                value.push(' ');
            }
            value.push_str("v1,");
            STANDARD.encode_string(mac.finalize().into_bytes(), &mut value);
        }
        value
    }

    /// Whether one of the signatures in `presented` is one of ours over the same. `presented` is
    /// what stands in `webhook-signature`. Takes as long whatever the first difference is.
    #[must_use]
    pub fn verify(&self, id: &str, timestamp: i64, body: &[u8], presented: &str) -> bool {
        let ours = self.signature(id, timestamp, body);
        let mut fits = subtle::Choice::from(0);
        // No more than a request can have reason to carry.
        for theirs in presented.split(' ').take(2 * MOST) {
            for ours in ours.split(' ') {
                fits |= ours.as_bytes().ct_eq(theirs.as_bytes());
            }
        }
        fits.into()
    }
}

fn key(place: usize, secret: &str) -> Result<Hmac<Sha256>, SecretError> {
    // Padding may have been lost on the way through an environment editor.
    let lenient = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let bytes = lenient
        .decode(secret.strip_prefix("whsec_").unwrap_or(secret))
        .map_err(|_| SecretError::NotBase64(place))?;
    if !LENGTHS.contains(&bytes.len()) {
        return Err(SecretError::Length { place, length: bytes.len() });
    }
    Hmac::new_from_slice(&bytes).map_err(|_| SecretError::Length { place, length: bytes.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn the_published_vector() {
        let keys = SigningKeys::parse(SECRET).unwrap();
        assert_eq!(keys.signature(ID, 1_614_265_330, BODY), SIGNATURE);
        let bare = SigningKeys::parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(bare.signature(ID, 1_614_265_330, BODY), SIGNATURE);
    }

    #[test]
    fn two_signatures_while_a_secret_is_replaced() {
        let new = format!("whsec_{}", STANDARD.encode([7; 32]));
        for list in [format!("{new} {SECRET}"), format!(" {new}, {SECRET}\n")] {
            let both = SigningKeys::parse(&list).unwrap().signature(ID, 1_614_265_330, BODY);
            let alone = SigningKeys::parse(&new).unwrap().signature(ID, 1_614_265_330, BODY);
            assert_eq!(both, format!("{alone} {SIGNATURE}"));
        }
    }

    #[test]
    fn unusable_secrets_are_named_by_place_and_never_shown() {
        let long = STANDARD.encode([1; 65]);
        for (text, wanted) in [
            ("", SecretError::Blank),
            (" , ", SecretError::Blank),
            ("whsec_", SecretError::Length { place: 1, length: 0 }),
            ("whsec_c2hvcnQ=", SecretError::Length { place: 1, length: 5 }),
            (&long, SecretError::Length { place: 1, length: 65 }),
            ("geheim!geheim!geheim!geheim!geheim!", SecretError::NotBase64(1)),
            (&format!("{SECRET} nicht-base64"), SecretError::NotBase64(2)),
            (&format!("{SECRET} {SECRET} {SECRET}"), SecretError::TooMany(3)),
        ] {
            let error = SigningKeys::parse(text).unwrap_err();
            assert_eq!(error, wanted);
            assert!(!error.to_string().contains("geheim"));
        }
        let unpadded = STANDARD.encode([9; 32]).trim_end_matches('=').to_owned();
        assert!(SigningKeys::parse(&unpadded).is_ok());
        assert_eq!(format!("{:?}", SigningKeys::parse(SECRET).unwrap()), "SigningKeys(1 redacted)");
    }
}
