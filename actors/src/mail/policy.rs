//! What the operator wants, as the pure code needs it.
//!
//! A [`Policy`] is made by the configuration room from the documents and the
//! environment, and is immutable: a change of configuration makes a new one with a
//! higher `version`. Every decision names the version it was taken under.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{NaiveDate, NaiveTime, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::authentication::SenderAuthentication;
use super::detectors::Detector;
use super::filters::Filters;
use super::groups::GroupRule;
use super::providers::Providers;
use super::replies::ReplyPrefixes;
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

/// What the operator prefers about single mails; the default is "nothing special".
#[derive(Debug, Clone, Default)]
pub struct Preferences {
    /// Mails that are not wanted.
    pub filters: Filters,
    /// Whether a sender has to be authenticated.
    pub authentication: SenderAuthentication,
    /// What makes a mail a reply.
    pub replies: ReplyPrefixes,
    /// Which automatic answers are not wanted.
    pub automatic: AutomaticRule,
    /// Lower-cased address → priority; a sender that is not named is [`Priority::Medium`].
    pub sender_priority: BTreeMap<String, Priority>,
    /// One mail per subject group; `None` = subject groups decide nothing.
    pub subject_groups: Option<GroupRule>,
    /// What webhooks say about the delivery window where it has no bound of its own.
    pub announced: Announced,
    /// `notify_on_failure`: a dead letter is told to [`Self::notify_url`].
    pub notify_on_failure: bool,
    /// `NOTIFY_WEBHOOK_URL`; empty = not set. A capability: masked wherever it is shown.
    pub notify_url: String,
    /// `gmail_ingress_enabled` is off: mails that are handed over by HTTP are not taken.
    pub pushed_refused: bool,
}

/// Whether automatic answers trigger. By default none does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AutomaticRule {
    /// They are treated as any other mail.
    pub accepted: bool,
    /// Senders of which they are, lower-cased.
    pub accepted_from: Vec<String>,
}

impl AutomaticRule {
    /// Whether an automatic answer of `sender` is accepted.
    #[must_use]
    pub fn accepts(&self, sender: &str) -> bool {
        self.accepted || self.accepted_from.iter().any(|accepted| accepted == sender)
    }
}

impl Preferences {
    /// How urgent the mails of a sender are.
    #[must_use]
    pub fn priority_of(&self, sender: &str) -> Priority {
        self.sender_priority.get(sender).copied().unwrap_or_default()
    }

    /// What the operator wants and cannot have, in plain words with what to do.
    #[must_use]
    pub fn remarks(&self) -> Vec<Said> {
        let unheard = self.notify_on_failure && self.notify_url.is_empty();
        unheard
            .then(|| {
                said!(
                    "notify_on_failure est activé, mais personne n'apprend les envois abandonnés\u{a0}: \
                     NOTIFY_WEBHOOK_URL n'est pas défini",
                    "notify_on_failure is on, but nobody is told of dead letters: NOTIFY_WEBHOOK_URL is not set"
                )
            })
            .into_iter()
            .collect()
    }

    /// Where dead letters are told; `None` = nowhere.
    #[must_use]
    pub fn notify(&self) -> Option<&str> {
        Some(self.notify_url.as_str()).filter(|url| self.notify_on_failure && !url.is_empty())
    }
}

/// How urgent the mails of a sender are: who of those that wait for the same target goes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// After all others.
    Low,
    /// The rule.
    #[default]
    Medium,
    /// Before all others.
    High,
}

impl Priority {
    /// Every priority, the least urgent first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// The name as stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// Whether it is the rule; for serde.
    #[must_use]
    pub fn is_medium(&self) -> bool {
        *self == Self::Medium
    }
}

/// A mail larger than this many bytes is never loaded, whatever is configured: it would not fit
/// into the memory of a small container.
pub const LARGEST: u64 = 200 * 1024 * 1024;

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

/// Where webhooks go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `default`, or `rule-…`: the id of the rule.
    pub id: String,
    /// Address. A capability: masked wherever it is shown.
    pub url: String,
    /// Whether deliveries keep their order.
    pub ordering: Ordering,
    /// How much of a mail's text it is given.
    pub share: Share,
}

/// Whether a target wants its deliveries in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ordering {
    /// As fast as possible.
    #[default]
    None,
    /// One at a time per sender.
    Sender,
    /// One at a time per mailbox.
    Mailbox,
}

/// How much of a mail's text a target is given: `webhook_body` of `webhook_config`, `body` of a
/// rule's actions. What the other fields say, such as subject, sender and links, is always sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// Plain text and HTML, as the reference system sends it.
    #[default]
    All,
    /// The plain text; where a mail has none, what its HTML shows.
    Text,
    /// Nothing: `email_content` and `bodyPreview` are empty.
    None,
}

impl Share {
    /// The share of this name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.trim().to_lowercase().as_str() {
            "all" => Some(Self::All),
            "text" => Some(Self::Text),
            "none" => Some(Self::None),
            _ => None,
        }
    }

    /// Whether it is everything; for serde.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::All
    }
}

/// `webhook_delivery_mode`: what the body of a webhook is called. The bytes are the same JSON
/// text either way, as in the reference system (its section 10.3): `form` is for receivers
/// behind something that lets nothing pass that calls itself JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryMode {
    /// `application/json`.
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

impl DeliveryMode {
    /// The mode of this name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.trim().to_lowercase().as_str() {
            "json" => Some(Self::Json),
            "form" => Some(Self::Form),
            _ => None,
        }
    }

    /// The media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }

    /// Whether it is the rule; for serde.
    #[must_use]
    pub fn is_json(&self) -> bool {
        *self == Self::Json
    }
}

/// How a failed delivery is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Repetitions after the first attempt. `None` = the built-in schedule: back-off up to
    /// an hour, for three days.
    pub retries: Option<u32>,
    /// Base of the exponential back-off.
    pub base: Duration,
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
