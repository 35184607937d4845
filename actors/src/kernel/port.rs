//! [`Port`]: the only way to send a message to an actor.
//!
//! actix's own mailboxes are not bounded in practice: each clone of an `Addr` has a
//! slot of its own and `do_send` ignores the limit. A port holds permits instead,
//! shared by all its clones, and every question has a deadline. A missed deadline
//! means *unknown*, never *failed*: the message may still be handled, so commands
//! must be safe to repeat.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, Handler, Message, Recipient, dev::ToEnvelope};
use tokio::sync::Semaphore;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// No permit became free in time: the message was never sent.
    #[error("{0}: too busy, the message was not sent")]
    Busy(&'static str),
    /// Sent, but not answered in time. It may still be handled.
    #[error("{0}: no answer in time; the message may still be handled")]
    Deadline(&'static str),
    /// The actor failed while it handled the message, or is gone.
    #[error("{0}: the actor failed or has stopped")]
    Closed(&'static str),
}

/// A bounded way to send `M` to one actor. Clones share the bound.
pub struct Port<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    name: &'static str,
    to: Recipient<M>,
    permits: Arc<Semaphore>,
    deadline: Duration,
}

impl<M> Clone for Port<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn clone(&self) -> Self {
        Self {
            name: self.name,
            to: self.to.clone(),
            permits: Arc::clone(&self.permits),
            deadline: self.deadline,
        }
    }
}

impl<M> fmt::Debug for Port<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port")
            .field("name", &self.name)
            .field("free", &self.permits.available_permits())
            .finish_non_exhaustive()
    }
}

impl<M> Port<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    /// A port to `actor` with at most `permits` messages under way, each answered
    /// within `deadline`. `name` appears in errors.
    #[must_use]
    pub fn new<A>(name: &'static str, actor: &Addr<A>, permits: usize, deadline: Duration) -> Self
    where
        A: Actor + Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        Self { name, to: actor.clone().recipient(), permits: Arc::new(Semaphore::new(permits)), deadline }
    }

    /// Sends and waits for the answer.
    ///
    /// # Errors
    /// See [`PortError`].
    pub async fn ask(&self, message: M) -> Result<M::Result, PortError> {
        let _permit = match tokio::time::timeout(self.deadline, self.permits.acquire()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(PortError::Closed(self.name)),
            Err(_) => return Err(PortError::Busy(self.name)),
        };
        match tokio::time::timeout(self.deadline, self.to.send(message)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(PortError::Closed(self.name)),
            Err(_) => Err(PortError::Deadline(self.name)),
        }
    }
}

#[cfg(test)]
mod tests;
