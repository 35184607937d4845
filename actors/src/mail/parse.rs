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

/// Stub.
#[must_use]
pub fn parse_header_only(header: &[u8], size: u64) -> Mail {
    let _ = (header, size);
    Mail {
        email_id: String::new(),
        message_id: String::new(),
        subject: String::new(),
        date: String::new(),
        from: String::new(),
        sender: String::new(),
        plain: String::new(),
        html: String::new(),
        text: String::new(),
        has_attachment: false,
        size,
        flaws: Vec::new(),
    }
}
