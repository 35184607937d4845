//! `/systeme/evenements`: what the journal has noted, newest first.

use actix_web::HttpResponse;
use askama::Template;
use chrono::{DateTime, Utc};
use render_signal_actors::kernel::event::Recorded;
use render_signal_actors::readmodel::log::{self, LogSelection};
use render_signal_actors::registry;

use super::words::Words;
use crate::http::pages::form::FormData;
use crate::http::pages::frame::{Frame, Section, in_query};
use crate::http::pages::names;
use crate::http::pages::parts::{Choice, Empty, FormField, Input, UntrustedText, When};
use crate::http::pages::visit::PageVisit;
use crate::http::problem::HttpProblem;
use crate::http::v1::page::unavailable;

/// Events on a page.
const PAGE_SIZE: usize = 50;

#[derive(Template)]
#[template(path = "system/events.html")]
struct EventsPage {
    frame: Frame,
    w: &'static Words,
    filter: FormField,
    rows: Vec<EventRow>,
    empty: Empty,
    /// What follows: its address, and what the link says.
    older: Option<(String, &'static str)>,
    /// The first page, where this is another one.
    newest: Option<String>,
}

struct EventRow {
    position: String,
    name: String,
    kind: UntrustedText,
    at: When,
    stream: UntrustedText,
    /// The mail that it is about.
    href: Option<String>,
    payload: UntrustedText,
}

/// GET `/systeme/evenements?genre=…&avant=…`.
pub(super) async fn show(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let w = Words::of(visit.lang);
    let query = FormData::read(visit.request.query_string().as_bytes());
    let kind = match query.text("genre") {
        "" => None,
        // Whoever follows an old link to a kind that there is no more sees all.
        name => registry::known_kind(name),
    };
    let before = query.text("avant").parse().ok();
    let selection =
        LogSelection { kinds: kind.map(str::to_owned).into_iter().collect(), ..LogSelection::default() };
    let found = log::back(visit.state.journal.as_ref(), &selection, before.unwrap_or(u64::MAX), PAGE_SIZE);
    let found = found.await.map_err(unavailable)?;
    let address = |before: Option<u64>| {
        let kind = kind.map(|kind| format!("genre={}", in_query(kind)));
        let before = before.map(|before| format!("avant={before}"));
        let query: Vec<String> = kind.into_iter().chain(before).collect();
        format!("/systeme/evenements?{}", query.join("&"))
    };
    let whole = found.events.len() == PAGE_SIZE;
    visit.show(&EventsPage {
        frame: visit.frame(Section::System, w.events_title).await,
        w,
        filter: filter(kind.unwrap_or_default(), &visit),
        rows: found.events.into_iter().map(|event| row(event, &visit)).collect(),
        empty: Empty { title: w.no_events.to_owned(), text: w.no_events_text.to_owned() },
        older: found.next.map(|next| (address(Some(next)), if whole { w.older } else { w.searched_on })),
        newest: before.map(|_| address(None)),
    })
}

fn filter(kind: &str, visit: &PageVisit) -> FormField {
    let (lang, w) = (visit.lang, Words::of(visit.lang));
    let all = Choice { value: String::new(), text: w.all_kinds.to_owned() };
    let one = |declared: &str| Choice {
        value: declared.to_owned(),
        text: format!("{} ({declared})", names::sentence(&names::kind(declared, lang))),
    };
    let kinds = registry::all_kinds().into_iter().map(|declared| one(declared.kind));
    FormField::new("genre", w.filter, Input::Select([all].into_iter().chain(kinds).collect()), kind)
}

/// Of today to the second: much happens within a minute.
fn moment(at: DateTime<Utc>, visit: &PageVisit) -> When {
    let clock = visit.clock;
    let day = |at: DateTime<Utc>| at.with_timezone(&clock.zone).date_naive();
    if day(at) == day(clock.now) { When::seconds(clock, at) } else { When::short(clock, at) }
}

fn row(event: Recorded, visit: &PageVisit) -> EventRow {
    // One of a kind that nobody knows any more is shown as it is.
    let payload = registry::read(&event).unwrap_or(event.payload);
    EventRow {
        position: visit.clock.number(event.position),
        name: names::sentence(&names::kind(&event.kind, visit.lang)),
        kind: UntrustedText(event.kind),
        at: moment(event.at, visit),
        href: event.stream.as_str().strip_prefix("mail-").map(|id| format!("/mails/{}", in_query(id))),
        stream: UntrustedText(event.stream.as_str().to_owned()),
        // What was read from JSON can be written as such.
        payload: UntrustedText(serde_json::to_string_pretty(&payload).unwrap_or_default()),
    }
}
