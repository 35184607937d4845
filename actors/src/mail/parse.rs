//! Raw bytes to [`Mail`]. Tolerant: a flaw in one field never costs the others.

use super::Mail;

/// Why a mail could not be read at all: it goes to quarantine with its raw source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Nothing in it looks like a mail.
    #[error("the message is empty or has neither headers nor text")]
    NotAMail,
}

/// Reads a mail.
///
/// # Errors
/// [`Unreadable`] when there is nothing to process.
pub fn parse(raw: &[u8]) -> Result<Mail, Unreadable> {
    let _ = raw;
    Err(Unreadable::NotAMail)
}
