//! `/reglages/conflit/{key}`: two stores hold different versions of a document, and somebody decides.

use actix_web::HttpResponse;
use actix_web::web::Path;
use askama::Template;
use render_signal_actors::config::diff::differences;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::store::ConflictWinner;

use super::changes::Changes;
use super::history::{home, section};
use super::names::{document, who};
use super::words::Words;
use super::{history_of, named};
use crate::http::pages::form::Form;
use crate::http::pages::frame::Frame;
use crate::http::pages::notice::Notice;
use crate::http::pages::parts::{Shown, When};
use crate::http::pages::visit::Visit;
use crate::http::problem::Problem;
use crate::services::config::versions::{Content, Past};

/// Both sides, and two buttons.
#[derive(Template)]
#[template(path = "documents/stores.html")]
struct Page {
    frame: Frame,
    w: &'static Words,
    said: String,
    /// The store that has the last word.
    store: &'static str,
    /// Who made the other version, and when.
    other: Option<(Shown, When)>,
    changes: Option<Changes>,
    action: String,
    history: String,
}

/// The store in which a document waits for a decision.
fn conflicting(visit: &Visit, key: Key) -> Option<&'static str> {
    let health = visit.state.services.configuration.store_health();
    health.into_iter().find(|store| store.conflicts.contains(&key)).map(|store| store.store)
}

pub(super) async fn show(visit: Visit, name: Path<String>) -> Result<HttpResponse, Problem> {
    let (key, w, lang) = (named(&name)?, Words::of(visit.lang), visit.lang);
    let configuration = &visit.state.services.configuration;
    // Reading has the side that is not in force put into the history, if it is not there yet.
    let stored = configuration.stored(key).await?;
    let Some(store) = conflicting(&visit, key) else {
        return Ok(visit.back(home(key), &Notice::good(w.decided_already)));
    };
    let past = configuration.history(key).await?;
    let lost = past.iter().rfind(|past| past.version.lost && past.content == Content::Kept);
    let changes = match lost {
        Some(Past { version, .. }) => {
            let other = configuration.version(key, version.version).await?;
            let held = stored.and_then(|stored| stored.value);
            Some(Changes::of(
                &visit,
                &differences(key, held.as_ref(), other.as_ref()),
                [w.authority, w.pending_side],
            ))
        }
        None => None,
    };
    let name = document(lang, key);
    let page = Page {
        frame: visit.frame(section(key), &w.two_versions_of(lang, &name)).await,
        said: w.two_stores(lang, &name, store),
        other: lost.map(|lost| {
            let version = &lost.version;
            (Shown(who(lang, &version.origin)), When::short(visit.clock, version.at))
        }),
        action: format!("/reglages/conflit/{key}"),
        history: history_of(key),
        w,
        store,
        changes,
    };
    visit.show(&page)
}

pub(super) async fn decide(visit: Visit, name: Path<String>, form: Form) -> Result<HttpResponse, Problem> {
    let (key, w) = (named(&name)?, Words::of(visit.lang));
    let keep = match form.text("keep") {
        "authority" => ConflictWinner::Authority,
        "pending" => ConflictWinner::Pending,
        _ => return Err(Problem::parameter("keep", "authority or pending")),
    };
    match visit.state.services.configuration.resolve(key, keep).await {
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
