//! A test webhook: first what would be sent, then the sending.

use std::collections::BTreeSet;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use render_signal_actors::mail::rules::mask_url;
use render_signal_actors::webhook::test_webhook::{TestWebhookError, To, Wish};

use super::words::Words;
use super::{SystemResults, page};
use crate::http::pages::form::FormData;
use crate::http::pages::names::sentence;
use crate::http::pages::parts::{Badge, Choice, Confirm, FormField, Input, Mood, UntrustedText};
use crate::http::pages::visit::PageVisit;
use crate::http::problem::HttpProblem;
use crate::http::v1::webhooks::{TestResult, TestWebhookView, tried};

/// Stands for an address that is typed. No target is called that: ids of targets are those of rules.
const TYPED_ADDRESS: &str = "@address";
/// Characters of a subject.
const MAX_SUBJECT_CHARS: usize = 300;

/// The form, and what was shown or sent.
pub(super) struct TrialView {
    /// Where to, and what.
    pub(super) fields: Vec<FormField>,
    /// Fields that are wrong: id, what is wrong.
    pub(super) errors: Vec<(String, String)>,
    /// What would be, or was, sent.
    pub(super) shown: Option<TestPostView>,
}

/// What would be, or was, sent.
pub(super) struct TestPostView {
    pub(super) was_sent: bool,
    /// Where to, masked.
    pub(super) url: UntrustedText,
    /// The receiver's certificate is not looked at.
    pub(super) unverified: bool,
    /// All headers that the program sets.
    pub(super) headers: UntrustedText,
    /// The exact body.
    pub(super) body: UntrustedText,
    /// The question before it is sent.
    pub(super) send: Option<Confirm>,
    /// What came of it.
    pub(super) result: Option<TestPostResult>,
}

/// What came of a test.
pub(super) struct TestPostResult {
    /// Whether it was taken.
    pub(super) badge: Badge,
    /// HTTP status, if there was an answer.
    pub(super) status: String,
    /// How long it took.
    pub(super) took: String,
    /// Why it does not count as taken.
    pub(super) why: Option<UntrustedText>,
    /// The beginning of what the receiver said.
    pub(super) answer: Option<UntrustedText>,
}

/// What the form says.
#[derive(Default)]
struct TestWebhookForm {
    to: String,
    url: String,
    subject: String,
}

impl TestWebhookForm {
    fn of(form: &FormData) -> Self {
        let text = |name: &str| form.text(name).to_owned();
        Self { to: text("to"), url: text("url"), subject: text("subject") }
    }

    fn wish(&self) -> Wish {
        let to = match self.to.as_str() {
            "" => To::Default,
            TYPED_ADDRESS => To::Url(self.url.clone()),
            id => To::Target(id.to_owned()),
        };
        let subject: String = self.subject.chars().take(MAX_SUBJECT_CHARS).collect();
        Wish { to, subject: Some(subject).filter(|subject| !subject.is_empty()), ..Wish::default() }
    }
}

/// The form as it is before anything was chosen.
pub(super) fn form(visit: &PageVisit) -> TrialView {
    view(visit, &TestWebhookForm::default(), None)
}

/// POST `/systeme/essai`: nothing is sent.
pub(super) async fn show(visit: PageVisit, form: FormData) -> Result<HttpResponse, HttpProblem> {
    answer(&visit, &TestWebhookForm::of(&form), true).await
}

/// POST `/systeme/essai/envoyer`.
pub(super) async fn send(visit: PageVisit, form: FormData) -> Result<HttpResponse, HttpProblem> {
    answer(&visit, &TestWebhookForm::of(&form), false).await
}

async fn answer(visit: &PageVisit, values: &TestWebhookForm, dry: bool) -> Result<HttpResponse, HttpProblem> {
    let prepared = visit.state.reference.tester.prepare(&values.wish());
    let (status, view) = match prepared {
        Ok(trial) => {
            let found = tried(&visit.state, trial, dry, &visit.caller.by()).await;
            let mut view = view(visit, values, None);
            view.shown = Some(sent(found, visit, values));
            (StatusCode::OK, view)
        }
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, view(visit, values, Some(&error))),
    };
    page(visit, status, SystemResults { trial: Some(view), ..SystemResults::default() }).await
}

