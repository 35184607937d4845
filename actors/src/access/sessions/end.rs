//! Sessions end: one, all, or those of a password or a link that holds no longer.

use super::super::state::{SessionCommand, SessionEnded, SessionEvent, SessionState, session_stream};
use super::super::{AccessError, Committed, commit, new_events};
use super::{PAGE_SIZE, Sessions};
use crate::kernel::aggregate::{Aggregate as _, Loaded, rehydrate};
use crate::kernel::execute::ATTEMPTS;
use crate::kernel::journal::{Commit, Expected, StreamWrite};
use crate::readmodel::queries::access as rows;
use crate::readmodel::queries::access::{OpenSessions, SessionRow};

impl Sessions {
    /// Ends one. Answers whether it was there to be ended, by whomever.
    ///
    /// # Errors
    /// It is as it was, or the journal does not say.
    pub async fn end(&self, id: &str, reason: &str, by: &str) -> Result<bool, AccessError> {
        let ended = SessionCommand::End(SessionEnded { reason: reason.to_owned(), by: by.to_owned() });
        for _ in 0..ATTEMPTS {
            let stream = session_stream(id);
            let events = self.journal.read_stream(&stream, 0).await.map_err(AccessError::journal)?;
            let loaded: Loaded<SessionState> = rehydrate(&events).map_err(AccessError::journal)?;
            let Ok(events) = loaded.state.decide(&ended, &()) else { return Ok(false) };
            if events.is_empty() {
                return Ok(true);
            }
            let events = new_events(&self.world, &events)?;
            let write = StreamWrite::after(loaded.version, stream, events);
            let writes = vec![write];
            let done =
                commit(self.journal.as_ref(), &self.world, Commit { writes, ..Commit::default() }).await?;
            if done == Committed::Done {
                self.forget(&[id]);
                return Ok(true);
            }
        }
        Err(AccessError::journal("somebody else went on writing"))
    }

    /// Ends all that are not ended, also those whose time is over; but for `except`. Returns how
    /// many.
    ///
    /// # Errors
    /// Some may be ended, others as they were: repeat it.
    pub async fn end_all(&self, reason: &str, by: &str, except: Option<&str>) -> Result<u64, AccessError> {
        self.end_those(reason, by, |row| except != Some(row.id.as_str())).await
    }

    /// Ends those that were opened under another password. Returns how many.
    ///
    /// # Errors
    /// As [`Self::end_all`]; they open nothing in any case.
    pub async fn end_those_of_another_password(&self) -> Result<u64, AccessError> {
        let credential = self.credential.clone();
        self.end_those("password_changed", "startup", move |row| row.credential != credential).await
    }

    /// Ends those that a sign-in link opened. Returns how many.
    ///
    /// # Errors
    /// As [`Self::end_all`].
    pub async fn end_those_of_link(&self, name: &str, by: &str) -> Result<u64, AccessError> {
        self.end_those("revoked", by, |row| row.link == name).await
    }

    async fn end_those(
        &self,
        reason: &str,
        by: &str,
        which: impl Fn(&SessionRow) -> bool,
    ) -> Result<u64, AccessError> {
        let ended = SessionEvent::Ended(SessionEnded { reason: reason.to_owned(), by: by.to_owned() });
        let (mut after, mut count, mut conflicts) = (None, 0, 0);
        loop {
            let open = OpenSessions { now: self.world.now(), credential: None, used_since: None };
            let page =
                self.journal.views().read(move |db| rows::open_sessions(db, &open, after, PAGE_SIZE)).await;
            let page = page.map_err(AccessError::journal)?;
            let Some(last) = page.last().map(|row| row.position) else { return Ok(count) };
            let ending: Vec<&SessionRow> = page.iter().filter(|row| which(row)).collect();
            let mut writes = Vec::new();
            for row in &ending {
                writes.push(StreamWrite {
                    stream: session_stream(&row.id),
                    expected: Expected::Exact(row.version),
                    events: new_events(&self.world, std::slice::from_ref(&ended))?,
                });
            }
            if !writes.is_empty() {
                let done = commit(self.journal.as_ref(), &self.world, Commit { writes, ..Commit::default() })
                    .await?;
                // Whoever was found meanwhile is looked up again.
                self.forget(&ending.iter().map(|row| row.id.as_str()).collect::<Vec<_>>());
                if done == Committed::SomebodyWasFirst {
                    conflicts += 1;
                    if conflicts >= ATTEMPTS {
                        return Err(AccessError::journal("somebody else went on writing"));
                    }
                    continue;
                }
                count += ending.len() as u64;
            }
            after = Some(last);
        }
    }
}
