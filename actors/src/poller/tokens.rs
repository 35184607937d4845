//! The port to whoever gives access tokens: a mailbox may be opened by one instead of by a password.
//!
//! Where tokens come from, how long they count and when they are renewed is not the poller's
//! business. It asks for one when it connects, and says what the mail server thought of it.

use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;

use super::source::SourceError;

/// Gives access tokens (RFC 6750) for one mailbox.
#[async_trait]
pub trait AccessTokens: Send + Sync + fmt::Debug {
    /// One that counts now. Answered from memory, or within the time of one request.
    ///
    /// # Errors
    /// [`SourceError::Refused`] when only a person can help, [`SourceError::Settings`] when the
    /// settings must be changed, [`SourceError::Unreachable`] when it is worth trying again.
    async fn token(&self) -> Result<SecretString, SourceError>;

    /// The mail server has taken this token, or has not.
    fn judged(&self, token: &SecretString, taken: bool);
}
