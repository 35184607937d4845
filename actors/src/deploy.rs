//! Has the platform (Render) deploy the program again: by the service's deploy hook, or by its
//! API. Nothing is started on this machine: a web server that runs commands is a way in.
//!
//! Both addresses are capabilities or come with a key: neither is in an error.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::Url;

use crate::egress::{GuardedClient, SendError};

/// Where Render's API is.
pub const RENDER: &str = "https://api.render.com";
/// Patience with a hook and with the API, as the reference has it.
const HOOK: Duration = Duration::from_secs(15);
const API: Duration = Duration::from_secs(20);
/// Bytes of an answer that are read.
const CAP: usize = 64 << 10;
/// Characters of what the API says that are told.
const TOLD: usize = 200;

/// How the service can be deployed.
#[derive(Debug, Clone, Default)]
pub struct DeploySettings {
    /// `RENDER_DEPLOY_HOOK_URL`: whoever knows it can deploy.
    pub hook: Option<SecretString>,
    /// `RENDER_API_KEY`.
    pub key: Option<SecretString>,
    /// `RENDER_SERVICE_ID`.
    pub service: Option<String>,
    /// `RENDER_DEPLOY_CLEAR_CACHE` is `clear`.
    pub clear_cache: bool,
}

/// A deployment that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deployed {
    /// By the hook.
    Hook,
    /// By the API.
    Api {
        /// Its id, if the API says.
        id: Option<String>,
        /// How it stands.
        status: String,
    },
}

/// Why none was begun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeployError {
    /// There is neither a hook nor an API key with a service.
    #[error("nothing can be deployed: set RENDER_DEPLOY_HOOK_URL, or RENDER_API_KEY and RENDER_SERVICE_ID")]
    NotConfigured,
    /// The hook is somebody else's.
    #[error("RENDER_DEPLOY_HOOK_URL does not begin with https://api.render.com/deploy/")]
    ForeignHook,
    /// The hook said no, and there is nothing else to try.
    #[error("the deploy hook did not take it: {0}")]
    Hook(String),
    /// The API said no.
    #[error("Render's API did not take it: {0}")]
    Api(String),
}

/// Begins deployments.
#[derive(Debug, Clone)]
pub struct Deployer {
    http: GuardedClient,
    settings: DeploySettings,
    base: String,
}

impl Deployer {
    /// At Render.
    #[must_use]
    pub fn new(http: GuardedClient, settings: DeploySettings) -> Self {
        Self::at(RENDER, http, settings)
    }

    /// At another address of the same API.
    #[must_use]
    pub fn at(base: &str, http: GuardedClient, settings: DeploySettings) -> Self {
        Self { http, settings, base: base.to_owned() }
    }

    /// Whether there is a way to begin one.
    #[must_use]
    pub const fn is_configured(&self) -> bool {
        self.settings.hook.is_some() || (self.settings.key.is_some() && self.settings.service.is_some())
    }

    /// Begins one: by the hook; without one, or where it says no, by the API.
    ///
    /// # Errors
    /// See [`DeployError`].
    pub async fn deploy(&self) -> Result<Deployed, DeployError> {
        let refused = match &self.settings.hook {
            None => None,
            Some(hook) => match self.by_hook(hook.expose_secret()).await {
                Ok(()) => return Ok(Deployed::Hook),
                Err(error @ DeployError::ForeignHook) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, "the deploy hook failed");
                    Some(error)
                }
            },
        };
        match (&self.settings.key, &self.settings.service) {
            (Some(key), Some(service)) => self.by_api(key.expose_secret(), service).await,
            _ => Err(refused.unwrap_or(DeployError::NotConfigured)),
        }
    }

    async fn by_hook(&self, hook: &str) -> Result<(), DeployError> {
        let url = Url::parse(hook)
            .ok()
            .filter(|url| url.as_str().starts_with(&format!("{}/deploy/", self.base)))
            .ok_or(DeployError::ForeignHook)?;
        let answer = self.http.get(&url, HeaderMap::new(), HOOK, CAP).await;
        match answer {
            Ok(answer) if matches!(answer.status, 200 | 201 | 202 | 204) => Ok(()),
            Ok(answer) => Err(DeployError::Hook(format!("HTTP {}", answer.status))),
            Err(error) => Err(DeployError::Hook(told(&error))),
        }
    }

    async fn by_api(&self, key: &str, service: &str) -> Result<Deployed, DeployError> {
        let wrong = |why: &str| DeployError::Api(why.to_owned());
        let is_id =
            |id: &str| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !is_id(service) {
            return Err(wrong("RENDER_SERVICE_ID is no id of a service"));
        }
        let url = Url::parse(&format!("{}/v1/services/{service}/deploys", self.base))
            .map_err(|_| wrong("RENDER_SERVICE_ID is no id of a service"))?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {key}"))
            .map_err(|_| wrong("RENDER_API_KEY cannot be sent in a header"))?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let clear = if self.settings.clear_cache { "clear" } else { "do_not_clear" };
        let body = Bytes::from(json!({ "clearCache": clear }).to_string());
        let answer = self
            .http
            .post(&url, headers, body, API, CAP)
            .await
            .map_err(|error| DeployError::Api(told(&error)))?;
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let text = |name: &str| said.get(name).and_then(Value::as_str).map(str::to_owned);
        if !matches!(answer.status, 200..=202) {
            let why = text("message").or_else(|| text("error"));
            let why = why.map(|why| why.chars().filter(|letter| !letter.is_control()).take(TOLD).collect());
            return Err(DeployError::Api(why.unwrap_or_else(|| format!("HTTP {}", answer.status))));
        }
        Ok(Deployed::Api { id: text("id"), status: text("status").unwrap_or_else(|| "queued".to_owned()) })
    }
}

