//! `/regles/services` and `/regles/service`: the file services, and one of them.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;
use render_signal_actors::config::documents::{self, Key};
use serde_json::{Map, Value};

use super::desk::Desk;
use super::line::Sentence;
use super::rule::{FormErrors, shown};
use super::send::{Do, DocumentSubmission, EditorQuery, Foot, carry_out, with_id};
use super::service::ServiceForm;
use super::words::Words;
use crate::http::pages::documents::history_of;
use crate::http::pages::form::FormData;
use crate::http::pages::frame::{Frame, Section};
use crate::http::pages::notice::Notice;
use crate::http::pages::parts::{Confirm, Empty, FormField, UntrustedText};
use crate::http::pages::visit::PageVisit;
use crate::http::problem::{HttpProblem, ProblemKind};

const HOME: &str = "/regles/services";
const FORM: &str = "/regles/service";
const KEY: Key = Key::Providers;

/// A service in the list.
struct ServiceEntry {
    name: UntrustedText,
    href: String,
    hosts: Sentence,
}

#[derive(Template)]
#[template(path = "rules/services.html")]
struct All {
    frame: Frame,
    w: &'static Words,
    built_in: bool,
    entries: Vec<ServiceEntry>,
    empty: Empty,
    history: String,
    reset: Option<Confirm>,
}

#[derive(Template)]
#[template(path = "rules/service.html")]
struct ServiceFormPage {
    frame: Frame,
    w: &'static Words,
    foot: Foot,
    action: String,
    fields: Vec<FormField>,
    delete: Option<Confirm>,
}

fn members(document: &Map<String, Value>) -> &[Value] {
    document.get("providers").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The names of the services of a document.
pub(super) fn names(document: &Map<String, Value>) -> Vec<String> {
    members(document).iter().filter_map(|one| one.get("name")).map(shown).collect()
}

fn find<'d>(document: &'d Map<String, Value>, name: &str) -> Option<(usize, &'d Value)> {
    let of = |one: &Value| one.get("name").map(shown).unwrap_or_default() == name;
    members(document).iter().enumerate().find(|(_, one)| of(one))
}

pub(super) async fn all(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let (w, lang) = (Words::of(visit.lang), visit.lang);
    let desk = Desk::open(&visit, KEY).await?;
    let entry = |one: &Value| {
        let name = one.get("name").map(shown).unwrap_or_default();
        let hosts = match one.get("hosts") {
            Some(Value::Array(hosts)) => hosts.iter().map(shown).collect(),
            _ => Vec::new(),
        };
        ServiceEntry {
            href: with_id(FORM, &name),
            name: UntrustedText(name),
            hosts: Sentence::default().list(lang, &hosts, 4),
        }
    };
    visit.show(&All {
        frame: visit.frame(Section::Rules, w.services).await,
        w,
        built_in: desk.built_in,
        entries: members(&desk.document).iter().map(entry).collect(),
        empty: Empty { title: w.no_services.to_owned(), text: w.no_services_text.to_owned() },
        history: history_of(KEY),
        reset: (!desk.built_in).then(|| super::order::reset(w, KEY, w.reset_services)),
    })
}

impl ServiceFormPage {
    async fn of(visit: &PageVisit, name: &str, form: &ServiceForm, wrong: &FormErrors, foot: Foot) -> Self {
        let (w, lang) = (Words::of(visit.lang), visit.lang);
        let title = if name.is_empty() { w.new_service } else { w.title_service };
        let fields = form.fields(w, wrong);
        let delete = (!name.is_empty()).then(|| Confirm {
            id: "delete".to_owned(),
            button: w.delete.to_owned(),
            class: "danger",
            title: w.delete_title(lang, name),
            text: w.delete_text.to_owned(),
            action: with_id(FORM, name),
            fields: vec![
                ("do".to_owned(), "delete".to_owned()),
                (crate::http::pages::documents::SEEN.to_owned(), foot.seen.clone()),
            ],
            yes: w.delete.to_owned(),
            no: w.cancel.to_owned(),
        });
        Self {
            frame: visit.frame(Section::Rules, title).await,
            w,
            action: with_id(FORM, name),
            foot: foot.with(wrong, &fields.iter().collect::<Vec<_>>()),
            fields,
            delete,
        }
    }
}

