//! Keeps the bucket clean: unfinished uploads that nobody works on, notes about them, and
//! copies whose time is over. Only below our own folders.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};

use super::DirectStore;
use super::bucket::Bucket;
use super::checkpoint::CHECKPOINTS;
use super::metadata::FOLDERS;
use crate::s3::BucketError;

/// Pause between two rounds.
const EVERY: Duration = Duration::from_secs(3600);
/// A round that another worker has begun within this time counts for all.
const RECENT: chrono::Duration = chrono::Duration::minutes(50);
/// Marks when the last round was begun.
const MARK: &str = "render-signal/upkeep.json";
/// Objects that are looked at in one round, per folder; the rest waits for the next one.
const MAX_LOOKS: usize = 10_000;
/// Objects looked at and deleted at once.
const AT_ONCE: usize = 8;

/// What one round has removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Uploads that were never completed.
    pub uploads: u64,
    /// Copies whose time was over.
    pub expired: u64,
}

/// A round at once, and every hour, by one of the workers. Never returns.
pub(super) async fn run(store: &DirectStore) {
    loop {
        match turn(store).await {
            Ok(Some(swept)) if swept != Swept::default() => {
                tracing::info!(uploads = swept.uploads, expired = swept.expired, "the bucket was cleaned up");
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "the bucket could not be cleaned up, trying again in an hour")
            }
        }
        tokio::time::sleep(store.world.jitter.spread(EVERY)).await;
    }
}

/// A round, unless somebody else has just begun one. Two at the same time do no harm.
async fn turn(store: &DirectStore) -> Result<Option<Swept>, BucketError> {
    if let Some((_, begun)) = store.bucket.read_note(MARK).await?
        && store.world.now() - begun < RECENT
    {
        return Ok(None);
    }
    store.bucket.write_note(MARK, b"{}".to_vec()).await?;
    sweep(store).await.map(Some)
}

/// One round.
pub(super) async fn sweep(store: &DirectStore) -> Result<Swept, BucketError> {
    let now = store.world.now();
    let abandoned = now - store.settings.abandoned_after();
    let mut swept = Swept { uploads: end_uploads(&store.bucket, abandoned).await?, expired: 0 };
    for (note, _) in older_than(&store.bucket, CHECKPOINTS, abandoned).await? {
        store.bucket.delete(&note).await?;
    }
    if let Some(retention) = store.settings.retention {
        for folder in FOLDERS {
            // What is younger cannot have expired: only what is deleted costs a request.
            let old = older_than(&store.bucket, &format!("{folder}/"), now - retention).await?;
            let deleted = stream::iter(old).map(|(key, _)| delete_expired(&store.bucket, key, now));
            let mut deleted = deleted.buffer_unordered(AT_ONCE);
            while let Some(was_deleted) = deleted.next().await {
                swept.expired += u64::from(was_deleted?);
            }
        }
    }
    // What the clean-up has removed from the bucket, by kind.
    metrics::counter!("render_signal_r2_swept_total", "kind" => "upload").increment(swept.uploads);
    metrics::counter!("render_signal_r2_swept_total", "kind" => "expired").increment(swept.expired);
    Ok(swept)
}

async fn end_uploads(bucket: &Bucket, abandoned: DateTime<Utc>) -> Result<u64, BucketError> {
    let mut ended = 0;
    for folder in FOLDERS {
        for upload in bucket.unfinished(&format!("{folder}/")).await? {
            if upload.begun.is_some_and(|begun| begun < abandoned) {
                bucket.abort(&upload.key, &upload.id).await?;
                ended += 1;
            }
        }
    }
    Ok(ended)
}

async fn older_than(
    bucket: &Bucket,
    prefix: &str,
    end: DateTime<Utc>,
) -> Result<Vec<(String, DateTime<Utc>)>, BucketError> {
    let mut found = Vec::new();
    let mut from = None;
    loop {
        let (objects, next) = bucket.list(prefix, from).await?;
        found.extend(objects.into_iter().filter(|(_, modified)| *modified < end));
        from = next;
        if from.is_none() || found.len() >= MAX_LOOKS {
            return Ok(found);
        }
    }
}

/// Deletes a copy if it says itself that its time is over; what says nothing stays.
async fn delete_expired(bucket: &Bucket, key: String, now: DateTime<Utc>) -> Result<bool, BucketError> {
    let expired = bucket.head(&key).await?.and_then(|found| found.expires_at).is_some_and(|end| end < now);
    if expired {
        bucket.delete(&key).await?;
    }
    Ok(expired)
}
