//! Access tokens: whose they are, who asks for them, and how it is checked that they are given.

use std::path::PathBuf;

use chrono::TimeDelta;
use render_signal_actors::egress::IpNet;
use render_signal_actors::oauth::check::GmailCheckSettings;
use render_signal_actors::oauth::check::files::CheckFiles;
use render_signal_actors::oauth::provider::OAuthAddresses;
use render_signal_actors::oauth::{OAuthClient, OAuthProvider, ProviderName};
use secrecy::SecretString;
use url::Url;

use super::check_url;
use super::reader::{SettingError, VariableReader};
use super::variables::{self as vars, Variable};
use crate::findings::Finding;

/// Everything about access tokens.
#[derive(Debug, Clone)]
pub(crate) struct OAuthSettings {
    /// Who gives them.
    pub(crate) provider: OAuthProvider,
    /// Who asks for them.
    pub(crate) client: OAuthClient,
    /// `IMAP_OAUTH_REFRESH_TOKEN`.
    pub(crate) refresh_token: SecretString,
    /// How it is checked that they are given; every 0 days = not by itself.
    pub(crate) check: Option<GmailCheckSettings>,
}

/// Whether the mailbox is opened by tokens.
pub(super) fn is_wanted(reader: &mut VariableReader<'_>) -> bool {
    reader.choice(&vars::IMAP_AUTH) == "oauth2"
}

/// Whose tokens, as far as that is said or can be told from the mailbox.
pub(super) fn provider_name(reader: &mut VariableReader<'_>) -> Option<ProviderName> {
    let word = reader.choice(&vars::IMAP_OAUTH_PROVIDER);
    ProviderName::from_word(&word).or_else(|| {
        let (server, address) = (reader.text(&vars::IMAP_SERVER), reader.text(&vars::EMAIL_ADDRESS));
        ProviderName::of_mailbox(&server, &address)
    })
}

/// Tokens, if the mailbox is opened by them, or if there are any to be checked.
pub(super) fn read(reader: &mut VariableReader<'_>) -> Option<OAuthSettings> {
    let wanted = is_wanted(reader);
    let check = check(reader);
    // What is set all the same has to be readable.
    reader.choice(&vars::IMAP_OAUTH_PROVIDER);
    let addresses = addresses(reader);
    let (id, token) =
        (reader.text(&vars::IMAP_OAUTH_CLIENT_ID), reader.text(&vars::IMAP_OAUTH_REFRESH_TOKEN));
    if !wanted && (id.is_empty() || token.is_empty()) {
        if !id.is_empty() || !token.is_empty() {
            reader.warn_once(Finding::OauthIncomplete {});
        }
        return None;
    }
    let id = reader.required(&vars::IMAP_OAUTH_CLIENT_ID);
    let refresh_token = reader.required_secret(&vars::IMAP_OAUTH_REFRESH_TOKEN);
    let provider = provider(reader, wanted, addresses)?;
    Some(OAuthSettings { provider, client: client(reader, id), refresh_token, check })
}

fn client(reader: &mut VariableReader<'_>, id: String) -> OAuthClient {
    let secret = Some(reader.text(&vars::IMAP_OAUTH_CLIENT_SECRET));
    OAuthClient { id, secret: secret.filter(|secret| !secret.is_empty()).map(SecretString::from) }
}

