//! Taking mails in: describe, load, admit. Loading goes on while the mails before are
//! being admitted, many at once; the journal puts their commits together.

mod slice;

use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout};

use super::board::PollerPhase;
use super::keeper::VisitStop;
use super::source::{MailboxItem, MailboxSession};
use super::visit::{Visit, VisitEnd};
use crate::kernel::port::Port;
use crate::messages::{Admit, AdmitError, Admitted};

/// Mails described and loaded in one go; flags get their turn in between.
const SLICE: usize = 512;
/// Admissions under way.
pub(super) const ADMISSIONS: usize = 128;
/// When neither a mail nor an answer of the admission came for this long, the fetch hangs.
const STALLED: Duration = Duration::from_secs(300);
/// Admissions that are under way at the end of a visit may take this long.
const LAST_ADMISSIONS: Duration = Duration::from_secs(3);
/// After this many failed admissions and not one that went well, the journal is at fault
/// and not the mails.
const HOPELESS: usize = 16;
/// The same, when the admission failed the time before. So few are put aside as troubled,
/// and the next visit begins with others: one bad mail at the head cannot block the rest.
const HOPELESS_AGAIN: usize = 3;
/// When the admission failed the time before, mails are admitted one by one until this
/// many went well: so a mail that makes the admission panic takes no others with it.
const WELL_AGAIN: usize = 4;
/// That many mails may be the reason why a connection broke: those that were asked for first.
const SUSPECTS: usize = 64;

/// A mail after its admission.
struct SettledMail {
    mail: MailboxItem,
    answer: Result<Admitted, RoundRefusal>,
}

enum RoundRefusal {
    Fenced(String),
    Failed(String),
}

/// What became of the mails of one call.
#[derive(Default)]
struct RoundTally {
    admitted: usize,
    failed: Vec<(String, String)>,
}

impl RoundTally {
    fn last_failure(&self) -> Option<String> {
        self.failed.last().map(|(_, why)| why.clone())
    }
}

