//! Mails, deliveries, failures and latency over a day or a month.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, TimeDelta, TimeZone as _, Timelike as _, Utc};
use render_signal_actors::readmodel::queries::DeliveryHour;

use super::data::{OverviewData, TrendSpan};
use super::words::Words;
use crate::http::pages::charts::{Caption, ChartSlot, Svg, activity};
use crate::http::pages::clock::PageClock;
use crate::http::pages::frame::in_query;

/// Latest ends of the buckets, in words; the last has none.
const BUCKETS: [[&str; 2]; 6] = [
    ["1 s", "1 s"],
    ["5 s", "5 s"],
    ["30 s", "30 s"],
    ["2 min", "2 min"],
    ["10 min", "10 min"],
    ["1 h", "1 h"],
];

/// A row of the table of latencies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LatencyRow {
    /// Within how long.
    pub(super) name: String,
    /// How many.
    pub(super) count: u64,
    pub(super) share: String,
}

#[derive(Debug, Clone)]
pub(super) struct Trend {
    /// Drawn for a phone.
    pub(super) narrow: Svg,
    /// And for a screen.
    pub(super) wide: Svg,
    /// The numbers, oldest first; those without any are left out.
    pub(super) rows: Vec<ChartSlot>,
    /// Their sums, in a sentence.
    pub(super) sums: String,
    /// How long after their mails webhooks were taken.
    pub(super) latency: Vec<LatencyRow>,
    /// How many webhooks those are.
    pub(super) measured: u64,
}

/// What was counted in a slot.
#[derive(Debug, Clone, Copy, Default)]
struct SlotCounts {
    mails: u64,
    delivered: u64,
    failed: u64,
}

/// Draws it.
pub(super) fn trend(w: &'static Words, data: &OverviewData, span: TrendSpan, clock: PageClock) -> Trend {
    let begins = begins(span, clock);
    let mut counted: BTreeMap<DateTime<Utc>, SlotCounts> =
        begins.iter().map(|at| (*at, SlotCounts::default())).collect();
    let mut add = |hour: Option<DateTime<Utc>>, change: &dyn Fn(&mut SlotCounts)| {
        let slot = hour.and_then(|hour| counted.range_mut(..=hour).next_back());
        if let Some((_, slot)) = slot {
            change(slot);
        }
    };
    for row in data.events.iter().filter(|row| row.kind == "mail.received") {
        add(instant(&row.hour), &|slot| slot.mails += row.n);
    }
    for row in &data.attempts {
        add(row.hour.as_deref().and_then(instant), &|slot| {
            slot.delivered += row.ok;
            slot.failed += row.failed;
        });
    }
    let slots: Vec<ChartSlot> =
        begins.iter().map(|at| slot(w, *at, counted.get(at).copied(), span, clock)).collect();
    let sums = sums(w, &slots, clock);
    let title = format!("{}, {}", w.trend, if span == TrendSpan::Day { w.day } else { w.month });
    let caption = Caption { title, text: sums.clone() };
    let (latency, measured) = latency(w, &data.attempts, clock);
    Trend {
        narrow: activity(&slots, 340, "trend-narrow", &caption),
        wide: activity(&slots, 720, "trend-wide", &caption),
        rows: slots.into_iter().filter(|slot| slot.mails + slot.delivered + slot.failed > 0).collect(),
        sums,
        latency,
        measured,
    }
}

/// When each slot begins, oldest first: hours, or days of the zone.
fn begins(span: TrendSpan, clock: PageClock) -> Vec<DateTime<Utc>> {
    match span {
        TrendSpan::Day => {
            let last = clock.now.with_minute(0).and_then(|at| at.with_second(0)?.with_nanosecond(0));
            let last = last.unwrap_or(clock.now);
            (0..24).rev().map(|back| last - TimeDelta::hours(back)).collect()
        }
        TrendSpan::Month => {
            let today = clock.now.with_timezone(&clock.zone).date_naive();
            let days = (0..30).rev().map(|back| today - TimeDelta::days(back));
            // A midnight that the clocks skip is the moment after.
            let midnight = |day: chrono::NaiveDate| {
                let begin = day.and_time(chrono::NaiveTime::MIN);
                clock.zone.from_local_datetime(&begin).earliest().map(|at| at.to_utc())
            };
            days.filter_map(midnight).collect()
        }
    }
}

