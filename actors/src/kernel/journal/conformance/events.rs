//! Streams, versions, repeats, fences, reading, hints, views.

use super::*;

cases![
    versions_are_checked,
    a_commit_is_atomic_over_streams,
    one_stream_may_be_written_twice_in_a_commit,
    an_empty_write_checks_only,
    a_repeat_is_recognised,
    a_partial_repeat_is_refused,
    contradictions_are_refused,
    stale_fences_are_refused,
    events_come_back_as_written,
    positions_are_gapless_under_concurrency,
    only_one_of_many_writers_creates_a_stream,
    a_large_payload_survives,
    the_log_is_read_in_pages,
    hints_follow_commits,
    views_equal_the_log,
    verify_finds_a_missing_body,
    bodies_are_kept_and_purged,
    archived_events_leave_the_log,
    a_stream_that_moved_on_is_not_trimmed,
    a_copy_learns_of_archived_streams,
    a_closed_journal_refuses,
];

fn trim(key: &str, version: u64) -> Trim {
    Trim { stream: stream(key), version }
}

/// As it happens: the event that tells of it and the trimming in one commit.
fn archive(trims: Vec<Trim>) -> Commit {
    Commit { trim: trims, ..events("archive", Expected::Any, 1) }
}

async fn positions(journal: &Arc<dyn JournalAdmin>, after: u64) -> Vec<u64> {
    journal.read_log(after, 100).await.unwrap().iter().map(|event| event.position).collect()
}

async fn archived_events_leave_the_log(journal: Arc<dyn JournalAdmin>) {
    journal.append(events("a", Expected::NoStream, 2)).await.unwrap();
    journal.append(events("b", Expected::NoStream, 1)).await.unwrap();
    journal.append(events("a", Expected::Exact(2), 1)).await.unwrap();
    let appended = journal.append(archive(vec![trim("a", 3)])).await.unwrap();
    assert_eq!(appended.position, 5);
    assert_eq!(positions(&journal, 0).await, [3, 5]);
    assert_eq!(positions(&journal, 3).await, [5]);
    assert!(journal.read_stream(&stream("a"), 0).await.unwrap().is_empty());
    // The stream is still known.
    let refused = journal.append(events("a", Expected::NoStream, 1)).await.unwrap_err();
    assert!(matches!(refused, AppendError::Conflict { actual: 3, .. }), "{refused}");
    journal.append(events("a", Expected::Exact(3), 2)).await.unwrap();
    for after in [0, 3, 4] {
        let known = journal.read_stream(&stream("a"), after).await.unwrap();
        let versions: Vec<u64> = known.iter().map(|event| event.version).collect();
        assert_eq!(versions, (after.max(3) + 1..=5).collect::<Vec<_>>());
    }
    assert_eq!(journal.trimmed(0, 9).await.unwrap(), [trim("a", 3)]);
    let report = journal.verify().await.unwrap();
    assert_eq!((report.events, report.trimmed, report.streams), (4, 3, 3));
    assert_eq!(report.problems, Vec::<String>::new());
    // Again, when it is settled again; and even the end of the log may go.
    journal.append(archive(vec![trim("a", 5), trim("b", 1), trim("archive", 2)])).await.unwrap_err();
    journal.append(Commit { trim: vec![trim("a", 5), trim("b", 1)], ..Commit::default() }).await.unwrap();
    assert_eq!((journal.head().await.unwrap(), positions(&journal, 0).await), (7, vec![5]));
    assert_eq!(journal.append(events("c", Expected::NoStream, 1)).await.unwrap().position, 8);
    assert_eq!(journal.verify().await.unwrap().problems, Vec::<String>::new());
}

