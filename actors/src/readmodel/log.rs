//! The log as readers ask for it: those of its events that they want, page by page, onward or
//! back. Positions are gapless but for what was archived, so it can be read from either end.

use crate::kernel::event::{Recorded, StreamId};
use crate::kernel::journal::{Journal, JournalError};

/// Events that are read at a time.
const PAGE_SIZE: usize = 500;
/// Reads for one page. Whoever looks for what is rare gets a short page, and goes on from where
/// it ends; nobody holds the journal for long.
const READS: usize = 20;

/// Which events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogSelection {
    /// Those of this stream.
    pub stream: Option<StreamId>,
    /// Those of streams of this category, such as `mail`.
    pub category: Option<String>,
    /// Those of streams whose names begin like this; empty = all.
    pub prefix: String,
    /// Those of one of these kinds; empty = all.
    pub kinds: Vec<String>,
}

impl LogSelection {
    /// Whether the event is among them.
    #[must_use]
    pub fn has(&self, event: &Recorded) -> bool {
        self.wants(&event.stream, &event.kind)
    }

    /// Whether an event of this stream and kind is among them.
    #[must_use]
    pub fn wants(&self, stream: &StreamId, kind: &str) -> bool {
        self.stream.as_ref().is_none_or(|one| one == stream)
            && self.category.as_deref().is_none_or(|category| category == stream.category())
            && stream.as_str().starts_with(&self.prefix)
            && (self.kinds.is_empty() || self.kinds.iter().any(|one| one == kind))
    }
}

/// A part of the log.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LogPage {
    /// The events, in the order that was asked for.
    pub events: Vec<Recorded>,
    /// Where to go on: with what lies beyond this position. `None` = there is no more now.
    pub next: Option<u64>,
}

/// Up to `limit` events with a position above `after`, oldest first.
///
/// # Errors
/// The journal cannot be read.
pub async fn onward(
    journal: &dyn Journal,
    selection: &LogSelection,
    after: u64,
    limit: usize,
) -> Result<LogPage, JournalError> {
    let mut page = LogPage::default();
    if let Some(stream) = &selection.stream {
        let events = journal.read_stream(stream, 0).await?;
        let mut wanted = events.into_iter().filter(|event| event.position > after && selection.has(event));
        page.events.extend(wanted.by_ref().take(limit));
        page.next = wanted.next().and_then(|_| page.events.last()).map(|event| event.position);
        return Ok(page);
    }
    let mut position = after;
    for _ in 0..READS {
        let events = journal.read_log(position, PAGE_SIZE).await?;
        let whole = events.len() == PAGE_SIZE;
        for event in events {
            if page.events.len() == limit {
                page.next = Some(position);
                return Ok(page);
            }
            position = event.position;
            if selection.has(&event) {
                page.events.push(event);
            }
        }
        if !whole {
            return Ok(page);
        }
    }
    page.next = Some(position);
    Ok(page)
}

