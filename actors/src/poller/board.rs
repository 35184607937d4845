//! What the poller's tasks know of the mailbox, for status and metrics.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use super::source::MailboxItem;
use super::status::PollerStatus;

/// The mailbox counts as silent no earlier than this.
const SILENT_AFTER: Duration = Duration::from_secs(300);

/// What the poller is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum PollerPhase {
    /// No lease.
    #[default]
    Standby,
    /// The schedule says no.
    Inactive,
    /// On the way to an open mailbox.
    Connecting,
    /// Waiting for news.
    Watching,
    /// Loading mails.
    Fetching,
    /// Backing off after a failure.
    Waiting,
}

impl PollerPhase {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Standby => "standby",
            Self::Inactive => "inactive",
            Self::Connecting => "connecting",
            Self::Watching => "watching",
            Self::Fetching => "fetching",
            Self::Waiting => "waiting",
        }
    }

    /// Whether the mailbox ought to be heard from.
    const fn is_active(self) -> bool {
        !matches!(self, Self::Standby | Self::Inactive)
    }
}

/// A place in the mailbox: UID first, so that the oldest come first.
type PlaceKey = (u64, String);

#[derive(Debug, Default)]
struct BoardInner {
    phase: PollerPhase,
    reason: Option<String>,
    /// What is wrong with single mails.
    trouble: Option<String>,
    last_heard: Option<DateTime<Utc>>,
    active_since: Option<DateTime<Utc>>,
    failures: u32,
    /// Listed and not yet in the journal.
    waiting: BTreeMap<PlaceKey, MailboxItem>,
    uid_next: u64,
    cursor: u64,
}

/// Shared between the actor and its tasks. Locks are held for map operations only.
#[derive(Debug, Default)]
pub(super) struct PollerBoard(Mutex<BoardInner>, Notify);

impl PollerBoard {
    fn lock(&self) -> MutexGuard<'_, BoardInner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The poller now does this.
    pub(super) fn phase(&self, phase: PollerPhase, reason: Option<String>, now: DateTime<Utc>) {
        let mut inner = self.lock();
        if phase.is_active() && !inner.phase.is_active() {
            inner.active_since = Some(now);
        }
        if phase == PollerPhase::Standby {
            // Whoever holds the lease now knows better.
            inner.waiting.clear();
        }
        let differs = inner.phase != phase;
        inner.phase = phase;
        inner.reason = reason;
        drop(inner);
        if differs {
            self.1.notify_one();
        }
    }

    /// Returns when the gauges would say something else than at the last look.
    pub(super) async fn changed(&self) {
        self.1.notified().await;
    }

    /// The server has spoken.
    pub(super) fn heard(&self, now: DateTime<Utc>) {
        self.lock().last_heard = Some(now);
    }

    /// Failures in a row.
    pub(super) fn failures(&self, failures: u32) {
        self.lock().failures = failures;
    }

    /// What is wrong with single mails.
    pub(super) fn trouble(&self, trouble: Option<String>) {
        self.lock().trouble = trouble;
    }

    /// The mailbox was opened: what waited before is listed anew.
    pub(super) fn opened(&self, uid_next: u64, cursor: u64) {
        let mut inner = self.lock();
        inner.uid_next = uid_next;
        inner.cursor = cursor;
        inner.waiting.clear();
        drop(inner);
        self.1.notify_one();
    }

    /// These mails are not in the journal; adds them, or what is newly known of them.
    pub(super) fn wait_for(&self, mails: &[MailboxItem]) {
        let mut inner = self.lock();
        for mail in mails {
            inner.uid_next = inner.uid_next.max(mail.uid.saturating_add(1));
            let known = inner.waiting.entry((mail.uid, mail.item.clone())).or_insert_with(|| mail.clone());
            known.detail = mail.detail.or(known.detail);
        }
    }

    /// This mail waits no longer: it is in the journal, gone, or not ours.
    pub(super) fn done(&self, uid: u64, item: &str, admitted: bool) {
        let mut inner = self.lock();
        inner.waiting.remove(&(uid, item.to_owned()));
        if admitted {
            inner.cursor = inner.cursor.max(uid);
        }
    }

