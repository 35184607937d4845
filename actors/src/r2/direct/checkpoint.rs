//! What is noted in the bucket about an upload in parts, so that whoever works on the
//! mail next, on whatever machine, can go on with it.
//!
//! S3 keeps an upload's parts, and says nothing of the file that they come from.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::PART;
use super::bucket::Bucket;
use super::metadata::LinkItem;
use super::source_response::{SourceResponse, Validator};
use crate::kernel::digest::sha256;
use crate::s3::BucketError;

/// Where the notes lie.
pub(super) const CHECKPOINTS: &str = "render-signal/uploads/";

/// An upload that can be gone on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UploadCheckpoint {
    /// The object it becomes.
    pub(super) key: String,
    /// Id of the upload.
    pub(super) upload: String,
    /// The source as it was.
    pub(super) validator: Validator,
    /// Its length.
    pub(super) length: u64,
    /// Bytes of a part.
    pub(super) part: usize,
    /// The file's own name.
    pub(super) name: Option<String>,
    /// When the upload was begun.
    pub(super) begun: DateTime<Utc>,
    /// The mail it was begun for. Whoever works on the same mail has its claim, so nobody else
    /// fills the upload any more.
    #[serde(default)]
    pub(super) email_id: String,
    /// It was gone on with for another mail, too. Whoever fails cannot know then that nobody
    /// fills it, so only the clean-up ends it.
    #[serde(default)]
    pub(super) shared: bool,
}

impl UploadCheckpoint {
    /// Of an upload that is begun `now`. `None` when the source cannot be fetched in parts.
    pub(super) fn new(
        item: &LinkItem,
        upload: &str,
        offer: &SourceResponse,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        Some(Self {
            key: item.key.clone(),
            upload: upload.to_owned(),
            validator: offer.validator.clone()?,
            length: offer.length?,
            part: PART,
            name: offer.name.clone(),
            begun: now,
            email_id: item.email_id.clone(),
            shared: false,
        })
    }

    /// The note about the upload to `key`, if there is one that can be read.
    pub(super) async fn read(bucket: &Bucket, key: &str) -> Result<Option<Self>, BucketError> {
        let found = bucket.read_note(&place(key)).await?;
        let note = found.and_then(|(text, _)| serde_json::from_slice::<Self>(&text).ok());
        Ok(note.filter(|note| note.key == key && note.part == PART))
    }

    /// Keeps it.
    pub(super) async fn write(&self, bucket: &Bucket) -> Result<(), BucketError> {
        let text = serde_json::to_vec(self).map_err(|error| BucketError::Failed(error.to_string()))?;
        bucket.write_note(&place(&self.key), text).await
    }
}

/// Where the note about the upload to `key` lies. The bucket is public and its listing is
/// not, so the name must tell nothing.
pub(super) fn place(key: &str) -> String {
    format!("{CHECKPOINTS}{}.json", sha256(key))
}
