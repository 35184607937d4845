//! What a token endpoint is asked (RFC 6749 sections 4.1.3 and 6, RFC 8628 section 3.4), and what its answer
//! means. Pure.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::form_urlencoded;

use crate::kernel::heard::Secrets;

/// How long a token counts whose answer does not say.
const UNSAID_LIFE: Duration = Duration::from_secs(600);
/// And no longer than this, whatever it says.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3_600);
/// No token is longer, in bytes.
const LONGEST_TOKEN: usize = 16 * 1024;

/// The program, as the provider knows it.
#[derive(Debug, Clone)]
pub struct OAuthClient {
    /// Its id.
    pub id: String,
    /// Its secret; `None` = a public client.
    pub secret: Option<SecretString>,
}

/// What a token is asked for with.
#[derive(Debug, Clone)]
pub enum TokenRequest {
    /// A refresh token, with the scope where the provider wants to be told.
    Refresh {
        /// The refresh token.
        token: SecretString,
        /// See [`super::OAuthProvider::renewal_scope`].
        scope: Option<String>,
    },
    /// The code that a browser brought back.
    Code {
        /// The code.
        code: SecretString,
        /// Where the browser brought it.
        redirect: String,
        /// What only we know of the code (RFC 7636).
        verifier: SecretString,
    },
    /// The code of a device.
    Device {
        /// The code that is not shown.
        code: SecretString,
    },
}

impl TokenRequest {
    /// The body of the request.
    #[must_use]
    pub fn form(&self, client: &OAuthClient) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        match self {
            Self::Refresh { token, scope } => {
                form.append_pair("grant_type", "refresh_token")
                    .append_pair("refresh_token", token.expose_secret());
                if let Some(scope) = scope {
                    form.append_pair("scope", scope);
                }
            }
            Self::Code { code, redirect, verifier } => {
                form.append_pair("grant_type", "authorization_code")
                    .append_pair("code", code.expose_secret())
                    .append_pair("redirect_uri", redirect)
                    .append_pair("code_verifier", verifier.expose_secret());
            }
            Self::Device { code } => {
                form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:device_code")
                    .append_pair("device_code", code.expose_secret());
            }
        }
        form.append_pair("client_id", &client.id);
        if let Some(secret) = &client.secret {
            form.append_pair("client_secret", secret.expose_secret());
        }
        form.finish()
    }

    /// What an answer must not be shown with.
    pub(super) fn secrets(&self, client: &OAuthClient) -> Secrets {
        let secret = match self {
            Self::Refresh { token, .. } => token,
            Self::Code { code, .. } | Self::Device { code } => code,
        };
        let client_secret = client.secret.as_ref().map_or("", |secret| secret.expose_secret());
        Secrets::new(&[secret.expose_secret(), client_secret])
    }
}

/// What was given.
#[derive(Debug, Clone)]
pub struct TokenGrant {
    /// The access token.
    pub access: SecretString,
    /// How long it counts.
    pub life: Duration,
    /// A refresh token, if another one is to be used from now on.
    pub refresh: Option<SecretString>,
    /// `Bearer`, as the server writes it.
    pub kind: String,
    /// What it is for, where the server says so.
    pub scope: Option<String>,
}

/// What the server said when it gave none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerRefusal {
    /// HTTP status.
    pub status: u16,
    /// `error` of RFC 6749 section 5.2, or empty.
    pub error: String,
    /// `error_description`, clean and short, or empty.
    pub description: String,
}

impl fmt::Display for ServerRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.error.as_str(), self.description.as_str()) {
            ("", _) => write!(f, "HTTP {}", self.status),
            (error, "") => f.write_str(error),
            (error, description) => write!(f, "{error}: {description}"),
        }
    }
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenTrouble {
    /// The refresh token counts no more: withdrawn, too old, or the password was changed.
    Revoked(ServerRefusal),
    /// The server does not take what the settings say: client, secret, scope or address.
    Settings(ServerRefusal),
    /// Not now: the server is away, or has too much to do.
    Away {
        /// What happened.
        why: String,
        /// When it wants to be asked again, if it says so.
        again_at: Option<DateTime<Utc>>,
    },
}

