//! Adding, claiming, settling, deferring, ordering.

use super::*;

cases![
    due_rows_are_claimed_once,
    a_claim_runs_out,
    a_lost_claim_is_refused,
    an_operator_needs_no_claim,
    a_deferred_row_comes_back,
    a_deferred_row_moves_to_another_partition,
    adding_again_replaces_and_drops_the_claim,
    settled_and_added_again_is_a_new_row,
    limits_hold_per_partition_and_in_all,
    a_long_backlog_hides_nobody,
    heavy_rows_share_a_budget_in_their_order,
    a_row_heavier_than_the_budget_comes_as_the_only_heavy_one,
    light_rows_pass_a_backlog_of_heavy_ones,
    a_partition_may_be_limited_to_light_rows,
    heavy_rows_of_an_order_keep_it,
    where_order_counts_nothing_passes_a_heavy_row,
    ordered_rows_go_one_at_a_time,
    a_deferred_first_row_blocks_its_order,
    a_reserved_row_keeps_its_place,
    a_parked_row_blocks_nobody,
    a_row_that_comes_back_waits_for_the_claim_of_its_order,
    waiting_rows_are_hastened,
    next_due_tells_when_to_look,
    rows_are_listed_in_order_of_addition,
    queues_are_apart,
    each_queue_hints_for_itself,
    one_row_is_claimed_by_its_partition,
];

async fn claim_keys(journal: &Arc<dyn JournalAdmin>, seconds: i64) -> Vec<String> {
    journal.claim(request(seconds)).await.unwrap().into_iter().map(|row| row.key).collect()
}

async fn claim_one(journal: &Arc<dyn JournalAdmin>, seconds: i64) -> Claimed {
    let mut claimed = journal.claim(request(seconds)).await.unwrap();
    assert_eq!(claimed.len(), 1, "{:?}", keys(&claimed));
    claimed.remove(0)
}

