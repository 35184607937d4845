//! `/reglages/conflit/{key}`: two stores hold different versions of a document, and somebody decides.

use actix_web::HttpResponse;
use actix_web::web::Path;
use askama::Template;
use render_signal_actors::config::diff::differences;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::store::ConflictWinner;

use super::changes::ChangeList;
use super::history::{home, section};
use super::names::{document, who};
use super::words::Words;
use super::{history_of, named};
use crate::http::pages::form::FormData;
use crate::http::pages::frame::Frame;
use crate::http::pages::notice::Notice;
use crate::http::pages::parts::{UntrustedText, When};
use crate::http::pages::visit::PageVisit;
use crate::http::problem::HttpProblem;
use crate::services::config::versions::{Past, VersionContent};

/// Both sides, and two buttons.
#[derive(Template)]
#[template(path = "documents/stores.html")]
struct StoreConflictPage {
    frame: Frame,
    w: &'static Words,
    said: String,
    /// The store that has the last word.
    store: &'static str,
    /// Who made the other version, and when.
    other: Option<(UntrustedText, When)>,
    changes: Option<ChangeList>,
    action: String,
    history: String,
}

/// The store in which a document waits for a decision.
fn conflicting(visit: &PageVisit, key: Key) -> Option<&'static str> {
    let health = visit.state.services.configuration.store_health();
    health.into_iter().find(|store| store.conflicts.contains(&key)).map(|store| store.store)
}

pub(super) async fn show(visit: PageVisit, name: Path<String>) -> Result<HttpResponse, HttpProblem> {
    let (key, w, lang) = (named(&name)?, Words::of(visit.lang), visit.lang);
    let configuration = &visit.state.services.configuration;
    let stored = configuration.stored(key).await?;
    let Some(store) = conflicting(&visit, key) else {
        return Ok(visit.back(home(key), &Notice::good(w.decided_already)));
    };
    let past = configuration.history(key).await?;
    let lost = past.iter().rfind(|past| past.version.lost && past.content == VersionContent::Kept);
    let changes = match lost {
        Some(Past { version, .. }) => {
            let other = configuration.version(key, version.version).await?;
            let held = stored.and_then(|stored| stored.value);
            Some(ChangeList::of(
                &visit,
                &differences(key, held.as_ref(), other.as_ref()),
                [w.authority, w.pending_side],
            ))
        }
        None => None,
    };
    let name = document(lang, key);
    let page = StoreConflictPage {
        frame: visit.frame(section(key), &w.two_versions_of(lang, &name)).await,
        said: w.two_stores(lang, &name, store),
        other: lost.map(|lost| {
            let version = &lost.version;
            (UntrustedText(who(lang, &version.origin)), When::short(visit.clock, version.at))
        }),
        action: format!("/reglages/conflit/{key}"),
        history: history_of(key),
        w,
        store,
        changes,
    };
    visit.show(&page)
}

pub(super) async fn decide(
    visit: PageVisit,
    name: Path<String>,
    form: FormData,
) -> Result<HttpResponse, HttpProblem> {
    let (key, w) = (named(&name)?, Words::of(visit.lang));
    let keep = match form.text("keep") {
        "authority" => ConflictWinner::Authority,
        "pending" => ConflictWinner::Pending,
        _ => return Err(HttpProblem::parameter("keep", "authority or pending")),
    };
    match visit.state.services.configuration.resolve(key, keep, &visit.caller.by()).await {
        Ok(true) => {
            tracing::info!(%key, ?keep, by = visit.caller.by(), "a conflict was decided on a page");
            Ok(visit.back(home(key), &Notice::good(w.decided)))
        }
        Ok(false) => Ok(visit.back(home(key), &Notice::good(w.decided_already))),
        Err(refused) => {
            let why = visit.lang.one(refused.said());
            Ok(visit.back(&format!("/reglages/conflit/{key}"), &Notice::bad(why)))
        }
    }
}
