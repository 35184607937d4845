//! Tables for readers, computed from the log.
//!
//! One [`Projection`](crate::kernel::projection::Projection) per concern; each file holds a table and what moves it. They run in
//! the journal's own transaction, so they are written for speed: an event is read once for all of
//! them, statements are cached, indices are few. They match events in the types of their rooms
//! ([`TypedEvent`]), and who follows a room lists all of its events, those that change nothing
//! included: the compiler finds every reader of an event that changes, and asks where a new one
//! belongs. An event that cannot be read changes nothing: a projection must not be able to stop the
//! journal.
//!
//! What was archived (`journal.archived`) leaves the tables, too: a table that is rebuilt
//! from what is left of the log has the same content as one that has followed it.
//!
//! Instants are kept as milliseconds since 1970 UTC. Readers use [`queries`].
#![deny(
    clippy::wildcard_enum_match_arm,
    reason = "a new event is decided about wherever its room is followed"
)]

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

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::archive::state::Archived;
use crate::kernel::event::{EventError, Recorded, StreamId};
use crate::kernel::projection::{FedEvent, Projections};
use crate::registry::TypedEvent;

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

/// The event in the types of its room; `None` = this program cannot read it.
fn typed<'e>(event: &'e FedEvent<'_>) -> Option<&'e TypedEvent> {
    event.read_as(read)?.as_ref()
}

fn read(event: &Recorded) -> Option<TypedEvent> {
    match TypedEvent::of(event) {
        Ok(typed) => Some(typed),
        // A newer version of the program has written it; its tables are made anew there.
        Err(EventError::UnknownKind(_)) => None,
        Err(error) => {
            tracing::error!(
                position = event.position,
                kind = event.kind,
                %error,
                "an event could not be read and was passed over by all projections"
            );
            metrics::counter!("render_signal_projection_errors_total", "projection" => "all").increment(1);
            None
        }
    }
}

/// The keys of the archived streams of a category, as a JSON array.
fn archived_keys(archived: &Archived, category: &str) -> Option<String> {
    let streams = archived.streams.iter().map(|stream| StreamId::from_stored(stream));
    let keys: Vec<String> = streams
        .filter(|stream| stream.category() == category)
        .map(|stream| stream.key().to_owned())
        .collect();
    (!keys.is_empty()).then(|| list(&keys))
}

/// A list of texts as SQLite reads it with `json_each`.
fn list<T: Into<serde_json::Value> + Clone>(texts: &[T]) -> String {
    serde_json::Value::from(texts).to_string()
}

/// An instant as it is kept.
const fn millis(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

/// How many there are, as SQLite holds it.
fn count<T>(items: &[T]) -> i64 {
    i64::try_from(items.len()).unwrap_or(i64::MAX)
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
