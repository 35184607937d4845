//! Retention: what is settled for long leaves the journal, after it was written elsewhere.
//!
//! ```text
//! settled mails older than the limit ──▶ JSON Lines, durably ──▶ one commit: journal.archived + trim
//! ```
//!
//! A crash in between leaves lines that will be written again, under the same name if they are
//! the same; whoever reads them goes by the events' ids. The streams' versions stay in the journal for ever, so a mail that was
//! archived is still refused as a duplicate. Several workers may do this at once: a stream
//! that one of them was quicker with is a conflict for the others.
//!
//! * [`settled`]: which streams nothing will happen to any more; pure.
//! * [`items`]: where archived mails lie in their mailboxes; pure.
//! * `keys`: what of a link is a capability, and is left out; pure.
//! * [`state`]: the event.
//! * [`store`], [`bucket`]: where the lines go: files, or a bucket of R2.
//! * [`transfer`]: a whole journal as lines, and back.

pub mod bucket;
pub mod items;
mod keys;
pub mod settled;
pub mod state;
pub mod store;
pub mod transfer;

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};

use self::state::{ArchiveEvent, Archived, archive_stream};
use self::store::ArchiveStore;
use self::transfer::CopyLine;
use crate::access::state::{link_stream, session_stream};
use crate::kernel::clock::World;
use crate::kernel::digest::short_sha256;
use crate::kernel::event::{DomainEvent as _, Recorded, StreamId};
use crate::kernel::journal::{AppendError, Commit, Expected, Journal, StreamWrite, Trim};
use crate::mail::life::mail_stream;
use crate::readmodel::queries::archive::{self as candidates, ArchiveKind, Candidate};
use crate::webhook::events::RATE;
use crate::worker::worker_stream;

/// Candidates looked at, and archived, at once.
const BATCH: usize = 100;

/// How young something must not be to be archived, at the least: the read models of a month
/// are made of events.
pub const SHORTEST_DAYS: u32 = 31;

/// What a round came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Streams that left the log.
    pub streams: u64,
    /// Events that left it.
    pub events: u64,
}

/// Moves what is settled for long out of the journal.
#[derive(Clone)]
pub struct Archiver {
    /// Time and ids.
    pub world: World,
    /// From where.
    pub journal: Arc<dyn Journal>,
    /// To where.
    pub store: Arc<dyn ArchiveStore>,
    /// `JOURNAL_RETENTION_DAYS`, at least [`SHORTEST_DAYS`].
    pub days: u32,
}

/// A stream on its way out.
struct DepartingStream {
    stream: StreamId,
    events: Vec<Recorded>,
}

impl Archiver {
    /// Archives everything that may go, in batches.
    ///
    /// # Errors
    /// Why it stopped, in plain words; what was done by then stays done.
    pub async fn round(&self) -> Result<Round, String> {
        let days = i64::from(self.days.max(SHORTEST_DAYS));
        let before = self.world.now() - TimeDelta::days(days);
        // A full hour, since the counts per hour go with it.
        let before = before.duration_trunc(TimeDelta::hours(1)).map_err(|error| error.to_string())?;
        // The end of the log stays, by which a log is recognised.
        let head = self.journal.head().await.map_err(|error| error.to_string())?;
        let (mut after, mut round) = (0, Round::default());
        loop {
            let page = self
                .journal
                .views()
                .read(move |db| candidates::page(db, before, after, BATCH))
                .await
                .map_err(|error| error.to_string())?;
            let last_mail = page
                .iter()
                .rfind(|candidate| candidate.what == ArchiveKind::Mail)
                .map(|candidate| candidate.place);
            self.batch(page, before, head, &mut round).await?;
            match last_mail {
                Some(place) => after = place,
                None => return Ok(round),
            }
        }
    }