fn told(error: &SendError) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::egress::{ClientOptions, EgressPolicy};

    /// Answers requests one after the other, and tells what they were.
    async fn server(answers: Vec<(u16, &'static str)>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let served = tokio::spawn(async move {
            let mut asked = Vec::new();
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let mut request = Vec::new();
                let mut buffer = [0; 4096];
                loop {
                    let read = stream.read(&mut buffer).await.expect("a request");
                    request.extend_from_slice(&buffer[..read]);
                    let text = String::from_utf8_lossy(&request).to_lowercase();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head
                        .lines()
                        .find_map(|line| line.strip_prefix("content-length: "))
                        .map_or(0, |length| length.parse().expect("a length"));
                    if body.len() >= length {
                        break;
                    }
                }
                let answer = format!(
                    "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.expect("an answer");
                asked.push(String::from_utf8_lossy(&request).into_owned());
            }
            asked
        });
        (base, served)
    }

    fn deployer(base: &str, hook: Option<String>, api: bool) -> Deployer {
        let egress = EgressPolicy::new(vec!["127.0.0.0/8".parse().expect("a network")]);
        let http = GuardedClient::new(&egress, ClientOptions::default()).expect("a client");
        let settings = DeploySettings {
            hook: hook.map(SecretString::from),
            key: api.then(|| SecretString::from("rnd_key")),
            service: api.then(|| "srv-1".to_owned()),
            clear_cache: true,
        };
        Deployer::at(base, http, settings)
    }

    #[tokio::test]
    async fn the_hook_comes_first() {
        let (base, served) = server(vec![(202, "")]).await;
        let hook = format!("{base}/deploy/srv-1?key=secret");
        assert_eq!(deployer(&base, Some(hook), true).deploy().await, Ok(Deployed::Hook));
        let asked = served.await.expect("a request");
        assert!(asked[0].starts_with("GET /deploy/srv-1?key=secret HTTP/1.1"), "{asked:?}");
    }

    #[tokio::test]
    async fn the_api_follows_where_the_hook_says_no() {
        let (base, served) = server(vec![(500, ""), (201, "{\"id\":\"dep-1\"}")]).await;
        let hook = format!("{base}/deploy/srv-1?key=secret");
        let deployed = deployer(&base, Some(hook), true).deploy().await;
        let (id, status) = (Some("dep-1".to_owned()), "queued".to_owned());
        assert_eq!(deployed, Ok(Deployed::Api { id, status }));
        let asked = served.await.expect("requests").pop().expect("a request");
        assert!(asked.starts_with("POST /v1/services/srv-1/deploys HTTP/1.1"), "{asked}");
        assert!(asked.to_lowercase().contains("authorization: bearer rnd_key"), "{asked}");
        assert!(asked.ends_with("{\"clearCache\":\"clear\"}"), "{asked}");
    }

    #[tokio::test]
    async fn what_goes_wrong_is_told_without_secrets() {
        let (base, _served) =
            server(vec![(500, ""), (401, "{\"message\":\"Unauthorized\"}"), (403, "<html>")]).await;
        let hook = format!("{base}/deploy/srv-1?key=secret");
        let refused = deployer(&base, Some(hook), false).deploy().await;
        assert_eq!(refused, Err(DeployError::Hook("HTTP 500".to_owned())));
        let api = deployer(&base, None, true);
        assert_eq!(api.deploy().await, Err(DeployError::Api("Unauthorized".to_owned())));
        assert_eq!(api.deploy().await, Err(DeployError::Api("HTTP 403".to_owned())));
        assert_eq!(deployer(&base, None, false).deploy().await, Err(DeployError::NotConfigured));
        let foreign = Some("https://example.fr/deploy/srv-1?key=secret".to_owned());
        let error = deployer(&base, foreign, true).deploy().await.expect_err("refused");
        assert_eq!(error, DeployError::ForeignHook);
        assert!(!format!("{error} {api:?}").contains("rnd_key"));
    }
}
