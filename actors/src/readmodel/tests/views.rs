//! What lists, counts and the overview ask.

use super::*;
use crate::readmodel::queries::{DeliveryPlace, DeliverySelection, Matches};

fn ids(log: &Log, filter: &MailFilter) -> String {
    let mails = queries::mails(&log.db, filter).expect("mails");
    mails.iter().map(|mail| mail.email_id.clone()).collect()
}

#[test]
fn mails_are_filtered_and_counted_alike() {
    let log = day();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let all = MailFilter::default();
    let text = |text: &str| Some(text.to_owned());
    for (filter, want) in [
        (all.clone(), "fedcba"),
        (MailFilter::of_stage("held"), "c"),
        (MailFilter { stages: words(&["held", "quarantined"]), ..all.clone() }, "dc"),
        (MailFilter { stages: words(&["held", "ignored"]), ..all.clone() }, "cb"),
        (MailFilter { stages: words(&["nonsense"]), ..all.clone() }, ""),
        (MailFilter { reason: text("reply"), ..all.clone() }, "b"),
        (MailFilter { reason: text("' OR 1=1 --"), ..all.clone() }, ""),
        (MailFilter { detector: text("recadrage"), ..all.clone() }, "fea"),
        (MailFilter { target: text("rule-1"), ..all.clone() }, "a"),
        (MailFilter { target: text("default"), ..all.clone() }, "fea"),
        (MailFilter { failed: true, ..all.clone() }, "a"),
        (MailFilter { since: Some(start() + TimeDelta::seconds(13)), ..all.clone() }, "fedc"),
        (MailFilter { until: Some(start() + TimeDelta::seconds(13)), ..all.clone() }, "ba"),
        (MailFilter { positions: Some(vec![1, 11, 999]), ..all.clone() }, "ba"),
        (MailFilter { positions: Some(Vec::new()), ..all.clone() }, ""),
        (MailFilter { stages: words(&["routed"]), target: text("rule-1"), failed: true, ..all.clone() }, "a"),
    ] {
        assert_eq!(ids(&log, &filter), want, "{filter:?}");
        let count = queries::count_matches(&log.db, &filter, 10).expect("count");
        assert_eq!(count, Matches { count: want.len() as u64, capped: false }, "{filter:?}");
    }
    let capped = queries::count_matches(&log.db, &all, 5).expect("count");
    assert_eq!(capped, Matches { count: 5, capped: true });
    // The few that wait are found by their index.
    let plan: String = log
        .db
        .query_row(
            "EXPLAIN QUERY PLAN SELECT * FROM mails WHERE stage IN ('held', 'skipped', 'quarantined', 'set_aside')
               AND stage IN (SELECT value FROM json_each('[\"held\"]'))",
            [],
            |row| row.get(3),
        )
        .expect("plan");
    assert!(plan.contains("mails_waiting"), "{plan}");
}

#[test]
fn pages_go_forth_and_back_and_a_mail_has_neighbours() {
    let log = day();
    let page = |before, after| MailFilter { before, after, limit: 2, ..MailFilter::default() };
    let rows = queries::mails(&log.db, &page(None, None)).expect("mails");
    let last = rows.last().map(|row| row.position);
    assert_eq!(ids(&log, &page(last, None)), "dc");
    let first = queries::mails(&log.db, &page(last, None)).expect("mails").first().map(|row| row.position);
    assert_eq!(ids(&log, &page(None, first)), "fe");
    assert_eq!(ids(&log, &page(None, Some(1))), "cb", "those next to it");
    let beside = |position, filter: &MailFilter| {
        let found = queries::neighbours(&log.db, position, filter).expect("neighbours");
        (found.newer.unwrap_or_default(), found.older.unwrap_or_default())
    };
    assert_eq!(beside(1, &MailFilter::default()), ("b".to_owned(), String::new()));
    assert_eq!(beside(1, &MailFilter::of_stage("routed")), ("e".to_owned(), String::new()));
}

