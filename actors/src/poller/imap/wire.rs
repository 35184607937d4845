//! Commands and answers. Every call may be dropped half-way: answers to a command that
//! nobody waits for any more are read and passed over by the next one.

use std::io::ErrorKind;
use std::time::Duration;

use async_imap::Session as Client;
use async_imap::imap_proto::{MailboxDatum, Outcome, RequestId, Response, ResponseCode, Status};
use tokio::time::{Instant, timeout, timeout_at};

use super::super::source::{SourceError, Wake};
use super::WATCHDOG;
use super::bounds::{Ask, ConnectionBounds};
use super::guard::Breach;
use super::watched::WatchedIo;
use crate::kernel::heard::Secrets;

/// An IDLE that was begun.
#[derive(Debug)]
struct IdleCommand {
    tag: RequestId,
    since: Instant,
    /// The server has said that it waits for DONE.
    confirmed: bool,
}

/// A connection with a mailbox selected.
#[derive(Debug)]
pub(super) struct Wire {
    client: Client<WatchedIo>,
    voice: ServerVoice,
    /// Mails in the mailbox, as far as the server has said.
    exists: u32,
    /// There may be new mails since the last listing began.
    changed: bool,
    /// The server knows IDLE.
    can_idle: bool,
    idle: Option<IdleCommand>,
    /// Commands that are not answered. A server that ends what was not begun changes no bound.
    under_way: Vec<RequestId>,
    idle_refresh: Duration,
    /// Why the connection is of no further use.
    broken: Option<SourceError>,
}

impl Wire {
    pub(super) fn new(
        client: Client<WatchedIo>,
        voice: ServerVoice,
        exists: u32,
        can_idle: bool,
        idle_refresh: Duration,
    ) -> Self {
        Self {
            client,
            voice,
            exists,
            changed: false,
            can_idle,
            idle: None,
            under_way: Vec::new(),
            idle_refresh,
            broken: None,
        }
    }

    /// Mails in the mailbox.
    pub(super) fn exists(&self) -> u32 {
        self.exists
    }

    /// From here on, notices are about mails that a listing may have missed.
    pub(super) async fn begin_listing(&mut self) -> Result<(), SourceError> {
        self.end_idle().await?;
        if !self.can_idle {
            // Lets the server tell what has arrived.
            let tag = self.send("NOOP", Ask::default()).await?;
            self.finish(&tag, |_, _| Ok(())).await?;
        }
        self.changed = false;
        Ok(())
    }

    /// Sends a command, ending an IDLE first.
    pub(super) async fn send(&mut self, command: &str, ask: Ask) -> Result<RequestId, SourceError> {
        self.end_idle().await?;
        self.send_now(command, ask).await
    }

    async fn send_now(&mut self, command: &str, ask: Ask) -> Result<RequestId, SourceError> {
        self.check()?;
        self.voice.bounds.asked(ask, self.exists);
        // Holds if this future is dropped while half of the line is written.
        self.broken = Some(SourceError::Unreachable("a command was given up half-way".to_owned()));
        let sent = timeout(WATCHDOG, self.client.run_command(command)).await;
        self.broken = None;
        match sent {
            Ok(Ok(tag)) => {
                self.under_way.push(tag.clone());
                Ok(tag)
            }
            Ok(Err(error)) => Err(self.fail(self.voice.explain(&error))),
            Err(_) => Err(self.fail(SourceError::Unreachable(too_slow()))),
        }
    }

