//! Why a mail would or would not trigger, and the documents that decide.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use render_signal_actors::config::history::{DecidedUnder, versions_of};
use render_signal_actors::kernel::heavy::Heavy;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::mail::compare::RecordedDecision;
use render_signal_actors::mail::explain::{Explanation, explain_kept, explain_knowing};
use render_signal_actors::mail::groups::{self, KnownGroup};
use render_signal_actors::mail::policy::Policy;
use render_signal_actors::said;
use render_signal_actors::stored_mail;
use serde::Serialize;

use super::ServiceError;
use crate::lang::Lang;
use crate::words::recorded::plain;

/// What is explained, and the documents that decide.
#[derive(Debug, Serialize)]
pub(crate) struct Explained {
    /// Step by step.
    #[serde(flatten)]
    pub(crate) explanation: Explanation,
    /// The documents in force; their versions are known from a journal only.
    pub(crate) configuration: Vec<DecidedUnder>,
}

/// Explains what the policy makes of a mail. Sends and stores nothing; the journal tells who has
/// its subject group, and which versions the documents are.
pub(crate) async fn raw(
    raw: Bytes,
    policy: &Arc<Policy>,
    now: DateTime<Utc>,
    past: Option<&dyn Journal>,
    heavy: &Heavy,
) -> Result<Explained, ServiceError> {
    let configuration = decided_under(policy, past).await?;
    let explained = async |known: Option<KnownGroup>| {
        let (raw, policy, bytes) = (raw.clone(), Arc::clone(policy), raw.len());
        heavy.run(bytes, move || explain_knowing(&raw, &policy, now, known.as_ref())).await
    };
    let mut explanation = explained(None).await;
    if let Some(known) = group(&explanation, policy, now, past).await? {
        explanation = explained(Some(known)).await;
    }
    Ok(Explained { explanation, configuration })
}

/// What today's rules would make of a mail of the journal, beside what was decided.
#[derive(Debug, Serialize)]
pub(crate) struct ExplainedToday {
    /// As if it came now.
    #[serde(flatten)]
    pub(crate) explained: Explained,
    /// What was decided when it came; `None` = the journal does not tell.
    pub(crate) recorded: Option<RecordedDecision>,
}

/// What today's rules would make of a mail whose content the journal still keeps.
pub(crate) async fn stored(
    email_id: &str,
    policy: &Arc<Policy>,
    now: DateTime<Utc>,
    journal: &dyn Journal,
    heavy: &Heavy,
) -> Result<ExplainedToday, ServiceError> {
    let Some(known) = stored_mail::known(journal, email_id).await.map_err(ServiceError::journal)? else {
        return Err(ServiceError::Missing(said!(
            "il n'y a pas de mail {email_id} dans le journal",
            "there is no mail {email_id} in the journal"
        )));
    };
    let mail = known.content.map_err(|gone| {
        let gone = gone.to_string();
        let gone_in_french = plain(Lang::Fr, &gone);
        ServiceError::Gone(said!(
            "le contenu du mail {email_id} ne peut plus être lu\u{a0}: {gone_in_french}",
            "the content of mail {email_id} cannot be read any more: {gone}"
        ))
    })?;
    let configuration = decided_under(policy, Some(journal)).await?;
    let explained = async |known: Option<KnownGroup>| {
        let (mail, policy, bytes) = (mail.clone(), Arc::clone(policy), mail.plain.len() + mail.html.len());
        heavy.run(bytes, move || explain_kept(mail, &policy, now, known.as_ref())).await
    };
    let mut explanation = explained(None).await;
    if let Some(known) = group(&explanation, policy, now, Some(journal)).await? {
        explanation = explained(Some(known)).await;
    }
    Ok(ExplainedToday { explained: Explained { explanation, configuration }, recorded: known.recorded })
}

/// The documents in force with their versions, which only a journal tells.
async fn decided_under(
    policy: &Policy,
    past: Option<&dyn Journal>,
) -> Result<Vec<DecidedUnder>, ServiceError> {
    if let Some(past) = past {
        return versions_of(past, &policy.configuration).await.map_err(ServiceError::Journal);
    }
    let documents = policy.configuration.0.iter();
    let unversioned = |(document, hash): (&String, &String)| DecidedUnder {
        document: document.clone(),
        version: None,
        hash: hash.clone(),
    };
    Ok(documents.map(unversioned).collect())
}

/// Who has the subject group of the mail, when that matters and there is a journal to ask.
async fn group(
    explanation: &Explanation,
    policy: &Policy,
    now: DateTime<Utc>,
    past: Option<&dyn Journal>,
) -> Result<Option<KnownGroup>, ServiceError> {
    let (Some(group), Some(past), Some(_)) = (&explanation.subject_group, past, policy.prefs.subject_groups)
    else {
        return Ok(None);
    };
    let stream = groups::group_stream(&groups::scoped(group, policy.zone, now));
    let events = past.read_stream(&stream, 0).await.map_err(ServiceError::journal)?;
    let standing = groups::GroupOwner::of(&events).map_err(ServiceError::journal)?;
    Ok(Some((stream, standing)))
}
