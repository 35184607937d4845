//! Who signed in, and who did what: some on the page, all on pages of their own.

use actix_web::HttpResponse;
use askama::Template;
use render_signal_actors::access::sessions::Sessions;
use render_signal_actors::readmodel::queries::access::SessionRow;

use super::sessions::{device_of, method};
use super::words::Words;
use crate::http::pages::form::FormData;
use crate::http::pages::frame::{Frame, Section, in_query};
use crate::http::pages::names;
use crate::http::pages::parts::{Badge, Empty, Mood, UntrustedText, When};
use crate::http::pages::visit::PageVisit;
use crate::http::problem::HttpProblem;
use crate::http::v1::access::actions::{ActionView, action_page};
use crate::http::v1::access::{login, not_now};

/// Entries on a page of one of the lists.
const PAGE_SIZE: usize = 50;

/// Who signed in.
#[derive(Template)]
#[template(path = "access/logins.html")]
pub(super) struct LoginsView {
    w: &'static Words,
    /// The newest first.
    rows: Vec<LoginRow>,
    empty: Empty,
    /// What follows.
    pub(super) more: Option<String>,
}

impl askama::filters::HtmlSafe for LoginsView {}

/// Somebody signed in.
struct LoginRow {
    at: When,
    user: UntrustedText,
    device: String,
    address: UntrustedText,
    method: &'static str,
    badge: Badge,
    until: Option<When>,
}

/// Who did what.
#[derive(Template)]
#[template(path = "access/actions.html")]
pub(super) struct ActionsView {
    w: &'static Words,
    /// The newest first.
    rows: Vec<ActionEntry>,
    empty: Empty,
    /// What follows.
    pub(super) more: Option<String>,
}

impl askama::filters::HtmlSafe for ActionsView {}

/// Somebody did something.
struct ActionEntry {
    at: When,
    who: UntrustedText,
    what: String,
    on: UntrustedText,
    href: Option<String>,
}

/// A page with one of the lists.
#[derive(Template)]
#[template(path = "access/log.html")]
struct AccessLogPage<L: Template + askama::filters::HtmlSafe> {
    frame: Frame,
    lead: &'static str,
    back: &'static str,
    more: Option<String>,
    go_on: &'static str,
    list: L,
}

fn before(visit: &PageVisit) -> Option<u64> {
    FormData::read(visit.request.query_string().as_bytes()).text("avant").parse().ok()
}

/// GET `/acces/connexions`.
pub(super) async fn logins(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let w = Words::of(visit.lang);
    let list = some_logins(&visit, before(&visit), PAGE_SIZE).await?;
    let frame = visit.frame(Section::Access, w.logins).await;
    let (more, go_on, back) = (list.more.clone(), w.more, w.title);
    visit.show(&AccessLogPage { frame, lead: w.logins_lead, back, more, go_on, list })
}

/// GET `/acces/actions`.
pub(super) async fn actions(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let w = Words::of(visit.lang);
    let list = some_actions(&visit, before(&visit), PAGE_SIZE).await?;
    let frame = visit.frame(Section::Access, w.actions).await;
    let (more, go_on, back) = (list.more.clone(), w.more, w.title);
    visit.show(&AccessLogPage { frame, lead: w.actions_lead, back, more, go_on, list })
}

/// Who signed in below a position.
pub(super) async fn some_logins(
    visit: &PageVisit,
    before: Option<u64>,
    limit: usize,
) -> Result<LoginsView, HttpProblem> {
    let w = Words::of(visit.lang);
    let mut rows = login(&visit.state)?.sessions.all(before, limit + 1).await.map_err(not_now)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| format!("/acces/connexions?avant={}", row.position));
    Ok(LoginsView {
        w,
        rows: rows.into_iter().map(|row| login_row(row, visit)).collect(),
        empty: Empty { title: w.no_logins.to_owned(), text: String::new() },
        more: next,
    })
}

fn login_row(row: SessionRow, visit: &PageVisit) -> LoginRow {
    let (clock, w) = (visit.clock, Words::of(visit.lang));
    let runs_out = Sessions::idle_end(row.used_at).min(row.ends_at);
    let (badge, until) = match row.ended_at {
        Some(at) => (Badge::new(Mood::None, w.was_ended), Some(at)),
        None if runs_out < clock.now => (Badge::new(Mood::None, w.ran_out), Some(runs_out)),
        None => (Badge::new(Mood::Good, w.still_open), None),
    };
    LoginRow {
        at: When::short(clock, row.opened_at),
        device: device_of(&row.agent, visit),
        user: UntrustedText(row.user),
        address: UntrustedText(if row.address.is_empty() {
            w.unknown_address.to_owned()
        } else {
            row.address
        }),
        method: method(&row.method, w),
        badge,
        until: until.map(|at| When::short(clock, at)),
    }
}

/// What was done below a position.
pub(super) async fn some_actions(
    visit: &PageVisit,
    before: Option<u64>,
    limit: usize,
) -> Result<ActionsView, HttpProblem> {
    let w = Words::of(visit.lang);
    let page = action_page(&visit.state, None, before, limit).await?;
    Ok(ActionsView {
        w,
        rows: page.items.into_iter().map(|action| action_row(action, visit)).collect(),
        empty: Empty { title: w.no_actions.to_owned(), text: w.no_actions_text.to_owned() },
        more: page.next_cursor.map(|cursor| format!("/acces/actions?avant={cursor}")),
    })
}

fn action_row(action: ActionView, visit: &PageVisit) -> ActionEntry {
    let lang = visit.lang;
    let on = match action.stream.split_once('-') {
        Some(("config", key)) => names::document(key, lang),
        Some(("mail" | "target", id)) => id.to_owned(),
        // Whose it was stands beside it.
        Some(("session", _)) => String::new(),
        Some(("magic_link", name)) => {
            format!("{} {}", Words::of(lang).link, name.chars().take(8).collect::<String>())
        }
        _ => action.stream.clone(),
    };
    let href = action.stream.strip_prefix("mail-").map(|id| format!("/mails/{}", in_query(id)));
    ActionEntry {
        at: When::short(visit.clock, action.at),
        who: UntrustedText(names::who(&action.by, lang)),
        what: names::sentence(&names::kind(&action.kind, lang)),
        on: UntrustedText(on),
        href,
    }
}
