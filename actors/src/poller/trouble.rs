//! Mails that could not be taken in. They never stop the others: each is tried again on
//! its own, after the rest, at growing intervals and for ever.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::kernel::backoff::Backoff;

/// Pauses before a mail that failed is tried again. They grow fourfold with each failure, so that
/// a mail which makes the admission panic cannot cause a restart storm.
const RETRIES: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(600)).times(4);
/// From this many failures on, a mail is shown to the operator.
const SHOWN_FROM: u32 = 3;

/// One such mail.
#[derive(Debug, Clone)]
struct TroubleMail {
    failures: u32,
    retry_at: Instant,
    why: String,
}

/// All of them, by name.
#[derive(Debug, Default)]
pub(super) struct Troubles(BTreeMap<String, TroubleMail>);

impl Troubles {
    /// The connection broke while this mail, among others, was asked for. The first time,
    /// it is tried again at once: most of the suspects are innocent.
    pub(super) fn suspected(&mut self, item: &str, why: &str, now: Instant) {
        if self.0.contains_key(item) {
            return self.failed(item, why, now);
        }
        self.0.insert(item.to_owned(), TroubleMail { failures: 1, retry_at: now, why: why.to_owned() });
    }

    /// Notes a failure.
    pub(super) fn failed(&mut self, item: &str, why: &str, now: Instant) {
        let failures = self.0.get(item).map_or(0, |trouble| trouble.failures).saturating_add(1);
        let pause = RETRIES.exact(failures);
        self.0.insert(item.to_owned(), TroubleMail { failures, retry_at: now + pause, why: why.to_owned() });
        if failures < SHOWN_FROM {
            tracing::warn!(item, why, failures, "a mail could not be taken in, trying again");
        } else {
            tracing::error!(item, why, failures, "a mail cannot be taken in, still trying");
        }
    }

    /// The mail is taken in, or gone.
    pub(super) fn cleared(&mut self, item: &str) {
        self.0.remove(item);
    }

    /// When the mail may be tried again; `None` = it is not in trouble.
    pub(super) fn retry_at(&self, item: &str) -> Option<Instant> {
        self.0.get(item).map(|trouble| trouble.retry_at)
    }

    /// When the first of them may be tried again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().map(|trouble| trouble.retry_at).min()
    }

    /// Forgets those that are not in `items` any more.
    pub(super) fn retain(&mut self, mut still_there: impl FnMut(&str) -> bool) {
        self.0.retain(|item, _| still_there(item));
    }

    /// What to tell the operator, if anything.
    pub(super) fn shown(&self) -> Option<String> {
        let stuck = || self.0.iter().filter(|(_, trouble)| trouble.failures >= SHOWN_FROM);
        let (item, first) = stuck().next()?;
        Some(format!(
            "{} mail(s) cannot be taken in and are tried again; the first is {item}: {}",
            stuck().count(),
            first.why
        ))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
