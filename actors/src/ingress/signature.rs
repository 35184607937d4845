//! Requests that are signed, besides the token that they carry: Standard Webhooks, as our own
//! webhooks are, with a secret of its own (`INGRESS_HMAC_SECRET`). A request that somebody has
//! recorded is worth nothing after a few minutes; before that it is a mail that is known already.

use chrono::{DateTime, TimeDelta, Utc};

use crate::signing::SigningKeys;

/// How far the sender's clock may be from ours, either way; older requests are replayed ones.
pub const WINDOW: TimeDelta = TimeDelta::minutes(5);

/// What a request says of its signature: the headers of these names.
#[derive(Debug, Clone, Copy, Default)]
pub struct SignatureHeaders<'r> {
    /// `webhook-id`.
    pub id: Option<&'r str>,
    /// `webhook-timestamp`: seconds since 1970.
    pub timestamp: Option<&'r str>,
    /// `webhook-signature`: `v1,` and the HMAC in base64; several are separated by a blank.
    pub signature: Option<&'r str>,
}

/// Why a request is not taken for what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header is missing.
    #[error("the request is not signed: webhook-id, webhook-timestamp and webhook-signature are wanted")]
    Missing,
    /// The time is none, or not now.
    #[error("webhook-timestamp is not within five minutes of now")]
    NotNow,
    /// The secret is another one, or the body.
    #[error("webhook-signature does not fit the request")]
    Wrong,
}

/// Whether a request was signed with one of `keys`, and lately. `now` is what everybody's clocks say.
///
/// # Errors
/// See [`SignatureError`].
pub fn check(
    keys: &SigningKeys,
    signed: SignatureHeaders<'_>,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<(), SignatureError> {
    let (Some(id), Some(timestamp), Some(signature)) = (signed.id, signed.timestamp, signed.signature) else {
        return Err(SignatureError::Missing);
    };
    let seconds: i64 = timestamp.parse().map_err(|_| SignatureError::NotNow)?;
    let at = DateTime::from_timestamp(seconds, 0).ok_or(SignatureError::NotNow)?;
    if (now - at).abs() > WINDOW {
        return Err(SignatureError::NotNow);
    }
    if keys.verify(id, seconds, body, signature) { Ok(()) } else { Err(SignatureError::Wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn keys(text: &str) -> SigningKeys {
        SigningKeys::parse(text).expect("keys")
    }

    #[test]
    fn a_request_is_signed_lately_and_as_it_is() {
        let now = DateTime::from_timestamp(1_780_000_000, 0).expect("a time");
        let stamp = |seconds: i64| (now + TimeDelta::seconds(seconds)).timestamp();
        let signature = |secret: &str, at: i64, body: &str| keys(secret).signature("id", at, body.as_bytes());
        let judge = |timestamp: &str, signature: &str, body: &str| {
            let signed =
                SignatureHeaders { id: Some("id"), timestamp: Some(timestamp), signature: Some(signature) };
            check(&keys(SECRET), signed, body.as_bytes(), now)
        };
        let both = format!("{} {}", signature(OTHER, stamp(0), "{}"), signature(SECRET, stamp(0), "{}"));
        assert_eq!(judge(&stamp(0).to_string(), &both, "{}"), Ok(()));
        for (seconds, expected) in [
            (-300, Ok(())),
            (300, Ok(())),
            (-301, Err(SignatureError::NotNow)),
            (301, Err(SignatureError::NotNow)),
        ] {
            let at = stamp(seconds);
            assert_eq!(judge(&at.to_string(), &signature(SECRET, at, "{}"), "{}"), expected, "{seconds}");
        }
        let good = signature(SECRET, stamp(0), "{}");
        let now_text = stamp(0).to_string();
        for (timestamp, signature, body) in [
            (now_text.as_str(), good.as_str(), "{ }"),
            (&stamp(1).to_string(), &good, "{}"),
            (&now_text, &signature(OTHER, stamp(0), "{}"), "{}"),
            (&now_text, "", "{}"),
            (&now_text, good.trim_start_matches("v1,"), "{}"),
        ] {
            assert_eq!(judge(timestamp, signature, body), Err(SignatureError::Wrong), "{signature}");
        }
        assert_eq!(judge("soon", &good, "{}"), Err(SignatureError::NotNow));
        assert_eq!(judge("99999999999999999", &good, "{}"), Err(SignatureError::NotNow));
        let unsigned = SignatureHeaders { signature: None, id: Some("id"), timestamp: Some(&now_text) };
        assert_eq!(check(&keys(SECRET), unsigned, b"{}", now), Err(SignatureError::Missing));
    }
}