async fn a_stream_that_moved_on_is_not_trimmed(journal: Arc<dyn JournalAdmin>) {
    journal.append(events("a", Expected::NoStream, 2)).await.unwrap();
    journal.append(events("b", Expected::NoStream, 1)).await.unwrap();
    let refused = journal.append(archive(vec![trim("b", 1), trim("a", 1)])).await.unwrap_err();
    assert_eq!(refused.to_string(), "stream test-a is at version 2, the writer expected version 1");
    assert_eq!(positions(&journal, 0).await, [1, 2, 3], "nothing has changed");
    assert!(journal.trimmed(0, 9).await.unwrap().is_empty());
    let twice = journal.append(archive(vec![trim("a", 2), trim("a", 2)])).await;
    assert!(matches!(twice, Err(AppendError::Rejected(_))));
    let written = journal.append(archive(vec![trim("archive", 1)])).await;
    assert!(matches!(written, Err(AppendError::Rejected(_))));
}

async fn a_copy_learns_of_archived_streams(journal: Arc<dyn JournalAdmin>) {
    journal.append(Commit { trim: vec![trim("a", 3), trim("b", 1)], ..Commit::default() }).await.unwrap();
    assert_eq!(journal.head().await.unwrap(), 0);
    let refused = journal.append(events("a", Expected::NoStream, 1)).await.unwrap_err();
    assert!(matches!(refused, AppendError::Conflict { actual: 3, .. }), "{refused}");
    journal.append(events("a", Expected::Exact(3), 1)).await.unwrap();
    let known = journal.read_stream(&stream("a"), 0).await.unwrap();
    assert_eq!(known.iter().map(|event| (event.position, event.version)).collect::<Vec<_>>(), [(1, 4)]);
    let mut pages = journal.trimmed(0, 1).await.unwrap();
    pages.extend(journal.trimmed(1, 1).await.unwrap());
    pages.sort_by(|one, other| one.stream.cmp(&other.stream));
    assert_eq!(pages, [trim("a", 3), trim("b", 1)]);
    let report = journal.verify().await.unwrap();
    assert_eq!((report.trimmed, report.problems), (4, Vec::new()));
}

async fn versions_are_checked(journal: Arc<dyn JournalAdmin>) {
    let first = journal.append(events("a", Expected::NoStream, 2)).await.unwrap();
    assert_eq!(first, Appended { position: 2, already_there: false });
    let refused = journal.append(events("a", Expected::NoStream, 1)).await.unwrap_err();
    assert!(
        matches!(&refused, AppendError::Conflict { stream: s, actual: 2, expected } if *s == stream("a") && expected == "no stream"),
        "{refused}"
    );
    let refused = journal.append(events("a", Expected::Exact(1), 1)).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "stream test-a is at version 2, the writer expected version 1",
        "the words tell what to look for"
    );
    let refused = journal.append(events("b", Expected::Exact(1), 1)).await.unwrap_err();
    assert!(matches!(refused, AppendError::Conflict { actual: 0, .. }));
    journal.append(events("a", Expected::Exact(2), 1)).await.unwrap();
    journal.append(events("a", Expected::Any, 1)).await.unwrap();
    journal.append(events("b", Expected::Any, 1)).await.unwrap();
    let versions: Vec<u64> =
        journal.read_stream(&stream("a"), 0).await.unwrap().iter().map(|e| e.version).collect();
    assert_eq!(versions, [1, 2, 3, 4]);
}

async fn a_commit_is_atomic_over_streams(journal: Arc<dyn JournalAdmin>) {
    journal.append(events("b", Expected::NoStream, 1)).await.unwrap();
    let mut commit = events("a", Expected::NoStream, 1);
    commit.writes.push(write("b", Expected::NoStream, 1));
    commit.add.push(row("k", Due::At(t(0))));
    commit.bodies.push(Body { key: "body".to_owned(), bytes: Bytes::from_static(b"x"), keep_until: t(9) });
    assert!(matches!(journal.append(commit.clone()).await, Err(AppendError::Conflict { .. })));
    assert_eq!(journal.head().await.unwrap(), 1);
    assert!(journal.read_stream(&stream("a"), 0).await.unwrap().is_empty());
    assert!(journal.outbox(Queue::Deliver, 9).await.unwrap().is_empty());
    assert_eq!(journal.body("body").await.unwrap(), None);

    commit.writes[1].expected = Expected::Exact(1);
    let appended = journal.append(commit).await.unwrap();
    assert_eq!(appended.position, 3);
    assert_eq!(journal.read_stream(&stream("b"), 1).await.unwrap()[0].position, 3);
    assert_eq!(journal.outbox(Queue::Deliver, 9).await.unwrap().len(), 1);
}

