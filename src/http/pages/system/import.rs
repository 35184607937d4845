//! All documents from one file: what that would change, and then the change.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use render_signal_actors::config::diff::FieldDifference;
use render_signal_actors::kernel::digest::sha256;
use serde_json::Value;

use super::words::Words;
use super::{HOME, Told, page};
use crate::http::pages::form::Form;
use crate::http::pages::names;
use crate::http::pages::notice::Notice;
use crate::http::pages::parts::{Badge, Mood, Shown};
use crate::http::pages::visit::Visit;
use crate::http::problem::Problem;
use crate::lang::Lang;
use crate::services::config::bundle::{Bundle, Fate, Imported, Outcome};

/// Characters of a value that are shown.
const LONGEST: usize = 400;

/// The form, and what an import would do.
#[derive(Default)]
pub(super) struct ImportForm {
    /// What was pasted.
    pub(super) text: String,
    /// What is wrong with it; empty = nothing.
    pub(super) error: String,
    /// What it would do.
    pub(super) preview: Option<Preview>,
}

/// What an import would do.
pub(super) struct Preview {
    /// In a sentence.
    pub(super) said: String,
    /// The settings have changed since the preview before.
    pub(super) moved: bool,
    /// It can be written, and changes something.
    pub(super) writable: bool,
    /// Names exactly this preview; see [`fingerprint`].
    pub(super) seen: String,
    /// By document.
    pub(super) documents: Vec<DocumentPreview>,
}

/// What an import would do to a document.
pub(super) struct DocumentPreview {
    /// What people call it.
    pub(super) name: String,
    /// What becomes of it.
    pub(super) badge: Badge,
    /// What is wrong with it.
    pub(super) problems: Vec<Shown>,
    /// What differs.
    pub(super) differences: Vec<DifferenceRow>,
}

/// A thing that differs.
pub(super) struct DifferenceRow {
    /// Where.
    pub(super) path: Shown,
    /// What is there.
    pub(super) before: Shown,
    /// What would be there.
    pub(super) after: Shown,
}

/// POST `/systeme/import`.
pub(super) async fn preview(visit: Visit, form: Form) -> Result<HttpResponse, Problem> {
    look(&visit, form.text("text"), false).await
}

/// POST `/systeme/import/ecrire`: what was shown, and nothing else.
pub(super) async fn write(visit: Visit, form: Form) -> Result<HttpResponse, Problem> {
    let (lang, text) = (visit.lang, form.text("text"));
    let Ok(bundle) = read(text, lang) else { return look(&visit, text, false).await };
    let configuration = &visit.state.services.configuration;
    let by = visit.caller.by();
    let Ok(now) = configuration.import(&bundle, &by, true).await else {
        return look(&visit, text, false).await;
    };
    if fingerprint(&now) != form.text("seen") {
        return look(&visit, text, true).await;
    }
    let outcome = match configuration.import(&bundle, &by, false).await {
        Ok(outcome) => outcome,
        // Some may be written: the history says which.
        Err(refused) => {
            return Ok(visit.back(HOME, &Notice::bad(names::told(&refused.said(), lang))));
        }
    };
    if !outcome.written {
        return look(&visit, text, true).await;
    }
    let changed = outcome.documents.iter().filter(|document| document.fate != Fate::Unchanged).count();
    tracing::info!(by, documents = changed, "a configuration was imported");
    Ok(visit.back(HOME, &Notice::good(Words::imported(lang, changed))))
}

/// The page with what the text would change, or with what is wrong with it.
async fn look(visit: &Visit, text: &str, moved: bool) -> Result<HttpResponse, Problem> {
    let lang = visit.lang;
    let looked = match read(text, lang) {
        Ok(bundle) => {
            let outcome = visit.state.services.configuration.import(&bundle, &visit.caller.by(), true).await;
            outcome.map_err(|refused| names::told(&refused.said(), lang))
        }
        Err(error) => Err(error),
    };
    let (status, error, preview) = match looked {
        Ok(outcome) => (StatusCode::OK, String::new(), Some(shown(outcome, lang, moved))),
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, error, None),
    };
    let import = ImportForm { text: text.to_owned(), error, preview };
    page(visit, status, Told { import: Some(import), ..Told::default() }).await
}

fn read(text: &str, lang: Lang) -> Result<Bundle, String> {
    let w = Words::of(lang);
    if text.is_empty() {
        return Err(w.import_empty.to_owned());
    }
    serde_json::from_str(text).map_err(|error| match lang {
        Lang::Fr => format!("Ce texte {} {error}", w.not_json),
        Lang::En => format!("This text {} {error}", w.not_json),
    })
}

/// Names what an import would do: another one, as soon as that is something else.
fn fingerprint(outcome: &Outcome) -> String {
    // It always has a JSON form. Values in it are masked, so this is no way to guess at them.
    let text = serde_json::to_vec(&outcome.documents).unwrap_or_default();
    sha256(text)
}

fn shown(outcome: Outcome, lang: Lang, moved: bool) -> Preview {
    let w = Words::of(lang);
    let seen = fingerprint(&outcome);
    let has = |fate| outcome.documents.iter().any(|document| document.fate == fate);
    let changed = outcome.documents.iter().filter(|document| document.fate != Fate::Unchanged).count();
    let refused = has(Fate::Refused);
    Preview {
        said: match (refused, changed) {
            (true, _) => w.preview_refused.to_owned(),
            (false, 0) => w.preview_same.to_owned(),
            (false, changed) => Words::would_change(lang, changed),
        },
        moved,
        writable: !refused && changed > 0,
        seen,
        documents: outcome.documents.into_iter().map(|document| one(document, lang)).collect(),
    }
}

fn one(document: Imported, lang: Lang) -> DocumentPreview {
    let w = Words::of(lang);
    DocumentPreview {
        name: names::document(document.key.as_str(), lang),
        badge: match document.fate {
            Fate::Unchanged => Badge::new(Mood::None, w.fate_unchanged),
            Fate::Created => Badge::new(Mood::Good, w.fate_created),
            Fate::Replaced => Badge::new(Mood::Wait, w.fate_replaced),
            Fate::Refused => Badge::new(Mood::Bad, w.fate_refused),
        },
        problems: document.problems.iter().map(|problem| Shown(lang.problem(problem))).collect(),
        differences: document.differences.into_iter().map(|found| row(found, w)).collect(),
    }
}

fn row(found: FieldDifference, w: &Words) -> DifferenceRow {
    let hidden = found.hidden && found.before == found.after;
    let value = |value: Option<Value>| match value {
        _ if hidden => Shown(w.hidden_value.to_owned()),
        None => Shown(w.nothing.to_owned()),
        Some(Value::String(text)) => Shown(cut(text)),
        Some(value) => Shown(cut(value.to_string())),
    };
    DifferenceRow { path: Shown(found.path), before: value(found.before), after: value(found.after) }
}

fn cut(text: String) -> String {
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}
