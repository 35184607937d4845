//! `/regles/expediteurs` and `/regles/mots`: lists, one entry to a line.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::edit::Edit;

use super::desk::Desk;
use super::rule::FormErrors;
use super::send::{Do, DocumentSubmission, EditorQuery, Foot, carry_out};
use super::sheet::{Sheet, SheetValues};
use super::words::Words;
use crate::http::pages::documents::history_of;
use crate::http::pages::form::FormData;
use crate::http::pages::frame::{Frame, Section};
use crate::http::pages::parts::FormField;
use crate::http::pages::visit::PageVisit;
use crate::http::problem::{HttpProblem, ProblemKind};

pub(super) struct SheetForm {
    pub(super) title: &'static str,
    pub(super) lead: &'static str,
    pub(super) word: &'static str,
    pub(super) fields: Vec<FormField>,
    pub(super) foot: Foot,
    pub(super) history: String,
}

/// A page with one or two of them.
#[derive(Template)]
#[template(path = "rules/sheets.html")]
pub(super) struct SheetsPage {
    pub(super) frame: Frame,
    pub(super) w: &'static Words,
    pub(super) action: &'static str,
    pub(super) sheets: Vec<SheetForm>,
}

impl SheetForm {
    fn of(visit: &PageVisit, sheet: Sheet, values: &SheetValues, wrong: &FormErrors, foot: Foot) -> Self {
        let (w, lang) = (Words::of(visit.lang), visit.lang);
        let environment = &visit.state.services.configuration.editor.env.senders;
        let fields = sheet.fields(values, w, lang, wrong, environment);
        let (title, lead) = match sheet {
            Sheet::Senders => (w.senders, w.senders_lead),
            Sheet::Priorities => (w.priorities, w.priorities_lead),
            Sheet::Aside => (w.words_title, w.words_lead),
        };
        let mut foot = foot;
        // Two forms of a page have a field of this kind each.
        foot.days.name = format!("days-{}", sheet.word());
        let foot = foot.with(wrong, &fields.iter().collect::<Vec<_>>());
        Self { title, lead, word: sheet.word(), fields, foot, history: history_of(sheet.key()) }
    }

    async fn stored(visit: &PageVisit, sheet: Sheet, trial: &str) -> Result<Self, HttpProblem> {
        let desk = Desk::of_trial(visit, sheet.key(), trial).await?;
        let foot = Foot::new(visit, &desk);
        Ok(Self::of(visit, sheet, &sheet.of(&desk.document), &FormErrors::default(), foot))
    }
}

async fn page(
    visit: &PageVisit,
    shown: &[Sheet],
    again: Option<(Sheet, SheetForm)>,
) -> Result<SheetsPage, HttpProblem> {
    let w = Words::of(visit.lang);
    let trial = EditorQuery::of(visit).trial;
    let mut sheets = Vec::with_capacity(shown.len());
    let mut again = again;
    for sheet in shown {
        sheets.push(match again.take_if(|(one, _)| one == sheet) {
            Some((_, one)) => one,
            None => SheetForm::stored(visit, *sheet, &trial).await?,
        });
    }
    let first = shown.first().copied().unwrap_or(Sheet::Aside);
    let title = if first == Sheet::Aside { w.words_title } else { w.senders_title };
    Ok(SheetsPage { frame: visit.frame(Section::Rules, title).await, w, action: first.page(), sheets })
}

const SENDERS: [Sheet; 2] = [Sheet::Senders, Sheet::Priorities];

pub(super) async fn senders(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    visit.show(&page(&visit, &SENDERS, None).await?)
}

pub(super) async fn aside(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    visit.show(&page(&visit, &[Sheet::Aside], None).await?)
}

pub(super) async fn send(visit: PageVisit, form: FormData) -> Result<HttpResponse, HttpProblem> {
    let none = || HttpProblem::new(ProblemKind::InvalidBody, "the form does not say which list it is");
    let sheet = Sheet::named(form.text("sheet")).ok_or_else(none)?;
    let desk = Desk::open(&visit, sheet.key()).await?;
    let values = sheet.read(&form);
    let mut wrong = sheet.faults(&values, &desk.document, visit.lang);
    if wrong.0.is_empty() {
        let sent = DocumentSubmission {
            form: &form,
            edit: edit(sheet.key(), &sheet.changed(&values, &desk.document)),
            place: sheet.page().to_owned(),
            home: sheet.page(),
            said: Words::of(visit.lang).saved.to_owned(),
        };
        match carry_out(&visit, &desk, sent, Do::of(&form) == Do::Try).await? {
            Ok(answer) => return Ok(answer),
            Err(problems) => {
                let at = |(path, why): (String, String)| match sheet.field_of(&path) {
                    field if field.is_empty() && !path.is_empty() => (field, format!("{path}: {why}")),
                    field => (field, why),
                };
                wrong = FormErrors(problems.0.into_iter().map(at).collect());
            }
        }
    }
    let one = SheetForm::of(&visit, sheet, &values, &wrong, Foot::again(&visit, &form));
    let shown: &[Sheet] = if sheet == Sheet::Aside { &[Sheet::Aside] } else { &SENDERS };
    visit.show_as(StatusCode::UNPROCESSABLE_ENTITY, &page(&visit, shown, Some((sheet, one))).await?)
}

fn edit(key: Key, changed: &[(String, Option<serde_json::Value>)]) -> Edit {
    Edit::merge(key, changed.to_vec(), "")
}
