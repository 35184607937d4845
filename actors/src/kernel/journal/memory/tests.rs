//! What only the reference model does: faults and crashes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::kernel::journal::Expected;
use crate::kernel::journal::conformance::{self, events, projections, request, row, t, world};
use crate::kernel::journal::{Due, Settle};

fn journal() -> MemoryJournal {
    MemoryJournal::new(world(), projections())
}

/// Faults in a given order, then none.
struct Script(Mutex<VecDeque<(FaultPoint, Fault)>>);

impl Faults for Script {
    fn next(&self, point: FaultPoint) -> Fault {
        let mut script = self.0.lock().unwrap();
        match script.front() {
            Some((wanted, _)) if *wanted == point => script.pop_front().map_or(Fault::Ok, |(_, fault)| fault),
            _ => Fault::Ok,
        }
    }
}

fn with_faults(script: Vec<(FaultPoint, Fault)>) -> MemoryJournal {
    MemoryJournal::with_faults(world(), projections(), Arc::new(Script(Mutex::new(script.into()))))
}

#[tokio::test]
async fn does_what_every_journal_does() {
    conformance::run_all(|| Arc::new(journal())).await;
}

#[tokio::test]
async fn a_refused_append_changes_nothing() {
    let journal = with_faults(vec![(FaultPoint::Append, Fault::Rejected)]);
    let commit = events("a", Expected::NoStream, 1);
    assert!(matches!(journal.append(commit.clone()).await, Err(AppendError::Rejected(_))));
    assert_eq!(journal.head().await.unwrap(), 0);
    journal.append(commit).await.unwrap();
}

#[tokio::test]
async fn an_unknown_outcome_is_either() {
    let journal = with_faults(vec![
        (FaultPoint::Append, Fault::IndeterminateWritten),
        (FaultPoint::Append, Fault::IndeterminateNotWritten),
    ]);
    let (first, second) = (events("a", Expected::NoStream, 1), events("b", Expected::NoStream, 1));
    assert!(matches!(journal.append(first.clone()).await, Err(AppendError::Indeterminate(_))));
    assert!(matches!(journal.append(second.clone()).await, Err(AppendError::Indeterminate(_))));
    assert_eq!(journal.head().await.unwrap(), 1);
    assert!(journal.append(first).await.unwrap().already_there);
    assert!(!journal.append(second).await.unwrap().already_there);
}

#[tokio::test(start_paused = true)]
async fn a_slow_journal_takes_its_time() {
    let journal = with_faults(vec![(FaultPoint::Read, Fault::Delay(Duration::from_secs(7)))]);
    let started = tokio::time::Instant::now();
    journal.head().await.unwrap();
    assert_eq!(started.elapsed(), Duration::from_secs(7));
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_holds_until_it_runs_out() {
    let journal = with_faults(vec![
        (FaultPoint::Claim, Fault::Rejected),
        (FaultPoint::Claim, Fault::IndeterminateWritten),
    ]);
    journal.append(conformance::add(vec![row("k", Due::At(t(0)))])).await.unwrap();
    journal.claim(request(0)).await.unwrap_err();
    journal.claim(request(0)).await.unwrap_err();
    assert!(journal.claim(request(59)).await.unwrap().is_empty());
    assert_eq!(journal.claim(request(60)).await.unwrap()[0].claims, 2);
}

#[tokio::test]
async fn a_crash_loses_the_tail_and_nothing_else() {
    let journal = journal();
    journal.append(events("a", Expected::NoStream, 2)).await.unwrap();
    journal.append(conformance::add(vec![row("k", Due::At(t(0)))])).await.unwrap();
    let claimed = journal.claim(request(0)).await.unwrap();
    journal.append(events("b", Expected::NoStream, 1)).await.unwrap();
    journal.append(conformance::settle("k", Some(claimed[0].claim))).await.unwrap();
    let counted =
        |db: &Connection| db.query_row("SELECT coalesce(sum(n), 0) FROM kinds", [], |r| r.get::<_, i64>(0));

    journal.crash(0);
    assert_eq!(journal.head().await.unwrap(), 3);
    assert!(journal.outbox(Queue::Deliver, 9).await.unwrap().is_empty());

    journal.crash(2);
    assert_eq!(journal.head().await.unwrap(), 2);
    assert_eq!(journal.hints().borrow().position, 2);
    assert_eq!(journal.views().read(counted).await.unwrap(), 2);
    assert!(journal.claim(request(0)).await.unwrap().is_empty(), "the claim was not lost");
    let settle = Settle { queue: Queue::Deliver, key: "k".to_owned(), claim: Some(claimed[0].claim) };
    journal.append(Commit { at: t(0), settle: vec![settle], ..Commit::default() }).await.unwrap();

    journal.close().await;
    journal.crash(100);
    assert_eq!(journal.head().await.unwrap(), 0);
    assert_eq!(journal.views().read(counted).await.unwrap(), 0);
}

#[test]
fn agrees_with_itself_after_every_crash() {
    conformance::answers_agree(64, || Arc::new(Crashing(journal())));
}

/// Crashes, losing nothing, after each commit and claim.
struct Crashing(MemoryJournal);

#[async_trait]
impl Journal for Crashing {
    async fn append(&self, commit: Commit) -> Result<Appended, AppendError> {
        let answer = self.0.append(commit).await;
        self.0.crash(0);
        answer
    }
    async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claimed>, JournalError> {
        let answer = self.0.claim(request).await;
        self.0.crash(0);
        answer
    }
    async fn read_stream(&self, stream: &StreamId, after: u64) -> Result<Vec<Recorded>, JournalError> {
        self.0.read_stream(stream, after).await
    }
    async fn read_log(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, JournalError> {
        self.0.read_log(after, limit).await
    }
    async fn head(&self) -> Result<u64, JournalError> {
        self.0.head().await
    }
    async fn hasten(
        &self,
        queue: Queue,
        of: Option<&[String]>,
        now: DateTime<Utc>,
    ) -> Result<u64, JournalError> {
        self.0.hasten(queue, of, now).await
    }
    async fn next_due(&self, queue: Queue) -> Result<Option<DateTime<Utc>>, JournalError> {
        self.0.next_due(queue).await
    }
    async fn outbox(&self, queue: Queue, limit: usize) -> Result<Vec<OutboxRow>, JournalError> {
        self.0.outbox(queue, limit).await
    }
    async fn body(&self, key: &str) -> Result<Option<Bytes>, JournalError> {
        self.0.body(key).await
    }
    async fn raise_fence(&self, lease: &str) -> Result<u64, JournalError> {
        self.0.raise_fence(lease).await
    }
    fn hints(&self) -> watch::Receiver<Hint> {
        self.0.hints()
    }
    fn views(&self) -> Views {
        self.0.views()
    }
    async fn close(&self) {
        self.0.close().await;
    }
}

#[async_trait]
impl JournalAdmin for Crashing {
    async fn bodies(&self, offset: u64, limit: usize) -> Result<Vec<KeptBody>, JournalError> {
        self.0.bodies(offset, limit).await
    }
    async fn trimmed(&self, offset: u64, limit: usize) -> Result<Vec<Trim>, JournalError> {
        self.0.trimmed(offset, limit).await
    }
    async fn purge(&self, now: DateTime<Utc>) -> Result<u64, JournalError> {
        self.0.purge(now).await
    }
    fn durability(&self) -> Durability {
        self.0.durability()
    }
    async fn verify(&self) -> Result<VerifyReport, JournalError> {
        self.0.verify().await
    }
}
