//! The port to a mailbox: what the poller asks of a mail server.
//!
//! A [`MailSource`] makes [`MailboxSession`]s; the poller has at most one at a time. An adapter
//! touches the world and decides nothing: which mails are ours, how large is too large
//! and when to try again is the poller's business.
//!
//! Every call ends within a bounded time, by success or by a [`SourceError`]; an adapter
//! watches each of its exchanges. Every call may be cancelled by dropping its future, and
//! the session must be usable afterwards: that is how a wait is cut short.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::messages::Source;

/// Why the mailbox did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Could not be reached, closed the connection, or did not answer in time.
    #[error("{0}")]
    Unreachable(String),
    /// Answered, and does not accept the credentials.
    #[error("{0}")]
    Refused(String),
    /// The settings cannot work: they must be changed by the operator.
    #[error("{0}")]
    Settings(String),
    /// Said something that cannot be understood. The session is of no further use.
    #[error("{0}")]
    Protocol(String),
    /// Declined this one request. The session is still good.
    #[error("{0}")]
    Declined(String),
}

impl SourceError {
    /// The name as counted in `render_signal_mailbox_failures_total`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Refused(_) => "refused",
            Self::Settings(_) => "settings",
            Self::Protocol(_) => "protocol",
            Self::Declined(_) => "declined",
        }
    }
}

/// What the server says of the mailbox when it is opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MailboxStatus {
    /// UIDVALIDITY (RFC 9051 section 2.3.1.1); 0 for a source without UIDs.
    pub validity: u64,
    /// UIDNEXT: the UID of the next mail to arrive; 0 for a source without UIDs.
    pub uid_next: u64,
    /// How many mails there are.
    pub exists: u64,
}

/// Which mails to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListScope {
    /// Every mail with a UID above this one. Means nothing to a source without UIDs.
    pub above: u64,
    /// And every mail that is not `\Seen`. A source without UIDs lists these always.
    pub unseen: bool,
    /// And every mail that arrived at or after this instant. The source may list up to
    /// two days too many; never too few.
    pub since: Option<DateTime<Utc>>,
}

/// A mail that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxItem {
    /// Its name: the UID in decimal, or the unique part of a Maildir file name.
    pub item: String,
    /// Its UID; 0 for a source without UIDs.
    pub uid: u64,
    /// What is known of it; `None` = [`MailboxSession::describe`] tells.
    pub detail: Option<Detail>,
}

/// What can be known of a mail without loading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    /// Size in bytes.
    pub size: u64,
    /// When the server took it in (INTERNALDATE), if it says so.
    pub arrived_at: Option<DateTime<Utc>>,
    /// It is `\Seen`.
    pub seen: bool,
}

/// How much of a mail to load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadPart {
    /// All of it.
    Full,
    /// The header block only.
    Header,
}

/// A mail to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadRequest {
    /// Its name.
    pub item: String,
    /// Its UID; 0 for a source without UIDs.
    pub uid: u64,
    /// Its size in bytes, as the source said.
    pub size: u64,
    /// The largest mail that is taken whole, in bytes, whatever the source said.
    pub limit: u64,
    /// How much of it.
    pub part: LoadPart,
}

impl LoadRequest {
    /// What was loaded of it, of which the source gives at most one byte above the limit. A mail
    /// that is longer after all is as one that was known to be: its header only.
    pub(super) fn loaded(&self, bytes: Bytes) -> Source {
        let size = bytes.len() as u64;
        if size <= self.limit {
            return Source::Full(bytes);
        }
        let begin = bytes.get(..LONGEST_HEADER).unwrap_or(&bytes);
        let header = begin.get(..header_end(begin)).unwrap_or(begin);
        // A copy, so that it does not keep all of it in memory.
        Source::HeaderOnly { header: Bytes::copy_from_slice(header), size: size.max(self.size) }
    }
}

/// A header block is cut where the parser stops reading it.
pub(super) use crate::mail::LONGEST_HEADER;

/// Length of the header block with its empty line; all of it when there is no such line.
pub(super) fn header_end(bytes: &[u8]) -> usize {
    let mut start = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        start += line.len();
        if line == b"\n" || line == b"\r\n" {
            return start;
        }
    }
    bytes.len()
}

/// What became of a mail that was to be loaded.
#[derive(Debug)]
pub enum LoadedBody {
    /// Here it is.
    Loaded(Source),
    /// It is no longer in the mailbox.
    Gone,
    /// The source has it and does not give it; why, in plain words.
    Unloadable(String),
}

/// One mail out of [`MailboxSession::fetch`].
#[derive(Debug)]
pub struct Fetched {
    /// Its name.
    pub item: String,
    /// Its content.
    pub body: LoadedBody,
    /// Its share of the bytes that may be in memory; given back when dropped.
    share: BytesShare,
}

