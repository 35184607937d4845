//! The journal in Redis or Valkey, shared by any number of workers.
//!
//! One script per commit (see `scripts`), read models in memory that follow the log (see
//! `views`), hints by subscription (see `tail`). A claim is a visibility time-out; those of
//! a worker that is not heard of any more are released (see `pulse`). Every worker remembers which log it knows and how
//! far; a server that lost acknowledged commits is noticed at the next look or commit.

mod installation;
mod link;
mod options;
mod profile;
mod pulse;
mod scripts;
mod server;
mod tail;
#[cfg(test)]
mod tests;
mod verify;
mod views;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use ::redis::cmd;
use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

pub use self::installation::{Installation, Owner};
use self::link::{JournalServer, ReplyLine, ScriptText, Trouble};
pub use self::options::{DEFAULT_PREFIX, RedisOptions};
pub use self::profile::Profile;
use self::scripts::{BODIES, BODY, LOG, PARTITIONS, TRIMMED};
use self::views::LogViews;
use self::wire::{AppendReply, LogEntry};
use super::{
    AppendError, Appended, ClaimRequest, Claimed, Commit, Difference, Durability, Hint, Journal,
    JournalAdmin, JournalError, KeptBody, Loss, OutboxRow, Queue, Trim, VerifyReport, rules,
};
use crate::kernel::clock::World;
use crate::kernel::event::{Recorded, StreamId};
use crate::kernel::projection::{Projections, ViewRunner, Views};

/// Events of a stream, or rows, fetched by one script: nothing else runs meanwhile.
const PAGE_SIZE: usize = 500;
/// The largest number that Lua and Redis both take for a count; no log gets that far.
const MAX_COUNT: u64 = 1 << 53;

/// The journal in Redis. See the module page.
pub struct RedisJournal {
    link: Arc<JournalServer>,
    views: Arc<LogViews>,
    durability: Durability,
    silence: Duration,
    tail: AbortOnDropHandle<()>,
    pulse: AbortOnDropHandle<()>,
}

impl std::fmt::Debug for RedisJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisJournal")
    }
}

impl RedisJournal {
    /// Connects, checks the server, marks an empty log as new and computes the read models.
    ///
    /// # Errors
    /// [`JournalError::Unsuitable`] when the server may delete the journal or spreads it,
    /// [`JournalError::Foreign`], [`JournalError::FromTheFuture`], [`JournalError::NotYet`],
    /// [`JournalError::Unavailable`].
    pub async fn open(
        options: RedisOptions,
        world: World,
        projections: Projections,
    ) -> Result<Arc<Self>, JournalError> {
        let link = Arc::new(JournalServer::new(&options, world)?);
        let durability = server::check(&link).await?;
        link.look().await?;
        installation::check(&link, &options.prefix, &options.owner).await?;
        let views = Arc::new(LogViews::start(Arc::clone(&link), projections)?);
        views.catch_up().await?;
        let tail = AbortOnDropHandle::new(tokio::spawn(tail::follow(Arc::clone(&link))));
        let pulse = AbortOnDropHandle::new(tokio::spawn(pulse::beat(Arc::clone(&link), options.silence)));
        let silence = options.silence;
        Ok(Arc::new(Self { link, views, durability, silence, tail, pulse }))
    }

    /// Says that the journal is that of this installation, whosever it was: the operator knows
    /// that it is the same one. Returns what differed, in plain words.
    ///
    /// # Errors
    /// [`JournalError::NotYet`], [`JournalError::Unavailable`].
    pub async fn adopt(&self, installation: &Installation) -> Result<Option<String>, JournalError> {
        let _open = self.link.enter().await?;
        installation::adopt(&self.link, installation).await
    }
}

impl RedisJournal {
    /// A page of a sorted set, with the scores.
    async fn ranked(
        &self,
        name: &str,
        offset: u64,
        limit: usize,
    ) -> Result<Vec<(String, f64)>, JournalError> {
        let _open = self.link.enter().await?;
        if limit == 0 {
            return Ok(Vec::new());
        }
        let last = offset.saturating_add(limit as u64 - 1).min(MAX_COUNT);
        let key = self.link.key(name);
        let page = self
            .link
            .ask(cmd("ZRANGE").arg(key).arg(offset.min(MAX_COUNT)).arg(last).arg("WITHSCORES"))
            .await?;
        Ok(page)
    }
}

