//! A whole journal as JSON Lines, and back: to move it between backends, or to keep a copy.
//!
//! | line | what it holds |
//! |---|---|
//! | `journal` | the first: format, head, and how much follows |
//! | `event` | an event, as recorded |
//! | `trim` | a stream whose first events had been archived |
//! | `body` | a kept body, in base64 |
//! | `row` | a row of the outbox, without its claim |
//! | `end` | the last: SHA-256 over what the lines say, so that a torn copy is noticed |
//!
//! The lines of an archive are of the kind `event`. Claims are not copied: nobody who holds
//! one works on the copy. Fences are granted anew.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::kernel::canonical::canonical_hash;
use crate::kernel::digest::hex;
use crate::kernel::event::{NewEvent, Recorded, StreamId};
use crate::kernel::journal::{
    Body, Commit, Due, Expected, JournalAdmin, JournalError, OutboxAdd, Queue, StreamWrite, Trim,
};

/// The format of the lines.
pub const FORMAT: u32 = 1;

/// Read and written at once.
const PAGE_SIZE: usize = 500;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyLine {
    /// The first.
    Journal(CopyHeader),
    /// An event.
    Event(Recorded),
    /// A stream that has lost its first events to an archive.
    Trim {
        /// Its name.
        stream: StreamId,
        /// Up to which version.
        version: u64,
    },
    /// A body.
    Body {
        /// Its key.
        key: String,
        /// Kept at least until then.
        keep_until: DateTime<Utc>,
        /// In base64.
        bytes: String,
    },
    /// A row of the outbox.
    Row(CopiedRow),
    /// The last.
    End(CopyTotals),
}

/// What a copy begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyHeader {
    /// [`FORMAT`].
    pub format: u32,
    /// Position of the last event.
    pub head: u64,
    /// When the copy was begun.
    pub at: DateTime<Utc>,
}

/// A row of the outbox, as copied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CopiedRow {
    /// Queue.
    pub queue: Queue,
    /// Key.
    pub key: String,
    /// Partition.
    pub partition: String,
    /// Order key, if any.
    pub order_key: Option<String>,
    /// When it may be claimed.
    pub due: Due,
    /// When it was added for the first time.
    pub added_at: DateTime<Utc>,
    /// The worker's small facts.
    pub meta: Value,
    /// Key of the body.
    pub body_key: Option<String>,
}

/// How much there is of everything, and what it comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyTotals {
    /// Events.
    pub events: u64,
    /// Streams that have lost events to an archive.
    pub trimmed: u64,
    /// Bodies.
    pub bodies: u64,
    /// Rows of the outbox.
    pub rows: u64,
    /// SHA-256 over what matters of all of them, in hex: positions, which a copy without
    /// gaps counts anew, and the order of bodies and trimmed streams, which each backend has
    /// its own of, are left out.
    pub sha256: String,
}

/// Adds up what passes by.
#[derive(Default)]
struct Adder {
    tally: CopyTotals,
    events: Sha256,
    rows: Sha256,
    /// Added up so that their order does not matter.
    others: [u8; 32],
}

impl Adder {
    fn add(&mut self, line: &CopyLine) {
        match line {
            CopyLine::Event(event) => {
                self.tally.events += 1;
                let facts = (&event.id, &event.stream, event.version, &event.kind, event.schema);
                digest(&mut self.events, &(facts, event.at, event.cause, &event.payload));
            }
            CopyLine::Row(row) => {
                self.tally.rows += 1;
                digest(&mut self.rows, row);
            }
            CopyLine::Trim { stream, version } => {
                self.tally.trimmed += 1;
                self.mix(&(stream, version));
            }
            CopyLine::Body { key, bytes, .. } => {
                self.tally.bodies += 1;
                self.mix(&(key, bytes));
            }
            CopyLine::Journal(_) | CopyLine::End(_) => {}
        }
    }

    fn mix(&mut self, facts: &impl Serialize) {
        let mut hash = Sha256::new();
        digest(&mut hash, facts);
        for (sum, byte) in self.others.iter_mut().zip(hash.finalize()) {
            *sum = sum.wrapping_add(byte);
        }
    }

    fn finish(self) -> CopyTotals {
        let mut all = self.events;
        all.update(self.rows.finalize());
        all.update(self.others);
        CopyTotals { sha256: hex(all.finalize()), ..self.tally }
    }
}

/// JSON with sorted keys: the backends keep the order of fields, but need not.
fn digest(hash: &mut Sha256, facts: &impl Serialize) {
    let value = serde_json::to_value(facts).unwrap_or_default();
    let text = canonical_hash(&value);
    hash.update(text.as_bytes());
}

