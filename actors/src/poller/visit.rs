//! One connection to the mailbox, from opening it to losing it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};

use super::board::{PollerBoard, PollerPhase};
use super::check::CheckRequests;
use super::first::FirstReadings;
use super::flags::Flags;
use super::keeper::{Stay, Stopping, VisitStop};
use super::log::{LogError, MailboxLog};
use super::source::{ListScope, MailboxItem, MailboxSession, MailboxStatus, SourceError, Wake, shown};
use super::state::{Known, MailboxCommand};
use super::trouble::Troubles;
use super::{Control, PollerDeps, cursor};
use crate::kernel::journal::Fence;
use crate::mail::policy::PolicyCell;

/// An adapter watches its own exchanges; this is for one that hangs nevertheless.
const GUARD: Duration = Duration::from_secs(300);
/// Flags that are set on the way out may take this long.
const LAST_FLAGS: Duration = Duration::from_secs(2);
/// Mails that arrived this long before the first sight are looked at again after a change
/// of UIDVALIDITY: the server's clock and ours differ.
const SINCE_SLACK: chrono::Duration = chrono::Duration::days(1);
/// A sweep never comes sooner than this after the one before, whatever the policy says.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// Every turn of the loop waits at least this long, so that it can never spin.
const MIN_WAIT: Duration = Duration::from_millis(1);

/// How a visit ended.
#[derive(Debug)]
pub(super) enum VisitEnd {
    /// It was told to.
    Stopped(VisitStop),
    /// The journal does not take this worker for the holder of the lease.
    Fenced(String),
    /// The mailbox failed.
    Failed(SourceError),
    /// The journal, or the admission before it, failed.
    Journal(String),
}

impl From<LogError> for VisitEnd {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Fenced(why) => Self::Fenced(why),
            LogError::Journal(why) => Self::Journal(why),
        }
    }
}

/// Runs a call to the source with a last-resort time limit.
pub(super) async fn guarded<T>(
    what: &'static str,
    call: impl Future<Output = Result<T, SourceError>>,
) -> Result<T, SourceError> {
    timeout(GUARD, call).await.unwrap_or_else(|_| {
        Err(SourceError::Unreachable(format!("{what}: no answer within {} s", GUARD.as_secs())))
    })
}

/// Returns when the policy asks for another interval than this.
async fn another_interval(control: &mut watch::Receiver<Control>, policy: &PolicyCell, interval: Duration) {
    while policy.load().schedule.interval.max(MIN_INTERVAL) == interval {
        if control.changed().await.is_err() {
            // The actor is gone, and ends the visit by that.
            futures::future::pending::<()>().await;
        }
    }
}

/// What a wait came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WaitOutcome {
    /// The source has news, or the time is over.
    Wake(Wake),
    /// Somebody wants the mailbox looked at.
    Wished,
    /// What is to be done may be another thing now.
    Look,
}

/// One connection.
pub(super) struct Visit<'a> {
    pub(super) deps: PollerDeps,
    pub(super) board: &'a PollerBoard,
    pub(super) log: &'a mut MailboxLog,
    pub(super) troubles: &'a mut Troubles,
    pub(super) bytes: Arc<Semaphore>,
    pub(super) fence: Fence,
    pub(super) stopping: Stopping,
    control: watch::Receiver<Control>,
    pub(super) opened: MailboxStatus,
    pub(super) flags: Flags,
    /// The admission failed the time before: feel the way before running.
    pub(super) cautious: bool,
    /// What the poller before may have died of.
    pub(super) first: &'a mut FirstReadings,
    /// Lives of the actor in a row that ended by a panic; a whole sweep ends the row.
    panics: &'a AtomicU32,
    /// Who wants the mailbox looked at now.
    checks: &'a mut CheckRequests,
    stay: Stay,
    /// Highest UID that was listed: all at or below it are in the journal, or wait on the
    /// board, or are not ours.
    high: u64,
    went_well: bool,
}

