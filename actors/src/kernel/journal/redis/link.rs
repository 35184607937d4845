//! The way to the server: connections, scripts, and what went wrong in three words.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::redis::{Cmd, FromRedisValue, Pipeline};
use chrono::DateTime;
use tokio::sync::{RwLock, RwLockReadGuard, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::profile::Profile;
use super::scripts::{FORMAT, JournalScripts, META};
use super::{MAX_COUNT, RedisOptions};
use crate::kernel::clock::World;
use crate::kernel::journal::{AppendError, Hint, JournalError, Loss, Queue};
pub(super) use crate::kernel::redis::Trouble;
use crate::kernel::redis::{Dialer, Limits, Script, Server};

/// Said when the journal is used after it was closed.
pub(super) const CLOSED: &str = "the journal is closed";

/// A script's argument, or a part of its answer.
pub(super) type ScriptText = Vec<u8>;
/// A line of an answer; `None` = there is no such thing.
pub(super) type ReplyLine = Vec<Option<ScriptText>>;

impl From<Trouble> for AppendError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::NotDone(why) | Trouble::NotYet(why) => Self::Rejected(why),
            Trouble::Unknown(why) => Self::Indeterminate(why),
        }
    }
}

impl From<Trouble> for JournalError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::NotYet(why) => Self::NotYet(why),
            Trouble::NotDone(why) | Trouble::Unknown(why) => Self::Unavailable(why),
        }
    }
}

/// What this process knows of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogMark {
    /// Random, made with the log.
    pub(super) epoch: String,
    /// The highest position seen or acknowledged.
    pub(super) head: u64,
}

/// The server, seen through a pool.
pub(super) struct JournalServer {
    server: Server,
    prefix: String,
    meta: String,
    pub(super) scripts: JournalScripts,
    pub(super) world: World,
    pub(super) hints: watch::Sender<Hint>,
    /// Tells its own hints from those of others.
    pub(super) origin: String,
    /// What this process says to the others of its environment.
    pub(super) profile: Option<Profile>,
    pub(super) losses: watch::Sender<Option<Loss>>,
    mark: Mutex<LogMark>,
    /// Claims whose answer was lost: what tokens begin with, and until when such a claim may
    /// hold. The server may have made them, and nobody works on them.
    astray: Mutex<Vec<(ScriptText, Instant)>>,
    /// This process has asked for work: it is a worker, and others are told that it lives.
    works: AtomicBool,
    closed: RwLock<bool>,
}

impl JournalServer {
    /// Makes the pool; connects to nothing yet.
    pub(super) fn new(options: &RedisOptions, world: World) -> Result<Self, JournalError> {
        let limits =
            Limits { connect: options.connect, response: options.response, connections: options.connections };
        let server = Server::new(&options.address, limits).map_err(JournalError::Unavailable)?;
        let prefix = format!("{{{}}}:", options.prefix.trim_end_matches(':'));
        Ok(Self {
            server,
            meta: format!("{prefix}{META}"),
            prefix,
            scripts: JournalScripts::new(),
            origin: world.ids.next().to_string(),
            profile: options.profile.clone(),
            world,
            hints: watch::Sender::new(Hint::default()),
            losses: watch::Sender::new(None),
            mark: Mutex::new(LogMark { epoch: String::new(), head: 0 }),
            astray: Mutex::default(),
            works: AtomicBool::new(false),
            closed: RwLock::new(false),
        })
    }

    /// For questions about the server itself.
    pub(super) const fn server(&self) -> &Server {
        &self.server
    }

    /// A key of the journal.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// For a connection of one's own.
    pub(super) const fn dialer(&self) -> &Dialer {
        self.server.dialer()
    }

