//! Documents + environment = the [`Policy`] in force. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use chrono_tz::Tz;
use ipnet::IpNet;

use super::DEFAULT_TARGET;
use super::documents::DocumentSet;
use super::documents::prefs::ProcessingPrefs;
use crate::mail::detect;
use crate::mail::detectors::{self, Detector};
use crate::mail::filters::{Filters, Keywords};
use crate::mail::groups::GroupRule;
use crate::mail::policy::{
    Announced, AutomaticRule, Configuration, DeliveryMode, Policy, Preferences, RetryPolicy, Schedule,
    Target, Window, Withheld,
};
use crate::mail::providers;
use crate::mail::replies::ReplyPrefixes;
use crate::mail::rules::mask_url;
use crate::mail::windows::parse_time_hhmm;

/// What the environment says where the documents say nothing (reference section 1).
#[derive(Clone, PartialEq, Eq)]
pub struct EnvDefaults {
    /// `POLLING_TIMEZONE`.
    pub zone: Tz,
    /// `SENDER_OF_INTEREST_FOR_POLLING`, lower-cased.
    pub senders: Vec<String>,
    /// `POLLING_ACTIVE_DAYS`; 0 = Monday.
    pub active_days: Vec<u8>,
    /// `POLLING_ACTIVE_START_HOUR`, 0–23.
    pub active_start_hour: u8,
    /// `POLLING_ACTIVE_END_HOUR`, 0–24.
    pub active_end_hour: u8,
    /// `EMAIL_POLLING_INTERVAL_SECONDS`.
    pub interval: Duration,
    /// `POLLING_INACTIVE_CHECK_INTERVAL_SECONDS`.
    pub inactive_interval: Duration,
    /// `ENABLE_BACKGROUND_TASKS` and not `DISABLE_BACKGROUND_TASKS`: this worker may poll.
    pub background_tasks: bool,
    /// `DISABLE_EMAIL_ID_DEDUP`.
    pub disable_email_id_dedup: bool,
    /// `ALLOW_CUSTOM_WEBHOOK_WITHOUT_LINKS`.
    pub allow_without_links: bool,
    /// `ENABLE_SUBJECT_GROUP_DEDUP`.
    pub subject_group_dedup: bool,
    /// `SUBJECT_GROUP_TTL_SECONDS`; `None` = a group stays taken until its month ends.
    pub subject_group_ttl: Option<Duration>,
    /// `NOTIFY_WEBHOOK_URL`; empty = not set. A capability: masked in `Debug`.
    pub notify_url: String,
    /// `WEBHOOK_DELIVERY_MODE`.
    pub delivery_mode: DeliveryMode,
    /// `WEBHOOK_SSL_VERIFY`.
    pub ssl_verify: bool,
    /// `WEBHOOK_SENDING_ENABLED`.
    pub sending_enabled: bool,
    /// `WEBHOOKS_TIME_START` as written; empty = not set.
    pub time_start: String,
    /// `WEBHOOKS_TIME_END` as written; empty = not set.
    pub time_end: String,
    /// `webhook_time_window.json` of `CONFIG_DIR`: what webhooks say about the window where it
    /// has no bound of its own.
    pub announced: Announced,
    /// `WEBHOOK_URL`. A capability: masked in `Debug`.
    pub webhook_url: String,
    /// Linked files are copied into R2: by a Worker that is enabled and has an address and a
    /// token, or directly.
    pub offload: bool,
    /// `MAIL_RETENTION_DAYS`.
    pub retention: Duration,
    /// `MAX_EMAIL_SIZE_MB` in bytes: larger mails are recorded, not loaded.
    pub max_email_bytes: u64,
    /// `EGRESS_ALLOW_CIDRS`: private or loopback networks that targets may lie in.
    pub egress_allow: Vec<IpNet>,
}

