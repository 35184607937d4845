//! R2Actor: copies the files that a mail links to into R2 before its webhooks go out.
//!
//! It claims rows of [`Queue::Offload`](crate::kernel::journal::Queue::Offload), asks the
//! [`LinkStore`] for a copy of every link, and in one commit records how each link ended,
//! makes the mail's deliveries due and settles the row. A link that cannot be copied, for
//! whatever reason, is sent as it was found: the offload delays a mail, it never stops one. While
//! the Worker, R2 or a file's host is away for a while, the mail waits, for a bounded time.
//!
//! | file | what it knows |
//! |---|---|
//! | [`plan`] | which links of a mail are copied: so many, and none that is too long (pure) |
//! | [`normalize`] | the fetched form of a link, the key of its copy (pure) |
//! | [`outcome`] | what the ends of the links mean for the mail (pure) |
//! | `patience` | how long a mail waits for those who are away (pure) |
//! | [`engine`] | claims rows and keeps a bounded number of mails under way |
//! | [`transfer`] | one mail, from its claimed row to the commit |
//! | `flights` | links that are being copied now, so that each is fetched once |
//! | [`reuse`] | links whose copy lies in R2 already |
//! | [`address`] | whether a copy's address can be believed (pure) |
//! | [`name`] | names of files, as others give them (pure) |
//! | [`links`] | the list of copied files, `webhook_links.json` |
//! | [`worker`] | the HTTP client of the R2 Worker |
//! | [`direct`] | copies files itself, into the bucket |

pub mod address;
pub mod direct;
pub mod engine;
mod finish;
pub mod links;
pub mod name;
pub mod normalize;
pub mod outcome;
mod patience;
pub mod plan;
pub mod reuse;
mod single_flight;
mod status;
pub mod transfer;
pub mod worker;

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, MessageResult, ResponseFuture, Supervised};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use crate::kernel::clock::World;
use crate::kernel::guardian::depend_on;
use crate::kernel::journal::Journal;
use crate::mail::policy::PolicyCell;
use crate::mail::providers::Reach;
use crate::messages::{Drain, PolicyChanged};
use normalize::{FOLDER_LIMIT, time_limit};

pub use self::status::{GetR2Status, R2Status};
use engine::{Engine, EngineOrder, Orphans, Progress};
use links::file::LinksFile;
use links::follower::{catch_up_at_the_end, follow};
use plan::SourceLink;

/// One link to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// What is to be fetched.
    pub source: SourceLink,
    /// The mail it was found in.
    pub email_id: String,
    /// Where its provider's files may be fetched; `None` = the provider is no longer known.
    pub reach: Option<Arc<Reach>>,
}

impl Job {
    /// Where its file may be fetched, if its host is one of the provider's.
    ///
    /// # Errors
    /// It is not: in plain words.
    pub(crate) fn reach(&self) -> Result<Arc<Reach>, String> {
        let reach = self.reach.as_ref().filter(|reach| reach.allows(&self.source.url));
        reach.cloned().ok_or_else(|| {
            format!("its host is not one that files of \"{}\" are fetched from", self.source.provider)
        })
    }
}

/// A copy that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// What was fetched: the link, normalised.
    pub source_url: String,
    /// Where the copy lies.
    pub r2_url: String,
    /// The file's own name, not blank.
    pub original_filename: Option<String>,
    /// When it may be deleted at the earliest, if that is known better than by how long
    /// copies lie there in general.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Why there is no copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoCopy {
    /// In plain words, and without secrets.
    pub why: String,
    /// It may go better in a while: who was asked is away, or has too much to do.
    pub passing: bool,
    /// When the one who was asked wants to be asked again.
    pub not_before: Option<DateTime<Utc>>,
}

impl NoCopy {
    /// It will not go better the next time.
    pub fn lasting(why: impl Into<String>) -> Self {
        Self { why: why.into(), passing: false, not_before: None }
    }

    /// It may go better in a while, and not before the given instant.
    pub fn passing(why: impl Into<String>, not_before: Option<DateTime<Utc>>) -> Self {
        Self { why: why.into(), passing: true, not_before }
    }
}

/// Makes copies of linked files.
#[async_trait]
pub trait LinkStore: Send + Sync {
    /// Copies the file behind a link. Repeating it is safe: the same link gets the same key.
    ///
    /// # Errors
    /// Why there is no copy.
    async fn offload(&self, job: Job) -> Result<Copied, NoCopy>;

    /// How long the copy of this link may take; after that it is given up.
    fn limit(&self, source: &SourceLink) -> Duration {
        time_limit(&source.url, &source.provider)
    }

    /// The longest of all [`Self::limit`]s: a mail is claimed for at least so long.
    fn longest(&self) -> Duration {
        FOLDER_LIMIT
    }

    /// Keeps the place of the copies in order, for as long as it is polled.
    async fn look_after(&self) {}
}

