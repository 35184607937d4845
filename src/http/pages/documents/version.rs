//! `/reglages/historique/{key}/{version}`: what a version changed, and the way back to it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Path;
use askama::Template;
use render_signal_actors::config::diff::FieldDifference;
use render_signal_actors::config::documents::Key;
use serde::Deserialize;

use super::changes::ChangeList;
use super::history::section;
use super::names::{document, who};
use super::read::seen_of;
use super::save::Problems;
use super::words::Words;
use super::{SEEN, history_of, named};
use crate::http::pages::form::FormData;
use crate::http::pages::frame::Frame;
use crate::http::pages::notice::Notice;
use crate::http::pages::parts::{Choice, Confirm, UntrustedText, When};
use crate::http::pages::visit::PageVisit;
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::v1::Params;
use crate::services::ServiceError;
use crate::services::config::versions::{Past, VersionContent};

/// What stands for the stored document among versions to compare with.
const CURRENT: &str = "now";

#[derive(Template)]
#[template(path = "documents/version.html")]
struct VersionPage {
    frame: Frame,
    w: &'static Words,
    /// What was refused when it was to be restored.
    refused: Vec<String>,
    when: When,
    who: UntrustedText,
    history: String,
    /// Versions to compare with, the chosen one first in force.
    others: Vec<Choice>,
    with: String,
    /// The heading of what differs.
    compared: String,
    compared_changes: Result<ChangeList, String>,
    /// What restoring it would change; `None` = it cannot be restored.
    restoring: Option<Restoring>,
    removed: bool,
}

/// The way back.
struct Restoring {
    /// Nothing = it is what is stored.
    changes: Option<ChangeList>,
    confirm: Confirm,
}

/// With which version to compare.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct With {
    /// A number, or `now`; without it the version before.
    with: Option<String>,
}

/// The document and the number that an address names.
fn at(path: &(String, String)) -> Result<(Key, u64), HttpProblem> {
    let (name, version) = path;
    let key = named(name)?;
    let number = version.parse().ok().filter(|number| *number > 0);
    let none = || HttpProblem::new(ProblemKind::NotFound, format!("{version:?} is no version of {key}"));
    Ok((key, number.ok_or_else(none)?))
}

pub(super) async fn show(
    visit: PageVisit,
    path: Path<(String, String)>,
    Params(With { with }): Params<With>,
) -> Result<HttpResponse, HttpProblem> {
    let (key, number) = at(&path)?;
    let page = page(&visit, key, number, with.as_deref(), Problems::default()).await?;
    visit.show(&page)
}

