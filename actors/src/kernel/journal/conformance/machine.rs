//! Random operations: a backend gives the same answers as the reference model.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::kernel::journal::memory::MemoryJournal;

const KEYS: [&str; 5] = ["k1", "k2", "k3", "k4", "k5"];
const ORDERS: [Option<&str>; 3] = [None, Some("s"), Some("z")];

/// One operation. Claims are named by row: each journal gives out tokens of its own.
#[derive(Debug, Clone)]
enum Operation {
    Write {
        streams: Vec<(u8, BelievedVersion, u8)>,
        fence: Option<u64>,
        rows: Vec<ModelRow>,
        ends: Vec<RowEnd>,
    },
    Repeat,
    Claim {
        limit: usize,
        partition_default: usize,
        only: Option<(u8, usize)>,
        lease: u64,
        bodies: BodySizes,
    },
    Hasten {
        only: Option<Vec<&'static str>>,
    },
    RaiseFence,
    Purge,
    Trim {
        stream: u8,
        off_by: u64,
    },
    Pass {
        seconds: i64,
    },
}

/// Bytes, the largest light body, a partition of which only light ones come, whether in order.
type BodySizes = (Option<u64>, u64, Option<u8>, bool);

#[derive(Debug, Clone)]
enum BelievedVersion {
    Right,
    None,
    Wrong(u64),
    Any,
}

#[derive(Debug, Clone)]
struct ModelRow {
    queue: Queue,
    key: &'static str,
    partition: u8,
    order: Option<&'static str>,
    due: Option<Option<i64>>,
    body: Option<i64>,
}

#[derive(Debug, Clone)]
struct RowEnd {
    queue: Queue,
    key: &'static str,
    with_claim: bool,
    defer: Option<Option<i64>>,
    moves: Option<u8>,
}

fn queue() -> impl Strategy<Value = Queue> {
    select(vec![Queue::Deliver, Queue::Deliver, Queue::Flag, Queue::Config])
}

/// `Some(Some(seconds from now))`, `Some(None)` = parked, `None` = reserved.
fn due() -> impl Strategy<Value = Option<Option<i64>>> {
    prop_oneof![6 => (-5..20_i64).prop_map(|s| Some(Some(s))), 1 => Just(Some(None)), 1 => Just(None)]
}

fn step() -> impl Strategy<Value = Operation> {
    let belief = prop_oneof![
        6 => Just(BelievedVersion::Right),
        1 => Just(BelievedVersion::None),
        1 => (0..4_u64).prop_map(BelievedVersion::Wrong),
        1 => Just(BelievedVersion::Any)
    ];
    let streams = prop::collection::vec((0..4_u8, belief, 0..3_u8), 0..3);
    let row = (queue(), select(&KEYS[..]), 0..2_u8, select(&ORDERS[..]), due(), prop::option::of(-5..20_i64))
        .prop_map(|(queue, key, partition, order, due, body)| ModelRow {
            queue,
            key,
            partition,
            order,
            due,
            body,
        });
    let end = (
        queue(),
        select(&KEYS[..]),
        prop::bool::weighted(0.7),
        prop::option::of(select(vec![Some(0_i64), Some(5), None])),
        prop::option::of(0..2_u8),
    )
        .prop_map(|(queue, key, with_claim, defer, moves)| RowEnd {
            queue,
            key,
            with_claim,
            defer,
            moves,
        });
    let write = (
        streams,
        prop::option::weighted(0.2, 0..4_u64),
        prop::collection::vec(row, 0..4),
        prop::collection::vec(end, 0..3),
    )
        .prop_map(|(streams, fence, rows, ends)| Operation::Write { streams, fence, rows, ends });
    // Bodies have four or five bytes.
    let bodies = (prop::option::of(0..15_u64), 0..6_u64, prop::option::of(0..2_u8), any::<bool>());
    let only = prop::option::of((0..2_u8, 0..3_usize));
    let claim = (0..6_usize, 0..4_usize, only, select(vec![0_u64, 3, 60]), bodies).prop_map(
        |(limit, partition_default, only, lease, bodies)| Operation::Claim {
            limit,
            partition_default,
            only,
            lease,
            bodies,
        },
    );
    prop_oneof![
        8 => write,
        1 => Just(Operation::Repeat),
        6 => claim,
        1 => prop::option::of(prop::collection::vec(select(KEYS.to_vec()), 0..3)).prop_map(|only| Operation::Hasten { only }),
        1 => Just(Operation::RaiseFence),
        1 => Just(Operation::Purge),
        1 => (0..4_u8, select(vec![0_u64, 0, 0, 1]))
            .prop_map(|(stream, off_by)| Operation::Trim { stream, off_by }),
        3 => (1..10_i64).prop_map(|seconds| Operation::Pass { seconds }),
    ]
}