/// Events above a position, oldest first.
async fn read_log(link: &JournalServer, after: u64, limit: usize) -> Result<Vec<Recorded>, JournalError> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let from = format!("{}-0", after.saturating_add(1));
    let limit = MAX_COUNT.min(limit as u64);
    let entries: Vec<LogEntry> =
        link.ask(cmd("XRANGE").arg(link.key(LOG)).arg(from).arg("+").arg("COUNT").arg(limit)).await?;
    Ok(entries.into_iter().map(wire::recorded).collect::<Result<_, _>>()?)
}

#[async_trait]
impl Journal for RedisJournal {
    async fn append(&self, commit: Commit) -> Result<Appended, AppendError> {
        let link = &self.link;
        let _open = link.enter().await?;
        rules::well_formed(&commit)?;
        let mark = link.mark();
        let args = wire::commit(&commit, &mark, &link.origin);
        let answer: Vec<ScriptText> = link.run(&link.scripts.append, &args).await?;
        match wire::answer(&commit, &answer)? {
            AppendReply::Written(appended, touched) => {
                link.noted(Some(&mark.epoch), appended.position, touched);
                Ok(appended)
            }
            AppendReply::There(appended) => Ok(appended),
            AppendReply::Regressed => {
                if let Err(error) = link.look().await {
                    tracing::warn!(%error, "the end of the journal cannot be seen");
                }
                Err(AppendError::Rejected(
                    "the journal in Redis has lost commits that were acknowledged; what is left was read anew"
                        .to_owned(),
                ))
            }
        }
    }

    async fn read_stream(&self, stream: &StreamId, after: u64) -> Result<Vec<Recorded>, JournalError> {
        let _open = self.link.enter().await?;
        let mut events = Vec::new();
        let mut after = after.min(MAX_COUNT);
        loop {
            let args = [stream.as_str(), &after.to_string(), &PAGE_SIZE.to_string()].map(ScriptText::from);
            let page: Vec<LogEntry> = self.link.run(&self.link.scripts.stream, &args).await?;
            let count = page.len();
            for entry in page {
                let event = wire::recorded(entry)?;
                after = event.version;
                events.push(event);
            }
            if count < PAGE_SIZE {
                return Ok(events);
            }
        }
    }

