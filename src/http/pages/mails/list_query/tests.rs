use super::*;

const PARIS: Tz = chrono_tz::Europe::Paris;

fn query() -> MailListQuery {
    MailListQuery {
        text: " été & \"co\" ".to_owned(),
        state: "waiting".to_owned(),
        reason: "outside_window".to_owned(),
        target: "rule-1".to_owned(),
        since: "2026-03-29".to_owned(),
        until: "2026-03-29".to_owned(),
        cursor: "o12".to_owned(),
        ..MailListQuery::default()
    }
}

#[test]
fn what_other_pages_ask_for_is_understood() {
    let read = |state: &str, failed: &str| {
        let (state, failed) = (state.to_owned(), failed.to_owned());
        MailListQuery { state, failed, ..MailListQuery::default() }.in_own_words()
    };
    assert_eq!(read("", "true").href(), "/mails?state=failed");
    assert_eq!(read("routed", "").href(), "/mails?state=waiting&reason=sending");
    let hour = MailListQuery {
        since: "2026-11-12T22:00:00Z".to_owned(),
        until: "2026-11-12T23:00:00Z".to_owned(),
        ..MailListQuery::default()
    };
    let filter = hour.filter(PARIS).unwrap();
    assert_eq!((filter.until.unwrap() - filter.since.unwrap()).num_minutes(), 60);
    // It ends with the day in Paris, so its last day is that one.
    assert_eq!(hour.days(PARIS), ["2026-11-12", "2026-11-12"]);
    assert!(hour.span().is_some() && hour.wrong().is_none());
}

#[test]
fn a_filter_is_in_every_address_and_only_a_page_has_its_cursor() {
    let base = "/mails?text=%C3%A9t%C3%A9%20%26%20%22co%22&state=waiting&reason=outside_window&target=rule-1&since=2026-03-29&until=2026-03-29";
    let query = query();
    assert_eq!(query.href(), base);
    assert_eq!(query.page("n7"), format!("{base}&cursor=n7"));
    assert_eq!(query.live([3, 2].into_iter()), format!("{base}&cursor=o12&rows=3%2C2"));
    let failed = query.with_state("failed").href();
    assert!(
        failed.contains("text=") && failed.contains("state=failed") && !failed.contains("reason="),
        "{failed}"
    );
    assert!(!failed.contains("cursor"), "{failed}");
    assert_eq!(MailListQuery::default().href(), "/mails");
}

#[test]
fn a_day_is_one_of_the_configured_zone() {
    // The clocks go forward on that day: it has 23 hours.
    let filter = query().filter(PARIS).unwrap();
    assert_eq!(filter.since, Some("2026-03-28T23:00:00Z".parse().unwrap()));
    assert_eq!(filter.until, Some("2026-03-29T22:00:00Z".parse().unwrap()));
    assert_eq!((filter.fate, filter.reason.as_deref()), (Some(Fate::Waiting), Some("outside_window")));
}

#[test]
fn what_cannot_be_used_is_named_and_restricts_nothing() {
    for (since, until, wrong) in [
        ("2026-02-30", "", InvalidFilter::Since),
        ("", "demain", InvalidFilter::Until),
        ("2026-03-02", "2026-03-01", InvalidFilter::Order),
        ("12026-03-02", "", InvalidFilter::Since),
    ] {
        let query =
            MailListQuery { since: since.to_owned(), until: until.to_owned(), ..MailListQuery::default() };
        assert_eq!(query.wrong(), Some(wrong), "{since} {until}");
        let filter = query.filter(PARIS).unwrap();
        assert_eq!((filter.since, filter.until), (None, None));
    }
    let unknown = MailListQuery { state: "lost".to_owned(), ..MailListQuery::default() };
    assert_eq!(unknown.filter(PARIS).unwrap_err().errors[0].field, "state");
    for stage in ["held", "skipped", "quarantined", "set_aside", "delivered", "failed", "all", ""] {
        assert!(
            MailListQuery { state: stage.to_owned(), ..MailListQuery::default() }.fate().is_ok(),
            "{stage}"
        );
    }
}

#[test]
fn rows_that_are_named_are_listed_whatever_the_filter_says() {
    let pinned = MailListQuery { rows: vec![9, 4], ..query() }.pinned().unwrap();
    assert_eq!((pinned.filter.positions, pinned.filter.limit), (Some(vec![9, 4]), 2));
    assert_eq!((pinned.text, pinned.filter.fate), (None, None));
    assert_eq!(query().pinned(), None);
}
