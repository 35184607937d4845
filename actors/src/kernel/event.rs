//! The event envelope, the registry of kinds, and upcasting.
//!
//! An event is a fact in the past tense. Its kind is for ever; its shape has a
//! schema number. A capability declares its events once, as [`EventKind`]s;
//! the registry is what `docs/EVENTS.md` is generated from and what refuses an
//! unknown kind before it reaches the disk.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::clock::Ids;

/// The name of a stream: `mail-<email_id>`, `lease-<name>` …
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(Arc<str>);

impl StreamId {
    /// `<category>-<key>`; the category is what precedes the first dash.
    #[must_use]
    pub fn new(category: &str, key: &str) -> Self {
        Self(format!("{category}-{key}").into())
    }

    /// A stream name as stored.
    #[must_use]
    pub fn from_stored(name: &str) -> Self {
        Self(name.into())
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What precedes the first dash.
    #[must_use]
    pub fn category(&self) -> &str {
        self.0.split_once('-').map_or(&*self.0, |(category, _)| category)
    }

    /// What follows the first dash; empty when there is none.
    #[must_use]
    pub fn key(&self) -> &str {
        self.0.split_once('-').map_or("", |(_, key)| key)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An event on its way into the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Unique id; repeating an append whose events have landed is recognised by it.
    pub id: Uuid,
    /// `noun.past_tense`, for ever.
    pub kind: &'static str,
    /// Shape of the payload, from 1.
    pub schema: u16,
    /// The fact. Never a mail body, never a secret.
    pub payload: Value,
}

/// An event as the journal holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// Global position, from 1, without gaps.
    pub position: u64,
    /// Unique id given by the writer.
    pub id: Uuid,
    /// Stream it belongs to.
    pub stream: StreamId,
    /// Version within the stream, from 1.
    pub version: u64,
    /// `noun.past_tense`.
    pub kind: String,
    /// Shape of `payload`.
    pub schema: u16,
    /// When the writer decided it, UTC.
    pub at: DateTime<Utc>,
    /// What led to it: the id of a command or of an earlier event.
    pub cause: Option<Uuid>,
    /// The fact.
    pub payload: Value,
}

/// Turns a payload of `schema` n into one of n + 1.
pub type Upcast = fn(Value) -> Value;

/// One kind of event, declared by the capability that owns it.
#[derive(Debug, Clone, Copy)]
pub struct EventKind {
    /// `noun.past_tense`.
    pub kind: &'static str,
    /// The schema number that is written today.
    pub schema: u16,
    /// Category of the streams it is written to, such as `mail`.
    pub stream: &'static str,
    /// One sentence: what happened.
    pub doc: &'static str,
    /// `(field, meaning)`, in the order they are written.
    pub fields: &'static [(&'static str, &'static str)],
    /// `upcasts[i]` turns schema `i + 1` into `i + 2`; so `schema - 1` of them.
    pub upcasts: &'static [Upcast],
}

/// A capability's typed events.
///
/// `decide` returns them, the journal stores them, `evolve` reads them back.
pub trait DomainEvent: Sized {
    /// All kinds of this capability.
    const KINDS: &'static [EventKind];

    /// Whether events of this kind are this capability's.
    #[must_use]
    fn declares(kind: &str) -> bool {
        find(Self::KINDS, kind).is_some()
    }

    /// The kind of this event; one of [`Self::KINDS`].
    fn kind(&self) -> &'static str;

    /// The payload at the current schema.
    ///
    /// # Errors
    /// When a value cannot be written as JSON (a map with keys that are not text).
    fn encode(&self) -> Result<Value, serde_json::Error>;

    /// Reads a payload that is already at the current schema.
    ///
    /// # Errors
    /// When the payload does not fit the kind.
    fn decode(kind: &str, payload: &Value) -> Result<Self, serde_json::Error>;

    /// This event, ready for the journal.
    ///
    /// # Errors
    /// See [`Self::encode`].
    fn to_new(&self, id: Uuid) -> Result<NewEvent, EventError> {
        let kind = self.kind();
        let declared = find(Self::KINDS, kind).ok_or_else(|| EventError::UnknownKind(kind.to_owned()))?;
        let payload = self.encode().map_err(|source| EventError::Payload {
            kind: kind.to_owned(),
            schema: declared.schema,
            source,
        })?;
        Ok(NewEvent { id, kind: declared.kind, schema: declared.schema, payload })
    }