impl fmt::Display for TokenTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revoked(said) => write!(
                f,
                "the permission to read the mailbox was withdrawn or has run out, and must be given anew with `render-signal oauth authorize` ({said})"
            ),
            Self::Settings(said) => {
                write!(f, "the token endpoint does not take the settings IMAP_OAUTH_… ({said})")
            }
            Self::Away { why, .. } => write!(f, "the token endpoint gives no access token now: {why}"),
        }
    }
}

impl std::error::Error for TokenTrouble {}

/// Errors after which only a new consent helps.
const CONSENT: [&str; 4] = ["invalid_grant", "interaction_required", "consent_required", "login_required"];
/// Errors that the settings are to blame for.
const SETTINGS: [&str; 6] = [
    "invalid_client",
    "unauthorized_client",
    "invalid_scope",
    "invalid_request",
    "unsupported_grant_type",
    "access_denied",
];

/// What the answer means.
///
/// # Errors
/// Why no token was given.
pub(super) fn judge(
    (status, body): (u16, &[u8]),
    again_at: Option<DateTime<Utc>>,
    secrets: &Secrets,
) -> Result<TokenGrant, TokenTrouble> {
    let said: Option<Value> = serde_json::from_slice(body).ok();
    if status == 200 {
        return said.as_ref().and_then(granted).ok_or_else(|| {
            TokenTrouble::Settings(ServerRefusal {
                status,
                error: "no_token".to_owned(),
                description: "it answered without an access token of type Bearer".to_owned(),
            })
        });
    }
    let refusal = refusal(status, said.as_ref(), secrets);
    if CONSENT.contains(&refusal.error.as_str()) {
        return Err(TokenTrouble::Revoked(refusal));
    }
    let ours = SETTINGS.contains(&refusal.error.as_str());
    if ours || (refusal.error.is_empty() && matches!(status, 300..=399 | 401 | 403 | 404 | 405)) {
        return Err(TokenTrouble::Settings(refusal));
    }
    Err(TokenTrouble::Away { why: refusal.to_string(), again_at })
}

/// What the server said when it said no.
pub(super) fn refusal(status: u16, said: Option<&Value>, secrets: &Secrets) -> ServerRefusal {
    let text = |name: &str| said.and_then(|said| said.get(name)).and_then(Value::as_str).unwrap_or_default();
    let named = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
    let error: String = text("error").chars().filter(|letter| named(*letter)).take(64).collect();
    // Microsoft's goes on with ids and times on further lines.
    let first = text("error_description").lines().next().unwrap_or_default().trim();
    let description = if first.is_empty() { String::new() } else { secrets.said(first.as_bytes()) };
    ServerRefusal { status, error, description }
}

