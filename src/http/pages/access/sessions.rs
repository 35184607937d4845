//! Who has signed in, on which device; how a session is ended.

use actix_web::HttpResponse;
use chrono::TimeDelta;
use render_signal_actors::access::sessions::Sessions;

use super::words::Words;
use super::{HOME, device};
use crate::http::pages::form::FormData;
use crate::http::pages::names::sentence;
use crate::http::pages::notice::Notice;
use crate::http::pages::parts::{Badge, Confirm, Mood, UntrustedText, When};
use crate::http::pages::visit::PageVisit;
use crate::http::problem::HttpProblem;
use crate::http::v1::access::{SessionView, login, not_now, session_page};

/// Sessions on a page.
const PAGE_SIZE: usize = 50;

/// The open sessions.
pub(super) struct SessionsView {
    /// What a session is.
    pub(super) lead: String,
    /// That of whoever asks first.
    pub(super) rows: Vec<SessionEntry>,
    /// Ends all but that of whoever asks; `None` = there are no others.
    pub(super) end_others: Option<Confirm>,
    /// What follows.
    pub(super) more: Option<String>,
}

pub(super) struct SessionEntry {
    /// Browser and system, in words.
    pub(super) device: String,
    /// What the browser calls itself; empty = it does not say.
    pub(super) agent: UntrustedText,
    /// It does say.
    pub(super) has_agent: bool,
    /// It is that of whoever asks.
    pub(super) current: Option<Badge>,
    /// From where it was used last.
    pub(super) address: UntrustedText,
    /// How it was opened.
    pub(super) method: &'static str,
    /// When it was opened.
    pub(super) opened: When,
    /// When it was used last.
    pub(super) used: When,
    /// When it is over, unless it is used.
    pub(super) ends: When,
    /// Ends it; `None` = it is that of whoever asks, who signs out.
    pub(super) end: Option<Confirm>,
}

/// The device in words, and what the browser calls itself.
pub(super) fn device_of(agent: &str, visit: &PageVisit) -> String {
    let (browser, system) = device::of(agent);
    sentence(&Words::device(visit.lang, browser, system))
}

/// How somebody signed in.
pub(super) const fn method(code: &str, w: &Words) -> &'static str {
    // Two methods are all there are.
    if matches!(code.as_bytes(), b"magic_link") { w.by_link } else { w.by_password }
}

/// From where the list goes on.
pub(super) fn cursor(visit: &PageVisit) -> Option<u64> {
    FormData::read(visit.request.query_string().as_bytes()).text("sessions").parse().ok()
}

/// The open sessions below a position.
pub(super) async fn view(visit: &PageVisit, before: Option<u64>) -> Result<SessionsView, HttpProblem> {
    let (lang, w, clock) = (visit.lang, Words::of(visit.lang), visit.clock);
    let page = session_page(&visit.state, &visit.caller, before, PAGE_SIZE).await?;
    let mut items = page.items;
    items.sort_by_key(|session| !session.current);
    let others = items.iter().filter(|session| !session.current).count();
    let whole = before.is_none() && page.next_cursor.is_none();
    let title = if whole { Words::end_others_ask(lang, others) } else { format!("{}\u{a0}?", w.end_others) };
    let end_others = (others > 0).then(|| Confirm {
        id: "terminer-autres".to_owned(),
        button: w.end_others.to_owned(),
        class: "danger",
        title,
        text: String::new(),
        action: "/acces/sessions/autres".to_owned(),
        fields: Vec::new(),
        yes: w.end_others.to_owned(),
        no: w.cancel.to_owned(),
    });
    let idle: TimeDelta = Sessions::idle_end(clock.now) - clock.now;
    Ok(SessionsView {
        lead: Words::sessions_lead(clock, idle),
        rows: items.into_iter().enumerate().map(|(place, session)| row(session, place, visit)).collect(),
        end_others,
        more: page.next_cursor.map(|cursor| format!("/acces?sessions={cursor}#sessions")),
    })
}

fn row(session: SessionView, place: usize, visit: &PageVisit) -> SessionEntry {
    let (w, clock) = (Words::of(visit.lang), visit.clock);
    let agent = session.user_agent.unwrap_or_default();
    let device = device_of(&agent, visit);
    let address = session.address.unwrap_or_else(|| w.unknown_address.to_owned());
    SessionEntry {
        end: (!session.current).then(|| Confirm {
            id: format!("terminer-{place}"),
            button: w.end.to_owned(),
            class: "danger",
            title: w.end_ask.to_owned(),
            text: format!("{device}, {} {}", w.opened.to_lowercase(), clock.short(session.opened_at)),
            action: "/acces/sessions/terminer".to_owned(),
            fields: vec![("id".to_owned(), session.id)],
            yes: w.end.to_owned(),
            no: w.cancel.to_owned(),
        }),
        device,
        has_agent: !agent.is_empty(),
        agent: UntrustedText(agent),
        current: session.current.then(|| Badge::new(Mood::Good, w.this_device)),
        address: UntrustedText(address),
        method: method(&session.method, w),
        opened: When::short(clock, session.opened_at),
        used: When::ago(clock, session.used_at),
        ends: When::short(clock, session.idle_ends_at.min(session.ends_at)),
    }
}

/// POST `/acces/sessions/terminer`.
pub(super) async fn end(visit: PageVisit, form: FormData) -> Result<HttpResponse, HttpProblem> {
    let w = Words::of(visit.lang);
    let sessions = &login(&visit.state)?.sessions;
    let ended = sessions.end(form.text("id"), "revoked", &visit.caller.by()).await.map_err(not_now)?;
    let notice = if ended { Notice::good(w.ended_one) } else { Notice::care(w.gone_session) };
    Ok(visit.back(HOME, &notice))
}

/// POST `/acces/sessions/autres`.
pub(super) async fn end_others(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let kept = visit.caller.session().map(|session| session.id.as_str());
    let sessions = &login(&visit.state)?.sessions;
    let ended = sessions.end_all("everywhere", &visit.caller.by(), kept).await.map_err(not_now)?;
    Ok(visit.back(HOME, &Notice::good(Words::ended(visit.lang, ended))))
}
