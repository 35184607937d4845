//! `/regles/regle`: one routing rule.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;
use render_signal_actors::config::documents::Key;

use super::desk::Desk;
use super::list::{List, name_of};
use super::rule::{ConditionInput, FormErrors, RuleFields, RuleForm, faults, field_of};
use super::send::{Do, DocumentSubmission, EditorQuery, Foot, carry_out, with_id};
use super::words::Words;
use crate::http::pages::documents::Problems;
use crate::http::pages::form::FormData;
use crate::http::pages::frame::{Frame, Section};
use crate::http::pages::parts::FormField;
use crate::http::pages::visit::PageVisit;
use crate::http::problem::{HttpProblem, ProblemKind};

const HOME: &str = "/regles#rules";
const LIST: List = List::Rules;

#[derive(Template)]
#[template(path = "rules/rule.html")]
pub(super) struct RuleFormPage {
    pub(super) frame: Frame,
    pub(super) w: &'static Words,
    pub(super) foot: Foot,
    pub(super) action: String,
    pub(super) fields: RuleFields,
}

impl RuleFormPage {
    async fn of(visit: &PageVisit, id: &str, form: &RuleForm, wrong: &FormErrors, foot: Foot) -> Self {
        let w = Words::of(visit.lang);
        let title = if id.is_empty() { w.new_rule } else { w.title_rule };
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

impl RuleFields {
    fn all(&self) -> Vec<&FormField> {
        let own =
            [&self.name, &self.enabled, &self.url, &self.stop, &self.priority, &self.ordering, &self.share];
        let rows = self.rows.iter().flat_map(|row| row.main.iter().chain(&row.more));
        own.into_iter().chain(rows).collect()
    }
}

pub(super) async fn show(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let asked = EditorQuery::of(&visit);
    let desk = Desk::of_trial(&visit, Key::RoutingRules, &asked.trial).await?;
    let members = LIST.members(&desk.document);
    let form = match LIST.place(members, &asked.id).and_then(|place| members.get(place)) {
        Some(rule) => RuleForm::of(rule),
        // A new one that was tried is the last of the draft.
        None if asked.id.is_empty() && desk.tried => members.last().map_or_else(RuleForm::new, RuleForm::of),
        None if asked.id.is_empty() => RuleForm::new(),
        None => {
            return Err(HttpProblem::new(ProblemKind::NotFound, format!("there is no rule {:?}", asked.id)));
        }
    };
    let foot = Foot::new(&visit, &desk);
    visit.show(&RuleFormPage::of(&visit, &asked.id, &form, &FormErrors::default(), foot).await)
}

pub(super) async fn send(visit: PageVisit, form: FormData) -> Result<HttpResponse, HttpProblem> {
    let id = EditorQuery::of(&visit).id;
    let mut rule = RuleForm::read(&form);
    let what = Do::of(&form);
    match what {
        Do::Add => rule.conditions.push(ConditionInput {
            field: "subject".to_owned(),
            operator: "contains".to_owned(),
            ..ConditionInput::default()
        }),
        Do::Remove(number) if number < rule.conditions.len() => drop(rule.conditions.remove(number)),
        Do::Remove(_) | Do::Save | Do::Try => {}
    }
    if rule.conditions.is_empty() {
        rule.conditions = RuleForm::new().conditions;
    }
    if matches!(what, Do::Add | Do::Remove(_)) {
        let foot = Foot::again(&visit, &form);
        return visit.show(&RuleFormPage::of(&visit, &id, &rule, &FormErrors::default(), foot).await);
    }
    let desk = Desk::open(&visit, Key::RoutingRules).await?;
    let members = LIST.members(&desk.document);
    let place = if id.is_empty() { None } else { LIST.place(members, &id) };
    let stored = place.and_then(|place| members.get(place));
    // One that somebody has deleted meanwhile comes back under its id.
    let new_id = if id.is_empty() { LIST.free_id(members, &rule.name) } else { id.clone() };
    let made = rule.write(stored, &new_id);
    let said = |(name, why): (String, render_signal_actors::kernel::said::Said)| (name, visit.lang.one(why));
    let mut wrong = FormErrors(
        faults(&made, &visit.state.services.configuration.editor.env).into_iter().map(said).collect(),
    );
    if wrong.0.is_empty() {
        let mut members = members.to_vec();
        let name = name_of(&made, &new_id);
        let at = place.unwrap_or(members.len());
        match members.get_mut(at) {
            Some(stored) => *stored = made,
            None => members.push(made),
        }
        let sent = DocumentSubmission {
            form: &form,
            edit: desk.replace(LIST.with(&desk.document, members)),
            place: with_id(LIST.form(), &id),
            home: HOME,
            said: Words::of(visit.lang).saved_named(visit.lang, &name),
        };
        match carry_out(&visit, &desk, sent, what == Do::Try).await? {
            Ok(answer) => return Ok(answer),
            Err(problems) => wrong = in_form(&problems, at),
        }
    }
    let foot = Foot::again(&visit, &form);
    visit.show_as(StatusCode::UNPROCESSABLE_ENTITY, &RuleFormPage::of(&visit, &id, &rule, &wrong, foot).await)
}

/// What is wrong with a document, at the fields of this form.
fn in_form(problems: &Problems, place: usize) -> FormErrors {
    let own = format!("rules[{place}]");
    let at = |(path, why): &(String, String)| match path.strip_prefix(&own) {
        Some(rest) => (field_of(rest), why.clone()),
        None if path.is_empty() => (String::new(), why.clone()),
        None => (String::new(), format!("{path}: {why}")),
    };
    FormErrors(problems.0.iter().map(at).collect())
}
