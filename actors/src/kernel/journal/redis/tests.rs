//! Against a real server, started for the test.

use std::sync::atomic::{AtomicU32, Ordering};

use render_signal_testkit::{Redis, free_port};

use super::*;
use crate::kernel::journal::conformance::{self, events, projections, request, row, stream, t, world};
use crate::kernel::journal::{Due, Expected};

/// A server of its own, killed at the end.
struct Server(Redis);

impl Server {
    fn start(settings: &[&str]) -> Self {
        Self(Redis::launch(settings))
    }

    fn plain() -> Self {
        Self::start(&["--appendonly", "no"])
    }

    fn kill(&mut self) {
        self.0.kill();
    }

    fn restart(&mut self) {
        self.0.relaunch();
    }

    fn url(&self) -> String {
        self.0.url()
    }

    fn options(&self) -> RedisOptions {
        RedisOptions::new(self.url())
    }

    /// An empty journal of its own.
    fn fresh(&self) -> RedisOptions {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed));
        RedisOptions { prefix, ..self.options() }
    }

    fn command(&self, words: &[&str]) -> ::redis::Value {
        let mut connection = ::redis::Client::open(self.url()).unwrap().get_connection().unwrap();
        let mut command = cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut connection).unwrap()
    }
}

async fn open(options: RedisOptions) -> Arc<RedisJournal> {
    RedisJournal::open(options, world(), projections()).await.unwrap()
}

/// Opens journals from outside of a runtime, or inside of another one.
struct Opener(tokio::runtime::Runtime);

impl Opener {
    fn new() -> Self {
        Self(tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap())
    }

    fn open(&self, options: RedisOptions) -> Arc<dyn JournalAdmin> {
        std::thread::scope(|scope| scope.spawn(|| self.0.block_on(open(options))).join().unwrap())
    }
}

#[test]
fn does_what_every_journal_does() {
    let server = Server::plain();
    let opener = Opener::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(conformance::run_all(|| opener.open(server.fresh())));
}