impl Visit<'_> {
    /// Takes in everything that waits and is not to be left alone for now.
    ///
    /// # Errors
    /// What ends the visit. Trouble with single mails does not.
    pub(super) async fn take_in(&mut self, session: &mut dyn MailboxSession) -> Result<(), VisitEnd> {
        let now = Instant::now();
        // An admission without an answer may have been one: such a mail waits no longer.
        let board = self.board;
        self.troubles.retain(|item| board.waits(item));
        let (alone, together): (Vec<MailboxItem>, Vec<MailboxItem>) =
            self.board.waiting().into_iter().partition(|mail| self.troubles.retry_at(&mail.item).is_some());
        let done = self.take_in_together(session, &together).await;
        self.board.trouble(self.troubles.shown());
        done?;
        for mail in alone {
            if self.troubles.retry_at(&mail.item).is_some_and(|retry_at| retry_at > now) {
                continue;
            }
            let done = self.take_in_alone(session, mail).await;
            self.board.trouble(self.troubles.shown());
            done?;
        }
        self.all_read().await?;
        // Mails that could not be taken in and are tried again.
        metrics::gauge!("render_signal_mailbox_troubled_mails")
            .set(f64::from(u32::try_from(self.troubles.len()).unwrap_or(u32::MAX)));
        Ok(())
    }

    async fn take_in_together(
        &mut self,
        session: &mut dyn MailboxSession,
        mails: &[MailboxItem],
    ) -> Result<(), VisitEnd> {
        if mails.is_empty() {
            return Ok(());
        }
        self.board.phase(PollerPhase::Fetching, None, self.deps.world.now());
        let mut tally = RoundTally::default();
        let mut admissions = JoinSet::new();
        let mut done = Ok(());
        for slice in mails.chunks(SLICE) {
            done = self.take_slice(session, slice, &mut admissions, &mut tally).await;
            if done.is_ok() && self.flags.overdue() {
                done = self.store_flags(session).await;
            }
            if done.is_err() {
                break;
            }
        }
        let done = self.finish(admissions, &mut tally, done).await;
        self.conclude(&tally, done)
    }

    /// A mail in trouble, apart from the others, so that it can spoil nothing.
    async fn take_in_alone(
        &mut self,
        session: &mut dyn MailboxSession,
        mail: MailboxItem,
    ) -> Result<(), VisitEnd> {
        let mut tally = RoundTally::default();
        let mut admissions = JoinSet::new();
        // Looked at anew: it may be gone by now.
        let mail = [MailboxItem { detail: None, ..mail }];
        let done = self.take_slice(session, &mail, &mut admissions, &mut tally).await;
        let done = self.finish(admissions, &mut tally, done).await;
        for (item, why) in tally.failed {
            self.troubles.failed(&item, &why, Instant::now());
        }
        done
    }

    /// Awaits the admissions under way, unless they are worth nothing any more.
    async fn finish(
        &mut self,
        mut admissions: JoinSet<SettledMail>,
        tally: &mut RoundTally,
        mut done: Result<(), VisitEnd>,
    ) -> Result<(), VisitEnd> {
        let deadline = Instant::now() + LAST_ADMISSIONS;
        while !matches!(done, Err(VisitEnd::Fenced(_) | VisitEnd::Stopped(VisitStop::Lease))) {
            let settled = if done.is_ok() {
                tokio::select! {
                    biased;
                    stop = self.stopping.clone() => {
                        done = Err(VisitEnd::Stopped(stop));
                        continue;
                    }
                    settled = admissions.join_next() => settled,
                }
            } else {
                let left = deadline.saturating_duration_since(Instant::now());
                timeout(left, admissions.join_next()).await.unwrap_or(None)
            };
            let Some(settled) = settled else { break };
            if let Err(end) = self.settled(settled, tally) {
                done = Err(end);
            }
        }
        done
    }

    /// Tells trouble with the journal from trouble with single mails.
    fn conclude(&mut self, tally: &RoundTally, done: Result<(), VisitEnd>) -> Result<(), VisitEnd> {
        let all_failed = tally.admitted == 0;
        if !all_failed || tally.failed.len() < HOPELESS {
            for (item, why) in &tally.failed {
                self.troubles.failed(item, why, Instant::now());
            }
        }
        match tally.last_failure() {
            Some(why) if all_failed && done.is_ok() => Err(VisitEnd::Journal(why)),
            _ => done,
        }
    }

    /// How many admissions may be under way.
    fn admissions(&self, tally: &RoundTally) -> usize {
        let feeling_the_way = self.cautious && tally.admitted < WELL_AGAIN;
        if feeling_the_way || self.first.are_on_trial() { 1 } else { ADMISSIONS }
    }

    /// Whether the journal must be at fault.
    fn hopeless(&self, tally: &RoundTally) -> bool {
        let limit = if self.cautious { HOPELESS_AGAIN } else { HOPELESS };
        tally.admitted == 0 && tally.failed.len() >= limit
    }

    /// Counts `render_signal_mailbox_admitted_total{result}`: `new`, `duplicate`, `failed`.
    fn settled(
        &mut self,
        settled: Result<SettledMail, JoinError>,
        tally: &mut RoundTally,
    ) -> Result<(), VisitEnd> {
        let settled = match settled {
            Ok(settled) => settled,
            Err(error) => return Err(VisitEnd::Journal(format!("an admission broke off: {error}"))),
        };
        let result = match settled.answer {
            Ok(admitted) => {
                tally.admitted += 1;
                self.troubles.cleared(&settled.mail.item);
                self.board.done(settled.mail.uid, &settled.mail.item, true);
                if admitted.duplicate { "duplicate" } else { "new" }
            }
            Err(RoundRefusal::Fenced(why)) => return Err(VisitEnd::Fenced(why)),
            Err(RoundRefusal::Failed(why)) => {
                tally.failed.push((settled.mail.item, why));
                "failed"
            }
        };
        metrics::counter!("render_signal_mailbox_admitted_total", "result" => result).increment(1);
        Ok(())
    }

    fn gone(&mut self, mail: &MailboxItem) {
        tracing::info!(item = mail.item, "a mail left the mailbox before it could be read");
        self.troubles.cleared(&mail.item);
        self.board.done(mail.uid, &mail.item, false);
    }
}

/// No answer, or an answer that is no admission: the mail stays and is tried again.
async fn ask(port: &Port<Admit>, admit: Admit) -> Result<Admitted, RoundRefusal> {
    match port.ask(admit).await {
        Ok(Ok(admitted)) => Ok(admitted),
        Ok(Err(AdmitError::Fenced(why))) => Err(RoundRefusal::Fenced(why)),
        Ok(Err(AdmitError::Journal(why))) => Err(RoundRefusal::Failed(why)),
        Err(error) => Err(RoundRefusal::Failed(error.to_string())),
    }
}
