//! One action on all mails that a filter matches. They are counted first, for the question, and then
//! acted upon one by one: each is a commit of its own, and one that refuses does not stop the others.

use render_signal_actors::dedup::release;
use render_signal_actors::ignore;
use render_signal_actors::readmodel::queries::Fate;
use render_signal_actors::search::{ListedMail, MailQuery};
use render_signal_actors::webhook::dead_letters::Undelivered;

use super::list_query::{CANCELLED, MailListQuery, SENDING};
use crate::http::HttpState;
use crate::http::problem::HttpProblem;
use crate::http::v1::page::unavailable;
use crate::lang::Lang;
use crate::words::refusals::LocalizedError;

/// Mails that one request acts upon; for more, it is sent again.
pub(super) const MAX_AT_ONCE: usize = 500;
/// Mails that are read at a time.
const PAGE_SIZE: usize = 200;

/// What is done to every mail of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BulkAction {
    /// Its webhooks that were given up are sent again.
    Retry,
    /// It is sent, whatever was decided.
    Release,
    /// Nothing is to be sent for it.
    Ignore,
}

impl BulkAction {
    /// Its word in a form.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Release => "release",
            Self::Ignore => "ignore",
        }
    }

    /// What can be done about all mails of a list; `None` = nothing.
    pub(super) fn about(query: &MailListQuery, fate: Option<Fate>) -> Option<Self> {
        match (fate?, query.reason.as_str()) {
            (Fate::Failed, _) => Some(Self::Retry),
            // Those are on their way, or somebody has said that they are not wanted.
            (Fate::Waiting, SENDING | "released") | (Fate::Ignored, CANCELLED) => None,
            (Fate::Waiting | Fate::Ignored, _) => Some(Self::Release),
            (Fate::Unreadable, _) => Some(Self::Ignore),
            (Fate::Delivered, _) => None,
        }
    }

    /// The mails of a list that it can be done about.
    pub(super) fn query(self, mut query: MailQuery, fate: Option<Fate>) -> MailQuery {
        if self == Self::Release {
            let stages: &[&str] =
                if fate == Some(Fate::Waiting) { &["held"] } else { &["ignored", "skipped"] };
            query.filter.stages = stages.iter().map(|stage| (*stage).to_owned()).collect();
        }
        query.filter.after = None;
        query.filter.before = None;
        query
    }
}

/// What came of it: how many mails it was done to, how many refused it, and the first reason.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct BulkResult {
    /// Mails that it was done about.
    pub(super) done: u64,
    /// Mails that it could not be done about.
    pub(super) refused: u64,
    /// Why the first of them not.
    pub(super) why: Option<String>,
    /// There are more.
    pub(super) more: bool,
}

/// Acts upon the mails of a query that came no later than the one at `up_to`: whoever confirms has
/// not seen later ones.
///
/// # Errors
/// The journal does not answer.
pub(super) async fn act(
    state: &HttpState,
    action: BulkAction,
    mut query: MailQuery,
    up_to: u64,
    by: &str,
    lang: Lang,
) -> Result<BulkResult, HttpProblem> {
    query.filter.before = Some(up_to.saturating_add(1));
    query.filter.limit = PAGE_SIZE;
    let mut done = BulkResult::default();
    let mut mails: Vec<ListedMail> = Vec::new();
    while mails.len() < MAX_AT_ONCE {
        let page = state.search.mails(&query).await.map_err(unavailable)?;
        mails.extend(page.mails);
        match page.older {
            Some(older) => query.filter.before = Some(older),
            None => break,
        }
        done.more = mails.len() >= MAX_AT_ONCE;
    }
    done.more |= mails.len() > MAX_AT_ONCE;
    mails.truncate(MAX_AT_ONCE);
    let undelivered = match action {
        BulkAction::Retry => Some(Undelivered::read(state.journal.as_ref()).await.map_err(unavailable)?),
        BulkAction::Release | BulkAction::Ignore => None,
    };
    for mail in mails {
        let outcome = match &undelivered {
            Some(undelivered) => retry(state, undelivered, &mail, by, lang).await,
            None => one(state, action, &mail, by, lang).await,
        };
        match outcome {
            Ok(()) => done.done += 1,
            Err(why) => {
                done.refused += 1;
                done.why.get_or_insert(why);
            }
        }
    }
    Ok(done)
}

async fn one(
    state: &HttpState,
    action: BulkAction,
    mail: &ListedMail,
    by: &str,
    lang: Lang,
) -> Result<(), String> {
    let (journal, id) = (state.journal.as_ref(), &mail.mail.email_id);
    if action == BulkAction::Ignore {
        return ignore::ignore(journal, &state.world, id, by).await.map_err(|error| error.told(lang));
    }
    release::release(journal, &state.world, id, by).await.map_err(|error| error.told(lang))
}

/// Its dead letters, all of them or as many as can be.
async fn retry(
    state: &HttpState,
    undelivered: &Undelivered,
    mail: &ListedMail,
    by: &str,
    lang: Lang,
) -> Result<(), String> {
    let (journal, id) = (state.journal.as_ref(), &mail.mail.email_id);
    let mut why = None;
    for delivery in mail.deliveries.iter().filter(|delivery| delivery.state == "dead_lettered") {
        let retried = undelivered.retry(journal, &state.world, id, &delivery.target, by).await;
        if let Err(error) = retried {
            why = Some(error.told(lang));
        }
    }
    why.map_or(Ok(()), Err)
}
