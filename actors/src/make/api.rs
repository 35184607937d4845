//! Make.com's API: how a scenario stands, and how it is started and stopped.
//!
//! `https://<zone>/api/v2/scenarios/<id>`: `GET` tells `scenario.isActive`; `POST …/start` and
//! `…/stop` answer with it (Make API, "Scenarios"). Where a control webhook is configured, that
//! is told instead, and can only be believed: it says nothing of how the scenario stands.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::state::{Scenario, ScenarioAnswer};
use crate::egress::{Answer, GuardedClient};

/// Patience with one request, as the reference has it.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of an answer that are read; a scenario's own is below 10 KiB.
const CAP: usize = 256 << 10;
/// Characters of Make's reason that are kept.
const REASON: usize = 200;

/// How a token is shown: `MAKE_API_AUTH_TYPE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MakeAuth {
    /// `Authorization: Token …`.
    Token,
    /// `Authorization: Bearer …`.
    Bearer,
}

/// A webhook of Make that switches scenarios: `MAKE_WEBHOOK_CONTROL_URL`, `MAKE_WEBHOOK_API_KEY`.
#[derive(Debug, Clone)]
pub struct ControlWebhook {
    /// Its address; whoever knows it can call it.
    pub url: SecretString,
    /// The key in its body.
    pub key: SecretString,
}

/// Switches scenarios.
#[async_trait]
pub trait ScenarioApi: Send + Sync + 'static {
    /// Has `scenario` run, or stop; does nothing where it is so already.
    async fn switch(&self, scenario: &Scenario, running: bool) -> ScenarioAnswer;

    /// Whether it runs; `None` = that cannot be asked.
    ///
    /// # Errors
    /// Why Make did not say.
    async fn is_running(&self, scenario: &Scenario) -> Result<Option<bool>, String>;

    /// Where a switch is sent, to be shown: no secret is in it.
    fn shown_address(&self, scenario: &Scenario, running: bool) -> String;
}

/// Make.com itself.
#[derive(Debug, Clone)]
pub struct MakeApi {
    http: GuardedClient,
    /// `https://eu1.make.com`.
    base: String,
    key: SecretString,
    auth: MakeAuth,
    organization: Option<String>,
    webhook: Option<ControlWebhook>,
}

/// What Make said to one request: its status, and its body as JSON.
type MakeReply = (u16, Value);

impl MakeApi {
    /// An API at `host`, which may be an address with its scheme.
    #[must_use]
    pub fn new(http: GuardedClient, host: &str, key: SecretString, auth: MakeAuth) -> Self {
        let has_scheme = host.starts_with("https://") || host.starts_with("http://");
        let base = if has_scheme { host.trim_end_matches('/').to_owned() } else { format!("https://{host}") };
        Self { http, base, key, auth, organization: None, webhook: None }
    }

    /// With the organization that `X-Organization` names.
    #[must_use]
    pub fn of_organization(self, id: Option<String>) -> Self {
        Self { organization: id, ..self }
    }

    /// Through a control webhook.
    #[must_use]
    pub fn through(self, webhook: Option<ControlWebhook>) -> Self {
        Self { webhook, ..self }
    }

    fn address(&self, scenario: &Scenario, path: &str) -> String {
        format!("{}/api/v2/scenarios/{}{path}", self.base, scenario.id)
    }

