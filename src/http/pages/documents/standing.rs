//! How the stores and the documents stand, for the top of a page: nothing when all is well.

use askama::Template;
use askama::filters::HtmlSafe;
use render_signal_actors::config::documents::{FieldProblem, Key};

use super::names::document;
use super::words::Words;
use crate::http::pages::parts::{Mood, UntrustedText};
use crate::http::pages::visit::PageVisit;
use crate::services::config::overview::{ConfigOverview, DocumentOverview};

/// One thing to know.
#[derive(Debug, Clone)]
pub(in crate::http::pages) struct DocumentNotice {
    /// How bad it is.
    pub(in crate::http::pages) mood: Mood,
    pub(in crate::http::pages) text: UntrustedText,
    /// Where to decide or to look; empty = nowhere.
    pub(in crate::http::pages) href: String,
    /// What the link says.
    pub(in crate::http::pages) link: &'static str,
}

/// What is to be known before something is changed; empty when all is well.
#[derive(Debug, Clone, Default, Template)]
#[template(
    source = "{% if !lines.is_empty() %}<ul class=\"standing\">{% for line in lines %}<li class=\"notice {{ line.mood.word() }}\">{{ line.text }}{% if !line.href.is_empty() %} <a class=\"button small\" href=\"{{ line.href }}\">{{ line.link }}</a>{% endif %}</li>{% endfor %}</ul>{% endif %}",
    ext = "html"
)]
pub(in crate::http::pages) struct DocumentNotices {
    /// The worst first.
    pub(in crate::http::pages) lines: Vec<DocumentNotice>,
}

impl HtmlSafe for DocumentNotices {}

impl DocumentNotices {
    /// Of what is known.
    pub(super) fn of(visit: &PageVisit, overview: &ConfigOverview) -> Self {
        let (w, lang) = (Words::of(visit.lang), visit.lang);
        let plain = |mood, text: String| DocumentNotice {
            mood,
            text: UntrustedText(text),
            href: String::new(),
            link: "",
        };
        let mut lines = Vec::new();
        for store in &overview.stores {
            for key in &store.conflicts {
                let text = w.two_versions(lang, &document(lang, *key));
                lines.push(DocumentNotice {
                    href: format!("/reglages/conflit/{key}"),
                    link: w.decide,
                    ..plain(Mood::Bad, text)
                });
            }
        }
        for state in &overview.documents {
            lines.extend(of_document(visit, state).map(|text| plain(Mood::Bad, text)));
        }
        for store in &overview.stores {
            if let Some(trouble) = &store.trouble {
                let text = w.store_trouble(lang, store.store, store.authority, trouble);
                lines.push(plain(if store.authority { Mood::Care } else { Mood::None }, text));
            }
            if !store.pending.is_empty() {
                let names: Vec<String> = store.pending.iter().map(|key| document(lang, *key)).collect();
                lines.push(plain(Mood::Care, w.pending(lang, store.store, &names.join(", "))));
            }
        }
        if let Some(why) = &overview.workers_unknown {
            lines.push(plain(
                Mood::None,
                lang.say("Les autres processus n'ont pas répondu", "The other workers did not answer", why),
            ));
        }
        for state in &overview.documents {
            for keeps in &state.workers.refused {
                let (worker, why) = (&keeps.worker, lang.said(&keeps.why));
                lines.push(plain(Mood::Care, w.worker_keeps(lang, worker, why)));
            }
        }
        Self { lines }
    }
}

/// What is wrong with a document, and what that means.
fn of_document(visit: &PageVisit, state: &DocumentOverview) -> Option<String> {
    let (w, lang) = (Words::of(visit.lang), visit.lang);
    let key = Key::named(state.key)?;
    let name = document(lang, key);
    let wrong = |problem: &FieldProblem| lang.problem(problem);
    let wrong: Vec<String> = state.problems.iter().map(wrong).collect();
    let wrong = wrong.join(lang.pick(" ; ", "; "));
    let meaning = match &state.withholds {
        Some(governs) => lang.one(governs.said()),
        None if state.switched_off => w.off_obeyed.to_owned(),
        None => w.last_good.to_owned(),
    };
    match state.state.as_str() {
        "invalid" => Some(w.refused(lang, &name, &wrong, &meaning)),
        "unknown" => Some(w.unreadable(lang, &name, &wrong)),
        "missing" => Some(w.about(lang, &name, &wrong)),
        // Parts that disabled themselves.
        _ if !state.problems.is_empty() => Some(w.about(lang, &name, &wrong)),
        _ => None,
    }
}
