//! Rule tests as jobs of this worker: started, shown while they run, cancelled. Few run at a time,
//! and a finished one is remembered for a while; a restart forgets all of them.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::store::Revision;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::kernel::said::Said;
use render_signal_actors::mail::compare::{DecisionChange, Judgement, RecordedDecision};
use render_signal_actors::said;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::ServiceError;
use super::trial::{self, ComparedMail, PreparedTrial, Run, TrialDocument, TrialResult, TrialTally};

/// Jobs that run at a time: each keeps a core busy.
const MAX_RUNNING: usize = 2;
/// Jobs that are remembered, running ones included.
const MAX_REMEMBERED: usize = 20;
/// Mails of a job that are listed; the others are counted.
const MAX_LISTED_MAILS: usize = 500;

/// How a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RuleTestStage)]
pub(crate) enum RuleTestStage {
    /// It goes through the mails.
    Running,
    /// It went through all of them.
    Done,
    /// Somebody ended it; what it found until then is there.
    Cancelled,
    /// It could not go on.
    Failed,
}

/// A mail of which something would change, or that was decided otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = RuleTestMail)]
pub(crate) struct Hit {
    /// Its id.
    pub(crate) email_id: String,
    /// Clean address of the sender.
    pub(crate) sender: String,
    /// Decoded subject.
    pub(crate) subject: String,
    /// The moment it was decided for.
    pub(crate) decided_at: DateTime<Utc>,
    /// Under the documents in force.
    #[schema(value_type = Object)]
    pub(crate) before: Judgement,
    /// Under those that are tried.
    #[schema(value_type = Object)]
    pub(crate) after: Judgement,
    /// Where the two differ.
    #[schema(value_type = Vec<Object>)]
    pub(crate) changes: Vec<DecisionChange>,
    /// What the journal recorded, when that is not what the documents in force say.
    #[schema(value_type = Option<Object>)]
    pub(crate) recorded: Option<RecordedDecision>,
}

impl Hit {
    fn of(found: &ComparedMail) -> Option<Self> {
        let comparison = &found.comparison;
        if comparison.changes.is_empty() && found.departed.is_none() {
            return None;
        }
        Some(Self {
            email_id: found.mail.email_id.clone(),
            sender: found.mail.sender.clone(),
            subject: found.mail.subject.clone(),
            decided_at: found.decided_at,
            before: comparison.before.clone(),
            after: comparison.after.clone(),
            changes: comparison.changes.clone(),
            recorded: found.departed.clone(),
        })
    }
}

/// A job as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = RuleTestJob)]
pub(crate) struct RuleTestJob {
    /// Its id.
    pub(crate) id: String,
    /// Who began it.
    pub(crate) by: String,
    /// When.
    pub(crate) begun_at: DateTime<Utc>,
    /// When it ended.
    pub(crate) ended_at: Option<DateTime<Utc>>,
    /// How it is.
    pub(crate) stage: RuleTestStage,
    /// Why it failed.
    #[schema(value_type = Option<String>)]
    pub(crate) failure: Option<Said>,
    /// The documents that are tried.
    pub(crate) documents: Vec<TrialDocument>,
    /// What is to be said of them, each naming the document.
    #[schema(value_type = Vec<String>)]
    pub(crate) remarks: Vec<Said>,
    /// Mails since then are tried.
    pub(crate) since: DateTime<Utc>,
    /// Mails that were archived before then are not there to be tried.
    pub(crate) archived_before: Option<DateTime<Utc>>,
    /// Mails to go through.
    pub(crate) total: u64,
    /// Mails gone through.
    pub(crate) done: u64,
    /// How many of what, so far.
    pub(crate) tally: TrialTally,
    /// Mails of which something would change or that were decided otherwise, in the order of
    /// their arrival; the first ones, when there are more than fit.
    pub(crate) mails: Vec<Hit>,
}

/// A document that somebody tries before saving it. It stays with the job, so that what is saved
/// is what was tried.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RuleTestDraft {
    pub(crate) key: Key,
    /// The whole of it, as it would be.
    pub(crate) document: Map<String, Value>,
    /// The version of the store's that it was made from; `None` = nothing was stored.
    pub(crate) made_from: Option<Revision>,
    /// Where it can be changed further.
    pub(crate) place: String,
}

struct TrackedJob {
    job: Mutex<RuleTestJob>,
    cancelled: AtomicBool,
    draft: Option<RuleTestDraft>,
}

impl TrackedJob {
    fn job(&self) -> MutexGuard<'_, RuleTestJob> {
        self.job.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The jobs of this worker.
#[derive(Clone)]
pub(crate) struct Jobs {
    journal: Arc<dyn Journal>,
    world: World,
    jobs: Arc<Mutex<VecDeque<Arc<TrackedJob>>>>,
}

impl Jobs {
    /// None yet.
    pub(crate) fn new(journal: Arc<dyn Journal>, world: World) -> Self {
        Self { journal, world, jobs: Arc::default() }
    }

    /// Begins a job over the mails that came since then, as if each came when it came, or at `at`.
    pub(crate) async fn begin(
        &self,
        prepared: PreparedTrial,
        since: DateTime<Utc>,
        at: Option<DateTime<Utc>>,
        by: String,
    ) -> Result<RuleTestJob, ServiceError> {
        self.begin_with(prepared, since, at, by, None).await
    }

