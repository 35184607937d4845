//! A code that is typed in on any device (RFC 8628).

use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;
use tokio::time::Instant;
use url::{Url, form_urlencoded};

use super::{ConsentFailure, complete};
use crate::egress::retry_after;
use crate::kernel::heard::Secrets;
use crate::oauth::endpoint::TokenEndpoint;
use crate::oauth::grant::{self, TokenGrant, TokenRequest, TokenTrouble, is_token};

/// Between two questions, where the provider does not say (RFC 8628 section 3.2).
const INTERVAL: Duration = Duration::from_secs(5);
/// So much longer after the provider said that it is asked too often (section 3.5).
const SLOWER: Duration = Duration::from_secs(5);
/// No code is waited for longer than this.
const LONGEST: Duration = Duration::from_secs(3_600);
/// The provider may be away so many times in a row.
const PATIENCE: u32 = 5;

/// What a person is shown, and what the program asks with.
#[derive(Debug, Clone)]
pub struct DeviceCode {
    /// Typed in by the person.
    pub user_code: String,
    /// Where.
    pub address: Url,
    /// The same with the code in it, if there is such an address.
    pub whole_address: Option<Url>,
    /// For how long.
    pub life: Duration,
    device_code: SecretString,
    interval: Duration,
}

/// Asks for a code.
///
/// # Errors
/// Why there is none.
pub async fn begin(endpoint: &TokenEndpoint) -> Result<DeviceCode, ConsentFailure> {
    let url = endpoint.provider.device_url.as_ref().ok_or(ConsentFailure::NoWay)?;
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("client_id", &endpoint.client.id).append_pair("scope", &endpoint.provider.scope);
    let answer = endpoint.post(url, form.finish()).await?;
    let secrets = Secrets::default();
    if answer.status == 200
        && let Some(code) = serde_json::from_slice(&answer.body).ok().as_ref().and_then(given)
    {
        return Ok(code);
    }
    let again_at = retry_after(&answer.headers, endpoint.world.now());
    // An answer of 200 without a code is told as what it lacks.
    let judged = grant::judge((answer.status, &answer.body), again_at, &secrets);
    Err(judged.err().map_or(ConsentFailure::Foreign, ConsentFailure::from))
}

fn given(said: &Value) -> Option<DeviceCode> {
    let text = |name: &str| said.get(name).and_then(Value::as_str);
    let seconds = |name: &str| said.get(name).and_then(Value::as_u64).map(Duration::from_secs);
    let web = |url: &Url| matches!(url.scheme(), "https" | "http");
    let address = |name: &str| text(name).and_then(|url| Url::parse(url).ok()).filter(web);
    let device_code = text("device_code").filter(|code| is_token(code))?;
    Some(DeviceCode {
        user_code: Secrets::default().said(text("user_code")?.as_bytes()),
        // `verification_url` is Google's name for it.
        address: address("verification_uri").or_else(|| address("verification_url"))?,
        whole_address: address("verification_uri_complete"),
        life: seconds("expires_in").unwrap_or(LONGEST).min(LONGEST),
        device_code: device_code.into(),
        interval: seconds("interval").unwrap_or(INTERVAL).clamp(Duration::from_secs(1), LONGEST),
    })
}

/// What is done after one question.
#[derive(Debug, PartialEq, Eq)]
enum PollStep {
    /// Nobody has agreed yet.
    Pending,
    /// The same, and the provider is asked too often.
    Slower,
    /// It ends here.
    Over(ConsentFailure),
}

fn step(trouble: TokenTrouble, away: &mut u32) -> PollStep {
    let error = match &trouble {
        TokenTrouble::Away { .. } => {
            *away += 1;
            trouble_code(&trouble)
        }
        TokenTrouble::Revoked(said) | TokenTrouble::Settings(said) => said.error.clone(),
    };
    match error.as_str() {
        "authorization_pending" => {
            *away = 0;
            PollStep::Pending
        }
        "slow_down" => {
            *away = 0;
            PollStep::Slower
        }
        // `authorization_declined` and `code_expired` are Microsoft's names.
        "access_denied" | "authorization_declined" => PollStep::Over(ConsentFailure::Declined(error)),
        "expired_token" | "code_expired" => PollStep::Over(ConsentFailure::TooLate),
        _ if matches!(trouble, TokenTrouble::Away { .. }) && *away <= PATIENCE => PollStep::Pending,
        _ => PollStep::Over(trouble.into()),
    }
}

