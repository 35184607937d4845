//! `/mails`: where is that mail?
//!
//! A page that is open stays as it is: its address names the rows ([`MailListQuery::rows`]), so each is brought
//! up to date in its place, whatever has become of it, and what has come since is announced.

mod became;
mod bulk;
mod list_query;
mod page;
#[cfg(test)]
mod tests;
mod words;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::to;
use render_signal_actors::readmodel::queries::{self, FateCount, Matches};
use render_signal_actors::search::MailPage;

pub(in crate::http::pages) use self::became::{Became, became, is_open, moment, reason};
use self::bulk::BulkAction;
use self::list_query::MailListQuery;
use self::page::{MailListData, MailListPage};
pub(in crate::http::pages) use self::page::{erased, is_unreadable};
use self::words::Words;
use super::form::FormData;
use super::frame::Section;
use super::notice::Notice;
use super::visit::PageVisit;
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::routes::{Route, RouteAccess, Takes};
use crate::http::v1::Params;
use crate::http::v1::page::unavailable;

/// Counting what has come since ends there.
const MAX_NEWS: u64 = 99;

/// The addresses of this room.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/mails", RouteAccess::Session, || to(show)),
        Route::post("/mails", RouteAccess::Session, || to(act)).takes(Takes::Form),
    ]
}

async fn show(visit: PageVisit, Params(query): Params<MailListQuery>) -> Result<HttpResponse, HttpProblem> {
    let query = query.in_own_words();
    let found = find(&visit, &query).await?;
    let frame = visit.frame(Section::Mails, Words::of(visit.lang).title).await;
    let status = if query.wrong().is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    visit.show_as(status, &MailListPage::of(frame, &query, found)?)
}

/// All that the page says.
async fn find(visit: &PageVisit, query: &MailListQuery) -> Result<MailListData, HttpProblem> {
    let state = &visit.state;
    let search = query.mail_query(visit.clock.zone)?;
    let fate = search.filter.fate;
    let listed = match query.pinned() {
        Some(pinned) => pinned,
        None => search.clone(),
    };
    let page: MailPage = state.search.mails(&listed).await.map_err(unavailable)?;
    let mut counts: Vec<FateCount> = Vec::new();
    if search.text.is_none() {
        // Each fate is counted, so the one that is looked at does not restrict.
        let mut filter = query.with_state("").filter(visit.clock.zone)?;
        filter.limit = 0;
        counts = state
            .journal
            .views()
            .read(move |db| queries::count_fates(db, &filter))
            .await
            .map_err(unavailable)?;
    }
    let newest = page.mails.first().map(|first| first.mail.position);
    let is_first_page = query.cursor.is_empty() && !query.rows.is_empty();
    let news = match newest.filter(|_| is_first_page) {
        Some(newest) => state.search.newer(&search, newest, MAX_NEWS).await.map_err(unavailable)?,
        None => Matches { count: 0, capped: false },
    };
    // Rows that are named say nothing of how many match.
    let matches = if query.rows.is_empty() { Some(page.matches) } else { None };
    let action = match BulkAction::about(query, fate) {
        Some(action) if query.wrong().is_none() => {
            let mut all = action.query(search, fate);
            all.filter.limit = 1;
            let all = state.search.mails(&all).await.map_err(unavailable)?;
            let newest = all.mails.first().map(|first| first.mail.position);
            newest.map(|newest| (action, all.matches, newest))
        }
        _ => None,
    };
    let targets = state.journal.views().read(queries::targets).await.map_err(unavailable)?;
    let targets = targets.into_iter().map(|target| target.id).filter(|id| !id.starts_with('@')).collect();
    Ok(MailListData {
        page,
        counts,
        news,
        matches,
        action,
        targets,
        kept: state.services.policy.load().retention,
    })
}

/// Does the same about all mails of a list.
async fn act(visit: PageVisit, form: FormData) -> Result<HttpResponse, HttpProblem> {
    let query = MailListQuery::of(&form);
    let fate = query.fate()?;
    let path = query.href();
    let action = BulkAction::about(&query, fate).filter(|action| action.word() == form.text("do"));
    let action = action
        .ok_or_else(|| HttpProblem::parameter("do", "is nothing that can be done about these mails"))?;
    if query.wrong().is_some() {
        return Err(HttpProblem::new(ProblemKind::InvalidParameter, "since and until are no days"));
    }
    let up_to: u64 = form
        .text("up_to")
        .parse()
        .map_err(|_| HttpProblem::parameter("up_to", "is the position of a mail"))?;
    let search = action.query(query.mail_query(visit.clock.zone)?, fate);
    let done = bulk::act(&visit.state, action, search, up_to, &visit.caller.by(), visit.lang).await?;
    let (w, clock) = (Words::of(visit.lang), visit.clock);
    if done.done == 0 && done.refused == 0 {
        return Ok(visit.back(&path, &Notice::care(w.nothing_done)));
    }
    let mut text = Words::done(clock, action, done.done);
    if let Some(why) = &done.why {
        text.push_str(&Words::refused(clock, done.refused, why));
    }
    if done.more {
        text.push_str(Words::more_left(visit.lang));
    }
    let notice = if done.refused > 0 || done.more { Notice::care(text) } else { Notice::good(text) };
    Ok(visit.back(&path, &notice))
}