    /// The same, of a document that may be saved afterwards.
    pub(crate) async fn try_draft(
        &self,
        prepared: PreparedTrial,
        since: DateTime<Utc>,
        by: String,
        draft: RuleTestDraft,
    ) -> Result<RuleTestJob, ServiceError> {
        self.begin_with(prepared, since, None, by, Some(draft)).await
    }

    async fn begin_with(
        &self,
        prepared: PreparedTrial,
        since: DateTime<Utc>,
        at: Option<DateTime<Utc>>,
        by: String,
        draft: Option<RuleTestDraft>,
    ) -> Result<RuleTestJob, ServiceError> {
        let total = trial::how_many(self.journal.as_ref(), since).await?;
        let archived_before = trial::archived_before(self.journal.as_ref(), since).await?;
        let PreparedTrial { trial, changed, remarks } = prepared;
        let job = RuleTestJob {
            id: self.world.ids.next().simple().to_string(),
            by,
            begun_at: self.world.now(),
            ended_at: None,
            stage: RuleTestStage::Running,
            failure: None,
            documents: changed,
            remarks: remarks
                .into_iter()
                .map(|(key, Said { french, english })| said!("{key}\u{a0}: {french}", "{key}: {english}"))
                .collect(),
            since,
            archived_before,
            total,
            done: 0,
            tally: TrialTally::default(),
            mails: Vec::new(),
        };
        let tracked =
            Arc::new(TrackedJob { job: Mutex::new(job.clone()), cancelled: AtomicBool::new(false), draft });
        self.make_room(Arc::clone(&tracked))?;
        let (journal, world) = (Arc::clone(&self.journal), self.world.clone());
        drop(tokio::spawn(async move {
            let outcome = go_through(journal.as_ref(), &tracked, Run::new(trial), since, at).await;
            let mut job = tracked.job();
            job.ended_at = Some(world.now());
            (job.stage, job.failure) = match outcome {
                Err(refused) => (RuleTestStage::Failed, Some(refused.said())),
                Ok(()) if tracked.cancelled.load(Ordering::Relaxed) => (RuleTestStage::Cancelled, None),
                Ok(()) => (RuleTestStage::Done, None),
            };
        }));
        Ok(job)
    }

    /// Takes a job in, if there is room; the oldest that has ended makes place.
    fn make_room(&self, new: Arc<TrackedJob>) -> Result<(), ServiceError> {
        let mut jobs = self.lock();
        let runs = |tracked: &&Arc<TrackedJob>| tracked.job().stage == RuleTestStage::Running;
        if jobs.iter().filter(runs).count() >= MAX_RUNNING {
            return Err(ServiceError::State(said!(
                "{MAX_RUNNING} essais sont en cours\u{a0}; attendez la fin de l'un d'eux, ou annulez-le",
                "{MAX_RUNNING} tests are running; wait for one of them, or cancel it"
            )));
        }
        if jobs.len() >= MAX_REMEMBERED
            && let Some(oldest) =
                jobs.iter().position(|tracked| tracked.job().stage != RuleTestStage::Running)
        {
            jobs.remove(oldest);
        }
        jobs.push_back(new);
        Ok(())
    }

    /// A job as it is now.
    pub(crate) fn get(&self, id: &str) -> Option<RuleTestJob> {
        self.find(id).map(|tracked| tracked.job().clone())
    }

    /// The document that a job tries, if it may be saved.
    pub(crate) fn draft(&self, id: &str) -> Option<RuleTestDraft> {
        self.find(id)?.draft.clone()
    }

    /// All jobs as they are now, the newest first, without their mails.
    pub(crate) fn list(&self) -> Vec<RuleTestJob> {
        let short = |tracked: &Arc<TrackedJob>| RuleTestJob { mails: Vec::new(), ..tracked.job().clone() };
        self.lock().iter().rev().map(short).collect()
    }

    /// Ends a job that runs; forgets one that has ended. `None` = there is no such job.
    pub(crate) fn cancel(&self, id: &str) -> Option<RuleTestJob> {
        let tracked = self.find(id)?;
        tracked.cancelled.store(true, Ordering::Relaxed);
        let job = tracked.job().clone();
        if job.stage != RuleTestStage::Running {
            self.lock().retain(|one| one.job().id != id);
        }
        Some(job)
    }

    fn find(&self, id: &str) -> Option<Arc<TrackedJob>> {
        self.lock().iter().find(|tracked| tracked.job().id == id).map(Arc::clone)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<TrackedJob>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn go_through(
    journal: &dyn Journal,
    tracked: &TrackedJob,
    mut run: Run,
    since: DateTime<Utc>,
    at: Option<DateTime<Utc>>,
) -> Result<(), ServiceError> {
    trial::of_journal::<ServiceError>(journal, since, at, &mut run, |run, tried| {
        let mut job = tracked.job();
        job.done += 1;
        job.tally = run.tally.clone();
        if let TrialResult::Mail(found) = &tried
            && job.mails.len() < MAX_LISTED_MAILS
        {
            job.mails.extend(Hit::of(found));
        }
        Ok(match tracked.cancelled.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    })
    .await
}
