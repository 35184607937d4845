//! What the events of a delivery add up to, and what an operator may ask for. Pure.
//!
//! How often it was tried and since when is in its row of the outbox, which whoever delivers has
//! claimed: see [`super::outcome`].

use super::events::{Cancelled, DeliveryEvent, Requeued};
use crate::kernel::aggregate::{Aggregate, Evolve};

/// What the events of a `delivery-…` stream add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeliveryLifecycle {
    /// It is tried, or waits.
    #[default]
    Open,
    /// The receiver took it.
    Delivered,
    /// It was given up.
    Dead,
    /// Somebody said that it is not to be sent.
    Cancelled,
}

/// What an operator wants done about a delivery.
#[derive(Debug, Clone, PartialEq)]
pub enum DeliveryCommand {
    /// Send a dead letter again, or once more what was delivered or cancelled.
    Requeue {
        /// Who asked.
        by: String,
        /// Only what is over, or else only a dead letter.
        over: bool,
    },
    /// Do not send it.
    Cancel {
        /// Who asked.
        by: String,
    },
}

/// A delivery, and whether its mail has closed the account of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryCx {
    /// The mail.
    pub email_id: String,
    /// Id of the target.
    pub target: String,
    /// See [`DeliverMeta::again`](crate::mail::outbox_rows::DeliverMeta::again).
    pub again: bool,
}

/// The delivery stands elsewhere than what is wanted needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsuited(pub DeliveryLifecycle);

impl Evolve for DeliveryLifecycle {
    type Event = DeliveryEvent;

    fn evolve(&mut self, event: &DeliveryEvent) {
        *self = match event {
            DeliveryEvent::Attempted(_) | DeliveryEvent::Deferred(_) | DeliveryEvent::Requeued(_) => {
                Self::Open
            }
            DeliveryEvent::Succeeded(_) => Self::Delivered,
            DeliveryEvent::DeadLettered(_) => Self::Dead,
            DeliveryEvent::Cancelled(_) => Self::Cancelled,
        };
    }
}

impl Aggregate for DeliveryLifecycle {
    type Command = DeliveryCommand;
    type Cx = DeliveryCx;
    type Reject = Unsuited;

    fn decide(&self, command: &DeliveryCommand, cx: &DeliveryCx) -> Result<Vec<DeliveryEvent>, Unsuited> {
        let (email_id, target) = (cx.email_id.clone(), cx.target.clone());
        let event = match (command, self) {
            (DeliveryCommand::Requeue { by, over: false }, Self::Dead) => {
                DeliveryEvent::Requeued(Requeued { email_id, target, by: by.clone(), again: cx.again })
            }
            (DeliveryCommand::Requeue { by, over: true }, Self::Delivered | Self::Cancelled) => {
                DeliveryEvent::Requeued(Requeued { email_id, target, by: by.clone(), again: true })
            }
            (DeliveryCommand::Cancel { by }, Self::Open | Self::Dead) => {
                let was_dead = *self == Self::Dead;
                DeliveryEvent::Cancelled(Cancelled {
                    email_id,
                    target,
                    by: by.clone(),
                    was_dead,
                    again: cx.again,
                })
            }
            (_, state) => return Err(Unsuited(*state)),
        };
        Ok(vec![event])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_suits_where_the_delivery_stands() {
        let cx = |again| DeliveryCx { email_id: "e".to_owned(), target: "default".to_owned(), again };
        let requeue = |over| DeliveryCommand::Requeue { by: "cli".to_owned(), over };
        let cancel = DeliveryCommand::Cancel { by: "cli".to_owned() };
        let (open, delivered, dead, cancelled) = (
            DeliveryLifecycle::Open,
            DeliveryLifecycle::Delivered,
            DeliveryLifecycle::Dead,
            DeliveryLifecycle::Cancelled,
        );
        for (command, state, after) in [
            (requeue(false), open, None),
            (requeue(false), delivered, None),
            (requeue(false), dead, Some(open)),
            (requeue(false), cancelled, None),
            (requeue(true), open, None),
            (requeue(true), delivered, Some(open)),
            (requeue(true), dead, None),
            (requeue(true), cancelled, Some(open)),
            (cancel.clone(), open, Some(cancelled)),
            (cancel.clone(), delivered, None),
            (cancel.clone(), dead, Some(cancelled)),
            (cancel.clone(), cancelled, None),
        ] {
            let decided = state.decide(&command, &cx(false));
            let came_to = decided.clone().map(|events| {
                let mut state = state;
                events.iter().for_each(|event| state.evolve(event));
                state
            });
            assert_eq!(came_to, after.ok_or(Unsuited(state)), "{command:?} of {state:?}");
        }
        // The mail's account of what goes once more stays closed.
        let events = dead.decide(&cancel, &cx(true)).unwrap();
        assert!(matches!(&events[0], DeliveryEvent::Cancelled(event) if event.again && event.was_dead));
        let events = delivered.decide(&requeue(true), &cx(false)).unwrap();
        assert!(matches!(&events[0], DeliveryEvent::Requeued(event) if event.again));
    }
}