    /// Shows the next answer to `take`, with how the command `tag` ended, if it says so.
    /// Dropping the future loses nothing.
    pub(super) async fn next<T>(
        &mut self,
        tag: &RequestId,
        take: impl FnOnce(&Response<'_>, Option<Result<(), SourceError>>) -> T,
    ) -> Result<T, SourceError> {
        self.check()?;
        let response = match self.client.read_response().await {
            Ok(Some(response)) => response,
            Ok(None) => return Err(self.fail(closed())),
            Err(error) => return Err(self.fail(explain_io(&error))),
        };
        let response = response.parsed();
        if let Some(error) = self.note(response) {
            return Err(self.fail(error));
        }
        let ended = match response {
            Response::Done { tag: ended, status, outcome } if ended == tag => Some(match status {
                Status::Ok => Ok(()),
                _ => Err(SourceError::Declined(format!("the server declined: {}", self.voice.said(outcome)))),
            }),
            _ => None,
        };
        Ok(take(response, ended))
    }

    /// Takes note of what the server says unasked.
    fn note(&mut self, response: &Response<'_>) -> Option<SourceError> {
        match response {
            Response::MailboxData(MailboxDatum::Exists(exists)) => {
                self.changed |= *exists > self.exists;
                self.exists = *exists;
            }
            Response::Expunge(_) => self.exists = self.exists.saturating_sub(1),
            Response::Data { status: Status::Bye, outcome } => {
                let why = format!("the server hung up: {}", self.voice.said(outcome));
                return Some(SourceError::Unreachable(why));
            }
            Response::Done { tag, .. } => {
                if let Some(place) = self.under_way.iter().position(|begun| begun == tag) {
                    self.under_way.swap_remove(place);
                    self.voice.bounds.answered();
                }
            }
            _ => {}
        }
        None
    }

    /// Reads answers until the command is done, each shown to `take` with the number of mails
    /// in the mailbox. An error of `take` is the end of the connection: what comes is more than
    /// is wanted.
    ///
    /// # Errors
    /// [`SourceError::Declined`] when the server says NO or BAD.
    pub(super) async fn finish(
        &mut self,
        tag: &RequestId,
        mut take: impl FnMut(&Response<'_>, u32) -> Result<(), SourceError>,
    ) -> Result<(), SourceError> {
        loop {
            // May only grow by the answer that is about to be read.
            let before = self.exists;
            let next = self.next(tag, |response, ended| match ended {
                Some(ended) => (Some(ended), Ok(())),
                None => (None, take(response, before)),
            });
            let (ended, taken) = next.await?;
            if let Err(error) = taken {
                return Err(self.fail(error));
            }
            if let Some(ended) = ended {
                return ended;
            }
        }
    }

    /// Waits until there may be new mails, at most `max`. Dropping the future leaves the
    /// IDLE as it is; the next wait goes on with it.
    pub(super) async fn wait(&mut self, max: Duration) -> Result<Wake, SourceError> {
        let deadline = Instant::now() + max;
        loop {
            if self.changed {
                return Ok(Wake::Changed);
            }
            if !self.can_idle {
                tokio::time::sleep_until(deadline).await;
                return Ok(Wake::Elapsed);
            }
            self.begin_idle().await?;
            let Some(idle) = &self.idle else { continue };
            let refresh_at = idle.since + self.idle_refresh;
            match timeout_at(deadline.min(refresh_at), self.next_of_idle()).await {
                Ok(answered) => answered?,
                Err(_) if Instant::now() >= refresh_at => self.end_idle().await?,
                Err(_) => return Ok(Wake::Elapsed),
            }
        }
    }

    /// Begins an IDLE, or goes on with the one that was begun, until the server confirms.
    async fn begin_idle(&mut self) -> Result<(), SourceError> {
        if self.idle.is_none() {
            let tag = self.send_now("IDLE", Ask::default()).await?;
            self.idle = Some(IdleCommand { tag, since: Instant::now(), confirmed: false });
        }
        while self.idle.as_ref().is_some_and(|idle| !idle.confirmed) {
            self.next_of_idle().await?;
        }
        Ok(())
    }

    /// Reads one answer while an IDLE is on.
    async fn next_of_idle(&mut self) -> Result<(), SourceError> {
        let Some(tag) = self.idle.as_ref().map(|idle| idle.tag.clone()) else {
            return Ok(());
        };
        let (confirmed, ended) =
            self.next(&tag, |response, ended| (matches!(response, Response::Continue(_)), ended)).await?;
        if confirmed {
            if let Some(idle) = self.idle.as_mut() {
                idle.confirmed = true;
            }
            self.voice.bounds.set_patient(true);
        }
        if let Some(ended) = ended {
            self.idle = None;
            self.voice.bounds.set_patient(false);
            if let Err(error) = ended {
                tracing::info!(%error, "the server declines IDLE, polling instead");
                self.can_idle = false;
            }
        }
        Ok(())
    }

    async fn end_idle(&mut self) -> Result<(), SourceError> {
        if self.idle.is_none() {
            return Ok(());
        }
        self.voice.bounds.set_patient(false);
        // It may only be ended once it was confirmed, and may have been declined.
        self.begin_idle().await?;
        self.voice.bounds.set_patient(false);
        // DONE has no tag of its own, so it is sent once: from here on the IDLE is over.
        let Some(idle) = self.idle.take() else {
            return Ok(());
        };
        self.broken = Some(SourceError::Unreachable("DONE was given up half-way".to_owned()));
        let sent = timeout(WATCHDOG, self.client.run_command_untagged("DONE")).await;
        self.broken = None;
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(self.fail(self.voice.explain(&error))),
            Err(_) => return Err(self.fail(SourceError::Unreachable(too_slow()))),
        }
        match self.finish(&idle.tag, |_, _| Ok(())).await {
            // The IDLE is over in any case.
            Err(SourceError::Declined(_)) => Ok(()),
            other => other,
        }
    }

    /// LOGOUT, as far as the server plays along.
    pub(super) async fn close(mut self) {
        if let Ok(tag) = self.send("LOGOUT", Ask::default()).await {
            drop(self.finish(&tag, |_, _| Ok(())).await);
        }
    }

    fn check(&self) -> Result<(), SourceError> {
        self.broken.clone().map_or(Ok(()), Err)
    }

    fn fail(&mut self, error: SourceError) -> SourceError {
        self.broken = Some(error.clone());
        error
    }
}

/// How the server is heard: what it may send, and how its words are shown.
#[derive(Debug)]
pub(super) struct ServerVoice {
    pub(super) bounds: ConnectionBounds,
    pub(super) secrets: Secrets,
}

impl ServerVoice {
    /// The server's words, which are about commands and not from mails.
    fn said(&self, outcome: &Outcome<'_>) -> String {
        let code = match &outcome.code {
            Some(ResponseCode::Alert) => "[ALERT] ",
            _ => "",
        };
        let words = outcome.information.as_deref().unwrap_or_default();
        format!("{code}{}", self.secrets.said(words.as_bytes()))
    }

