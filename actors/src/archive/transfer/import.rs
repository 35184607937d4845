//! Lines into an empty journal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;

use super::export::tally;
use super::totals::{Adder, CopyTotals};
use super::{CopiedRow, CopyLine, FORMAT, PAGE_SIZE, TransferError};
use crate::kernel::event::{NewEvent, Recorded};
use crate::kernel::journal::{Body, Commit, Expected, JournalAdmin, OutboxAdd, StreamWrite, Trim};

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
