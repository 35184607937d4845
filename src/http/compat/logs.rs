//! `/api/webhook_logs`: what was tried to send, from the journal, in the shape of the reference's
//! log (its sections 5.16 and 10.3), with the fields of both of its revisions.

use std::collections::HashMap;

use actix_web::HttpRequest;
use actix_web::web::Data;
use chrono::TimeDelta;
use futures::stream::{StreamExt as _, iter};
use render_signal_actors::mail::outbox_rows::answer_body_key;
use render_signal_actors::readmodel::queries::{self, AttemptRow};
use render_signal_actors::stored_mail;
use serde_json::{Map, Value, json};

use super::answer::{CompatRefusal, CompatResult, iso, parameter, success};
use crate::http::HttpState;

/// Entries of an answer.
const MAX_ENTRIES: usize = 50;
/// How many days are listed when the request does not say.
const DEFAULT_DAYS: i64 = 7;
/// The most days that may be asked for: attempts are kept for so many.
const MAX_DAYS: i64 = 30;
/// Characters of a subject.
const MAX_SUBJECT_CHARS: usize = 100;
/// Characters of what a receiver said.
const MAX_SNIPPET_CHARS: usize = 200;
/// Reads of the journal at a time.
const CONCURRENT_READS: usize = 8;

const NOT_READ: &str = "Erreur lors de la récupération des logs.";

/// GET `/api/webhook_logs`, and the same for the test key.
pub(super) async fn show(state: Data<HttpState>, request: HttpRequest) -> CompatResult {
    let days = parameter(&request, "days");
    let days = days.and_then(|days| days.trim().parse::<i64>().ok()).unwrap_or(DEFAULT_DAYS);
    let days = if days < 1 { DEFAULT_DAYS } else { days.min(MAX_DAYS) };
    let since = state.world.now() - TimeDelta::days(days);
    let rows = state
        .journal
        .views()
        .read(move |db| queries::attempts(db, since, MAX_ENTRIES))
        .await
        .map_err(|error| CompatRefusal::not_now(NOT_READ, &error))?;
    let subjects = subjects(&state, &rows).await;
    let answers = answers(&state, &rows).await;
    let logs: Vec<Value> = rows
        .iter()
        .zip(answers)
        .map(|(row, said)| entry(row, subjects.get(&row.email_id).map(String::as_str), said.as_deref()))
        .collect();
    Ok(success(json!({ "count": logs.len(), "days_filter": days, "logs": logs })))
}

/// What the mails are called, as long as that is kept; what cannot be read now is left out.
async fn subjects(state: &HttpState, rows: &[AttemptRow]) -> HashMap<String, String> {
    let mut mails: Vec<&str> = rows.iter().map(|row| row.email_id.as_str()).collect();
    mails.sort_unstable();
    mails.dedup();
    let ask = |mail: &str| {
        let (journal, mail) = (state.journal.clone(), mail.to_owned());
        async move {
            let heading = stored_mail::heading(journal.as_ref(), &mail).await.ok().flatten()?;
            let subject: String = heading.subject.chars().take(MAX_SUBJECT_CHARS).collect();
            (!subject.is_empty()).then_some((mail, subject))
        }
    };
    let asked: Vec<_> = mails.into_iter().map(ask).collect();
    iter(asked).buffer_unordered(CONCURRENT_READS).filter_map(std::future::ready).collect().await
}

/// What the receivers said, in the order of the rows.
async fn answers(state: &HttpState, rows: &[AttemptRow]) -> Vec<Option<String>> {
    let ask = |row: &AttemptRow| {
        let key = row.target.as_ref().map(|target| answer_body_key(&row.email_id, target, row.version));
        let journal = state.journal.clone();
        async move {
            let body = journal.body(&key?).await.ok().flatten()?;
            Some(String::from_utf8_lossy(&body).into_owned())
        }
    };
    let asked: Vec<_> = rows.iter().map(ask).collect();
    iter(asked).buffered(CONCURRENT_READS).collect().await
}

