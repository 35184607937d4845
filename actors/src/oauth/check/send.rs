//! A mail by Gmail's API, to see that one can be sent.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};

use super::GmailCheckSettings;
use super::files::CheckRecord;
use crate::egress::GuardedClient;
use crate::kernel::heard::Secrets;

/// As long as the reference system waits.
const TIMEOUT: Duration = Duration::from_secs(30);
/// So much of an answer is read, in bytes.
const LONGEST: usize = 64 * 1024;
/// What the mail says, in both languages.
const TEXT: &str = "Ce mail prouve que render-signal peut envoyer par Gmail. Il n'y a rien à faire.\r\n\r\n\
                    This mail proves that render-signal can send by Gmail. There is nothing to do.\r\n";

/// The mail, as it travels.
fn mail(from: &str, to: &str) -> String {
    let body = STANDARD.encode(TEXT);
    let lines: Vec<&str> =
        (0..body.len()).step_by(76).filter_map(|at| body.get(at..(at + 76).min(body.len()))).collect();
    format!(
        "From: {from}\r\nTo: {to}\r\nSubject: render-signal: test Gmail OAuth\r\nMIME-Version: 1.0\r\n\
         Auto-Submitted: auto-generated\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
        lines.join("\r\n")
    )
}

/// What came of it.
pub(super) struct TestMailOutcome {
    success: bool,
    message: String,
    details: Map<String, Value>,
}

impl TestMailOutcome {
    fn failed(message: impl Into<String>) -> Self {
        Self { success: false, message: message.into(), details: Map::new() }
    }

    /// As a check that was made then.
    pub(super) fn recorded(self, at: DateTime<Utc>) -> CheckRecord {
        CheckRecord { at, success: self.success, message: self.message, details: self.details }
    }
}

/// Sends it.
pub(super) async fn test_mail(
    http: &GuardedClient,
    settings: &GmailCheckSettings,
    token: &SecretString,
    to: &str,
) -> TestMailOutcome {
    if settings.from.is_empty() || settings.from.chars().chain(to.chars()).any(char::is_control) {
        return TestMailOutcome::failed("The recipient or the sender is no address");
    }
    let bearer = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()));
    let url = settings.api.join("gmail/v1/users/me/messages/send");
    let (Ok(mut bearer), Ok(url)) = (bearer, url) else {
        return TestMailOutcome::failed("The address of Gmail's API cannot be used");
    };
    bearer.set_sensitive(true);
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, bearer);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = json!({"raw": URL_SAFE_NO_PAD.encode(mail(&settings.from, to))}).to_string();
    match http.post(&url, headers, Bytes::from(body), TIMEOUT, LONGEST).await {
        Ok(answer) => answered(answer.status, &answer.body, token),
        Err(error) => TestMailOutcome::failed(format!("Gmail unreachable: {error}")),
    }
}

/// What the API said, in the words of the PHP side.
fn answered(status: u16, body: &[u8], token: &SecretString) -> TestMailOutcome {
    let secrets = Secrets::new(&[token.expose_secret()]);
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |pointer: &str| said.pointer(pointer)?.as_str().map(|text| secrets.said(text.as_bytes()));
    let success = (200..300).contains(&status);
    let wanted = match success {
        true => [("gmail_message_id", "/id"), ("gmail_thread_id", "/threadId")],
        false => [("error", "/error/status"), ("error_description", "/error/message")],
    };
    let mut details = Map::new();
    details.insert("http_status".to_owned(), json!(status));
    details.extend(
        wanted.into_iter().filter_map(|(name, pointer)| Some((name.to_owned(), json!(text(pointer)?)))),
    );
    let message = if success {
        "Mail sent".to_owned()
    } else {
        let error = text("/error/status").map_or_else(String::new, |error| format!(" {error}"));
        format!("Gmail refused the mail: HTTP {status}{error}")
    };
    TestMailOutcome { success, message, details }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mail_is_one_that_any_server_takes() {
        let mail = mail("me@example.fr", "you@example.fr");
        assert!(mail.is_ascii() && mail.lines().all(|line| line.len() <= 78), "{mail}");
        let (head, body) = mail.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("From: me@example.fr\r\nTo: you@example.fr\r\n"));
        let text = STANDARD.decode(body.replace("\r\n", "")).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), TEXT);
    }

    #[test]
    fn what_the_api_says_is_told_without_the_token() {
        let token = "ya29.hush".into();
        let sent = answered(200, br#"{"id":"m1","threadId":"t1","labelIds":["SENT"]}"#, &token);
        assert!(sent.success);
        assert_eq!(
            Value::Object(sent.details),
            json!({"http_status": 200, "gmail_message_id": "m1", "gmail_thread_id": "t1"})
        );
        let refused = answered(
            403,
            br#"{"error":{"code":403,"status":"PERMISSION_DENIED","message":"scopes of ya29.hush"}}"#,
            &token,
        );
        assert_eq!(refused.message, "Gmail refused the mail: HTTP 403 PERMISSION_DENIED");
        assert_eq!(refused.details["error_description"], "scopes of (hidden)");
        let odd = answered(502, b"<html>", &token);
        assert_eq!((odd.success, odd.message.as_str()), (false, "Gmail refused the mail: HTTP 502"));
    }
}