    fn headers(&self) -> Result<HeaderMap, String> {
        let scheme = match self.auth {
            MakeAuth::Token => "Token",
            MakeAuth::Bearer => "Bearer",
        };
        let mut token = HeaderValue::try_from(format!("{scheme} {}", self.key.expose_secret()))
            .map_err(|_| "MAKECOM_API_KEY cannot be sent in a header".to_owned())?;
        token.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, token);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(organization) = &self.organization {
            let value = HeaderValue::try_from(organization)
                .map_err(|_| "MAKE_API_ORG_ID cannot be sent in a header".to_owned())?;
            headers.insert(HeaderName::from_static("x-organization"), value);
        }
        Ok(headers)
    }

    async fn ask(&self, scenario: &Scenario) -> Result<MakeReply, (Option<u16>, String)> {
        let headers = self.headers().map_err(|why| (None, why))?;
        let url = parsed(&self.address(scenario, ""), "MAKE_API_HOST").map_err(|why| (None, why))?;
        let answer = self.http.get(&url, headers, TIMEOUT, CAP).await;
        said(&answer.map_err(|error| (None, error.to_string()))?)
    }

    async fn post(&self, scenario: &Scenario, running: bool) -> Result<MakeReply, (Option<u16>, String)> {
        let headers = self.headers().map_err(|why| (None, why))?;
        let address = self.address(scenario, verb_path(running));
        let url = parsed(&address, "MAKE_API_HOST").map_err(|why| (None, why))?;
        let answer = self.http.post(&url, headers, Bytes::new(), TIMEOUT, CAP).await;
        said(&answer.map_err(|error| (None, error.to_string()))?)
    }

    async fn by_api(&self, scenario: &Scenario, running: bool) -> Result<u16, (Option<u16>, String)> {
        // A scenario that is so already is an error to Make, and none to whoever wants it so.
        let (status, stands) = self.ask(scenario).await?;
        if is_active(&stands) == Some(running) {
            return Ok(status);
        }
        let (status, became) = self.post(scenario, running).await?;
        match is_active(&became) {
            Some(now) if now != running => Err((
                Some(status),
                "Make took the request, and the scenario is not as it was wanted".to_owned(),
            )),
            Some(_) | None => Ok(status),
        }
    }

    async fn by_webhook(
        &self,
        webhook: &ControlWebhook,
        scenario: &Scenario,
        running: bool,
    ) -> Result<u16, (Option<u16>, String)> {
        let url =
            parsed(webhook.url.expose_secret(), "MAKE_WEBHOOK_CONTROL_URL").map_err(|why| (None, why))?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let action = if running { "start" } else { "stop" };
        let key = webhook.key.expose_secret();
        let body = json!({ "action": action, "scenario_id": scenario.id, "api_key": key });
        let answer = self.http.post(&url, headers, Bytes::from(body.to_string()), TIMEOUT, CAP).await;
        said(&answer.map_err(|error| (None, error.to_string()))?).map(|(status, _)| status)
    }
}

#[async_trait]
impl ScenarioApi for MakeApi {
    async fn switch(&self, scenario: &Scenario, running: bool) -> ScenarioAnswer {
        let outcome = match &self.webhook {
            Some(webhook) => self.by_webhook(webhook, scenario, running).await,
            None => self.by_api(scenario, running).await,
        };
        let (ok, status, why) = match outcome {
            Ok(status) => (true, Some(status), None),
            Err((status, why)) => (false, status, Some(why)),
        };
        ScenarioAnswer { name: scenario.name.clone(), id: scenario.id, ok, status, why }
    }

    async fn is_running(&self, scenario: &Scenario) -> Result<Option<bool>, String> {
        if self.webhook.is_some() {
            return Ok(None);
        }
        self.ask(scenario).await.map(|(_, stands)| is_active(&stands)).map_err(|(_, why)| why)
    }

    fn shown_address(&self, scenario: &Scenario, running: bool) -> String {
        match &self.webhook {
            Some(_) => "MAKE_WEBHOOK_CONTROL_URL".to_owned(),
            None => self.address(scenario, verb_path(running)),
        }
    }
}

const fn verb_path(running: bool) -> &'static str {
    if running { "/start" } else { "/stop" }
}

fn is_active(said: &Value) -> Option<bool> {
    said.get("scenario")?.get("isActive")?.as_bool()
}

/// `address`, or that `variable` is none; the address itself may be a secret.
fn parsed(address: &str, variable: &str) -> Result<Url, String> {
    Url::parse(address).map_err(|error| format!("{variable} is no address: {error}"))
}

/// What was said, or why it is a refusal.
fn said(answer: &Answer) -> Result<MakeReply, (Option<u16>, String)> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if matches!(answer.status, 200..=299) {
        return Ok((answer.status, body));
    }
    let reason = body.get("message").or_else(|| body.get("detail")).and_then(Value::as_str);
    let reason = reason.map(|why| why.chars().filter(|letter| !letter.is_control()).take(REASON).collect());
    let why: String = reason.unwrap_or_else(|| format!("HTTP {}", answer.status));
    Err((Some(answer.status), why))
}
