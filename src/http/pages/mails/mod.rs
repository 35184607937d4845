//! `/mails`: where is that mail?
//!
//! A page that is open stays as it is: its address names the rows ([`Wanted::rows`]), so each is brought
//! up to date in its place, whatever has become of it, and what has come since is announced.

mod became;
mod bulk;
mod page;
#[cfg(test)]
mod tests;
mod wanted;
mod words;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::to;
use render_signal_actors::readmodel::queries::{self, FateCount, Matches};
use render_signal_actors::search::MailPage;

pub(in crate::http::pages) use self::became::{Became, became, is_open, moment, reason};
use self::bulk::Deed;
use self::page::{Found, Page};
pub(in crate::http::pages) use self::page::{erased, is_unreadable};
use self::wanted::Wanted;
use self::words::Words;
use super::form::Form;
use super::frame::Section;
use super::notice::Notice;
use super::visit::Visit;
use crate::http::problem::{Kind, Problem};
use crate::http::routes::{Route, Takes, Who};
use crate::http::v1::Params;
use crate::http::v1::page::unavailable;

/// Counting what has come since ends there.
const NEWS: u64 = 99;

/// The addresses of this room.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/mails", Who::Session, || to(show)),
        Route::post("/mails", Who::Session, || to(act)).takes(Takes::Form),
    ]
}

async fn show(visit: Visit, Params(wanted): Params<Wanted>) -> Result<HttpResponse, Problem> {
    let wanted = wanted.in_own_words();
    let found = find(&visit, &wanted).await?;
    let frame = visit.frame(Section::Mails, Words::of(visit.lang).title).await;
    let status = if wanted.wrong().is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    visit.show_as(status, &Page::of(frame, &wanted, found)?)
}

/// All that the page says.
async fn find(visit: &Visit, wanted: &Wanted) -> Result<Found, Problem> {
    let state = &visit.state;
    let query = wanted.query(visit.clock.zone)?;
    let fate = query.filter.fate;
    let listed = match wanted.pinned() {
        Some(pinned) => pinned,
        None => query.clone(),
    };
    let page: MailPage = state.search.mails(&listed).await.map_err(unavailable)?;
    let mut counts: Vec<FateCount> = Vec::new();
    if query.text.is_none() {
        // Each fate is counted, so the one that is looked at does not restrict.
        let mut filter = wanted.with_state("").filter(visit.clock.zone)?;
        filter.limit = 0;
        counts = state
            .journal
            .views()
            .read(move |db| queries::count_fates(db, &filter))
            .await
            .map_err(unavailable)?;
    }
    let newest = page.mails.first().map(|first| first.mail.position);
    let is_first_page = wanted.cursor.is_empty() && !wanted.rows.is_empty();
    let news = match newest.filter(|_| is_first_page) {
        Some(newest) => state.search.newer(&query, newest, NEWS).await.map_err(unavailable)?,
        None => Matches { count: 0, capped: false },
    };
    // Rows that are named say nothing of how many match.
    let matches = if wanted.rows.is_empty() { Some(page.matches) } else { None };
    let deed = match Deed::about(wanted, fate) {
        Some(deed) if wanted.wrong().is_none() => {
            let mut all = deed.query(query, fate);
            all.filter.limit = 1;
            let all = state.search.mails(&all).await.map_err(unavailable)?;
            let newest = all.mails.first().map(|first| first.mail.position);
            newest.map(|newest| (deed, all.matches, newest))
        }
        _ => None,
    };
    let targets = state.journal.views().read(queries::targets).await.map_err(unavailable)?;
    let targets = targets.into_iter().map(|target| target.id).filter(|id| !id.starts_with('@')).collect();
    Ok(Found { page, counts, news, matches, deed, targets, kept: state.services.policy.load().retention })
}

/// Does the same about all mails of a list.
async fn act(visit: Visit, form: Form) -> Result<HttpResponse, Problem> {
    let wanted = Wanted::of(&form);
    let fate = wanted.fate()?;
    let path = wanted.href();
    let deed = Deed::about(&wanted, fate).filter(|deed| deed.word() == form.text("do"));
    let deed =
        deed.ok_or_else(|| Problem::parameter("do", "is nothing that can be done about these mails"))?;
    if wanted.wrong().is_some() {
        return Err(Problem::new(Kind::InvalidParameter, "since and until are no days"));
    }
    let up_to: u64 =
        form.text("up_to").parse().map_err(|_| Problem::parameter("up_to", "is the position of a mail"))?;
    let query = deed.query(wanted.query(visit.clock.zone)?, fate);
    let done = bulk::act(&visit.state, deed, query, up_to, &visit.caller.by(), visit.lang).await?;
    let (w, clock) = (Words::of(visit.lang), visit.clock);
    if done.done == 0 && done.refused == 0 {
        return Ok(visit.back(&path, &Notice::care(w.nothing_done)));
    }
    let mut text = Words::done(clock, deed, done.done);
    if let Some(why) = &done.why {
        text.push_str(&Words::refused(clock, done.refused, why));
    }
    if done.more {
        text.push_str(Words::more_left(visit.lang));
    }
    let notice = if done.refused > 0 || done.more { Notice::care(text) } else { Notice::good(text) };
    Ok(visit.back(&path, &notice))
}
