//! What a person can do with a mail: release it, ignore it, send it once more, cancel it.

use actix_web::HttpResponse;
use actix_web::web::Path;
use render_signal_actors::dedup::release;
use render_signal_actors::ignore;
use render_signal_actors::readmodel::queries::{self, DeliveryRow};
use render_signal_actors::webhook::cancel;
use render_signal_actors::webhook::dead_letters::Undelivered;
use render_signal_actors::webhook::resend;

use super::words::Words;
use crate::http::pages::form::FormData;
use crate::http::pages::frame::in_query;
use crate::http::pages::mails::is_open;
use crate::http::pages::notice::Notice;
use crate::http::pages::parts::Confirm;
use crate::http::pages::visit::PageVisit;
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::v1::page::unavailable;
use crate::lang::Lang;
use crate::words::refusals::LocalizedError;

/// What can be done with a mail, or with one of its deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MailAction {
    /// It is sent, whatever was decided.
    Release,
    /// A further copy is sent as a mail of its own.
    ReleaseCopy,
    /// Nothing is sent for it.
    Ignore,
    /// What was delivered, cancelled or given up is sent once more.
    Resend,
    /// A webhook is not sent.
    Cancel,
}

/// The address of a mail's page.
pub(super) fn path(id: &str) -> String {
    format!("/mails/{}", in_query(id))
}

/// A button that asks before it does something. `subject`: the target, or the copy.
pub(super) fn confirm(
    lang: Lang,
    action: MailAction,
    id: &str,
    subject: Option<&str>,
    (place, title): (String, String),
) -> Confirm {
    let w = Words::of(lang);
    let (below, button, text, class, field) = match action {
        MailAction::Release => ("liberer", w.release, w.release_text, "primary", ""),
        MailAction::ReleaseCopy => ("liberer", w.release_copy, w.release_copy_text, "", "copy"),
        MailAction::Ignore => ("ignorer", w.ignore, w.ignore_text, "", ""),
        MailAction::Resend => ("renvoyer", w.resend, w.resend_text, "", "target"),
        MailAction::Cancel => ("annuler", w.cancel, w.cancel_text, "danger", "target"),
    };
    Confirm {
        id: place,
        button: button.to_owned(),
        class,
        title,
        text: text.to_owned(),
        action: format!("{}/{below}", path(id)),
        fields: subject.map(|subject| (field.to_owned(), subject.to_owned())).into_iter().collect(),
        yes: button.to_owned(),
        no: w.no.to_owned(),
    }
}

/// Has it sent, or a further copy of it.
pub(super) async fn release(
    visit: PageVisit,
    id: Path<String>,
    form: FormData,
) -> Result<HttpResponse, HttpProblem> {
    let copy = form.text("copy");
    // A copy is one of this mail, and nothing else.
    if !(copy.is_empty() || copy.starts_with(id.as_str())) {
        return Err(HttpProblem::parameter("copy", "is no copy of this mail"));
    }
    deliveries(&visit, &id).await?;
    let which = if copy.is_empty() { id.as_str() } else { copy };
    let (state, w) = (&visit.state, Words::of(visit.lang));
    let released = release::release(state.journal.as_ref(), &state.world, which, &visit.caller.by()).await;
    Ok(answer(&visit, &id, released.map(|()| w.released.to_owned()).map_err(|error| error.told(visit.lang))))
}

/// Has nothing sent for it.
pub(super) async fn ignore(visit: PageVisit, id: Path<String>) -> Result<HttpResponse, HttpProblem> {
    deliveries(&visit, &id).await?;
    let (state, w) = (&visit.state, Words::of(visit.lang));
    let ignored = ignore::ignore(state.journal.as_ref(), &state.world, &id, &visit.caller.by()).await;
    Ok(answer(&visit, &id, ignored.map(|()| w.ignored.to_owned()).map_err(|error| error.told(visit.lang))))
}

/// Sends it once more, to one target or to all that have done with it.
pub(super) async fn resend(
    visit: PageVisit,
    id: Path<String>,
    form: FormData,
) -> Result<HttpResponse, HttpProblem> {
    let wanted = form.text("target");
    let rows = deliveries(&visit, &id).await?;
    let rows: Vec<&DeliveryRow> = match wanted {
        "" => rows.iter().filter(|row| !is_open(row)).collect(),
        target => rows.iter().filter(|row| row.target == target).collect(),
    };
    if rows.is_empty() {
        return Err(HttpProblem::new(ProblemKind::NotFound, "the mail was not sent to this target"));
    }
    let (mut sent, mut why) = (0, None);
    for row in rows {
        match resend_one(&visit, row).await? {
            Ok(()) => sent += 1,
            Err(refused) => why = Some(refused),
        }
    }
    let text = Words::resent(visit.lang, sent);
    let done = match (sent, why) {
        (_, None) => Ok(text),
        (0, Some(why)) => Err(why),
        (_, Some(why)) => Ok(format!("{text} {why}")),
    };
    Ok(answer(&visit, &id, done))
}

async fn resend_one(visit: &PageVisit, row: &DeliveryRow) -> Result<Result<(), String>, HttpProblem> {
    let (journal, world, by) = (visit.state.journal.as_ref(), &visit.state.world, visit.caller.by());
    let (id, target) = (&row.email_id, &row.target);
    if row.state == "dead_lettered" {
        let undelivered = Undelivered::read(journal).await.map_err(unavailable)?;
        let retried = undelivered.retry(journal, world, id, target, &by).await;
        return Ok(retried.map_err(|error| error.told(visit.lang)));
    }
    let again = resend::resend(journal, world, id, target, &by).await;
    Ok(again.map_err(|error| error.told(visit.lang)))
}

/// Has a webhook not sent.
pub(super) async fn cancel(
    visit: PageVisit,
    id: Path<String>,
    form: FormData,
) -> Result<HttpResponse, HttpProblem> {
    deliveries(&visit, &id).await?;
    let (state, w) = (&visit.state, Words::of(visit.lang));
    let target = form.text("target");
    let cancelled =
        cancel::cancel(state.journal.as_ref(), &state.world, &id, target, &visit.caller.by()).await;
    Ok(answer(
        &visit,
        &id,
        cancelled.map(|()| w.cancelled.to_owned()).map_err(|error| error.told(visit.lang)),
    ))
}

/// The webhooks of a mail that is known.
async fn deliveries(visit: &PageVisit, id: &str) -> Result<Vec<DeliveryRow>, HttpProblem> {
    let asked = id.to_owned();
    let read = visit.state.journal.views().read(move |db| queries::mail_story(db, &asked)).await;
    let story = read.map_err(unavailable)?;
    story
        .map(|story| story.deliveries)
        .ok_or_else(|| HttpProblem::new(ProblemKind::NotFound, "there is no such mail"))
}

fn answer(visit: &PageVisit, id: &str, done: Result<String, String>) -> HttpResponse {
    let notice = match done {
        Ok(text) => Notice::good(text),
        Err(why) => Notice::bad(sentence(&why)),
    };
    visit.back(&path(id), &notice)
}

/// With a capital letter and a full stop.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let text: String = first.chain(letters).collect();
    if text.ends_with('.') { text } else { format!("{text}.") }
}