    async fn batch(
        &self,
        page: Vec<Candidate>,
        before: DateTime<Utc>,
        head: u64,
        round: &mut Round,
    ) -> Result<(), String> {
        let mut leaving = Vec::new();
        for candidate in page {
            let settled = self.settled(&candidate, before).await?;
            if settled.iter().flat_map(|stream| &stream.events).all(|event| event.position != head) {
                leaving.extend(settled);
            }
        }
        if leaving.is_empty() {
            return Ok(());
        }
        let events: u64 = leaving.iter().map(|stream| stream.events.len() as u64).sum();
        let streams = leaving.len() as u64;
        let content = lines(&leaving)?;
        let place = self.store.keep(&name(&leaving, &content), content).await?;
        match self.journal.append(self.commit(leaving, before, place, events)?).await {
            Ok(_) => {
                metrics::counter!("render_signal_journal_archived_events_total").increment(events);
                round.streams += streams;
                round.events += events;
                Ok(())
            }
            // Another worker was quicker, or something happened to one of them after all.
            Err(AppendError::Conflict { stream, .. }) => {
                tracing::info!(%stream, "archived streams stay in the journal for now: one has moved on");
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// The streams that leave with a candidate; none when something may still happen.
    async fn settled(
        &self,
        candidate: &Candidate,
        before: DateTime<Utc>,
    ) -> Result<Vec<DepartingStream>, String> {
        let unreadable = |error: crate::kernel::event::EventError| error.to_string();
        let first = self.read(match candidate.what {
            ArchiveKind::Worker => worker_stream(&candidate.key),
            ArchiveKind::Rate => StreamId::new(RATE, &candidate.key),
            ArchiveKind::Session => session_stream(&candidate.key),
            ArchiveKind::MagicLink => link_stream(&candidate.key),
            ArchiveKind::Mail | ArchiveKind::Remainder => mail_stream(&candidate.key),
        });
        let first = first.await?;
        if !settled::is_old(&first.events, before) {
            return Ok(Vec::new());
        }
        match candidate.what {
            // A session ends long before that, by itself.
            ArchiveKind::Worker | ArchiveKind::Rate | ArchiveKind::Session => return Ok(vec![first]),
            ArchiveKind::MagicLink => {
                let over = settled::is_over(&first.events, before).map_err(unreadable)?;
                return Ok(if over { vec![first] } else { Vec::new() });
            }
            ArchiveKind::Remainder => {
                let left = settled::is_remainder(&first.events).map_err(unreadable)?;
                return Ok(if left { vec![first] } else { Vec::new() });
            }
            ArchiveKind::Mail => {}
        }
        let Some(deliveries) = settled::deliveries_of(&candidate.key, &first.events).map_err(unreadable)?
        else {
            return Ok(Vec::new());
        };
        let mut leaving = vec![first];
        for stream in deliveries {
            let delivery = self.read(stream).await?;
            let done = settled::is_done(&delivery.events).map_err(unreadable)?;
            if !done || !settled::is_old(&delivery.events, before) {
                return Ok(Vec::new());
            }
            leaving.push(delivery);
        }
        Ok(leaving)
    }

    async fn read(&self, stream: StreamId) -> Result<DepartingStream, String> {
        let events = self.journal.read_stream(&stream, 0).await.map_err(|error| error.to_string())?;
        Ok(DepartingStream { stream, events })
    }

    fn commit(
        &self,
        leaving: Vec<DepartingStream>,
        before: DateTime<Utc>,
        place: String,
        events: u64,
    ) -> Result<Commit, String> {
        let streams = leaving.iter().map(|stream| stream.stream.to_string()).collect();
        let items = items::items_of(leaving.iter().flat_map(|stream| &stream.events));
        let items = items.map_err(|error| error.to_string())?;
        let event = ArchiveEvent::Archived(Archived { before, streams, events, place, items });
        let event = event.to_new(self.world.ids.next()).map_err(|error| error.to_string())?;
        let trim = leaving.into_iter().filter_map(|stream| {
            let version = stream.events.last()?.version;
            Some(Trim { stream: stream.stream, version })
        });
        Ok(Commit {
            at: self.world.now(),
            writes: vec![StreamWrite {
                stream: archive_stream(),
                // A log of facts; the versions of what leaves are what is checked.
                expected: Expected::Any,
                events: vec![event],
            }],
            trim: trim.collect(),
            ..Commit::default()
        })
    }
}

fn lines(leaving: &[DepartingStream]) -> Result<Bytes, String> {
    let mut text = String::new();
    for event in leaving.iter().flat_map(|stream| &stream.events) {
        let mut event = event.clone();
        keys::leave_out(&mut event.payload);
        let line = serde_json::to_string(&CopyLine::Event(event)).map_err(|error| error.to_string())?;
        text.push_str(&line);
        text.push('\n');
    }
    Ok(Bytes::from(text))
}

/// Tells what is inside: the oldest event's time and position, and a part of the content's
/// checksum. So nothing else ever gets that name.
fn name(leaving: &[DepartingStream], content: &[u8]) -> String {
    let oldest = leaving.iter().flat_map(|stream| &stream.events).min_by_key(|event| event.position);
    let (at, position) = oldest.map(|event| (event.at, event.position)).unwrap_or_default();
    let hash = short_sha256(content, 16);
    format!("journal-{}-{position}-{hash}.jsonl", at.format("%Y%m%dT%H%M%SZ"))
}

#[cfg(test)]
mod tests;
