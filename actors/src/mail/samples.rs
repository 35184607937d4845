//! Values that the tests of this room share.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::policy::{Ordering, Policy, RetryPolicy, Schedule, Target, Window};
use super::rules::Rule;
use super::windows::parse_time_hhmm;
use crate::config::documents::routing::RoutingRules;
use crate::config::policy::EnvDefaults;

/// An instant.
pub(super) fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

/// A window as the operator writes it.
pub(super) fn window(start: &str, end: &str) -> Window {
    Window {
        start: parse_time_hhmm(start),
        end: parse_time_hhmm(end),
        start_text: start.to_owned(),
        end_text: end.to_owned(),
    }
}

/// Stored rules, compiled as the program compiles them; the usable ones.
pub(super) fn rules(stored: &Value) -> Vec<Rule> {
    RoutingRules::parse(&json!({ "rules": stored }), &EnvDefaults::default()).expect("a list of rules").rules
}

/// The policy of the recorded pipelines, and the one that other rooms' tests vary: everyone is accepted, no
/// window, no rules.
pub(crate) fn policy() -> Policy {
    Policy {
        version: 1,
        configuration: Default::default(),
        zone: chrono_tz::Europe::Paris,
        allowed_senders: Vec::new(),
        schedule: Schedule {
            enabled: true,
            active_days: (0..7).collect(),
            start_hour: 0,
            end_hour: 23,
            vacation: None,
            interval: Duration::from_secs(30),
            inactive_interval: Duration::from_secs(600),
        },
        withheld: Default::default(),
        sending_enabled: true,
        absence_days: Vec::new(),
        window: None,
        max_email_bytes: None,
        allow_without_links: false,
        disable_email_id_dedup: false,
        offload: false,
        default_target: Target {
            id: "default".to_owned(),
            url: "https://hook.example.com/recv".to_owned(),
            ordering: Ordering::None,
            share: crate::mail::policy::Share::All,
        },
        detectors: super::detectors::defaults(),
        providers: super::providers::defaults(),
        rules: Vec::new(),
        rate_limit_per_hour: 0,
        delivery_mode: crate::mail::policy::DeliveryMode::Json,
        retry: RetryPolicy { retries: None, base: Duration::from_secs(2) },
        webhook_timeout: Duration::from_secs(30),
        ssl_verify: true,
        retention: Duration::from_secs(7 * 86_400),
        prefs: crate::mail::policy::Preferences::default(),
    }
}