#[test]
fn a_page_knows_how_each_mail_stands_with_each_target() {
    let log = day();
    let ids: Vec<String> = ["a", "e", "x"].map(str::to_owned).to_vec();
    let rows = queries::deliveries_of(&log.db, &ids).expect("deliveries");
    let seen: Vec<_> =
        rows.iter().map(|row| (row.email_id.as_str(), row.target.as_str(), row.state.as_str())).collect();
    let want =
        [("a", "default", "delivered"), ("a", "rule-1", "dead_lettered"), ("e", "default", "held_rate")];
    assert_eq!(seen, want);

    let reasons = queries::count_by_reason(&log.db).expect("counts");
    let seen: Vec<_> = reasons.iter().map(|row| (row.stage.as_str(), row.reason.as_deref(), row.n)).collect();
    let want = [
        ("held", Some("outside_window"), 1),
        ("ignored", Some("reply"), 1),
        ("quarantined", Some("no mail"), 1),
        ("routed", None, 3),
    ];
    assert_eq!(seen, want);
    let targets = queries::count_by_target(&log.db).expect("counts");
    let seen: Vec<_> = targets.iter().map(|row| (row.target.as_str(), row.state.as_str(), row.n)).collect();
    let want = [
        ("default", "delivered", 1),
        ("default", "held_rate", 1),
        ("default", "waiting", 1),
        ("rule-1", "dead_lettered", 1),
    ];
    assert_eq!(seen, want);
}

#[test]
fn a_selection_of_deliveries_is_paged_and_counted() {
    let log = day();
    let list = |selection: &DeliverySelection, after: Option<&DeliveryPlace>, max| {
        let rows = queries::select_deliveries(&log.db, selection, after, max).expect("deliveries");
        let place =
            |row: &queries::DeliveryRow| (DeliveryPlace::of(row), format!("{}/{}", row.email_id, row.target));
        rows.iter().map(place).collect::<Vec<_>>()
    };
    let names = |selection: &DeliverySelection| {
        list(selection, None, 9).into_iter().map(|(_, id)| id).collect::<Vec<_>>()
    };
    let all = DeliverySelection::default();
    assert_eq!(names(&all), ["f/default", "e/default", "a/default", "a/rule-1"]);
    let mut seen = Vec::new();
    let mut place = None;
    loop {
        let page = list(&all, place.as_ref(), 1);
        let Some((next, id)) = page.into_iter().next() else { break };
        seen.push(id);
        place = Some(next);
    }
    assert_eq!(seen, names(&all));
    for (selection, want) in [
        (DeliverySelection { states: vec!["dead_lettered".to_owned()], ..all.clone() }, 1),
        (
            DeliverySelection {
                states: vec!["dead_lettered".to_owned(), "delivered".to_owned()],
                ..all.clone()
            },
            2,
        ),
        (DeliverySelection { target: Some("default".to_owned()), ..all.clone() }, 3),
        (DeliverySelection { email_id: Some("a".to_owned()), ..all.clone() }, 2),
        (DeliverySelection { last_status: Some(503), ..all.clone() }, 1),
        (DeliverySelection { error: Some("GONE".to_owned()), ..all.clone() }, 1),
        (DeliverySelection { error: Some("%".to_owned()), ..all.clone() }, 0),
        (DeliverySelection { since: Some(start() + TimeDelta::seconds(5)), ..all.clone() }, 2),
        (DeliverySelection { until: Some(start() + TimeDelta::seconds(5)), ..all }, 2),
    ] {
        assert_eq!(names(&selection).len(), want, "{selection:?}");
        let count = queries::count_selection(&log.db, &selection, 9).expect("count");
        assert_eq!(count, Matches { count: want as u64, capped: false }, "{selection:?}");
    }
}

#[test]
fn hours_tell_success_and_how_long_it_took() {
    let mut log = day();
    // Two hours after the mail came in.
    log.at += TimeDelta::seconds(7_200);
    log.attempted("f", "default", 1, None);
    log.attempted("notice", "@notify", 1, None);
    let hours = queries::delivery_hours(&log.db, start()).expect("hours");
    let seen: Vec<_> = hours
        .iter()
        .map(|row| {
            let hour = row.hour.as_deref().unwrap_or_default();
            (hour, row.target.as_str(), row.ok, row.failed, row.latency)
        })
        .collect();
    let want = [
        ("2026-02-03T08", "default", 1, 0, [0, 1, 0, 0, 0, 0, 0]),
        ("2026-02-03T08", "rule-1", 0, 2, [0; 7]),
        ("2026-02-03T10", "@notify", 1, 0, [0; 7]),
        ("2026-02-03T10", "default", 1, 0, [0, 0, 0, 0, 0, 0, 1]),
    ];
    assert_eq!(seen, want);
    let sums = queries::delivery_sums(&log.db, start()).expect("sums");
    let seen: Vec<_> =
        sums.iter().map(|row| (row.target.as_str(), row.ok, row.failed, row.latency)).collect();
    assert_eq!(seen[1], ("default", 2, 0, [0, 1, 0, 0, 0, 0, 1]));
    let later = queries::delivery_sums(&log.db, start() + TimeDelta::hours(2)).expect("sums");
    assert_eq!(later.len(), 2);
    let last = queries::last_failure(&log.db).expect("query").expect("one failed");
    let seen = (last.target.as_str(), last.why.as_deref(), last.email_id.as_deref());
    assert_eq!(seen, ("rule-1", Some("503"), Some("a")));
}

