//! Where the documents are, and how each of them is.

use render_signal_actors::config::store::StoreHealth;

use super::words::Words;
use crate::http::pages::names;
use crate::http::pages::parts::{Badge, Mood, UntrustedText, When};
use crate::http::pages::visit::PageVisit;
use crate::http::v1::config::read;
use crate::lang::Lang;
use crate::services::config::overview::DocumentOverview;
use crate::services::migrate::by_name;

/// Stores and documents.
pub(super) struct StoresView {
    /// The one that has the last word first; empty = there are files only.
    pub(super) stores: Vec<StoreCard>,
    /// The folder of the files.
    pub(super) folder: UntrustedText,
    /// The documents that there are, or that cannot be read.
    pub(super) documents: Vec<DocumentRow>,
    /// Names of those that there are not.
    pub(super) absent: String,
    /// What is wanted and cannot be had, or means more than it seems to.
    pub(super) remarks: Vec<UntrustedText>,
}

pub(super) struct StoreCard {
    pub(super) name: &'static str,
    /// It has the last word, or stands in.
    pub(super) role: &'static str,
    /// Whether it answers.
    pub(super) badge: Badge,
    pub(super) since: Option<When>,
    /// What is wrong with it.
    pub(super) trouble: Option<UntrustedText>,
    /// Documents that it must still be given.
    pub(super) pending: String,
    /// Documents of which two versions wait for a decision.
    pub(super) conflicts: String,
}

pub(super) struct DocumentRow {
    /// What people call it.
    pub(super) name: String,
    /// What it is stored as.
    pub(super) key: &'static str,
    pub(super) badge: Badge,
    /// Of the history; empty = not recorded.
    pub(super) version: String,
    /// Who changed it last.
    pub(super) who: UntrustedText,
    pub(super) at: Option<When>,
    /// Who runs it; empty = not known.
    pub(super) running: String,
    /// What is wrong or changes nothing.
    pub(super) notes: Vec<UntrustedText>,
}

/// What is known of them, or why nothing is.
pub(super) async fn view(visit: &PageVisit) -> Result<StoresView, String> {
    let (lang, w) = (visit.lang, Words::of(visit.lang));
    let overview = read::seen(&visit.state, &by_name(), false).await;
    let overview = overview.map_err(|problem| Words::unknown(lang, &problem.detail))?;
    let unknown = overview.workers_unknown.map(|why| UntrustedText(format!("{} {why}", w.workers_unknown)));
    let remarks = overview.remarks.into_iter().map(|remark| UntrustedText(names::told(&remark, lang)));
    let (absent, present): (Vec<_>, Vec<_>) =
        overview.documents.into_iter().partition(|document| document.state == "absent");
    let absent: Vec<String> = absent.iter().map(|document| names::document(document.key, lang)).collect();
    Ok(StoresView {
        stores: overview.stores.into_iter().map(|store| card(store, visit)).collect(),
        folder: UntrustedText(visit.state.services.storage.config_dir.display().to_string()),
        documents: present.into_iter().map(|document| row(document, visit)).collect(),
        absent: absent.join(", "),
        remarks: remarks.chain(unknown).collect(),
    })
}

fn card(health: StoreHealth, visit: &PageVisit) -> StoreCard {
    let (lang, w) = (visit.lang, Words::of(visit.lang));
    let names = |keys: &[render_signal_actors::config::documents::Key]| {
        keys.iter().map(|key| names::document(key.as_str(), lang)).collect::<Vec<_>>().join(", ")
    };
    StoreCard {
        name: names::store(health.store, lang),
        role: if health.authority { w.authority } else { w.copy },
        badge: match &health.trouble {
            None => Badge::new(Mood::Good, w.store_well),
            Some(_) => Badge::new(Mood::Bad, w.store_silent),
        },
        since: health.since.map(|at| When::ago(visit.clock, at)),
        trouble: health.trouble.map(UntrustedText),
        pending: names(&health.pending),
        conflicts: names(&health.conflicts),
    }
}

fn row(document: DocumentOverview, visit: &PageVisit) -> DocumentRow {
    let lang = visit.lang;
    let workers = &document.workers;
    DocumentRow {
        name: names::document(document.key, lang),
        key: document.key,
        badge: badge(&document, Words::of(lang)),
        version: document.version.map(|version| version.to_string()).unwrap_or_default(),
        who: UntrustedText(document.origin.as_deref().map(|by| names::who(by, lang)).unwrap_or_default()),
        at: document.changed_at.map(|at| When::short(visit.clock, at)),
        running: match workers.alive {
            0 => String::new(),
            alive => Words::running(lang, workers.running, alive),
        },
        notes: notes(&document, lang),
    }
}

fn badge(document: &DocumentOverview, w: &Words) -> Badge {
    if document.withholds.is_some() {
        return Badge::new(Mood::Bad, w.withheld);
    }
    match document.state.as_str() {
        "ok" if document.remarks.is_empty() => Badge::new(Mood::Good, w.doc_ok),
        "ok" => Badge::new(Mood::Care, w.doc_ok),
        "missing" => Badge::new(Mood::Care, w.doc_missing),
        "invalid" => Badge::new(Mood::Bad, w.doc_invalid),
        _ => Badge::new(Mood::Care, w.doc_unknown),
    }
}

fn notes(document: &DocumentOverview, lang: Lang) -> Vec<UntrustedText> {
    let stands_still = document.withholds.map(|governs| lang.one(governs.said()));
    let problems = document.problems.iter().map(|problem| lang.problem(problem));
    let remarks = document.remarks.iter().map(|remark| lang.said(remark).to_owned());
    let off = document.switched_off.then(|| Words::of(lang).switched_off.to_owned());
    let keeps = document.workers.refused.iter().map(|keeps| lang.about(&keeps.worker, &keeps.why));
    let all = stands_still.into_iter().chain(problems).chain(remarks).chain(off).chain(keeps);
    all.map(UntrustedText).collect()
}