    /// Reads a recorded event of any schema it was ever written in.
    ///
    /// # Errors
    /// When the kind is not this capability's, was written by a newer program,
    /// or has a payload that does not fit.
    fn from_recorded(event: &Recorded) -> Result<Self, EventError> {
        let declared =
            find(Self::KINDS, &event.kind).ok_or_else(|| EventError::UnknownKind(event.kind.clone()))?;
        let payload = if event.schema == declared.schema {
            Cow::Borrowed(&event.payload)
        } else {
            Cow::Owned(upcast(declared, event.schema, event.payload.clone())?)
        };
        Self::decode(declared.kind, &payload).map_err(|source| EventError::Payload {
            kind: event.kind.clone(),
            schema: event.schema,
            source,
        })
    }
}

/// Several events, ready for the journal, each with an id of its own.
///
/// # Errors
/// See [`DomainEvent::encode`].
pub fn new_events<E: DomainEvent>(events: &[E], ids: &dyn Ids) -> Result<Vec<NewEvent>, EventError> {
    events.iter().map(|event| event.to_new(ids.next())).collect()
}

fn find(kinds: &'static [EventKind], kind: &str) -> Option<&'static EventKind> {
    kinds.iter().find(|declared| declared.kind == kind)
}

/// Brings a payload from the schema it was written in to today's.
///
/// # Errors
/// [`EventError::FromTheFuture`] when `schema` is newer than this program.
pub fn upcast(kind: &EventKind, schema: u16, mut payload: Value) -> Result<Value, EventError> {
    if schema > kind.schema || schema == 0 {
        return Err(EventError::FromTheFuture { kind: kind.kind.to_owned(), schema, known: kind.schema });
    }
    for step in kind.upcasts.iter().skip(usize::from(schema) - 1) {
        payload = step(payload);
    }
    Ok(payload)
}

/// Why an event could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The kind is not in the registry.
    #[error("unknown event kind {0:?}")]
    UnknownKind(String),
    /// The journal was written by a newer program.
    #[error(
        "event {kind} has schema {schema}, this program knows up to {known}: it was written by a newer version"
    )]
    FromTheFuture {
        /// Kind of the event.
        kind: String,
        /// Schema found.
        schema: u16,
        /// Highest schema known here.
        known: u16,
    },
    /// The payload does not fit.
    #[error("event {kind} (schema {schema}) has an unreadable payload: {source}")]
    Payload {
        /// Kind of the event.
        kind: String,
        /// Schema found.
        schema: u16,
        /// What serde said.
        source: serde_json::Error,
    },
}

/// Declares a capability's events: an enum whose variants carry serde structs.
///
/// Each arm is `Variant(Payload) = "noun.past_tense", schema n, in "category", "doc", { field: "meaning", … }`
/// and may end in `, upcasts [f, g]`.
#[macro_export]
macro_rules! domain_events {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $(
                $(#[$vmeta:meta])*
                $variant:ident($payload:ty) = $kind:literal, schema $schema:literal, in $stream:literal, $doc:literal,
                { $($field:ident : $meaning:literal),* $(,)? }
                $(, upcasts [$($up:path),* $(,)?])?
            );* $(;)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        $vis enum $name {
            $( $(#[$vmeta])* #[doc = $doc] $variant($payload), )*
        }

        impl $crate::kernel::event::DomainEvent for $name {
            const KINDS: &'static [$crate::kernel::event::EventKind] = &[
                $( $crate::kernel::event::EventKind {
                    kind: $kind,
                    schema: $schema,
                    stream: $stream,
                    doc: $doc,
                    fields: &[ $( (stringify!($field), $meaning) ),* ],
                    upcasts: &[ $( $($up),* )? ],
                }, )*
            ];

            fn kind(&self) -> &'static str {
                match self { $( Self::$variant(_) => $kind, )* }
            }

            fn encode(&self) -> Result<serde_json::Value, serde_json::Error> {
                match self { $( Self::$variant(payload) => serde_json::to_value(payload), )* }
            }

            fn decode(kind: &str, payload: &serde_json::Value) -> Result<Self, serde_json::Error> {
                use serde::Deserialize as _;
                match kind {
                    $( $kind => <$payload>::deserialize(payload).map(Self::$variant), )*
                    other => Err(serde::de::Error::custom(format!("not an event of this capability: {other}"))),
                }
            }
        }
    };
}

#[cfg(test)]
mod tests;
