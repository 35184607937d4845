//! `/regles`: what happens to a mail, step by step, and the two lists in their places.

use actix_web::HttpResponse;
use askama::Template;
use render_signal_actors::config::active::ActiveDocuments;
use render_signal_actors::config::documents::{self, FieldProblem, Key};
use render_signal_actors::config::load::load;
use serde_json::{Map, Value};

use super::chain::{Chain, chain};
use super::desk::Desk;
use super::line::Sentence;
use super::list::{List, is_enabled, name_of};
use super::one_service::names;
use super::send::with_id;
use super::sentence::{detector_then, detector_when, rule_then, rule_when};
use super::words::Words;
use crate::http::pages::documents::{DocumentNotices, EditedDocuments, history_of};
use crate::http::pages::frame::{Frame, Section};
use crate::http::pages::parts::{Badge, Confirm, Empty, Mood, UntrustedText};
use crate::http::pages::visit::PageVisit;
use crate::http::problem::HttpProblem;
use crate::lang::Lang;

/// One rule, or one detector.
pub(super) struct ListMember {
    /// Its id, as a form sends it.
    pub(super) id: String,
    /// From 1.
    pub(super) place: usize,
    /// For people, as it is shown, and as it is said of a button.
    pub(super) name: UntrustedText,
    /// The same, without marks.
    pub(super) plain: String,
    /// What the buttons say that move it.
    pub(super) up: String,
    pub(super) down: String,
    /// Its form.
    pub(super) href: String,
    /// How it stands, where that is worth a word.
    pub(super) badge: Option<Badge>,
    /// When it applies.
    pub(super) when: Sentence,
    /// What follows.
    pub(super) then: Sentence,
    /// What is wrong with it.
    pub(super) problem: Option<String>,
    /// It is asked.
    pub(super) on: bool,
    /// There is none before it.
    pub(super) first: bool,
    /// There is none behind it.
    pub(super) last: bool,
    /// A question before it is deleted.
    pub(super) delete: Confirm,
}

#[derive(Template)]
#[template(path = "rules/list.html")]
pub(super) struct ListView {
    pub(super) w: &'static Words,
    /// `rules` or `detectors`.
    pub(super) word: &'static str,
    pub(super) members: Vec<ListMember>,
    pub(super) empty: Empty,
    pub(super) new_href: &'static str,
    pub(super) new_text: &'static str,
    pub(super) history: String,
    pub(super) reset: Option<Confirm>,
    pub(super) built_in: bool,
}

impl askama::filters::HtmlSafe for ListView {}

#[derive(Template)]
#[template(path = "rules/page.html")]
pub(super) struct RulesPage {
    pub(super) frame: Frame,
    pub(super) w: &'static Words,
    pub(super) standing: DocumentNotices,
    pub(super) chain: Chain,
    pub(super) detectors: ListView,
    pub(super) rules: ListView,
}

pub(super) async fn show(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let w = Words::of(visit.lang);
    let keys = [
        Key::PollingConfig,
        Key::ProcessingPrefs,
        Key::Providers,
        Key::Detectors,
        Key::WebhookConfig,
        Key::RoutingRules,
        Key::RuntimeFlags,
    ];
    let standing = EditedDocuments::read(&visit, &keys).await?.standing;
    let editor = &visit.state.services.configuration.editor;
    let journal = editor.journal.as_deref();
    // What the documents say now: a change that was just made is in it.
    let active: ActiveDocuments = load(editor.store.as_ref(), &editor.env, journal, editor.world.now()).await;
    let policy = active.policy(&editor.env, 1);
    let detectors = Desk::open(&visit, Key::Detectors).await?;
    let rules = Desk::open(&visit, Key::RoutingRules).await?;
    let services = Desk::open(&visit, Key::Providers).await?;
    let default = &policy.default_target.url;
    let page = RulesPage {
        frame: visit.frame(Section::Rules, w.title).await,
        w,
        standing,
        chain: chain(&policy, &names(&services.document), visit.lang),
        detectors: list(&visit, List::Detectors, &detectors, default),
        rules: list(&visit, List::Rules, &rules, default),
    };
    visit.show(&page)
}

fn list(visit: &PageVisit, list: List, desk: &Desk, default: &str) -> ListView {
    let (w, lang) = (Words::of(visit.lang), visit.lang);
    let env = &visit.state.services.configuration.editor.env;
    let problems = documents::problems(list.key(), &Value::Object(desk.document.clone()), env);
    let (empty, empty_text, new_text) = match list {
        List::Rules => (w.no_rules, w.no_rules_text, w.new_rule),
        List::Detectors => (w.no_detectors, w.no_detectors_text, w.new_detector),
    };
    let built_in = list == List::Detectors && desk.built_in;
    ListView {
        w,
        word: list.name(),
        members: members(list, &desk.document, &problems, default, lang),
        empty: Empty { title: empty.to_owned(), text: empty_text.to_owned() },
        new_href: list.form(),
        new_text,
        history: history_of(list.key()),
        reset: (list == List::Detectors && !built_in)
            .then(|| super::order::reset(w, Key::Detectors, w.reset_detectors)),
        built_in,
    }
}

/// The members of a list as they are shown.
pub(super) fn members(
    list: List,
    document: &Map<String, Value>,
    problems: &[FieldProblem],
    default: &str,
    lang: Lang,
) -> Vec<ListMember> {
    let w = Words::of(lang);
    let stored = list.members(document);
    let of = |(at, (member, id)): (usize, (&Value, String))| {
        let own = format!("{}[{at}]", list.name());
        let wrong = problems.iter().find(|problem| {
            problem.field.strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        let on = is_enabled(member);
        let off = if list == List::Rules { w.off_rule } else { w.off };
        let name = name_of(member, &id);
        let (when, then) = match list {
            List::Rules => (rule_when(member, lang), rule_then(member, default, lang)),
            List::Detectors => (detector_when(member, lang), detector_then(member, &id, lang)),
        };
        ListMember {
            place: at + 1,
            name: UntrustedText(name.clone()),
            href: with_id(list.form(), &id),
            badge: match (wrong.is_some(), on) {
                (true, _) => Some(Badge::new(Mood::Bad, w.broken)),
                (_, false) => Some(Badge::new(Mood::None, off)),
                _ => None,
            },
            when,
            then,
            problem: wrong.map(|problem| {
                let path = problem.field.get(own.len()..).unwrap_or_default().trim_start_matches('.');
                match path {
                    "" => lang.said(&problem.message).to_owned(),
                    path => lang.about(path, &problem.message),
                }
            }),
            on,
            first: at == 0,
            last: at + 1 == stored.len(),
            delete: Confirm {
                id: format!("delete-{}-{at}", list.name()),
                button: w.delete.to_owned(),
                class: "danger",
                title: w.delete_title(lang, &name),
                text: w.delete_text.to_owned(),
                action: "/regles/liste".to_owned(),
                fields: vec![
                    ("list".to_owned(), list.name().to_owned()),
                    ("do".to_owned(), format!("delete {id}")),
                ],
                yes: w.delete.to_owned(),
                no: w.cancel.to_owned(),
            },
            up: w.about(lang, w.up, &name),
            down: w.about(lang, w.down, &name),
            plain: name,
            id,
        }
    };
    stored.iter().zip(list.ids(stored)).enumerate().map(of).collect()
}
