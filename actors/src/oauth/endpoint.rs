//! The provider over HTTP: one request, one answer.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use url::Url;

use super::grant::{OAuthClient, TokenGrant, TokenRequest, TokenTrouble, judge};
use super::provider::OAuthProvider;
use crate::egress::{Answer, GuardedClient, SendError, retry_after};
use crate::kernel::clock::World;

/// How long an answer may take; as long as the reference system waits.
const TIMEOUT: Duration = Duration::from_secs(15);
/// So much of an answer is read, in bytes: two tokens and some words.
const LONGEST: usize = 64 * 1024;

/// A provider's token endpoint, and who asks there.
#[derive(Debug, Clone)]
pub struct TokenEndpoint {
    /// The provider.
    pub provider: OAuthProvider,
    /// Who asks.
    pub client: OAuthClient,
    /// How requests get there.
    pub http: GuardedClient,
    /// The clock.
    pub world: World,
}

impl TokenEndpoint {
    /// Asks for a token.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn ask(&self, request: &TokenRequest) -> Result<TokenGrant, TokenTrouble> {
        let answer = self.post(&self.provider.token_url, request.form(&self.client)).await?;
        let again_at = retry_after(&answer.headers, self.world.now());
        judge((answer.status, &answer.body), again_at, &request.secrets(&self.client))
    }

    /// Posts a form.
    pub(super) async fn post(&self, url: &Url, form: String) -> Result<Answer, TokenTrouble> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        self.http.post(url, headers, Bytes::from(form), TIMEOUT, LONGEST).await.map_err(unsent)
    }
}

/// What the guard refuses is for a person, and is told as what the settings say.
fn unsent(error: SendError) -> TokenTrouble {
    match error {
        SendError::Refused(why) => TokenTrouble::Settings(super::grant::ServerRefusal {
            status: 0,
            error: "refused".to_owned(),
            description: why,
        }),
        other => TokenTrouble::Away { why: other.to_string(), again_at: None },
    }
}
