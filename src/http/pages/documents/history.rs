//! `/reglages/historique`: the documents, and who changed each of them.

use actix_web::HttpResponse;
use actix_web::web::Path;
use askama::Template;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::edit::UPDATED_AT;
use serde::Deserialize;

use super::names::{document, field, who};
use super::words::Words;
use super::{DocumentNotices, EditedDocuments, history_of, named};
use crate::http::pages::frame::{Frame, Section};
use crate::http::pages::parts::{Badge, Empty, Mood, UntrustedText, When};
use crate::http::pages::visit::PageVisit;
use crate::http::problem::HttpProblem;
use crate::http::v1::Params;
use crate::services::config::versions::{Past, VersionContent};

/// How many versions a page shows.
const PAGE_SIZE: usize = 50;

/// A document in the list of all.
struct DocumentEntry {
    name: String,
    href: String,
    last: Option<super::read::LastChange>,
}

#[derive(Template)]
#[template(path = "documents/index.html")]
struct DocumentsPage {
    frame: Frame,
    w: &'static Words,
    standing: DocumentNotices,
    entries: Vec<DocumentEntry>,
}

pub(super) async fn index(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let w = Words::of(visit.lang);
    let EditedDocuments { all, standing } = EditedDocuments::read(&visit, &Key::ALL).await?;
    let entries = all.into_iter().map(|one| DocumentEntry {
        name: document(visit.lang, one.key),
        href: history_of(one.key),
        last: one.changed,
    });
    let entries = entries.collect();
    visit.show(&DocumentsPage {
        frame: visit.frame(Section::Settings, w.history).await,
        w,
        standing,
        entries,
    })
}

/// A version in the list.
struct VersionEntry {
    number: u64,
    when: When,
    who: UntrustedText,
    what: UntrustedText,
    badge: Option<Badge>,
    /// Where it is shown; empty = nowhere.
    href: String,
}

/// The history of a document.
#[derive(Template)]
#[template(path = "documents/history.html")]
struct HistoryPage {
    frame: Frame,
    w: &'static Words,
    home: &'static str,
    rows: Vec<VersionEntry>,
    empty: Option<Empty>,
    /// The version from which the page of older ones begins.
    older: Option<u64>,
}

/// Which page of the history.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    /// Versions before this one only.
    before: Option<u64>,
}

pub(super) async fn show(
    visit: PageVisit,
    name: Path<String>,
    Params(wanted): Params<HistoryQuery>,
) -> Result<HttpResponse, HttpProblem> {
    let (key, w) = (named(&name)?, Words::of(visit.lang));
    let past = visit.state.services.configuration.history(key).await?;
    let newest = newest(&past);
    let before = wanted.before.unwrap_or(u64::MAX);
    let mut earlier = past.iter().rev().filter(|past| past.version.version < before);
    let rows: Vec<VersionEntry> =
        earlier.by_ref().take(PAGE_SIZE).map(|past| row(&visit, key, past, newest)).collect();
    let older = rows.last().map(|last| last.number).filter(|_| earlier.next().is_some());
    let name = document(visit.lang, key);
    let page = HistoryPage {
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

fn row(visit: &PageVisit, key: Key, past: &Past, newest: u64) -> VersionEntry {
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
    VersionEntry {
        number: version.version,
        when: When::short(visit.clock, version.at),
        who: UntrustedText(who(lang, &version.origin)),
        what: UntrustedText(what),
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

pub(super) const fn section(key: Key) -> Section {
    match key {
        Key::RoutingRules | Key::Detectors | Key::Providers => Section::Rules,
        Key::MagicLinkTokens => Section::Access,
        Key::PollingConfig | Key::WebhookConfig | Key::ProcessingPrefs | Key::RuntimeFlags => {
            Section::Settings
        }
    }
}
