//! Direct mode: the program itself fetches the file and streams it into R2 (ADR 0016).
//!
//! | file | what it knows |
//! |---|---|
//! | [`source_response`] | whether what a host answers is the file (pure) |
//! | [`disposition`] | file names in `Content-Disposition` (pure) |
//! | [`metadata`] | metadata and headers of an object (pure) |
//! | [`source`] | asks the host, follows redirections, cuts the body into parts |
//! | [`bucket`] | what is done in the bucket |
//! | [`limits`] | how many files are read at once, and how slowly |
//! | [`transfer`], [`checkpoint`] | one file; its upload in parts, and how that goes on after an interruption |
//! | [`upkeep`] | removes what is unfinished or expired |

mod bucket;
mod checkpoint;
mod disposition;
mod limits;
mod metadata;
mod source;
mod source_response;
mod transfer;
mod upkeep;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use url::Url;

use super::plan::SourceLink;
use super::{Copied, Job, LinkStore, NoCopy};
use crate::egress::{ClientOptions, EgressError, EgressPolicy, GuardedClient};
use crate::kernel::clock::World;
use crate::s3::{Account, BucketError};
use bucket::Bucket;
pub use limits::Pace;
use limits::{TransferLimits, within};
use metadata::LinkItem;
use transfer::{CLEAN_UP, Copy, Transfer};
pub use upkeep::Swept;

/// Bytes of a part; R2 wants all parts but the last to have the same size.
const PART: usize = 8 * 1024 * 1024;
/// Parts of an upload, at most (S3).
const MAX_PARTS: u64 = 10_000;
/// The largest file that [`PART`] and the number of parts allow, in bytes.
pub const MAX_FILE_BYTES: u64 = MAX_PARTS * PART as u64;
/// Between the last moment that an upload may be taken over and the first that it may be
/// ended as abandoned, besides the time that a transfer may take.
const APART: Duration = Duration::from_secs(600);
/// Names under which links may enter the networks of `EGRESS_ALLOW_CIDRS`, `www.` before them or
/// not. A constant, not the document's: whoever may write documents opens no network with one.
const OPEN_TO: [&str; 4] = ["dropbox.com", "fromsmash.com", "swisstransfer.com", "wetransfer.com"];
/// Characters of a key that need no encoding in an address.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The bucket, and what may be put into it.
#[derive(Debug, Clone)]
pub struct DirectSettings {
    /// Whose bucket it is.
    pub account: Account,
    /// `R2_BUCKET_NAME`.
    pub bucket: String,
    /// `R2_PUBLIC_BASE_URL`: where the bucket can be read from.
    pub public_base_url: Url,
    /// `R2_MAX_FILE_BYTES`, at most [`MAX_FILE_BYTES`].
    pub max_bytes: u64,
    /// `R2_RETENTION_HOURS`; `None` = copies are kept.
    pub retention: Option<Duration>,
    /// `R2_TRANSFER_MAX_SECONDS`: one file takes no longer, and waits no longer for its turn
    /// before, or its link is sent as it is.
    pub limit: Duration,
    /// How slow a host may be.
    pub pace: Pace,
}

impl DirectSettings {
    /// An upload that was begun earlier is not gone on with. A mail whose worker has died
    /// is claimed for as long as it may have waited and worked.
    fn resumable_for(&self) -> chrono::Duration {
        chrono(self.limit * 2 + APART)
    }

    /// Nobody can be working on an upload that was begun earlier: whoever took it over at
    /// the last moment has reached the time limit.
    fn abandoned_after(&self) -> chrono::Duration {
        chrono(self.limit * 3 + APART * 2)
    }
}

/// What the bucket's answer means for the copy.
fn no_copy(error: BucketError) -> NoCopy {
    match error {
        BucketError::Failed(_) => NoCopy::passing(error.to_string(), None),
        BucketError::Gone | BucketError::Exists | BucketError::Refused(_) => {
            NoCopy::lasting(error.to_string())
        }
    }
}

fn chrono(time: Duration) -> chrono::Duration {
    chrono::Duration::from_std(time).unwrap_or(chrono::Duration::MAX)
}

