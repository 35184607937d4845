//! Every kind of event there is: what `docs/EVENTS.md` is made of, and what reads an
//! event whatever capability it belongs to.

use std::fmt::Write as _;

use serde_json::Value;
use uuid::Uuid;

use crate::access::state::{MagicLinkEvent, SessionEvent};
use crate::archive::state::ArchiveEvent;
use crate::config::events::ConfigEvent;
use crate::kernel::event::{DomainEvent, EventError, EventKind, NewEvent, Recorded};
use crate::lock::state::LeaseEvent;
use crate::mail::groups::GroupEvent;
use crate::mail::life::MailEvent;
use crate::make::state::ScenarioEvent;
use crate::poller::check::CheckEvent;
use crate::poller::state::MailboxEvent;
use crate::webhook::events::{DeliveryEvent, RateEvent, TargetEvent};
use crate::worker::WorkerEvent;

/// Lists the capabilities once for everything that goes through all of them.
macro_rules! capabilities {
    ($($(#[$doc:meta])* $room:ident($event:ty)),+ $(,)?) => {
        /// Every kind, in the order of the life of a mail.
        #[must_use]
        pub fn all_kinds() -> Vec<&'static EventKind> {
            let mut kinds: Vec<&'static EventKind> = Vec::new();
            $( kinds.extend(<$event as DomainEvent>::KINDS); )+
            kinds
        }

        /// An event of any capability, in the types of that capability. Whoever reads events of several
        /// matches on it, so that the compiler finds him when one of them changes.
        #[derive(Debug, Clone, PartialEq)]
        pub enum TypedEvent {
            $( $(#[$doc])* $room($event), )+
        }

        impl TypedEvent {
            /// Reads a recorded event of any kind, and of any schema it was ever written in.
            ///
            /// # Errors
            /// When no capability knows the kind, or the payload cannot be read.
            pub fn of(event: &Recorded) -> Result<Self, EventError> {
                $(
                    if <$event>::declares(&event.kind) {
                        return <$event>::from_recorded(event).map(Self::$room);
                    }
                )+
                Err(EventError::UnknownKind(event.kind.clone()))
            }

            fn to_new(&self, id: Uuid) -> Result<NewEvent, EventError> {
                match self {
                    $( Self::$room(event) => event.to_new(id), )+
                }
            }
        }
    };
}

capabilities![
    /// What happens to a mail.
    Mail(MailEvent),
    /// What happens to a subject group.
    Group(GroupEvent),
    /// What happens to a delivery.
    Delivery(DeliveryEvent),
    /// What happens to the hourly limit of a target.
    Rate(RateEvent),
    /// What happens to a target.
    Target(TargetEvent),
    /// What happens to a mailbox.
    Mailbox(MailboxEvent),
    /// What somebody wants of the poller.
    Check(CheckEvent),
    /// What happens to a lease.
    Lease(LeaseEvent),
    /// What happens to the scenarios at Make.com.
    Scenario(ScenarioEvent),
    /// What happens to a configuration document.
    Config(ConfigEvent),
    /// What happens to a worker.
    Worker(WorkerEvent),
    /// What happens to a session.
    Session(SessionEvent),
    /// What happens to a sign-in link.
    MagicLink(MagicLinkEvent),
    /// What happens to the journal as such.
    Archive(ArchiveEvent),
];

/// The payload of any recorded event in today's schema.
///
/// # Errors
/// When no capability knows the kind, or the payload cannot be read.
pub fn read(event: &Recorded) -> Result<Value, EventError> {
    Ok(TypedEvent::of(event)?.to_new(event.id)?.payload)
}

/// The name of a kind, as declared; `None` when no capability declares it.
#[must_use]
pub fn known_kind(name: &str) -> Option<&'static str> {
    all_kinds().into_iter().map(|declared| declared.kind).find(|kind| *kind == name)
}

/// What precedes the tables of `docs/EVENTS.md`.
const HEAD: &str = "# Events

Every fact in the journal is one of these. The page is generated from the program's registry; a test
fails when it is stale, and `UPDATE_EVENTS=1 cargo test -p render-signal-actors registry` writes it anew.

A kind is for ever. When the shape of a payload changes, its schema number grows, an upcaster brings
older payloads up to date when they are read, and a recorded payload of every schema stays in
`tests/golden/events/`. No event holds a mail body or a
secret; since ADR 0040 none names a mail's sender or subject.

Every event also has a `position` (global, from 1, without gaps), an `id`, its `stream`, a `version`
within the stream, `at` (UTC) and, where something led to it, a `cause`.
";

/// The text of `docs/EVENTS.md`.
#[must_use]
pub fn markdown() -> String {
    let kinds = all_kinds();
    let mut categories: Vec<&str> = Vec::new();
    for kind in &kinds {
        if !categories.contains(&kind.stream) {
            categories.push(kind.stream);
        }
    }
    let mut page = HEAD.to_owned();
    for category in categories {
        // Writing to a String does not fail.
        let _ = write!(
            page,
            "\n## Streams `{category}-…`\n\n| kind | schema | meaning | fields |\n|---|---|---|---|\n"
        );
        for kind in kinds.iter().filter(|kind| kind.stream == category) {
            let fields: Vec<String> =
                kind.fields.iter().map(|(name, meaning)| format!("`{name}`: {meaning}")).collect();
            let row = [
                format!("`{}`", kind.kind),
                kind.schema.to_string(),
                kind.doc.to_owned(),
                fields.join("<br>"),
            ];
            let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
            let _ = writeln!(page, "| {} |", cells.join(" | "));
        }
    }
    page
}

#[cfg(test)]
pub(crate) mod tests;
