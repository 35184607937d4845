//! Logging in by an access token: `OAUTHBEARER` (RFC 7628) and `XOAUTH2`, which came before it. Pure.
//!
//! Both are one message by the client. When the server does not take the token it says why in a
//! challenge, a JSON object, and says NO only when the client has answered that as well.

use async_imap::Authenticator;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::kernel::heard::Secrets;

/// Commands of more bytes than this are not for every server; a longer message goes on a line of its own.
const LONGEST_COMMAND: usize = 8_000;
/// What the server says of a token is no longer than this, in bytes.
const LONGEST_CHALLENGE: usize = 4_096;

/// A way to hand a token over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SaslMechanism {
    /// RFC 7628.
    OAuthBearer,
    /// Of Google and Microsoft.
    XOAuth2,
}

impl SaslMechanism {
    /// The better one of those that the server offers.
    pub(super) fn offered(capabilities: &[String]) -> Option<Self> {
        let offers = |name: &str| {
            let wanted = format!("AUTH={name}");
            capabilities.iter().any(|capability| capability.eq_ignore_ascii_case(&wanted))
        };
        [Self::OAuthBearer, Self::XOAuth2].into_iter().find(|mechanism| offers(mechanism.name()))
    }

    /// As it stands in AUTHENTICATE.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::OAuthBearer => "OAUTHBEARER",
            Self::XOAuth2 => "XOAUTH2",
        }
    }

    /// The answer to a challenge that says why the token is not taken.
    const fn dismissal(self) -> &'static [u8] {
        match self {
            Self::OAuthBearer => b"\x01",
            Self::XOAuth2 => b"",
        }
    }

    /// The message. None of the values has a control character.
    fn message(self, user: &str, (host, port): (&str, u16), token: &SecretString) -> Vec<u8> {
        let token = token.expose_secret();
        match self {
            Self::OAuthBearer => {
                // A name in the header of GS2 (RFC 5801 section 4).
                let user = user.replace('=', "=3D").replace(',', "=2C");
                format!("n,a={user},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01")
                    .into_bytes()
            }
            Self::XOAuth2 => format!("user={user}\x01auth=Bearer {token}\x01\x01").into_bytes(),
        }
    }
}

/// One exchange: what is sent, and what the server thought of it.
pub(super) struct SaslExchange {
    mechanism: SaslMechanism,
    message: Vec<u8>,
    sent: bool,
    challenge: Vec<u8>,
}

impl SaslExchange {
    /// For this user. `None` = a name with control characters could say something else.
    pub(super) fn new(
        mechanism: SaslMechanism,
        user: &str,
        server: (&str, u16),
        token: &SecretString,
    ) -> Option<Self> {
        let plain = |text: &str| !text.chars().any(char::is_control);
        let message = mechanism.message(user, server, token);
        (plain(user) && plain(server.0) && plain(token.expose_secret())).then_some(Self {
            mechanism,
            message,
            sent: false,
            challenge: Vec::new(),
        })
    }

    /// What follows AUTHENTICATE: with the message in the same line where the server takes that (RFC 4959).
    pub(super) fn begin(&mut self, initial_response: bool) -> String {
        let name = self.mechanism.name();
        if initial_response {
            let line = format!("{name} {}", STANDARD.encode(&self.message));
            if line.len() <= LONGEST_COMMAND {
                self.sent = true;
                return line;
            }
        }
        name.to_owned()
    }

    /// Why the token was not taken, if the server said so.
    pub(super) fn reason(&self, secrets: &Secrets) -> Option<String> {
        refusal(&self.challenge, secrets)
    }
}

impl Authenticator for &mut SaslExchange {
    type Response = Vec<u8>;

    fn process(&mut self, challenge: &[u8]) -> Vec<u8> {
        if !self.sent {
            self.sent = true;
            return self.message.clone();
        }
        self.challenge = challenge.get(..LONGEST_CHALLENGE).unwrap_or(challenge).to_vec();
        self.mechanism.dismissal().to_vec()
    }
}

