//! `deliveries list`: what has not arrived, and why.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::mail::HoldReason;
use render_signal_actors::readmodel::queries::{
    DeliveryFilter, DeliveryRow, MailFilter, MailRow, deliveries, mails,
};
use serde::Serialize;

use super::mails::{erased, heading, listed, stage_column};
use crate::cli::{DeliveryStateArg, ListArgs};
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::lang::Lang;
use crate::output::{Output, Style, fit_ends};
use crate::words::reasons;
use crate::words::when::Depth;

/// One line of the list: a delivery, or a mail that is held before it has any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct DeliveryListItem {
    /// What `deliveries retry` takes: `<email_id>/<target>`; of a held mail its `email_id`.
    id: String,
    email_id: String,
    target: Option<String>,
    state: DeliveryStateArg,
    reason: Option<String>,
    attempts: u64,
    last_status: Option<u16>,
    next_at: Option<DateTime<Utc>>,
    since: DateTime<Utc>,
    /// Clean address of the sender; `None` = erased.
    sender: Option<String>,
    /// Subject; `None` = erased.
    subject: Option<String>,
}

/// A delivery that may go only while the window is open, and came due while it was closed.
const HELD_WINDOW: &str = "held_window";

impl DeliveryStateArg {
    /// The read model's word for it; held mails are not deliveries yet.
    const fn stored(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Retrying => "retrying",
            Self::RateLimited => "held_rate",
            Self::Dead => "dead_lettered",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
            Self::Held => HELD_WINDOW,
        }
    }

    fn of(stored: &str) -> Self {
        match stored {
            "retrying" => Self::Retrying,
            "held_rate" => Self::RateLimited,
            HELD_WINDOW => Self::Held,
            "dead_lettered" => Self::Dead,
            "delivered" => Self::Delivered,
            "cancelled" => Self::Cancelled,
            _ => Self::Waiting,
        }
    }

    const fn style(self) -> Style {
        match self {
            Self::Dead => Style::Bad,
            Self::Retrying | Self::RateLimited | Self::Held => Style::Warn,
            Self::Waiting | Self::Cancelled => Style::Dim,
            Self::Delivered => Style::Good,
        }
    }

    const fn word(self, lang: Lang) -> &'static str {
        match self {
            Self::Waiting => lang.pick("attend", "waiting"),
            Self::Retrying => lang.pick("nouvel essai", "retrying"),
            Self::RateLimited => lang.pick("limite horaire", "rate-limited"),
            Self::Held => lang.pick("en attente", "held"),
            Self::Dead => lang.pick("abandonné", "dead"),
            Self::Delivered => lang.pick("livré", "delivered"),
            Self::Cancelled => lang.pick("annulé", "cancelled"),
        }
    }
}

fn of_delivery(row: DeliveryRow) -> DeliveryListItem {
    DeliveryListItem {
        id: format!("{}/{}", row.email_id, row.target),
        reason: if row.state == HELD_WINDOW {
            Some(HoldReason::OutsideWindow.as_str().to_owned())
        } else {
            row.last_error
        },
        state: DeliveryStateArg::of(&row.state),
        attempts: row.attempts,
        last_status: row.last_status,
        next_at: row.next_at,
        since: row.routed_at,
        target: Some(row.target),
        email_id: row.email_id,
        sender: None,
        subject: None,
    }
}

fn of_held(row: MailRow) -> DeliveryListItem {
    DeliveryListItem {
        id: row.email_id.clone(),
        email_id: row.email_id,
        target: None,
        state: DeliveryStateArg::Held,
        reason: row.reason,
        attempts: 0,
        last_status: None,
        next_at: row.hold_until,
        since: row.received_at,
        sender: None,
        subject: None,
    }
}

/// Prints the list.
pub(crate) async fn list(
    journal: Arc<dyn Journal>,
    args: &ListArgs,
    lang: Lang,
    out: &mut Output,
) -> CommandResult {
    let items = items(journal.as_ref(), args.state, args.limit).await?;
    if args.json {
        out.json_pretty(&items)?;
        return Ok(Exit::Ok);
    }
    for item in &items {
        out.line(line(item, lang, out))?;
    }
    out.line(match items.len() {
        0 => out.styled(Style::Good, lang.pick("rien n'attend", "nothing waits")),
        n => out.styled(Style::Bold, &listed(lang, n, args.limit)),
    })?;
    Ok(Exit::Ok)
}

/// Held mails first, then deliveries, oldest first.
async fn items(
    journal: &dyn Journal,
    state: Option<DeliveryStateArg>,
    limit: usize,
) -> Result<Vec<DeliveryListItem>, CommandFailure> {
    let items = journal
        .views()
        .read(move |db| {
            let mut items = Vec::new();
            if matches!(state, None | Some(DeliveryStateArg::Held)) {
                let filter = MailFilter { limit, ..MailFilter::of_stage("held") };
                items.extend(mails(db, &filter)?.into_iter().rev().map(of_held));
            }
            let stored = state.map(DeliveryStateArg::stored).map(str::to_owned);
            let filter = DeliveryFilter { state: stored, limit, ..DeliveryFilter::default() };
            for row in deliveries(db, &filter)? {
                items.push(of_delivery(row));
            }
            items.truncate(limit);
            Ok(items)
        })
        .await;
    let mut items: Vec<DeliveryListItem> =
        items.map_err(|error| CommandFailure::journal(error.to_string()))?;
    for item in &mut items {
        let heading = heading(journal, &item.email_id).await?;
        (item.sender, item.subject) = heading.map(|heading| (heading.sender, heading.subject)).unzip();
    }
    Ok(items)
}

