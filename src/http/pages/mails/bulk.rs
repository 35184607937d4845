//! The same done about all mails that a filter matches: they are counted first, in the question, and
//! then dealt with one by one. Each is whole for itself; what cannot be done about one is said, and
//! the others go on.

use render_signal_actors::dedup::release;
use render_signal_actors::ignore;
use render_signal_actors::readmodel::queries::Fate;
use render_signal_actors::search::{ListedMail, MailQuery};
use render_signal_actors::webhook::dead_letters::Undelivered;

use super::wanted::{CANCELLED, SENDING, Wanted};
use crate::http::HttpState;
use crate::http::problem::Problem;
use crate::http::v1::page::unavailable;
use crate::lang::Lang;
use crate::words::refusals::Refusal;

/// At most so many at a time: whoever wants more asks again.
pub(super) const AT_ONCE: usize = 500;
/// Mails of a page while they are gathered.
const GATHERED: usize = 200;

/// What is done about each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// Its webhooks that were given up are sent again.
    Retry,
    /// It is sent, whatever was decided.
    Release,
    /// Nothing is to be sent for it.
    Ignore,
}

impl Deed {
    /// Its word in a form.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Release => "release",
            Self::Ignore => "ignore",
        }
    }

    /// What can be done about all mails of a list; `None` = nothing.
    pub(super) fn about(wanted: &Wanted, fate: Option<Fate>) -> Option<Self> {
        match (fate?, wanted.reason.as_str()) {
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

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
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
    deed: Deed,
    mut query: MailQuery,
    up_to: u64,
    by: &str,
    lang: Lang,
) -> Result<Done, Problem> {
    query.filter.before = Some(up_to.saturating_add(1));
    query.filter.limit = GATHERED;
    let mut done = Done::default();
    let mut mails: Vec<ListedMail> = Vec::new();
    while mails.len() < AT_ONCE {
        let page = state.search.mails(&query).await.map_err(unavailable)?;
        mails.extend(page.mails);
        match page.older {
            Some(older) => query.filter.before = Some(older),
            None => break,
        }
        done.more = mails.len() >= AT_ONCE;
    }
    done.more |= mails.len() > AT_ONCE;
    mails.truncate(AT_ONCE);
    let undelivered = match deed {
        Deed::Retry => Some(Undelivered::read(state.journal.as_ref()).await.map_err(unavailable)?),
        Deed::Release | Deed::Ignore => None,
    };
    for mail in mails {
        let outcome = match &undelivered {
            Some(undelivered) => retry(state, undelivered, &mail, by, lang).await,
            None => one(state, deed, &mail, by, lang).await,
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

async fn one(state: &HttpState, deed: Deed, mail: &ListedMail, by: &str, lang: Lang) -> Result<(), String> {
    let (journal, id) = (state.journal.as_ref(), &mail.mail.email_id);
    if deed == Deed::Ignore {
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