impl<'a> Visit<'a> {
    #[expect(clippy::too_many_arguments, reason = "called once, by the keeper that owns all of it")]
    pub(super) fn new(
        deps: PollerDeps,
        board: &'a PollerBoard,
        log: &'a mut MailboxLog,
        troubles: &'a mut Troubles,
        bytes: Arc<Semaphore>,
        fence: Fence,
        stopping: Stopping,
        control: watch::Receiver<Control>,
        opened: MailboxStatus,
        cautious: bool,
        first: &'a mut FirstReadings,
        panics: &'a AtomicU32,
        checks: &'a mut CheckRequests,
        stay: Stay,
    ) -> Self {
        let flags = Flags::new(deps.journal.as_ref());
        Self {
            deps,
            board,
            log,
            troubles,
            bytes,
            fence,
            stopping,
            control,
            opened,
            flags,
            cautious,
            first,
            panics,
            checks,
            stay,
            high: 0,
            went_well: false,
        }
    }

    /// Whether the whole mailbox was swept once without a failure.
    pub(super) fn went_well(&self) -> bool {
        self.went_well
    }

    /// Reads and watches the mailbox until something ends it.
    pub(super) async fn run(&mut self, session: &mut dyn MailboxSession) -> VisitEnd {
        let end = match self.watch(session).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        // Whatever is done on the way out is done quickly or not at all.
        self.stopping = futures::future::pending().boxed().shared();
        if !matches!(end, VisitEnd::Fenced(_) | VisitEnd::Stopped(VisitStop::Lease))
            && !matches!(timeout(LAST_FLAGS, self.read_alone_no_more()).await, Ok(Ok(())))
        {
            tracing::warn!("it could not be noted that the mail that was read alone has been read");
        }
        if matches!(end, VisitEnd::Stopped(VisitStop::Drain)) {
            // Rows that are not settled come due again.
            match timeout(LAST_FLAGS, self.store_flags(session)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(?error, "flags could not be stored on the way out"),
                Err(_) => tracing::warn!("flags could not be stored in time on the way out"),
            }
        }
        end
    }

    async fn watch(&mut self, session: &mut dyn MailboxSession) -> Result<Infallible, VisitEnd> {
        let known = self.open().await?;
        let journal = Arc::clone(&self.deps.journal);
        self.checks.answered(journal.as_ref()).await;
        let first = ListScope {
            above: known.cursor,
            unseen: true,
            since: known.renumbered.then(|| known.since - SINCE_SLACK),
        };
        self.high = known.cursor;
        self.sweep(session, &first).await?;
        self.checks.swept();
        self.went_well = true;
        self.panics.store(0, Ordering::Relaxed);
        self.board.failures(0);
        if self.stay == Stay::OneSweep {
            return Err(VisitEnd::Stopped(VisitStop::Inactive));
        }
        let mut swept_at = Instant::now();
        loop {
            if self.flags.overdue() {
                self.store_flags(session).await?;
            }
            let interval = self.deps.policy.load().schedule.interval.max(MIN_INTERVAL);
            let sweep_at = swept_at + interval;
            let due = self.troubles.next().map_or(sweep_at, |retry_at| retry_at.min(sweep_at));
            self.board.phase(PollerPhase::Watching, None, self.deps.world.now());
            let max = due.saturating_duration_since(Instant::now()).max(MIN_WAIT);
            let turn = self.wait(session, max, interval).await?;
            let whole = match turn {
                WaitOutcome::Wake(Wake::Changed) => {
                    let newer = ListScope { above: self.high, unseen: false, since: None };
                    self.sweep(session, &newer).await?;
                    false
                }
                WaitOutcome::Wake(Wake::Elapsed) if Instant::now() >= sweep_at => true,
                // A mail that was in trouble may be tried again.
                WaitOutcome::Wake(Wake::Elapsed) => {
                    self.take_in(session).await?;
                    false
                }
                WaitOutcome::Wished => true,
                // Flags are due, or the interval is another one.
                WaitOutcome::Look => false,
            };
            if whole {
                swept_at = Instant::now();
                let whole = ListScope { above: self.high, unseen: true, since: None };
                self.sweep(session, &whole).await?;
                self.checks.swept();
            }
        }
    }