    /// Everything that waits, oldest first.
    pub(super) fn waiting(&self) -> Vec<MailboxItem> {
        self.lock().waiting.values().cloned().collect()
    }

    /// Whether this mail waits.
    pub(super) fn waits(&self, item: &str) -> bool {
        self.lock().waiting.values().any(|mail| mail.item == item)
    }

    /// How the poller is. `interval` is the pause between looks that the policy wants.
    pub(super) fn status(&self, mailbox: &str, interval: Duration, now: DateTime<Utc>) -> PollerStatus {
        let inner = self.lock();
        PollerStatus {
            mailbox: mailbox.to_owned(),
            phase: inner.phase.as_str().to_owned(),
            reason: inner.reason.clone().or_else(|| inner.trouble.clone()),
            last_heard: inner.last_heard,
            lag_mails: u64::try_from(inner.waiting.len()).unwrap_or(u64::MAX),
            oldest_waiting: inner.waiting.values().filter_map(|mail| mail.detail?.arrived_at).min(),
            silent: inner.is_silent(interval, now),
            failures: inner.failures,
        }
    }

    /// Exports what [`PollerBoard::status`] says, and the UIDs.
    ///
    /// Gauges: `render_signal_mailbox_waiting_mails`,
    /// `render_signal_mailbox_oldest_waiting_seconds` (age, 0 = none waits),
    /// `render_signal_mailbox_last_heard_timestamp_seconds` (Unix time, 0 = never),
    /// `render_signal_mailbox_silent` (0 or 1), `render_signal_mailbox_active` (0 or 1),
    /// `render_signal_mailbox_consecutive_failures`, `render_signal_mailbox_uid_next`,
    /// `render_signal_mailbox_cursor` (highest UID in the journal); the last two once the mailbox
    /// was opened.
    pub(super) fn export(&self, mailbox: &str, interval: Duration, now: DateTime<Utc>) {
        let status = self.status(mailbox, interval, now);
        let (uid_next, cursor, active) = {
            let inner = self.lock();
            (inner.uid_next, inner.cursor, inner.phase.is_active())
        };
        let age = status.oldest_waiting.map_or(0, |at| (now - at).num_seconds().max(0));
        let heard = status.last_heard.map_or(0, |at| at.timestamp());
        let gauge = |name: &'static str, value: f64| {
            metrics::gauge!(name, "mailbox" => mailbox.to_owned()).set(value);
        };
        gauge("render_signal_mailbox_waiting_mails", as_gauge(status.lag_mails));
        gauge("render_signal_mailbox_oldest_waiting_seconds", as_gauge(age.unsigned_abs()));
        gauge("render_signal_mailbox_last_heard_timestamp_seconds", as_gauge(heard.unsigned_abs()));
        gauge("render_signal_mailbox_silent", f64::from(u8::from(status.silent)));
        gauge("render_signal_mailbox_active", f64::from(u8::from(active)));
        gauge("render_signal_mailbox_consecutive_failures", f64::from(status.failures));
        // 0 = the mailbox was not opened yet: no UID is known, and 0 would look like a lost cursor.
        if uid_next > 0 {
            gauge("render_signal_mailbox_uid_next", as_gauge(uid_next));
            gauge("render_signal_mailbox_cursor", as_gauge(cursor));
        }
    }
}

impl BoardInner {
    /// Not heard for longer than three looks should take.
    fn is_silent(&self, interval: Duration, now: DateTime<Utc>) -> bool {
        if !self.phase.is_active() {
            return false;
        }
        let Some(since) = self.last_heard.max(self.active_since) else {
            return false;
        };
        let limit = interval.saturating_mul(3).max(SILENT_AFTER);
        (now - since).to_std().is_ok_and(|quiet| quiet > limit)
    }
}

/// Gauges are floating-point; UIDs, counts and seconds fit without loss.
fn as_gauge(value: u64) -> f64 {
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "far below 2^53")]
    let value = value as f64;
    value
}
