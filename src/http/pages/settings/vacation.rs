//! A vacation in three taps: the page, how long, yes. The question says what will be so.

use chrono::{Days, NaiveDate};
use render_signal_actors::mail::policy::Policy;

use super::effect::checks;
use super::groups::{SettingsGroup, was};
use super::words::Words;
use crate::http::pages::documents::{SEEN, date};
use crate::http::pages::parts::Confirm;
use crate::http::pages::visit::PageVisit;

/// How long, in days beside today, and the id of the question.
const LENGTHS: [(u64, &str); 4] = [(0, "vac-1"), (2, "vac-3"), (6, "vac-7"), (13, "vac-14")];

/// Buttons for a vacation from today on, or one to end it.
pub(super) fn buttons(
    visit: &PageVisit,
    policy: &Policy,
    shown: &[(String, String)],
    seen: &str,
) -> Vec<Confirm> {
    let today = visit.clock.now.with_timezone(&visit.clock.zone).date_naive();
    if policy.schedule.vacation.is_some_and(|(_, last)| last >= today) {
        return vec![ends(visit, policy, shown, seen)];
    }
    let offer = |(ahead, id)| {
        let last = today.checked_add_days(Days::new(ahead))?;
        Some(begins(visit, policy, shown, seen, id, (today, last)))
    };
    LENGTHS.into_iter().filter_map(offer).collect()
}

fn begins(
    visit: &PageVisit,
    policy: &Policy,
    shown: &[(String, String)],
    seen: &str,
    id: &str,
    (first, last): (NaiveDate, NaiveDate),
) -> Confirm {
    let (w, lang, clock) = (Words::of(visit.lang), visit.lang, visit.clock);
    let length = usize::try_from((last - first).num_days() + 1).unwrap_or(usize::MAX);
    let button = match length {
        1 => w.only_today.to_owned(),
        7 => w.one_week.to_owned(),
        14 => w.two_weeks.to_owned(),
        _ => lang.count(length, ["jour", "jours"], ["day", "days"]),
    };
    let mut then = policy.clone();
    then.schedule.vacation = Some((first, last));
    let day = |day: NaiveDate| day.format("%Y-%m-%d").to_string();
    Confirm {
        id: id.to_owned(),
        button,
        class: "",
        title: w.vacation_from_to(lang, &date(clock, first), &date(clock, last)),
        text: format!("{} {}", w.nothing_checked, checks(&then, clock).next),
        action: SettingsGroup::Vacation.path().to_owned(),
        fields: fields(shown, seen, [day(first), day(last)]),
        yes: w.begin_vacation.to_owned(),
        no: w.cancel.to_owned(),
    }
}

fn ends(visit: &PageVisit, policy: &Policy, shown: &[(String, String)], seen: &str) -> Confirm {
    let w = Words::of(visit.lang);
    let mut then = policy.clone();
    then.schedule.vacation = None;
    Confirm {
        id: "vac-end".to_owned(),
        button: w.end_vacation.to_owned(),
        class: "",
        title: w.end_vacation_q.to_owned(),
        text: checks(&then, visit.clock).text(),
        action: SettingsGroup::Vacation.path().to_owned(),
        fields: fields(shown, seen, [String::new(), String::new()]),
        yes: w.end_vacation.to_owned(),
        no: w.cancel.to_owned(),
    }
}

/// What the form of the vacation would send.
fn fields(shown: &[(String, String)], seen: &str, [first, last]: [String; 2]) -> Vec<(String, String)> {
    let was = shown.iter().map(|(name, value)| (was(name), value.clone()));
    let wanted = [("vacation_start".to_owned(), first), ("vacation_end".to_owned(), last)];
    was.chain(wanted).chain([(SEEN.to_owned(), seen.to_owned())]).collect()
}
