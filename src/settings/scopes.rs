//! What a token may do: `API_TOKEN_SCOPES`.

use std::fmt;
use std::str::FromStr;

/// A right that `API_TOKEN_SCOPES` gives to the token of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApiScope {
    /// See mails, deliveries, events and how the program is.
    Read,
    /// Release, retry, cancel, send a test.
    Actions,
    /// See and change the configuration documents, with what is masked elsewhere.
    Config,
    /// See and end sessions, make sign-in links.
    Access,
}

impl ApiScope {
    const ALL: [Self; 4] = [Self::Read, Self::Actions, Self::Config, Self::Access];

    /// As it is written.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Actions => "actions",
            Self::Config => "config",
            Self::Access => "access",
        }
    }
}

impl fmt::Display for ApiScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ApiScope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.trim().to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|scope| scope.name() == name)
            .ok_or_else(|| format!("{text:?} is none of read, actions, config, access"))
    }
}

/// The rights of a token; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scopes(Vec<ApiScope>);

impl Scopes {
    /// These.
    pub(crate) fn new(scopes: Vec<ApiScope>) -> Self {
        Self(scopes)
    }

    /// Whether this one is among them.
    pub(crate) fn have(&self, scope: ApiScope) -> bool {
        self.0.contains(&scope)
    }
}