    /// Waits for news, for a wish, for flags or an interval other than this, or for `max`.
    async fn wait(
        &mut self,
        session: &mut dyn MailboxSession,
        max: Duration,
        interval: Duration,
    ) -> Result<WaitOutcome, VisitEnd> {
        let journal = Arc::clone(&self.deps.journal);
        let world = self.deps.world.clone();
        tokio::select! {
            biased;
            stop = self.stopping.clone() => Err(VisitEnd::Stopped(stop)),
            wake = timeout(max + GUARD, session.wait(max)) => match wake {
                Ok(Ok(wake)) => {
                    // A wait that ran out proves nothing; the listing that follows does.
                    if wake == Wake::Changed {
                        self.board.heard(self.deps.world.now());
                    }
                    Ok(WaitOutcome::Wake(wake))
                }
                Ok(Err(error)) => Err(VisitEnd::Failed(error)),
                Err(_) => Err(VisitEnd::Failed(SourceError::Unreachable(
                    "waiting for new mails: the wait did not end".to_owned(),
                ))),
            },
            () = self.flags.ready(journal.as_ref(), &world) => Ok(WaitOutcome::Look),
            () = another_interval(&mut self.control, &self.deps.policy, interval) => Ok(WaitOutcome::Look),
            () = self.checks.wished(journal.as_ref()) => Ok(WaitOutcome::Wished),
        }
    }

    /// Takes note of the mailbox: its first sight, or a change of UIDVALIDITY.
    async fn open(&mut self) -> Result<Known, VisitEnd> {
        let journal = Arc::clone(&self.deps.journal);
        let mailbox = self.deps.source.mailbox().to_owned();
        self.log.refresh(journal.as_ref()).await?;
        self.look_back().await?;
        let before = self.log.known();
        let open = [MailboxCommand::Open {
            mailbox: mailbox.clone(),
            validity: self.opened.validity,
            uid_next: self.opened.uid_next,
        }];
        let world = self.deps.world.clone();
        tokio::select! {
            biased;
            stop = self.stopping.clone() => return Err(VisitEnd::Stopped(stop)),
            done = self.log.commit(journal.as_ref(), &world, &self.fence, &open, Vec::new()) => done?,
        }
        let known = self
            .log
            .known()
            .ok_or_else(|| VisitEnd::Journal(format!("the stream of mailbox {mailbox} has no opening")))?;
        if let Some(before) = before.filter(|before| before.validity != known.validity) {
            tracing::warn!(
                mailbox = shown(&mailbox),
                before = before.validity,
                after = known.validity,
                "the server renumbered the mailbox, looking at all mails since the first sight again"
            );
        }
        let highest = cursor::highest(&journal.views(), &mailbox, known.validity)
            .await
            .map_err(|error| VisitEnd::Journal(error.to_string()))?;
        self.board.opened(self.opened.uid_next, highest.max(known.cursor));
        Ok(known)
    }

    /// Lists the mails of `scope`, and takes in those that the journal does not have.
    async fn sweep(&mut self, session: &mut dyn MailboxSession, scope: &ListScope) -> Result<(), VisitEnd> {
        let listed = self.ask("listing the mails", session.list(scope)).await?;
        self.high = listed.iter().map(|mail| mail.uid).fold(self.high, u64::max);
        let views = self.deps.journal.views();
        let mailbox = self.deps.source.mailbox();
        let unknown = cursor::unknown(&views, mailbox, self.opened.validity, listed)
            .await
            .map_err(|error| VisitEnd::Journal(error.to_string()))?;
        self.board.wait_for(&unknown);
        self.take_in(session).await
    }

    /// Asks the source, unless the visit is to end.
    pub(super) async fn ask<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, VisitEnd> {
        tokio::select! {
            biased;
            stop = self.stopping.clone() => Err(VisitEnd::Stopped(stop)),
            answer = guarded(what, call) => {
                if !matches!(answer, Err(SourceError::Unreachable(_))) {
                    self.board.heard(self.deps.world.now());
                }
                answer.map_err(VisitEnd::Failed)
            }
        }
    }

    /// Whether a mail that was listed is ours: after a change of UIDVALIDITY, the source
    /// may list mails that had been read before the first sight.
    pub(super) fn is_ours(&self, mail: &MailboxItem) -> bool {
        let (Some(known), Some(detail)) = (self.log.known(), mail.detail) else {
            return true;
        };
        if !known.renumbered || !detail.seen || mail.uid > known.cursor {
            return true;
        }
        detail.arrived_at.is_none_or(|arrived_at| arrived_at >= known.since - SINCE_SLACK)
    }
}
