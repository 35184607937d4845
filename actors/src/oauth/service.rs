//! Access tokens for whoever wants one: from memory, or by one request that all wait for.
//!
//! A renewal runs in a task of its own. Whoever waits for it may be gone before the answer comes
//! (the lease is lost, the connection given up); a refresh token in that answer is kept all the same.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};

use super::endpoint::TokenEndpoint;
use super::grant::{TokenGrant, TokenRequest, TokenTrouble};
use super::kept::{KeptToken, RefreshTokens, fingerprint};
use super::provider::ProviderName;
use super::state::{TokenState, TokenStep};

/// How the tokens are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthReport {
    /// Who gives them.
    pub provider: ProviderName,
    /// Until when the access token counts; `None` = none was asked for yet.
    pub until: Option<DateTime<Utc>>,
    /// Why none was given last; `None` = it was, or none was asked for.
    pub trouble: Option<TokenTrouble>,
    /// Why a new refresh token could not be kept; `None` = all is well.
    pub unkept: Option<String>,
}

#[derive(Debug, Default)]
struct ServiceState {
    tokens: TokenState,
    /// The refresh token that worked last, with which a new one may not have been kept.
    refresh: Option<SecretString>,
    unkept: Option<String>,
    /// What was refused for good: until it changes, it is not asked with again before its time.
    refused: Vec<String>,
}

/// Gives access tokens.
pub struct TokenService {
    endpoint: TokenEndpoint,
    seed: SecretString,
    fingerprint: String,
    kept: Arc<dyn RefreshTokens>,
    state: Mutex<ServiceState>,
    /// Held by whoever asks the endpoint.
    turn: tokio::sync::Mutex<()>,
}

impl fmt::Debug for TokenService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenService").field("provider", &self.endpoint.provider.name).finish_non_exhaustive()
    }
}

