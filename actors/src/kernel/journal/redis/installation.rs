//! Whose journal it is. Two installations that share a server by accident would send each
//! other's mails; so the journal notes what makes an installation that one, and a worker of
//! another one is refused.

use super::link::{JournalServer, ScriptText};
use crate::kernel::digest::short_sha256;
use crate::kernel::journal::JournalError;

/// What makes an installation that one and not another. What is empty is not known, and
/// differs from nothing.
///
/// Passwords, receivers and hosts are none of it: they change while the installation stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Installation {
    mailbox: String,
    documents: String,
}

impl Installation {
    /// Of the mailbox with this name (kept as a hash) and the documents below this prefix.
    #[must_use]
    pub fn new(mailbox: Option<&str>, documents: Option<&str>) -> Self {
        Self {
            mailbox: mailbox.map(hash).unwrap_or_default(),
            documents: documents.unwrap_or_default().to_owned(),
        }
    }

    /// What of a journal of `known` is not as here, in plain words.
    fn differs(&self, known: &Self) -> Option<String> {
        let differ = |mine: &str, known: &str| !mine.is_empty() && !known.is_empty() && mine != known;
        let mut what = Vec::new();
        if differ(&self.mailbox, &known.mailbox) {
            what.push("it reads another mailbox (EMAIL_ADDRESS or MAIL_SOURCE)".to_owned());
        }
        if differ(&self.documents, &known.documents) {
            what.push(format!(
                "its documents have CONFIG_STORE_REDIS_PREFIX={}, here it is {}",
                known.documents, self.documents
            ));
        }
        (!what.is_empty()).then(|| what.join("; "))
    }
}

/// Enough to tell two mailboxes apart; the address is not readable from it at a glance.
fn hash(name: &str) -> String {
    short_sha256(name.to_lowercase(), 16)
}

/// Whose journal one has to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Owner {
    /// Anybody's: an operator looks into it.
    #[default]
    Anybody,
    /// That of this installation; it is as it was afterwards.
    Compared(Installation),
    /// That of this installation, or nobody's yet: then it is noted.
    Noted(Installation),
}

/// Refuses a journal of another installation.
///
/// # Errors
/// [`JournalError::Foreign`]; the journal is then as it was.
pub(super) async fn check(link: &JournalServer, prefix: &str, owner: &Owner) -> Result<(), JournalError> {
    let (mine, what) = match owner {
        Owner::Anybody => return Ok(()),
        Owner::Compared(mine) => (mine, "look"),
        Owner::Noted(mine) => (mine, "note"),
    };
    let known = note(link, mine, what).await?;
    match mine.differs(&known) {
        Some(what) => Err(JournalError::Foreign { prefix: prefix.to_owned(), what }),
        None => Ok(()),
    }
}

/// Says that the journal is that of `mine` from now on. Returns what differed before, in plain
/// words.
///
/// # Errors
/// When the server cannot be asked.
pub(super) async fn adopt(link: &JournalServer, mine: &Installation) -> Result<Option<String>, JournalError> {
    let known = note(link, mine, "adopt").await?;
    Ok(mine.differs(&known))
}

async fn note(link: &JournalServer, mine: &Installation, what: &str) -> Result<Installation, JournalError> {
    let args = [mine.mailbox.as_str(), mine.documents.as_str(), what].map(ScriptText::from);
    let (mailbox, documents): (String, String) = link.run(&link.scripts.belongs, &args).await?;
    Ok(Installation { mailbox, documents })
}
