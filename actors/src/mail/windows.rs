//! Schedules and windows: when the poller may look and when webhooks may go out.

use chrono::{
    DateTime, Datelike as _, Days, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _, Timelike as _, Utc,
    Weekday,
};
use chrono_tz::Tz;

use super::policy::{Policy, Schedule, Window};
use super::{HoldReason, digits};

/// Whether the poller may look now; otherwise when to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polling {
    /// Look.
    Active,
    /// Do not; why, in a word (`disabled`, `vacation`, `outside_hours`).
    Inactive(&'static str),
}

/// Whether `schedule` allows a look at `now`. The weekday is that of `now`, so hours over midnight need
/// both days, as in the reference system (reference section 5.2).
#[must_use]
pub fn polling(schedule: &Schedule, zone: Tz, now: DateTime<Utc>) -> Polling {
    let local = now.with_timezone(&zone);
    if !schedule.enabled {
        return Polling::Inactive("disabled");
    }
    if schedule.vacation.is_some_and(|(first, last)| (first..=last).contains(&local.date_naive())) {
        return Polling::Inactive("vacation");
    }
    let day = u8::try_from(local.weekday().num_days_from_monday()).unwrap_or(u8::MAX);
    let hour = u8::try_from(local.hour()).unwrap_or(u8::MAX);
    let (start, end) = (schedule.start_hour, schedule.end_hour);
    // 24 = the end of the day: without it no schedule could cover every hour.
    let in_hours = start < 24 && end <= 24 && between(&hour, &start, &end);
    if in_hours && schedule.active_days.contains(&day) {
        Polling::Active
    } else {
        Polling::Inactive("outside_hours")
    }
}

/// The first instant from `now` on at which `schedule` allows a look; `None` = never.
#[must_use]
pub fn next_polling(schedule: &Schedule, zone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let active = |at: &DateTime<Utc>| polling(schedule, zone, *at) == Polling::Active;
    // Local hours begin on the quarter of an hour; a week and a day have every hour of every weekday, whatever clocks do.
    let quarters = move |from: DateTime<Utc>| {
        let first = from.timestamp().div_euclid(900) + 1;
        let later = (first..first + 8 * 96).filter_map(|quarter| DateTime::from_timestamp(quarter * 900, 0));
        [from].into_iter().chain(later)
    };
    let vacation_ends = || {
        let after = schedule.vacation?.1.checked_add_days(Days::new(1))?;
        first_instant(zone, after.and_time(NaiveTime::MIN)).filter(|end| *end > now)
    };
    quarters(now).find(active).or_else(|| vacation_ends().and_then(|end| quarters(end).find(active)))
}

/// Whether the poller may look now under this policy: not while a document that governs it
/// cannot be used, nor outside of the schedule.
#[must_use]
pub fn may_poll(policy: &Policy, now: DateTime<Utc>) -> Polling {
    if !policy.withheld.polling.is_empty() {
        return Polling::Inactive("configuration_refused");
    }
    polling(&policy.schedule, policy.zone, now)
}

/// Half-open and cyclic; equal bounds = never.
fn between<T: PartialOrd>(value: &T, start: &T, end: &T) -> bool {
    if start <= end { start <= value && value < end } else { start <= value || value < end }
}

/// Reads `HHhMM` or `HH:MM`, hour 0–23, minute 0–59: how documents write times (reference section 3.8).
#[must_use]
pub fn parse_time_hhmm(text: &str) -> Option<NaiveTime> {
    let text = digits::to_ascii(&text.trim().to_lowercase())?;
    let (hour, minute) = text.split_once([':', 'h'])?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !(1..=2).contains(&hour.len()) || minute.len() != 2 || !digits(hour) || !digits(minute) {
        return None;
    }
    NaiveTime::from_hms_opt(hour.parse().ok()?, minute.parse().ok()?, 0)
}

/// Whether the window is open. A missing bound is no constraint; equal bounds are never.
#[must_use]
pub fn within(window: &Window, zone: Tz, now: DateTime<Utc>) -> bool {
    match (window.start, window.end) {
        (Some(start), Some(end)) => between(&now.with_timezone(&zone).time(), &start, &end),
        _ => true,
    }
}

/// The first instant from `now` on at which the window is open; `None` = never.
///
/// A window opens when the local clock reaches its start, or when the clock is put forward
/// or back into it.
#[must_use]
pub fn next_opening(window: &Window, zone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if within(window, zone, now) {
        return Some(now);
    }
    let start = window.start?;
    let today = now.with_timezone(&zone).date_naive();
    let starts = (0..4).filter_map(|days| today.checked_add_days(Days::new(days))).flat_map(|day| {
        let local = zone.from_local_datetime(&day.and_time(start));
        [local.earliest(), local.latest()].into_iter().flatten().map(|at| at.to_utc())
    });
    starts.chain(clock_changes(zone, now)).filter(|at| *at >= now && within(window, zone, *at)).min()
}

