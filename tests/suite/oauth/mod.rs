//! A mailbox that is opened by access tokens, before a real Dovecot that asks the tests' own provider
//! whether they count.

mod authorize;
mod check;
mod mailbox;

use serde_json::Value;

use crate::support::dovecot::Dovecot;
use crate::support::token_server::{ACCESS, REFRESH, SECRET};
use crate::support::{Program, Site, TokenServer};

/// A provider, a mailbox that believes it, and a worker with a refresh token.
struct Scene {
    provider: TokenServer,
    site: Site,
    worker: Program,
}

impl Scene {
    async fn start() -> Self {
        let provider = TokenServer::start().await;
        let dovecot = Dovecot::with_tokens(&provider.url("/introspect")).await;
        let site = Site::of(dovecot).await;
        let mut worker = site.worker("worker");
        worker.unset("EMAIL_PASSWORD");
        worker.set("API_TOKEN_SCOPES", "read");
        // Whoever wants the regular check switches it on: it asks for tokens, too.
        worker.set("GMAIL_OAUTH_CHECK_INTERVAL_DAYS", "0");
        worker.set("GMAIL_OAUTH_CHECK_DIR", "checks");
        let refresh = provider.agree();
        for (name, value) in provider.environment(&refresh) {
            worker.set(name, &value);
        }
        Self { provider, site, worker }
    }

    /// What `/readyz` says of the tokens.
    async fn readiness(&self) -> (u16, Value) {
        let answer = self.worker.get("/readyz").await;
        let ready: Value = serde_json::from_str(&answer.body).expect("JSON");
        (answer.status, ready["checks"]["oauth"].clone())
    }

    /// The log, which holds no secret.
    fn log(&self) -> String {
        let log = self.worker.log();
        assert_no_secret(&log);
        log
    }
}

/// The codes of what was found.
fn codes(check: &Value) -> Vec<&str> {
    let findings = check["findings"].as_array().map_or(&[][..], Vec::as_slice);
    findings.iter().filter_map(|finding| finding["code"].as_str()).collect()
}

/// No token and no client secret is in it.
fn assert_no_secret(text: &str) {
    for secret in [ACCESS, REFRESH, SECRET] {
        assert!(!text.contains(secret), "{secret} is in:\n{text}");
    }
}