/// [`LinkStore`] that copies by itself.
pub struct DirectStore {
    settings: DirectSettings,
    bucket: Bucket,
    /// For the hosts of files: they, and whom they redirect to, are named by strangers.
    hosts: GuardedClient,
    world: World,
    limits: TransferLimits,
    keys: Keys,
}

impl DirectStore {
    /// A store that reaches the bucket within `egress`. The networks that `egress` allows
    /// are open to links only under the services' own names: those of redirections, other
    /// hosts and addresses must be public.
    ///
    /// # Errors
    /// When an HTTP client cannot be set up.
    pub fn new(
        settings: DirectSettings,
        egress: &EgressPolicy,
        options: &ClientOptions,
        world: World,
    ) -> Result<Self, EgressError> {
        let bucket = Bucket::new(&settings, Arc::new(GuardedClient::new(egress, options.clone())?));
        let hosts = GuardedClient::new(&egress.clone().only_towards(&OPEN_TO), options.clone())?;
        let (limits, keys) = (TransferLimits::default(), Keys::default());
        Ok(Self { settings, bucket, hosts, world, limits, keys })
    }

    /// Whether the bucket is there and the credentials open it. Nothing is changed.
    ///
    /// # Errors
    /// What R2 says, without secrets.
    pub async fn check(&self) -> Result<(), String> {
        self.bucket.check().await.map_err(|error| error.to_string())
    }

    /// Ends uploads that nobody works on, and deletes copies whose time is over, once.
    ///
    /// # Errors
    /// What R2 says; what was removed before stays removed.
    pub async fn sweep(&self) -> Result<Swept, String> {
        upkeep::sweep(self).await.map_err(|error| error.to_string())
    }

    /// Copies the file unless it is there.
    async fn copy(&self, item: &LinkItem) -> Result<Copy, NoCopy> {
        let mut patience = self.settings.limit;
        // The same link in two mails is copied once.
        let alone = within(&mut patience, self.keys.lock(&item.key)).await;
        let late = || NoCopy::lasting("another mail's copy of it was not ready in time");
        let _alone = alone.ok_or_else(late)?;
        let mut left = self.settings.limit;
        let found = within(&mut left, self.bucket.head(&item.key)).await.ok_or_else(|| self.late())?;
        let replace = match found.map_err(no_copy)? {
            Some(found) if found.is_fresh(self.world.now(), self.settings.retention) => {
                return Ok(found.into());
            }
            Some(_) => true,
            None => false,
        };
        Transfer::new(self, item, replace).run(patience, left).await
    }

    /// Why a link whose file took too long is kept.
    fn late(&self) -> NoCopy {
        NoCopy::lasting(format!(
            "it took longer than R2_TRANSFER_MAX_SECONDS ({})",
            self.settings.limit.as_secs()
        ))
    }

    fn address(&self, key: &str) -> String {
        let base = self.settings.public_base_url.as_str().trim_end_matches('/');
        format!("{base}/{}", utf8_percent_encode(key, PLAIN))
    }
}

#[async_trait]
impl LinkStore for DirectStore {
    async fn offload(&self, job: Job) -> Result<Copied, NoCopy> {
        let reach = job.reach().map_err(NoCopy::lasting)?;
        let SourceLink { url: source_url, provider } = job.source;
        let item = LinkItem::new(source_url, &provider, job.email_id, reach);
        let Copy { original_filename, expires_at } = self.copy(&item).await?;
        let r2_url = self.address(&item.key);
        Ok(Copied { r2_url, source_url: item.source_url, original_filename, expires_at })
    }

    fn limit(&self, _: &SourceLink) -> Duration {
        self.longest()
    }

    fn longest(&self) -> Duration {
        self.settings.limit * 2 + CLEAN_UP
    }

    async fn look_after(&self) {
        upkeep::run(self).await;
    }
}

/// One lock per key, for as long as somebody holds or wants it.
#[derive(Debug, Default)]
struct Keys(Mutex<HashMap<String, Weak<AsyncMutex<()>>>>);

impl Keys {
    async fn lock(&self, key: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            locks.retain(|_, lock| lock.strong_count() > 0);
            let known = locks.get(key).and_then(Weak::upgrade);
            let lock = known.unwrap_or_default();
            locks.insert(key.to_owned(), Arc::downgrade(&lock));
            lock
        };
        lock.lock_owned().await
    }
}