fn line(item: &DeliveryListItem, lang: Lang, out: &Output) -> String {
    let mut about = Vec::new();
    about.extend(item.reason.as_ref().map(|reason| match lang {
        Lang::Fr => reasons::reason(reason).into_owned(),
        Lang::En => reason.clone(),
    }));
    if item.attempts > 0 {
        about.push(lang.say("essais", "attempts", &item.attempts.to_string()));
    }
    let next = item.next_at.filter(|_| item.state != DeliveryStateArg::Dead);
    about.extend(next.map(|next| Depth::Exact.until(lang, next, next)));
    let width = stage_column(lang);
    format!(
        "{}  {}  {:<40}  {}",
        out.styled(item.state.style(), &format!("{:<width$}", item.state.word(lang))),
        item.id,
        fit_ends(item.subject.as_deref().unwrap_or(erased(lang)), 40),
        out.styled(Style::Dim, &about.join(lang.pick(" ; ", "; ")))
    )
}

#[cfg(test)]
mod tests {
    use render_signal_actors::kernel::clock::World;
    use render_signal_actors::kernel::event::{DomainEvent as _, NewEvent};
    use render_signal_actors::kernel::journal::memory::MemoryJournal;
    use render_signal_actors::kernel::journal::{Commit, Expected, StreamWrite};
    use render_signal_actors::mail::life::{MailEvent, MailHeld, mail_stream};
    use render_signal_actors::readmodel;
    use render_signal_actors::webhook::events::{DeadLettered, Deferred, DeliveryEvent, delivery_stream};

    use super::*;
    use crate::demo::ledger::tests::{received, routed};

    async fn journal() -> MemoryJournal {
        let world = World::real();
        let journal = MemoryJournal::new(world.clone(), readmodel::all());
        let new = |events: &[MailEvent]| -> Vec<NewEvent> {
            events.iter().map(|event| event.to_new(world.ids.next()).unwrap()).collect()
        };
        let dead = DeliveryEvent::DeadLettered(DeadLettered {
            email_id: "a".into(),
            target: "default".into(),
            why: "HTTP 404".into(),
            attempts: 1,
            notice: None,
        });
        let closed = DeliveryEvent::Deferred(Deferred {
            email_id: "d".into(),
            target: "default".into(),
            until: world.now(),
            why: "outside_window".into(),
            detail: None,
        });
        let held =
            MailEvent::Held(MailHeld { reason: HoldReason::OutsideWindow, until: None, configuration: None });
        let write = |stream, events| StreamWrite { stream, expected: Expected::NoStream, events };
        let commit = Commit {
            at: world.now(),
            writes: vec![
                write(mail_stream("a"), new(&[received("a", "01"), routed("default")])),
                write(delivery_stream("a", "default"), vec![dead.to_new(world.ids.next()).unwrap()]),
                write(mail_stream("b"), new(&[received("b", "02"), held])),
                write(mail_stream("c"), new(&[received("c", "03"), routed("default")])),
                write(mail_stream("d"), new(&[received("d", "04"), routed("default")])),
                write(delivery_stream("d", "default"), vec![closed.to_new(world.ids.next()).unwrap()]),
            ],
            ..Commit::default()
        };
        journal.append(commit).await.unwrap();
        journal
    }

    async fn ids(state: Option<DeliveryStateArg>, limit: usize) -> Vec<String> {
        items(&journal().await, state, limit).await.unwrap().into_iter().map(|item| item.id).collect()
    }

    #[tokio::test]
    async fn what_is_listed_depends_on_the_state_asked_for() {
        assert_eq!(ids(None, 10).await, ["b", "a/default", "c/default", "d/default"]);
        assert_eq!(ids(Some(DeliveryStateArg::Dead), 10).await, ["a/default"]);
        assert_eq!(ids(Some(DeliveryStateArg::Held), 10).await, ["b", "d/default"]);
        assert_eq!(ids(Some(DeliveryStateArg::Waiting), 10).await, ["c/default"]);
        assert_eq!(ids(Some(DeliveryStateArg::Delivered), 10).await, [""; 0]);
        assert_eq!(ids(None, 2).await.len(), 2);
    }

    #[tokio::test]
    async fn an_item_names_its_mail() {
        let items = items(&journal().await, Some(DeliveryStateArg::Dead), 10).await.unwrap();
        assert_eq!(items[0].sender.as_deref(), Some("production@media-solution.example"));
        assert!(items[0].subject.as_ref().unwrap().contains("Lot 42"));
        assert_eq!(items[0].target.as_deref(), Some("default"));
    }

    #[tokio::test]
    async fn a_delivery_that_waits_for_the_window_says_so_as_a_mail_does() {
        let items = items(&journal().await, Some(DeliveryStateArg::Held), 10).await.unwrap();
        let reasons: Vec<_> = items.iter().map(|item| item.reason.as_deref()).collect();
        assert_eq!(reasons, [Some("outside_window"); 2]);
    }
}