#[test]
fn agrees_with_the_model() {
    let server = Server::plain();
    let opener = Opener::new();
    conformance::answers_agree(64, || opener.open(server.fresh()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_share_a_log_and_hear_of_each_other() {
    let server = Server::plain();
    let (one, other) = (open(server.options()).await, open(server.options()).await);
    let mut hints = other.hints();
    let heard = async {
        loop {
            one.append(conformance::add(vec![row("k", Due::At(t(0)))])).await.unwrap();
            let changed = tokio::time::timeout(Duration::from_millis(100), hints.changed()).await;
            if changed.is_ok() && hints.borrow_and_update().queues[2] > 0 {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), heard).await.unwrap();
    one.append(events("a", Expected::NoStream, 3)).await.unwrap();
    assert_eq!(counted(&other).await, 3, "a view shows what another worker wrote");
    assert!(other.append(events("a", Expected::NoStream, 1)).await.is_err());
    let claimed = one.claim(request(0)).await.unwrap();
    drop(one);
    assert!(other.claim(request(59)).await.unwrap().is_empty());
    let again = other.claim(request(60)).await.unwrap();
    assert_eq!(again[0].key, claimed[0].key, "the claim of a worker that is gone runs out by itself");
}

/// Claims again and again, until there is something: long before any claim runs out.
async fn until_claimed(journal: &RedisJournal) -> Vec<crate::kernel::journal::Claimed> {
    for _ in 0..600 {
        // An answer that is lost with its connection may be one of those that the test is about.
        let claimed = journal.claim(request(1)).await.unwrap_or_default();
        if !claimed.is_empty() {
            return claimed;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing is released");
}

fn impatient(server: &Server) -> RedisOptions {
    RedisOptions { silence: Duration::from_millis(1_500), ..server.options() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_claims_of_a_worker_that_is_not_heard_of_are_released_and_no_others() {
    let server = Server::plain();
    let (one, two, three) =
        (open(impatient(&server)).await, open(impatient(&server)).await, open(impatient(&server)).await);
    let ordered = |key: &str| conformance::ordered("o", row(key, Due::At(t(0))));
    one.append(conformance::add(vec![row("a", Due::At(t(0))), ordered("b"), ordered("c")])).await.unwrap();
    let dead = one.claim(crate::kernel::journal::ClaimRequest { limit: 2, ..request(0) }).await.unwrap();
    assert_eq!(dead.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    two.append(conformance::add(vec![row("kept", Due::At(t(0)))])).await.unwrap();
    let kept = two.claim(request(0)).await.unwrap();
    assert_eq!(kept[0].key, "kept");
    drop(one);
    let mut released = until_claimed(&three).await;
    while released.len() < 2 {
        released.extend(until_claimed(&three).await);
    }
    let mut keys: Vec<_> = released.iter().map(|row| row.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["a", "b"], "and the row behind the ordered one still waits");
    let refused = three.append(conformance::settle("a", Some(dead[0].claim))).await.unwrap_err();
    assert!(matches!(refused, AppendError::ClaimLost { .. }), "{refused}");
    two.append(conformance::settle("kept", Some(kept[0].claim))).await.expect("its worker lives");

    three.close().await;
    let again = two.claim(request(1)).await.unwrap();
    assert_eq!(again.len(), 2, "whoever leaves gives its claims back at once");
    assert_eq!(two.verify().await.unwrap().problems, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_frozen_makes_nobody_a_dead_worker() {
    let server = Server::plain();
    let (one, two) = (open(impatient(&server)).await, open(impatient(&server)).await);
    one.append(conformance::add(vec![row("a", Due::At(t(0)))])).await.unwrap();
    let claimed = one.claim(request(0)).await.unwrap();
    assert!(two.claim(request(0)).await.unwrap().is_empty());
    // Until both are known to have been there for long enough to judge others.
    tokio::time::sleep(Duration::from_secs(3)).await;
    server.command(&["CLIENT", "PAUSE", "3000"]);
    tokio::time::sleep(Duration::from_secs(5)).await;
    one.append(conformance::settle("a", Some(claimed[0].claim))).await.expect("the claim still holds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_whose_answer_was_lost_is_given_back() {
    let server = Server::plain();
    let options = RedisOptions { response: Duration::from_secs(2), ..impatient(&server) };
    let journal = open(options).await;
    journal.append(conformance::add(vec![row("a", Due::At(t(0)))])).await.unwrap();
    let mut other = request(0);
    other.queue = crate::kernel::journal::Queue::Flag;
    assert!(journal.claim(other).await.unwrap().is_empty(), "the server knows the script");
    server.command(&["CLIENT", "PAUSE", "60000", "WRITE"]);
    assert!(journal.claim(request(0)).await.is_err());
    server.command(&["CLIENT", "UNPAUSE"]);
    assert_eq!(until_claimed(&journal).await[0].key, "a");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fence_of_a_log_that_was_lost_is_worth_nothing_beside_a_new_one() {
    let server = Server::plain();
    let (old, new) = (open(server.options()).await, open(server.options()).await);
    for _ in 0..5 {
        old.raise_fence("poller").await.unwrap();
    }
    let before = old.raise_fence("poller").await.unwrap();
    let mut noticed = old.losses();
    server.command(&["FLUSHALL"]);
    let after = loop {
        match new.raise_fence("poller").await {
            Ok(fence) => break fence,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    assert!(before < after, "{before} {after}");
    let fenced = |token| Commit {
        fence: Some(crate::kernel::journal::Fence { lease: "poller".to_owned(), token }),
        ..events("a", Expected::NoStream, 1)
    };
    // The first answer may tell no more than that the log is another one.
    let refused = match old.append(fenced(before)).await {
        Err(AppendError::Rejected(_)) => old.append(fenced(before)).await,
        answer => answer,
    };
    assert!(matches!(refused, Err(AppendError::Fenced { .. })), "{refused:?}");
    noticed.changed().await.unwrap();
    let loss = noticed.borrow().clone().unwrap();
    assert_eq!((loss.number, loss.found_head), (1, 0));
    assert_ne!(loss.known_log, loss.found_log);
    let written = match new.append(fenced(after)).await {
        Err(AppendError::Rejected(_)) => new.append(fenced(after)).await,
        answer => answer,
    };
    assert_eq!(written.unwrap().position, 1, "the present holder writes");
}

async fn counted(journal: &RedisJournal) -> i64 {
    let sum =
        |db: &rusqlite::Connection| db.query_row("SELECT coalesce(sum(n), 0) FROM kinds", [], |r| r.get(0));
    journal.views().read(sum).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lost_everything_is_noticed() {
    let mut server = Server::plain();
    let journal = open(server.options()).await;
    journal.append(events("a", Expected::NoStream, 3)).await.unwrap();
    assert_eq!(counted(&journal).await, 3);
    server.restart();
    let mut hints = journal.hints();
    hints.mark_unchanged();
    let refused = loop {
        match journal.append(events("a", Expected::Exact(3), 1)).await {
            Err(AppendError::Rejected(why)) if why.contains("has lost") => break why,
            Err(AppendError::Indeterminate(_) | AppendError::Rejected(_)) => {}
            // The look on a timer or at reconnection was quicker.
            Err(AppendError::Conflict { actual: 0, .. }) => break String::new(),
            other => panic!("{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    println!("{refused}");
    assert!(hints.has_changed().unwrap());
    assert_eq!(journal.head().await.unwrap(), 0);
    assert_eq!(counted(&journal).await, 0, "the read models show what is left");
    journal.append(events("a", Expected::NoStream, 2)).await.unwrap();
    assert_eq!(counted(&journal).await, 2);
    assert_eq!(journal.verify().await.unwrap().problems, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_got_shorter_is_noticed() {
    let server = Server::start(&["--appendonly", "no"]);
    let journal = open(server.options()).await;
    journal.append(events("a", Expected::NoStream, 2)).await.unwrap();
    let kept = server.command(&["DUMP", "{rs:journal}:meta"]);
    journal.append(events("b", Expected::NoStream, 1)).await.unwrap();
    assert_eq!(counted(&journal).await, 3);
    cut(&server, &kept, 3, 3);
    let refused = journal.append(events("c", Expected::NoStream, 1)).await.unwrap_err();
    assert!(matches!(&refused, AppendError::Rejected(why) if why.contains("has lost")), "{refused}");
    assert_eq!(counted(&journal).await, 2);
    journal.append(events("c", Expected::NoStream, 1)).await.unwrap();
    assert_eq!(counted(&journal).await, 3);
}

/// As after a restart from a snapshot that lacks the events from `first` on, of stream `b`.
fn cut(server: &Server, kept: &::redis::Value, first: u64, last: u64) {
    let ::redis::Value::BulkString(kept) = kept else { panic!() };
    let mut connection = ::redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    // At once, as a restart does: who looks meanwhile must not see the half of it.
    let mut cut = ::redis::pipe();
    cut.atomic().cmd("RESTORE").arg("{rs:journal}:meta").arg(0).arg(kept).arg("REPLACE");
    for position in first..=last {
        cut.cmd("XDEL").arg("{rs:journal}:log").arg(format!("{position}-0"));
    }
    cut.cmd("XSETID").arg("{rs:journal}:log").arg(format!("{}-0", first - 1));
    cut.cmd("DEL").arg("{rs:journal}:stream:test-b");
    cut.exec(&mut connection).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_cut_and_has_grown_again_is_noticed_by_every_worker() {
    // Who notices first: a commit, or a look.
    for by_commit in [true, false] {
        let server = Server::plain();
        let (one, other) = (open(server.options()).await, open(server.options()).await);
        one.append(events("a", Expected::NoStream, 2)).await.unwrap();
        let kept = server.command(&["DUMP", "{rs:journal}:meta"]);
        one.append(events("b", Expected::NoStream, 1)).await.unwrap();
        assert_eq!(other.head().await.unwrap(), 3);
        let (mut first, mut second) = (one.losses(), other.losses());
        cut(&server, &kept, 3, 3);
        if by_commit {
            // A timer may be quicker, and then the commit goes through.
            drop(one.append(events("c", Expected::NoStream, 1)).await);
        } else {
            assert_eq!(one.head().await.unwrap(), 2);
        }
        first.changed().await.unwrap();
        for name in ["d", "e", "f"] {
            one.append(events(name, Expected::NoStream, 1)).await.unwrap();
        }
        // It could go on as if nothing had happened: its streams look the same.
        let refused = other.append(events("a", Expected::Exact(2), 1)).await;
        if second.has_changed().unwrap() {
            second.mark_unchanged();
        } else {
            panic!("{refused:?}, and no loss is known of");
        }
        let (first, second) = (first.borrow().clone().unwrap(), second.borrow().clone().unwrap());
        assert_eq!((first.number, second.number, second.known_head), (1, 1, 3));
        assert_eq!(first.found_log, second.found_log, "one new name, by whoever was first");
        other.head().await.unwrap();
        one.head().await.unwrap();
        assert_eq!(other.losses().borrow().clone().unwrap().number, 1, "once is enough");
        assert_eq!(one.losses().borrow().clone().unwrap().number, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_has_grown_again_before_anybody_looked_is_told_to_all_by_whoever_sees_it() {
    let server = Server::plain();
    let (one, other) = (open(server.options()).await, open(server.options()).await);
    one.append(events("a", Expected::NoStream, 2)).await.unwrap();
    let kept = server.command(&["DUMP", "{rs:journal}:meta"]);
    one.append(events("b", Expected::NoStream, 2)).await.unwrap();
    assert_eq!((counted(&one).await, other.head().await.unwrap()), (4, 4));
    let (mut first, mut second) = (one.losses(), other.losses());
    // By somebody who has not known the log before.
    cut(&server, &kept, 3, 4);
    let new = open(server.options()).await;
    new.append(events("c", Expected::NoStream, 3)).await.unwrap();
    assert_eq!(counted(&one).await, 5);
    first.changed().await.unwrap();
    drop(other.append(events("a", Expected::Exact(2), 1)).await);
    second.changed().await.unwrap();
    assert_eq!(counted(&other).await, counted(&one).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_last_known_event_that_was_archived_is_no_loss() {
    let server = Server::plain();
    let (one, other) = (open(server.options()).await, open(server.options()).await);
    one.append(events("a", Expected::NoStream, 2)).await.unwrap();
    assert_eq!(counted(&other).await, 2);
    one.append(events("b", Expected::NoStream, 1)).await.unwrap();
    let gone = vec![Trim { stream: stream("a"), version: 2 }];
    one.append(Commit { trim: gone, ..events("archive", Expected::NoStream, 1) }).await.unwrap();
    assert_eq!(counted(&other).await, 4, "it saw them all");
    assert_eq!(other.losses().borrow().clone(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_refuses_and_comes_back() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let journal = open(server.options()).await;
    let commit = events("a", Expected::NoStream, 2);
    journal.append(commit.clone()).await.unwrap();
    server.kill();
    let refused = journal.append(events("b", Expected::NoStream, 1)).await.unwrap_err();
    assert!(matches!(refused, AppendError::Rejected(_) | AppendError::Indeterminate(_)), "{refused}");
    assert!(matches!(journal.head().await, Err(JournalError::Unavailable(_))));
    assert!(journal.views().read(|_| Ok(())).await.is_err());
    server.restart();
    let again = loop {
        if let Ok(appended) = journal.append(commit.clone()).await {
            break appended;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(again, Appended { position: 2, already_there: true });
    assert_eq!(counted(&journal).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_or_read_only_server_has_written_nothing() {
    let server = Server::plain();
    let journal = open(server.options()).await;
    journal.append(events("a", Expected::NoStream, 1)).await.unwrap();
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = journal.append(events("b", Expected::NoStream, 1)).await.unwrap_err();
    assert!(matches!(refused, AppendError::Rejected(_)), "{refused:?}");
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    let refused = journal.append(events("b", Expected::NoStream, 1)).await.unwrap_err();
    assert!(matches!(refused, AppendError::Rejected(_)), "{refused:?}");
    server.command(&["REPLICAOF", "NO", "ONE"]);
    journal.append(events("b", Expected::NoStream, 1)).await.unwrap();
    assert_eq!(journal.read_stream(&stream("b"), 0).await.unwrap()[0].position, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_takes_too_long_is_an_unknown_outcome() {
    let server = Server::plain();
    let options = RedisOptions { response: Duration::from_secs(2), ..server.options() };
    let journal = open(options).await;
    // The server must know the script: it is not loaded after the time is over.
    journal.append(events("b", Expected::NoStream, 1)).await.unwrap();
    server.command(&["CLIENT", "PAUSE", "60000", "WRITE"]);
    let commit = events("a", Expected::NoStream, 1);
    let unknown = journal.append(commit.clone()).await.unwrap_err();
    assert!(matches!(unknown, AppendError::Indeterminate(_)), "{unknown:?}");
    server.command(&["CLIENT", "UNPAUSE"]);
    assert!(journal.append(commit).await.unwrap().already_there, "it was written after all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_look_while_a_server_is_frozen_wait_once_and_not_one_after_the_other() {
    let server = Server::plain();
    let response = Duration::from_secs(2);
    let journal = open(RedisOptions { response, ..server.options() }).await;
    journal.append(events("a", Expected::NoStream, 1)).await.unwrap();
    server.command(&["CLIENT", "PAUSE", "60000", "ALL"]);
    let began = std::time::Instant::now();
    let looks =
        (0..10).map(|_| {
            let journal = Arc::clone(&journal);
            async move {
                journal.views().read(|db| db.query_row("SELECT 1", [], |row| row.get::<_, i64>(0))).await
            }
        });
    let answers = futures::future::join_all(looks).await;
    assert!(answers.iter().all(Result::is_err), "{answers:?}");
    // Ten times the time that one look may take, were they to wait for each other.
    assert!(began.elapsed() < response * 5, "{:?}", began.elapsed());
}

#[tokio::test]
async fn the_settings_of_the_server_are_looked_at() {
    let durability = |settings: &'static [&'static str]| async move {
        let server = Server::start(settings);
        open(server.options()).await.durability()
    };
    assert_eq!(durability(&["--appendonly", "no"]).await, Durability::UntilRestart);
    assert_eq!(durability(&["--appendonly", "yes"]).await, Durability::UpToTwoSeconds);
    assert_eq!(durability(&["--appendonly", "yes", "--appendfsync", "always"]).await, Durability::OnDisk);
    let hidden = ["--appendonly", "yes", "--rename-command", "CONFIG", ""];
    assert_eq!(durability(Box::leak(Box::new(hidden))).await, Durability::Unknown);

    let server = Server::start(&["--maxmemory-policy", "allkeys-lru"]);
    let refused = RedisJournal::open(server.options(), world(), projections()).await.unwrap_err();
    assert!(refused.to_string().contains("noeviction"), "{refused}");
    let nobody = RedisOptions::new("redis://127.0.0.1:1/");
    let refused = RedisJournal::open(nobody, world(), projections()).await.unwrap_err();
    assert!(matches!(refused, JournalError::Unavailable(_)), "{refused}");
}

#[tokio::test]
async fn damage_is_found() {
    let server = Server::plain();
    let journal = open(server.options()).await;
    let mut commit = events("a", Expected::NoStream, 3);
    commit.bodies.push(crate::kernel::journal::Body {
        key: "k".to_owned(),
        bytes: Bytes::from_static(b"bytes"),
        keep_until: t(9),
    });
    journal.append(commit).await.unwrap();
    server.command(&["XDEL", "{rs:journal}:log", "2-0"]);
    server.command(&["HSET", "{rs:journal}:body:k", "bytes", "other"]);
    server.command(&["RPOP", "{rs:journal}:stream:test-a"]);
    assert_eq!(
        journal.verify().await.unwrap().problems,
        [
            "event 3 has version 3 after 1 in its stream",
            "1 events are missing from the log, 0 were archived",
            "stream test-a should have 3 events and has 2",
            "body \"k\" does not match its checksum"
        ]
    );
}

#[tokio::test]
async fn a_log_of_a_newer_program_is_refused() {
    let server = Server::plain();
    drop(open(server.options()).await);
    server.command(&["HSET", "{rs:journal}:meta", "format", "9"]);
    let refused = RedisJournal::open(server.options(), world(), projections()).await.unwrap_err();
    assert!(matches!(refused, JournalError::FromTheFuture { found: 9, .. }), "{refused}");
}

#[tokio::test]
async fn a_journal_of_another_installation_is_refused_until_somebody_says_that_it_is_the_same() {
    let server = Server::plain();
    let with = |owner| RedisOptions { owner, ..server.options() };
    let of = |mailbox, documents| with(Owner::Noted(Installation::new(mailbox, documents)));
    let refusal = async |options| match RedisJournal::open(options, world(), projections()).await {
        Ok(_) => String::new(),
        Err(refused) => {
            assert!(matches!(refused, JournalError::Foreign { .. }), "{refused}");
            refused.to_string()
        }
    };
    // One that an older program made, and a worker that knows no mailbox: nobody's yet.
    drop(open(server.options()).await);
    assert_eq!(refusal(of(None, None)).await, "");
    let look = |mailbox| with(Owner::Compared(Installation::new(Some(mailbox), None)));
    assert_eq!(refusal(look("two@example.fr")).await, "", "a look notes nothing");
    assert_eq!(refusal(of(Some("one@example.fr"), None)).await, "");
    assert_eq!(refusal(of(None, Some("r:one:"))).await, "", "what is not known yet is noted");
    assert_eq!(refusal(of(Some("One@Example.FR"), Some("r:one:"))).await, "");

    let refused = refusal(of(Some("one@example.fr"), Some("r:two:"))).await;
    assert!(refused.contains("CONFIG_STORE_REDIS_PREFIX=r:one:, here it is r:two:"), "{refused}");
    assert!(refused.contains("JOURNAL_REDIS_PREFIX") && refused.contains("events adopt"), "{refused}");
    let other = of(Some("two@example.fr"), Some("r:one:"));
    let refused = refusal(other.clone()).await;
    assert!(refused.contains("another mailbox"), "{refused}");
    assert!(!refused.contains("example.fr"), "{refused}");
    assert_eq!(refusal(of(Some("one@example.fr"), Some("r:one:"))).await, "", "a refusal notes nothing");
    assert_eq!(refusal(RedisOptions { prefix: "rs:two".to_owned(), ..other.clone() }).await, "");

    assert!(refusal(look("two@example.fr")).await.contains("another mailbox"));

    let journal = open(server.options()).await;
    let adopted = &Installation::new(Some("two@example.fr"), Some("r:one:"));
    assert!(journal.adopt(adopted).await.unwrap().unwrap().contains("another mailbox"));
    assert_eq!(journal.adopt(adopted).await.unwrap(), None);
    assert_eq!(refusal(other).await, "");
    assert!(refusal(of(Some("one@example.fr"), Some("r:one:"))).await.contains("another mailbox"));
}

#[tokio::test]
async fn scripts_run_where_the_acl_forbids_to_load_them() {
    let server = Server::plain();
    for (user, forbidden) in [("unloaded", &["-script"][..]), ("unhashed", &["-script", "-evalsha"][..])] {
        let rights = ["ACL", "SETUSER", user, "on", ">secret", "~*", "&*", "+@all"];
        server.command(&rights.into_iter().chain(forbidden.iter().copied()).collect::<Vec<_>>());
        // No script is known to the server.
        server.command(&["SCRIPT", "FLUSH"]);
        let url = format!("redis://{user}:secret@127.0.0.1:{}/", server.0.port());
        let options = RedisOptions { prefix: user.to_owned(), ..RedisOptions::new(url) };
        let journal = open(options).await;
        let mut commit = events("a", Expected::NoStream, 2);
        commit.add.push(row("r", Due::At(t(0))));
        journal.append(commit).await.unwrap();
        assert_eq!(journal.claim(request(1)).await.unwrap().len(), 1, "{user}");
        assert_eq!(counted(&journal).await, 2, "{user}");
    }
}

#[tokio::test]
async fn a_server_in_cluster_mode_is_refused_with_a_word_that_helps() {
    // By default it also listens 10,000 ports above its own, where somebody else may be.
    let bus = free_port().to_string();
    let server = Server::start(&["--cluster-enabled", "yes", "--cluster-port", &bus]);
    let refused = RedisJournal::open(server.options(), world(), projections()).await.unwrap_err();
    assert!(matches!(refused, JournalError::Unsuitable { .. }), "{refused}");
    assert!(refused.to_string().contains("without cluster mode"), "{refused}");
}

#[tokio::test]
async fn a_server_that_loads_or_lost_its_replicas_is_not_ready_yet() {
    let mut server = Server::start(&["--appendonly", "no", "--min-replicas-to-write", "1"]);
    let open_now = async |server: &Server| RedisJournal::open(server.options(), world(), projections()).await;
    let early = open_now(&server).await.unwrap_err();
    assert!(matches!(&early, JournalError::NotYet(why) if why.contains("NOREPLICAS")), "{early}");
    server.command(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    open_now(&server).await.unwrap().append(events("a", Expected::NoStream, 1)).await.unwrap();

    // Requests are answered between blocks of what is read, so there has to be something.
    server.command(&["CONFIG", "SET", "rdbcompression", "no"]);
    for number in 0..100 {
        server.command(&["SET", &format!("ballast{number}"), &"x".repeat(4_096)]);
    }
    server.command(&["SAVE"]);
    let slowly = ["--key-load-delay", "30000", "--loading-process-events-interval-bytes", "1024"];
    server.0.relaunch_with(&slowly);
    let mut said = Vec::new();
    let journal = loop {
        match open_now(&server).await {
            Ok(journal) => break journal,
            // It may not even be there.
            Err(error @ (JournalError::NotYet(_) | JournalError::Unavailable(_))) => said.push(error),
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let loading =
        |error: &JournalError| matches!(error, JournalError::NotYet(why) if why.contains("loading"));
    assert!(said.iter().any(loading), "{said:?}");
    assert_eq!(journal.head().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_differ_hear_of_each_other_while_they_live() {
    let server = Server::plain();
    let of = |name: &str, receiver: &str| RedisOptions {
        profile: Some(Profile::of(name).with("WEBHOOK_URL", receiver)),
        ..impatient(&server)
    };
    let (one, two) = (open(of("one", "https://a")).await, open(of("two", "https://b")).await);
    let doctor = open(of("doctor", "https://a")).await;
    assert!(one.others().await.unwrap().is_empty(), "nobody has asked for work");
    for journal in [&one, &two] {
        journal.claim(request(1)).await.unwrap();
    }
    let until = async |journal: &RedisJournal, wanted: &[&str]| {
        while journal.others().await.unwrap().iter().map(ToString::to_string).collect::<Vec<_>>() != wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    until(&one, &["two has another WEBHOOK_URL than this worker"]).await;
    until(&two, &["one has another WEBHOOK_URL than this worker"]).await;
    until(&doctor, &["two has another WEBHOOK_URL than this worker"]).await;
    two.close().await;
    until(&one, &[]).await;
}
