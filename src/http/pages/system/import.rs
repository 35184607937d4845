//! All documents from one file: what that would change, and then the change.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use render_signal_actors::config::diff::FieldDifference;
use render_signal_actors::kernel::digest::sha256;
use serde_json::Value;

use super::words::Words;
use super::{HOME, SystemResults, page};
use crate::http::pages::form::FormData;
use crate::http::pages::names;
use crate::http::pages::notice::Notice;
use crate::http::pages::parts::{Badge, Mood, UntrustedText};
use crate::http::pages::visit::PageVisit;
use crate::http::problem::HttpProblem;
use crate::lang::Lang;
use crate::services::config::bundle::{Bundle, ImportOutcome, Imported, ImportedFate};

/// Characters of a value that are shown.
const MAX_VALUE_CHARS: usize = 400;

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
    pub(super) problems: Vec<UntrustedText>,
    /// What differs.
    pub(super) differences: Vec<DifferenceRow>,
}

/// A thing that differs.
pub(super) struct DifferenceRow {
    pub(super) path: UntrustedText,
    /// What is there.
    pub(super) before: UntrustedText,
    /// What would be there.
    pub(super) after: UntrustedText,
}

/// POST `/systeme/import`.
pub(super) async fn preview(visit: PageVisit, form: FormData) -> Result<HttpResponse, HttpProblem> {
    look(&visit, form.text("text"), false).await
}

/// POST `/systeme/import/ecrire`: what was shown, and nothing else.
pub(super) async fn write(visit: PageVisit, form: FormData) -> Result<HttpResponse, HttpProblem> {
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
    let changed =
        outcome.documents.iter().filter(|document| document.fate != ImportedFate::Unchanged).count();
    tracing::info!(by, documents = changed, "a configuration was imported");
    Ok(visit.back(HOME, &Notice::good(Words::imported(lang, changed))))
}

/// The page with what the text would change, or with what is wrong with it.
async fn look(visit: &PageVisit, text: &str, moved: bool) -> Result<HttpResponse, HttpProblem> {
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
    page(visit, status, SystemResults { import: Some(import), ..SystemResults::default() }).await
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
fn fingerprint(outcome: &ImportOutcome) -> String {
    // It always has a JSON form. Values in it are masked, so this is no way to guess at them.
    let text = serde_json::to_vec(&outcome.documents).unwrap_or_default();
    sha256(text)
}

fn shown(outcome: ImportOutcome, lang: Lang, moved: bool) -> Preview {
    let w = Words::of(lang);
    let seen = fingerprint(&outcome);
    let has = |fate| outcome.documents.iter().any(|document| document.fate == fate);
    let changed =
        outcome.documents.iter().filter(|document| document.fate != ImportedFate::Unchanged).count();
    let refused = has(ImportedFate::Refused);
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
            ImportedFate::Unchanged => Badge::new(Mood::None, w.fate_unchanged),
            ImportedFate::Created => Badge::new(Mood::Good, w.fate_created),
            ImportedFate::Replaced => Badge::new(Mood::Wait, w.fate_replaced),
            ImportedFate::Refused => Badge::new(Mood::Bad, w.fate_refused),
        },
        problems: document.problems.iter().map(|problem| UntrustedText(lang.problem(problem))).collect(),
        differences: document.differences.into_iter().map(|found| row(found, w)).collect(),
    }
}

fn row(found: FieldDifference, w: &Words) -> DifferenceRow {
    let hidden = found.hidden && found.before == found.after;
    let value = |value: Option<Value>| match value {
        _ if hidden => UntrustedText(w.hidden_value.to_owned()),
        None => UntrustedText(w.nothing.to_owned()),
        Some(Value::String(text)) => UntrustedText(cut(text)),
        Some(value) => UntrustedText(cut(value.to_string())),
    };
    DifferenceRow { path: UntrustedText(found.path), before: value(found.before), after: value(found.after) }
}

fn cut(text: String) -> String {
    if text.chars().count() <= MAX_VALUE_CHARS {
        return text;
    }
    text.chars().take(MAX_VALUE_CHARS).chain(['…']).collect()
}
