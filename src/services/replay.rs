//! A past decision, made again step by step under the documents of that time.
//!
//! The history keeps a copy of each version of a document, so the [`Policy`] of that time can be
//! compiled again; the environment and the program are those of today. The steps are shown only when
//! they lead to the recorded decision: others would explain nothing.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use render_signal_actors::config::active::ActiveDocuments;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::history::{self, CopyError, DecidedUnder};
use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::config::store::{Revision, StoreReading};
use render_signal_actors::kernel::heavy::Heavy;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::kernel::said::Said;
use render_signal_actors::mail::policy::Policy;
use render_signal_actors::said;

use super::ServiceError;
use super::explain::{self, ExplainedToday};

/// What was decided about a mail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PastDecision<'a> {
    /// Identity of the mail.
    pub(crate) email_id: &'a str,
    /// When: the windows are judged for this moment.
    pub(crate) at: DateTime<Utc>,
    /// The documents that were in force.
    pub(crate) under: &'a [DecidedUnder],
    /// `deliver`, `hold`, `skip` or `ignore`.
    pub(crate) decision: &'a str,
    /// Why it was not delivered then.
    pub(crate) reason: Option<&'a str>,
}

/// What making it again came to.
#[derive(Debug)]
pub(crate) enum Replayed {
    /// The same decision: these are its steps.
    Same(Box<ExplainedToday>),
    /// It cannot be shown, and why.
    Unknown(Said),
}

/// Makes a decision again. Sends and stores nothing.
///
/// `in_force` is the policy of today. It is taken when the documents are still the same, so that
/// nothing has to be read.
///
/// # Errors
/// When the journal cannot be read, or the content of the mail is no longer kept.
pub(crate) async fn replay(
    decided: PastDecision<'_>,
    in_force: &Arc<Policy>,
    env: &EnvDefaults,
    journal: &dyn Journal,
    heavy: &Heavy,
) -> Result<Replayed, ServiceError> {
    let policy = if is_under(in_force, decided.under) {
        Arc::clone(in_force)
    } else {
        match policy_of(decided.under, env, journal, decided.at).await? {
            Ok(policy) => Arc::new(policy),
            Err(why) => return Ok(Replayed::Unknown(why)),
        }
    };
    let then = explain::stored(decided.email_id, &policy, decided.at, journal, heavy).await?;
    let explanation = &then.explained.explanation;
    if is_under(&policy, decided.under)
        && (explanation.decision, explanation.reason) == (decided.decision, decided.reason)
    {
        return Ok(Replayed::Same(Box::new(then)));
    }
    Ok(Replayed::Unknown(elsewhere()))
}

/// Whether a policy was made of exactly these documents.
fn is_under(policy: &Policy, under: &[DecidedUnder]) -> bool {
    let documents = &policy.configuration.0;
    documents.len() == under.len() && under.iter().all(|one| documents.get(&one.document) == Some(&one.hash))
}

/// The policy of these versions in the environment of today, or why it cannot be made.
async fn policy_of(
    under: &[DecidedUnder],
    env: &EnvDefaults,
    journal: &dyn Journal,
    now: DateTime<Utc>,
) -> Result<Result<Policy, Said>, ServiceError> {
    let mut active = ActiveDocuments::default();
    for one in under {
        let (Some(key), Some(version)) = (Key::named(&one.document), one.version) else {
            return Ok(Err(never_recorded(&one.document)));
        };
        let text = match history::copy(journal, key, version).await {
            Ok(Some(text)) => text,
            Ok(None) => return Ok(Err(never_recorded(&one.document))),
            Err(CopyError::Unreadable(why)) => return Err(ServiceError::Journal(why)),
            Err(gone) => return Ok(Err(gone.said())),
        };
        let read = StoreReading::Found { revision: Revision::of(&text), text };
        active.take_final(key, Ok(read), env, now);
        if active.is_refused(key) {
            let Said { french, english } = active.what_is_wrong(key);
            return Ok(Err(said!(
                "la version {version} de {key} n'est plus acceptée par ce programme\u{a0}: {french}",
                "version {version} of {key} is no longer accepted by this program: {english}"
            )));
        }
    }
    Ok(Ok(active.policy(env, 0)))
}

/// Said of a document whose content of that time is kept nowhere.
fn never_recorded(document: &str) -> Said {
    said!(
        "la version de {document} qui était en vigueur n'est pas dans l'historique",
        "the version of {document} that was in force is not in the history"
    )
}

/// Said when the documents of that time do not lead to the recorded decision.
fn elsewhere() -> Said {
    said!(
        "sous les mêmes documents la décision serait autre aujourd'hui\u{a0}: les variables d'environnement, le \
         programme, ou ce que l'on sait du groupe de sujets, ont changé",
        "under the same documents the decision would be another today: the environment variables, the program, \
         or what is known of the subject group, have changed"
    )
}