/// Why a journal was not copied.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The journal could not be read or written.
    #[error("{0}")]
    Journal(String),
    /// It changed meanwhile: what was copied belongs to no single moment.
    #[error(
        "the journal went on from position {before} to {after} while it was copied: stop the workers and copy it again"
    )]
    Moved {
        /// Head at the beginning.
        before: u64,
        /// Head at the end.
        after: u64,
    },
    /// The lines cannot be taken in.
    #[error("line {line}: {what}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// There is something in the journal already.
    #[error("the journal is not empty (it ends at position {0}); a copy goes into an empty one")]
    NotEmpty(u64),
    /// The copy is not what was copied.
    #[error("the copy differs from what the lines say: {0}")]
    Differs(String),
    /// Whoever takes the lines did not.
    #[error("the lines could not be written: {0}")]
    Sink(#[from] std::io::Error),
}

impl From<JournalError> for TransferError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error.to_string())
    }
}

/// Writes the whole journal as lines; `sink` takes one after the other.
///
/// # Errors
/// See [`TransferError`]; what was written then is no copy, and has no last line.
pub async fn export(
    journal: &dyn JournalAdmin,
    at: DateTime<Utc>,
    mut sink: impl FnMut(&CopyLine) -> std::io::Result<()>,
) -> Result<CopyTotals, TransferError> {
    let before = journal.head().await?;
    sink(&CopyLine::Journal(CopyHeader { format: FORMAT, head: before, at }))?;
    let mut adder = Adder::default();
    walk(journal, before, |line| {
        adder.add(line);
        sink(line)
    })
    .await?;
    let after = journal.head().await?;
    if after != before {
        return Err(TransferError::Moved { before, after });
    }
    let tally = adder.finish();
    sink(&CopyLine::End(tally.clone()))?;
    Ok(tally)
}

/// What a journal comes to, as `export` would say.
///
/// # Errors
/// When it cannot be read.
pub async fn tally(journal: &dyn JournalAdmin) -> Result<CopyTotals, TransferError> {
    let mut adder = Adder::default();
    walk(journal, journal.head().await?, |line| {
        adder.add(line);
        Ok(())
    })
    .await?;
    Ok(adder.finish())
}

/// Shows every line of a journal's content: streams that had lost events first, so that
/// what follows on them can be taken in as it comes.
async fn walk(
    journal: &dyn JournalAdmin,
    head: u64,
    mut see: impl FnMut(&CopyLine) -> std::io::Result<()>,
) -> Result<(), TransferError> {
    let mut offset = 0;
    loop {
        let page = journal.trimmed(offset, PAGE_SIZE).await?;
        for Trim { stream, version } in &page {
            see(&CopyLine::Trim { stream: stream.clone(), version: *version })?;
        }
        offset += page.len() as u64;
        if page.len() < PAGE_SIZE {
            break;
        }
    }
    let mut after = 0;
    while after < head {
        let page = journal.read_log(after, PAGE_SIZE).await?;
        let Some(last) = page.last() else { break };
        after = last.position;
        for event in page {
            see(&CopyLine::Event(event))?;
        }
    }
    let mut offset = 0;
    loop {
        let page = journal.bodies(offset, PAGE_SIZE).await?;
        for kept in &page {
            if let Some(bytes) = journal.body(&kept.key).await? {
                let (key, keep_until) = (kept.key.clone(), kept.keep_until);
                see(&CopyLine::Body { key, keep_until, bytes: BASE64.encode(bytes) })?;
            }
        }
        offset += page.len() as u64;
        if page.len() < PAGE_SIZE {
            break;
        }
    }
    for queue in Queue::ALL {
        for row in journal.outbox(queue, usize::MAX).await? {
            see(&CopyLine::Row(CopiedRow {
                queue,
                key: row.key,
                partition: row.partition,
                order_key: row.order_key,
                due: row.due,
                added_at: row.added_at,
                meta: row.meta,
                body_key: row.body_key,
            }))?;
        }
    }
    Ok(())
}

/// Takes lines into an empty journal.
pub struct Import<'j> {
    journal: &'j dyn JournalAdmin,
    adder: Adder,
    lines: u64,
    begun: bool,
    /// Events of one commit: same instant, same cause.
    pending: Vec<Recorded>,
    trims: Vec<Trim>,
    end: Option<CopyTotals>,
}

