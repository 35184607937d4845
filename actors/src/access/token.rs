//! The text of a sign-in link: `<id>.<exp>.<sig>`, as the reference system makes it (its
//! section 6.1), and what is wrong with one. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use super::keyed::{keyed, same};
use crate::kernel::digest::hex;
use crate::kernel::said::{Said, said};

/// What stands for the end of a link that has none.
const PERMANENT: &str = "permanent";

/// Bytes of an id.
const ID: usize = 16;

/// Why a link opens nothing, in the order in which it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkRefusal {
    /// There is no text.
    Missing,
    /// Not three parts.
    Format,
    /// A part is none.
    Invalid,
    /// Somebody else signed it, or nobody.
    Signature,
    /// Its time is over.
    Expired,
    /// Nobody knows it: it was never made, was used long ago, or was revoked.
    Unknown,
    /// It has opened its one session.
    Used,
}

impl LinkRefusal {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Missing,
        Self::Format,
        Self::Invalid,
        Self::Signature,
        Self::Expired,
        Self::Unknown,
        Self::Used,
    ];

    /// For people: in French as the reference system says it.
    #[must_use]
    pub fn said(self) -> Said {
        match self {
            Self::Missing => said!("Token manquant.", "The link has no token."),
            Self::Format => said!("Format de token invalide.", "This is not the text of a sign-in link."),
            Self::Invalid => said!("Token invalide.", "This is not the text of a sign-in link."),
            Self::Signature => {
                said!("Signature de token invalide.", "This link was not made by this service.")
            }
            Self::Expired => said!("Token expiré.", "This link has expired: ask for a new one."),
            Self::Unknown => said!(
                "Token inconnu ou déjà consommé.",
                "This link is unknown, was revoked or has been used: ask for a new one."
            ),
            Self::Used => {
                said!("Token déjà utilisé.", "This link has been used already: ask for a new one.")
            }
        }
    }

    /// For programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Format | Self::Invalid => "malformed",
            Self::Signature => "signature",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
            Self::Used => "used",
        }
    }
}

/// A token whose signature is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedToken {
    /// Its own id, under which the document knows it.
    pub id: String,
    /// It says so itself: over since.
    pub expired: bool,
}

/// What is needed to make and check tokens: `FLASK_SECRET_KEY`.
#[derive(Debug, Clone)]
pub struct Signer(SecretString);

impl Signer {
    /// With this key.
    #[must_use]
    pub const fn new(key: SecretString) -> Self {
        Self(key)
    }

    /// A new token with these random bytes, and its id; `None` = it never ends.
    #[must_use]
    pub fn make(&self, random: &[u8; 32], ends_at: Option<DateTime<Utc>>) -> (String, SecretString) {
        let id = URL_SAFE_NO_PAD.encode(random.iter().copied().take(ID).collect::<Vec<u8>>());
        let end = ends_at.map_or_else(|| PERMANENT.to_owned(), |end| end.timestamp().to_string());
        let signature = self.sign(&id, &end);
        let text = format!("{id}.{end}.{signature}");
        (id, text.into())
    }

    fn sign(&self, id: &str, end: &str) -> String {
        hex(keyed(&self.0, format!("{id}.{end}").as_bytes()))
    }

    /// The checks that need nothing but the text and the time.
    ///
    /// # Errors
    /// What is wrong with it; an end that has passed is no error yet, see [`VerifiedToken::expired`].
    pub fn read(&self, text: &str, now: DateTime<Utc>) -> Result<VerifiedToken, LinkRefusal> {
        if text.is_empty() {
            return Err(LinkRefusal::Missing);
        }
        let parts: Vec<&str> = text.trim().split('.').collect();
        let &[id, end, signature] = parts.as_slice() else { return Err(LinkRefusal::Format) };
        let digits = !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit());
        if id.is_empty() || !(end == PERMANENT || digits) {
            return Err(LinkRefusal::Invalid);
        }
        if !same(self.sign(id, end).as_bytes(), signature.as_bytes()) {
            return Err(LinkRefusal::Signature);
        }
        // More digits than a number has never end.
        let ends_at = end.parse().ok().and_then(|end| DateTime::from_timestamp(end, 0));
        Ok(VerifiedToken { id: id.to_owned(), expired: ends_at.is_some_and(|end| end < now) })
    }
}

/// When a link that is made now ends: as the reference system counts it, in whole seconds.
#[must_use]
pub fn end_of(now: DateTime<Utc>, life: TimeDelta) -> DateTime<Utc> {
    DateTime::from_timestamp((now + life).timestamp(), 0).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn signer() -> Signer {
        Signer::new("test-secret-key".into())
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn a_token_that_was_made_is_believed_until_its_end() {
        let (id, text) = signer().make(&[7; 32], Some(at(100)));
        assert_eq!(id.len(), 22);
        let read = |now| signer().read(text.expose_secret(), at(now));
        assert_eq!(read(100), Ok(VerifiedToken { id: id.clone(), expired: false }));
        assert_eq!(read(101), Ok(VerifiedToken { id: id.clone(), expired: true }));
        let (permanent, text) = signer().make(&[7; 32], None);
        assert_eq!(permanent, id);
        assert!(text.expose_secret().contains(".permanent."));
        assert_eq!(
            signer().read(text.expose_secret(), at(1 << 40)),
            Ok(VerifiedToken { id, expired: false })
        );
    }

    #[test]
    fn nothing_that_is_written_makes_it_fail_otherwise_than_with_a_reason() {
        let (_, good) = signer().make(&[7; 32], None);
        let good = good.expose_secret();
        let (head, signature) = good.rsplit_once('.').unwrap();
        let far = format!("x.{}.{}", "9".repeat(40), signer().sign("x", &"9".repeat(40)));
        assert_eq!(signer().read(&far, at(0)).map(|read| read.expired), Ok(false));
        for (text, wanted) in [
            ("", LinkRefusal::Missing),
            ("   ", LinkRefusal::Format),
            ("a.b", LinkRefusal::Format),
            ("a.1.b.c", LinkRefusal::Format),
            (".1.b", LinkRefusal::Invalid),
            ("a.b.c", LinkRefusal::Invalid),
            ("a..c", LinkRefusal::Invalid),
            ("a.-1.c", LinkRefusal::Invalid),
            ("a.١٢.c", LinkRefusal::Invalid),
            ("a.1.", LinkRefusal::Signature),
            ("a.1.é", LinkRefusal::Signature),
            ("é.1.\u{0}", LinkRefusal::Signature),
            (&good.to_uppercase().replace("PERMANENT", "permanent"), LinkRefusal::Signature),
            (&format!("{head}.{signature}0"), LinkRefusal::Signature),
            (&format!("{head}é.{signature}"), LinkRefusal::Invalid),
        ] {
            assert_eq!(signer().read(text, at(0)), Err(wanted), "{text:?}");
        }
        assert!(signer().read(&format!(" {good}\n"), at(0)).is_ok(), "blanks around it are none of it");
    }

    #[test]
    fn another_key_signs_otherwise() {
        let (_, text) = Signer::new("another".into()).make(&[7; 32], None);
        assert_eq!(signer().read(text.expose_secret(), at(0)), Err(LinkRefusal::Signature));
    }
}