impl TokenService {
    /// From a seed, the refresh token of the environment. Nothing is asked yet.
    #[must_use]
    pub fn new(endpoint: TokenEndpoint, seed: SecretString, kept: Arc<dyn RefreshTokens>) -> Arc<Self> {
        let fingerprint = fingerprint(&seed, &endpoint.client.id, endpoint.provider.token_url.as_str());
        Arc::new(Self {
            endpoint,
            seed,
            fingerprint,
            kept,
            state: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, ServiceState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self) -> TokenStep {
        self.state().tokens.step(self.endpoint.world.now())
    }

    /// A token that counts now.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn token(self: &Arc<Self>) -> Result<SecretString, TokenTrouble> {
        if let TokenStep::Use(token) = self.step() {
            return Ok(token);
        }
        let service = Arc::clone(self);
        let renewed = tokio::spawn(async move { service.renew().await });
        renewed.await.unwrap_or_else(|error| Err(broke_off(&error)))
    }

    /// Asks the endpoint now, whatever is in memory, to see whether it still gives tokens. What it
    /// said a moment ago when it said no is not asked for again.
    ///
    /// # Errors
    /// Why it gives none.
    pub async fn try_now(self: &Arc<Self>) -> Result<TokenGrant, TokenTrouble> {
        let service = Arc::clone(self);
        let asked = tokio::spawn(async move {
            let _turn = service.turn.lock().await;
            if let TokenStep::Wait(trouble) = service.step() {
                return Err(trouble);
            }
            service.ask().await
        });
        asked.await.unwrap_or_else(|error| Err(broke_off(&error)))
    }

    /// The mail server has taken this token, or has not.
    pub fn judged(&self, token: &SecretString, taken: bool) {
        self.state().tokens.judged(token, taken);
    }

    /// How it is.
    #[must_use]
    pub fn report(&self) -> OAuthReport {
        let state = self.state();
        OAuthReport {
            provider: self.endpoint.provider.name,
            until: state.tokens.until(),
            trouble: state.tokens.trouble().cloned(),
            unkept: state.unkept.clone(),
        }
    }

    /// Takes a turn. Whoever waited for it finds what the one before has brought.
    async fn renew(&self) -> Result<SecretString, TokenTrouble> {
        let _turn = self.turn.lock().await;
        match self.step() {
            TokenStep::Use(token) => return Ok(token),
            TokenStep::Ask => {}
            // Only a person mends it, perhaps by another worker or a command beside this process.
            TokenStep::Wait(trouble @ TokenTrouble::Revoked(_)) => {
                if !self.has_another().await {
                    return Err(trouble);
                }
                self.state().tokens.renewed();
            }
            TokenStep::Wait(trouble) => return Err(trouble),
        }
        match self.ask().await {
            Ok(grant) => Ok(grant.access),
            // A token that still counts is better than none.
            Err(trouble) => match self.step() {
                TokenStep::Use(token) => Ok(token),
                _ => Err(trouble),
            },
        }
    }

    /// Whether there is a refresh token that was not refused.
    async fn has_another(&self) -> bool {
        let candidates = self.candidates().await;
        let state = self.state();
        candidates.iter().any(|token| !state.refused.contains(&mark(token)))
    }

    /// The refresh tokens to ask with, the best first: what is kept of our seed, what worked last, the seed.
    async fn candidates(&self) -> Vec<SecretString> {
        let kept = match self.kept.load().await {
            Ok(kept) => kept.filter(|kept| kept.seed == self.fingerprint).map(|kept| kept.token),
            Err(why) => {
                tracing::warn!(why, "the kept refresh token cannot be read now");
                None
            }
        };
        let last = self.state().refresh.clone();
        let unkept = self.state().unkept.is_some();
        // What could not be kept is newer than what is.
        let [first, second] = if unkept { [last, kept] } else { [kept, last] };
        let mut candidates: Vec<SecretString> = Vec::new();
        for token in [first, second, Some(self.seed.clone())].into_iter().flatten() {
            if candidates.iter().all(|known| known.expose_secret() != token.expose_secret()) {
                candidates.push(token);
            }
        }
        candidates
    }

    /// Asks the endpoint, with one refresh token after the other as long as it says that they count no
    /// more.
    ///
    /// Counts `render_signal_oauth_renewals_total{outcome}`.
    async fn ask(&self) -> Result<TokenGrant, TokenTrouble> {
        let scope = self.endpoint.provider.renewal_scope();
        let mut refused = Vec::new();
        let mut last = None;
        for token in self.candidates().await {
            let request = TokenRequest::Refresh { token: token.clone(), scope: scope.map(str::to_owned) };
            match self.endpoint.ask(&request).await {
                Ok(grant) => {
                    self.granted(&grant, &token).await;
                    return Ok(grant);
                }
                Err(trouble @ TokenTrouble::Revoked(_)) => {
                    refused.push(mark(&token));
                    last = Some(trouble);
                }
                Err(trouble) => {
                    last = Some(trouble);
                    break;
                }
            }
        }
        // There is always the seed.
        let trouble =
            last.unwrap_or(TokenTrouble::Away { why: "it was not asked".to_owned(), again_at: None });
        self.failed(&trouble, refused);
        Err(trouble)
    }

    async fn granted(&self, grant: &TokenGrant, asked_with: &SecretString) {
        let token = grant.refresh.as_ref().unwrap_or(asked_with);
        let is_new = token.expose_secret() != asked_with.expose_secret();
        let owed = self.state().unkept.is_some();
        {
            let mut state = self.state();
            state.refresh = Some(token.clone());
            state.refused.clear();
            state.tokens.granted(grant, self.endpoint.world.now());
        }
        self.export("given");
        if !is_new && !owed {
            return;
        }
        let kept = KeptToken { seed: self.fingerprint.clone(), token: token.clone() };
        let outcome = self.kept.keep(&kept).await;
        match &outcome {
            Ok(()) => tracing::info!("the provider gave another refresh token, which is kept"),
            Err(why) => tracing::error!(
                why,
                "the provider gave another refresh token, which could not be kept: a restart goes on with an older one"
            ),
        }
        self.state().unkept = outcome.err();
    }

    fn failed(&self, trouble: &TokenTrouble, refused: Vec<String>) {
        {
            let mut state = self.state();
            let chance = self.endpoint.world.jitter.fraction();
            state.tokens.failed(trouble.clone(), self.endpoint.world.now(), chance);
            state.refused = refused;
        }
        let outcome = match trouble {
            TokenTrouble::Revoked(_) => "revoked",
            TokenTrouble::Settings(_) => "settings",
            TokenTrouble::Away { .. } => "away",
        };
        self.export(outcome);
        match trouble {
            TokenTrouble::Away { .. } => tracing::warn!(%trouble, "no access token, trying again"),
            _ => tracing::error!(%trouble, "no access token, and somebody has to see to it"),
        }
    }

    fn export(&self, outcome: &'static str) {
        metrics::counter!("render_signal_oauth_renewals_total", "outcome" => outcome).increment(1);
        let report = self.report();
        let revoked = matches!(report.trouble, Some(TokenTrouble::Revoked(_)));
        metrics::gauge!("render_signal_oauth_revoked").set(f64::from(u8::from(revoked)));
        if let Some(until) = report.until {
            // Seconds since 1970 fit without loss.
            #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "far below 2^53")]
            let until = until.timestamp() as f64;
            metrics::gauge!("render_signal_oauth_token_expires_timestamp_seconds").set(until);
        }
    }
}

/// To know a token again without holding it.
fn mark(token: &SecretString) -> String {
    crate::kernel::digest::sha256(token.expose_secret())
}

fn broke_off(error: &tokio::task::JoinError) -> TokenTrouble {
    TokenTrouble::Away { why: format!("the request broke off: {error}"), again_at: None }
}
