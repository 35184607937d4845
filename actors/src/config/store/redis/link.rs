//! The way to the server: scripts with their keys, and what was last seen there.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::RedisSettings;
use super::scripts::{CHANGES, ConfigScripts, EVENTS, KNOWN, MAX_LISTED_CHANGES};
use crate::config::documents::Key;
use crate::config::store::metrics::{cached, timed};
use crate::config::store::{Revision, StoreError, StoreReading};
use crate::kernel::clock::World;
use crate::kernel::redis::{Call, Limits, Script, Server, Trouble};

/// Connections and answers take fractions of a millisecond; who waits longer has a server
/// that is not there, and readers have better things to do than to wait for it.
pub(super) const LIMITS: Limits =
    Limits { connect: Duration::from_secs(1), response: Duration::from_secs(2), connections: 4 };

/// How old an answer from memory may be. The subscription looks more often than that.
const CACHE_TTL: Duration = Duration::from_secs(1);

/// What metrics call this store.
pub(super) const NAME: &str = "redis";

/// What was found under a key.
#[derive(Debug, Clone)]
enum RedisDocument {
    Text {
        /// SHA-1, which the server can compute.
        sum: String,
        text: String,
        revision: Revision,
    },
    Absent,
    /// It was there, and now the server knows nothing of it.
    Lost,
    /// There is something else under the key.
    Wrong(String),
}

impl RedisDocument {
    fn sum(&self) -> &str {
        match self {
            Self::Text { sum, .. } => sum,
            Self::Absent | Self::Lost | Self::Wrong(_) => "",
        }
    }
}

/// What the last look saw.
#[derive(Default)]
pub(super) struct LastLook {
    held: HashMap<Key, RedisDocument>,
    /// When it ended, how many hints there had been, and why it saw nothing.
    looked: Option<(Instant, u64, Result<(), String>)>,
    /// Why changes by other programs could not be listed.
    unlisted: String,
}

impl LastLook {
    /// What a reader is told.
    fn answer(&self, key: Key) -> Result<StoreReading, StoreError> {
        let unreadable = |why: &str| StoreError::Unreadable { what: describe(key), why: why.to_owned() };
        match (&self.looked, self.held.get(&key)) {
            (Some((_, _, Err(why))), _) => Err(unreadable(why)),
            (_, None | Some(RedisDocument::Absent)) => Ok(StoreReading::Absent),
            (_, Some(RedisDocument::Text { text, revision, .. })) => {
                Ok(StoreReading::Found { text: text.clone(), revision: revision.clone() })
            }
            (_, Some(RedisDocument::Lost)) => Err(StoreError::Lost(key)),
            (_, Some(RedisDocument::Wrong(why))) => Err(unreadable(why)),
        }
    }

    /// The text of a version, when it is the one that was seen.
    pub(super) fn text_of(&self, key: Key, wanted: &Revision) -> Option<String> {
        match self.held.get(&key) {
            Some(RedisDocument::Text { text, revision, .. }) if revision == wanted => Some(text.clone()),
            _ => None,
        }
    }

    fn is_fresh(&self) -> bool {
        matches!(&self.looked, Some((at, _, Ok(()))) if at.elapsed() < CACHE_TTL)
    }

    /// Takes in what is under a key now. Returns whether readers are told something else.
    fn take(&mut self, key: Key, what: &str, sum: String, text: String) -> bool {
        let before = self.held.get(&key);
        let now = match what {
            "same" => return false,
            "text" => RedisDocument::Text { revision: Revision::of(&text), sum, text },
            "wrong" => RedisDocument::Wrong(text),
            "unknown" if matches!(before, Some(RedisDocument::Text { .. } | RedisDocument::Lost)) => {
                RedisDocument::Lost
            }
            _ => RedisDocument::Absent,
        };
        let told = |held: Option<&RedisDocument>| match held {
            None | Some(RedisDocument::Absent) => (0, String::new()),
            Some(RedisDocument::Lost) => (1, String::new()),
            Some(RedisDocument::Wrong(why)) => (2, why.clone()),
            Some(RedisDocument::Text { sum, .. }) => (3, sum.clone()),
        };
        let differs = told(before) != told(Some(&now));
        self.held.insert(key, now);
        differs
    }
}

/// What messages call a document.
pub(super) fn describe(key: Key) -> String {
    format!("{key} in Redis")
}

/// In plain words.
pub(super) fn words(trouble: Trouble) -> String {
    trouble.words()
}

/// What a look answers: why changes were not listed, and each document.
type Looked = (String, Vec<(String, String, Vec<u8>)>);

/// The server, and what was last seen there.
pub(super) struct RedisLink {
    pub(super) server: Server,
    pub(super) scripts: ConfigScripts,
    pub(super) world: World,
    settings: RedisSettings,
    seen: Mutex<LastLook>,
    /// How often readers would have been told something else than before.
    hints: watch::Sender<u64>,
    /// The hints up to which readers were told.
    told: AtomicU64,
}