async fn one_stream_may_be_written_twice_in_a_commit(journal: Arc<dyn JournalAdmin>) {
    let mut commit = events("a", Expected::NoStream, 1);
    commit.writes.push(write("a", Expected::Exact(1), 2));
    journal.append(commit).await.unwrap();
    let versions: Vec<u64> =
        journal.read_stream(&stream("a"), 0).await.unwrap().iter().map(|e| e.version).collect();
    assert_eq!(versions, [1, 2, 3]);
    let mut commit = events("b", Expected::NoStream, 1);
    commit.writes.push(write("b", Expected::NoStream, 1));
    assert!(matches!(journal.append(commit).await, Err(AppendError::Conflict { actual: 1, .. })));
    assert_eq!(journal.head().await.unwrap(), 3);
}

async fn an_empty_write_checks_only(journal: Arc<dyn JournalAdmin>) {
    let commit = Commit { at: t(0), writes: vec![write("a", Expected::NoStream, 0)], ..Commit::default() };
    let appended = journal.append(commit.clone()).await.unwrap();
    assert_eq!(appended, Appended { position: 0, already_there: false });
    journal.append(events("a", Expected::NoStream, 1)).await.unwrap();
    assert!(matches!(journal.append(commit).await, Err(AppendError::Conflict { actual: 1, .. })));
    let appended = journal.append(Commit::default()).await.unwrap();
    assert_eq!(appended, Appended { position: 1, already_there: false });
}

async fn a_repeat_is_recognised(journal: Arc<dyn JournalAdmin>) {
    let fence = journal.raise_fence("poller").await.unwrap();
    let mut commit = events("a", Expected::NoStream, 2);
    commit.add.push(row("k", Due::At(t(0))));
    commit.fence = Some(Fence { lease: "poller".to_owned(), token: fence });
    journal.append(commit.clone()).await.unwrap();
    journal.append(events("a", Expected::Exact(2), 1)).await.unwrap();
    let claimed = journal.claim(request(0)).await.unwrap();
    journal.append(settle("k", Some(claimed[0].claim))).await.unwrap();
    // The stream has moved on and the lease has gone: the commit is there all the same.
    journal.raise_fence("poller").await.unwrap();
    let again = journal.append(commit).await.unwrap();
    assert_eq!(again, Appended { position: 2, already_there: true });
    assert_eq!(journal.head().await.unwrap(), 3);
    assert!(journal.outbox(Queue::Deliver, 9).await.unwrap().is_empty(), "the settled row stays settled");
}

async fn a_partial_repeat_is_refused(journal: Arc<dyn JournalAdmin>) {
    let first = events("a", Expected::NoStream, 1);
    journal.append(first.clone()).await.unwrap();
    let mut more = first.clone();
    more.writes[0].events.push(event(1));
    assert!(matches!(journal.append(more).await, Err(AppendError::Rejected(_))));
    let mut elsewhere = first;
    elsewhere.writes[0].stream = stream("b");
    assert!(matches!(journal.append(elsewhere).await, Err(AppendError::Rejected(_))));
    assert_eq!(journal.head().await.unwrap(), 1);
}

async fn contradictions_are_refused(journal: Arc<dyn JournalAdmin>) {
    let mut twice = events("a", Expected::NoStream, 1);
    let same = twice.writes[0].events[0].clone();
    twice.writes[0].events.push(same);
    let mut ended_twice = settle("k", None);
    ended_twice.defer.push(Defer {
        queue: Queue::Deliver,
        key: "k".to_owned(),
        claim: None,
        due: Due::Parked,
        meta: None,
        partition: None,
    });
    let nameless = add(vec![row("", Due::At(t(0)))]);
    let homeless = add(vec![in_partition("", row("k", Due::At(t(0))))]);
    let mut moved_nowhere = defer("k", None, Due::Parked);
    moved_nowhere.defer[0].partition = Some(String::new());
    for commit in [twice, ended_twice, nameless, homeless, moved_nowhere] {
        let refused = journal.append(commit.clone()).await;
        assert!(matches!(refused, Err(AppendError::Rejected(_))), "{commit:?}: {refused:?}");
    }
    assert_eq!(journal.head().await.unwrap(), 0);
}

