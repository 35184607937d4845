use std::time::Duration;

use askama::Template as _;
use chrono::{DateTime, Utc};
use render_signal_actors::readmodel::queries::{DeliveryRow, Fate, FateCount, MailRow, Matches};
use render_signal_actors::search::{ListedMail, MailPage};

use super::bulk::BulkAction;
use super::list_query::MailListQuery;
use super::page::{MailListData, MailListPage};
use crate::http::pages::clock::PageClock;
use crate::http::pages::frame::Frame;
use crate::lang::Lang;

const HOSTILE: &str = "<script>alert(1)</script>\"'&\u{202e}gpj";

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn frame(lang: Lang) -> Frame {
    let clock = PageClock { now: at("2026-11-12T13:02:07Z"), zone: chrono_tz::Europe::Paris, lang };
    Frame { here: "/mails".to_owned(), ..Frame::bare(clock, "Mails") }
}

fn listed(position: u64, subject: Option<&str>) -> ListedMail {
    // What has no heading any more came long ago.
    let received_at = at(if subject.is_some() { "2026-11-12T13:00:00Z" } else { "2026-11-02T13:00:00Z" });
    ListedMail {
        mail: MailRow {
            position,
            email_id: format!("{HOSTILE}{position}"),
            size: 1,
            received_at,
            arrived_at: None,
            stage: "routed".to_owned(),
            reason: None,
            detail: None,
            hold_until: None,
            detector: Some(HOSTILE.to_owned()),
            delivery_time: Some(HOSTILE.to_owned()),
            urgent: true,
            links: 2,
            deliveries_total: 1,
            delivered: 0,
            dead_lettered: 1,
            cancelled: 0,
            updated_at: received_at,
        },
        sender: Some(HOSTILE.to_owned()),
        subject: subject.map(str::to_owned),
        deliveries: vec![DeliveryRow {
            email_id: "a".to_owned(),
            target: HOSTILE.to_owned(),
            state: "dead_lettered".to_owned(),
            attempts: 1,
            last_status: None,
            last_error: Some(HOSTILE.to_owned()),
            next_at: None,
            routed_at: received_at,
            first_attempt_at: None,
            last_attempt_at: None,
            ended_at: None,
            url: None,
        }],
    }
}

fn found(mails: Vec<ListedMail>) -> MailListData {
    let count = |fate, reason: Option<&str>, n| FateCount { fate, reason: reason.map(str::to_owned), n };
    MailListData {
        page: MailPage {
            mails,
            older: Some(3),
            newer: None,
            matches: Matches { count: 1_234, capped: false },
            complete: true,
        },
        counts: vec![
            count(Fate::Ignored, Some("no_links"), 40),
            count(Fate::Ignored, Some(HOSTILE), 2),
            count(Fate::Delivered, None, 1_000),
        ],
        news: Matches { count: 3, capped: false },
        matches: Some(Matches { count: 1_234, capped: false }),
        action: Some((BulkAction::Retry, Matches { count: 12, capped: false }, 9)),
        targets: vec!["default".to_owned(), HOSTILE.to_owned()],
        kept: Duration::from_secs(7 * 86_400),
    }
}

fn render(lang: Lang, query: &MailListQuery, found: MailListData) -> String {
    MailListPage::of(frame(lang), query, found).unwrap().render().unwrap()
}

#[test]
fn nothing_that_a_stranger_wrote_is_markup() {
    let query = MailListQuery {
        text: HOSTILE.to_owned(),
        state: "ignored".to_owned(),
        reason: HOSTILE.to_owned(),
        target: HOSTILE.to_owned(),
        since: HOSTILE.to_owned(),
        until: HOSTILE.to_owned(),
        ..MailListQuery::default()
    };
    for lang in [Lang::Fr, Lang::En] {
        let page = render(lang, &query, found(vec![listed(9, Some(HOSTILE)), listed(8, None)]));
        assert!(!page.contains("<script>alert"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
        let rows = page.split("<ol class=\"mails\"").nth(1).unwrap();
        assert!(!rows.contains('\u{202e}'), "what turns the direction of reading is shown as such");
    }
}

#[test]
fn an_open_page_names_its_rows_and_announces_what_has_come() {
    let mut query = MailListQuery { state: "failed".to_owned(), ..MailListQuery::default() };
    let page = render(Lang::Fr, &query, found(vec![listed(9, Some("Lot 42")), listed(8, None)]));
    assert!(page.contains("data-live-url=\"/mails?state=failed&#38;rows=9%2C8\""), "{page}");
    assert!(page.contains("id=\"m9\" data-live") && page.contains("id=\"m8\" data-live"), "{page}");
    assert!(page.contains("3 nouveaux mails") && page.contains("href=\"/mails?state=failed\""), "{page}");
    assert!(page.contains("1\u{202f}234\u{a0}mails"), "{page}");
    assert!(page.contains("objet effacé après 7 jours"), "{page}");
    assert!(page.contains("href=\"/mails?state=failed&#38;cursor=o3\""), "filters keep in links: {page}");
    assert!(page.contains("Renvoyer 12\u{a0}mails\u{a0}?"), "{page}");
    query.rows = vec![9];
    let english = render(Lang::En, &query, found(vec![listed(9, Some("Lot 42"))]));
    assert!(english.contains("3 new mails") && english.contains("Send again 12\u{a0}mails?"), "{english}");
}

#[test]
fn what_is_not_there_says_what_that_means() {
    let nothing = || MailListData {
        counts: Vec::new(),
        news: Matches { count: 0, capped: false },
        action: None,
        page: MailPage { older: None, ..found(Vec::new()).page },
        ..found(Vec::new())
    };
    for (text, state, french, english) in [
        ("", "", "Aucun mail pour l&#39;instant", "No mail yet"),
        ("", "failed", "Aucun échec", "No failure"),
        ("tarif", "", "Aucun mail ne contient « tarif »", "No mail has “tarif”"),
    ] {
        let query =
            MailListQuery { text: text.to_owned(), state: state.to_owned(), ..MailListQuery::default() };
        let page = render(Lang::Fr, &query, nothing());
        assert!(page.contains(french), "{page}");
        // An empty list is looked at again as it is, until there is something.
        assert!(page.contains("id=\"mails\" data-live>") && !page.contains("data-live-url"), "{page}");
        assert!(render(Lang::En, &query, nothing()).contains(english));
    }
}

#[test]
fn a_day_that_is_none_is_said_at_its_field() {
    let query = MailListQuery { since: "2026-13-01".to_owned(), ..MailListQuery::default() };
    let page = render(Lang::En, &query, found(vec![listed(9, Some("x"))]));
    let field = page.split("id=\"f-since\"").nth(1).unwrap();
    assert!(field.contains("is not a date"), "{field}");
    assert!(page.contains("<details class=\"more\" open"), "{page}");
}
