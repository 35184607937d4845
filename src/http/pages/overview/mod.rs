//! `/`: does it work, now? And what is to be done?

mod actions;
mod data;
mod standing;
mod trend;
mod view;
mod words;

use actix_web::HttpResponse;
use actix_web::web::to;
use askama::Template;

use self::data::{OverviewData, TrendSpan};
use self::standing::{TargetCard, Wait};
use self::trend::{Trend, trend};
use self::view::{HealthSummary, LastMail, Task};
use self::words::Words;
use super::form::FormData;
use super::frame::{Frame, Section};
use super::parts::{Badge, UntrustedText};
use super::visit::PageVisit;
use crate::http::problem::HttpProblem;
use crate::http::routes::{Route, RouteAccess, Takes};

/// The addresses of this room.
pub(super) fn routes() -> Vec<Route> {
    let post = |path, handler| Route::post(path, RouteAccess::Session, handler).takes(Takes::Form);
    vec![
        Route::get("/", RouteAccess::Session, || to(show)),
        post("/renvoyer", || to(actions::resend)),
        post("/reactiver", || to(actions::enable)),
        post("/relever", || to(actions::check)),
    ]
}

/// The mailbox, as the page shows it.
struct MailboxCard {
    name: UntrustedText,
    badge: Badge,
    sentences: Vec<String>,
}

#[derive(Template)]
#[template(path = "overview/page.html")]
struct OverviewPage {
    frame: Frame,
    w: &'static Words,
    summary: HealthSummary,
    tasks: Vec<Task>,
    waits: Vec<Wait>,
    mailbox: Option<MailboxCard>,
    targets: Vec<TargetCard>,
    last: Vec<LastMail>,
    trend: Trend,
    by_day: bool,
}

async fn show(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let (w, clock) = (Words::of(visit.lang), visit.clock);
    let query = FormData::read(visit.request.query_string().as_bytes());
    let span = if query.text("periode") == "mois" { TrendSpan::Month } else { TrendSpan::Day };
    let data = OverviewData::at(&visit.state, span, clock.now).await?;
    let summary = view::summary(w, &data, clock);
    let mailbox = data.mailbox.as_ref().map(|mailbox| {
        let (mood, mut sentences) = standing::mailbox(mailbox, clock);
        let state = if sentences.is_empty() { String::new() } else { sentences.remove(0) };
        MailboxCard { name: UntrustedText(mailbox.name.clone()), badge: Badge::new(mood, state), sentences }
    });
    let targets = data.targets.iter().map(|row| standing::target(w, row, data.day.get(&row.id), clock));
    let page = OverviewPage {
        frame: Frame::with(&visit, Section::Overview, w.title, data.items.len() as u64),
        w,
        summary,
        tasks: view::tasks(w, &data, clock),
        waits: standing::waits(w, &data, clock),
        mailbox,
        targets: targets.collect(),
        last: view::last_mails(w, &data, clock),
        trend: trend(w, &data, span, clock),
        by_day: span == TrendSpan::Day,
    };
    visit.show(&page)
}
