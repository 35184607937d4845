//! The IMAP source (RFC 3501, RFC 9051; IDLE: RFC 2177).
//!
//! | file | what it knows |
//! |---|---|
//! | `connect` | TCP, TLS, SELECT |
//! | `greeting` | the greeting, STARTTLS and what is offered, read without the parser |
//! | `login`, `sasl` | LOGIN with a password, AUTHENTICATE with an access token |
//! | `watched` | the byte stream, which fails when nothing comes for 30 s |
//! | `guard`, `items` | what of it the parser may see |
//! | `bounds` | how much may come, and how long it may take |
//! | `wire` | commands and answers, IDLE |
//! | `session` | the port's calls as commands |
//! | `answers` | answers as the port's values, UID sets |
//! | `listing` | the mails of a listing, never more than there can be |
//!
//! `async-imap` parses; commands are written here, because its own calls allow neither
//! pipelining nor to be dropped half-way.

mod answers;
mod bounds;
mod connect;
mod greeting;
mod guard;
mod items;
mod listing;
mod login;
mod sasl;
mod session;
#[cfg(test)]
mod tests;
mod watched;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;

use super::source::{MailSource, MailboxSession, SourceError};
use super::tokens::AccessTokens;

/// No exchange takes longer than this without a byte from the server; what all the waiting for
/// one answer may take is in `bounds`.
pub(super) const WATCHDOG: Duration = Duration::from_secs(30);

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImapSecurity {
    /// TLS from the first byte (port 993).
    Tls,
    /// Plain at first, then TLS by STARTTLS; never goes on without it.
    StartTls,
    /// No protection. Accepted for loopback addresses only.
    Plain,
}

/// Where the mailbox is, and whose it is.
#[derive(Debug, Clone)]
pub struct ImapSettings {
    /// Host name or address; also what the certificate must be for.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Protection.
    pub security: ImapSecurity,
    /// User name.
    pub user: String,
    /// PEM file with further certificate authorities, beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// Name of the mailbox, such as `INBOX`.
    pub mailbox: String,
    /// IDLE is renewed this often, which is how a path that dropped without a reset is
    /// noticed. At most [`ImapSettings::MAX_IDLE_REFRESH`] is used.
    pub idle_refresh: Duration,
}

impl ImapSettings {
    /// Servers may end an IDLE after 30 minutes (RFC 2177).
    pub const MAX_IDLE_REFRESH: Duration = Duration::from_secs(28 * 60);

    /// What the mailbox is called, whatever opens it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}/{}", self.host, self.user, self.mailbox)
    }
}

/// What opens a mailbox. Never logged.
#[derive(Debug, Clone)]
pub enum ImapLogin {
    /// A password.
    Password(SecretString),
    /// Access tokens, one for each connection.
    Tokens(Arc<dyn AccessTokens>),
}

/// A mailbox on an IMAP server.
#[derive(Debug)]
pub struct ImapSource {
    settings: ImapSettings,
    login: ImapLogin,
    name: String,
}

impl ImapSource {
    /// Of these settings. Nothing is contacted yet.
    #[must_use]
    pub fn new(settings: ImapSettings, login: ImapLogin) -> Self {
        let name = settings.name();
        Self { settings, login, name }
    }
}

#[async_trait]
impl MailSource for ImapSource {
    fn mailbox(&self) -> &str {
        &self.name
    }

    async fn connect(&self) -> Result<Box<dyn MailboxSession>, SourceError> {
        Ok(Box::new(connect::connect(&self.settings, &self.login).await?))
    }
}
