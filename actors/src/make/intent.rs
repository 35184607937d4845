//! What the settings want of the scenarios. Pure.

use chrono::{DateTime, Utc};

use crate::mail::policy::Policy;
use crate::mail::windows::{Polling, polling};

/// What the settings want, and which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intent {
    /// The scenarios are to run.
    pub running: bool,
    /// The setting that says so: `active`, `disabled` (polling is switched off), `vacation`,
    /// `sending_disabled`.
    pub why: &'static str,
}

/// What `policy` wants of the scenarios at `now`; `None` = a document that cannot be used leaves
/// it open. Hours and days of polling are no reason: scenarios do not stop every evening.
#[must_use]
pub fn intent(policy: &Policy, now: DateTime<Utc>) -> Option<Intent> {
    if policy.withheld.why().is_some() {
        return None;
    }
    let (running, why) = match polling(&policy.schedule, policy.zone, now) {
        Polling::Inactive(why @ ("disabled" | "vacation")) => (false, why),
        _ if !policy.sending_enabled => (false, "sending_disabled"),
        _ => (true, "active"),
    };
    Some(Intent { running, why })
}
