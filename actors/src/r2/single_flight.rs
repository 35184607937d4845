//! Links that are being copied now: a second mail with the same link waits for the first
//! one's copy instead of fetching the file again.
//!
//! A mail leads a link from before it looks for earlier copies until its outcome is
//! committed, so that whoever comes later finds it here or in the journal. Within one worker
//! only: two workers may still fetch a file at the same time, under the same key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::NoCopy;
use super::outcome::{End, Obtained};
use super::plan::SourceLink;

/// The copies under way in this process. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct SingleFlight(Arc<Mutex<HashMap<SourceLink, LinkFlight>>>);

#[derive(Debug, Clone)]
struct LinkFlight {
    /// The mail that leads it.
    email_id: String,
    /// How it ended; `None` = it has not.
    landed: watch::Receiver<Option<End>>,
}

/// A mail's part in copying a link.
pub(super) enum Part {
    /// It makes the copy, and says how that ended.
    Lead(Lead),
    /// Another one makes it.
    Follow(Follow),
}

/// See [`Part::Lead`]. Dropping it ends the flight.
pub(super) struct Lead {
    flights: SingleFlight,
    source: SourceLink,
    landed: watch::Sender<Option<End>>,
}

/// See [`Part::Follow`].
pub(super) struct Follow {
    flight: LinkFlight,
}

impl SingleFlight {
    /// Joins the flight of a link, or starts it.
    pub(super) fn join(&self, source: &SourceLink, email_id: &str) -> Part {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(source) {
            return Part::Follow(Follow { flight: flight.clone() });
        }
        let (sender, landed) = watch::channel(None);
        flights.insert(source.clone(), LinkFlight { email_id: email_id.to_owned(), landed });
        Part::Lead(Lead { flights: self.clone(), source: source.clone(), landed: sender })
    }

    fn end(&self, source: &SourceLink) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(source);
    }
}

impl Lead {
    /// Tells those who wait how it ended. Whoever comes after a failure tries again.
    pub(super) fn land(&self, end: &End) {
        if end.is_err() {
            self.flights.end(&self.source);
        }
        self.landed.send_replace(Some(end.clone()));
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        // After a failure the place may be another one's already.
        let failed = matches!(*self.landed.borrow(), Some(Err(_)));
        if !failed {
            self.flights.end(&self.source);
        }
    }
}

impl Follow {
    /// How the copy ended, for the mail `email_id`. Lasts no longer than a copy of its own
    /// would: the other one has begun before.
    pub(super) async fn landed(mut self, email_id: &str) -> End {
        let landed = self.flight.landed.wait_for(Option::is_some).await.map(|landed| landed.clone());
        match landed {
            Ok(Some(Ok(Obtained { copy, reused_from }))) => {
                let made_for = reused_from.unwrap_or(self.flight.email_id);
                Ok(Obtained { copy, reused_from: Some(made_for).filter(|made_for| made_for != email_id) })
            }
            Ok(Some(Err(why))) => Err(why),
            Ok(None) | Err(_) => Err(NoCopy::lasting("the copy that another mail waited for was broken off")),
        }
    }
}
