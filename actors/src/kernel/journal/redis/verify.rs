//! Reads everything and checks it.

use std::collections::HashMap;

use ::redis::cmd;

use super::link::{JournalServer, ReplyLine, ScriptText};
use super::scripts::{BODIES, BODY, IDS, LOG, META, STREAM, TRIMMED};
use super::wire::{self, LogEntry};
use crate::kernel::event::Recorded;
use crate::kernel::journal::memory::missing_body;
use crate::kernel::journal::{JournalError, Queue, VerifyReport};

/// Entries read at once.
const PAGE_SIZE: u64 = 500;

/// Checks the log up to where it ends now, then the outbox and the bodies.
///
/// # Errors
/// [`JournalError::Unavailable`] when the server cannot be asked.
pub(super) async fn verify(link: &JournalServer) -> Result<VerifyReport, JournalError> {
    let mut report = VerifyReport::default();
    let head = link.look().await?.head;
    let trimmed = trimmed(link).await?;
    let mut log = LogCheck { last: 0, gaps: 0, versions: trimmed.clone() };
    events(link, head, &mut log, &mut report).await?;
    let gaps: Option<u64> = link.ask(cmd("HGET").arg(link.key(META)).arg("gaps")).await?;
    // Something may have been archived meanwhile.
    if gaps.unwrap_or_default() < log.gaps {
        let (gaps, missing) = (gaps.unwrap_or_default(), log.gaps);
        report.problems.push(format!("{missing} events are missing from the log, {gaps} were archived"));
    }
    report.streams = log.versions.len() as u64;
    report.trimmed = trimmed.values().sum();
    for (name, version) in log.versions {
        let length: u64 = link.ask(cmd("LLEN").arg(link.key(&format!("{STREAM}{name}")))).await?;
        let length = length + trimmed.get(&name).copied().unwrap_or_default();
        // A commit may have come meanwhile.
        if length < version {
            report.problems.push(format!("stream {name} should have {version} events and has {length}"));
        }
    }
    for queue in Queue::ALL {
        outbox(link, queue, &mut report).await?;
    }
    bodies(link, &mut report).await?;
    Ok(report)
}

/// What is known of the log so far.
struct LogCheck {
    /// Position of the last event.
    last: u64,
    /// How many positions have no event.
    gaps: u64,
    /// The last version of each stream.
    versions: HashMap<String, u64>,
}

/// Up to which version each stream has lost its events to an archive.
async fn trimmed(link: &JournalServer) -> Result<HashMap<String, u64>, JournalError> {
    let mut trimmed = HashMap::new();
    loop {
        let offset = trimmed.len() as u64;
        let page: Vec<(String, f64)> = link
            .ask(
                cmd("ZRANGE")
                    .arg(link.key(TRIMMED))
                    .arg(offset)
                    .arg(offset + PAGE_SIZE - 1)
                    .arg("WITHSCORES"),
            )
            .await?;
        let count = page.len() as u64;
        trimmed.extend(page.into_iter().map(|(name, version)| (name, version as u64)));
        if count < PAGE_SIZE {
            return Ok(trimmed);
        }
    }
}

async fn events(
    link: &JournalServer,
    head: u64,
    log: &mut LogCheck,
    report: &mut VerifyReport,
) -> Result<(), JournalError> {
    while log.last < head {
        let entries: Vec<LogEntry> = link
            .ask(
                cmd("XRANGE")
                    .arg(link.key(LOG))
                    .arg(format!("{}-0", log.last + 1))
                    .arg(format!("{head}-0"))
                    .arg("COUNT")
                    .arg(PAGE_SIZE),
            )
            .await?;
        if entries.is_empty() {
            log.gaps += head - log.last;
            return Ok(());
        }
        let mut ids = cmd("HMGET");
        ids.arg(link.key(IDS));
        let mut found = Vec::new();
        for entry in entries {
            let place = entry.0.clone();
            report.events += 1;
            match wire::checked(entry) {
                Ok((event, sound)) => {
                    event_in_place(&event, log, report);
                    if !sound {
                        report.problems.push(format!("event {place} does not match its checksum"));
                    }
                    ids.arg(event.id.as_bytes());
                    found.push(event.position);
                }
                Err(_) => {
                    report.problems.push(format!("event {place} cannot be read"));
                    log.last = place.split('-').next().and_then(|number| number.parse().ok()).unwrap_or(head);
                }
            }
        }
        if found.is_empty() {
            continue;
        }
        let known: Vec<Option<u64>> = link.ask(&ids).await?;
        for (position, known) in found.into_iter().zip(known) {
            if known != Some(position) {
                report.problems.push(format!("the id of event {position} leads to {known:?}"));
            }
        }
    }
    Ok(())
}

fn event_in_place(event: &Recorded, log: &mut LogCheck, report: &mut VerifyReport) {
    log.gaps += event.position.saturating_sub(log.last + 1);
    log.last = event.position;
    let version = log.versions.entry(event.stream.to_string()).or_default();
    if event.version != *version + 1 {
        report.problems.push(format!(
            "event {} has version {} after {version} in its stream",
            event.position, event.version
        ));
    }
    *version = event.version;
}

async fn outbox(link: &JournalServer, queue: Queue, report: &mut VerifyReport) -> Result<(), JournalError> {
    let mut offset = 0;
    loop {
        let args = [
            wire::queue(queue),
            ScriptText::from(offset.to_string()),
            ScriptText::from(PAGE_SIZE.to_string()),
        ];
        let lines: Vec<ReplyLine> = link.run(&link.scripts.list, &args).await?;
        let count = lines.len() as u64;
        for line in lines {
            report.outbox += 1;
            match wire::listed(queue, line, 0) {
                Ok((row, Some(body))) => report.problems.push(missing_body(queue, &row.key, &body)),
                Ok((_, None)) => {}
                Err(_) => report.problems.push(format!("a {queue} row cannot be read")),
            }
        }
        offset += count;
        if count < PAGE_SIZE {
            return Ok(());
        }
    }
}

async fn bodies(link: &JournalServer, report: &mut VerifyReport) -> Result<(), JournalError> {
    let mut offset = 0;
    loop {
        let keys: Vec<String> =
            link.ask(cmd("ZRANGE").arg(link.key(BODIES)).arg(offset).arg(offset + PAGE_SIZE - 1)).await?;
        for key in &keys {
            let (sum, bytes): (Option<ScriptText>, Option<ScriptText>) =
                link.ask(cmd("HMGET").arg(link.key(&format!("{BODY}{key}"))).arg("sum").arg("bytes")).await?;
            // One that was purged meanwhile is neither.
            if let (Some(sum), Some(bytes)) = (sum, bytes)
                && wire::body_sum(&bytes) != sum
            {
                report.problems.push(format!("body {key:?} does not match its checksum"));
            }
        }
        offset += keys.len() as u64;
        if (keys.len() as u64) < PAGE_SIZE {
            return Ok(());
        }
    }
}