impl<'j> Import<'j> {
    /// Begins.
    ///
    /// # Errors
    /// [`TransferError::NotEmpty`].
    pub async fn into_empty(journal: &'j dyn JournalAdmin) -> Result<Import<'j>, TransferError> {
        let head = journal.head().await?;
        if head > 0 {
            return Err(TransferError::NotEmpty(head));
        }
        Ok(Self {
            journal,
            adder: Adder::default(),
            lines: 0,
            begun: false,
            pending: Vec::new(),
            trims: Vec::new(),
            end: None,
        })
    }

    /// Takes one line in. The first one tells the head of the journal that was copied.
    ///
    /// # Errors
    /// See [`TransferError`]. The journal then holds a part: it is to be thrown away.
    pub async fn line(&mut self, text: &str) -> Result<Option<u64>, TransferError> {
        self.lines += 1;
        let line: CopyLine = serde_json::from_str(text).map_err(|error| self.wrong(error.to_string()))?;
        if self.begun == matches!(line, CopyLine::Journal(_)) {
            return Err(self.wrong("a copy of a journal begins with one line \"journal\"".to_owned()));
        }
        if self.end.is_some() {
            return Err(self.wrong("something follows the end".to_owned()));
        }
        self.adder.add(&line);
        if !matches!(line, CopyLine::Event(_) | CopyLine::Trim { .. }) {
            self.flush().await?;
        }
        match line {
            CopyLine::Journal(head) if head.format > FORMAT => {
                return Err(self.wrong(format!("format {} is newer than this program", head.format)));
            }
            CopyLine::Journal(head) => {
                self.begun = true;
                return Ok(Some(head.head));
            }
            CopyLine::Trim { stream, version } => {
                self.trims.push(Trim { stream, version });
                if self.trims.len() >= PAGE_SIZE {
                    self.flush().await?;
                }
            }
            CopyLine::Event(event) => {
                // Trimmed streams come first: they are known before what follows on them.
                if !self.trims.is_empty() {
                    self.flush().await?;
                }
                self.event(event).await?;
            }
            CopyLine::Body { key, keep_until, bytes } => {
                let bytes = BASE64.decode(bytes).map_err(|error| self.wrong(error.to_string()))?;
                let body = Body { key, bytes: Bytes::from(bytes), keep_until };
                self.commit(Commit { at: keep_until, bodies: vec![body], ..Commit::default() }).await?;
            }
            CopyLine::Row(row) => self.row(row).await?,
            CopyLine::End(tally) => self.end = Some(tally),
        }
        Ok(None)
    }

    /// Ends, and compares what the journal holds now, read back from itself, with what the
    /// lines said.
    ///
    /// # Errors
    /// [`TransferError::Differs`], or [`TransferError::Line`] when the last line is missing.
    pub async fn finish(mut self) -> Result<CopyTotals, TransferError> {
        let Some(told) = self.end.take() else {
            return Err(self.wrong("the copy ends without its last line: it was torn off".to_owned()));
        };
        let read = std::mem::take(&mut self.adder).finish();
        if read != told {
            return Err(TransferError::Differs(format!("the lines say {told:?} and hold {read:?}")));
        }
        let kept = tally(self.journal).await?;
        if kept != told {
            return Err(TransferError::Differs(format!(
                "the lines say {told:?}, the journal holds {kept:?}"
            )));
        }
        let problems = self.journal.verify().await?.problems;
        if let Some(problem) = problems.first() {
            return Err(TransferError::Differs(problem.clone()));
        }
        Ok(kept)
    }

    fn wrong(&self, what: String) -> TransferError {
        TransferError::Line { line: self.lines, what }
    }

    async fn event(&mut self, event: Recorded) -> Result<(), TransferError> {
        let together = self.pending.first().is_none_or(|first| {
            first.at == event.at && first.cause == event.cause && self.pending.len() < PAGE_SIZE
        });
        if !together {
            self.flush().await?;
        }
        self.pending.push(event);
        Ok(())
    }

    /// Commits what has been collected.
    async fn flush(&mut self) -> Result<(), TransferError> {
        let trim = std::mem::take(&mut self.trims);
        if !trim.is_empty() {
            self.commit(Commit { trim, ..Commit::default() }).await?;
        }
        let pending = std::mem::take(&mut self.pending);
        let Some(first) = pending.first() else { return Ok(()) };
        let (at, cause) = (first.at, first.cause);
        let mut writes = Vec::new();
        for event in pending {
            let kind = crate::registry::known_kind(&event.kind)
                .ok_or_else(|| self.wrong(format!("kind {:?} is not known here", event.kind)))?;
            writes.push(StreamWrite {
                expected: match event.version {
                    0 | 1 => Expected::NoStream,
                    version => Expected::Exact(version - 1),
                },
                stream: event.stream,
                events: vec![NewEvent { id: event.id, kind, schema: event.schema, payload: event.payload }],
            });
        }
        self.commit(Commit { at, cause, writes, ..Commit::default() }).await
    }

    async fn row(&mut self, row: CopiedRow) -> Result<(), TransferError> {
        let at = row.added_at;
        let add = OutboxAdd {
            queue: row.queue,
            key: row.key,
            partition: row.partition,
            order_key: row.order_key,
            due: row.due,
            meta: row.meta,
            body_key: row.body_key,
        };
        self.commit(Commit { at, add: vec![add], ..Commit::default() }).await
    }

    async fn commit(&self, commit: Commit) -> Result<(), TransferError> {
        match self.journal.append(commit).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.wrong(error.to_string())),
        }
    }
}