/// `2026-02-03T14`, UTC.
fn instant(hour: &str) -> Option<DateTime<Utc>> {
    let text = format!("{hour}:00:00");
    NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S").ok().map(|at| at.and_utc())
}

fn slot(
    w: &Words,
    at: DateTime<Utc>,
    counted: Option<SlotCounts>,
    span: TrendSpan,
    clock: PageClock,
) -> ChartSlot {
    let SlotCounts { mails, delivered, failed } = counted.unwrap_or_default();
    let (name, label, end) = match span {
        TrendSpan::Day => (
            clock.short(at),
            at.with_timezone(&clock.zone).format("%H").to_string(),
            at + TimeDelta::hours(1),
        ),
        TrendSpan::Month => {
            let label = at.with_timezone(&clock.zone).format("%-d").to_string();
            (format!("{} {}", clock.weekday(at), clock.date(at)), label, at + TimeDelta::days(1))
        }
    };
    let said = format!("{name}{}{}", clock.lang.colon(), w.counted(clock, mails, delivered, failed));
    let time = |at: DateTime<Utc>| in_query(&at.to_rfc3339_opts(SecondsFormat::Secs, true));
    let href = format!("/mails?since={}&until={}", time(at), time(end));
    ChartSlot { label, said, href, mails, delivered, failed }
}

fn sums(w: &Words, slots: &[ChartSlot], clock: PageClock) -> String {
    let sum = |of: fn(&ChartSlot) -> u64| slots.iter().map(of).sum();
    w.counted(clock, sum(|slot| slot.mails), sum(|slot| slot.delivered), sum(|slot| slot.failed))
}

fn latency(w: &Words, attempts: &[DeliveryHour], clock: PageClock) -> (Vec<LatencyRow>, u64) {
    let mut sums = [0_u64; BUCKETS.len() + 1];
    for row in attempts {
        for (sum, n) in sums.iter_mut().zip(row.latency) {
            *sum += n;
        }
    }
    let all: u64 = sums.iter().sum();
    let names = BUCKETS.iter().map(|[fr, en]| format!("{} {}", w.within, clock.lang.pick(fr, en)));
    let mut within = 0;
    let mut rows: Vec<LatencyRow> = Vec::new();
    for (name, n) in names.zip(sums) {
        within += n;
        // A longer time that has no more of them says nothing.
        if n > 0 {
            rows.push(LatencyRow { name, count: within, share: clock.percent(within, all) });
        }
    }
    if all > within {
        rows.push(LatencyRow {
            name: w.later.to_owned(),
            count: all - within,
            share: clock.percent(all - within, all),
        });
    }
    (rows, all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Lang;

    fn clock() -> PageClock {
        let now = "2026-03-30T13:02:07Z".parse().unwrap();
        PageClock { now, zone: chrono_tz::Europe::Paris, lang: Lang::Fr }
    }

    #[test]
    fn a_day_has_24_hours_and_a_month_30_days_of_the_zone() {
        let hours = begins(TrendSpan::Day, clock());
        assert_eq!(hours.len(), 24);
        assert_eq!(hours[23].to_rfc3339(), "2026-03-30T13:00:00+00:00");
        // The clocks went forward on the 29th.
        let days = begins(TrendSpan::Month, clock());
        assert_eq!(days.len(), 30);
        assert_eq!(days[29].to_rfc3339(), "2026-03-29T22:00:00+00:00");
        assert_eq!(days[28].to_rfc3339(), "2026-03-28T23:00:00+00:00");
    }

    #[test]
    fn an_hour_of_the_read_model_is_an_instant() {
        assert_eq!(instant("2026-02-03T14").unwrap().to_rfc3339(), "2026-02-03T14:00:00+00:00");
        assert_eq!(instant("2026-02-03"), None);
    }
}
