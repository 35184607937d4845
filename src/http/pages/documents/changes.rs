//! What differs, in words.

use askama::Template;
use askama::filters::HtmlSafe;
use render_signal_actors::config::diff::FieldDifference;
use render_signal_actors::config::edit::UPDATED_AT;

use super::names::path;
use super::values::in_words;
use super::words::Words;
use crate::http::pages::parts::UntrustedText;
use crate::http::pages::visit::PageVisit;

/// A field before and after.
#[derive(Debug, Clone)]
pub(super) struct FieldChange {
    /// Which field.
    pub(super) label: UntrustedText,
    /// Before; `None` = it was not there.
    pub(super) before: Option<UntrustedText>,
    /// After; `None` = it is gone.
    pub(super) after: Option<UntrustedText>,
    /// It differs in what the mask hides.
    pub(super) hidden: bool,
}

/// A list of differences, each with both values.
#[derive(Debug, Clone, Template)]
#[template(path = "documents/changes.html")]
pub(in crate::http::pages) struct ChangeList {
    /// The texts.
    pub(super) w: &'static Words,
    /// What the first value is called.
    pub(super) old: &'static str,
    /// What the second one is called.
    pub(super) new: &'static str,
    /// In the order of the documents.
    pub(super) rows: Vec<FieldChange>,
}

impl HtmlSafe for ChangeList {}

impl ChangeList {
    /// In words; when the document was written is none of them.
    pub(in crate::http::pages) fn of(
        visit: &PageVisit,
        found: &[FieldDifference],
        [old, new]: [&'static str; 2],
    ) -> Self {
        let value = |one: &FieldDifference, value: Option<&serde_json::Value>| {
            value.map(|value| UntrustedText(in_words(visit.clock, &one.path, value)))
        };
        let rows = found.iter().filter(|one| one.path != UPDATED_AT).map(|one| FieldChange {
            label: UntrustedText(path(visit.lang, &one.path)),
            before: value(one, one.before.as_ref()),
            after: value(one, one.after.as_ref()),
            hidden: one.hidden,
        });
        Self { w: Words::of(visit.lang), old, new, rows: rows.collect() }
    }
}