/// The error that an endpoint named which is neither for the settings nor for the consent.
fn trouble_code(trouble: &TokenTrouble) -> String {
    let TokenTrouble::Away { why, .. } = trouble else { return String::new() };
    why.split(':').next().unwrap_or_default().to_owned()
}

/// Waits until the person has agreed.
///
/// # Errors
/// Why that did not come about.
pub async fn wait(endpoint: &TokenEndpoint, code: &DeviceCode) -> Result<TokenGrant, ConsentFailure> {
    let over = Instant::now() + code.life;
    let (mut interval, mut away) = (code.interval, 0);
    let request = TokenRequest::Device { code: code.device_code.clone() };
    while Instant::now() + interval < over {
        tokio::time::sleep(interval).await;
        match endpoint.ask(&request).await {
            Ok(grant) => return complete(grant),
            Err(trouble) => match step(trouble, &mut away) {
                PollStep::Pending => {}
                PollStep::Slower => interval += SLOWER,
                PollStep::Over(failure) => return Err(failure),
            },
        }
    }
    Err(ConsentFailure::TooLate)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::oauth::grant::judge;

    #[test]
    fn a_code_is_read_with_what_may_be_missing() {
        let code = given(&json!({
            "device_code": "d", "user_code": "ABCD-EFGH", "verification_uri": "https://microsoft.com/devicelogin",
            "expires_in": 900, "interval": 1,
        }))
        .unwrap();
        assert_eq!(
            (code.user_code.as_str(), code.life.as_secs(), code.interval.as_secs()),
            ("ABCD-EFGH", 900, 1)
        );
        let least =
            given(&json!({"device_code": "d", "user_code": "x\u{1b}", "verification_url": "https://g.co/d"}));
        let least = least.unwrap();
        assert_eq!((least.user_code.as_str(), least.life, least.interval), ("x?", LONGEST, INTERVAL));
        for wrong in [
            json!({}),
            json!({"device_code": "a b", "user_code": "x", "verification_uri": "https://x"}),
            json!({"device_code": "d", "user_code": "x", "verification_uri": "javascript:alert(1)"}),
            json!({"device_code": "d", "verification_uri": "https://x"}),
        ] {
            assert!(given(&wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn each_answer_has_its_step() {
        let step_of = |status: u16, error: &str| {
            let body = json!({"error": error}).to_string();
            let trouble = judge((status, body.as_bytes()), None, &Secrets::default()).unwrap_err();
            step(trouble, &mut 0)
        };
        assert_eq!(step_of(400, "authorization_pending"), PollStep::Pending);
        assert_eq!(step_of(400, "slow_down"), PollStep::Slower);
        for (error, wanted) in
            [("access_denied", true), ("authorization_declined", true), ("expired_token", false)]
        {
            let PollStep::Over(failure) = step_of(400, error) else { panic!("{error}") };
            assert_eq!(matches!(failure, ConsentFailure::Declined(_)), wanted, "{error}");
        }
        assert_eq!(step_of(400, "code_expired"), PollStep::Over(ConsentFailure::TooLate));
        assert!(matches!(step_of(401, "invalid_client"), PollStep::Over(ConsentFailure::Provider(_))));
        let mut away = 0;
        for _ in 0..PATIENCE {
            let gone = TokenTrouble::Away { why: "HTTP 503".to_owned(), again_at: None };
            assert_eq!(step(gone, &mut away), PollStep::Pending);
        }
        let gone = TokenTrouble::Away { why: "HTTP 503".to_owned(), again_at: None };
        assert!(matches!(step(gone, &mut away), PollStep::Over(_)));
    }
}