/// An entry of the log.
fn entry(row: &AttemptRow, subject: Option<&str>, said: Option<&str>) -> Value {
    let mut entry = Map::new();
    let mut put = |name: &str, value: Value| drop(entry.insert(name.to_owned(), value));
    put("timestamp", json!(iso(row.at)));
    put("type", json!("custom"));
    put("email_id", json!(row.email_id));
    put("subject", json!(subject));
    let Some(target) = &row.target else {
        let why = "No delivery links detected; skipping per config";
        put("status", json!("skipped"));
        put("status_code", json!(204));
        put("error", json!(why));
        put("error_message", json!(why));
        return Value::Object(entry);
    };
    put("target", json!(target));
    put("attempt", json!(row.attempt));
    put("took_ms", json!(row.took_ms));
    put("status_code", json!(row.status));
    put("target_url", json!(row.url));
    put("webhook_url", json!(row.url));
    match &row.error {
        None => put("status", json!("success")),
        Some(error) => {
            let snippet = said.map(snippet).filter(|said| !said.is_empty());
            put("status", json!("error"));
            put("error", json!(error));
            put("error_message", json!(error));
            put("failure_reason", json!(failure_reason(row.status, snippet.as_deref().unwrap_or(error))));
            if let Some(snippet) = snippet {
                put("response_snippet", json!(snippet));
            }
        }
    }
    Value::Object(entry)
}

/// White space made one blank, at most 200 characters.
fn snippet(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_SNIPPET_CHARS).collect()
}

/// What kind of failure it was, in the reference's words.
fn failure_reason(status: Option<u16>, text: &str) -> &'static str {
    let text = text.trim().to_lowercase();
    if text.contains("imunify360") || text.contains("bot-protection") {
        return "bot_protection_denied";
    }
    match status {
        Some(415) => "unsupported_media_type",
        Some(429) => "rate_limited",
        Some(500..) => "upstream_server_error",
        Some(400..) => "upstream_client_error",
        _ if text.is_empty() => "request_failed",
        _ => "remote_application_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: &str = include_str!("../../../tests/golden/jul.json");

    fn cases(area: &str) -> Vec<Value> {
        let cases: Vec<Value> = serde_json::from_str(CASES).expect("cases");
        let cases: Vec<Value> = cases.into_iter().filter(|case| case["area"] == area).collect();
        assert!(!cases.is_empty(), "{area}");
        cases
    }

    #[test]
    fn failures_are_named_as_the_reference_names_them() {
        for case in cases("jul_failure_reason") {
            let status = case["input"]["status_code"].as_u64().map(|status| status as u16);
            let text = case["input"]["response_text"].as_str().expect("a text");
            assert_eq!(json!(failure_reason(status, text)), case["output"], "{case}");
        }
    }

    #[test]
    fn what_was_said_is_one_line() {
        for case in cases("jul_snippet") {
            let text = case["input"]["value"].as_str().expect("a text");
            assert_eq!(json!(snippet(text)), case["output"], "{case}");
        }
    }

    #[test]
    fn entries_have_the_fields_of_both_revisions() {
        let row = AttemptRow {
            position: 7,
            at: chrono::DateTime::from_timestamp(1_780_000_000, 0).expect("a time"),
            email_id: "e".to_owned(),
            target: Some("default".to_owned()),
            version: 1,
            attempt: 1,
            url: Some("https://h/***".to_owned()),
            status: Some(503),
            error: Some("HTTP 503".to_owned()),
            took_ms: Some(3),
        };
        let failed = entry(&row, Some("s"), Some(" too\n busy "));
        assert_eq!(failed["timestamp"], "2026-05-28T20:26:40.000000+00:00");
        assert_eq!((&failed["status"], &failed["status_code"]), (&json!("error"), &json!(503)));
        assert_eq!((&failed["error"], &failed["error_message"]), (&json!("HTTP 503"), &json!("HTTP 503")));
        assert_eq!(failed["response_snippet"], "too busy");
        assert_eq!(failed["failure_reason"], "upstream_server_error");
        assert_eq!(
            (&failed["target_url"], &failed["webhook_url"]),
            (&json!("https://h/***"), &json!("https://h/***"))
        );
        let done = entry(&AttemptRow { status: Some(200), error: None, ..row.clone() }, None, None);
        assert_eq!((&done["status"], &done["subject"]), (&json!("success"), &Value::Null));
        assert!(done.get("error").is_none());
        let nothing = AttemptRow { target: None, url: None, status: None, error: None, ..row };
        let skipped = entry(&nothing, Some("s"), None);
        assert_eq!((&skipped["status"], &skipped["status_code"]), (&json!("skipped"), &json!(204)));
    }
}
