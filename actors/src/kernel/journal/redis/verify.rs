//! Reads everything and checks it.

use std::collections::HashMap;

use ::redis::cmd;

use super::link::{Line, Link, Text};
use super::scripts::{BODIES, BODY, IDS, LOG, STREAM};
use super::wire::{self, Entry};
use crate::kernel::event::Recorded;
use crate::kernel::journal::memory::missing_body;
use crate::kernel::journal::{JournalError, Queue, VerifyReport};

/// Entries read at once.
const PAGE: u64 = 500;

/// Checks the log up to where it ends now, then the outbox and the bodies.
///
/// # Errors
/// [`JournalError::Unavailable`] when the server cannot be asked.
pub(super) async fn verify(link: &Link) -> Result<VerifyReport, JournalError> {
    let mut report = VerifyReport::default();
    let head = link.look().await?.head;
    let mut versions = HashMap::new();
    events(link, head, &mut versions, &mut report).await?;
    report.streams = versions.len() as u64;
    for (name, version) in versions {
        let length: u64 = link.ask(cmd("LLEN").arg(link.key(&format!("{STREAM}{name}")))).await?;
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

async fn events(
    link: &Link,
    head: u64,
    versions: &mut HashMap<String, u64>,
    report: &mut VerifyReport,
) -> Result<(), JournalError> {
    let mut last = 0;
    while last < head {
        let entries: Vec<Entry> = link
            .ask(
                cmd("XRANGE")
                    .arg(link.key(LOG))
                    .arg(format!("{}-0", last + 1))
                    .arg(format!("{head}-0"))
                    .arg("COUNT")
                    .arg(PAGE),
            )
            .await?;
        if entries.is_empty() {
            report.problems.push(format!("the log should end at {head} and ends at {last}"));
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
                    event_in_place(&event, last, versions, report);
                    if !sound {
                        report.problems.push(format!("event {place} does not match its checksum"));
                    }
                    last = event.position;
                    ids.arg(event.id.as_bytes());
                    found.push(event.position);
                }
                Err(_) => {
                    report.problems.push(format!("event {place} cannot be read"));
                    last = place.split('-').next().and_then(|number| number.parse().ok()).unwrap_or(head);
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

fn event_in_place(
    event: &Recorded,
    last: u64,
    versions: &mut HashMap<String, u64>,
    report: &mut VerifyReport,
) {
    if event.position != last + 1 {
        report.problems.push(format!("position {} follows {last}", event.position));
    }
    let version = versions.entry(event.stream.to_string()).or_default();
    if event.version != *version + 1 {
        report.problems.push(format!(
            "event {} has version {} after {version} in its stream",
            event.position, event.version
        ));
    }
    *version = event.version;
}

async fn outbox(link: &Link, queue: Queue, report: &mut VerifyReport) -> Result<(), JournalError> {
    let mut offset = 0;
    loop {
        let args = [wire::queue(queue), Text::from(offset.to_string()), Text::from(PAGE.to_string())];
        let lines: Vec<Line> = link.run(&link.scripts.list, &args).await?;
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
        if count < PAGE {
            return Ok(());
        }
    }
}

async fn bodies(link: &Link, report: &mut VerifyReport) -> Result<(), JournalError> {
    let mut offset = 0;
    loop {
        let keys: Vec<String> =
            link.ask(cmd("ZRANGE").arg(link.key(BODIES)).arg(offset).arg(offset + PAGE - 1)).await?;
        for key in &keys {
            let (sum, bytes): (Option<Text>, Option<Text>) =
                link.ask(cmd("HMGET").arg(link.key(&format!("{BODY}{key}"))).arg("sum").arg("bytes")).await?;
            // One that was purged meanwhile is neither.
            if let (Some(sum), Some(bytes)) = (sum, bytes)
                && wire::body_sum(&bytes) != sum
            {
                report.problems.push(format!("body {key:?} does not match its checksum"));
            }
        }
        offset += keys.len() as u64;
        if (keys.len() as u64) < PAGE {
            return Ok(());
        }
    }
}
