//! Access tokens: what they are asked for with, where a new refresh token is kept, and who is given them.

use std::sync::Arc;

use async_trait::async_trait;
use render_signal_actors::egress::{ClientOptions, EgressPolicy, GuardedClient};
use render_signal_actors::kernel::clock::World;
use render_signal_actors::oauth::check::GmailCheck;
use render_signal_actors::oauth::kept::{FILE_NAME, FileRefreshTokens, RefreshTokens};
use render_signal_actors::oauth::kept_in_redis::RedisRefreshTokens;
use render_signal_actors::oauth::{OAuthClient, OAuthProvider, TokenEndpoint, TokenService, TokenTrouble};
use render_signal_actors::poller::source::SourceError;
use render_signal_actors::poller::tokens::AccessTokens;
use secrecy::SecretString;

use super::{egress, no_client};
use crate::exit::CommandFailure;
use crate::settings::{JournalPlace, Settings};

/// What gives access tokens, if there is a refresh token.
///
/// # Errors
/// When no HTTP client can be set up, or the address of Redis cannot be used.
pub(crate) fn tokens(
    settings: &Settings,
    world: &World,
) -> Result<Option<Arc<TokenService>>, CommandFailure> {
    let Some(oauth) = &settings.oauth else { return Ok(None) };
    let endpoint = endpoint(oauth.provider.clone(), oauth.client.clone(), &egress(settings), world)?;
    let kept: Arc<dyn RefreshTokens> = match &settings.storage.journal {
        JournalPlace::Redis(place) => {
            let kept = RedisRefreshTokens::new(&place.server, &place.prefix);
            Arc::new(kept.map_err(CommandFailure::found)?)
        }
        JournalPlace::File(_) => Arc::new(FileRefreshTokens::new(settings.storage.data_dir.join(FILE_NAME))),
    };
    Ok(Some(TokenService::new(endpoint, oauth.refresh_token.clone(), kept)))
}

/// A provider that may be asked.
///
/// # Errors
/// When no HTTP client can be set up.
pub(crate) fn endpoint(
    provider: OAuthProvider,
    client: OAuthClient,
    egress: &EgressPolicy,
    world: &World,
) -> Result<TokenEndpoint, CommandFailure> {
    let http = GuardedClient::new(egress, ClientOptions::default()).map_err(no_client)?;
    Ok(TokenEndpoint { provider, client, http, world: world.clone() })
}

/// What checks that tokens are given, if anything is to.
///
/// # Errors
/// When no HTTP client can be set up.
pub(crate) fn check(
    settings: &Settings,
    tokens: Option<&Arc<TokenService>>,
    world: &World,
) -> Result<Option<GmailCheck>, CommandFailure> {
    let check = settings.oauth.as_ref().and_then(|oauth| oauth.check.clone());
    let (Some(tokens), Some(settings_of_check)) = (tokens, check) else { return Ok(None) };
    let http = GuardedClient::new(&egress(settings), ClientOptions::default()).map_err(no_client)?;
    let (tokens, world) = (Arc::clone(tokens), world.clone());
    Ok(Some(GmailCheck { tokens, http, settings: settings_of_check, world }))
}

/// The poller's port to the tokens.
#[derive(Debug)]
pub(super) struct MailboxTokens(pub(super) Arc<TokenService>);

#[async_trait]
impl AccessTokens for MailboxTokens {
    async fn token(&self) -> Result<SecretString, SourceError> {
        self.0.token().await.map_err(|trouble| {
            let why = trouble.to_string();
            match trouble {
                TokenTrouble::Revoked(_) => SourceError::Refused(why),
                TokenTrouble::Settings(_) => SourceError::Settings(why),
                TokenTrouble::Away { .. } => SourceError::Unreachable(why),
            }
        })
    }

    fn judged(&self, token: &SecretString, taken: bool) {
        self.0.judged(token, taken);
    }
}
