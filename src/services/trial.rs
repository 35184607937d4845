//! What changed documents would change, mail by mail, before they are saved. Writes nothing.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use render_signal_actors::archive::state::{ArchiveEvent, archive_stream};
use render_signal_actors::config::diff::differences;
use render_signal_actors::config::documents::{self, Key};
use render_signal_actors::config::edit::{Edit, Editor, UPDATED_AT};
use render_signal_actors::config::load::load;
use render_signal_actors::config::store::{Revision, StoreReading};
use render_signal_actors::kernel::event::DomainEvent as _;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::kernel::said::Said;
use render_signal_actors::mail::Mail;
use render_signal_actors::mail::compare::{Comparison, RecordedDecision, Trial};
use render_signal_actors::readmodel::queries::{MailRow, count_since, mails_since};
use render_signal_actors::stored_mail;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::ServiceError;

/// Rows of the journal read at once.
const PAGE_SIZE: usize = 200;

/// A document that is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RuleTestDocument)]
pub(crate) struct TrialDocument {
    /// Which.
    pub(crate) key: &'static str,
    /// In how many places it differs from the one in force.
    pub(crate) differences: usize,
}

/// What is in force beside what would be.
pub(crate) struct PreparedTrial {
    /// The two policies.
    pub(crate) trial: Trial,
    /// The documents that are tried.
    pub(crate) changed: Vec<TrialDocument>,
    /// What is to be said of the documents as they would be, by document.
    pub(crate) remarks: Vec<(Key, Said)>,
}

/// Reads the documents in force, and puts those that are tried beside them.
///
/// `past` has the last good copies of documents that cannot be used.
pub(crate) async fn prepare(
    editor: &Editor,
    past: Option<&dyn Journal>,
    proposed: Vec<(Key, Value)>,
) -> Result<PreparedTrial, ServiceError> {
    let (env, now) = (&editor.env, editor.world.now());
    let in_force = load(editor.store.as_ref(), env, past, now).await;
    let mut changed = Vec::with_capacity(proposed.len());
    let mut book = in_force.clone();
    for (key, document) in proposed {
        let edit = Edit::replace(key, document, "rules test").allowing_unknown().keeping_masked();
        let next = editor.preview(&edit).await.map_err(|error| ServiceError::edit(key, error))?;
        let text = next.to_string();
        let read = StoreReading::Found { revision: Revision::of(&text), text: text.clone() };
        book.take_final(key, Ok(read), env, now);
        if book.is_refused(key) {
            return Err(ServiceError::Invalid(key, book.problems(key)));
        }
        let before = in_force.in_force(key).map(|document| document.text.as_str());
        changed.push(TrialDocument { key: key.as_str(), differences: count(key, before, &text) });
    }
    let said = |key: Key| {
        let problems = book.problems(key).into_iter().map(|problem| problem.said());
        problems.chain(book.remarks(key)).map(move |said| (key, said)).collect::<Vec<_>>()
    };
    let remarks = Key::ALL.into_iter().flat_map(said).collect();
    Ok(PreparedTrial { trial: Trial::new(in_force.policy(env, 1), book.policy(env, 2)), changed, remarks })
}

/// Differences besides the time of writing, which is always another one.
fn count(key: Key, before: Option<&str>, after: &str) -> usize {
    let parsed = |text: &str| documents::from_json::<Value>(text).ok();
    let found = differences(key, before.and_then(parsed).as_ref(), parsed(after).as_ref());
    found.iter().filter(|found| found.path != UPDATED_AT).count()
}

/// A mail to try.
pub(crate) struct TrialCase {
    /// Its file, or its id in the journal.
    pub(crate) place: String,
    /// When it came into the journal.
    pub(crate) came: Option<DateTime<Utc>>,
    /// It, or why there is nothing to try.
    pub(crate) content: Result<Mail, String>,
    /// What the journal says was decided about it.
    pub(crate) recorded: Option<RecordedDecision>,
}

/// What a mail came to.
pub(crate) enum TrialResult {
    /// It was tried.
    Mail(Box<ComparedMail>),
    /// It could not be tried, and why.
    Untested {
        /// Its file, or its id in the journal.
        place: String,
        why: String,
    },
}

/// A mail that was tried.
pub(crate) struct ComparedMail {
    /// Its file, or its id in the journal.
    pub(crate) place: String,
    /// When it came into the journal.
    pub(crate) came: Option<DateTime<Utc>>,
    pub(crate) mail: Mail,
    /// The moment it was decided for.
    pub(crate) decided_at: DateTime<Utc>,
    /// Under the documents in force, and under those that are tried.
    pub(crate) comparison: Comparison,
    /// What the journal recorded, when that is not what the documents in force say.
    pub(crate) departed: Option<RecordedDecision>,
}

/// How many of what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RuleTestTally)]
pub(crate) struct TrialTally {
    /// Mails that were tried.
    pub(crate) tested: usize,
    /// Of these, mails of which something would change.
    pub(crate) changed: usize,
    /// Decided otherwise now than they were, under the documents in force.
    pub(crate) departed: usize,
    /// Further files of a mail.
    pub(crate) copies: usize,
    /// Why mails were not tested.
    pub(crate) untested: BTreeMap<String, usize>,
}