fn partition(number: u8) -> String {
    format!("p{number}")
}

/// A journal, and the claims and fences that it has given out.
struct JournalUnderTest {
    journal: Arc<dyn JournalAdmin>,
    claims: HashMap<(Queue, String), Uuid>,
    fences: Vec<u64>,
}

impl JournalUnderTest {
    fn new(journal: Arc<dyn JournalAdmin>) -> Self {
        Self { journal, claims: HashMap::new(), fences: Vec::new() }
    }

    /// The fence of the grant with this number; above all others when there was none yet.
    fn fence(&self, number: u64) -> u64 {
        match usize::try_from(number).unwrap().checked_sub(1) {
            None => 0,
            Some(before) => self.fences.get(before).copied().unwrap_or(1 << 60),
        }
    }

    /// Which grant a fence is of.
    fn number(&self, token: u64) -> Option<usize> {
        self.fences.iter().position(|fence| *fence == token)
    }

    async fn raise_fence(&mut self) -> String {
        let token = self.journal.raise_fence("poller").await.unwrap();
        assert!(self.fences.iter().all(|earlier| *earlier < token));
        self.fences.push(token);
        format!("grant {}", self.fences.len())
    }

    /// Commits with this side's claims and fences; the answer with the numbers of grants.
    async fn append(&self, commit: &Commit, ends: &[RowEnd]) -> String {
        match self.journal.append(self.with_claims(commit, ends)).await {
            Err(AppendError::Fenced { lease, held, current }) => {
                format!("fenced {lease} {:?} {:?}", self.number(held), self.number(current))
            }
            answer => format!("{answer:?}"),
        }
    }

    /// The commit with this side's claims and fences.
    fn with_claims(&self, commit: &Commit, ends: &[RowEnd]) -> Commit {
        let mut commit = commit.clone();
        if let Some(fence) = &mut commit.fence {
            fence.token = self.fence(fence.token);
        }
        for end in ends {
            let known = self.claims.get(&(end.queue, end.key.to_owned())).copied();
            let claim = end.with_claim.then(|| known.unwrap_or_default());
            let (queue, key) = (end.queue, end.key.to_owned());
            match end.defer {
                None => commit.settle.push(Settle { queue, key, claim }),
                Some(after) => commit.defer.push(Defer {
                    queue,
                    key,
                    claim,
                    due: after.map_or(Due::Parked, |seconds| {
                        Due::At(commit.at + chrono::Duration::seconds(seconds))
                    }),
                    meta: None,
                    partition: end.moves.map(partition),
                }),
            }
        }
        commit
    }

    /// The rows claimed, without the tokens.
    async fn claim(&mut self, request: &ClaimRequest) -> String {
        let claimed = self.journal.claim(request.clone()).await.unwrap();
        let mut told = Vec::new();
        for mut row in claimed {
            self.claims.insert((row.queue, row.key.clone()), row.claim);
            row.claim = Uuid::nil();
            told.push(row);
        }
        format!("{told:?}")
    }