impl RedisLink {
    pub(super) fn new(settings: RedisSettings, world: World) -> Result<Self, StoreError> {
        let server = Server::new(&settings.address, LIMITS)
            .map_err(|why| StoreError::Unreadable { what: "the configuration in Redis".to_owned(), why })?;
        Ok(Self {
            server,
            scripts: ConfigScripts::new(),
            world,
            settings,
            seen: Mutex::default(),
            hints: watch::Sender::new(0),
            told: AtomicU64::new(0),
        })
    }

    /// A key.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.settings.prefix)
    }

    /// A call of a script that lists changes, with the arguments common to all.
    pub(super) fn listing<'a>(&self, script: &'a Script, documents: &[Key]) -> Call<'a> {
        let mut call = script.prepare();
        call.key(self.key(CHANGES)).key(self.key(KNOWN));
        for document in documents {
            call.key(self.key(document.as_str()));
        }
        let seed = Uuid::to_string(&self.world.ids.next());
        call.arg(self.key(EVENTS)).arg(seed).arg(&self.settings.writer).arg(MAX_LISTED_CHANGES);
        call
    }

    /// Looks at every document. Who waits is told when readers are told something else than
    /// before, or there is `news` anyway. Returns whether that is so.
    async fn look_at_all(&self, seen: &mut LastLook, mut news: bool) -> bool {
        let failed_before = matches!(seen.looked, Some((_, _, Err(_))));
        let mut call = self.listing(&self.scripts.look, &Key::ALL);
        for key in Key::ALL {
            call.arg(key.as_str()).arg(seen.held.get(&key).map_or("", RedisDocument::sum));
        }
        let mut differs = false;
        let outcome = match timed(NAME, "read", self.server.run::<Vec<::redis::Value>>(&call)).await {
            Ok(answer) => parse(answer).map(|(unlisted, documents)| {
                seen.unlisted = unlisted;
                for (key, (what, sum, text)) in Key::ALL.into_iter().zip(documents) {
                    differs |= match String::from_utf8(text) {
                        Ok(text) => seen.take(key, &what, sum, text),
                        Err(_) => seen.take(key, "wrong", String::new(), "it is not UTF-8".to_owned()),
                    };
                }
            }),
            Err(trouble) => Err(words(trouble)),
        };
        news |= differs || (failed_before && outcome.is_ok());
        // Only here, with `seen` locked, so that the count is that of what was seen.
        let hints = *self.hints.borrow() + u64::from(news);
        seen.looked = Some((Instant::now(), hints, outcome));
        self.hints.send_if_modified(|count| {
            *count = hints;
            news
        });
        news
    }

    /// Looks now, whatever is known.
    pub(super) async fn look(&self) -> bool {
        let mut seen = self.seen.lock().await;
        self.look_at_all(&mut seen, false).await
    }

    /// Tells who waits that readers would be told something else, if not by this store.
    pub(super) async fn hint(&self) {
        let mut seen = self.seen.lock().await;
        self.look_at_all(&mut seen, true).await;
    }

    /// What is under a key: from memory when that is fresh.
    pub(super) async fn read(&self, key: Key) -> Result<StoreReading, StoreError> {
        let asked = Instant::now();
        let mut seen = self.seen.lock().await;
        let answered_meanwhile = matches!(&seen.looked, Some((at, _, _)) if *at >= asked);
        let hit = answered_meanwhile || seen.is_fresh();
        cached(NAME, hit);
        if !hit {
            self.look_at_all(&mut seen, false).await;
        }
        if let Some((_, hints, _)) = &seen.looked {
            self.told.fetch_max(*hints, Ordering::AcqRel);
        }
        seen.answer(key)
    }

    /// Returns when readers would be told something else than they were.
    pub(super) async fn changed(&self) {
        let mut hints = self.hints.subscribe();
        // The sender lives as long as this.
        drop(hints.wait_for(|count| *count > self.told.load(Ordering::Acquire)).await);
    }

    /// What was last seen.
    pub(super) async fn seen(&self) -> MutexGuard<'_, LastLook> {
        self.seen.lock().await
    }

    /// Why the list of changes is not complete.
    pub(super) async fn unlisted(&self) -> Option<String> {
        let seen = self.seen.lock().await;
        Some(seen.unlisted.clone()).filter(|why| !why.is_empty())
    }
}

fn parse(answer: Vec<::redis::Value>) -> Result<Looked, String> {
    let mut parts = answer.into_iter();
    let unlisted = parts.next().map(::redis::from_redis_value::<String>).transpose();
    let documents = parts.map(::redis::from_redis_value).collect::<Result<Vec<_>, _>>();
    match (unlisted, documents) {
        (Ok(Some(unlisted)), Ok(documents)) if documents.len() == Key::ALL.len() => Ok((unlisted, documents)),
        _ => Err("Redis: an answer that cannot be understood".to_owned()),
    }
}
