//! What the operator wants, as the pure code needs it.
//!
//! A [`Policy`] is made by the configuration room from the documents and the
//! environment, and is immutable: a change of configuration makes a new one with a
//! higher `version`. Every decision names the version it was taken under.

mod preferences;
mod target;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{NaiveDate, NaiveTime, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

pub use self::preferences::{AutomaticRule, LARGEST, Preferences, Priority};
pub use self::target::{DeliveryMode, Ordering, RetryPolicy, Share, Target};
use super::detectors::Detector;
use super::providers::Providers;
use super::rules::Rule;
use crate::kernel::said::{Said, said};

/// Everything a decision depends on besides the mail and the time.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Grows with every change within a process; 0 is never used.
    pub version: u64,
    /// The documents that it was made of.
    pub configuration: Configuration,
    /// Zone of windows, schedules, days and months.
    pub zone: Tz,
    /// Lower-cased addresses; empty = every sender is accepted.
    pub allowed_senders: Vec<String>,
    /// When the poller may look.
    pub schedule: Schedule,
    /// `webhook_sending_enabled`: false holds every mail.
    pub sending_enabled: bool,
    /// Days of "Absence Globale": mails are held. Empty when the pause is off.
    pub absence_days: Vec<Weekday>,
    /// When deliveries may go out; `None` = always.
    pub window: Option<Window>,
    /// Mails larger than this are recorded, not loaded. `None` = no limit.
    pub max_email_bytes: Option<u64>,
    /// Deliver mails without links, too.
    pub allow_without_links: bool,
    /// Skip the refusal of an e-mail id that was admitted before.
    pub disable_email_id_dedup: bool,
    /// Whether linked files are copied into R2, by the Worker or directly.
    pub offload: bool,
    /// The default target.
    pub default_target: Target,
    /// Detectors in order, without the unusable ones; the first that recognises a mail counts.
    pub detectors: Vec<Detector>,
    /// Whose links are deliveries.
    pub providers: Arc<Providers>,
    /// Routing rules in order, without the unusable ones.
    pub rules: Vec<Rule>,
    /// Deliveries per target and rolling hour; 0 = unlimited.
    pub rate_limit_per_hour: u32,
    /// What the bodies of webhooks are called.
    pub delivery_mode: DeliveryMode,
    /// How a failed delivery is repeated.
    pub retry: RetryPolicy,
    /// Time limit of one attempt.
    pub webhook_timeout: Duration,
    /// Certificates of targets are checked.
    pub ssl_verify: bool,
    /// How long bodies are kept for redelivery.
    pub retention: Duration,
    /// What the operator prefers about single mails.
    pub prefs: Preferences,
    /// What stands still because a document cannot be used.
    pub withheld: Withheld,
}

/// Stored documents that cannot be used and have no good version before them. Nobody knows what
/// their author wanted, so what they govern stands still: the environment's defaults would
/// accept every sender and send to everybody.
///
/// Each entry names document, field and fault, such as `webhook_config: webhook_time_start:
/// Invalid time format`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Withheld {
    /// Documents without which no mail is fetched.
    pub polling: Vec<Said>,
    /// Documents without which no webhook is sent.
    pub sending: Vec<Said>,
}

impl Withheld {
    /// Why no mail can be decided now; `None` = mails can be. Who is accepted stands in the
    /// documents that govern polling, so both kinds count.
    #[must_use]
    pub fn why(&self) -> Option<&Said> {
        self.sending.first().or(self.polling.first())
    }
}

impl Policy {
    /// Bytes of the largest mail that is loaded.
    #[must_use]
    pub fn email_limit(&self) -> u64 {
        self.max_email_bytes.unwrap_or(LARGEST).min(LARGEST)
    }

    /// What the operator wants and cannot have, or hardly can want, in plain words with what to do.
    #[must_use]
    pub fn remarks(&self) -> Vec<Said> {
        let Schedule { start_hour, end_hour, .. } = self.schedule;
        let never = (start_hour == end_hour).then(|| {
            said!(
                "les heures actives commencent et finissent à {start_hour}, ce qui veut dire jamais\u{a0}: aucun mail \
                 n'est relevé\u{a0}; pour la journée entière, mettez 0 et 24",
                "the active hours begin and end at {start_hour}, which means never: no mail is fetched; \
                 for the whole day let them be 0 and 24"
            )
        });
        self.prefs.remarks().into_iter().chain(never).collect()
    }

    /// Work of searching a text of this length for every expression of the rules and the
    /// detectors, in places × bytes (see [`super::pattern`]). An upper bound: most
    /// expressions are far cheaper, and most are never asked.
    #[must_use]
    pub fn search_work(&self, bytes: usize) -> usize {
        let of_rules = self.rules.iter().flat_map(Rule::patterns);
        let of_detectors = self.detectors.iter().flat_map(Detector::patterns);
        of_rules.chain(of_detectors).map(|pattern| pattern.work(bytes)).fold(0, usize::saturating_add)
    }
}

/// When the poller may look at the mailbox: on which days, in which hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// `enable_polling`.
    pub enabled: bool,
    /// 0 = Monday.
    pub active_days: Vec<u8>,
    /// First active hour, 0–23.
    pub start_hour: u8,
    /// First inactive hour, 0–24; equal to `start_hour` = never; smaller = over midnight.
    pub end_hour: u8,
    /// First and last day without polling, both inclusive.
    pub vacation: Option<(NaiveDate, NaiveDate)>,
    /// Pause between looks when the server cannot push.
    pub interval: Duration,
    /// Pause between checks of the schedule while inactive.
    pub inactive_interval: Duration,
}

/// The delivery window: the hours in which webhooks are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Inclusive; `None` = no lower bound is configured, so the window is always open.
    pub start: Option<NaiveTime>,
    /// Exclusive; smaller than `start` = over midnight.
    pub end: Option<NaiveTime>,
    /// The bounds as the operator wrote them; they go into the payload verbatim.
    pub start_text: String,
    /// See `start_text`.
    pub end_text: String,
}

/// Bounds that go into the payload only, and hold nothing back: the reference system's second
/// window (its sections 3.7 and 5.12).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Announced {
    /// As written; empty = not set.
    pub start: String,
    /// As written; empty = not set.
    pub end: String,
}

/// Digits of a hash in a [`Configuration`]: enough to tell every version of a document from all others.
const DIGITS: usize = 16;

/// The documents that were in force when something was decided: the key of each, and the first
/// 16 hexadecimal digits of the SHA-256 of its canonical JSON, by which the history of the
/// document knows the version. A document that is missing here was not there: the environment or
/// a built-in default decided.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Configuration(pub BTreeMap<String, String>);

impl Configuration {
    /// Adds a document by its whole hash.
    pub fn add(&mut self, key: &str, hash: &str) {
        self.0.insert(key.to_owned(), hash.chars().take(DIGITS).collect());
    }
}

/// The policy in force. Written by the configuration room only; an actor that is
/// (re)started reads it, and [`crate::messages::PolicyChanged`] tells it to look again.
pub type PolicyCell = std::sync::Arc<arc_swap::ArcSwap<Policy>>;