    /// The version of one of the streams.
    async fn version(&self, number: u8) -> u64 {
        let name = stream(&number.to_string());
        if let Some(last) = self.journal.read_stream(&name, 0).await.unwrap().last() {
            return last.version;
        }
        let trimmed = self.journal.trimmed(0, 100).await.unwrap();
        trimmed.iter().find(|trim| trim.stream == name).map_or(0, |trim| trim.version)
    }

    /// What each backend lists in an order of its own.
    async fn sorted_lists(&self) -> (Vec<(String, DateTime<Utc>)>, Vec<(StreamId, u64)>) {
        let (bodies, trimmed) =
            (self.journal.bodies(0, 100).await.unwrap(), self.journal.trimmed(0, 100).await.unwrap());
        let mut bodies: Vec<_> = bodies.into_iter().map(|body| (body.key, body.keep_until)).collect();
        let mut trimmed: Vec<_> = trimmed.into_iter().map(|trim| (trim.stream, trim.version)).collect();
        bodies.sort();
        trimmed.sort();
        (bodies, trimmed)
    }

    /// All that can be seen from outside.
    async fn everything(&self) -> String {
        let mut all = format!("{:?}\n", self.journal.read_log(0, 10_000).await.unwrap());
        for queue in Queue::ALL {
            let mut rows = self.journal.outbox(queue, 1_000).await.unwrap();
            for row in &mut rows {
                // Judged by the clock of the journal, which stands still here.
                row.claimed = false;
            }
            all += &format!("{queue}: {rows:?} {:?}\n", self.journal.next_due(queue).await.unwrap());
        }
        for number in 0..4 {
            all +=
                &format!("{:?}\n", self.journal.read_stream(&stream(&number.to_string()), 1).await.unwrap());
        }
        all += &format!("{:?}\n", self.sorted_lists().await);
        for key in KEYS {
            all += &format!("{key}: {:?}\n", self.journal.body(key).await.unwrap());
        }
        let mut report = self.journal.verify().await.unwrap();
        report.problems.sort();
        // These read models know nothing of archives, so they show what they happened to be fed.
        if report.trimmed > 0 {
            return all + &format!("{report:?}");
        }
        let kinds: Vec<(String, i64)> = self
            .journal
            .views()
            .read(|db| {
                db.prepare("SELECT kind, n FROM kinds ORDER BY kind")?
                    .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?
                    .collect()
            })
            .await
            .unwrap();
        all + &format!("{report:?} {kinds:?}")
    }
}

fn build(
    step: &[(u8, BelievedVersion, u8)],
    fence: Option<u64>,
    rows: &[ModelRow],
    now: DateTime<Utc>,
    versions: &[u64; 4],
) -> Commit {
    let mut commit = Commit { at: now, ..Commit::default() };
    commit.fence = fence.map(|token| Fence { lease: "poller".to_owned(), token });
    for (number, belief, count) in step {
        let version = versions[usize::from(*number)];
        let expected = match belief {
            BelievedVersion::Right if version == 0 => Expected::NoStream,
            BelievedVersion::Right => Expected::Exact(version),
            BelievedVersion::None => Expected::NoStream,
            BelievedVersion::Wrong(version) => Expected::Exact(*version),
            BelievedVersion::Any => Expected::Any,
        };
        commit.writes.push(write(&number.to_string(), expected, u64::from(*count)));
    }
    for row in rows {
        let due = match row.due {
            None => Due::Reserved,
            Some(None) => Due::Parked,
            Some(Some(seconds)) => Due::At(now + chrono::Duration::seconds(seconds)),
        };
        commit.add.push(OutboxAdd {
            queue: row.queue,
            key: row.key.to_owned(),
            partition: partition(row.partition),
            order_key: row.order.map(str::to_owned),
            due,
            meta: json!({ "at": now.timestamp() }),
            body_key: row.body.map(|_| row.key.to_owned()),
        });
        if let Some(keep) = row.body {
            let bytes = Bytes::from(format!("{} {keep}", row.key));
            let keep_until = now + chrono::Duration::seconds(keep);
            commit.bodies.push(Body { key: row.key.to_owned(), bytes, keep_until });
        }
    }
    commit
}