/// A share of the bytes that may be in memory; given back when dropped.
#[derive(Debug)]
pub(super) struct BytesShare(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Fetched {
    /// The content, and the share to hold on to for as long as it is in memory.
    pub(super) fn into_parts(self) -> (LoadedBody, BytesShare) {
        (self.body, self.share)
    }
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// There may be new mails.
    Changed,
    /// The time is up.
    Elapsed,
}

/// A mailbox that can be opened.
#[async_trait]
pub trait MailSource: Send + Sync {
    /// Its name, the same for as long as it is the same mailbox; part of what identifies
    /// a mail in the journal. Such as `imap.example.fr/me@example.fr/INBOX`.
    fn mailbox(&self) -> &str;

    /// Opens it.
    async fn connect(&self) -> Result<Box<dyn MailboxSession>, SourceError>;
}

/// An open mailbox.
#[async_trait]
pub trait MailboxSession: Send {
    /// As it was when it was opened.
    fn opened(&self) -> MailboxStatus;

    /// Mails within `scope`, in any order, each once.
    async fn list(&mut self, scope: &ListScope) -> Result<Vec<MailboxItem>, SourceError>;

    /// Size, arrival and flags of mails. Those that are gone are left out.
    async fn describe(&mut self, mails: &[MailboxItem]) -> Result<Vec<MailboxItem>, SourceError>;

    /// Loads mails, without marking them, and hands each to `sink` as soon as it is there,
    /// in any order, each exactly once.
    async fn fetch(&mut self, wanted: &[LoadRequest], sink: Sink) -> Result<(), SourceError>;

    /// Marks mails as read. Those that are gone are passed over.
    async fn mark_seen(&mut self, items: &[String]) -> Result<(), SourceError>;

    /// Waits until there may be new mails (also such as have arrived since the last
    /// [`MailboxSession::list`] began), at most `max`.
    async fn wait(&mut self, max: Duration) -> Result<Wake, SourceError>;

    /// Takes leave of the server. Dropping a session is rude, and allowed.
    async fn close(self: Box<Self>);
}

/// Where fetched mails go. Bounded in mails and in bytes: handing over waits while those
/// before are still being admitted.
#[derive(Debug)]
pub struct Sink {
    mails: mpsc::Sender<Fetched>,
    bytes: Arc<Semaphore>,
}

/// Nobody takes the mails any more: stop fetching.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody takes the mails any more")]
pub struct SinkClosed;

/// The bytes of fetched mails that may be in memory at once, in units of [`UNIT`].
pub(super) const BUDGET: usize = 16 * 1024 * 1024 / UNIT;
/// Bytes per permit.
const UNIT: usize = 1024;
/// Mails that may wait between the reader and the admission.
const MAILS: usize = 32;

impl Sink {
    /// A sink with its other end. Sinks that share `bytes` share the budget.
    pub(super) fn new(bytes: Arc<Semaphore>) -> (Self, mpsc::Receiver<Fetched>) {
        let (mails, taken) = mpsc::channel(MAILS);
        (Self { mails, bytes }, taken)
    }

    /// Hands a mail over.
    ///
    /// # Errors
    /// [`SinkClosed`] when the fetch was given up.
    pub async fn hand_over(&self, item: String, body: LoadedBody) -> Result<(), SinkClosed> {
        let bytes = match &body {
            LoadedBody::Loaded(Source::Full(bytes)) => bytes.len(),
            LoadedBody::Loaded(Source::HeaderOnly { header, .. }) => header.len(),
            // Not from a mailbox.
            LoadedBody::Loaded(Source::Pushed(mail)) => mail.size(),
            LoadedBody::Gone | LoadedBody::Unloadable(_) => 0,
        };
        // One mail larger than the whole budget takes all of it, and waits for nobody after.
        let units = u32::try_from(bytes.div_ceil(UNIT).min(BUDGET)).unwrap_or(u32::MAX);
        let share = Arc::clone(&self.bytes).acquire_many_owned(units).await.map_err(|_| SinkClosed)?;
        self.mails.send(Fetched { item, body, share: BytesShare(share) }).await.map_err(|_| SinkClosed)
    }
}

/// A mailbox as the log names it: the log goes where people other than its owner read it, so of an
/// address the part before the `@` is left out but for its first letter.
pub(super) fn shown(mailbox: &str) -> String {
    let part = |part: &str| match part.rsplit_once('@') {
        Some((local, host)) => {
            let first: String = local.chars().take(1).collect();
            format!("{first}***@{host}")
        }
        None => part.to_owned(),
    };
    mailbox.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_mailbox_it_is_is_not_in_the_log() {
        for (mailbox, expected) in [
            ("imap.example.fr/zoe.durand@example.fr/INBOX", "imap.example.fr/z***@example.fr/INBOX"),
            ("imap.example.fr/signal/INBOX", "imap.example.fr/signal/INBOX"),
            ("imap.example.fr/@example.fr/INBOX", "imap.example.fr/***@example.fr/INBOX"),
            ("maildir:/var/mail/signal", "maildir:/var/mail/signal"),
        ] {
            assert_eq!(shown(mailbox), expected);
        }
    }
}