async fn stale_fences_are_refused(journal: Arc<dyn JournalAdmin>) {
    let fenced = |lease: &str, token, key: &str| Commit {
        fence: Some(Fence { lease: lease.to_owned(), token }),
        ..events(key, Expected::NoStream, 1)
    };
    let first = journal.raise_fence("poller").await.unwrap();
    journal.append(fenced("poller", first, "a")).await.unwrap();
    let other = journal.raise_fence("other").await.unwrap();
    let second = journal.raise_fence("poller").await.unwrap();
    assert!(0 < first && first < second, "{first} {second}");
    // One above the present fence is from a log that was lost, or from nowhere.
    for stale in [first, second + 1] {
        let refused = journal.append(fenced("poller", stale, "b")).await.unwrap_err();
        assert!(
            matches!(&refused, AppendError::Fenced { lease, held, current }
                if lease == "poller" && *held == stale && *current == second),
            "{refused}"
        );
    }
    journal.append(fenced("other", other, "c")).await.unwrap();
    journal.append(fenced("poller", second, "b")).await.unwrap();
    assert_eq!(journal.head().await.unwrap(), 3);
}

async fn events_come_back_as_written(journal: Arc<dyn JournalAdmin>) {
    let cause = Uuid::from_u128(77);
    let at = t(0) + chrono::Duration::nanoseconds(123_456_789);
    let mut commit = events("a", Expected::NoStream, 1);
    commit.at = at;
    commit.cause = Some(cause);
    commit.writes[0].events[0].schema = 3;
    let new = commit.writes[0].events[0].clone();
    journal.append(commit).await.unwrap();
    let expected = Recorded {
        position: 1,
        id: new.id,
        stream: stream("a"),
        version: 1,
        kind: new.kind.to_owned(),
        schema: 3,
        at: t(0) + chrono::Duration::microseconds(123_456),
        cause: Some(cause),
        payload: new.payload,
    };
    let of_stream = journal.read_stream(&stream("a"), 0).await.unwrap();
    assert_eq!(of_stream, [expected]);
    assert_eq!(journal.read_log(0, 10).await.unwrap(), of_stream);
    assert!(journal.read_stream(&stream("a"), 1).await.unwrap().is_empty());
    assert!(journal.read_stream(&stream("none"), 0).await.unwrap().is_empty());
}

async fn positions_are_gapless_under_concurrency(journal: Arc<dyn JournalAdmin>) {
    let writers = (0..50).map(|writer: u64| {
        let journal = Arc::clone(&journal);
        tokio::spawn(async move {
            let key = writer.to_string();
            for round in 0..5 {
                let expected = if round == 0 { Expected::NoStream } else { Expected::Exact(round * 2) };
                journal.append(events(&key, expected, 2)).await.unwrap();
                // Refusals in between leave no gap.
                journal.append(events(&key, Expected::NoStream, 1)).await.unwrap_err();
            }
        })
    });
    for writer in futures::future::join_all(writers).await {
        writer.unwrap();
    }
    let log = journal.read_log(0, 10_000).await.unwrap();
    let positions: Vec<u64> = log.iter().map(|event| event.position).collect();
    assert_eq!(positions, (1..=500).collect::<Vec<_>>());
    for writer in 0..50_u64 {
        let versions: Vec<u64> = journal
            .read_stream(&stream(&writer.to_string()), 0)
            .await
            .unwrap()
            .iter()
            .map(|event| event.version)
            .collect();
        assert_eq!(versions, (1..=10).collect::<Vec<_>>());
    }
    assert_eq!(journal.verify().await.unwrap().problems, Vec::<String>::new());
}