/// What a challenge says: `status`, and the scope that a token would need.
fn refusal(challenge: &[u8], secrets: &Secrets) -> Option<String> {
    let said: Value = serde_json::from_slice(challenge).ok()?;
    let text = |name: &str| match said.get(name)? {
        Value::String(text) => Some(secrets.said(text.as_bytes())),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match (text("status"), text("scope")) {
        (None, None) => None,
        (Some(status), None) => Some(format!("status {status}")),
        (None, Some(scope)) => Some(format!("scope {scope}")),
        (Some(status), Some(scope)) => Some(format!("status {status}, scope {scope}")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SERVER: (&str, u16) = ("imap.example.fr", 993);

    fn exchange(mechanism: SaslMechanism) -> SaslExchange {
        SaslExchange::new(mechanism, "me@example.fr", SERVER, &"tok-1".into()).unwrap()
    }

    #[test]
    fn the_better_mechanism_of_those_offered_is_taken() {
        for (offered, wanted) in [
            (
                &["IMAP4rev1", "AUTH=PLAIN", "AUTH=XOAUTH2", "AUTH=OAUTHBEARER"][..],
                Some(SaslMechanism::OAuthBearer),
            ),
            (&["auth=xoauth2"], Some(SaslMechanism::XOAuth2)),
            (&["AUTH=PLAIN", "XOAUTH2", "AUTH=XOAUTH2X"], None),
            (&[], None),
        ] {
            let offered: Vec<String> = offered.iter().map(|&word| word.to_owned()).collect();
            assert_eq!(SaslMechanism::offered(&offered), wanted, "{offered:?}");
        }
    }

    #[test]
    fn messages_are_those_of_the_specifications() {
        // RFC 7628 section 4.1, and Google's description of XOAUTH2, with our names.
        let bearer = exchange(SaslMechanism::OAuthBearer).begin(true);
        let said = STANDARD.decode(bearer.strip_prefix("OAUTHBEARER ").unwrap()).unwrap();
        assert_eq!(
            String::from_utf8(said).unwrap(),
            "n,a=me@example.fr,\x01host=imap.example.fr\x01port=993\x01auth=Bearer tok-1\x01\x01"
        );
        let old = exchange(SaslMechanism::XOAuth2).begin(true);
        assert_eq!(old, "XOAUTH2 dXNlcj1tZUBleGFtcGxlLmZyAWF1dGg9QmVhcmVyIHRvay0xAQE=");
        let odd = SaslExchange::new(SaslMechanism::OAuthBearer, "a=b,c", SERVER, &"t".into()).unwrap();
        assert!(odd.message.starts_with(b"n,a=a=3Db=2Cc,\x01host="));
        for user in ["me\x01auth=Bearer x", "me\r\n", "me\0"] {
            assert!(SaslExchange::new(SaslMechanism::XOAuth2, user, SERVER, &"t".into()).is_none());
        }
    }

    #[test]
    fn the_message_waits_for_a_server_that_does_not_take_it_at_once() {
        for (mechanism, dismissal) in
            [(SaslMechanism::OAuthBearer, &b"\x01"[..]), (SaslMechanism::XOAuth2, b"")]
        {
            for initial in [true, false] {
                let mut exchange = exchange(mechanism);
                let begun = exchange.begin(initial);
                assert_eq!(begun.contains(' '), initial);
                if !initial {
                    let message = exchange.message.clone();
                    assert_eq!((&mut exchange).process(b""), message);
                }
                assert_eq!((&mut exchange).process(br#"{"status":"400"}"#), dismissal);
                assert_eq!(exchange.reason(&Secrets::default()).as_deref(), Some("status 400"));
            }
        }
        let long = SecretString::from("x".repeat(10_000));
        let mut long = SaslExchange::new(SaslMechanism::XOAuth2, "me", SERVER, &long).unwrap();
        assert_eq!(long.begin(true), "XOAUTH2", "too long for a command");
    }

    #[test]
    fn what_a_challenge_says_is_told_clean() {
        let secrets = Secrets::new(&["me@example.fr", "tok-1"]);
        for (challenge, wanted) in [
            (
                r#"{"status":"401","schemes":"bearer mac","scope":"https://mail.google.com/"}"#,
                Some("status 401, scope https://mail.google.com/"),
            ),
            (
                r#"{"status":"invalid_token","openid-configuration":"https://x"}"#,
                Some("status invalid_token"),
            ),
            (r#"{"scope":"mail"}"#, Some("scope mail")),
            (r#"{"status":400}"#, Some("status 400")),
            (r#"{"status":"tok-1 of me@example.fr\u001b[2J"}"#, Some("status (hidden) of (hidden)?[2J")),
            (r#"{"status":["x"]}"#, None),
            (r#"["status"]"#, None),
            ("no json", None),
            ("", None),
        ] {
            assert_eq!(refusal(challenge.as_bytes(), &secrets).as_deref(), wanted, "{challenge}");
        }
    }

    proptest! {
        #[test]
        fn no_user_and_no_token_leaves_its_field(user in "[^\\x00-\\x1f\\x7f-\\x9f]{1,40}", token in "[!-~]{1,80}") {
            let secret = SecretString::from(token.clone());
            for mechanism in [SaslMechanism::OAuthBearer, SaslMechanism::XOAuth2] {
                let exchange = SaslExchange::new(mechanism, &user, SERVER, &secret).unwrap();
                let said = String::from_utf8(exchange.message).unwrap();
                let fields: Vec<&str> = said.split('\x01').collect();
                let auth = format!("auth=Bearer {token}");
                match mechanism {
                    SaslMechanism::OAuthBearer => {
                        prop_assert_eq!(fields.len(), 6);
                        // The header has three commas' worth of fields, whatever the name.
                        prop_assert_eq!(fields[0].matches(',').count(), 2);
                        prop_assert_eq!(fields[3], auth.as_str());
                    }
                    SaslMechanism::XOAuth2 => {
                        prop_assert_eq!(fields.len(), 4);
                        prop_assert_eq!(fields[0], format!("user={user}"));
                        prop_assert_eq!(fields[1], auth.as_str());
                    }
                }
            }
        }

        #[test]
        fn any_challenge_is_told_short_and_printable_or_not_at_all(challenge in prop::collection::vec(any::<u8>(), 0..200), status in ".{0,300}") {
            let secrets = Secrets::new(&["me@example.fr", "tok-1"]);
            let json = serde_json::json!({"status": status, "scope": status}).to_string();
            for challenge in [challenge, json.into_bytes()] {
                if let Some(told) = refusal(&challenge, &secrets) {
                    prop_assert!(told.chars().count() < 450 && !told.chars().any(char::is_control));
                }
            }
        }
    }
}