async fn run(steps: Vec<Operation>, subject: Arc<dyn JournalAdmin>) {
    let model: Arc<dyn JournalAdmin> = Arc::new(MemoryJournal::new(world(), projections()));
    let (mut model, mut subject) = (JournalUnderTest::new(model), JournalUnderTest::new(subject));
    let mut now = t(0);
    let mut last: Option<(Commit, Vec<RowEnd>)> = None;
    for step in steps {
        let (left, right) = match &step {
            Operation::Write { .. } | Operation::Repeat => {
                if let Operation::Write { streams, fence, rows, ends } = &step {
                    let mut versions = [0; 4];
                    for (number, version) in (0..).zip(&mut versions) {
                        *version = model.version(number).await;
                    }
                    last = Some((build(streams, *fence, rows, now, &versions), ends.clone()));
                }
                let Some((commit, ends)) = &last else { continue };
                (model.append(commit, ends).await, subject.append(commit, ends).await)
            }
            Operation::Claim {
                limit,
                partition_default,
                only,
                lease,
                bodies: (bytes, light, light_only, in_order),
            } => {
                let request = ClaimRequest {
                    queue: Queue::Deliver,
                    now,
                    lease: Duration::from_secs(*lease),
                    limit: *limit,
                    partition_default: *partition_default,
                    per_partition: only.iter().map(|(number, cap)| (partition(*number), *cap)).collect(),
                    bodies: BodyBudget {
                        bytes: *bytes,
                        light: *light,
                        light_only: light_only.iter().map(|number| partition(*number)).collect(),
                        in_order: *in_order,
                    },
                };
                (model.claim(&request).await, subject.claim(&request).await)
            }
            Operation::Hasten { only } => {
                let only: Option<Vec<String>> =
                    only.as_ref().map(|keys| keys.iter().map(|key| (*key).to_owned()).collect());
                let left = model.journal.hasten(Queue::Deliver, only.as_deref(), now).await;
                let right = subject.journal.hasten(Queue::Deliver, only.as_deref(), now).await;
                (format!("{left:?}"), format!("{right:?}"))
            }
            Operation::RaiseFence => (model.raise_fence().await, subject.raise_fence().await),
            Operation::Purge => {
                let left = model.journal.purge(now).await;
                (format!("{left:?}"), format!("{:?}", subject.journal.purge(now).await))
            }
            Operation::Trim { stream: number, off_by } => {
                // A commit that has left the log need not be recognised when it is repeated.
                last = None;
                let version = (model.version(*number).await + off_by).max(1);
                let trim = vec![Trim { stream: stream(&number.to_string()), version }];
                let commit = Commit {
                    at: now,
                    writes: vec![write("archive", Expected::Any, 1)],
                    trim,
                    ..Commit::default()
                };
                let left = model.journal.append(commit.clone()).await;
                (format!("{left:?}"), format!("{:?}", subject.journal.append(commit).await))
            }
            Operation::Pass { seconds } => {
                now += chrono::Duration::seconds(*seconds);
                continue;
            }
        };
        assert_eq!(left, right, "{step:?}");
    }
    assert_eq!(model.everything().await, subject.everything().await);
    subject.journal.close().await;
}

/// Feeds random operations to a journal from `make` and to the reference model, and
/// compares each answer, and everything that can be read at the end.
pub(in crate::kernel::journal) fn answers_agree(cases: u32, make: impl Fn() -> Arc<dyn JournalAdmin>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(steps in prop::collection::vec(step(), 1..60))| {
        runtime.block_on(run(steps, make()));
    });
}
