//! `/regles/detecteur`: one detector.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;
use render_signal_actors::config::documents::{self, Key};
use serde_json::Value;

use super::desk::Desk;
use super::detector::{DetectorFields, DetectorForm, Looks};
use super::list::{List, name_of};
use super::rule::FormErrors;
use super::send::{Do, DocumentSubmission, EditorQuery, Foot, carry_out, with_id};
use super::words::Words;
use crate::http::pages::form::FormData;
use crate::http::pages::frame::{Frame, Section};
use crate::http::pages::parts::FormField;
use crate::http::pages::visit::PageVisit;
use crate::http::problem::{HttpProblem, ProblemKind};

const HOME: &str = "/regles#detectors";
const LIST: List = List::Detectors;

#[derive(Template)]
#[template(path = "rules/detector.html")]
pub(super) struct DetectorFormPage {
    pub(super) frame: Frame,
    pub(super) w: &'static Words,
    pub(super) foot: Foot,
    pub(super) action: String,
    pub(super) fields: DetectorFields,
}

impl DetectorFormPage {
    async fn of(visit: &PageVisit, id: &str, form: &DetectorForm, wrong: &FormErrors, foot: Foot) -> Self {
        let w = Words::of(visit.lang);
        let title = if id.is_empty() { w.new_detector } else { w.title_detector };
        let fields = form.fields(w, visit.lang, wrong);
        Self {
            frame: visit.frame(Section::Rules, title).await,
            w,
            action: with_id(LIST.form(), id),
            foot: foot.with(wrong, &fields.all()),
            fields,
        }
    }
}

impl DetectorFields {
    fn all(&self) -> Vec<&FormField> {
        let own = [
            &self.name,
            &self.id,
            &self.value,
            &self.enabled,
            &self.mark_read,
            &self.keywords,
            &self.extract,
        ];
        let rows = self.rows.iter().flat_map(|row| row.main.iter().chain(&row.more));
        let lists = self.texts.iter().chain(&self.explains).chain(&self.outside);
        own.into_iter().chain(rows).chain(lists).collect()
    }
}

pub(super) async fn show(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let asked = EditorQuery::of(&visit);
    let desk = Desk::of_trial(&visit, Key::Detectors, &asked.trial).await?;
    let members = LIST.members(&desk.document);
    let form = match LIST.place(members, &asked.id).and_then(|place| members.get(place)) {
        Some(detector) => DetectorForm::of(detector),
        None if asked.id.is_empty() && desk.tried => {
            members.last().map_or_else(DetectorForm::new, DetectorForm::of)
        }
        None if asked.id.is_empty() => DetectorForm::new(),
        None => {
            return Err(HttpProblem::new(
                ProblemKind::NotFound,
                format!("there is no detector {:?}", asked.id),
            ));
        }
    };
    let foot = Foot::new(&visit, &desk);
    visit.show(&DetectorFormPage::of(&visit, &asked.id, &form, &FormErrors::default(), foot).await)
}

pub(super) async fn send(visit: PageVisit, form: FormData) -> Result<HttpResponse, HttpProblem> {
    let id = EditorQuery::of(&visit).id;
    let mut detector = DetectorForm::read(&form);
    let what = Do::of(&form);
    if let (Looks::Rows(tests), Looks::Rows(new)) = (&mut detector.looks, DetectorForm::new().looks) {
        match what {
            Do::Add => tests.rows.extend(new.rows.first().cloned()),
            Do::Remove(number) if number < tests.rows.len() => drop(tests.rows.remove(number)),
            Do::Remove(_) | Do::Save | Do::Try => {}
        }
        if tests.rows.is_empty() {
            tests.rows = new.rows;
        }
    }
    if matches!(what, Do::Add | Do::Remove(_)) {
        let foot = Foot::again(&visit, &form);
        return visit.show(&DetectorFormPage::of(&visit, &id, &detector, &FormErrors::default(), foot).await);
    }
    let desk = Desk::open(&visit, Key::Detectors).await?;
    let members = LIST.members(&desk.document);
    let place = if id.is_empty() { None } else { LIST.place(members, &id) };
    let at = place.unwrap_or(members.len());
    if id.is_empty() && detector.id.trim().is_empty() {
        detector.id = LIST.free_id(members, &detector.name);
    }
    let wrong = match detector.write(members.get(at), visit.lang) {
        Err(wrong) => FormErrors(wrong),
        Ok(made) => {
            let name = name_of(&made, &detector.id);
            let mut members = members.to_vec();
            match members.get_mut(at) {
                Some(stored) => *stored = made,
                None => members.push(made),
            }
            let document = LIST.with(&desk.document, members);
            let wrong = faults(&visit, &document, at, &detector);
            if wrong.0.is_empty() {
                let sent = DocumentSubmission {
                    form: &form,
                    edit: desk.replace(document),
                    place: with_id(LIST.form(), &id),
                    home: HOME,
                    said: Words::of(visit.lang).saved_named(visit.lang, &name),
                };
                match carry_out(&visit, &desk, sent, what == Do::Try).await? {
                    Ok(answer) => return Ok(answer),
                    Err(problems) => in_form(problems.0, at, &detector),
                }
            } else {
                wrong
            }
        }
    };
    let foot = Foot::again(&visit, &form);
    visit.show_as(
        StatusCode::UNPROCESSABLE_ENTITY,
        &DetectorFormPage::of(&visit, &id, &detector, &wrong, foot).await,
    )
}

/// What is wrong with this detector; what is wrong with others is none of this form's business.
fn faults(
    visit: &PageVisit,
    document: &serde_json::Map<String, Value>,
    at: usize,
    form: &DetectorForm,
) -> FormErrors {
    let env = &visit.state.services.configuration.editor.env;
    let found = documents::problems(Key::Detectors, &Value::Object(document.clone()), env);
    let own = format!("detectors[{at}]");
    let said = |problem: &documents::FieldProblem| {
        (problem.field.clone(), visit.lang.said(&problem.message).to_owned())
    };
    let own = found.iter().filter(|problem| problem.field.starts_with(&own) || !problem.field.contains('['));
    in_form(own.map(said).collect(), at, form)
}

/// What is wrong, at the fields of this form.
fn in_form(problems: Vec<(String, String)>, at: usize, form: &DetectorForm) -> FormErrors {
    let own = format!("detectors[{at}]");
    let place = |(path, why): (String, String)| {
        let Some(rest) = path.strip_prefix(&own) else {
            let named = if path.is_empty() { why } else { format!("{path}: {why}") };
            return (String::new(), named);
        };
        match form.field_of(rest) {
            (field, rest) if rest.is_empty() => (field, why),
            (field, rest) => (field, format!("{rest}: {why}")),
        }
    };
    FormErrors(problems.into_iter().map(place).collect())
}