#[test]
fn what_needs_a_person_is_told_and_nothing_else() {
    let mut log = Log::new();
    log.received("a", 1).routed("a", &["default", "rule-1"]);
    assert!(queries::needs_person(&log.db).expect("query").is_empty());
    let mut log = day();
    log.add("mail-c", "mail.set_aside", json!({ "queue": "hold", "why": "workers ended" }));
    log.add("target-x", "target.disabled", json!({ "target": "x", "url_hash": "ab", "why": "410" }));
    let needs = queries::needs_person(&log.db).expect("query");
    assert_eq!((needs.quarantined, needs.set_aside), (1, 1));
    let disabled: Vec<_> = needs.disabled_targets.iter().map(|target| target.id.as_str()).collect();
    assert_eq!(disabled, ["x"]);
    let dead: Vec<_> =
        needs.dead_letters.iter().map(|dead| (dead.target.as_str(), dead.n, dead.since)).collect();
    assert_eq!(dead, [("rule-1", 1, Some(start() + TimeDelta::seconds(9)))]);

    // Somebody has done something about each.
    let ignored = json!({ "reason": "operator", "configuration": null, "by": "cli" });
    log.of_delivery("a", "rule-1", "delivery.cancelled", &json!({ "by": "cli", "was_dead": true }));
    log.add("mail-c", "mail.ignored", ignored.clone()).add("mail-d", "mail.ignored", ignored);
    log.add("target-x", "target.enabled", json!({ "target": "x", "why": "cli" }));
    assert!(queries::needs_person(&log.db).expect("query").is_empty());
    let counts = queries::count_deliveries(&log.db).expect("counts");
    let want = [("held_rate", 1), ("waiting", 1), ("cancelled", 1), ("delivered", 1)];
    assert_eq!(counts, want.map(|(state, n)| (state.to_owned(), n)));
    assert_eq!(ids(&log, &MailFilter { failed: true, ..MailFilter::default() }), "");
    let before = log.hashes();
    log.rebuild();
    assert_eq!(log.hashes(), before);
}

#[test]
fn links_of_a_mail_tell_what_became_of_each() {
    let mut log = day();
    let copied = json!({
        "raw_url": "https://a", "source_url": "https://a", "r2_url": "https://r2/1", "provider": "dropbox",
    });
    let mut reused = copied.clone();
    reused["reused_from"] = json!("e");
    log.add("mail-a", "link.offloaded", copied).add("mail-a", "link.offloaded", reused);
    log.add("mail-a", "link.kept", json!({ "raw_url": "https://b", "why": "too large" }));
    let links = queries::links_of(&log.db, "a").expect("links");
    let seen: Vec<_> = links
        .iter()
        .map(|link| {
            (link.raw_url.as_str(), link.r2_url.is_some(), link.reused_from.as_deref(), link.why.as_deref())
        })
        .collect();
    let want = [
        ("https://a", true, None, None),
        ("https://a", true, Some("e"), None),
        ("https://b", false, None, Some("too large")),
    ];
    assert_eq!(seen, want);
    assert!(queries::links_of(&log.db, "b").expect("links").is_empty());
    log.add(
        "journal-archive",
        "journal.archived",
        json!({ "before": "2026-02-03T09:00:00Z", "streams": ["mail-a"], "events": 1, "place": "p", "items": [] }),
    );
    assert!(queries::links_of(&log.db, "a").expect("links").is_empty());
    assert!(queries::delivery_hours(&log.db, start()).expect("hours").is_empty());
}

#[test]
fn every_mail_has_one_fate_and_lists_counts_and_rows_agree_about_it() {
    let log = day();
    let mut all: Vec<String> = Vec::new();
    let counts = queries::count_fates(&log.db, &MailFilter::default()).expect("counts");
    for fate in queries::Fate::ALL {
        let filter = MailFilter { fate: Some(fate), ..MailFilter::default() };
        let rows = queries::mails(&log.db, &filter).expect("mails");
        assert!(rows.iter().all(|row| queries::Fate::of(row) == fate), "{fate:?}: {rows:?}");
        let counted: u64 = counts.iter().filter(|count| count.fate == fate).map(|count| count.n).sum();
        assert_eq!(counted, rows.len() as u64, "{fate:?}");
        let matches = queries::count_matches(&log.db, &filter, 9).expect("matches");
        assert_eq!(matches, Matches::of(counted, 9), "{fate:?}");
        all.push(format!("{} {}", fate.as_str(), ids(&log, &filter)));
        assert_eq!(queries::Fate::named(fate.as_str()), Some(fate));
    }
    // One webhook of "a" was taken and one was given up: somebody has to look at it.
    assert_eq!(all, ["delivered ", "waiting fec", "ignored b", "failed a", "unreadable d"]);
    let reasons: Vec<_> = counts.iter().filter_map(|count| count.reason.as_deref()).collect();
    assert_eq!(reasons, ["outside_window", "reply"], "of what cannot be read it is no reason to choose by");
}

