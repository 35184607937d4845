//! The mail server as the poller's port sees it, with faults.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use render_signal_actors::messages::Source;
use render_signal_actors::poller::source::{
    Detail, ListScope, LoadPart, LoadRequest, LoadedBody, MailSource, MailboxItem, MailboxSession,
    MailboxStatus, Sink, SourceError, Wake,
};

use crate::chaos::{Chaos, Failed};
use crate::mailbox::Server;
use crate::rules::Rules;

fn lost(_: Failed) -> SourceError {
    SourceError::Unreachable("the connection broke".to_owned())
}

pub(crate) struct SimSource {
    pub(crate) server: Server,
    pub(crate) chaos: Chaos,
    pub(crate) rules: Arc<Rules>,
}

#[async_trait]
impl MailSource for SimSource {
    fn mailbox(&self) -> &str {
        "sim/inbox"
    }

    async fn connect(&self) -> Result<Box<dyn MailboxSession>, SourceError> {
        let opened = self
            .chaos
            .through("imap.connect", || {
                self.server.with(|state| MailboxStatus {
                    validity: state.validity,
                    uid_next: state.uid_next,
                    exists: state.messages.len() as u64,
                })
            })
            .await
            .map_err(lost)?;
        Ok(Box::new(SimSession {
            opened,
            server: self.server.clone(),
            chaos: self.chaos.clone(),
            rules: Arc::clone(&self.rules),
            heard: self.server.changed.count(),
        }))
    }
}

struct SimSession {
    opened: MailboxStatus,
    server: Server,
    chaos: Chaos,
    rules: Arc<Rules>,
    /// Change count of the server when the last listing began.
    heard: u64,
}

impl SimSession {
    /// A server that renumbers the mailbox throws its clients out.
    fn check(&self) -> Result<(), SourceError> {
        let validity = self.server.with(|state| state.validity);
        if validity == self.opened.validity {
            Ok(())
        } else {
            Err(SourceError::Unreachable("the server closed the mailbox".to_owned()))
        }
    }
}

#[async_trait]
impl MailboxSession for SimSession {
    fn opened(&self) -> MailboxStatus {
        self.opened
    }

    async fn list(&mut self, scope: &ListScope) -> Result<Vec<MailboxItem>, SourceError> {
        self.check()?;
        self.heard = self.server.changed.count();
        let found = self
            .chaos
            .through("imap.list", || {
                self.server.with(|state| {
                    state
                        .messages
                        .iter()
                        .filter(|(uid, mail)| {
                            **uid > scope.above
                                || (scope.unseen && !mail.seen)
                                || scope.since.is_some_and(|since| mail.arrived_at >= since)
                        })
                        .map(|(uid, _)| MailboxItem { item: uid.to_string(), uid: *uid, detail: None })
                        .collect()
                })
            })
            .await
            .map_err(lost)?;
        self.check()?;
        Ok(found)
    }

    async fn describe(&mut self, mails: &[MailboxItem]) -> Result<Vec<MailboxItem>, SourceError> {
        self.check()?;
        let described = self
            .chaos
            .through("imap.describe", || {
                self.server.with(|state| {
                    mails
                        .iter()
                        .filter_map(|candidate| {
                            let mail = state.messages.get(&candidate.uid)?;
                            let detail = Detail {
                                size: mail.raw.len() as u64,
                                arrived_at: Some(mail.arrived_at),
                                seen: mail.seen,
                            };
                            Some(MailboxItem { detail: Some(detail), ..candidate.clone() })
                        })
                        .collect()
                })
            })
            .await
            .map_err(lost)?;
        self.check()?;
        Ok(described)
    }

    async fn fetch(&mut self, wanted: &[LoadRequest], sink: Sink) -> Result<(), SourceError> {
        for mail in wanted {
            self.check()?;
            let raw = self
                .chaos
                .through("imap.fetch", || {
                    self.server.with(|state| state.messages.get(&mail.uid).map(|found| found.raw.clone()))
                })
                .await
                .map_err(lost)?;
            self.check()?;
            let body = match (raw, mail.part) {
                (None, _) => LoadedBody::Gone,
                (Some(raw), LoadPart::Full) => LoadedBody::Loaded(Source::Full(raw)),
                (Some(raw), LoadPart::Header) => {
                    let size = raw.len() as u64;
                    LoadedBody::Loaded(Source::HeaderOnly { header: raw, size })
                }
            };
            sink.hand_over(mail.item.clone(), body)
                .await
                .map_err(|error| SourceError::Unreachable(error.to_string()))?;
        }
        Ok(())
    }

    async fn mark_seen(&mut self, items: &[String]) -> Result<(), SourceError> {
        self.check()?;
        self.chaos
            .through("imap.store", || {
                self.server.with(|state| {
                    // Renumbered while the command was on its way: the server refuses it.
                    if state.validity != self.opened.validity {
                        return;
                    }
                    for item in items {
                        let uid: u64 = item.parse().expect("a UID");
                        if let Some(mail) = state.messages.get_mut(&uid) {
                            self.rules.may_be_seen(mail.label);
                            mail.seen = true;
                        }
                    }
                });
            })
            .await
            .map_err(lost)?;
        self.check()
    }

    async fn wait(&mut self, max: Duration) -> Result<Wake, SourceError> {
        self.check()?;
        let woken = tokio::time::timeout(max, self.server.changed.rung_since(self.heard)).await;
        self.check()?;
        self.chaos.through("imap.idle", || ()).await.map_err(lost)?;
        self.heard = self.server.changed.count();
        Ok(if woken.is_ok() { Wake::Changed } else { Wake::Elapsed })
    }

    async fn close(self: Box<Self>) {
        // A failed leave-taking is nobody's business.
        let _ = self.chaos.through("imap.logout", || ()).await;
    }
}
