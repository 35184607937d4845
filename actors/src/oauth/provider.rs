//! Whose tokens: the addresses, what is asked for, and where such mailboxes are.

use std::fmt;

use serde::Serialize;
use url::Url;

/// Who gives the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderName {
    /// Gmail, and Google Workspace.
    Google,
    /// Microsoft 365, and outlook.com.
    Microsoft,
    /// Another one, by its addresses.
    Other,
}

impl ProviderName {
    /// As a setting says it.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "google" => Some(Self::Google),
            "microsoft" => Some(Self::Microsoft),
            "other" => Some(Self::Other),
            _ => None,
        }
    }

    /// Whose mailbox this is, as far as its server or its address tells.
    #[must_use]
    pub fn of_mailbox(server: &str, address: &str) -> Option<Self> {
        let (server, address) = (server.to_lowercase(), address.to_lowercase());
        let domain = address.rsplit('@').next().unwrap_or_default();
        let is = |names: &[&str], name: &str| names.contains(&name);
        if is(&["imap.gmail.com", "imap.googlemail.com"], &server)
            || (server.is_empty() && is(&["gmail.com", "googlemail.com"], domain))
        {
            return Some(Self::Google);
        }
        if is(&["outlook.office365.com", "imap-mail.outlook.com", "outlook.office.com"], &server)
            || (server.is_empty()
                && is(
                    &["outlook.com", "outlook.fr", "hotmail.com", "hotmail.fr", "live.com", "live.fr"],
                    domain,
                ))
        {
            return Some(Self::Microsoft);
        }
        None
    }

    /// The IMAP server of all its mailboxes.
    #[must_use]
    pub const fn imap_server(self) -> Option<&'static str> {
        match self {
            Self::Google => Some("imap.gmail.com"),
            Self::Microsoft => Some("outlook.office365.com"),
            Self::Other => None,
        }
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Google => "Google",
            Self::Microsoft => "Microsoft",
            Self::Other => "OAuth2",
        })
    }
}

/// Addresses that take the place of the provider's own.
#[derive(Debug, Clone, Default)]
pub struct OAuthAddresses {
    /// Where tokens are given.
    pub token: Option<Url>,
    /// Where a person agrees in a browser.
    pub authorize: Option<Url>,
    /// Where a code for another device is given (RFC 8628).
    pub device: Option<Url>,
    /// What is asked for.
    pub scope: Option<String>,
}

/// A provider with its addresses.
#[derive(Debug, Clone)]
pub struct OAuthProvider {
    /// Who it is.
    pub name: ProviderName,
    /// Where tokens are given.
    pub token_url: Url,
    /// Where a person agrees in a browser; `None` = nowhere.
    pub authorize_url: Option<Url>,
    /// Where a code for another device is given; `None` = nowhere, or not for mailboxes.
    pub device_url: Option<Url>,
    /// What is asked for, separated by blanks; empty = whatever the provider gives.
    pub scope: String,
}

/// Everything that IMAP needs, and sending through Gmail's API; Google knows no smaller scope for IMAP.
const GOOGLE_SCOPE: &str = "https://mail.google.com/";
/// The mailbox by IMAP, and a refresh token.
const MICROSOFT_SCOPE: &str = "https://outlook.office.com/IMAP.AccessAsUser.All offline_access";

impl OAuthProvider {
    /// With its own addresses, unless others are named. `tenant` is Microsoft's: `common`,
    /// `organizations`, `consumers`, a domain or an id.
    ///
    /// # Errors
    /// What is missing, as a field of [`OAuthAddresses`]; or `tenant`.
    pub fn new(name: ProviderName, tenant: &str, other: OAuthAddresses) -> Result<Self, &'static str> {
        let google = |path: &str| Url::parse(&format!("https://{path}")).ok();
        let microsoft = |what: &str| {
            let plain =
                tenant.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
            let url = format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/{what}");
            Url::parse(&url).ok().filter(|_| plain && !tenant.is_empty())
        };
        let (token, authorize, device, scope) = match name {
            // Google gives no code for another device that opens a mailbox.
            ProviderName::Google => (
                google("oauth2.googleapis.com/token"),
                google("accounts.google.com/o/oauth2/v2/auth"),
                None,
                GOOGLE_SCOPE,
            ),
            ProviderName::Microsoft => {
                let token = Some(microsoft("token").ok_or("tenant")?);
                (token, microsoft("authorize"), microsoft("devicecode"), MICROSOFT_SCOPE)
            }
            ProviderName::Other => (None, None, None, ""),
        };
        Ok(Self {
            name,
            token_url: other.token.or(token).ok_or("token")?,
            authorize_url: other.authorize.or(authorize),
            device_url: other.device.or(device),
            scope: other.scope.unwrap_or_else(|| scope.to_owned()),
        })
    }

    /// The scope of a renewal: Microsoft's refresh tokens are for several resources, so it has to be
    /// said which one is meant; Google's are for what was agreed to.
    #[must_use]
    pub fn renewal_scope(&self) -> Option<&str> {
        (self.name != ProviderName::Google && !self.scope.is_empty()).then_some(self.scope.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_a_mailbox_is_tells_its_server_or_else_its_address() {
        for (server, address, wanted) in [
            ("imap.gmail.com", "me@example.fr", Some(ProviderName::Google)),
            ("", "Me@GMail.com", Some(ProviderName::Google)),
            ("Outlook.Office365.com", "me@example.fr", Some(ProviderName::Microsoft)),
            ("", "me@live.fr", Some(ProviderName::Microsoft)),
            ("imap.example.fr", "me@gmail.com", None),
            ("", "me@example.fr", None),
            ("", "gmail.com.example.fr", None),
        ] {
            assert_eq!(ProviderName::of_mailbox(server, address), wanted, "{server} {address}");
        }
    }

    #[test]
    fn addresses_of_ones_own_take_the_place_of_the_providers() {
        let new = |name, tenant, other| OAuthProvider::new(name, tenant, other);
        let google = new(ProviderName::Google, "", OAuthAddresses::default()).unwrap();
        assert_eq!(google.token_url.as_str(), "https://oauth2.googleapis.com/token");
        assert_eq!((google.device_url.as_ref(), google.renewal_scope()), (None, None));
        let microsoft = new(ProviderName::Microsoft, "example.fr", OAuthAddresses::default()).unwrap();
        assert_eq!(
            microsoft.device_url.unwrap().as_str(),
            "https://login.microsoftonline.com/example.fr/oauth2/v2.0/devicecode"
        );
        for tenant in ["", "a/b", "a?b", "é"] {
            let refused = new(ProviderName::Microsoft, tenant, OAuthAddresses::default());
            assert_eq!(refused.unwrap_err(), "tenant", "{tenant}");
        }
        assert_eq!(new(ProviderName::Other, "", OAuthAddresses::default()).unwrap_err(), "token");
        let token = Url::parse("http://127.0.0.1:1/token").ok();
        let other =
            new(ProviderName::Other, "", OAuthAddresses { token, ..OAuthAddresses::default() }).unwrap();
        assert_eq!((other.token_url.port(), other.renewal_scope()), (Some(1), None));
    }
}
