//! What an operator can do about a mail that waits for nothing any more: say that it is not
//! wanted. It is marked read then, as other mails are that were dealt with, and can still be
//! released while its content is kept.

use crate::kernel::aggregate::rehydrate;
use crate::kernel::clock::World;
use crate::kernel::event::{DomainEvent as _, EventError, NewEvent};
use crate::kernel::execute::{Decision, Unwritten, execute};
use crate::kernel::journal::{
    AppendError, Commit, Expected, Journal, JournalError, Queue, Settle, StreamWrite,
};
use crate::mail::IgnoreReason;
use crate::mail::life::{DeliveryEnd, MailEvent, MailIgnored, MailLife, MailSettled, Stage, mail_stream};
use crate::mail::outbox_rows;
use crate::webhook::events::{Cancelled, DeliveryEvent, delivery_stream};

/// Why a mail was not ignored.
#[derive(Debug, thiserror::Error)]
pub enum IgnoreError {
    /// There is no such mail.
    #[error("there is no mail {0}; `mails list` shows those that can be ignored")]
    Unknown(String),
    /// Its webhooks are due or done.
    #[error("mail {0} was routed already; `deliveries cancel` takes back webhooks that are not delivered")]
    Routed(String),
    /// Nothing is sent for it as it is.
    #[error("mail {0} is ignored already")]
    Already(String),
    /// The mail's stream never stood still.
    #[error("mail {0} keeps changing; try again")]
    Busy(String),
    /// The journal could not be read.
    #[error(transparent)]
    Read(#[from] JournalError),
    /// An event could not be read or written.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The journal did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// Says that nothing is to be sent for a mail that is held, was skipped, is in quarantine or was
/// set aside. `by` says who asked, such as `cli`.
///
/// # Errors
/// See [`IgnoreError`]; then nothing has changed.
pub async fn ignore(
    journal: &dyn Journal,
    world: &World,
    email_id: &str,
    by: &str,
) -> Result<(), IgnoreError> {
    let decide = async || {
        let life = rehydrate::<MailLife>(&journal.read_stream(&mail_stream(email_id), 0).await?)?;
        Ok(Decision::write(ignored(world, email_id, &life.state, life.version, by)?))
    };
    execute(
        journal,
        || Box::pin(decide()),
        |error| match error {
            Unwritten::Busy => IgnoreError::Busy(email_id.to_owned()),
            Unwritten::Append(error) => error.into(),
        },
    )
    .await
}

fn ignored(
    world: &World,
    email_id: &str,
    life: &MailLife,
    version: u64,
    by: &str,
) -> Result<Commit, IgnoreError> {
    let named = || email_id.to_owned();
    match life.stage {
        Stage::Unknown => return Err(IgnoreError::Unknown(named())),
        Stage::Ignored(_) => return Err(IgnoreError::Already(named())),
        Stage::Routed if life.set_aside.is_none() => return Err(IgnoreError::Routed(named())),
        Stage::Routed | Stage::Received | Stage::Held | Stage::Skipped { .. } | Stage::Quarantined => {}
    }
    let now = world.now();
    let reason = IgnoreReason::Operator;
    let event = MailEvent::Ignored(MailIgnored {
        reason,
        detail: None,
        configuration: None,
        by: Some(by.to_owned()),
    });
    let mut commit = Commit {
        at: now,
        // Whoever decides about it now loses the row, and with it the right to.
        settle: [Queue::Hold, Queue::Offload].map(|queue| Settle { queue, key: named(), claim: None }).into(),
        add: outbox_rows::flag_rows(email_id, &life.locations, now),
        ..Commit::default()
    };
    // One that was set aside while its links were copied has deliveries, none of them tried.
    let mut events = cancel_all(&mut commit, world, email_id, life, by)?;
    events.push(event.to_new(world.ids.next())?);
    let expected = Expected::Exact(version);
    commit.writes.push(StreamWrite { stream: mail_stream(email_id), expected, events });
    Ok(commit)
}

/// Cancels what was to be delivered; returns what the mail's stream says of it.
fn cancel_all(
    commit: &mut Commit,
    world: &World,
    email_id: &str,
    life: &MailLife,
    by: &str,
) -> Result<Vec<NewEvent>, EventError> {
    let mut settled = Vec::new();
    for (target, _) in life.deliveries.iter().filter(|(_, end)| end.is_none()) {
        let cancelled = DeliveryEvent::Cancelled(Cancelled {
            email_id: email_id.to_owned(),
            target: target.clone(),
            by: by.to_owned(),
            was_dead: false,
            again: false,
        });
        commit.writes.push(StreamWrite {
            stream: delivery_stream(email_id, target),
            expected: Expected::NoStream,
            events: vec![cancelled.to_new(world.ids.next())?],
        });
        let key = outbox_rows::delivery_key(email_id, target);
        commit.settle.push(Settle { queue: Queue::Deliver, key, claim: None });
        let end = MailEvent::Settled(MailSettled { target: target.clone(), end: DeliveryEnd::Cancelled });
        settled.push(end.to_new(world.ids.next())?);
    }
    Ok(settled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::journal::JournalAdmin as _;
    use crate::kernel::journal::memory::MemoryJournal;
    use crate::kernel::journal::{Due, OutboxAdd};
    use crate::mail::HoldReason;
    use crate::mail::life::{
        Location, MailHeld, MailQuarantined, MailReceived, MailRouted, MailSetAside, MailSkipped,
        RoutedDelivery,
    };
    use crate::mail::policy::{Priority, Share};
    use crate::readmodel;
    use crate::readmodel::queries;

    fn place() -> Location {
        Location { mailbox: "INBOX".to_owned(), validity: 1, item: "7".to_owned() }
    }

    fn received() -> MailEvent {
        MailEvent::Received(MailReceived {
            email_id: "e".to_owned(),
            location: place(),
            sender: String::new(),
            subject: String::new(),
            size: 1,
            arrived_at: None,
            subject_group: String::new(),
            flaws: Vec::new(),
            content: None,
            other_content_of: None,
            copy_of: None,
            authentication: None,
        })
    }

    fn routed(targets: &[&str]) -> MailEvent {
        let delivery =
            |target: &&str| RoutedDelivery { target: (*target).to_owned(), rule: None, share: Share::All };
        MailEvent::Routed(MailRouted {
            detection: None,
            links: Vec::new(),
            deliveries: targets.iter().map(delivery).collect(),
            offload: true,
            priority: Priority::Medium,
            text: None,
            configuration: None,
        })
    }

    fn held() -> MailEvent {
        MailEvent::Held(MailHeld { reason: HoldReason::OutsideWindow, until: None, configuration: None })
    }

    async fn journal(world: &World, events: &[MailEvent], rows: &[(Queue, &str)]) -> MemoryJournal {
        let journal = MemoryJournal::new(world.clone(), readmodel::all());
        let row = |(queue, key): &(Queue, &str)| OutboxAdd {
            queue: *queue,
            key: (*key).to_owned(),
            partition: "mail".to_owned(),
            order_key: None,
            due: Due::Parked,
            meta: serde_json::Value::Null,
            body_key: None,
        };
        let events = events.iter().map(|event| event.to_new(world.ids.next()).unwrap()).collect();
        let write = StreamWrite { stream: mail_stream("e"), expected: Expected::NoStream, events };
        let add = rows.iter().map(row).collect();
        journal
            .append(Commit { at: world.now(), writes: vec![write], add, ..Commit::default() })
            .await
            .unwrap();
        journal
    }

    #[tokio::test]
    async fn a_mail_is_ignored_where_that_makes_sense() {
        let world = World::real();
        let skipped = MailEvent::Skipped(MailSkipped {
            reason: HoldReason::OutsideWindow,
            detector: "recadrage".to_owned(),
            seen: false,
            configuration: None,
        });
        let unreadable = MailEvent::Quarantined(MailQuarantined {
            email_id: "e".to_owned(),
            location: place(),
            why: "no mail".to_owned(),
            size: 1,
            body_key: "source/e".to_owned(),
        });
        let aside =
            |queue: &str| MailEvent::SetAside(MailSetAside { queue: queue.to_owned(), why: "w".to_owned() });
        for (events, rows, cancelled) in [
            (vec![received(), held()], vec![(Queue::Hold, "e")], 0),
            (vec![received(), skipped], vec![], 0),
            (vec![unreadable], vec![], 0),
            (vec![received(), held(), aside("hold")], vec![(Queue::Hold, "e")], 0),
            (
                vec![received(), routed(&["default", "rule-1"]), aside("offload")],
                vec![(Queue::Offload, "e"), (Queue::Deliver, "e/rule-1")],
                2,
            ),
        ] {
            let journal = journal(&world, &events, &rows).await;
            ignore(&journal, &world, "e", "cli").await.unwrap();
            for (queue, left) in
                [(Queue::Hold, 0), (Queue::Offload, 0), (Queue::Deliver, 0), (Queue::Flag, 1)]
            {
                assert_eq!(journal.outbox(queue, 10).await.unwrap().len(), left, "{queue} of {events:?}");
            }
            let story = journal.views().read(|db| queries::mail_story(db, "e")).await.unwrap().unwrap();
            let reason = story.mail.reason.as_deref();
            assert_eq!((story.mail.stage.as_str(), reason), ("ignored", Some("operator")));
            assert_eq!(story.mail.cancelled, cancelled);
            assert!(story.deliveries.iter().all(|delivery| delivery.state == "cancelled"));
            assert!(matches!(ignore(&journal, &world, "e", "cli").await, Err(IgnoreError::Already(_))));
            assert!(journal.verify().await.unwrap().problems.is_empty());
        }
        let sent = journal(&world, &[received(), routed(&["default"])], &[]).await;
        assert!(matches!(ignore(&sent, &world, "e", "cli").await, Err(IgnoreError::Routed(_))));
        assert!(matches!(ignore(&sent, &world, "x", "cli").await, Err(IgnoreError::Unknown(_))));
    }
}