pub(super) async fn restore(
    visit: PageVisit,
    path: Path<(String, String)>,
    form: FormData,
) -> Result<HttpResponse, HttpProblem> {
    let (key, number) = at(&path)?;
    if key == Key::MagicLinkTokens {
        return Err(HttpProblem::new(ProblemKind::Conflict, "sign-in links are made and revoked at /acces"));
    }
    let (w, lang) = (Words::of(visit.lang), visit.lang);
    let configuration = &visit.state.services.configuration;
    let here = format!("{}/{number}", history_of(key));
    let seen = Some(seen_of(super::seen_in(&form)?));
    match configuration.restore(key, number, &visit.caller.by(), seen).await {
        Ok(saved) => {
            tracing::info!(%key, version = number, "an earlier version was restored on a page");
            super::save::settle(&visit, key, &saved.text).await;
            let text = w.restored(lang, number, &document(lang, key));
            let notice = match saved.degraded {
                Some(why) => Notice::care(format!("{text} {}", w.degraded(lang, saved.stored_in, &why))),
                None => Notice::good(text),
            };
            Ok(visit.back(&history_of(key), &notice))
        }
        Err(ServiceError::Changed(_)) => Ok(visit.back(&here, &Notice::bad(w.changed_meanwhile))),
        Err(ServiceError::Invalid(_, problems)) => {
            let page = page(&visit, key, number, None, Problems::named(&visit, &problems)).await?;
            visit.show_as(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(refused @ (ServiceError::State(_) | ServiceError::Gone(_) | ServiceError::Away(_))) => {
            Ok(visit.back(&here, &Notice::bad(lang.one(refused.said()))))
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn page(
    visit: &PageVisit,
    key: Key,
    number: u64,
    with: Option<&str>,
    refused: Problems,
) -> Result<VersionPage, HttpProblem> {
    let (w, lang) = (Words::of(visit.lang), visit.lang);
    let past = visit.state.services.configuration.history(key).await?;
    let found = past.iter().find(|past| past.version.version == number);
    let found = found
        .ok_or_else(|| HttpProblem::new(ProblemKind::NotFound, format!("{key} has no version {number}")))?;
    let before = past.iter().rfind(|one| one.version.version < number && !one.version.lost);
    let before = before.map_or(0, |before| before.version.version);
    let to_now = with == Some(CURRENT);
    let from = with.and_then(|with| with.parse().ok()).unwrap_or(before);
    let compared = match to_now {
        true => compare(visit, key, number, None, [w.then, w.now]).await?,
        false => {
            let (low, high) = (from.min(number), from.max(number));
            compare(visit, key, low, Some(high), [w.before, w.after]).await?
        }
    };
    let heading = match to_now {
        true => w.since.to_owned(),
        false if from == before => w.changed_by_it.to_owned(),
        false => w.between(lang, from.min(number), from.max(number)),
    };
    let name = document(lang, key);
    let restorable = found.content == VersionContent::Kept && key != Key::MagicLinkTokens;
    Ok(VersionPage {
        frame: visit.frame(section(key), &w.version_of(lang, number, &name)).await,
        w,
        refused: refused.0.into_iter().map(|(_, text)| text).collect(),
        when: When::short(visit.clock, found.version.at),
        who: UntrustedText(who(lang, &found.version.origin)),
        history: history_of(key),
        others: others(visit, &past, number),
        with: if to_now { CURRENT.to_owned() } else { from.to_string() },
        compared: heading,
        compared_changes: compared,
        restoring: if restorable { restoring(visit, key, number, &name).await? } else { None },
        removed: found.version.removed,
    })
}

/// What two versions differ in, or why that is not known.
async fn compare(
    visit: &PageVisit,
    key: Key,
    from: u64,
    to: Option<u64>,
    names: [&'static str; 2],
) -> Result<Result<ChangeList, String>, HttpProblem> {
    match visit.state.services.configuration.diff(key, Some(from), to).await {
        Ok(diff) => Ok(Ok(ChangeList::of(visit, &diff.differences, names))),
        Err(refused @ (ServiceError::Gone(_) | ServiceError::Unusable(_) | ServiceError::Away(_))) => {
            Ok(Err(visit.lang.one(refused.said())))
        }
        Err(refused) => Err(refused.into()),
    }
}

/// The versions that can be compared with, newest first, and what is stored now.
fn others(visit: &PageVisit, past: &[Past], number: u64) -> Vec<Choice> {
    let (w, lang) = (Words::of(visit.lang), visit.lang);
    let now = Choice { value: CURRENT.to_owned(), text: w.stored_now.to_owned() };
    let kept =
        past.iter().rev().filter(|one| one.version.version != number && one.content == VersionContent::Kept);
    let kept = kept.map(|one| {
        let (version, at) = (one.version.version, visit.clock.short(one.version.at));
        Choice { value: version.to_string(), text: w.numbered(lang, version, &at) }
    });
    [now].into_iter().chain(kept).collect()
}

/// What restoring would change, and the question before it.
async fn restoring(
    visit: &PageVisit,
    key: Key,
    number: u64,
    name: &str,
) -> Result<Option<Restoring>, HttpProblem> {
    let (w, lang) = (Words::of(visit.lang), visit.lang);
    let configuration = &visit.state.services.configuration;
    // Before what is compared: who saves in between is not written over unseen.
    let Ok(stored) = configuration.stored(key).await else { return Ok(None) };
    let Ok(copy) = configuration.diff(key, Some(number), None).await else { return Ok(None) };
    let turned: Vec<FieldDifference> = copy
        .differences
        .into_iter()
        .map(|one| FieldDifference { before: one.after, after: one.before, ..one })
        .collect();
    let changes = ChangeList::of(visit, &turned, [w.now, w.restored_to]);
    let confirm = Confirm {
        id: "restore".to_owned(),
        button: w.restore.to_owned(),
        class: "primary",
        title: w.restore_it(lang, number, name),
        text: w.restore_text(lang, changes.rows.len()),
        action: format!("{}/{number}", history_of(key)),
        fields: vec![(SEEN.to_owned(), stored.map(|stored| stored.revision.0).unwrap_or_default())],
        yes: w.restore.to_owned(),
        no: w.cancel.to_owned(),
    };
    Ok(Some(Restoring { changes: Some(changes).filter(|changes| !changes.rows.is_empty()), confirm }))
}
