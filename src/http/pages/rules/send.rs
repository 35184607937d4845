//! What every form of this room has in common: what is asked of it, what is wrong with it, and what
//! becomes of what somebody sends.

use actix_web::HttpResponse;
use render_signal_actors::config::edit::Edit;

use super::desk::Desk;
use super::rule::Wrong;
use super::words::Words;
use crate::http::pages::documents::{self, Outcome, Problems, SEEN};
use crate::http::pages::form::Form;
use crate::http::pages::frame::{Section, in_query};
use crate::http::pages::notice::{Notice, Tone};
use crate::http::pages::parts::{Choice, Field, Input};
use crate::http::pages::visit::{Visit, see};
use crate::http::problem::Problem;
use crate::lang::Lang;

/// The mails of so many days can be tried.
const DAYS: [u32; 5] = [1, 3, 7, 14, 30];
/// When nothing else is asked for.
const USUAL: u32 = 7;

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
    pub(super) fn of(form: &Form) -> Self {
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
pub(super) struct Asked {
    /// Which one; empty = a new one.
    pub(super) id: String,
    /// As a trial has it; empty = as it is stored.
    pub(super) trial: String,
}

impl Asked {
    pub(super) fn of(visit: &Visit) -> Self {
        let query = Form::read(visit.request.query_string().as_bytes());
        Self { id: query.text("id").to_owned(), trial: query.text("essai").to_owned() }
    }
}

/// One line of the summary above a form that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
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
    pub(super) days: Field,
    /// Everything that is wrong, for the summary.
    pub(super) faults: Vec<Fault>,
    /// It was sent and is shown again: nothing of it is saved.
    pub(super) refused: bool,
    /// It shows what was tried.
    pub(super) tried: bool,
}

impl Foot {
    /// Of a form that is made anew from a document.
    pub(super) fn new(visit: &Visit, desk: &Desk) -> Self {
        let w = Words::of(visit.lang);
        let days = days_field(w, visit.lang, USUAL);
        Self { seen: desk.seen.clone(), days, faults: Vec::new(), refused: desk.tried, tried: desk.tried }
    }

    /// Of one that is shown again, with what is wrong.
    pub(super) fn again(visit: &Visit, form: &Form) -> Self {
        let w = Words::of(visit.lang);
        let days = days_field(w, visit.lang, days_of(form));
        let seen = form.text(SEEN).to_owned();
        Self { seen, days, faults: Vec::new(), refused: true, tried: false }
    }

    /// With what is wrong: fields that the form shows are named by their labels.
    pub(super) fn with(mut self, wrong: &Wrong, fields: &[&Field]) -> Self {
        self.faults = wrong
            .0
            .iter()
            .map(|(name, why)| match fields.iter().find(|field| field.name == *name) {
                Some(field) => {
                    Fault { href: format!("f-{name}"), label: field.label.clone(), why: why.clone() }
                }
                None => Fault { href: String::new(), label: String::new(), why: why.clone() },
            })
            .collect();
        self
    }
}

fn days_field(w: &Words, lang: Lang, chosen: u32) -> Field {
    let choice = |days: u32| Choice { value: days.to_string(), text: w.of_days(lang, days) };
    Field::new("days", w.days, Input::Select(DAYS.map(choice).to_vec()), chosen.to_string())
}

/// The mails of how many days somebody wants to try.
pub(super) fn days_of(form: &Form) -> u32 {
    let sent = form.0.iter().find(|(name, _)| name == "days" || name.starts_with("days-"));
    sent.and_then(|(_, days)| days.parse().ok()).filter(|days| DAYS.contains(days)).unwrap_or(USUAL)
}

/// What somebody wants of a document that is on the desk.
pub(super) struct Sent<'s> {
    /// The form as it was sent.
    pub(super) form: &'s Form,
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
    visit: &Visit,
    desk: &Desk,
    sent: Sent<'_>,
    trying: bool,
) -> Result<Result<HttpResponse, Problems>, Problem> {
    let seen = documents::seen_in(sent.form)?;
    if trying {
        let days = days_of(sent.form);
        let begun = desk.try_out(visit, &sent.edit, seen, days, &sent.place).await?;
        return Ok(begun.map(|id| see(&format!("/regles/essais/{id}")).finish()));
    }
    Ok(match Desk::save(visit, sent.edit, seen).await? {
        Outcome::Saved(saved) => Ok(visit.back(sent.home, &spoken(saved.notice, &sent.said))),
        Outcome::Refused(problems) => Err(problems),
        Outcome::Conflict(conflict) => {
            Ok(conflict.show(visit, Section::Rules, sent.form, &sent.place, sent.home).await?)
        }
    })
}

/// What is said of a change: our own words when all is well, those about its trouble when there is some.
pub(super) fn spoken(notice: Notice, said: &str) -> Notice {
    match notice.tone {
        Tone::Good => Notice::good(said),
        Tone::Care | Tone::Bad => notice,
    }
}

/// An address with `?id=…`; without one for something new.
pub(super) fn with_id(path: &str, id: &str) -> String {
    if id.is_empty() { path.to_owned() } else { format!("{path}?id={}", in_query(id)) }
}