impl Default for EnvDefaults {
    /// An empty environment, without a target.
    fn default() -> Self {
        Self {
            zone: chrono_tz::Europe::Paris,
            senders: Vec::new(),
            active_days: vec![0, 1, 2, 3, 4],
            active_start_hour: 9,
            active_end_hour: 23,
            interval: Duration::from_secs(30),
            inactive_interval: Duration::from_secs(600),
            background_tasks: true,
            disable_email_id_dedup: false,
            allow_without_links: false,
            subject_group_dedup: false,
            subject_group_ttl: None,
            notify_url: String::new(),
            delivery_mode: DeliveryMode::Json,
            ssl_verify: true,
            sending_enabled: true,
            time_start: String::new(),
            time_end: String::new(),
            announced: Announced::default(),
            webhook_url: String::new(),
            offload: false,
            retention: Duration::from_secs(7 * 86_400),
            max_email_bytes: 25 * MIB,
            egress_allow: Vec::new(),
        }
    }
}

impl fmt::Debug for EnvDefaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvDefaults")
            .field("zone", &self.zone)
            .field("senders", &self.senders.len())
            .field("active_days", &self.active_days)
            .field("active_hours", &(self.active_start_hour, self.active_end_hour))
            .field("interval", &self.interval)
            .field("inactive_interval", &self.inactive_interval)
            .field("background_tasks", &self.background_tasks)
            .field("disable_email_id_dedup", &self.disable_email_id_dedup)
            .field("allow_without_links", &self.allow_without_links)
            .field("subject_groups", &(self.subject_group_dedup, self.subject_group_ttl))
            .field("notify_url", &mask_url(&self.notify_url))
            .field("delivery_mode", &self.delivery_mode)
            .field("ssl_verify", &self.ssl_verify)
            .field("sending_enabled", &self.sending_enabled)
            .field("window", &(&self.time_start, &self.time_end))
            .field("announced", &self.announced)
            .field("webhook_url", &mask_url(&self.webhook_url))
            .field("offload", &self.offload)
            .field("retention", &self.retention)
            .field("max_email_bytes", &self.max_email_bytes)
            .field("egress_allow", &self.egress_allow)
            .finish()
    }
}

/// Bytes of a mebibyte.
const MIB: u64 = 1024 * 1024;

/// What follows from the documents in force and the environment. What stands still because of
/// a document that is not in force is added by [`super::active::ActiveDocuments::policy`].
#[must_use]
pub fn build(documents: &DocumentSet, env: &EnvDefaults, version: u64) -> Policy {
    let absent = ProcessingPrefs::default();
    let prefs = documents.prefs.as_ref().unwrap_or(&absent);
    let webhook = documents.webhook.clone().unwrap_or_default();
    let flags = documents.flags.clone().unwrap_or_default();
    let polling = documents.polling.clone().unwrap_or_default();
    let detectors =
        documents.detectors.as_ref().map_or_else(detectors::defaults, |document| document.detectors.clone());
    let filters = filters(prefs, &detectors);
    Policy {
        version,
        configuration: Configuration::default(),
        zone: env.zone,
        allowed_senders: if polling.senders.is_empty() {
            env.senders.clone()
        } else {
            polling.senders.clone()
        },
        schedule: schedule(&polling, env),
        sending_enabled: webhook.sending_enabled.unwrap_or(env.sending_enabled),
        absence_days: if webhook.absence_enabled { webhook.absence_days.clone() } else { Vec::new() },
        window: window(webhook.window_texts(env)),
        max_email_bytes: Some(
            prefs.max_email_size_mb.map_or(env.max_email_bytes, |mib| u64::from(mib) * MIB),
        ),
        allow_without_links: flags.allow_custom_webhook_without_links.unwrap_or(env.allow_without_links),
        disable_email_id_dedup: flags.disable_email_id_dedup.unwrap_or(env.disable_email_id_dedup),
        offload: env.offload,
        default_target: Target {
            id: DEFAULT_TARGET.to_owned(),
            url: webhook.webhook_url.unwrap_or_else(|| env.webhook_url.clone()),
            ordering: webhook.ordering,
            share: webhook.share,
        },
        detectors,
        providers: documents.providers.clone().unwrap_or_else(providers::defaults),
        rules: documents.routing.as_ref().map(|routing| routing.rules.clone()).unwrap_or_default(),
        rate_limit_per_hour: prefs.rate_limit_per_hour,
        delivery_mode: webhook.delivery_mode.unwrap_or(env.delivery_mode),
        retry: retry(prefs),
        webhook_timeout: Duration::from_secs(u64::from(prefs.webhook_timeout_sec)),
        ssl_verify: webhook.ssl_verify.unwrap_or(env.ssl_verify),
        retention: env.retention,
        prefs: Preferences {
            filters,
            authentication: prefs.authentication.clone(),
            replies: ReplyPrefixes::with(prefs.reply_prefixes.as_deref(), prefs.subject_marks.as_deref()),
            automatic: AutomaticRule {
                accepted: !prefs.ignore_automatic,
                accepted_from: prefs.ignore_automatic_except.clone(),
            },
            sender_priority: prefs.sender_priority.clone(),
            subject_groups: polling
                .enable_subject_group_dedup
                .unwrap_or(env.subject_group_dedup)
                .then_some(GroupRule { ttl: env.subject_group_ttl }),
            announced: webhook.announced.unwrap_or_else(|| env.announced.clone()),
            notify_on_failure: prefs.notify_on_failure,
            notify_url: env.notify_url.clone(),
            pushed_refused: flags.gmail_ingress_enabled == Some(false),
        },
        withheld: Withheld::default(),
    }
}