    /// Lets an operation in; closing waits until the guard is dropped.
    pub(super) async fn enter(&self) -> Result<RwLockReadGuard<'_, bool>, Trouble> {
        let closed = self.closed.read().await;
        if *closed { Err(Trouble::NotDone(CLOSED.to_owned())) } else { Ok(closed) }
    }

    /// Refuses what comes from now on and waits for what is under way.
    pub(super) async fn close(&self) {
        *self.closed.write().await = true;
        self.server.close();
    }

    /// Runs a command.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Trouble> {
        self.server.ask(command).await
    }

    /// Runs commands in one go; an answer for each.
    pub(super) async fn ask_all<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, Trouble> {
        self.server.ask_all(commands).await
    }

    /// Runs a script with its arguments.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        args: &[ScriptText],
    ) -> Result<T, Trouble> {
        let mut call = script.prepare();
        call.key(&self.meta);
        for arg in args {
            call.arg(arg);
        }
        self.server.run(&call).await
    }

    /// How long an answer may take.
    pub(super) const fn response(&self) -> Duration {
        self.server.response()
    }

    /// What is known of the log.
    pub(super) fn mark(&self) -> LogMark {
        self.mark.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads where the log ends, notices when it is another one or a shorter one than it was,
    /// and marks an empty one as new, and a shorter one as another one. From then on the clock of
    /// this process is that of the server.
    pub(super) async fn look(&self) -> Result<LogMark, JournalError> {
        let known = self.mark();
        self.look_knowing(&known).await
    }

    /// The log of this epoch is known to have been cut, although it is not shorter any more:
    /// marks it as another one, unless somebody else has.
    pub(super) async fn cut(&self, epoch: &str) -> Result<LogMark, JournalError> {
        self.look_knowing(&LogMark { epoch: epoch.to_owned(), head: MAX_COUNT }).await
    }

    async fn look_knowing(&self, known: &LogMark) -> Result<LogMark, JournalError> {
        let before = self.mark();
        let fresh = Uuid::to_string(&self.world.ids.next());
        let args = [&fresh, &FORMAT.to_string(), &known.epoch, &known.head.to_string()];
        let args = args.map(|arg| ScriptText::from(arg.as_str()));
        let clock = &self.world.clock;
        let asked = clock.counted();
        let (epoch, format, head, seconds, micros): (String, i64, u64, i64, u32) =
            self.run(&self.scripts.look, &args).await?;
        if let Some(server) = DateTime::from_timestamp(seconds, micros.saturating_mul(1_000)) {
            clock.follow(server, asked);
        }
        if format > FORMAT {
            return Err(JournalError::FromTheFuture {
                path: self.prefix.clone(),
                found: format,
                known: FORMAT,
            });
        }
        let found = LogMark { epoch, head };
        self.compare(&before, &found);
        Ok(found)
    }

    /// `before` is what was known when `found` was asked for: commits go on meanwhile.
    fn compare(&self, before: &LogMark, found: &LogMark) {
        let mut mark = self.mark.lock().unwrap_or_else(PoisonError::into_inner);
        if before.epoch.is_empty() {
            *mark = found.clone();
            drop(mark);
            self.hints.send_modify(|hint| hint.position = found.head);
            return;
        }
        if mark.epoch != before.epoch {
            // Somebody else has noticed meanwhile.
            return;
        }
        let lost = found.epoch != before.epoch || found.head < before.head;
        if !lost {
            mark.head = mark.head.max(found.head);
            drop(mark);
            self.hints.send_if_modified(|hint| {
                let news = found.head > hint.position;
                hint.position = hint.position.max(found.head);
                news
            });
            return;
        }
        *mark = found.clone();
        drop(mark);
        self.regressed(before, found);
    }

    /// Tells everybody that the log is not the one that was known.
    fn regressed(&self, known: &LogMark, found: &LogMark) {
        tracing::error!(
            known_epoch = known.epoch,
            known_position = known.head,
            epoch = found.epoch,
            position = found.head,
            "the journal in Redis is not the one that was written: the server has lost acknowledged commits; \
             what is known is read anew from what is left"
        );
        metrics::counter!("render_signal_journal_regressed_total").increment(1);
        let at = self.world.now();
        self.losses.send_modify(|last| {
            *last = Some(Loss {
                number: last.as_ref().map_or(1, |last| last.number + 1),
                at,
                known_log: known.epoch.clone(),
                known_head: known.head,
                found_log: found.epoch.clone(),
                found_head: found.head,
            });
        });
        self.hints.send_modify(|hint| {
            hint.position = found.head;
            hint.queues.iter_mut().for_each(|count| *count += 1);
        });
    }

    /// The answer to a claim was lost; `stem` begins its tokens, `lease` is how long it holds.
    pub(super) fn went_astray(&self, stem: ScriptText, lease: Duration) {
        // The server may get to it as late as an answer may come.
        let until = Instant::now() + lease + self.response();
        self.astray.lock().unwrap_or_else(PoisonError::into_inner).push((stem, until));
    }

    /// Stems of the claims that went astray and may still hold.
    pub(super) fn stems_astray(&self) -> Vec<ScriptText> {
        let mut astray = self.astray.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        astray.retain(|(_, until)| *until > now);
        astray.iter().map(|(stem, _)| stem.clone()).collect()
    }

    /// From now on others are told that this process lives.
    pub(super) fn works(&self) {
        self.works.store(true, Ordering::Relaxed);
    }

    /// Whether it has ever asked for work.
    pub(super) fn is_worker(&self) -> bool {
        self.works.load(Ordering::Relaxed)
    }

    /// Notes a commit: the head it led to and the queues it touched.
    pub(super) fn noted(&self, epoch: Option<&str>, head: u64, touched: [u64; Queue::COUNT]) {
        {
            let mut mark = self.mark.lock().unwrap_or_else(PoisonError::into_inner);
            if epoch.is_some_and(|epoch| epoch == mark.epoch) {
                mark.head = mark.head.max(head);
            }
        }
        self.hints.send_modify(|hint| {
            hint.position = hint.position.max(head);
            for (count, more) in hint.queues.iter_mut().zip(touched) {
                *count += more;
            }
        });
    }
}