/// A window that never opens is asked for again after this long.
const NEVER: TimeDelta = TimeDelta::hours(24);

/// Whether what goes only while the window is open may go at `now`.
#[must_use]
pub fn is_open(policy: &Policy, now: DateTime<Utc>) -> bool {
    policy.window.as_ref().is_none_or(|window| within(window, policy.zone, now))
}

/// When what goes only while the window is open may go, from `now` on; when that is never, the
/// time to ask again.
#[must_use]
pub fn opens(policy: &Policy, now: DateTime<Utc>) -> DateTime<Utc> {
    let Some(window) = &policy.window else { return now };
    next_opening(window, policy.zone, now).unwrap_or(now + NEVER)
}

/// Instants in the four days from `now` at which the local clock jumps.
fn clock_changes(zone: Tz, now: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
    let offset = move |at: DateTime<Utc>| at.with_timezone(&zone).naive_local() - at.naive_utc();
    let hour = now.timestamp().div_euclid(3600);
    let at = |seconds: i64| DateTime::from_timestamp(seconds, 0);
    (hour..hour + 96).filter_map(move |hour| {
        let (mut before, mut after) = (hour * 3600, (hour + 1) * 3600);
        let old = offset(at(before)?);
        if offset(at(after)?) == old {
            return None;
        }
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            if offset(at(middle)?) == old {
                before = middle;
            } else {
                after = middle;
            }
        }
        at(after)
    })
}

/// Why nothing may be sent at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// [`HoldReason::ConfigurationRefused`], [`HoldReason::SendingDisabled`] or
    /// [`HoldReason::Absence`].
    pub reason: HoldReason,
    /// When it ends by itself, if it does.
    pub until: Option<DateTime<Utc>>,
}

/// Whether mails may be sent on at `now`: the documents that govern sending, the switch, and
/// the days of absence, which are days in the zone of the policy.
///
/// # Errors
/// [`Closed`] when they may not.
pub fn sending(policy: &Policy, now: DateTime<Utc>) -> Result<(), Closed> {
    if !policy.withheld.sending.is_empty() {
        return Err(Closed { reason: HoldReason::ConfigurationRefused, until: None });
    }
    if !policy.sending_enabled {
        return Err(Closed { reason: HoldReason::SendingDisabled, until: None });
    }
    let away = |day: Weekday| policy.absence_days.contains(&day);
    let today = now.with_timezone(&policy.zone).date_naive();
    if !away(today.weekday()) {
        return Ok(());
    }
    let until = (1..=7)
        .filter_map(|days| today.checked_add_days(Days::new(days)))
        .find(|day| !away(day.weekday()))
        .and_then(|day| first_instant(policy.zone, day.and_time(NaiveTime::MIN)));
    Err(Closed { reason: HoldReason::Absence, until })
}

/// The first instant whose local time is `local` or later.
fn first_instant(zone: Tz, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    // Clocks jump by at most a few hours, on the quarter of an hour.
    (0..=16)
        .filter_map(|quarters| local.checked_add_signed(TimeDelta::minutes(15 * quarters)))
        .find_map(|local| zone.from_local_datetime(&local).earliest())
        .map(|at| at.to_utc())
}

#[cfg(test)]
mod tests {
    use chrono_tz::Europe::Paris;

    use super::*;
    use crate::kernel::said::Said;
    use crate::mail::samples::{at, policy, window};

    fn opening(bounds: (&str, &str), now: &str) -> Option<String> {
        next_opening(&window(bounds.0, bounds.1), Paris, at(now)).map(|at| at.format("%dT%H:%M").to_string())
    }

    #[test]
    fn a_window_opens_at_its_start() {
        assert_eq!(opening(("10h30", "19h00"), "2026-01-26T08:00:00Z").as_deref(), Some("26T09:30"));
        assert_eq!(opening(("10h30", "19h00"), "2026-01-26T18:00:00Z").as_deref(), Some("27T09:30"));
        assert_eq!(opening(("10h30", "19h00"), "2026-01-26T10:00:00Z").as_deref(), Some("26T10:00"));
        assert_eq!(opening(("22h00", "02h00"), "2026-01-26T01:00:00Z").as_deref(), Some("26T21:00"));
        assert_eq!(opening(("10h00", "10h00"), "2026-01-26T01:00:00Z"), None);
        assert_eq!(opening(("", "10h00"), "2026-01-26T12:00:00Z").as_deref(), Some("26T12:00"));
    }