fn granted(said: &Value) -> Option<TokenGrant> {
    let text = |name: &str| said.get(name).and_then(Value::as_str);
    let token = |name: &str| text(name).filter(|token| is_token(token)).map(SecretString::from);
    let kind = text("token_type").unwrap_or("Bearer");
    let life = match said.get("expires_in") {
        Some(Value::Number(number)) => number.as_u64(),
        // Microsoft's older endpoint writes it so.
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    Some(TokenGrant {
        access: token("access_token").filter(|_| kind.eq_ignore_ascii_case("bearer"))?,
        life: life.map_or(UNSAID_LIFE, Duration::from_secs).min(LONGEST_LIFE),
        refresh: token("refresh_token"),
        kind: "Bearer".to_owned(),
        scope: text("scope").map(|scope| Secrets::default().said(scope.as_bytes())),
    })
}

/// Visible ASCII (RFC 6749 appendix A): nothing that could end a line or a field.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_TOKEN && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn client(secret: Option<&str>) -> OAuthClient {
        OAuthClient { id: "id&1".to_owned(), secret: secret.map(SecretString::from) }
    }

    #[test]
    fn requests_are_forms_with_the_secret_of_a_confidential_client_only() {
        let refresh = TokenRequest::Refresh { token: "1//r+t".into(), scope: Some("a b".to_owned()) };
        assert_eq!(
            refresh.form(&client(Some("s&"))),
            "grant_type=refresh_token&refresh_token=1%2F%2Fr%2Bt&scope=a+b&client_id=id%261&client_secret=s%26"
        );
        let (code, verifier) = ("c".into(), "v".into());
        let code = TokenRequest::Code { code, redirect: "http://127.0.0.1:1/".to_owned(), verifier };
        assert_eq!(
            code.form(&client(None)),
            "grant_type=authorization_code&code=c&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2F&code_verifier=v&client_id=id%261"
        );
        let device = TokenRequest::Device { code: "d".into() }.form(&client(None));
        assert!(
            device.starts_with(
                "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=d"
            )
        );
    }

    fn told(status: u16, body: &str) -> Result<TokenGrant, TokenTrouble> {
        judge((status, body.as_bytes()), None, &Secrets::new(&["1//refresh", "hush-hush"]))
    }

    #[test]
    fn what_is_given_is_taken_as_it_is_meant() {
        let google = told(200, r#"{"access_token":"ya29.x","expires_in":3599,"scope":"https://mail.google.com/","token_type":"Bearer"}"#).unwrap();
        assert_eq!((google.access.expose_secret(), google.life.as_secs()), ("ya29.x", 3599));
        assert!(google.refresh.is_none());
        assert_eq!(google.scope.as_deref(), Some("https://mail.google.com/"));
        let old =
            told(200, r#"{"access_token":"x","expires_in":"60","token_type":"bearer","refresh_token":"n"}"#)
                .unwrap();
        assert_eq!((old.life.as_secs(), old.refresh.unwrap().expose_secret()), (60, "n"));
        assert_eq!(told(200, r#"{"access_token":"x"}"#).unwrap().life, UNSAID_LIFE);
        assert_eq!(told(200, r#"{"access_token":"x","expires_in":99999999999}"#).unwrap().life, LONGEST_LIFE);
        for body in [
            "",
            "{}",
            r#"{"access_token":"x y"}"#,
            r#"{"access_token":"x\u0001"}"#,
            r#"{"access_token":""}"#,
            r#"{"access_token":"x","token_type":"mac"}"#,
        ] {
            assert!(matches!(told(200, body), Err(TokenTrouble::Settings(_))), "{body}");
        }
    }

    #[test]
    fn refusals_are_sorted_by_what_helps() {
        let (revoked, settings, away) = ("revoked", "settings", "away");
        for (status, body, wanted) in [
            (
                400,
                r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#,
                revoked,
            ),
            (
                400,
                r#"{"error":"interaction_required","error_description":"AADSTS50076: …\r\nTrace ID: 1"}"#,
                revoked,
            ),
            (401, r#"{"error":"invalid_client"}"#, settings),
            (400, r#"{"error":"unauthorized_client"}"#, settings),
            (404, "<html>", settings),
            (302, "", settings),
            (500, "", away),
            (503, r#"{"error":"temporarily_unavailable"}"#, away),
            (429, r#"{"error":"rate_limit_exceeded"}"#, away),
            (400, "<html>", away),
        ] {
            let found = match told(status, body).unwrap_err() {
                TokenTrouble::Revoked(_) => revoked,
                TokenTrouble::Settings(_) => settings,
                TokenTrouble::Away { .. } => away,
            };
            assert_eq!(found, wanted, "{status} {body}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_one_clean_line_without_secrets() {
        let body = r#"{"error":"invalid_grant\n","error_description":"AADSTS70008: 1//refresh of hush-hush \u001b[2J\r\nTrace ID: 1"}"#;
        let trouble = told(400, body).unwrap_err();
        let TokenTrouble::Revoked(said) = &trouble else { panic!("{trouble:?}") };
        assert_eq!(said.to_string(), "invalid_grant: AADSTS70008: (hidden) of (hidden) ?[2J");
        let shown = trouble.to_string();
        assert!(shown.contains("render-signal oauth authorize") && !shown.contains("hush"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_answer_is_judged(status in 100_u16..600, body in prop::collection::vec(any::<u8>(), 0..300), error in ".{0,80}", words in ".{0,300}") {
            let json = serde_json::json!({"error": error, "error_description": words}).to_string();
            for body in [body, json.into_bytes()] {
                if let Err(trouble) = judge((status, &body), None, &Secrets::new(&["1//refresh"])) {
                    let shown = trouble.to_string();
                    prop_assert!(shown.chars().count() < 600 && !shown.chars().any(char::is_control), "{shown}");
                }
            }
        }
    }
}