/// Mails of four days, of which some were archived; the last was given up, and goes again.
fn days() -> Log {
    let mut log = day();
    for (days, id) in ["g", "h", "i", "j", "k"].into_iter().enumerate() {
        log.at = start() + TimeDelta::days(i64::try_from(days).expect("small")) + TimeDelta::hours(9);
        log.received(id, 9);
        match id {
            "g" | "j" => log.add(
                &format!("mail-{id}"),
                "mail.ignored",
                json!({ "reason": "no_links", "configuration": null }),
            ),
            _ => log.routed(id, &["default", "a\"b", "default"]),
        };
    }
    // Released after somebody had taken it for not wanted, under other rules.
    log.routed("i", &["b"]);
    log.settled("h", "default", "delivered");
    log.settled("k", "default", "dead_lettered");
    log.of_delivery("k", "default", "delivery.requeued", &json!({ "by": "cli" }));
    log.add(
        "journal-archive",
        "journal.archived",
        json!({ "before": "2026-02-03T09:00:00Z", "streams": ["mail-a", "mail-j"], "events": 1, "place": "p", "items": [] }),
    );
    log
}

#[test]
fn what_is_counted_is_what_is_listed_whichever_days_targets_and_reasons_are_wanted() {
    let log = days();
    let hours = |hours| Some(start() + TimeDelta::hours(hours));
    let times = [None, hours(0), hours(10), hours(24 + 8), hours(24 + 16), hours(60), hours(24 * 30)];
    let texts = |texts: [&str; 3]| {
        [None, Some(texts[0]), Some(texts[1]), Some(texts[2])].map(|one| one.map(str::to_owned))
    };
    let mut found = 0;
    for since in times {
        for until in times {
            for target in texts(["default", "a\"b", "b"]) {
                for reason in texts(["reply", "no_links", "none"]) {
                    let filter =
                        MailFilter { since, until, target: target.clone(), reason, ..MailFilter::default() };
                    let rows = queries::mails(&log.db, &filter).expect("mails");
                    let most = rows.len() as u64;
                    found += most;
                    let matches = queries::count_matches(&log.db, &filter, 99).expect("count");
                    assert_eq!(matches, Matches { count: most, capped: false }, "{filter:?}");
                    for fate in queries::Fate::ALL {
                        let listed = rows.iter().filter(|row| queries::Fate::of(row) == fate).count() as u64;
                        let counts = queries::count_fates(&log.db, &filter).expect("counts");
                        let counted: u64 =
                            counts.iter().filter(|one| one.fate == fate).map(|one| one.n).sum();
                        assert_eq!(counted, listed, "{fate:?} {filter:?}");
                    }
                }
            }
        }
    }
    assert!(found > 100, "{found}");
}

#[test]
fn what_lists_and_counts_read_is_found_and_not_searched_for() {
    let log = days();
    let plan = |sql: &str| -> String {
        let mut query = log.db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("a query");
        let rows = query.query_map([], |row| row.get::<_, String>("detail")).expect("a plan");
        rows.map(|row| row.expect("a line")).collect::<Vec<_>>().join("; ")
    };
    let of_target = plan(
        "SELECT * FROM mail_targets CROSS JOIN mails ON mails.position = mail_targets.mail
         WHERE mail_targets.target = 'x' AND mail_targets.mail < 9 ORDER BY mail_targets.mail DESC LIMIT 51",
    );
    assert!(of_target.contains("SEARCH mail_targets") && of_target.contains("SEARCH mails"), "{of_target}");
    assert!(!of_target.contains("TEMP B-TREE"), "in its order: {of_target}");
    let of_day =
        plan("SELECT MIN(position), MAX(position) FROM mails WHERE received_at >= 1 AND received_at < 2");
    assert!(of_day.contains("COVERING INDEX mails_received"), "{of_day}");
    let listed = plan(
        "SELECT * FROM mails WHERE stage = 'routed' AND dead_lettered = 0 AND delivered > 0
         AND delivered + cancelled >= deliveries_total AND position < 9 AND position > -1
         ORDER BY position DESC LIMIT 51",
    );
    assert!(listed.contains("INTEGER PRIMARY KEY"), "{listed}");
}
