//! One mail's whole story in one answer.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Path};
use chrono::{DateTime, Utc};
use render_signal_actors::readmodel::queries::MailLink;
use render_signal_actors::story::{self, Decided, Mark, MarkState, Step, Story};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::view::MailView;
use crate::http::HttpState;
use crate::http::openapi::refusals::ReadRefusals;
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::v1::Params;
use crate::http::v1::deliveries::{DeliveryStoryView, DeliveryView};
use crate::http::v1::page::{Nothing, unavailable};

/// A mail with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct StoryView {
    /// Where it stands.
    mail: MailView,
    /// The mail that came next.
    newer: Option<String>,
    /// The mail that came before.
    older: Option<String>,
    /// What happened to it, oldest first.
    steps: Vec<MailStepView>,
    /// What became of each of its links.
    links: Vec<MailLinkView>,
    /// Its deliveries, each with all that happened to it.
    deliveries: Vec<DeliveryStoryView>,
    /// Where it lies, and whether it is marked as read there.
    places: Vec<MailPlace>,
    /// Whether its content is still kept.
    content_kept: bool,
    /// Why it is not.
    content_gone: Option<String>,
}

/// Something that happened to a mail.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct MailStepView {
    /// When.
    at: DateTime<Utc>,
    /// Position of the event in the log.
    position: u64,
    /// Kind of the event.
    event: String,
    /// Who did it, when it was a person or a token.
    by: Option<String>,
    /// What the event says.
    payload: Value,
    /// Of a decision: what was in force.
    decided_under: Option<DecidedView>,
}

/// What a decision was made under.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct DecidedView {
    /// False: it was made by a version that did not record it.
    known: bool,
    /// The documents that were in force; none = the environment and the built-in defaults.
    documents: Vec<DecidedDocument>,
}

/// A document that was in force.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct DecidedDocument {
    /// Its key.
    document: String,
    /// Its version in the history; null = the history does not know it.
    version: Option<u64>,
    /// The first digits of its hash.
    hash: String,
}

/// What became of a link.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct MailLinkView {
    /// When.
    at: DateTime<Utc>,
    /// As found in the mail.
    url: String,
    /// Where its copy lies, if there is one.
    copy: Option<String>,
    /// File service, of a copy.
    provider: Option<String>,
    /// The file's own name, of a copy.
    filename: Option<String>,
    /// The copy was there already, made for this mail.
    reused_from: Option<String>,
    /// Why there is no copy.
    why: Option<String>,
}

/// A place where a mail lies.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct MailPlace {
    /// Name of the mailbox.
    mailbox: String,
    /// UIDVALIDITY.
    validity: u64,
    /// UID, or the unique part of a file's name.
    item: String,
    /// `unwanted`: it is not to be marked as it stands; `due`; `marked`.
    mark: &'static str,
    /// Of a further copy: what it can be released by.
    copy_id: Option<String>,
}

impl From<Step> for MailStepView {
    fn from(step: Step) -> Self {
        let decided_under = step.decided_under.map(|decided| match decided {
            Decided::Unknown(_) => DecidedView { known: false, documents: Vec::new() },
            Decided::Documents(documents) => {
                let document = documents.into_iter().map(|one| DecidedDocument {
                    document: one.document,
                    version: one.version,
                    hash: one.hash,
                });
                DecidedView { known: true, documents: document.collect() }
            }
        });
        Self {
            at: step.at,
            position: step.position,
            event: step.event,
            by: step.by,
            payload: step.payload,
            decided_under,
        }
    }
}

impl From<MailLink> for MailLinkView {
    fn from(link: MailLink) -> Self {
        Self {
            at: link.at,
            url: link.raw_url,
            copy: link.r2_url,
            provider: link.provider,
            filename: link.filename,
            reused_from: link.reused_from,
            why: link.why,
        }
    }
}

impl From<Mark> for MailPlace {
    fn from(mark: Mark) -> Self {
        Self {
            mailbox: mark.location.mailbox,
            validity: mark.location.validity,
            item: mark.location.item,
            mark: match mark.state {
                MarkState::Unwanted => "unwanted",
                MarkState::Due => "due",
                MarkState::Marked => "marked",
            },
            copy_id: mark.copy_id,
        }
    }
}

impl From<Story> for StoryView {
    fn from(story: Story) -> Self {
        let rows = story.deliveries.iter().map(|one| DeliveryView::from(one.row.clone())).collect();
        Self {
            mail: MailView::of(story.mail, story.sender, story.subject, rows),
            newer: story.neighbours.newer,
            older: story.neighbours.older,
            steps: story.steps.into_iter().map(MailStepView::from).collect(),
            links: story.links.into_iter().map(MailLinkView::from).collect(),
            deliveries: story.deliveries.into_iter().map(DeliveryStoryView::from).collect(),
            places: story.marks.into_iter().map(MailPlace::from).collect(),
            content_kept: story.content_gone.is_none(),
            content_gone: story.content_gone,
        }
    }
}

/// There is no such mail.
pub(super) fn unknown(id: &str) -> HttpProblem {
    HttpProblem::new(
        ProblemKind::NotFound,
        format!("there is no mail {id}, or it was archived (JOURNAL_RETENTION_DAYS)"),
    )
}

/// One mail's whole story.
#[utoipa::path(get, path = "/api/v1/mails/{id}", tag = "mails", operation_id = "mail_story",
    params(("id" = String, Path, description = "Identity of the mail")),
    responses((status = 200, body = StoryView), ReadRefusals))]
pub(in crate::http) async fn one(
    id: Path<String>,
    _: Params<Nothing>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let told = story::story(state.journal.as_ref(), &id).await.map_err(unavailable)?;
    let told = told.ok_or_else(|| unknown(&id))?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(StoryView::from(told)))
}