async fn due_rows_are_claimed_once(journal: Arc<dyn JournalAdmin>) {
    let mut commit = add(vec![
        row("late", Due::At(t(5))),
        row("b", Due::At(t(2))),
        row("a", Due::At(t(1))),
        OutboxAdd { body_key: Some("the body".to_owned()), ..row("c", Due::At(t(2))) },
    ]);
    commit.at = t(-7);
    commit.bodies.push(Body {
        key: "the body".to_owned(),
        bytes: Bytes::from_static(b"bytes"),
        keep_until: t(9),
    });
    journal.append(commit).await.unwrap();
    let claimed = journal.claim(request(2)).await.unwrap();
    assert_eq!(keys(&claimed), ["a", "b", "c"], "oldest due first, then by addition");
    assert!(journal.claim(request(2)).await.unwrap().is_empty(), "claimed rows are hidden");
    let first = &claimed[0];
    assert_eq!((first.claims, first.added_at, first.partition.as_str()), (1, t(-7), "a"));
    assert_eq!((&first.meta, &first.body), (&json!({ "of": "a" }), &None));
    assert_eq!(claimed[2].body, Some(Bytes::from_static(b"bytes")));
    journal.append(settle("a", Some(first.claim))).await.unwrap();
    let left = journal.outbox(Queue::Deliver, 9).await.unwrap();
    assert_eq!(left.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["late", "b", "c"]);
    assert_eq!(left.iter().map(|row| row.claimed).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!(left[1].due, Due::At(t(2)));
}

async fn a_claim_runs_out(journal: Arc<dyn JournalAdmin>) {
    journal.append(add(vec![row("k", Due::At(t(0)))])).await.unwrap();
    let first = claim_one(&journal, 0).await;
    assert!(claim_keys(&journal, 59).await.is_empty());
    let second = claim_one(&journal, 60).await;
    assert_eq!(second.claims, 2);
    assert_ne!(second.claim, first.claim);
}

async fn a_lost_claim_is_refused(journal: Arc<dyn JournalAdmin>) {
    journal.append(add(vec![row("k", Due::At(t(0)))])).await.unwrap();
    let first = claim_one(&journal, 0).await;
    let second = claim_one(&journal, 60).await;
    let mut commit = settle("k", Some(first.claim));
    commit.writes.push(write("a", Expected::NoStream, 1));
    let lost = journal.append(commit).await.unwrap_err();
    assert!(matches!(&lost, AppendError::ClaimLost { queue: Queue::Deliver, key } if key == "k"), "{lost}");
    assert_eq!(journal.head().await.unwrap(), 0, "nothing of the commit was written");
    let lost = journal.append(defer("k", Some(first.claim), Due::At(t(0)))).await.unwrap_err();
    assert!(matches!(lost, AppendError::ClaimLost { .. }));
    // It ran out, but nobody else has claimed the row: the work still counts.
    journal.append(settle("k", Some(second.claim))).await.unwrap();
    let gone = journal.append(settle("k", Some(second.claim))).await.unwrap_err();
    assert!(matches!(gone, AppendError::ClaimLost { .. }));
}

async fn an_operator_needs_no_claim(journal: Arc<dyn JournalAdmin>) {
    journal.append(add(vec![row("k", Due::At(t(0))), row("l", Due::Parked)])).await.unwrap();
    let claimed = claim_one(&journal, 0).await;
    journal.append(settle("k", None)).await.unwrap();
    journal.append(settle("k", None)).await.unwrap();
    journal.append(defer("none", None, Due::Parked)).await.unwrap();
    assert!(journal.append(settle("k", Some(claimed.claim))).await.is_err());
    journal.append(defer("l", None, Due::At(t(0)))).await.unwrap();
    assert_eq!(claim_keys(&journal, 0).await, ["l"]);
}

async fn a_deferred_row_comes_back(journal: Arc<dyn JournalAdmin>) {
    journal.append(add(vec![row("k", Due::At(t(0)))])).await.unwrap();
    let claimed = claim_one(&journal, 0).await;
    let mut commit = defer("k", Some(claimed.claim), Due::At(t(30)));
    commit.defer[0].meta = Some(json!({ "attempts": 1 }));
    journal.append(commit).await.unwrap();
    assert!(claim_keys(&journal, 29).await.is_empty());
    let again = claim_one(&journal, 30).await;
    assert_eq!((again.claims, &again.meta), (2, &json!({ "attempts": 1 })));
    journal.append(defer("k", Some(again.claim), Due::Parked)).await.unwrap();
    assert!(claim_keys(&journal, 1_000).await.is_empty());
    let parked = &journal.outbox(Queue::Deliver, 1).await.unwrap()[0];
    assert_eq!((parked.due, parked.claimed, &parked.meta), (Due::Parked, false, &json!({ "attempts": 1 })));
}

async fn a_deferred_row_moves_to_another_partition(journal: Arc<dyn JournalAdmin>) {
    let rows = ["k", "l"].map(|key| in_partition("a", row(key, Due::At(t(0)))));
    let in_order = ["s1", "s2"].map(|key| in_partition("a", ordered("s", row(key, Due::At(t(0))))));
    journal.append(add(rows.into_iter().chain(in_order).collect())).await.unwrap();
    let claimed = journal.claim(request(0)).await.unwrap();
    assert_eq!(keys(&claimed), ["k", "l", "s1"]);
    for row in &claimed {
        let mut commit = defer(&row.key, Some(row.claim), Due::At(t(5)));
        commit.defer[0].partition = Some("b".to_owned());
        journal.append(commit).await.unwrap();
    }
    let listed = journal.outbox(Queue::Deliver, 9).await.unwrap();
    let places: Vec<_> = listed.iter().map(|row| (row.key.as_str(), row.partition.as_str())).collect();
    assert_eq!(places, [("k", "b"), ("l", "b"), ("s1", "a"), ("s2", "a")], "an order stays together");
    let of = |partition: &str| ClaimRequest {
        partition_default: 0,
        per_partition: HashMap::from([(partition.to_owned(), 1)]),
        ..request(5)
    };
    assert_eq!(keys(&journal.claim(of("b")).await.unwrap()), ["k"]);
    assert_eq!(keys(&journal.claim(of("a")).await.unwrap()), ["s1"]);
    assert!(journal.claim(of("a")).await.unwrap().is_empty(), "s2 waits behind s1");
    // And back, by an operator; the place in the queue is that of its first addition.
    let mut commit = defer("l", None, Due::Parked);
    commit.defer[0].partition = Some("a".to_owned());
    journal.append(commit).await.unwrap();
    assert!(journal.claim(of("b")).await.unwrap().is_empty());
    journal.append(defer("l", None, Due::At(t(5)))).await.unwrap();
    assert_eq!(keys(&journal.claim(of("a")).await.unwrap()), ["l"]);
    let problems = journal.verify().await.unwrap().problems;
    assert!(problems.is_empty(), "{problems:?}");
}

async fn adding_again_replaces_and_drops_the_claim(journal: Arc<dyn JournalAdmin>) {
    journal.append(add(vec![row("k", Due::At(t(0))), row("l", Due::At(t(0)))])).await.unwrap();
    let claimed = journal.claim(request(0)).await.unwrap();
    let mut again = row("k", Due::At(t(0)));
    again.meta = json!("new");
    again.body_key = Some("b".to_owned());
    let mut commit = add(vec![again]);
    commit.at = t(100);
    commit.bodies.push(Body { key: "b".to_owned(), bytes: Bytes::from_static(b"x"), keep_until: t(9) });
    journal.append(commit).await.unwrap();
    let lost = journal.append(settle("k", Some(claimed[0].claim))).await.unwrap_err();
    assert!(matches!(lost, AppendError::ClaimLost { .. }));
    let second = claim_one(&journal, 0).await;
    assert_eq!((second.meta, second.added_at, second.claims), (json!("new"), t(0), 2));
    assert_eq!(second.body, Some(Bytes::from_static(b"x")));
    let listed = journal.outbox(Queue::Deliver, 9).await.unwrap();
    assert_eq!(
        listed.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(),
        ["k", "l"],
        "it kept its place"
    );
}

async fn settled_and_added_again_is_a_new_row(journal: Arc<dyn JournalAdmin>) {
    journal.append(add(vec![row("k", Due::At(t(0))), row("l", Due::Parked)])).await.unwrap();
    let claimed = claim_one(&journal, 0).await;
    let mut commit = settle("k", Some(claimed.claim));
    commit.add.push(row("k", Due::At(t(1))));
    commit.at = t(1);
    journal.append(commit).await.unwrap();
    let listed = journal.outbox(Queue::Deliver, 9).await.unwrap();
    assert_eq!(listed.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["l", "k"]);
    assert_eq!((listed[1].claims, listed[1].added_at), (0, t(1)));
}

async fn limits_hold_per_partition_and_in_all(journal: Arc<dyn JournalAdmin>) {
    let mut rows = Vec::new();
    for n in 0..4 {
        for partition in ["a", "b", "c", "d"] {
            rows.push(in_partition(partition, row(&format!("{partition}{n}"), Due::At(t(n)))));
        }
    }
    journal.append(add(rows)).await.unwrap();
    let mut ask = request(10);
    ask.partition_default = 1;
    ask.per_partition = HashMap::from([("b".to_owned(), 3), ("c".to_owned(), 0)]);
    ask.limit = 4;
    let claimed = journal.claim(ask.clone()).await.unwrap();
    assert_eq!(keys(&claimed), ["a0", "b0", "d0", "b1"], "the oldest of what is allowed");
    ask.limit = 0;
    assert!(journal.claim(ask.clone()).await.unwrap().is_empty());
    ask.limit = 100;
    ask.partition_default = 0;
    assert_eq!(keys(&journal.claim(ask).await.unwrap()), ["b2", "b3"]);
}

async fn a_long_backlog_hides_nobody(journal: Arc<dyn JournalAdmin>) {
    let mut rows: Vec<_> = (0..500).map(|n| row(&n.to_string(), Due::At(t(0)))).collect();
    rows.push(in_partition("quiet", row("q", Due::At(t(5)))));
    journal.append(add(rows)).await.unwrap();
    let ask = ClaimRequest { partition_default: 10, limit: 50, ..request(5) };
    let claimed = journal.claim(ask).await.unwrap();
    assert_eq!(claimed.len(), 11);
    assert_eq!(claimed[10].key, "q");
}

/// Rows that are due at once, in partition `a` unless the key begins with another one's name and
/// `/`; each with a body of so many bytes.
async fn weighty(journal: &Arc<dyn JournalAdmin>, rows: &[(&str, usize)]) {
    let mut commit = add(Vec::new());
    for (key, bytes) in rows {
        let partition = key.split_once('/').map_or("a", |(partition, _)| partition);
        let body_key = (*bytes > 0).then(|| format!("body {key}"));
        commit.bodies.extend(body_key.iter().map(|body_key| Body {
            key: body_key.clone(),
            bytes: vec![b'x'; *bytes].into(),
            keep_until: t(9),
        }));
        commit.add.push(OutboxAdd { body_key, ..in_partition(partition, row(key, Due::At(t(0)))) });
    }
    journal.append(commit).await.unwrap();
}

/// At most so many bytes of bodies above ten.
fn within(bytes: u64) -> ClaimRequest {
    let bodies = BodyBudget { bytes: Some(bytes), light: 10, ..BodyBudget::default() };
    ClaimRequest { bodies, ..request(0) }
}

async fn claimed_within(journal: &Arc<dyn JournalAdmin>, request: ClaimRequest) -> Vec<String> {
    let claimed = journal.claim(request).await.unwrap();
    assert!(claimed.iter().all(|row| row.body.is_some() == row.body_key.is_some()), "with their bodies");
    claimed.into_iter().map(|row| row.key).collect()
}

async fn heavy_rows_share_a_budget_in_their_order(journal: Arc<dyn JournalAdmin>) {
    weighty(&journal, &[("h40", 40), ("none", 0), ("h60", 60), ("h50", 50), ("l", 10), ("h11", 11)]).await;
    // h11 would fit, but nothing heavy passes h50.
    assert_eq!(claimed_within(&journal, within(120)).await, ["h40", "none", "h60", "l"]);
    assert_eq!(claimed_within(&journal, within(61)).await, ["h50", "h11"]);
    assert!(claimed_within(&journal, within(1_000)).await.is_empty(), "nothing is left");
}

async fn a_row_heavier_than_the_budget_comes_as_the_only_heavy_one(journal: Arc<dyn JournalAdmin>) {
    weighty(&journal, &[("h500", 500), ("h11", 11), ("b/h12", 12), ("l", 10)]).await;
    assert_eq!(claimed_within(&journal, within(0)).await, ["l"], "nothing is left of the budget");
    assert_eq!(claimed_within(&journal, within(1)).await, ["h500"]);
    assert_eq!(claimed_within(&journal, within(1)).await, ["h11"]);
    assert_eq!(claimed_within(&journal, within(1)).await, ["b/h12"]);
    // A look at what is too heavy takes nothing away.
    assert!(journal.outbox(Queue::Deliver, 9).await.unwrap().iter().all(|row| row.claims == 1));
}

async fn light_rows_pass_a_backlog_of_heavy_ones(journal: Arc<dyn JournalAdmin>) {
    let heavy: Vec<String> = (0..100).map(|n| format!("h{n}")).collect();
    let mut rows: Vec<(&str, usize)> = heavy.iter().map(|key| (key.as_str(), 20)).collect();
    rows.extend([("l1", 1), ("b/l", 1), ("l2", 1), ("l3", 1)]);
    weighty(&journal, &rows).await;
    let ask = ClaimRequest { partition_default: 3, limit: 4, ..within(1) };
    assert_eq!(
        claimed_within(&journal, ask.clone()).await,
        ["h0", "b/l", "l1", "l2"],
        "three of each at most"
    );
    let ask = ClaimRequest { bodies: within(0).bodies, ..ask };
    assert_eq!(claimed_within(&journal, ask).await, ["l3"]);
}

async fn a_partition_may_be_limited_to_light_rows(journal: Arc<dyn JournalAdmin>) {
    weighty(&journal, &[("h", 11), ("b/h", 12), ("l", 1), ("b/l", 1), ("b/h2", 11)]).await;
    let mut ask = within(30);
    ask.bodies.light_only.insert("a".to_owned());
    assert_eq!(claimed_within(&journal, ask.clone()).await, ["b/h", "l", "b/l", "b/h2"]);
    ask.bodies.bytes = None;
    assert!(claimed_within(&journal, ask).await.is_empty());
    assert_eq!(claimed_within(&journal, request(0)).await, ["h"]);
}

async fn where_order_counts_nothing_passes_a_heavy_row(journal: Arc<dyn JournalAdmin>) {
    weighty(&journal, &[("l1", 1), ("h1", 20), ("l2", 1), ("h2", 20), ("b/l", 1), ("l3", 1)]).await;
    let ask = |bytes| {
        let mut ask = within(bytes);
        ask.bodies.in_order = true;
        ask
    };
    assert_eq!(claimed_within(&journal, ask(0)).await, ["l1"]);
    assert!(claimed_within(&journal, ask(0)).await.is_empty());
    assert_eq!(claimed_within(&journal, ask(1)).await, ["h1", "l2"]);
    assert_eq!(claimed_within(&journal, ask(20)).await, ["h2", "b/l", "l3"]);
}

async fn heavy_rows_of_an_order_keep_it(journal: Arc<dyn JournalAdmin>) {
    weighty(&journal, &[("h", 20)]).await;
    let mut commit = add(Vec::new());
    for (key, bytes) in [("s1", 20), ("s2", 1)] {
        let body_key = format!("body {key}");
        commit.bodies.push(Body { key: body_key.clone(), bytes: vec![b'x'; bytes].into(), keep_until: t(9) });
        let body_key = Some(body_key);
        commit.add.push(OutboxAdd { body_key, ..ordered("s", row(key, Due::At(t(0)))) });
    }
    journal.append(commit).await.unwrap();
    assert_eq!(claimed_within(&journal, within(20)).await, ["h"], "s2 is light, and waits behind s1");
    assert_eq!(claimed_within(&journal, within(20)).await, ["s1"]);
    journal.append(settle("s1", None)).await.unwrap();
    assert_eq!(claimed_within(&journal, within(0)).await, ["s2"]);
}

async fn ordered_rows_go_one_at_a_time(journal: Arc<dyn JournalAdmin>) {
    // The order is that of addition, not of the due times.
    let rows = vec![
        ordered("s", row("s1", Due::At(t(3)))),
        ordered("s", row("s2", Due::At(t(1)))),
        ordered("z", row("z1", Due::At(t(2)))),
        in_partition("b", ordered("s", row("other", Due::At(t(4))))),
        row("free", Due::At(t(5))),
    ];
    journal.append(add(rows)).await.unwrap();
    assert_eq!(claim_keys(&journal, 2).await, ["z1"]);
    let claimed = journal.claim(request(9)).await.unwrap();
    assert_eq!(keys(&claimed), ["s1", "other", "free"], "s2 waits behind s1");
    journal.append(settle("s1", Some(claimed[0].claim))).await.unwrap();
    let s2 = claim_one(&journal, 9).await;
    assert_eq!((s2.key.as_str(), s2.order_key.as_deref()), ("s2", Some("s")));
    // A claim that runs out: the same row again.
    assert!(claim_keys(&journal, 69).await.contains(&"s2".to_owned()));
}

async fn a_deferred_first_row_blocks_its_order(journal: Arc<dyn JournalAdmin>) {
    let rows = vec![ordered("s", row("s1", Due::At(t(0)))), ordered("s", row("s2", Due::At(t(0))))];
    journal.append(add(rows)).await.unwrap();
    let s1 = claim_one(&journal, 0).await;
    journal.append(defer("s1", Some(s1.claim), Due::At(t(100)))).await.unwrap();
    assert!(claim_keys(&journal, 99).await.is_empty());
    let s1 = claim_one(&journal, 100).await;
    assert_eq!(s1.key, "s1");
    journal.append(defer("s1", Some(s1.claim), Due::Parked)).await.unwrap();
    assert_eq!(claim_keys(&journal, 100).await, ["s2"]);
}

async fn a_reserved_row_keeps_its_place(journal: Arc<dyn JournalAdmin>) {
    let rows = vec![
        ordered("s", row("s1", Due::Reserved)),
        ordered("s", row("s2", Due::At(t(0)))),
        row("alone", Due::Reserved),
    ];
    journal.append(add(rows)).await.unwrap();
    assert!(claim_keys(&journal, 1_000).await.is_empty());
    assert_eq!(journal.next_due(Queue::Deliver).await.unwrap(), None);
    journal
        .append(add(vec![ordered("s", row("s1", Due::At(t(5)))), row("alone", Due::At(t(6)))]))
        .await
        .unwrap();
    assert_eq!(journal.next_due(Queue::Deliver).await.unwrap(), Some(t(5)));
    let claimed = journal.claim(request(6)).await.unwrap();
    assert_eq!(keys(&claimed), ["s1", "alone"]);
    journal.append(settle("s1", None)).await.unwrap();
    assert_eq!(claim_keys(&journal, 6).await, ["s2"]);
}

async fn a_parked_row_blocks_nobody(journal: Arc<dyn JournalAdmin>) {
    let rows = vec![ordered("s", row("s1", Due::Parked)), ordered("s", row("s2", Due::At(t(0))))];
    journal.append(add(rows)).await.unwrap();
    assert_eq!(claim_keys(&journal, 0).await, ["s2"]);
}

async fn a_row_that_comes_back_waits_for_the_claim_of_its_order(journal: Arc<dyn JournalAdmin>) {
    let rows = vec![
        ordered("s", row("s1", Due::Parked)),
        ordered("s", row("s2", Due::At(t(0)))),
        ordered("s", row("s3", Due::At(t(0)))),
    ];
    journal.append(add(rows)).await.unwrap();
    let s2 = claim_one(&journal, 0).await;
    assert_eq!(s2.key, "s2");
    journal.append(defer("s1", None, Due::At(t(1)))).await.unwrap();
    assert!(claim_keys(&journal, 10).await.is_empty(), "one at a time");
    assert_eq!(journal.next_due(Queue::Deliver).await.unwrap(), Some(t(60)));
    journal.append(settle("s2", Some(s2.claim))).await.unwrap();
    assert_eq!(claim_keys(&journal, 10).await, ["s1"]);
}

async fn waiting_rows_are_hastened(journal: Arc<dyn JournalAdmin>) {
    let rows = vec![
        row("due", Due::At(t(0))),
        row("later", Due::At(t(100))),
        in_partition("b", row("other", Due::At(t(100)))),
        row("reserved", Due::Reserved),
        row("parked", Due::Parked),
        ordered("s", row("s1", Due::At(t(90)))),
        ordered("s", row("s2", Due::At(t(90)))),
    ];
    journal.append(add(rows)).await.unwrap();
    let claimed = claim_one(&journal, 0).await;
    assert_eq!(claimed.key, "due");
    // A claimed row stays whose it is, and one that is not there is no error.
    let only = ["due", "later", "reserved", "parked", "s1", "s2", "nowhere"].map(str::to_owned);
    assert_eq!(journal.hasten(Queue::Deliver, Some(&only), t(10)).await.unwrap(), 3);
    assert_eq!(journal.hasten(Queue::Deliver, Some(&only), t(10)).await.unwrap(), 0);
    assert_eq!(journal.hasten(Queue::Deliver, Some(&[]), t(10)).await.unwrap(), 0);
    journal.append(settle("due", Some(claimed.claim))).await.unwrap();
    assert_eq!(journal.next_due(Queue::Deliver).await.unwrap(), Some(t(10)));
    assert_eq!(claim_keys(&journal, 10).await, ["later", "s1"]);
    assert_eq!(journal.hasten(Queue::Deliver, None, t(11)).await.unwrap(), 1);
    assert_eq!(claim_keys(&journal, 11).await, ["other"]);
    assert_eq!(journal.hasten(Queue::Hold, None, t(11)).await.unwrap(), 0);
}

async fn next_due_tells_when_to_look(journal: Arc<dyn JournalAdmin>) {
    assert_eq!(journal.next_due(Queue::Deliver).await.unwrap(), None);
    let rows = vec![
        row("k", Due::At(t(30))),
        in_partition("b", row("l", Due::At(t(20)))),
        row("m", Due::Parked),
        ordered("s", row("s1", Due::At(t(40)))),
        ordered("s", row("s2", Due::At(t(0)))),
    ];
    journal.append(add(rows)).await.unwrap();
    assert_eq!(journal.next_due(Queue::Deliver).await.unwrap(), Some(t(20)), "s2 is due, but waits");
    assert_eq!(claim_keys(&journal, 25).await, ["l"]);
    assert_eq!(journal.next_due(Queue::Deliver).await.unwrap(), Some(t(30)));
    assert_eq!(claim_keys(&journal, 40).await, ["k", "s1"]);
    assert_eq!(journal.next_due(Queue::Deliver).await.unwrap(), Some(t(85)), "the end of l's claim");
    assert_eq!(journal.next_due(Queue::Flag).await.unwrap(), None);
}

async fn rows_are_listed_in_order_of_addition(journal: Arc<dyn JournalAdmin>) {
    for n in (0..5).rev() {
        journal.append(add(vec![row(&n.to_string(), Due::At(t(n)))])).await.unwrap();
    }
    let listed = journal.outbox(Queue::Deliver, 3).await.unwrap();
    assert_eq!(listed.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["4", "3", "2"]);
}

async fn queues_are_apart(journal: Arc<dyn JournalAdmin>) {
    for queue in Queue::ALL {
        journal.append(add(vec![OutboxAdd { queue, ..row("k", Due::At(t(0))) }])).await.unwrap();
    }
    let claimed = claim_one(&journal, 0).await;
    assert_eq!(claimed.queue, Queue::Deliver);
    journal.append(settle("k", Some(claimed.claim))).await.unwrap();
    for queue in Queue::ALL {
        let expected = usize::from(queue != Queue::Deliver);
        assert_eq!(journal.outbox(queue, 9).await.unwrap().len(), expected, "{queue}");
        let claimed = journal.claim(ClaimRequest { queue, ..request(0) }).await.unwrap();
        assert_eq!(claimed.len(), expected);
    }
}

async fn each_queue_hints_for_itself(journal: Arc<dyn JournalAdmin>) {
    let mut hints = journal.hints();
    for (index, queue) in Queue::ALL.into_iter().enumerate() {
        let before = hints.borrow_and_update().queues;
        journal.append(add(vec![OutboxAdd { queue, ..row("k", Due::At(t(0))) }])).await.unwrap();
        let after = hints.wait_for(|hint| hint.queues[index] > before[index]).await.unwrap().queues;
        for (other, (before, after)) in before.into_iter().zip(after).enumerate() {
            assert_eq!(before < after, other == index, "{queue}: {other}");
        }
    }
}

/// How whoever wants the row of one document gets that and no other.
async fn one_row_is_claimed_by_its_partition(journal: Arc<dyn JournalAdmin>) {
    for key in ["a", "b"] {
        let row = OutboxAdd { queue: Queue::Config, ..in_partition(key, row(key, Due::At(t(0)))) };
        journal.append(add(vec![row])).await.unwrap();
    }
    let per_partition = HashMap::from([("b".to_owned(), 1)]);
    let one = ClaimRequest { queue: Queue::Config, partition_default: 0, per_partition, ..request(0) };
    let claimed = journal.claim(one.clone()).await.unwrap();
    assert_eq!(claimed.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["b"]);
    assert!(journal.claim(one).await.unwrap().is_empty(), "a claimed row is nobody else's");
    // A row that is added anew drops the claim: what was done under it counts no more.
    let again = OutboxAdd { queue: Queue::Config, ..in_partition("b", row("b", Due::At(t(0)))) };
    journal.append(add(vec![again])).await.unwrap();
    let settle = Settle { queue: Queue::Config, key: "b".to_owned(), claim: Some(claimed[0].claim) };
    let late = journal.append(Commit { at: t(1), settle: vec![settle], ..Commit::default() }).await;
    assert!(matches!(late, Err(AppendError::ClaimLost { .. })), "{late:?}");
}
