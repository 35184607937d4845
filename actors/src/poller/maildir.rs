//! The Maildir source: a folder with `new/`, `cur/` and `tmp/`
//! (<https://cr.yp.to/proto/maildir.html>).
//!
//! A mail's name is its file name up to the first `:`; what follows are flags, and they
//! change. What lies in `new/`, or in `cur/` without the flag `S`, is unread. There are no
//! UIDs: a file in `cur/` that is read was read by somebody else and is not ours.

mod folders;
#[cfg(test)]
#[path = "maildir_tests.rs"]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use self::folders::{Folders, Times, on_disk};
use super::source::{
    Detail, ListScope, LoadRequest, MailSource, MailboxItem, MailboxSession, MailboxStatus, Sink,
    SourceError, Wake,
};

/// How often the folders are looked at while waiting.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Where the mailbox is.
#[derive(Debug, Clone)]
pub struct MaildirSettings {
    /// The folder that holds `new/`, `cur/` and `tmp/`.
    pub path: PathBuf,
}

/// A Maildir.
#[derive(Debug)]
pub struct MaildirSource {
    settings: MaildirSettings,
    name: String,
}

impl MaildirSource {
    /// Of these settings. Nothing is read yet.
    #[must_use]
    pub fn new(settings: MaildirSettings) -> Self {
        let name = format!("maildir:{}", settings.path.display());
        Self { settings, name }
    }
}

#[async_trait]
impl MailSource for MaildirSource {
    fn mailbox(&self) -> &str {
        &self.name
    }

    async fn connect(&self) -> Result<Box<dyn MailboxSession>, SourceError> {
        let folders = Folders { root: self.settings.path.clone() };
        let of_session = folders.clone();
        let mails = on_disk(move || {
            for folder in [folders.new_folder(), folders.cur_folder()] {
                if !folder.is_dir() {
                    return Err(SourceError::Settings(format!(
                        "{} is not a folder: a Maildir has new/, cur/ and tmp/",
                        folder.display()
                    )));
                }
            }
            folders.scan().map(|mails| mails.len()).map_err(|error| folders.failed(&error))
        })
        .await?;
        Ok(Box::new(MaildirSession {
            folders: of_session,
            exists: u64::try_from(mails).unwrap_or_default(),
            listed: None,
            confirm: false,
        }))
    }
}

/// An open Maildir.
#[derive(Debug)]
struct MaildirSession {
    folders: Folders,
    exists: u64,
    /// When the folders had changed last, as the last listing began.
    listed: Option<Times>,
    /// The last listing was due to a change; see [`MailboxSession::wait`] below.
    confirm: bool,
}

#[async_trait]
impl MailboxSession for MaildirSession {
    fn opened(&self) -> MailboxStatus {
        MailboxStatus { validity: 0, uid_next: 0, exists: self.exists }
    }

    async fn list(&mut self, _: &ListScope) -> Result<Vec<MailboxItem>, SourceError> {
        let folders = self.folders.clone();
        let (times, mails) = on_disk(move || {
            // Before the listing: what comes meanwhile is listed twice rather than never.
            let times = folders.times();
            let mails = folders.scan().map_err(|error| folders.failed(&error))?;
            Ok((times, mails))
        })
        .await?;
        self.confirm = self.listed.as_ref() != Some(&times);
        self.listed = Some(times);
        let mut unread: Vec<MailboxItem> = mails
            .into_iter()
            .filter(|(_, place)| !place.seen())
            .map(|(item, _)| MailboxItem { item, uid: 0, detail: None })
            .collect();
        unread.sort_by(|a, b| a.item.cmp(&b.item));
        Ok(unread)
    }

    async fn describe(&mut self, mails: &[MailboxItem]) -> Result<Vec<MailboxItem>, SourceError> {
        let folders = self.folders.clone();
        let items: Vec<String> = mails.iter().map(|mail| mail.item.clone()).collect();
        on_disk(move || {
            let places = folders.scan().map_err(|error| folders.failed(&error))?;
            Ok(items
                .into_iter()
                .filter_map(|item| {
                    let place = places.get(&item)?;
                    let metadata = std::fs::metadata(folders.path_of(place)).ok()?;
                    let arrived_at = metadata.modified().ok().map(chrono::DateTime::from);
                    let detail = Detail { size: metadata.len(), arrived_at, seen: place.seen() };
                    Some(MailboxItem { item, uid: 0, detail: Some(detail) })
                })
                .collect())
        })
        .await
    }

    async fn fetch(&mut self, wanted: &[LoadRequest], sink: Sink) -> Result<(), SourceError> {
        let folders = self.folders.clone();
        let places = on_disk(move || folders.scan().map_err(|error| folders.failed(&error))).await?;
        for mail in wanted {
            let folders = self.folders.clone();
            let place = places.get(&mail.item).cloned();
            let wanted = mail.clone();
            let body = on_disk(move || Ok(folders.load(&wanted, place))).await?;
            if sink.hand_over(mail.item.clone(), body).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn mark_seen(&mut self, items: &[String]) -> Result<(), SourceError> {
        let folders = self.folders.clone();
        let items = items.to_vec();
        on_disk(move || folders.mark_seen(&items).map_err(|error| folders.failed(&error))).await
    }

    async fn wait(&mut self, max: Duration) -> Result<Wake, SourceError> {
        let deadline = Instant::now() + max;
        loop {
            let now = Instant::now();
            if now >= deadline {
                return Ok(Wake::Elapsed);
            }
            tokio::time::sleep(POLL_INTERVAL.min(deadline - now)).await;
            let folders = self.folders.clone();
            let times = on_disk(move || Ok(folders.times())).await?;
            // A file system's clock ticks in milliseconds: a mail that came within the same
            // tick as the listing leaves no trace. So a change is always looked at twice.
            if self.confirm || self.listed.as_ref() != Some(&times) {
                return Ok(Wake::Changed);
            }
        }
    }

    async fn close(self: Box<Self>) {}
}

/// Where a mail lies.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MaildirPlace {
    /// In `cur/`, not in `new/`.
    cur: bool,
    /// The whole file name.
    file: String,
}

impl MaildirPlace {
    /// The flags after `:2,`; none for anything else.
    fn flags(&self) -> &str {
        self.file.split_once(":2,").map_or("", |(_, flags)| flags)
    }

    /// Flags mean something in `cur/` only.
    fn seen(&self) -> bool {
        self.cur && self.flags().contains('S')
    }

    /// The same mail, read: in `cur/`, with `S` among its flags, which are in ASCII order.
    fn marked(&self) -> Self {
        let mut flags: Vec<char> = self.flags().chars().chain(std::iter::once('S')).collect();
        flags.sort_unstable();
        flags.dedup();
        let flags: String = flags.into_iter().collect();
        Self { cur: true, file: format!("{}:2,{flags}", item_of(&self.file)) }
    }
}

/// The part of a file name that stays the same.
fn item_of(file: &str) -> &str {
    file.split_once(':').map_or(file, |(item, _)| item)
}
