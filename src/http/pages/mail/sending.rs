//! What is sent for a mail: each of its webhooks with its headers and its body, and what may be done
//! about it.

use actix_web::web::Data;
use render_signal_actors::kernel::event::DomainEvent as _;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::mail::outbox_rows::delivery_body_key;
use render_signal_actors::mail::policy::DeliveryMode;
use render_signal_actors::story::{DeliveryStory, Story};
use render_signal_actors::webhook::events::{DeliveryEvent, delivery_stream};

use super::actions::{MailAction, confirm};
use super::timeline;
use super::words::Words;
use crate::http::HttpState;
use crate::http::pages::clock::PageClock;
use crate::http::pages::frame::in_query;
use crate::http::pages::mails::is_open;
use crate::http::pages::parts::{Badge, Confirm, UntrustedText, When};
use crate::http::problem::HttpProblem;
use crate::http::v1::page::unavailable;
use crate::words::recorded::plain;

/// Bytes of a body that are shown in the page; more are downloaded.
const MAX_SHOWN_BYTES: usize = 24 * 1_024;

/// A webhook of the mail.
pub(super) struct WebhookView {
    pub(super) target: UntrustedText,
    pub(super) badge: Badge,
    pub(super) attempts: u64,
    pub(super) next: Option<When>,
    pub(super) error: Option<UntrustedText>,
    pub(super) address: Option<UntrustedText>,
    pub(super) headers: Vec<(&'static str, UntrustedText)>,
    /// What it says; `None` = it is not there, and why not.
    pub(super) body: Result<WebhookBody, &'static str>,
    pub(super) actions: Vec<Confirm>,
}

pub(super) struct WebhookBody {
    /// Its id in the page.
    pub(super) id: String,
    /// Set out to be read.
    pub(super) text: UntrustedText,
    /// It is all of it.
    pub(super) whole: bool,
    /// Where all of it can be had.
    pub(super) href: String,
}

/// Every webhook of a mail.
///
/// # Errors
/// The journal does not answer.
pub(super) async fn sent(
    clock: PageClock,
    state: &Data<HttpState>,
    story: &Story,
) -> Result<Vec<WebhookView>, HttpProblem> {
    let mut all = Vec::with_capacity(story.deliveries.len());
    for (place, delivery) in story.deliveries.iter().enumerate() {
        all.push(one(clock, state, delivery, place).await?);
    }
    Ok(all)
}

async fn one(
    clock: PageClock,
    state: &Data<HttpState>,
    delivery: &DeliveryStory,
    place: usize,
) -> Result<WebhookView, HttpProblem> {
    let (lang, w, row) = (clock.lang, Words::of(clock.lang), &delivery.row);
    let (mood, word) = timeline::state(lang, &row.state);
    let journal = state.journal.as_ref();
    let mode = mode(journal, &row.email_id, &row.target).await?;
    let mode = mode.unwrap_or_else(|| state.services.policy.load().delivery_mode);
    let headers = vec![
        ("content-type", UntrustedText(mode.content_type().to_owned())),
        ("user-agent", UntrustedText(concat!("render-signal/", env!("CARGO_PKG_VERSION")).to_owned())),
        ("webhook-id", UntrustedText(delivery.webhook_id.clone())),
    ];
    let bytes = journal.body(&delivery_body_key(&row.email_id, &row.target)).await.map_err(unavailable)?;
    let body = match bytes.filter(|bytes| !bytes.is_empty()) {
        Some(bytes) => Ok(shown(&bytes, &row.email_id, &row.target, place)),
        None if is_open(row) => Err(w.body_not_yet),
        None => Err(w.body_gone),
    };
    let open = is_open(row);
    Ok(WebhookView {
        target: UntrustedText(row.target.clone()),
        badge: Badge::new(mood, word),
        attempts: row.attempts,
        next: row.next_at.filter(|_| open && row.state != "waiting").map(|at| When::short(clock, at)),
        error: row
            .last_error
            .as_deref()
            .filter(|_| row.state != "delivered")
            .map(|error| UntrustedText(plain(lang, error).into_owned())),
        address: row.url.clone().map(UntrustedText),
        headers,
        actions: actions(clock, delivery, place, body.is_ok()),
        body,
    })
}

fn actions(clock: PageClock, delivery: &DeliveryStory, place: usize, kept: bool) -> Vec<Confirm> {
    let (lang, row) = (clock.lang, &delivery.row);
    let dead = row.state == "dead_lettered";
    let mut actions = Vec::new();
    if dead || (kept && !is_open(row)) {
        let ask = Words::resend_ask(lang, &row.target);
        actions.push(confirm(
            lang,
            MailAction::Resend,
            &row.email_id,
            Some(&row.target),
            (format!("resend-{place}"), ask),
        ));
    }
    if dead || is_open(row) {
        let ask = Words::cancel_ask(lang, &row.target);
        actions.push(confirm(
            lang,
            MailAction::Cancel,
            &row.email_id,
            Some(&row.target),
            (format!("cancel-{place}"), ask),
        ));
    }
    actions
}

/// What the body was called when it was taken; `None` = it was not yet.
async fn mode(
    journal: &dyn Journal,
    email_id: &str,
    target: &str,
) -> Result<Option<DeliveryMode>, HttpProblem> {
    let events = journal.read_stream(&delivery_stream(email_id, target), 0).await.map_err(unavailable)?;
    let taken = events.iter().rev().find_map(|event| match DeliveryEvent::from_recorded(event) {
        Ok(DeliveryEvent::Succeeded(succeeded)) => Some(succeeded.mode),
        _ => None,
    });
    Ok(taken)
}

fn shown(bytes: &[u8], email_id: &str, target: &str, place: usize) -> WebhookBody {
    let href = format!("/mails/{}/envoi/{}", in_query(email_id), in_query(target));
    let whole = bytes.len() <= MAX_SHOWN_BYTES;
    let exact = String::from_utf8_lossy(bytes);
    let text = if whole { set_out(&exact) } else { beginning(&exact, MAX_SHOWN_BYTES).to_owned() };
    WebhookBody { id: format!("body-{place}"), text: UntrustedText(text), whole, href }
}

/// JSON in lines; anything else as it is.
fn set_out(text: &str) -> String {
    let value: Result<serde_json::Value, _> = serde_json::from_str(text);
    let lines = value.ok().and_then(|value| serde_json::to_string_pretty(&value).ok());
    lines.unwrap_or_else(|| text.to_owned())
}

/// The first `most` bytes at most, in whole characters.
fn beginning(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_set_out_in_its_order_and_a_long_one_is_cut() {
        let body = shown(b"{\"b\":1,\"a\":\"<b>\"}", "id", "rule 1", 0);
        assert_eq!(body.text.0, "{\n  \"b\": 1,\n  \"a\": \"<b>\"\n}");
        assert!(body.whole);
        assert_eq!(body.href, "/mails/id/envoi/rule%201");
        let long = shown("é".repeat(MAX_SHOWN_BYTES).as_bytes(), "id", "t", 1);
        assert!(!long.whole && long.text.0.len() <= MAX_SHOWN_BYTES, "{}", long.text.0.len());
        assert_eq!(set_out("a=b&c"), "a=b&c");
    }
}
