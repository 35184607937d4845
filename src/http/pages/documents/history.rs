//! `/reglages/historique`: the documents, and who changed each of them.

use actix_web::HttpResponse;
use actix_web::web::Path;
use askama::Template;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::edit::UPDATED_AT;
use serde::Deserialize;

use super::names::{document, field, who};
use super::words::Words;
use super::{Documents, Standing, history_of, named};
use crate::http::pages::frame::{Frame, Section};
use crate::http::pages::parts::{Badge, Empty, Mood, Shown, When};
use crate::http::pages::visit::Visit;
use crate::http::problem::Problem;
use crate::http::v1::Params;
use crate::services::config::versions::{Past, VersionContent};

/// How many versions a page shows.
const PAGE: usize = 50;

/// A document in the list of all.
struct Entry {
    name: String,
    href: String,
    last: Option<super::read::LastChange>,
}

/// All documents.
#[derive(Template)]
#[template(path = "documents/index.html")]
struct Index {
    frame: Frame,
    w: &'static Words,
    standing: Standing,
    entries: Vec<Entry>,
}

pub(super) async fn index(visit: Visit) -> Result<HttpResponse, Problem> {
    let w = Words::of(visit.lang);
    let Documents { all, standing } = Documents::read(&visit, &Key::ALL).await?;
    let entries = all.into_iter().map(|one| Entry {
        name: document(visit.lang, one.key),
        href: history_of(one.key),
        last: one.changed,
    });
    let entries = entries.collect();
    visit.show(&Index { frame: visit.frame(Section::Settings, w.history).await, w, standing, entries })
}

/// A version in the list.
struct Row {
    number: u64,
    when: When,
    who: Shown,
    what: Shown,
    badge: Option<Badge>,
    /// Where it is shown; empty = nowhere.
    href: String,
}

/// The history of a document.
#[derive(Template)]
#[template(path = "documents/history.html")]
struct Page {
    frame: Frame,
    w: &'static Words,
    home: &'static str,
    rows: Vec<Row>,
    empty: Option<Empty>,
    /// The version from which the page of older ones begins.
    older: Option<u64>,
}

/// Which page of the history.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Versions before this one only.
    before: Option<u64>,
}

pub(super) async fn show(
    visit: Visit,
    name: Path<String>,
    Params(wanted): Params<Wanted>,
) -> Result<HttpResponse, Problem> {
    let (key, w) = (named(&name)?, Words::of(visit.lang));
    let past = visit.state.services.configuration.history(key).await?;
    let newest = newest(&past);
    let before = wanted.before.unwrap_or(u64::MAX);
    let mut earlier = past.iter().rev().filter(|past| past.version.version < before);
    let rows: Vec<Row> = earlier.by_ref().take(PAGE).map(|past| row(&visit, key, past, newest)).collect();
    let older = rows.last().map(|last| last.number).filter(|_| earlier.next().is_some());
    let name = document(visit.lang, key);
    let page = Page {
        frame: visit.frame(section(key), &w.history_of(visit.lang, &name)).await,
        empty: rows
            .is_empty()
            .then(|| Empty { title: w.no_history.to_owned(), text: w.no_history_text.to_owned() }),
        home: home(key),
        w,
        rows,
        older,
    };
    visit.show(&page)
}

/// The version that is in force, as far as the history knows.
pub(super) fn newest(past: &[Past]) -> u64 {
    past.iter().rfind(|past| !past.version.lost).map_or(0, |past| past.version.version)
}

fn row(visit: &Visit, key: Key, past: &Past, newest: u64) -> Row {
    let (w, lang) = (Words::of(visit.lang), visit.lang);
    let version = &past.version;
    let told = version.fields.iter().filter(|name| *name != UPDATED_AT);
    let names: Vec<String> = told.map(|name| field(lang, name)).collect();
    let what = match (version.removed, names.is_empty()) {
        (true, _) => w.removed.to_owned(),
        (false, true) => w.whole.to_owned(),
        (false, false) => names.join(", "),
    };
    let badge = match past.content {
        _ if version.lost => Some(Badge::new(Mood::Care, w.lost)),
        _ if version.version == newest => Some(Badge::new(Mood::Good, w.newest)),
        VersionContent::Gone => Some(Badge::new(Mood::None, w.gone)),
        VersionContent::Kept | VersionContent::None => None,
    };
    let shown = past.content == VersionContent::Kept || version.removed;
    Row {
        number: version.version,
        when: When::short(visit.clock, version.at),
        who: Shown(who(lang, &version.origin)),
        what: Shown(what),
        badge,
        href: if shown { format!("{}/{}", history_of(key), version.version) } else { String::new() },
    }
}

/// Where a document is edited.
pub(super) const fn home(key: Key) -> &'static str {
    match key {
        Key::RoutingRules | Key::Detectors | Key::Providers => "/regles",
        Key::MagicLinkTokens => "/acces",
        Key::PollingConfig | Key::WebhookConfig | Key::ProcessingPrefs | Key::RuntimeFlags => "/reglages",
    }
}

/// The section that is.
pub(super) const fn section(key: Key) -> Section {
    match key {
        Key::RoutingRules | Key::Detectors | Key::Providers => Section::Rules,
        Key::MagicLinkTokens => Section::Access,
        Key::PollingConfig | Key::WebhookConfig | Key::ProcessingPrefs | Key::RuntimeFlags => {
            Section::Settings
        }
    }
}