/// What is known of copies once they are made.
#[derive(Clone, Debug, Default)]
pub struct Copies {
    /// How long they lie in R2 (`R2_RETENTION_HOURS`); `None` = for ever.
    pub retention: Option<Duration>,
    /// Where they must lie to be used again (`R2_PUBLIC_BASE_URL`); `None` = where they were
    /// when they were made.
    pub public_base_url: Option<Url>,
    /// The list that is kept of them; `None` = none.
    pub list: Option<Arc<LinksFile>>,
}

/// How long a mail waits for copies unless `R2_RETRY_SECONDS` says otherwise.
pub const COPIES_PATIENCE: Duration = Duration::from_secs(600);

/// Links of one mail that are copied unless `R2_MAX_LINKS_PER_MAIL` says otherwise: ten
/// times what a studio sends.
pub const LINKS_PER_MAIL: usize = 50;

/// What the actor works with.
#[derive(Clone)]
pub struct R2Deps {
    /// Time, ids, chance.
    pub world: World,
    /// Where rows are claimed and outcomes are kept.
    pub journal: Arc<dyn Journal>,
    /// The policy in force.
    pub policy: PolicyCell,
    /// Name of this worker, for the log.
    pub worker: String,
    /// Makes the copies.
    pub store: Arc<dyn LinkStore>,
    /// What is known of them.
    pub copies: Copies,
    /// Links of one mail that are copied (`R2_MAX_LINKS_PER_MAIL`); the others are sent as
    /// they were found.
    pub links_per_mail: usize,
    /// So long a mail waits for copies that cannot be made at the moment (`R2_RETRY_SECONDS`);
    /// then its links are sent as they were found.
    pub patience: Duration,
}

/// Copies linked files to R2, and sends mails on whose links are settled.
pub struct R2Actor {
    deps: R2Deps,
    /// Orders to the engine; the engine ends when this is dropped.
    orders: watch::Sender<EngineOrder>,
    progress: watch::Receiver<Progress>,
    /// See [`Orphans`].
    orphans: Orphans,
    /// `None` until started.
    engine: Option<AbortOnDropHandle<()>>,
    /// Keeps the list of copied files. Nothing depends on it, so it may fail alone.
    list: Option<AbortOnDropHandle<()>>,
    /// Keeps the store in order; `None` until started.
    upkeep: Option<AbortOnDropHandle<()>>,
}

impl R2Actor {
    /// An actor that starts its work when it is started.
    #[must_use]
    pub fn new(deps: R2Deps) -> Self {
        let (orders, _) = watch::channel(EngineOrder::Work);
        let (_, progress) = watch::channel(Progress::default());
        Self { deps, orders, progress, orphans: Orphans::default(), engine: None, upkeep: None, list: None }
    }
}

impl Actor for R2Actor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (report, progress) = watch::channel(Progress::default());
        self.progress = progress;
        let engine =
            Engine::new(self.deps.clone(), self.orders.subscribe(), report, Arc::clone(&self.orphans));
        self.engine = Some(depend_on(ctx, engine.run()));
        self.list = self.deps.copies.list.clone().map(|list| {
            let (journal, world) = (Arc::clone(&self.deps.journal), self.deps.world.clone());
            AbortOnDropHandle::new(tokio::spawn(follow(journal, world, list)))
        });
        let store = Arc::clone(&self.deps.store);
        self.upkeep = Some(depend_on(ctx, async move { store.look_after().await }));
    }
}

impl Supervised for R2Actor {
    fn restarting(&mut self, _: &mut Self::Context) {
        let (order, orphans) = (*self.orders.borrow(), Arc::clone(&self.orphans));
        *self = Self::new(self.deps.clone());
        self.orders.send_replace(order);
        self.orphans = orphans;
    }
}

impl Handler<PolicyChanged> for R2Actor {
    type Result = ();

    /// The engine reads the policy for every mail anew; a change can only make it worth looking.
    fn handle(&mut self, _: PolicyChanged, _: &mut Self::Context) {
        self.orders.send_if_modified(|order| *order == EngineOrder::Work);
    }
}

impl Handler<Drain> for R2Actor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, _: &mut Self::Context) -> Self::Result {
        self.orders.send_replace(EngineOrder::Drain);
        let mut progress = self.progress.clone();
        let deps = self.deps.clone();
        Box::pin(async move {
            // An engine that is gone has nothing under way either.
            drop(progress.wait_for(|progress| progress.drained).await);
            if let Some(list) = deps.copies.list {
                catch_up_at_the_end(deps.journal, deps.world, list).await;
            }
        })
    }
}

impl Handler<GetR2Status> for R2Actor {
    type Result = MessageResult<GetR2Status>;

    fn handle(&mut self, _: GetR2Status, _: &mut Self::Context) -> Self::Result {
        let status: R2Status = self.progress.borrow().status.clone();
        MessageResult(status)
    }
}

#[cfg(test)]
mod tests;