async fn only_one_of_many_writers_creates_a_stream(journal: Arc<dyn JournalAdmin>) {
    let writers = (0..20).map(|_| journal.append(events("a", Expected::NoStream, 1))).collect::<Vec<_>>();
    let won = futures::future::join_all(writers).await.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!((won, journal.head().await.unwrap()), (1, 1));
}

async fn a_large_payload_survives(journal: Arc<dyn JournalAdmin>) {
    let text = "0123456789abcdef".repeat(65_536);
    let mut commit = events("a", Expected::NoStream, 1);
    commit.writes[0].events[0].payload = json!({ "n": 1, "text": text });
    let bytes = Bytes::from(vec![0xA5; 1_048_576]);
    commit.bodies.push(Body { key: "large".to_owned(), bytes: bytes.clone(), keep_until: t(9) });
    journal.append(commit).await.unwrap();
    let read = journal.read_stream(&stream("a"), 0).await.unwrap();
    assert_eq!(read[0].payload["text"], json!(text));
    assert_eq!(journal.body("large").await.unwrap(), Some(bytes));
    assert_eq!(journal.verify().await.unwrap().problems, Vec::<String>::new());
}

async fn the_log_is_read_in_pages(journal: Arc<dyn JournalAdmin>) {
    for key in 0..5 {
        journal.append(events(&key.to_string(), Expected::NoStream, 3)).await.unwrap();
    }
    let mut seen = Vec::new();
    loop {
        let page = journal.read_log(seen.len() as u64, 4).await.unwrap();
        assert!(page.len() <= 4);
        if page.is_empty() {
            break;
        }
        seen.extend(page.into_iter().map(|event| event.position));
    }
    assert_eq!(seen, (1..=15).collect::<Vec<_>>());
    assert!(journal.read_log(15, 4).await.unwrap().is_empty());
    assert!(journal.read_log(99, 4).await.unwrap().is_empty());
    assert!(journal.read_log(0, 0).await.unwrap().is_empty());
}

async fn hints_follow_commits(journal: Arc<dyn JournalAdmin>) {
    let mut hints = journal.hints();
    let before = *hints.borrow_and_update();
    journal.append(events("a", Expected::NoStream, 2)).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), hints.changed()).await.unwrap().unwrap();
    let after = *hints.borrow_and_update();
    assert_eq!(after.position, before.position + 2);
    assert_eq!(after.queues, before.queues, "no row was added");

    journal.append(add(vec![row("k", Due::At(t(50)))])).await.unwrap();
    let added = *hints.borrow_and_update();
    assert!(added.queues[2] > after.queues[2]);
    assert_eq!(added.queues[3], after.queues[3], "only the queue that was added to");
    assert_eq!(journal.hasten(Queue::Deliver, None, t(1)).await.unwrap(), 1);
    let hastened = *hints.borrow_and_update();
    assert!(hastened.queues[2] > added.queues[2]);
    let claimed = journal.claim(request(1)).await.unwrap();
    journal.append(defer("k", Some(claimed[0].claim), Due::At(t(9)))).await.unwrap();
    assert!(hints.borrow_and_update().queues[2] > hastened.queues[2]);
}

async fn views_equal_the_log(journal: Arc<dyn JournalAdmin>) {
    let counted = |db: &Connection| db.query_row("SELECT coalesce(sum(n), 0) FROM kinds", [], |r| r.get(0));
    for round in 0..10_u64 {
        let mut commit = events(&round.to_string(), Expected::NoStream, round + 1);
        commit.writes[0].events[0].payload = json!({ "n": 10 + round });
        journal.append(commit).await.unwrap();
        let total: i64 = journal.views().read(counted).await.unwrap();
        assert_eq!(total.unsigned_abs(), journal.head().await.unwrap(), "acknowledged, so visible");
    }
    journal.append(events("0", Expected::NoStream, 1)).await.unwrap_err();
    let mut by_kind: HashMap<String, i64> = HashMap::new();
    for event in journal.read_log(0, 1_000).await.unwrap() {
        *by_kind.entry(event.kind).or_default() += 1;
    }
    let viewed: HashMap<String, i64> = journal
        .views()
        .read(|db| {
            db.prepare("SELECT kind, n FROM kinds")?.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect()
        })
        .await
        .unwrap();
    assert_eq!(viewed, by_kind);
    // One projection failed over an event and panicked over another; both were passed over.
    let stumbled: i64 = journal
        .views()
        .read(|db| db.query_row("SELECT count(*) FROM stumbling", [], |r| r.get(0)))
        .await
        .unwrap();
    assert_eq!(stumbled.unsigned_abs(), journal.head().await.unwrap() - 2);
    let failed = journal.views().read(|db| db.query_row("SELECT nonsense", [], |_| Ok(()))).await;
    assert!(failed.is_err());
}

