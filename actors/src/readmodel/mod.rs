//! Tables for readers, computed from the log.
//!
//! One [`Projection`](crate::kernel::projection::Projection) per concern; each file holds a table and what moves it. They run in
//! the journal's own transaction, so they are written for speed: dispatch on the kind
//! first, read the payload in place, cached statements, few indices. A payload that cannot
//! be read changes nothing: a projection must not be able to stop the journal.
//!
//! What was archived (`journal.archived`) leaves the tables, too: a table that is rebuilt
//! from what is left of the log has the same content as one that has followed it.
//!
//! Instants are kept as milliseconds since 1970 UTC. Readers use [`queries`].

pub mod actions;
pub mod admitted;
pub mod attempts;
pub mod configs;
pub mod deliveries;
pub mod hourly;
pub mod leases;
pub mod links;
pub mod log;
pub mod magic_links;
pub mod mailboxes;
pub mod mails;
pub mod queries;
pub mod rates;
pub mod sessions;
mod tally;
pub mod targets;
pub mod workers;

use std::borrow::Cow;
use std::sync::Arc;

use chrono::DateTime;
use serde_json::Value;

use crate::archive::state::ArchiveEvent;
use crate::kernel::event::{DomainEvent, Recorded, StreamId, upcast};
use crate::kernel::projection::Projections;

/// Every read model of the program.
#[must_use]
pub fn all() -> Projections {
    Arc::new(vec![
        Box::new(admitted::AdmittedProjection),
        Box::new(mails::MailsProjection),
        Box::new(deliveries::DeliveriesProjection),
        Box::new(targets::TargetsProjection),
        Box::new(mailboxes::MailboxesProjection),
        Box::new(workers::WorkersProjection),
        Box::new(leases::LeasesProjection),
        Box::new(hourly::HourlyProjection),
        Box::new(configs::ConfigsProjection),
        Box::new(links::LinksProjection),
        Box::new(rates::RatesProjection),
        Box::new(attempts::AttemptsProjection),
        Box::new(sessions::SessionsProjection),
        Box::new(magic_links::MagicLinksProjection),
        Box::new(actions::ActionsProjection),
    ])
}

/// The payload of one of `E`'s events in today's schema; `None` when it is not readable here.
fn payload<E: DomainEvent>(event: &Recorded) -> Option<Cow<'_, Value>> {
    let declared = E::KINDS.iter().find(|declared| declared.kind == event.kind)?;
    if declared.schema == event.schema {
        return Some(Cow::Borrowed(&event.payload));
    }
    upcast(declared, event.schema, event.payload.clone()).ok().map(Cow::Owned)
}

/// What `journal.archived` says of a category of streams: their keys, as a JSON array.
fn archived_keys(event: &Recorded, category: &str) -> Option<String> {
    let payload = payload::<ArchiveEvent>(event)?;
    let names = payload.get("streams")?.as_array()?.iter().filter_map(Value::as_str);
    let streams = names.map(StreamId::from_stored).filter(|stream| stream.category() == category);
    let keys: Vec<Value> = streams.map(|stream| Value::from(stream.key())).collect();
    (!keys.is_empty()).then(|| Value::from(keys).to_string())
}

/// What `journal.archived` says of its age: everything archived happened before.
fn archived_before(event: &Recorded) -> Option<i64> {
    instant(&*payload::<ArchiveEvent>(event)?, "before")
}

/// A text field.
fn text<'v>(payload: &'v Value, field: &str) -> Option<&'v str> {
    payload.get(field)?.as_str()
}

/// A number field, at most `i64::MAX`.
fn number(payload: &Value, field: &str) -> Option<i64> {
    let value = payload.get(field)?;
    value.as_i64().or_else(|| value.as_u64().map(|_| i64::MAX))
}

/// An instant field, in milliseconds.
fn instant(payload: &Value, field: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text(payload, field)?).ok().map(|at| at.timestamp_millis())
}

/// Whether a field says yes.
fn flag(payload: &Value, field: &str) -> bool {
    payload.get(field).and_then(Value::as_bool).unwrap_or_default()
}

/// How many entries a list field has.
fn length(payload: &Value, field: &str) -> i64 {
    let items = payload.get(field).and_then(Value::as_array).map_or(0, Vec::len);
    i64::try_from(items).unwrap_or(i64::MAX)
}

/// When the event happened, in milliseconds.
fn at(event: &Recorded) -> i64 {
    event.at.timestamp_millis()
}

/// A position or version as SQLite holds it.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
