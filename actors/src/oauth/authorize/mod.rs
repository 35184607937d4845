//! How a person agrees that the program reads the mailbox: with a code on any device
//! (RFC 8628), or in a browser on this machine that comes back to a port of it (RFC 8252), with PKCE
//! (RFC 7636). Either way ends with a refresh token.

pub mod browser;
pub mod device;
pub mod listener;
pub mod pkce;

use std::fmt;

use super::grant::{ServerRefusal, TokenGrant, TokenTrouble};

/// Why there is no consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsentFailure {
    /// The provider has no such way.
    NoWay,
    /// The person said no.
    Declined(String),
    /// Nobody agreed in time.
    TooLate,
    /// The provider gave no refresh token.
    NoRefreshToken,
    /// What came back is not the answer to what was asked.
    Foreign,
    /// This machine does not let us listen.
    Listen(String),
    /// The provider said no, or was not reached.
    Provider(TokenTrouble),
}

impl fmt::Display for ConsentFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWay => f.write_str("the provider has no such way for mailboxes"),
            Self::Declined(why) => write!(f, "it was declined ({why})"),
            Self::TooLate => f.write_str("nobody agreed in time"),
            Self::NoRefreshToken => f.write_str("the provider gave no refresh token"),
            Self::Foreign => f.write_str("what came back is not the answer to what was asked"),
            Self::Listen(why) => write!(f, "no port of this machine can be listened on: {why}"),
            Self::Provider(TokenTrouble::Revoked(said) | TokenTrouble::Settings(said)) => {
                write!(f, "the provider said no: {said}")
            }
            Self::Provider(TokenTrouble::Away { why, .. }) => write!(f, "the provider did not answer: {why}"),
        }
    }
}

impl std::error::Error for ConsentFailure {}

impl From<TokenTrouble> for ConsentFailure {
    fn from(trouble: TokenTrouble) -> Self {
        match trouble {
            TokenTrouble::Settings(ServerRefusal { error, description, .. }) if error == "access_denied" => {
                Self::Declined(if description.is_empty() { error } else { description })
            }
            other => Self::Provider(other),
        }
    }
}

/// A grant with the refresh token that the whole was for.
pub(super) fn complete(grant: TokenGrant) -> Result<TokenGrant, ConsentFailure> {
    if grant.refresh.is_some() { Ok(grant) } else { Err(ConsentFailure::NoRefreshToken) }
}
