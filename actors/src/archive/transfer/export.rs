//! A journal into lines.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};

use super::totals::{Adder, CopyTotals};
use super::{CopiedRow, CopyHeader, CopyLine, FORMAT, PAGE_SIZE, TransferError};
use crate::kernel::journal::{JournalAdmin, Queue, Trim};

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