/// The provider with its addresses. `opens` = the mailbox is opened by its tokens; otherwise they
/// are Google's, as the reference system has them.
fn provider(
    reader: &mut VariableReader<'_>,
    opens: bool,
    addresses: OAuthAddresses,
) -> Option<OAuthProvider> {
    let name = provider_name(reader).or((!opens).then_some(ProviderName::Google));
    let Some(name) = name else {
        reader.wrong(
            &vars::IMAP_OAUTH_PROVIDER,
            "is to be google, microsoft or other: neither IMAP_SERVER nor EMAIL_ADDRESS tells whose mailbox it is",
        );
        return None;
    };
    let tenant = reader.text(&vars::IMAP_OAUTH_TENANT);
    match OAuthProvider::new(name, &tenant, addresses) {
        Ok(provider) => Some(provider),
        Err("tenant") => {
            reader.wrong(
                &vars::IMAP_OAUTH_TENANT,
                format!("{tenant:?} is neither common, organizations, consumers, a domain nor an id"),
            );
            None
        }
        Err(_) => {
            reader.wrong(
                &vars::IMAP_OAUTH_TOKEN_URL,
                "missing: IMAP_OAUTH_PROVIDER=other has no address of its own",
            );
            None
        }
    }
}

/// What takes the place of the provider's own.
fn addresses(reader: &mut VariableReader<'_>) -> OAuthAddresses {
    OAuthAddresses {
        token: address(reader, &vars::IMAP_OAUTH_TOKEN_URL),
        authorize: address(reader, &vars::IMAP_OAUTH_AUTHORIZE_URL),
        device: address(reader, &vars::IMAP_OAUTH_DEVICE_URL),
        scope: Some(reader.text(&vars::IMAP_OAUTH_SCOPE)).filter(|scope| !scope.is_empty()),
    }
}

/// An address that may be asked.
fn address(reader: &mut VariableReader<'_>, variable: &Variable) -> Option<Url> {
    let text = reader.text(variable);
    if text.is_empty() {
        return None;
    }
    // Malformed networks are reported where they are read for good.
    let allow: Vec<IpNet> =
        reader.list(&vars::EGRESS_ALLOW_CIDRS).iter().filter_map(|member| member.parse().ok()).collect();
    check_url(reader, variable, &text, &allow);
    Url::parse(&text).ok()
}

fn check(reader: &mut VariableReader<'_>) -> Option<GmailCheckSettings> {
    let days: i64 = reader.int(&vars::GMAIL_OAUTH_CHECK_INTERVAL_DAYS);
    let folder = PathBuf::from(reader.text(&vars::GMAIL_OAUTH_CHECK_DIR));
    let to = Some(reader.text(&vars::GMAIL_OAUTH_TEST_TO)).filter(|to| !to.is_empty());
    let own = reader.text(&vars::EMAIL_ADDRESS);
    let from = Some(reader.text(&vars::GMAIL_FROM_EMAIL)).filter(|from| !from.is_empty()).unwrap_or(own);
    let api = address(reader, &vars::GMAIL_API_URL)?;
    let files = CheckFiles::new(folder);
    Some(GmailCheckSettings { files, every: TimeDelta::days(days), to, from, api })
}

/// What a consent needs: everything but the token that comes of it.
#[derive(Debug, Clone)]
pub(crate) struct ConsentSettings {
    /// Whom the mailbox belongs to.
    pub(crate) provider: OAuthProvider,
    /// Who asks.
    pub(crate) client: OAuthClient,
    /// `EMAIL_ADDRESS`, if it is set.
    pub(crate) user: Option<String>,
    /// `EGRESS_ALLOW_CIDRS`.
    pub(crate) egress_allow: Vec<IpNet>,
}

impl ConsentSettings {
    /// Reads them.
    ///
    /// # Errors
    /// Every variable of these that is missing or malformed.
    pub(crate) fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<SettingError>> {
        let mut reader = VariableReader::new(&lookup);
        let id = reader.required(&vars::IMAP_OAUTH_CLIENT_ID);
        let client = client(&mut reader, id);
        let addresses = addresses(&mut reader);
        let provider = provider(&mut reader, true, addresses);
        let user = Some(reader.text(&vars::EMAIL_ADDRESS)).filter(|user| !user.is_empty());
        let egress_allow = reader.parsed_list(&vars::EGRESS_ALLOW_CIDRS);
        match provider {
            Some(provider) if reader.errors.is_empty() => Ok(Self { provider, client, user, egress_allow }),
            _ => Err(reader.errors),
        }
    }
}
