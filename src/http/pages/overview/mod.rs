//! `/`: does it work, now? And what is to be done?

mod actions;
mod look;
mod standing;
mod trend;
mod view;
mod words;

use actix_web::HttpResponse;
use actix_web::web::to;
use askama::Template;

use self::look::{Look, Span};
use self::standing::{Target, Wait};
use self::trend::{Trend, trend};
use self::view::{LastMail, Task, Verdict};
use self::words::Words;
use super::form::Form;
use super::frame::{Frame, Section};
use super::parts::{Badge, Shown};
use super::visit::Visit;
use crate::http::problem::Problem;
use crate::http::routes::{Route, Takes, Who};

/// The addresses of this room.
pub(super) fn routes() -> Vec<Route> {
    let post = |path, handler| Route::post(path, Who::Session, handler).takes(Takes::Form);
    vec![
        Route::get("/", Who::Session, || to(show)),
        post("/renvoyer", || to(actions::resend)),
        post("/reactiver", || to(actions::enable)),
        post("/relever", || to(actions::check)),
    ]
}

/// The mailbox, as the page shows it.
struct MailboxCard {
    name: Shown,
    badge: Badge,
    sentences: Vec<String>,
}

/// The page.
#[derive(Template)]
#[template(path = "overview/page.html")]
struct Page {
    frame: Frame,
    w: &'static Words,
    verdict: Verdict,
    tasks: Vec<Task>,
    waits: Vec<Wait>,
    mailbox: Option<MailboxCard>,
    targets: Vec<Target>,
    last: Vec<LastMail>,
    trend: Trend,
    by_day: bool,
}

async fn show(visit: Visit) -> Result<HttpResponse, Problem> {
    let (w, clock) = (Words::of(visit.lang), visit.clock);
    let query = Form::read(visit.request.query_string().as_bytes());
    let span = if query.text("periode") == "mois" { Span::Month } else { Span::Day };
    let look = Look::at(&visit.state, span, clock.now).await?;
    let verdict = view::verdict(w, &look, clock);
    let mailbox = look.mailbox.as_ref().map(|mailbox| {
        let (mood, mut sentences) = standing::mailbox(mailbox, clock);
        let state = if sentences.is_empty() { String::new() } else { sentences.remove(0) };
        MailboxCard { name: Shown(mailbox.name.clone()), badge: Badge::new(mood, state), sentences }
    });
    let targets = look.targets.iter().map(|row| standing::target(w, row, look.day.get(&row.id), clock));
    let page = Page {
        frame: Frame::with(&visit, Section::Overview, w.title, look.items.len() as u64),
        w,
        verdict,
        tasks: view::tasks(w, &look, clock),
        waits: standing::waits(w, &look, clock),
        mailbox,
        targets: targets.collect(),
        last: view::last_mails(w, &look, clock),
        trend: trend(w, &look, span, clock),
        by_day: span == Span::Day,
    };
    visit.show(&page)
}