/// A run over many mails, one at a time.
pub(crate) struct Run {
    /// Taken while a mail is compared on another thread.
    trial: Option<Trial>,
    seen: HashSet<String>,
    /// So far.
    pub(crate) tally: TrialTally,
}

impl Run {
    /// A run that has not begun.
    pub(crate) fn new(trial: Trial) -> Self {
        Self { trial: Some(trial), seen: HashSet::new(), tally: TrialTally::default() }
    }

    /// Whether a mail of this id was not seen before in this run.
    pub(crate) fn is_new(&mut self, email_id: &str) -> bool {
        let new = self.seen.insert(email_id.to_owned());
        self.tally.copies += usize::from(!new);
        new
    }

    /// Tries a mail, on a thread where a large one holds nobody up.
    pub(crate) async fn take(
        &mut self,
        case: TrialCase,
        now: DateTime<Utc>,
    ) -> Result<TrialResult, ServiceError> {
        let TrialCase { place, came, content, recorded } = case;
        let mail = match content {
            Ok(mail) => mail,
            Err(why) => return Ok(self.untested(place, why)),
        };
        let Some(mut trial) = self.trial.take() else { return Err(broken_off()) };
        let compared = tokio::task::spawn_blocking(move || {
            let comparison = trial.compare(&mail, now);
            (trial, mail, comparison)
        });
        let (trial, mail, comparison) = compared.await.map_err(|_| broken_off())?;
        self.trial = Some(trial);
        let departed = recorded.filter(|recorded| !recorded.agrees_with(&comparison.before));
        self.tally.tested += 1;
        self.tally.changed += usize::from(!comparison.changes.is_empty());
        self.tally.departed += usize::from(departed.is_some());
        Ok(TrialResult::Mail(Box::new(ComparedMail {
            place,
            came,
            mail,
            decided_at: now,
            comparison,
            departed,
        })))
    }

    /// Takes note of a mail that cannot be tried.
    pub(crate) fn untested(&mut self, place: String, why: String) -> TrialResult {
        *self.tally.untested.entry(why.clone()).or_default() += 1;
        TrialResult::Untested { place, why }
    }
}

/// A mail that the decision cannot cope with; the next run begins anew.
fn broken_off() -> ServiceError {
    ServiceError::State(render_signal_actors::said!(
        "l'essai s'est interrompu sur un mail par une faute du programme, qui est dans son journal",
        "the test broke off at a mail by a fault of the program, which is in its log"
    ))
}

/// How many mails the journal took in since then.
pub(crate) async fn how_many(journal: &dyn Journal, since: DateTime<Utc>) -> Result<u64, ServiceError> {
    journal.views().read(move |db| count_since(db, since)).await.map_err(ServiceError::journal)
}

/// Tries every mail that the journal took in since then, each as if it came when it came, or at
/// `at`; `each` is told of every one, and may end the run.
pub(crate) async fn of_journal<E>(
    journal: &dyn Journal,
    since: DateTime<Utc>,
    at: Option<DateTime<Utc>>,
    run: &mut Run,
    mut each: impl FnMut(&Run, TrialResult) -> Result<ControlFlow<()>, E>,
) -> Result<(), E>
where
    E: From<ServiceError>,
{
    let mut after = 0;
    loop {
        let page = journal.views().read(move |db| mails_since(db, since, after, PAGE_SIZE)).await;
        let page = page.map_err(ServiceError::journal)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.position;
        for row in &page {
            let (mut case, came) = of_row(journal, row).await?;
            // What was decided then says nothing about another moment.
            case.recorded = case.recorded.filter(|_| at.is_none());
            let tried = run.take(case, at.unwrap_or(came)).await?;
            if each(run, tried)?.is_break() {
                return Ok(());
            }
        }
    }
}

async fn of_row(journal: &dyn Journal, row: &MailRow) -> Result<(TrialCase, DateTime<Utc>), ServiceError> {
    let known = stored_mail::known(journal, &row.email_id).await.map_err(ServiceError::journal)?;
    let came = known.as_ref().map_or(row.received_at, |known| known.at);
    let (content, recorded) = match known {
        Some(known) => (known.content, known.recorded),
        None => (Err(stored_mail::ContentGone::Archived), None),
    };
    let content = content.map_err(|why| why.to_string());
    Ok((TrialCase { place: row.email_id.clone(), came: Some(came), content, recorded }, came))
}

/// Before when mails were archived that came after `since`: those are not tested. What was
/// archived has left the journal, and its lists with it.
pub(crate) async fn archived_before(
    journal: &dyn Journal,
    since: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, ServiceError> {
    let archived = journal.read_stream(&archive_stream(), 0).await.map_err(ServiceError::journal)?;
    let last = archived.last().and_then(|event| ArchiveEvent::from_recorded(event).ok());
    Ok(match last {
        Some(ArchiveEvent::Archived(last)) if last.before > since => Some(last.before),
        _ => None,
    })
}
