//! What is kept of a mail's content: the source of one that could not be read, the texts of the
//! others.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{Data, Path};
use chrono::{DateTime, Utc};
use render_signal_actors::mail::Mail;
use render_signal_actors::mail::outbox_rows::source_body_key;
use render_signal_actors::stored_mail;
use serde::Serialize;
use utoipa::ToSchema;

use super::story::unknown;
use crate::http::HttpState;
use crate::http::openapi::refusals::ReadRefusals;
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::v1::Params;
use crate::http::v1::page::{Nothing, unavailable};

/// The texts of a mail.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ContentView {
    /// Decoded subject.
    subject: String,
    /// The `From` field.
    from: String,
    /// The `Date` field.
    date: String,
    /// When the server took it in, if it says so.
    arrived_at: Option<DateTime<Utc>>,
    /// The plain text. Whoever shows it treats it as hostile.
    plain: String,
    /// The HTML, as it came. Whoever shows it treats it as hostile.
    html: String,
    /// It carries an attachment, which is not kept.
    has_attachment: bool,
    /// What could not be read.
    flaws: Vec<String>,
}

impl From<Mail> for ContentView {
    fn from(mail: Mail) -> Self {
        Self {
            subject: mail.subject,
            from: mail.from,
            date: mail.date,
            arrived_at: mail.arrived,
            plain: mail.plain,
            html: mail.html,
            has_attachment: mail.has_attachment,
            flaws: mail.flaws,
        }
    }
}

/// The texts of a mail, while they are kept.
#[utoipa::path(get, path = "/api/v1/mails/{id}/content", tag = "mails", operation_id = "mail_content",
    params(("id" = String, Path, description = "Identity of the mail")),
    responses((status = 200, body = ContentView), ReadRefusals))]
pub(in crate::http) async fn content(
    id: Path<String>,
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let known = stored_mail::known(state.journal.as_ref(), &id).await.map_err(unavailable)?;
    let known = known.ok_or_else(|| unknown(&id))?;
    let mail = known.content.map_err(|gone| HttpProblem::new(ProblemKind::Gone, gone.to_string()))?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(ContentView::from(mail)))
}

/// The source of a mail that could not be read. That of others is not kept: `content` has their
/// texts.
#[utoipa::path(get, path = "/api/v1/mails/{id}/source", tag = "mails", operation_id = "mail_source",
    params(("id" = String, Path, description = "Identity of the mail")),
    responses((status = 200, body = Vec<u8>, content_type = "message/rfc822"), ReadRefusals))]
pub(in crate::http) async fn source(
    id: Path<String>,
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let journal = state.journal.as_ref();
    let Some(source) = journal.body(&source_body_key(&id)).await.map_err(unavailable)? else {
        return Err(match stored_mail::known(journal, &id).await.map_err(unavailable)? {
            None => unknown(&id),
            Some(_) => HttpProblem::new(
                ProblemKind::Gone,
                "the source is kept of mails that could not be read, and not for ever; of others /content has the texts",
            ),
        });
    };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "message/rfc822"))
        // Never shown by a browser: whoever wrote it is a stranger.
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"mail.eml\""))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(source))
}