fn view(visit: &PageVisit, values: &TestWebhookForm, error: Option<&TestWebhookError>) -> TrialView {
    let w = Words::of(visit.lang);
    let (place, why) = match error {
        None => ("", ""),
        Some(TestWebhookError::UnknownTarget(_)) => ("to", w.trial_unknown),
        Some(TestWebhookError::NoTarget) => ("to", w.trial_none),
        Some(TestWebhookError::Address(_) | TestWebhookError::Request(_)) => ("url", w.trial_address),
        Some(TestWebhookError::TooLarge) => ("subject", w.trial_large),
    };
    let wrong = |name: &str| if name == place { why } else { "" };
    let fields = vec![
        FormField::new("to", w.target, Input::Select(targets(visit)), &values.to).error(wrong("to")),
        FormField::new("url", w.address, Input::Line("url"), &values.url)
            .hint(w.address_hint)
            .placeholder("https://…")
            .error(wrong("url")),
        FormField::new("subject", w.subject, Input::Line("text"), &values.subject)
            .placeholder("Test webhook")
            .error(wrong("subject")),
    ];
    let errors = Some((format!("f-{place}"), why.to_owned())).filter(|_| error.is_some());
    TrialView { fields, errors: errors.into_iter().collect(), shown: None }
}

/// The targets that are in force: the default one first, an address that is typed last.
fn targets(visit: &PageVisit) -> Vec<Choice> {
    let w = Words::of(visit.lang);
    let policy = visit.state.reference.policy.load();
    let default = &policy.default_target;
    let named = |name: &str, url: &str| match url {
        "" => name.to_owned(),
        url => format!("{name} — {}", mask_url(url)),
    };
    let mut seen = BTreeSet::from([default.id.as_str()]);
    let mut choices = vec![Choice { value: String::new(), text: named(w.default_target, &default.url) }];
    for rule in policy.rules.iter().filter(|rule| seen.insert(rule.target.id.as_str())) {
        let (id, url) = (&rule.target.id, &rule.target.url);
        choices.push(Choice { value: id.clone(), text: named(id, url) });
    }
    choices.push(Choice { value: TYPED_ADDRESS.to_owned(), text: w.another_address.to_owned() });
    choices
}

fn sent(found: TestWebhookView, visit: &PageVisit, values: &TestWebhookForm) -> TestPostView {
    let w = Words::of(visit.lang);
    let headers: Vec<String> = found.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    TestPostView {
        was_sent: !found.dry_run,
        unverified: !found.verify_certificate,
        headers: UntrustedText(headers.join("\n")),
        body: UntrustedText(found.body),
        send: found.dry_run.then(|| Confirm {
            id: "envoyer".to_owned(),
            button: w.send.to_owned(),
            class: "primary",
            title: w.send_ask.to_owned(),
            text: format!("{}{}{}. {}", w.to, visit.lang.colon(), found.url, w.send_note),
            action: "/systeme/essai/envoyer#essai".to_owned(),
            fields: [("to", &values.to), ("url", &values.url), ("subject", &values.subject)]
                .map(|(name, value)| (name.to_owned(), value.clone()))
                .to_vec(),
            yes: w.send_yes.to_owned(),
            no: w.cancel.to_owned(),
        }),
        url: UntrustedText(found.url),
        result: found.result.map(|result| outcome(result, visit)),
    }
}

fn outcome(result: TestResult, visit: &PageVisit) -> TestPostResult {
    let w = Words::of(visit.lang);
    TestPostResult {
        badge: match result.delivered {
            true => Badge::new(Mood::Good, w.taken),
            false => Badge::new(Mood::Bad, w.not_taken),
        },
        status: result.status.map_or_else(|| w.no_answer.to_owned(), |status| status.to_string()),
        took: visit.clock.milliseconds(result.took_ms),
        why: result.error.map(|error| UntrustedText(sentence(&error))),
        answer: result.answer.map(UntrustedText),
    }
}