pub(super) async fn show(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let asked = EditorQuery::of(&visit);
    let desk = Desk::of_trial(&visit, KEY, &asked.trial).await?;
    let nothing = Value::Null;
    let stored = match find(&desk.document, &asked.id) {
        Some((_, stored)) => stored,
        None if asked.id.is_empty() && desk.tried => members(&desk.document).last().unwrap_or(&nothing),
        None if asked.id.is_empty() => &nothing,
        None => {
            return Err(HttpProblem::new(
                ProblemKind::NotFound,
                format!("there is no service {:?}", asked.id),
            ));
        }
    };
    let foot = Foot::new(&visit, &desk);
    visit.show(
        &ServiceFormPage::of(&visit, &asked.id, &ServiceForm::of(stored), &FormErrors::default(), foot).await,
    )
}

pub(super) async fn send(visit: PageVisit, form: FormData) -> Result<HttpResponse, HttpProblem> {
    let (w, lang) = (Words::of(visit.lang), visit.lang);
    let id = EditorQuery::of(&visit).id;
    let desk = Desk::open(&visit, KEY).await?;
    let found = if id.is_empty() { None } else { find(&desk.document, &id) };
    let mut services = members(&desk.document).to_vec();
    let at = found.map_or(services.len(), |(at, _)| at);
    let with = |services: Vec<Value>| {
        let mut document = desk.document.clone();
        document.insert("providers".to_owned(), Value::Array(services));
        document
    };
    if form.text("do") == "delete" {
        if at >= services.len() {
            return Ok(visit.back(HOME, &Notice::bad(w.changed_meanwhile)));
        }
        services.remove(at);
        let (edit, said) = (desk.replace(with(services)), w.deleted(lang, &id));
        let sent = DocumentSubmission { form: &form, edit, place: with_id(FORM, &id), home: HOME, said };
        return Ok(match carry_out(&visit, &desk, sent, false).await? {
            Ok(answer) => answer,
            Err(problems) => visit.back(HOME, &Notice::bad(joined(&problems.0))),
        });
    }
    let service = ServiceForm::read(&form);
    let made = service.write(found.map(|(_, stored)| stored));
    match services.get_mut(at) {
        Some(stored) => *stored = made,
        None => services.push(made),
    }
    let document = with(services);
    let env = &visit.state.services.configuration.editor.env;
    let said =
        |problem: &documents::FieldProblem| (problem.field.clone(), lang.said(&problem.message).to_owned());
    let problems = documents::problems(KEY, &Value::Object(document.clone()), env);
    let mut wrong = in_form(problems.iter().map(said).collect(), at);
    if wrong.0.is_empty() {
        let said = w.saved_named(lang, service.name.trim());
        let sent = DocumentSubmission {
            form: &form,
            edit: desk.replace(document),
            place: with_id(FORM, &id),
            home: HOME,
            said,
        };
        match carry_out(&visit, &desk, sent, Do::of(&form) == Do::Try).await? {
            Ok(answer) => return Ok(answer),
            Err(problems) => wrong = in_form(problems.0, at),
        }
    }
    let foot = Foot::again(&visit, &form);
    visit.show_as(
        StatusCode::UNPROCESSABLE_ENTITY,
        &ServiceFormPage::of(&visit, &id, &service, &wrong, foot).await,
    )
}

/// What is wrong, at the fields of this form. One service that is wrong makes the document wrong, so
/// what is wrong with another one is said, too.
fn in_form(problems: Vec<(String, String)>, at: usize) -> FormErrors {
    let own = format!("providers[{at}]");
    let place = |(path, why): (String, String)| match path.strip_prefix(&own) {
        Some(rest) => (ServiceForm::field_of(rest), why),
        None if path.is_empty() => (String::new(), why),
        None => (String::new(), format!("{path}: {why}")),
    };
    FormErrors(problems.into_iter().map(place).collect())
}

/// All that is wrong, in one line.
pub(super) fn joined(problems: &[(String, String)]) -> String {
    let line = |(path, why): &(String, String)| match path.as_str() {
        "" => why.clone(),
        path => format!("{path}: {why}"),
    };
    problems.iter().map(line).collect::<Vec<_>>().join(" ")
}