async fn verify_finds_a_missing_body(journal: Arc<dyn JournalAdmin>) {
    journal.append(events("a", Expected::NoStream, 3)).await.unwrap();
    let with_body = |key: &str| OutboxAdd { body_key: Some(format!("{key}-body")), ..row(key, Due::Parked) };
    let mut commit = add(vec![with_body("k"), with_body("l")]);
    commit.bodies.push(Body { key: "k-body".to_owned(), bytes: Bytes::new(), keep_until: t(1) });
    journal.append(commit).await.unwrap();
    let report = journal.verify().await.unwrap();
    assert_eq!((report.events, report.streams, report.outbox), (3, 1, 2));
    assert_eq!(
        report.problems,
        [r#"deliver row "l" refers to the body "l-body", which is not there"#.to_owned()]
    );
    let claimed = journal.claim(request(0)).await.unwrap();
    assert!(claimed.is_empty());
}

async fn bodies_are_kept_and_purged(journal: Arc<dyn JournalAdmin>) {
    let body = |key: &str, text: &'static str, until| Body {
        key: key.to_owned(),
        bytes: Bytes::from_static(text.as_bytes()),
        keep_until: t(until),
    };
    let mut commit = add(vec![OutboxAdd { body_key: Some("used".to_owned()), ..row("k", Due::At(t(0))) }]);
    commit.bodies = vec![body("used", "one", 10), body("old", "two", 10), body("new", "three", 20)];
    journal.append(commit).await.unwrap();
    assert_eq!(journal.claim(request(0)).await.unwrap()[0].body, Some(Bytes::from_static(b"one")));
    assert_eq!(journal.purge(t(9)).await.unwrap(), 0);
    let keys = ["new", "none", "old", "used"].map(str::to_owned);
    let texts = |bodies: Vec<Option<Bytes>>| bodies.into_iter().map(|body| body.map(|bytes| bytes.to_vec()));
    let found: Vec<_> = texts(journal.bodies_of(&keys).await.unwrap()).collect();
    assert_eq!(found, [Some(b"three".to_vec()), None, Some(b"two".to_vec()), Some(b"one".to_vec())]);
    assert_eq!(journal.bodies_of(&[]).await.unwrap(), Vec::<Option<Bytes>>::new());
    assert_eq!(journal.purge(t(10)).await.unwrap(), 1);
    assert_eq!(journal.body("old").await.unwrap(), None);
    assert_eq!(journal.body("used").await.unwrap(), Some(Bytes::from_static(b"one")));

    let mut commit = settle("k", None);
    commit.bodies = vec![body("new", "four", 30)];
    journal.append(commit).await.unwrap();
    assert_eq!(journal.purge(t(20)).await.unwrap(), 1, "used, now that no row refers to it");
    assert_eq!(journal.body("new").await.unwrap(), Some(Bytes::from_static(b"four")));
}

async fn a_closed_journal_refuses(journal: Arc<dyn JournalAdmin>) {
    journal.append(events("a", Expected::NoStream, 1)).await.unwrap();
    journal.close().await;
    assert!(matches!(
        journal.append(events("b", Expected::NoStream, 1)).await,
        Err(AppendError::Rejected(_))
    ));
    assert!(matches!(journal.head().await, Err(JournalError::Unavailable(_))));
    assert!(matches!(journal.claim(request(0)).await, Err(JournalError::Unavailable(_))));
    assert!(journal.views().read(|_| Ok(())).await.is_err());
    journal.close().await;
}