    #[test]
    fn a_window_that_the_clock_skips() {
        // 02:00 to 03:00 does not exist on 29 March 2026 in Paris.
        assert_eq!(opening(("02h00", "03h00"), "2026-03-28T12:00:00Z").as_deref(), Some("30T00:00"));
        assert_eq!(opening(("02h30", "05h00"), "2026-03-28T12:00:00Z").as_deref(), Some("29T01:00"));
    }

    #[test]
    fn a_window_that_comes_twice() {
        // 02:00 to 03:00 comes twice on 25 October 2026 in Paris.
        assert_eq!(opening(("02h30", "02h45"), "2026-10-24T23:00:00Z").as_deref(), Some("25T00:30"));
        assert_eq!(opening(("02h30", "02h45"), "2026-10-25T00:50:00Z").as_deref(), Some("25T01:30"));
        assert_eq!(opening(("01h30", "02h30"), "2026-10-25T00:40:00Z").as_deref(), Some("25T01:00"));
    }

    #[test]
    fn absence_is_a_day_in_the_zone_of_the_policy() {
        let mut policy = policy();
        policy.absence_days = vec![Weekday::Tue, Weekday::Wed];
        assert_eq!(sending(&policy, at("2026-01-26T22:30:00Z")), Ok(()));
        let closed = Closed { reason: HoldReason::Absence, until: Some(at("2026-01-28T23:00:00Z")) };
        assert_eq!(sending(&policy, at("2026-01-26T23:30:00Z")), Err(closed));
        policy.absence_days.extend([Weekday::Mon, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun]);
        assert_eq!(sending(&policy, at("2026-01-26T23:30:00Z")).map_err(|closed| closed.until), Err(None));
        policy.sending_enabled = false;
        let off = Closed { reason: HoldReason::SendingDisabled, until: None };
        assert_eq!(sending(&policy, at("2026-01-26T23:30:00Z")), Err(off));
    }

    #[test]
    fn what_a_document_governs_stands_still_while_it_cannot_be_used() {
        let now = at("2026-01-26T10:00:00Z");
        let mut policy = policy();
        policy.withheld.polling = vec![Said::alike("polling_config: vacation_start: no date")];
        assert_eq!(may_poll(&policy, now), Polling::Inactive("configuration_refused"));
        assert_eq!(sending(&policy, now), Ok(()), "what is decided goes out");
        policy.withheld.sending = vec![Said::alike("webhook_config: no JSON")];
        policy.sending_enabled = false;
        let closed = Closed { reason: HoldReason::ConfigurationRefused, until: None };
        assert_eq!(sending(&policy, now), Err(closed));
    }

    #[test]
    fn a_day_whose_midnight_is_skipped_begins_later() {
        let zone = chrono_tz::America::Asuncion;
        let midnight = "2024-10-06T00:00:00".parse().expect("a time");
        assert_eq!(first_instant(zone, midnight), Some(at("2024-10-06T04:00:00Z")));
    }

    #[test]
    fn a_schedule_opens_at_the_next_hour_of_a_day_that_counts() {
        let mut schedule = policy().schedule;
        (schedule.active_days, schedule.start_hour, schedule.end_hour) = (vec![0, 1], 9, 23);
        let next = |schedule: &Schedule, now: &str| next_polling(schedule, Paris, at(now));
        // A Monday.
        assert_eq!(next(&schedule, "2026-01-26T10:00:00Z"), Some(at("2026-01-26T10:00:00Z")));
        assert_eq!(next(&schedule, "2026-01-26T22:10:00Z"), Some(at("2026-01-27T08:00:00Z")));
        assert_eq!(next(&schedule, "2026-01-27T22:00:00Z"), Some(at("2026-02-02T08:00:00Z")));
        // Over the day on which clocks are put forward.
        assert_eq!(next(&schedule, "2026-03-24T23:00:00Z"), Some(at("2026-03-30T07:00:00Z")));
        schedule.vacation = Some(("2026-01-20".parse().unwrap(), "2027-01-03".parse().unwrap()));
        assert_eq!(next(&schedule, "2026-01-26T10:00:00Z"), Some(at("2027-01-04T08:00:00Z")));
        schedule.end_hour = 9;
        assert_eq!(next(&schedule, "2026-01-26T10:00:00Z"), None);
    }

    #[test]
    fn a_schedule_has_holidays_and_a_switch() {
        let mut schedule = policy().schedule;
        let now = at("2026-01-26T10:00:00Z");
        assert_eq!(polling(&schedule, Paris, now), Polling::Active);
        schedule.vacation =
            Some(("2026-01-26".parse().expect("a day"), "2026-01-26".parse().expect("a day")));
        assert_eq!(polling(&schedule, Paris, now), Polling::Inactive("vacation"));
        schedule.enabled = false;
        assert_eq!(polling(&schedule, Paris, now), Polling::Inactive("disabled"));
    }
}
