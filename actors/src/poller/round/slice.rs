//! A slice of the mails that wait: listed, described, loaded.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::super::source::{
    Fetched, LoadPart, LoadRequest, LoadedBody, MailboxItem, MailboxSession, Sink, SourceError,
};
use super::super::visit::{Visit, VisitEnd};
use super::{RoundTally, STALLED, SUSPECTS, SettledMail, ask};
use crate::mail::life::Location;
use crate::messages::Admit;

fn wanted(mail: &MailboxItem, limit: u64) -> LoadRequest {
    let size = mail.detail.map_or(0, |detail| detail.size);
    let part = if size > limit { LoadPart::Header } else { LoadPart::Full };
    LoadRequest { item: mail.item.clone(), uid: mail.uid, size, limit, part }
}

impl Visit<'_> {
    /// Describes, loads and hands over up to [`SLICE`] mails. Their admissions go on.
    pub(super) async fn take_slice(
        &mut self,
        session: &mut dyn MailboxSession,
        slice: &[MailboxItem],
        admissions: &mut JoinSet<SettledMail>,
        tally: &mut RoundTally,
    ) -> Result<(), VisitEnd> {
        let described = self.describe(session, slice).await?;
        let (ours, others): (Vec<MailboxItem>, Vec<MailboxItem>) =
            described.into_iter().partition(|mail| self.is_ours(mail));
        for mail in others {
            self.board.done(mail.uid, &mail.item, false);
        }
        let limit = self.deps.policy.load().email_limit();
        let wanted: Vec<LoadRequest> = ours.iter().map(|mail| wanted(mail, limit)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let mut left: BTreeMap<String, MailboxItem> =
            ours.into_iter().map(|mail| (mail.item.clone(), mail)).collect();
        let loaded = self.load(session, &wanted, &mut left, admissions, tally).await;
        if loaded.is_ok() {
            for item in left.keys() {
                self.troubles.failed(item, "the source did not say what became of it", Instant::now());
            }
        }
        if let Err(VisitEnd::Failed(error)) = &loaded {
            // One of those that were asked for first may be what broke it: they are tried
            // again one by one, after the others.
            let asked = wanted.iter().map(|mail| &mail.item).filter(|item| left.contains_key(*item));
            for item in asked.take(SUSPECTS) {
                self.troubles.suspected(item, &error.to_string(), Instant::now());
            }
        }
        match loaded {
            // This fetch was declined, the session is still good.
            Err(VisitEnd::Failed(SourceError::Declined(_))) => Ok(()),
            other => other,
        }
    }

    /// Fills in what is not known of the mails. Those that are gone wait no longer.
    async fn describe(
        &mut self,
        session: &mut dyn MailboxSession,
        slice: &[MailboxItem],
    ) -> Result<Vec<MailboxItem>, VisitEnd> {
        let (known, unknown): (Vec<MailboxItem>, Vec<MailboxItem>) =
            slice.iter().cloned().partition(|mail| mail.detail.is_some());
        if unknown.is_empty() {
            return Ok(known);
        }
        let described = match self.ask("describing mails", session.describe(&unknown)).await {
            Ok(described) => described,
            Err(VisitEnd::Failed(error)) => {
                for mail in &unknown {
                    self.troubles.suspected(&mail.item, &error.to_string(), Instant::now());
                }
                return match error {
                    SourceError::Declined(_) => Ok(known),
                    error => Err(VisitEnd::Failed(error)),
                };
            }
            Err(end) => return Err(end),
        };
        self.board.wait_for(&described);
        let mut all = known;
        for mail in unknown {
            match described.iter().find(|found| found.item == mail.item) {
                Some(found) => all.push(found.clone()),
                None => self.gone(&mail),
            }
        }
        all.sort_by(|a, b| (a.uid, &a.item).cmp(&(b.uid, &b.item)));
        Ok(all)
    }

    /// Loads mails and starts their admission. Removes from `left` what was answered.
    async fn load(
        &mut self,
        session: &mut dyn MailboxSession,
        wanted: &[LoadRequest],
        left: &mut BTreeMap<String, MailboxItem>,
        admissions: &mut JoinSet<SettledMail>,
        tally: &mut RoundTally,
    ) -> Result<(), VisitEnd> {
        let (sink, mut fetched) = Sink::new(self.bytes.clone());
        let mut fetching = session.fetch(wanted, sink);
        let mut result = None;
        let mut open = true;
        // Since when the next mail is waited for.
        let mut waited_since = Instant::now();
        while result.is_none() || open {
            tokio::select! {
                biased;
                stop = self.stopping.clone() => return Err(VisitEnd::Stopped(stop)),
                Some(settled) = admissions.join_next(), if !admissions.is_empty() => {
                    self.settled(settled, tally)?;
                    if self.hopeless(tally) {
                        return Err(VisitEnd::Journal(tally.last_failure().unwrap_or_default()));
                    }
                }
                mail = fetched.recv(), if open && admissions.len() < self.admissions(tally) => match mail {
                    Some(mail) => {
                        self.board.heard(self.deps.world.now());
                        if let Some(candidate) = left.remove(&mail.item) {
                            let waited = std::mem::replace(&mut waited_since, Instant::now()).elapsed();
                            self.fetched(mail, candidate, waited, admissions).await?;
                        }
                    }
                    None => open = false,
                },
                done = &mut fetching, if result.is_none() => result = Some(done),
                () = sleep(STALLED) => {
                    return Err(VisitEnd::Failed(SourceError::Unreachable(format!(
                        "loading mails: nothing came for {} s", STALLED.as_secs()
                    ))));
                }
            }
        }
        result.unwrap_or(Ok(())).map_err(VisitEnd::Failed)
    }

    /// Counts `render_signal_mailbox_fetched_total{part}`.
    async fn fetched(
        &mut self,
        fetched: Fetched,
        mail: MailboxItem,
        waited: Duration,
        admissions: &mut JoinSet<SettledMail>,
    ) -> Result<(), VisitEnd> {
        let (body, share) = fetched.into_parts();
        let source = match body {
            LoadedBody::Loaded(source) => source,
            LoadedBody::Gone => {
                self.gone(&mail);
                return Ok(());
            }
            LoadedBody::Unloadable(why) => {
                self.troubles.failed(&mail.item, &why, Instant::now());
                return Ok(());
            }
        };
        let deadly = self.suspect(&mail).await?;
        let part = match &source {
            crate::messages::Source::Full(_) => "full",
            crate::messages::Source::HeaderOnly { .. } => "header",
            // No mailbox has such a mail.
            crate::messages::Source::Pushed(_) => "pushed",
        };
        metrics::counter!("render_signal_mailbox_fetched_total", "part" => part).increment(1);
        let location = Location {
            mailbox: self.deps.source.mailbox().to_owned(),
            validity: self.opened.validity,
            item: mail.item.clone(),
        };
        let arrived_at = mail.detail.and_then(|detail| detail.arrived_at);
        let admit = Admit { location, arrived_at, source, deadly, fence: Some(self.fence.clone()) };
        let port = self.deps.admit.clone();
        // Where the trace of the mail begins; which mail it is, is not known before it is taken in.
        let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        let span = tracing::debug_span!("fetch", waited_ms, email_id = tracing::field::Empty);
        admissions.spawn(async move {
            let answer = ask(&port, admit).await;
            if let Ok(admitted) = &answer
                && !admitted.duplicate
            {
                span.record("email_id", admitted.email_id.as_str());
            }
            drop((span, share));
            SettledMail { mail, answer }
        });
        Ok(())
    }
}