/// Up to `limit` events with a position below `before`, newest first.
///
/// # Errors
/// The journal cannot be read.
pub async fn back(
    journal: &dyn Journal,
    selection: &LogSelection,
    before: u64,
    limit: usize,
) -> Result<LogPage, JournalError> {
    let mut page = LogPage::default();
    if let Some(stream) = &selection.stream {
        let events = journal.read_stream(stream, 0).await?;
        let mut wanted =
            events.into_iter().rev().filter(|event| event.position < before && selection.has(event));
        page.events.extend(wanted.by_ref().take(limit));
        page.next = wanted.next().and_then(|_| page.events.last()).map(|event| event.position);
        return Ok(page);
    }
    let step = u64::try_from(PAGE_SIZE).unwrap_or(u64::MAX);
    let mut end = before.min(journal.head().await?.saturating_add(1));
    for _ in 0..READS {
        if end <= 1 {
            return Ok(page);
        }
        let start = end.saturating_sub(1).saturating_sub(step);
        let events = journal.read_log(start, PAGE_SIZE).await?;
        for event in events.into_iter().rev().filter(|event| event.position < end) {
            if page.events.len() == limit {
                page.next = page.events.last().map(|event| event.position);
                return Ok(page);
            }
            if selection.has(&event) {
                page.events.push(event);
            }
        }
        end = start + 1;
    }
    page.next = (end > 1).then_some(end);
    Ok(page)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::kernel::clock::World;
    use crate::kernel::event::NewEvent;
    use crate::kernel::journal::memory::MemoryJournal;
    use crate::kernel::journal::{Commit, Expected, StreamWrite};

    async fn journal(events: u64) -> MemoryJournal {
        let world = World::real();
        let journal = MemoryJournal::new(world.clone(), Arc::default());
        for n in 1..=events {
            let category = if n % 3 == 0 { "delivery" } else { "mail" };
            let event = NewEvent {
                id: world.ids.next(),
                kind: if n % 2 == 0 { "mail.duplicated" } else { "mail.held" },
                schema: 1,
                payload: json!({}),
            };
            let stream = StreamId::new(category, &(n % 7).to_string());
            let commit = Commit {
                at: world.now(),
                writes: vec![StreamWrite { stream, expected: Expected::Any, events: vec![event] }],
                ..Commit::default()
            };
            journal.append(commit).await.unwrap();
        }
        journal
    }

    fn selections() -> [LogSelection; 5] {
        [
            LogSelection::default(),
            LogSelection { category: Some("delivery".to_owned()), ..LogSelection::default() },
            LogSelection { prefix: "mail-1".to_owned(), ..LogSelection::default() },
            LogSelection { kinds: vec!["mail.held".to_owned()], ..LogSelection::default() },
            LogSelection { stream: Some(StreamId::new("mail", "1")), ..LogSelection::default() },
        ]
    }

    #[tokio::test]
    async fn page_by_page_is_the_same_as_all_at_once_in_both_directions() {
        let journal = journal(1_234).await;
        let all = journal.read_log(0, usize::MAX).await.unwrap();
        for selection in selections() {
            let mut expected: Vec<u64> =
                all.iter().filter(|event| selection.has(event)).map(|event| event.position).collect();
            for limit in [1, 7, 500, 5_000] {
                let (mut found, mut position) = (Vec::new(), Some(0));
                while let Some(after) = position {
                    let page = onward(&journal, &selection, after, limit).await.unwrap();
                    assert!(page.events.len() <= limit);
                    found.extend(page.events.iter().map(|event| event.position));
                    position = page.next;
                }
                assert_eq!(found, expected, "onward by {limit}, {selection:?}");
            }
            expected.reverse();
            for limit in [1, 7, 500, 5_000] {
                let (mut found, mut position) = (Vec::new(), Some(u64::MAX));
                while let Some(before) = position {
                    let page = back(&journal, &selection, before, limit).await.unwrap();
                    assert!(page.events.len() <= limit);
                    found.extend(page.events.iter().map(|event| event.position));
                    position = page.next;
                }
                assert_eq!(found, expected, "back by {limit}, {selection:?}");
            }
        }
    }

    #[tokio::test]
    async fn whoever_looks_for_what_is_rare_gets_a_short_page_and_goes_on() {
        let journal = journal(11_000).await;
        let nothing = LogSelection { kinds: vec!["lease.granted".to_owned()], ..LogSelection::default() };
        let page = onward(&journal, &nothing, 0, 10).await.unwrap();
        assert_eq!((page.events.len(), page.next), (0, Some(10_000)));
        let page = back(&journal, &nothing, u64::MAX, 10).await.unwrap();
        assert_eq!((page.events.len(), page.next), (0, Some(1_001)));
        assert_eq!(back(&journal, &nothing, 1_001, 10).await.unwrap().next, None);
    }
}
