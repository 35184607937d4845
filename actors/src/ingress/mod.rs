//! Mails that are handed over by HTTP, as scripts of the reference system do it (reference section
//! 10.2): the way in beside the mailboxes.
//!
//! ```text
//! bytes ─room─▶ body::read ─▶ Pushed ─Admit (without a fence)─▶ DedupActor ─▶ journal
//! ```
//!
//! From [`Admit`] on such a mail is one as any other: the same decision, holds, rules and
//! webhooks. It is taken when it is in the journal, and not before. Whoever pushes keeps it
//! otherwise, so nothing waits here: what there is no room for is refused.

pub mod body;
pub mod signature;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::kernel::port::{Port, PortError};
use crate::mail::policy::PolicyCell;
use crate::mail::pushed::Pushed;
use crate::messages::{Admit, AdmitError, Admitted, Source};

/// The largest request, in bytes.
pub const LARGEST: usize = 25 << 20;
/// Bytes of requests that are in memory at once. While one is read it is there twice, and one
/// with half a character in it a third time.
const ROOM: usize = 2 * LARGEST;
/// Bytes that are counted as one.
const UNIT: usize = 1 << 10;

/// Why a mail was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IngressError {
    /// `gmail_ingress_enabled` is off.
    #[error("mails are not taken by HTTP: gmail_ingress_enabled of runtime_flags is off")]
    Off,
    /// It is not in the journal, as far as is known: to be pushed again later.
    #[error("the mail could not be taken in now: {0}")]
    NotNow(String),
}

/// Takes mails in.
#[derive(Clone)]
pub struct Ingress {
    admit: Port<Admit>,
    policy: PolicyCell,
    room: Arc<Semaphore>,
}

/// Room for a request, until it is answered.
#[derive(Debug)]
pub struct RequestRoom(
    #[expect(dead_code, reason = "held, and given back by being dropped")] OwnedSemaphorePermit,
);

impl Ingress {
    /// Hands over through `admit`, whose permits bound how many mails are under way.
    #[must_use]
    pub fn new(admit: Port<Admit>, policy: PolicyCell) -> Self {
        Self { admit, policy, room: Arc::new(Semaphore::new(ROOM / UNIT)) }
    }

    /// Room for a request of so many bytes; `None` = too many others are being read.
    #[must_use]
    pub fn room(&self, bytes: usize) -> Option<RequestRoom> {
        let units = u32::try_from(bytes.min(ROOM).div_ceil(UNIT)).unwrap_or(u32::MAX);
        Arc::clone(&self.room).try_acquire_many_owned(units).ok().map(RequestRoom)
    }

    /// Takes a mail in. Safe to repeat: one that is known is answered as such.
    ///
    /// # Errors
    /// See [`IngressError`].
    pub async fn take(&self, mail: Pushed) -> Result<Admitted, IngressError> {
        if self.policy.load().prefs.pushed_refused {
            return Err(IngressError::Off);
        }
        let admit = Admit {
            location: mail.location(),
            // Its own date is all that is known.
            arrived_at: None,
            source: Source::Pushed(Arc::new(mail)),
            deadly: false,
            fence: None,
        };
        let span = tracing::debug_span!("receive", email_id = tracing::field::Empty);
        let answer = match self.admit.ask(admit).await {
            Ok(Ok(admitted)) => Ok(admitted),
            Ok(Err(AdmitError::Fenced(why) | AdmitError::Journal(why))) => Err(IngressError::NotNow(why)),
            Err(error @ (PortError::Busy(_) | PortError::Deadline(_) | PortError::Closed(_))) => {
                Err(IngressError::NotNow(error.to_string()))
            }
        };
        // What came by HTTP: taken now, known before, or not taken.
        let result = match &answer {
            Ok(Admitted { duplicate: true, .. }) => "duplicate",
            Ok(admitted) => {
                span.record("email_id", admitted.email_id.as_str());
                "new"
            }
            Err(_) => "failed",
        };
        metrics::counter!("render_signal_mails_pushed_total", "result" => result).increment(1);
        answer
    }
}
