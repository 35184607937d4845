//! `events tail | show | verify`: the journal as it is, while a server may be writing it.

use std::sync::Arc;
use std::time::Duration;

use render_signal_actors::kernel::event::{Recorded, StreamId};
use render_signal_actors::kernel::journal::{Journal, JournalAdmin, VerifyReport};
use render_signal_actors::readmodel::log::{self, LogSelection};
use render_signal_actors::said;

use crate::cli::{EventsShowArgs, TailArgs, VerifyArgs};
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::journal::refused;
use crate::lang::Lang;
use crate::output::{Output, Style};
use crate::words::integrity;

/// Events read at a time.
const PAGE_SIZE: usize = 500;
/// How often `--follow` reads the log: commits of another process send no hints here.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Prints the last events, and those to come.
pub(crate) async fn tail(journal: Arc<dyn Journal>, args: &TailArgs, out: &mut Output) -> CommandResult {
    let head = journal.head().await.map_err(|error| refused(&error))?;
    let selection = LogSelection { prefix: args.stream_prefix.clone(), ..LogSelection::default() };
    for event in last(journal.as_ref(), head, args.lines, &selection).await? {
        print(out, &event, args.json)?;
    }
    if !args.follow {
        return Ok(Exit::Ok);
    }
    let mut position = head;
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        loop {
            let page = journal.read_log(position, PAGE_SIZE).await.map_err(|error| refused(&error))?;
            let Some(newest) = page.last() else { break };
            position = newest.position;
            for event in page.iter().filter(|event| selection.has(event)) {
                print(out, event, args.json)?;
            }
        }
    }
}

/// The last `count` events of a selection up to `head`, oldest first.
async fn last(
    journal: &dyn Journal,
    head: u64,
    count: usize,
    selection: &LogSelection,
) -> Result<Vec<Recorded>, CommandFailure> {
    let mut events: Vec<Recorded> = Vec::new();
    let mut before = Some(head.saturating_add(1));
    while let Some(place) = before.filter(|_| events.len() < count) {
        let page = log::back(journal, selection, place, count - events.len()).await;
        let page = page.map_err(|error| refused(&error))?;
        events.extend(page.events);
        before = page.next;
    }
    events.reverse();
    Ok(events)
}

/// Prints one stream.
pub(crate) async fn show(
    journal: Arc<dyn Journal>,
    args: &EventsShowArgs,
    lang: Lang,
    out: &mut Output,
) -> CommandResult {
    let stream = StreamId::from_stored(&args.stream);
    let events = journal.read_stream(&stream, 0).await.map_err(|error| refused(&error))?;
    if events.is_empty() {
        return Err(CommandFailure::found(lang.one(said!(
            "il n'y a pas de flux {stream} ; `render-signal events tail` montre les noms des plus récents",
            "there is no stream {stream}; `render-signal events tail` shows the names of recent ones"
        ))));
    }
    for event in &events {
        print(out, event, args.json)?;
    }
    Ok(Exit::Ok)
}

/// Checks the whole journal.
pub(crate) async fn verify(
    journal: Arc<dyn JournalAdmin>,
    args: &VerifyArgs,
    lang: Lang,
    out: &mut Output,
) -> CommandResult {
    let report = journal.verify().await.map_err(|error| refused(&error))?;
    let sound = report.problems.is_empty();
    if args.json {
        out.json_pretty(&report)?;
    } else {
        let problem = out.styled(Style::Bad, lang.pick("problème :", "problem:"));
        for what in &report.problems {
            out.line(format!("{problem} {}", integrity::problem(lang, what)))?;
        }
        out.line(verdict(&report, lang, out))?;
    }
    Ok(if sound { Exit::Ok } else { Exit::Found })
}

/// How much there is, and whether it is as it should be.
fn verdict(report: &VerifyReport, lang: Lang, out: &Output) -> String {
    let count =
        |n: u64, french, english| lang.count(usize::try_from(n).unwrap_or(usize::MAX), french, english);
    let events = count(report.events, ["événement", "événements"], ["event", "events"]);
    let streams = count(report.streams, ["flux", "flux"], ["stream", "streams"]);
    let rows = count(report.outbox, ["ligne", "lignes"], ["row", "rows"]);
    let judged = match report.problems.len() {
        0 => out.styled(Style::Good, lang.pick("le journal est intact", "the journal is sound")),
        n => out.styled(Style::Bad, &lang.count(n, ["problème", "problèmes"], ["problem", "problems"])),
    };
    lang.one(said!(
        "{events} dans {streams}, {rows} dans l'outbox : {judged}",
        "{events} in {streams}, {rows} in the outbox: {judged}"
    ))
}

fn print(out: &mut Output, event: &Recorded, json: bool) -> Result<(), CommandFailure> {
    if json {
        return out.json_line(event);
    }
    let line = format!(
        "{:>8}  {}  {}  {} {}",
        event.position,
        out.styled(Style::Dim, &event.at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)),
        out.styled(Style::Bold, &format!("{:<24}", event.kind)),
        format_args!("{}#{}", event.stream, event.version),
        out.styled(Style::Dim, &event.payload.to_string()),
    );
    out.line(line)
}

#[cfg(test)]
mod tests {
    use render_signal_actors::kernel::clock::World;
    use render_signal_actors::kernel::event::NewEvent;
    use render_signal_actors::kernel::journal::memory::MemoryJournal;
    use render_signal_actors::kernel::journal::{Commit, Expected, StreamWrite};
    use serde_json::json;

    use super::*;

    async fn journal(events: u64) -> MemoryJournal {
        let world = World::real();
        let journal = MemoryJournal::new(world.clone(), Arc::default());
        for n in 1..=events {
            let stream = StreamId::new(if n % 3 == 0 { "delivery" } else { "mail" }, &n.to_string());
            let event = NewEvent {
                id: world.ids.next(),
                kind: "mail.duplicated",
                schema: 1,
                payload: json!({"location": {"mailbox": "m", "validity": 0, "item": n.to_string()}}),
            };
            let commit = Commit {
                at: world.now(),
                writes: vec![StreamWrite { stream, expected: Expected::NoStream, events: vec![event] }],
                ..Commit::default()
            };
            journal.append(commit).await.unwrap();
        }
        journal
    }

    async fn positions(events: u64, count: usize, prefix: &str) -> Vec<u64> {
        let journal = journal(events).await;
        let selection = LogSelection { prefix: prefix.to_owned(), ..LogSelection::default() };
        let found = last(&journal, events, count, &selection).await.unwrap();
        found.iter().map(|event| event.position).collect()
    }

    #[tokio::test]
    async fn the_last_events_come_in_order_whatever_the_page() {
        assert_eq!(positions(10, 3, "").await, [8, 9, 10]);
        assert_eq!(positions(2, 3, "").await, [1, 2]);
        assert_eq!(positions(0, 3, "").await, [0_u64; 0]);
        assert_eq!(positions(10, 0, "").await, [0_u64; 0]);
        assert_eq!(positions(1_300, 2, "delivery-").await, [1_296, 1_299]);
        // More than a page away from the end.
        assert_eq!(positions(1_300, 400, "delivery-").await.first(), Some(&(1_299 - 3 * 399)));
        assert_eq!(positions(10, 3, "lease-").await, [0_u64; 0]);
        // Further than one look goes.
        let all = positions(10_100, 10_000, "mail-7").await;
        assert_eq!((all.first(), all.last()), (Some(&7), Some(&7_999)));
    }
}
