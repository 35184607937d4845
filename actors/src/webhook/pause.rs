//! Whether sending is switched off. Pure.

use chrono::{DateTime, Datelike as _, Utc};

use crate::mail::policy::Policy;

/// The switch is off, or it is a day of "Absence Globale" in the policy's zone: deliveries
/// that are due wait.
pub(super) fn paused(policy: &Policy, now: DateTime<Utc>) -> bool {
    let today = now.with_timezone(&policy.zone).weekday();
    !policy.sending_enabled || policy.absence_days.contains(&today)
}
