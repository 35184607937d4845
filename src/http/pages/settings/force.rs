//! What is in force of a field, and where that comes from.

use chrono::Weekday;
use render_signal_actors::config::documents::prefs::ProcessingPrefs;
use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::mail::policy::Policy;
use render_signal_actors::mail::rules::mask_url;
use serde_json::{Map, Value, json};

pub(super) struct Force<'a> {
    pub(super) policy: &'a Policy,
    /// The preferences.
    pub(super) prefs: &'a ProcessingPrefs,
    /// What the environment says.
    pub(super) env: &'a EnvDefaults,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueSource {
    /// The document says so.
    Document,
    /// A variable of the environment says so.
    Variable(&'static str),
    /// Nobody says anything; the variable could.
    Default(&'static str),
    /// Nobody says anything.
    BuiltIn,
}

/// Whether a document says something in a field; nothing and empty leave the choice to others.
pub(super) fn says(document: &Map<String, Value>, name: &str) -> bool {
    document.get(name).is_some_and(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => true,
    })
}

impl Force<'_> {
    /// The value in force; null = none.
    pub(super) fn value(&self, name: &str) -> Value {
        let (policy, prefs) = (self.policy, self.prefs);
        let day = |of: fn((chrono::NaiveDate, chrono::NaiveDate)) -> chrono::NaiveDate| {
            policy.schedule.vacation.map(|vacation| of(vacation).to_string())
        };
        let window = policy.window.as_ref();
        match name {
            "enable_polling" => json!(policy.schedule.enabled),
            "active_days" => json!(policy.schedule.active_days),
            "active_start_hour" => json!(policy.schedule.start_hour),
            "active_end_hour" => json!(policy.schedule.end_hour),
            "vacation_start" => json!(day(|(first, _)| first)),
            "vacation_end" => json!(day(|(_, last)| last)),
            "enable_subject_group_dedup" => json!(policy.prefs.subject_groups.is_some()),
            "webhook_sending_enabled" => json!(policy.sending_enabled),
            "webhook_time_start" => json!(window.map(|window| window.start_text.clone())),
            "webhook_time_end" => json!(window.map(|window| window.end_text.clone())),
            "absence_pause_enabled" => json!(!policy.absence_days.is_empty()),
            "absence_pause_days" => policy.absence_days.iter().map(|day| json!(weekday(*day))).collect(),
            "webhook_url" => json!(mask_url(&policy.default_target.url)),
            "webhook_ssl_verify" => json!(policy.ssl_verify),
            "webhook_delivery_mode" => json!(policy.delivery_mode),
            "webhook_body" => json!(policy.default_target.share),
            "ordering" => json!(policy.default_target.ordering),
            "rate_limit_per_hour" => json!(policy.rate_limit_per_hour),
            "retry_count" => json!(policy.retry.retries.unwrap_or(0)),
            "retry_delay_sec" => json!(policy.retry.base.as_secs()),
            "webhook_timeout_sec" => json!(policy.webhook_timeout.as_secs()),
            "max_email_size_mb" => json!(policy.email_limit() / (1024 * 1024)),
            "notify_on_failure" => json!(policy.prefs.notify_on_failure),
            "require_attachments" => json!(prefs.require_attachments),
            "ignore_automatic" => json!(!policy.prefs.automatic.accepted),
            "ignore_automatic_except" => json!(policy.prefs.automatic.accepted_from),
            "sender_authentication" => json!(mode(policy)),
            "trusted_authserv_ids" => json!(policy.prefs.authentication.trusted),
            "reply_prefixes" => json!(prefs.reply_prefixes),
            "subject_marks" => json!(prefs.subject_marks),
            "disable_email_id_dedup" => json!(policy.disable_email_id_dedup),
            "allow_custom_webhook_without_links" => json!(policy.allow_without_links),
            "gmail_ingress_enabled" => json!(!policy.prefs.pushed_refused),
            _ => Value::Null,
        }
    }

    /// Where it comes from.
    pub(super) fn source(&self, document: &Map<String, Value>, name: &str) -> ValueSource {
        let (env, default) = (self.env, EnvDefaults::default());
        if says(document, name) {
            return ValueSource::Document;
        }
        let of = |variable: &'static str, is_default: bool| {
            if is_default { ValueSource::Default(variable) } else { ValueSource::Variable(variable) }
        };
        match name {
            "enable_polling" if !env.background_tasks => ValueSource::Variable("ENABLE_BACKGROUND_TASKS"),
            // Fields of before that still stand for others.
            "webhook_sending_enabled" if says(document, "webhook_enabled") => ValueSource::Document,
            "webhook_time_start" | "webhook_time_end" | "absence_pause_enabled" | "absence_pause_days"
                if says(document, "time_window") && !document.contains_key(name) =>
            {
                ValueSource::Document
            }
            "active_days" => of("POLLING_ACTIVE_DAYS", env.active_days == default.active_days),
            "active_start_hour" => {
                of("POLLING_ACTIVE_START_HOUR", env.active_start_hour == default.active_start_hour)
            }
            "active_end_hour" => {
                of("POLLING_ACTIVE_END_HOUR", env.active_end_hour == default.active_end_hour)
            }
            "enable_subject_group_dedup" => of("ENABLE_SUBJECT_GROUP_DEDUP", !env.subject_group_dedup),
            "webhook_sending_enabled" => of("WEBHOOK_SENDING_ENABLED", env.sending_enabled),
            "webhook_time_start" => of("WEBHOOKS_TIME_START", env.time_start.is_empty()),
            "webhook_time_end" => of("WEBHOOKS_TIME_END", env.time_end.is_empty()),
            "webhook_url" => ValueSource::Variable("WEBHOOK_URL"),
            "webhook_ssl_verify" => of("WEBHOOK_SSL_VERIFY", env.ssl_verify),
            "webhook_delivery_mode" => {
                of("WEBHOOK_DELIVERY_MODE", env.delivery_mode == default.delivery_mode)
            }
            "max_email_size_mb" => of("MAX_EMAIL_SIZE_MB", env.max_email_bytes == default.max_email_bytes),
            "disable_email_id_dedup" => of("DISABLE_EMAIL_ID_DEDUP", !env.disable_email_id_dedup),
            "allow_custom_webhook_without_links" => {
                of("ALLOW_CUSTOM_WEBHOOK_WITHOUT_LINKS", !env.allow_without_links)
            }
            _ => ValueSource::BuiltIn,
        }
    }
}

fn mode(policy: &Policy) -> &'static str {
    use render_signal_actors::mail::authentication::Mode;
    match policy.prefs.authentication.mode {
        Mode::Off => "off",
        Mode::Warn => "warn",
        Mode::Require => "require",
    }
}

/// A day as documents call it.
pub(super) const fn weekday(day: Weekday) -> &'static str {
    match day {
        Weekday::Mon => "monday",
        Weekday::Tue => "tuesday",
        Weekday::Wed => "wednesday",
        Weekday::Thu => "thursday",
        Weekday::Fri => "friday",
        Weekday::Sat => "saturday",
        Weekday::Sun => "sunday",
    }
}