    async fn read_log(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, JournalError> {
        let _open = self.link.enter().await?;
        read_log(&self.link, after, limit).await
    }

    async fn head(&self) -> Result<u64, JournalError> {
        let _open = self.link.enter().await?;
        self.link.look().await.map(|mark| mark.head)
    }

    async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claimed>, JournalError> {
        let link = &self.link;
        let _open = link.enter().await?;
        link.works();
        let stem = wire::stem(link.world.ids.next());
        let args = wire::claim(&request, &link.origin, stem.clone());
        let lines: Vec<ReplyLine> = link.run(&link.scripts.claim, &args).await.inspect_err(|trouble| {
            if matches!(trouble, Trouble::Unknown(_)) {
                link.went_astray(stem, request.lease);
            }
        })?;
        Ok(lines.into_iter().map(|line| wire::claimed(request.queue, line)).collect::<Result<_, _>>()?)
    }

    async fn hasten(
        &self,
        queue: Queue,
        only: Option<&[String]>,
        now: DateTime<Utc>,
    ) -> Result<u64, JournalError> {
        let link = &self.link;
        let _open = link.enter().await?;
        let count = only.map_or_else(String::new, |keys| keys.len().to_string());
        let mut args = vec![
            wire::queue(queue),
            wire::instant(now),
            ScriptText::from(link.origin.as_str()),
            ScriptText::from(count),
        ];
        args.extend(only.into_iter().flatten().map(|key| ScriptText::from(key.as_str())));
        let (head, count): (u64, u64) = link.run(&link.scripts.hasten, &args).await?;
        if count > 0 {
            link.noted(None, head, Queue::ALL.map(|of| u64::from(of == queue)));
        }
        Ok(count)
    }

    async fn next_due(&self, queue: Queue) -> Result<Option<DateTime<Utc>>, JournalError> {
        let _open = self.link.enter().await?;
        let key = self.link.key(&format!("{PARTITIONS}{}", rules::queue_index(queue)));
        let first: Vec<(String, f64)> =
            self.link.ask(cmd("ZRANGE").arg(key).arg(0).arg(0).arg("WITHSCORES")).await?;
        Ok(first.first().map(|(_, micros)| rules::instant(*micros as i64)))
    }

    async fn outbox(&self, queue: Queue, limit: usize) -> Result<Vec<OutboxRow>, JournalError> {
        let link = &self.link;
        let _open = link.enter().await?;
        let now = rules::micros(link.world.now());
        let mut rows = Vec::new();
        while rows.len() < limit {
            let wanted = PAGE_SIZE.min(limit - rows.len());
            let args = [
                wire::queue(queue),
                ScriptText::from(rows.len().to_string()),
                ScriptText::from(wanted.to_string()),
            ];
            let lines: Vec<ReplyLine> = link.run(&link.scripts.list, &args).await?;
            let count = lines.len();
            for line in lines {
                rows.push(wire::listed(queue, line, now)?.0);
            }
            if count < wanted {
                break;
            }
        }
        Ok(rows)
    }

    async fn body(&self, key: &str) -> Result<Option<Bytes>, JournalError> {
        let _open = self.link.enter().await?;
        let key = self.link.key(&format!("{BODY}{key}"));
        let bytes: Option<ScriptText> = self.link.ask(cmd("HGET").arg(key).arg("bytes")).await?;
        Ok(bytes.map(Bytes::from))
    }

    async fn bodies_of(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, JournalError> {
        let _open = self.link.enter().await?;
        let mut bodies = Vec::with_capacity(keys.len());
        for keys in keys.chunks(PAGE_SIZE) {
            let mut questions = ::redis::pipe();
            for key in keys {
                questions.hget(self.link.key(&format!("{BODY}{key}")), "bytes");
            }
            let page: Vec<Option<ScriptText>> = self.link.ask_all(&questions).await?;
            bodies.extend(page.into_iter().map(|bytes| bytes.map(Bytes::from)));
        }
        Ok(bodies)
    }

    async fn raise_fence(&self, lease: &str) -> Result<u64, JournalError> {
        let _open = self.link.enter().await?;
        let (fence,): (u64,) = self.link.run(&self.link.scripts.fence, &[ScriptText::from(lease)]).await?;
        Ok(fence)
    }

    fn hints(&self) -> watch::Receiver<Hint> {
        self.link.hints.subscribe()
    }

    fn losses(&self) -> watch::Receiver<Option<Loss>> {
        self.link.losses.subscribe()
    }

    fn views(&self) -> Views {
        Views::new(Arc::clone(&self.views) as Arc<dyn ViewRunner>)
    }

    async fn close(&self) {
        self.tail.abort();
        self.pulse.abort();
        pulse::leave(&self.link).await;
        self.link.close().await;
    }
}

#[async_trait]
impl JournalAdmin for RedisJournal {
    async fn bodies(&self, offset: u64, limit: usize) -> Result<Vec<KeptBody>, JournalError> {
        let page: Vec<(String, f64)> = self.ranked(BODIES, offset, limit).await?;
        let kept = page.into_iter();
        Ok(kept.map(|(key, until)| KeptBody { key, keep_until: rules::instant(until as i64) }).collect())
    }

    async fn trimmed(&self, offset: u64, limit: usize) -> Result<Vec<Trim>, JournalError> {
        let page: Vec<(String, f64)> = self.ranked(TRIMMED, offset, limit).await?;
        let trimmed = page.into_iter();
        let trim = |(name, version): (String, f64)| Trim {
            stream: StreamId::from_stored(&name),
            version: version as u64,
        };
        Ok(trimmed.map(trim).collect())
    }

    async fn purge(&self, now: DateTime<Utc>) -> Result<u64, JournalError> {
        let link = &self.link;
        let _open = link.enter().await?;
        let (mut kept, mut purged) = (0, 0);
        loop {
            let args = [
                wire::instant(now),
                ScriptText::from(kept.to_string()),
                ScriptText::from(PAGE_SIZE.to_string()),
            ];
            let (seen, dropped): (u64, u64) = link.run(&link.scripts.purge, &args).await?;
            purged += dropped;
            kept += seen - dropped.min(seen);
            if seen < PAGE_SIZE as u64 {
                return Ok(purged);
            }
        }
    }

    fn durability(&self) -> Durability {
        self.durability
    }

    async fn others(&self) -> Result<Vec<Difference>, JournalError> {
        let _open = self.link.enter().await?;
        Ok(pulse::others(&self.link, self.silence).await?)
    }

    async fn verify(&self) -> Result<VerifyReport, JournalError> {
        let _open = self.link.enter().await?;
        verify::verify(&self.link).await
    }
}
