//! Schedules and windows.

use chrono::{DateTime, Utc};

use super::policy::Schedule;

/// Whether the poller may look now; otherwise when to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polling {
    /// Look.
    Active,
    /// Do not; why, in a word (`disabled`, `vacation`, `outside_hours`).
    Inactive(&'static str),
}

/// Whether `schedule` allows a look at `now`.
#[must_use]
pub fn polling(schedule: &Schedule, zone: chrono_tz::Tz, now: DateTime<Utc>) -> Polling {
    let _ = (schedule, zone, now);
    Polling::Active
}
