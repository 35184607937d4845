//! What every form of this room has in common: what is asked of it, what is wrong with it, and what
//! becomes of what somebody sends.

use actix_web::HttpResponse;
use render_signal_actors::config::edit::Edit;

use super::desk::Desk;
use super::rule::FormErrors;
use super::words::Words;
use crate::http::pages::documents::{self, Problems, SEEN, SaveOutcome};
use crate::http::pages::form::FormData;
use crate::http::pages::frame::{Section, in_query};
use crate::http::pages::notice::{Notice, NoticeTone};
use crate::http::pages::parts::{Choice, FormField, Input};
use crate::http::pages::visit::{PageVisit, see};
use crate::http::problem::HttpProblem;
use crate::lang::Lang;

/// How many days of mails a trial may go through.
const DAY_CHOICES: [u32; 5] = [1, 3, 7, 14, 30];
/// The days of a trial when the form does not say.
const DEFAULT_DAYS: u32 = 7;

/// What the button says that was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Do {
    /// Save it.
    Save,
    /// Try it.
    Try,
    /// One more row.
    Add,
    /// Without this row, by its number in the form that was sent.
    Remove(usize),
}

impl Do {
    /// Of a form. Whoever presses Enter saves.
    pub(super) fn of(form: &FormData) -> Self {
        let word = form.text("do");
        match word {
            "try" => Self::Try,
            "add" => Self::Add,
            _ => word
                .strip_prefix("remove-")
                .and_then(|number| number.parse().ok())
                .map_or(Self::Save, Self::Remove),
        }
    }
}

/// What an address asks for: `?id=…&essai=…`.
pub(super) struct EditorQuery {
    /// Which one; empty = a new one.
    pub(super) id: String,
    /// As a trial has it; empty = as it is stored.
    pub(super) trial: String,
}

impl EditorQuery {
    pub(super) fn of(visit: &PageVisit) -> Self {
        let query = FormData::read(visit.request.query_string().as_bytes());
        Self { id: query.text("id").to_owned(), trial: query.text("essai").to_owned() }
    }
}

/// One line of the summary above a form that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ErrorSummaryLine {
    /// The id of the field; empty = the whole form.
    pub(super) href: String,
    /// Which field.
    pub(super) label: String,
    /// What is wrong with it.
    pub(super) why: String,
}

/// What a form of this room has besides its own rows.
#[derive(Debug)]
pub(super) struct Foot {
    /// The version that the form was made from.
    pub(super) seen: String,
    /// The mails of how many days are tried.
    pub(super) days: FormField,
    /// Everything that is wrong, for the summary.
    pub(super) faults: Vec<ErrorSummaryLine>,
    /// It was sent and is shown again: nothing of it is saved.
    pub(super) refused: bool,
    /// It shows what was tried.
    pub(super) tried: bool,
}

impl Foot {
    /// Of a form that is made anew from a document.
    pub(super) fn new(visit: &PageVisit, desk: &Desk) -> Self {
        let w = Words::of(visit.lang);
        let days = days_field(w, visit.lang, DEFAULT_DAYS);
        Self { seen: desk.seen.clone(), days, faults: Vec::new(), refused: desk.tried, tried: desk.tried }
    }

    /// Of one that is shown again, with what is wrong.
    pub(super) fn again(visit: &PageVisit, form: &FormData) -> Self {
        let w = Words::of(visit.lang);
        let days = days_field(w, visit.lang, days_of(form));
        let seen = form.text(SEEN).to_owned();
        Self { seen, days, faults: Vec::new(), refused: true, tried: false }
    }

    /// With what is wrong: fields that the form shows are named by their labels.
    pub(super) fn with(mut self, wrong: &FormErrors, fields: &[&FormField]) -> Self {
        self.faults = wrong
            .0
            .iter()
            .map(|(name, why)| match fields.iter().find(|field| field.name == *name) {
                Some(field) => ErrorSummaryLine {
                    href: format!("f-{name}"),
                    label: field.label.clone(),
                    why: why.clone(),
                },
                None => ErrorSummaryLine { href: String::new(), label: String::new(), why: why.clone() },
            })
            .collect();
        self
    }
}

fn days_field(w: &Words, lang: Lang, chosen: u32) -> FormField {
    let choice = |days: u32| Choice { value: days.to_string(), text: w.of_days(lang, days) };
    FormField::new("days", w.days, Input::Select(DAY_CHOICES.map(choice).to_vec()), chosen.to_string())
}

/// The mails of how many days somebody wants to try.
pub(super) fn days_of(form: &FormData) -> u32 {
    let sent = form.0.iter().find(|(name, _)| name == "days" || name.starts_with("days-"));
    sent.and_then(|(_, days)| days.parse().ok())
        .filter(|days| DAY_CHOICES.contains(days))
        .unwrap_or(DEFAULT_DAYS)
}

/// What somebody wants of a document that is on the desk.
pub(super) struct DocumentSubmission<'s> {
    /// The form as it was sent.
    pub(super) form: &'s FormData,
    /// What it makes of the document.
    pub(super) edit: Edit,
    /// Where it was sent to: the same address is asked once more after a conflict, or shows the draft.
    pub(super) place: String,
    /// Where to go when it is saved.
    pub(super) home: &'static str,
    /// What to say then.
    pub(super) said: String,
}

/// Saves what was sent, or tries it. `Err` = what is wrong, to be shown in the form.
pub(super) async fn carry_out(
    visit: &PageVisit,
    desk: &Desk,
    sent: DocumentSubmission<'_>,
    trying: bool,
) -> Result<Result<HttpResponse, Problems>, HttpProblem> {
    let seen = documents::seen_in(sent.form)?;
    if trying {
        let days = days_of(sent.form);
        let begun = desk.try_out(visit, &sent.edit, seen, days, &sent.place).await?;
        return Ok(begun.map(|id| see(&format!("/regles/essais/{id}")).finish()));
    }
    Ok(match Desk::save(visit, sent.edit, seen).await? {
        SaveOutcome::Saved(saved) => Ok(visit.back(sent.home, &spoken(saved.notice, &sent.said))),
        SaveOutcome::Refused(problems) => Err(problems),
        SaveOutcome::Conflict(conflict) => {
            Ok(conflict.show(visit, Section::Rules, sent.form, &sent.place, sent.home).await?)
        }
    })
}

/// What is said of a change: our own words when all is well, those about its trouble when there is some.
pub(super) fn spoken(notice: Notice, said: &str) -> Notice {
    match notice.tone {
        NoticeTone::Good => Notice::good(said),
        NoticeTone::Care | NoticeTone::Bad => notice,
    }
}

/// An address with `?id=…`; without one for something new.
pub(super) fn with_id(path: &str, id: &str) -> String {
    if id.is_empty() { path.to_owned() } else { format!("{path}?id={}", in_query(id)) }
}
