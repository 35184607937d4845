//! `/mails/{id}`: what happened to a mail, and why?

mod actions;
mod decision;
mod links;
mod page;
mod sending;
#[cfg(test)]
mod tests;
mod timeline;
mod words;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{Path, to};
use askama::Template;
use render_signal_actors::mail::Mail;
use render_signal_actors::mail::outbox_rows::delivery_body_key;
use render_signal_actors::stored_mail;
use render_signal_actors::story;
use serde::Deserialize;

use self::page::MailDetailPage;
use self::words::Words;
use super::frame::{Frame, Section};
use super::visit::PageVisit;
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::routes::{Route, RouteAccess, Takes};
use crate::http::v1::Params;
use crate::http::v1::page::unavailable;

/// The addresses of this room.
pub(super) fn routes() -> Vec<Route> {
    let form = |path, handler| Route::post(path, RouteAccess::Session, handler).takes(Takes::Form);
    vec![
        Route::get("/mails/{id}", RouteAccess::Session, || to(show)),
        Route::get("/mails/{id}/texte", RouteAccess::Session, || to(texts)),
        Route::get("/mails/{id}/envoi/{target}", RouteAccess::Session, || to(body)),
        form("/mails/{id}/liberer", || to(actions::release)),
        form("/mails/{id}/ignorer", || to(actions::ignore)),
        form("/mails/{id}/renvoyer", || to(actions::resend)),
        form("/mails/{id}/annuler", || to(actions::cancel)),
    ]
}

/// What is asked besides.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MailPageQuery {
    /// `1`: what the rules of now would do, too.
    aujourdhui: String,
}

/// There is no such mail.
#[derive(Template)]
#[template(path = "mail/unknown.html")]
struct UnknownMailPage {
    frame: Frame,
    w: &'static Words,
}

async fn show(
    visit: PageVisit,
    id: Path<String>,
    Params(asked): Params<MailPageQuery>,
) -> Result<HttpResponse, HttpProblem> {
    let told = story::story(visit.state.journal.as_ref(), &id).await.map_err(unavailable)?;
    let w = Words::of(visit.lang);
    let Some(told) = told else {
        let frame = visit.frame(Section::Mails, w.unknown).await;
        return visit.show_as(StatusCode::NOT_FOUND, &UnknownMailPage { frame, w });
    };
    let kept = visit.state.services.policy.load().retention;
    let frame = visit.frame(Section::Mails, &page::title(visit.clock, &told, kept)).await;
    visit.show(&MailDetailPage::of(frame, &visit.state, told, !asked.aujourdhui.is_empty()).await?)
}

/// The texts of a mail, as a file: a browser never shows what a stranger wrote as a page.
async fn texts(visit: PageVisit, id: Path<String>) -> Result<HttpResponse, HttpProblem> {
    let known = stored_mail::known(visit.state.journal.as_ref(), &id).await.map_err(unavailable)?;
    let known = known.ok_or_else(|| HttpProblem::new(ProblemKind::NotFound, "there is no such mail"))?;
    let mail = known.content.map_err(|gone| HttpProblem::new(ProblemKind::Gone, gone.to_string()))?;
    Ok(download("text/plain; charset=utf-8", "mail.txt", text_of(&mail)))
}

fn text_of(mail: &Mail) -> String {
    let line = |text: &str| text.replace(['\r', '\n'], " ");
    let head =
        format!("From: {}\nSubject: {}\nDate: {}\n", line(&mail.from), line(&mail.subject), line(&mail.date));
    let parts = [mail.plain.as_str(), mail.html.as_str()].into_iter().filter(|part| !part.is_empty());
    parts.fold(head, |text, part| format!("{text}\n{part}\n"))
}

/// The body of a webhook, byte for byte.
async fn body(visit: PageVisit, path: Path<(String, String)>) -> Result<HttpResponse, HttpProblem> {
    let (id, target) = path.into_inner();
    let bytes = visit.state.journal.body(&delivery_body_key(&id, &target)).await.map_err(unavailable)?;
    let bytes = bytes.filter(|bytes| !bytes.is_empty());
    let bytes = bytes.ok_or_else(|| {
        HttpProblem::new(ProblemKind::NotFound, "there is no such webhook, or its body is kept no longer")
    })?;
    Ok(download("application/json", "webhook.json", bytes))
}

fn download(kind: &str, name: &str, content: impl actix_web::body::MessageBody + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, kind))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(content)
}
