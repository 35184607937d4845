//! Getting in: LOGIN with a password, or AUTHENTICATE with an access token.

use async_imap::Client;
use secrecy::{ExposeSecret as _, SecretString};

use super::super::source::SourceError;
use super::connect::{Connection, exchange};
use super::sasl::{SaslExchange, SaslMechanism};
use super::watched::WatchedIo;
use super::wire::ServerVoice;
use super::{ImapLogin, ImapSettings};

/// What opens the mailbox at this connection.
pub(super) enum MailboxKey<'l> {
    Password(&'l SecretString),
    Token(SecretString),
}

impl<'l> MailboxKey<'l> {
    /// The password, or a token that counts now.
    pub(super) async fn of(login: &'l ImapLogin) -> Result<Self, SourceError> {
        Ok(match login {
            ImapLogin::Password(password) => Self::Password(password),
            ImapLogin::Tokens(tokens) => Self::Token(tokens.token().await?),
        })
    }

    /// What must not be shown.
    pub(super) fn secret(&self) -> &SecretString {
        match self {
            Self::Password(password) => password,
            Self::Token(token) => token,
        }
    }

    /// Tells whoever has given the token what came of it. That the server could not be reached, or says
    /// that it cannot tell now, says nothing about the token.
    pub(super) fn judge<T>(&self, login: &ImapLogin, outcome: &Result<T, SourceError>) {
        let (Self::Token(token), ImapLogin::Tokens(tokens)) = (self, login) else { return };
        match outcome {
            Ok(_) => tokens.judged(token, true),
            Err(SourceError::Refused(_)) => tokens.judged(token, false),
            Err(_) => {}
        }
    }
}

/// Logs in. Whether the server does IDLE comes with the session.
pub(super) async fn log_in(
    settings: &ImapSettings,
    key: &MailboxKey<'_>,
    client: Client<WatchedIo>,
    offers: &[String],
    voice: &ServerVoice,
) -> Result<(Connection, bool), SourceError> {
    let (mut session, capabilities) = match key {
        MailboxKey::Password(password) => {
            let login = client.login_with_capabilities(&settings.user, password.expose_secret());
            let login = exchange(voice, login).await;
            login.map_err(|(error, _)| refusal(settings, "the login", voice.explain(&error), None))?
        }
        MailboxKey::Token(token) => (hand_over(settings, token, client, offers, voice).await?, None),
    };
    let capabilities = match capabilities {
        Some(capabilities) => capabilities,
        None => exchange(voice, session.capabilities()).await.map_err(|error| voice.explain(&error))?,
    };
    Ok((session, capabilities.has_str("IDLE")))
}

/// AUTHENTICATE with a token, by the better way that the server offers.
async fn hand_over(
    settings: &ImapSettings,
    token: &SecretString,
    client: Client<WatchedIo>,
    offers: &[String],
    voice: &ServerVoice,
) -> Result<Connection, SourceError> {
    let mechanism = SaslMechanism::offered(offers).ok_or_else(|| {
        SourceError::Settings(format!(
            "{} offers neither OAUTHBEARER nor XOAUTH2, so no access token opens it: IMAP_AUTH=password is for such servers",
            settings.host
        ))
    })?;
    let server = (settings.host.as_str(), settings.port);
    let mut sasl = SaslExchange::new(mechanism, &settings.user, server, token).ok_or_else(|| {
        SourceError::Settings("a user name or an access token contains a control character".to_owned())
    })?;
    let at_once = offers.iter().any(|offer| offer.eq_ignore_ascii_case("SASL-IR"));
    let begun = sasl.begin(at_once);
    let answered = exchange(voice, client.authenticate(begun, &mut sasl)).await;
    answered.map_err(|(error, _)| {
        refusal(settings, "the access token", voice.explain(&error), sasl.reason(&voice.secrets))
    })
}

/// A login that failed: for good, as far as the server says, or for now.
fn refusal(settings: &ImapSettings, what: &str, error: SourceError, reason: Option<String>) -> SourceError {
    match error {
        SourceError::Declined(why) => {
            let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
            let why = format!("{} did not accept {what} of {}: {why}{reason}", settings.host, settings.user);
            // RFC 5530: the server cannot tell at the moment.
            if why.contains("UNAVAILABLE") || why.contains("Temporary") {
                SourceError::Unreachable(why)
            } else {
                SourceError::Refused(why)
            }
        }
        other => other,
    }
}