    /// An error of the client library, without the bytes it was about: they may be a mail's.
    pub(super) fn explain(&self, error: &async_imap::error::Error) -> SourceError {
        use async_imap::error::Error;
        match error {
            Error::Io(error) => explain_io(error),
            Error::Bad(_) | Error::No(_) => {
                let words = self.bounds.refusal().unwrap_or_default();
                SourceError::Declined(format!("the server declined: {}", self.secrets.said(&words)))
            }
            Error::ConnectionLost => closed(),
            Error::Validate(_) => SourceError::Settings(
                "a user name, password or mailbox name contains a line break".to_owned(),
            ),
            _ => SourceError::Protocol("the server's answer could not be understood".to_owned()),
        }
    }
}

fn closed() -> SourceError {
    SourceError::Unreachable("the server closed the connection".to_owned())
}

fn too_slow() -> String {
    format!("the server did not take a command for {} s", WATCHDOG.as_secs())
}

/// See [`ServerVoice::explain`].
pub(super) fn explain_io(error: &std::io::Error) -> SourceError {
    if let Some(breach) = error.get_ref().and_then(|cause| cause.downcast_ref::<Breach>()) {
        return SourceError::Protocol(breach.to_string());
    }
    match error.kind() {
        // The parser's complaint, which quotes its input.
        ErrorKind::Other => SourceError::Protocol("the server's answer could not be understood".to_owned()),
        ErrorKind::UnexpectedEof => closed(),
        ErrorKind::TimedOut => SourceError::Unreachable(error.to_string()),
        _ => SourceError::Unreachable(format!("the connection failed: {error}")),
    }
}
