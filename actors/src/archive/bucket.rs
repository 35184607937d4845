//! Archived events in a bucket of R2, for places without a disk that stays.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use super::store::ArchiveStore;
use crate::egress::GuardedClient;
use crate::s3::{Account, BucketError, connect, failure};

/// Before the names in the bucket.
const FOLDER: &str = "journal/";
/// Bytes that are read back at once.
const PIECE: usize = 4 * 1024 * 1024;

/// The bucket, and what opens it.
#[derive(Debug, Clone)]
pub struct BucketSettings {
    /// Whose it is.
    pub account: Account,
    /// `JOURNAL_ARCHIVE_BUCKET`: a private one, since events hold subjects and senders.
    pub bucket: String,
}

/// A folder of a private bucket.
#[derive(Debug, Clone)]
pub struct BucketArchive {
    client: Client,
    bucket: String,
}

impl BucketArchive {
    /// The archive in the bucket, reached through `http`.
    #[must_use]
    pub fn new(settings: &BucketSettings, http: GuardedClient) -> Self {
        Self { client: connect(&settings.account, Arc::new(http)), bucket: settings.bucket.clone() }
    }

    /// Whether the bucket is there and the credentials open it. Nothing is changed.
    ///
    /// # Errors
    /// What R2 says, without secrets.
    pub async fn check(&self) -> Result<(), String> {
        let asked = self.client.head_bucket().bucket(&self.bucket).send().await;
        asked.map(drop).map_err(|error| failure(error).to_string())
    }

    /// Writes the object unless there is one.
    async fn put(&self, key: &str, content: Bytes) -> Result<(), BucketError> {
        let request = self.client.put_object().bucket(&self.bucket).key(key).if_none_match("*");
        let request = request.content_type("application/x-ndjson").body(ByteStream::from(content));
        request.send().await.map(drop).map_err(failure)
    }

    /// Reads the object back, in pieces, and compares.
    async fn holds(&self, key: &str, content: &[u8]) -> Result<bool, BucketError> {
        let asked = self.client.head_object().bucket(&self.bucket).key(key).send().await.map_err(failure)?;
        let length = asked.content_length().and_then(|length| usize::try_from(length).ok());
        if length != Some(content.len()) {
            return Ok(false);
        }
        let mut from = 0;
        for piece in content.chunks(PIECE) {
            let range = format!("bytes={from}-{}", from + piece.len() - 1);
            let request = self.client.get_object().bucket(&self.bucket).key(key).range(range);
            let body = request.send().await.map_err(failure)?.body.collect().await;
            let body = body.map_err(|error| BucketError::Failed(error.to_string()))?.into_bytes();
            if body != piece {
                return Ok(false);
            }
            from += piece.len();
        }
        Ok(true)
    }
}

#[async_trait]
impl ArchiveStore for BucketArchive {
    async fn keep(&self, name: &str, content: Bytes) -> Result<String, String> {
        let key = format!("{FOLDER}{name}");
        let place = format!("r2:{}/{key}", self.bucket);
        let not_kept = |why: &dyn std::fmt::Display| format!("{place} could not be written: {why}");
        match self.put(&key, content.clone()).await {
            // It may be this one, written before a crash or by a request whose answer was lost.
            Ok(()) | Err(BucketError::Exists) => {}
            Err(error) => return Err(not_kept(&error)),
        }
        match self.holds(&key, &content).await {
            Ok(true) => Ok(place),
            Ok(false) => Err(not_kept(&"what lies there is something else")),
            Err(error) => Err(not_kept(&error)),
        }
    }
}