/// The preferences have keywords for the kinds of the reference system; each detector may
/// have its own.
fn filters(prefs: &ProcessingPrefs, detectors: &[Detector]) -> Filters {
    let of_reference = [
        (detect::RECADRAGE, &prefs.exclude_keywords_recadrage),
        (detect::DESABO, &prefs.exclude_keywords_autorepondeur),
    ];
    let of_detectors = detectors.iter().map(|detector| (detector.value.as_str(), &detector.exclude_keywords));
    let mut by_detector: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, words) in of_reference.into_iter().chain(of_detectors) {
        by_detector.entry(name.to_owned()).or_default().extend_from_slice(words);
    }
    Filters {
        everywhere: Keywords::new(&prefs.exclude_keywords),
        by_detector: by_detector.into_iter().map(|(name, words)| (name, Keywords::new(&words))).collect(),
        require_attachments: prefs.require_attachments,
    }
}

fn schedule(polling: &super::documents::polling::PollingConfig, env: &EnvDefaults) -> Schedule {
    Schedule {
        enabled: env.background_tasks && polling.enable_polling.unwrap_or(true),
        active_days: if polling.active_days.is_empty() {
            env.active_days.clone()
        } else {
            polling.active_days.clone()
        },
        start_hour: polling.active_start_hour.unwrap_or(env.active_start_hour),
        end_hour: polling.active_end_hour.unwrap_or(env.active_end_hour),
        vacation: polling.vacation,
        interval: env.interval,
        inactive_interval: env.inactive_interval,
    }
}

/// The reference gives up at once where nothing is configured; mails would be lost. So an
/// explicit count is obeyed, and no count means the built-in, durable schedule.
fn retry(prefs: &ProcessingPrefs) -> RetryPolicy {
    let base = Duration::from_secs(u64::from(prefs.retry_delay_sec));
    match prefs.retry_count {
        // A back-off that starts at zero would never grow.
        0 => RetryPolicy { retries: None, base: base.max(Duration::from_secs(1)) },
        count => RetryPolicy { retries: Some(count), base },
    }
}

/// `None` when neither bound is set. Texts were checked where they were read.
fn window((start, end): (&str, &str)) -> Option<Window> {
    if start.is_empty() && end.is_empty() {
        return None;
    }
    Some(Window {
        start: parse_time_hhmm(start),
        end: parse_time_hhmm(end),
        start_text: start.to_owned(),
        end_text: end.to_owned(),
    })
}
