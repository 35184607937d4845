//! The bucket of the copies, as far as the S3 API is used.
//!
//! R2 needs all parts of an upload but the last to have the same size.

use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::DirectSettings;
use super::metadata::{self, Existing, ObjectMetadata};
use crate::egress::GuardedClient;
use crate::s3::{BucketError, connect, failure};

/// A finished part of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UploadedPart {
    /// From 1.
    pub(super) number: i32,
    /// Bytes.
    pub(super) size: u64,
    /// What completes the upload.
    pub(super) etag: String,
}

/// An upload that was begun and neither completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unfinished {
    /// The object it would become.
    pub(super) key: String,
    /// Its id.
    pub(super) id: String,
    /// When it was begun.
    pub(super) begun: Option<DateTime<Utc>>,
}

/// The bucket. Clones share connections.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    client: Client,
    name: String,
}

impl Bucket {
    pub(super) fn new(settings: &DirectSettings, http: Arc<GuardedClient>) -> Self {
        Self { client: connect(&settings.account, http), name: settings.bucket.clone() }
    }

    /// Whether the bucket is there and may be used.
    pub(super) async fn check(&self) -> Result<(), BucketError> {
        self.client.head_bucket().bucket(&self.name).send().await.map_err(failure)?;
        Ok(())
    }

    /// What the object says of itself; `None` = there is none.
    pub(super) async fn head(&self, key: &str) -> Result<Option<Existing>, BucketError> {
        match self.client.head_object().bucket(&self.name).key(key).send().await.map_err(failure) {
            Ok(found) => Ok(Some(metadata::read(found.metadata().unwrap_or(&Default::default())))),
            Err(BucketError::Gone) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a whole object; with `create`, only if there is none ([`BucketError::Exists`]).
    pub(super) async fn put(
        &self,
        key: &str,
        body: Bytes,
        labels: ObjectMetadata,
        create: bool,
    ) -> Result<(), BucketError> {
        let request = self.client.put_object().bucket(&self.name).key(key).body(ByteStream::from(body));
        request
            .content_type(labels.content_type)
            .content_disposition(labels.content_disposition)
            .set_metadata(Some(labels.metadata))
            .set_if_none_match(create.then(|| "*".to_owned()))
            .send()
            .await
            .map_err(failure)?;
        Ok(())
    }

    /// Begins an upload in parts.
    pub(super) async fn begin(&self, key: &str, labels: ObjectMetadata) -> Result<String, BucketError> {
        let request = self.client.create_multipart_upload().bucket(&self.name).key(key);
        let begun = request
            .content_type(labels.content_type)
            .content_disposition(labels.content_disposition)
            .set_metadata(Some(labels.metadata))
            .send()
            .await
            .map_err(failure)?;
        begun.upload_id.ok_or_else(|| BucketError::Failed("an upload without an id was begun".to_owned()))
    }

    /// Uploads a part; doing it again replaces it.
    pub(super) async fn put_part(
        &self,
        key: &str,
        upload: &str,
        number: i32,
        body: Bytes,
    ) -> Result<UploadedPart, BucketError> {
        let size = body.len() as u64;
        let request = self.client.upload_part().bucket(&self.name).key(key).upload_id(upload);
        // TLS protects the bytes; hashing them as well costs more time than all the rest.
        let request = request.part_number(number).body(ByteStream::from(body)).customize();
        let sent = request.disable_payload_signing().send().await.map_err(failure)?;
        let etag = sent.e_tag.ok_or_else(|| BucketError::Failed("a part got no ETag".to_owned()))?;
        Ok(UploadedPart { number, size, etag })
    }

    /// The finished parts of an upload, in order. [`BucketError::Gone`] when there is no such upload.
    pub(super) async fn parts(&self, key: &str, upload: &str) -> Result<Vec<UploadedPart>, BucketError> {
        let mut parts = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let request = self.client.list_parts().bucket(&self.name).key(key).upload_id(upload);
            let page = request.set_part_number_marker(marker).send().await.map_err(failure)?;
            parts.extend(page.parts().iter().filter_map(|part| {
                let size = u64::try_from(part.size()?).ok()?;
                Some(UploadedPart { number: part.part_number()?, size, etag: part.e_tag()?.to_owned() })
            }));
            marker = page.next_part_number_marker.filter(|_| page.is_truncated == Some(true));
            if marker.is_none() {
                parts.sort_by_key(|part| part.number);
                return Ok(parts);
            }
        }
    }

    /// Makes the parts one object.
    pub(super) async fn complete(
        &self,
        key: &str,
        upload: &str,
        parts: &[UploadedPart],
    ) -> Result<(), BucketError> {
        let parts = parts
            .iter()
            .map(|part| CompletedPart::builder().part_number(part.number).e_tag(&part.etag).build())
            .collect();
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = self.client.complete_multipart_upload().bucket(&self.name).key(key).upload_id(upload);
        request.multipart_upload(parts).send().await.map_err(failure)?;
        Ok(())
    }

    /// Ends an upload and removes its parts. One that is gone already is fine.
    pub(super) async fn abort(&self, key: &str, upload: &str) -> Result<(), BucketError> {
        let request = self.client.abort_multipart_upload().bucket(&self.name).key(key).upload_id(upload);
        match request.send().await.map_err(failure) {
            Ok(_) | Err(BucketError::Gone) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Every unfinished upload whose key begins with `prefix`.
    pub(super) async fn unfinished(&self, prefix: &str) -> Result<Vec<Unfinished>, BucketError> {
        let mut uploads = Vec::new();
        let (mut key_marker, mut id_marker) = (None, None);
        loop {
            let request = self.client.list_multipart_uploads().bucket(&self.name).prefix(prefix);
            let request = request.set_key_marker(key_marker).set_upload_id_marker(id_marker);
            let page = request.send().await.map_err(failure)?;
            uploads.extend(page.uploads().iter().filter_map(|upload| {
                let begun = upload.initiated().and_then(|at| DateTime::from_timestamp(at.secs(), 0));
                Some(Unfinished { key: upload.key()?.to_owned(), id: upload.upload_id()?.to_owned(), begun })
            }));
            if page.is_truncated != Some(true) || page.next_key_marker.is_none() {
                return Ok(uploads);
            }
            (key_marker, id_marker) = (page.next_key_marker, page.next_upload_id_marker);
        }
    }

    /// One page of the objects whose keys begin with `prefix`, with the time of their last
    /// change, and where the next page begins.
    pub(super) async fn list(
        &self,
        prefix: &str,
        from: Option<String>,
    ) -> Result<(Vec<(String, DateTime<Utc>)>, Option<String>), BucketError> {
        let request = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
        let page = request.set_continuation_token(from).send().await.map_err(failure)?;
        let objects = page.contents().iter().filter_map(|object| {
            let modified = DateTime::from_timestamp(object.last_modified()?.secs(), 0)?;
            Some((object.key()?.to_owned(), modified))
        });
        let objects = objects.collect();
        Ok((objects, page.next_continuation_token.filter(|_| page.is_truncated == Some(true))))
    }

    /// Removes an object. One that is gone already is fine.
    pub(super) async fn delete(&self, key: &str) -> Result<(), BucketError> {
        match self.client.delete_object().bucket(&self.name).key(key).send().await.map_err(failure) {
            Ok(_) | Err(BucketError::Gone) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Reads a small object of our own; `None` = there is none.
    pub(super) async fn read_note(&self, key: &str) -> Result<Option<(Bytes, DateTime<Utc>)>, BucketError> {
        match self.client.get_object().bucket(&self.name).key(key).send().await.map_err(failure) {
            Ok(found) => {
                let modified = found.last_modified.and_then(|at| DateTime::from_timestamp(at.secs(), 0));
                let body = found.body.collect().await;
                let body = body.map_err(|error| BucketError::Failed(error.to_string()))?.into_bytes();
                Ok(Some((body, modified.unwrap_or_default())))
            }
            Err(BucketError::Gone) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a small object of our own.
    pub(super) async fn write_note(&self, key: &str, body: Vec<u8>) -> Result<(), BucketError> {
        let request = self.client.put_object().bucket(&self.name).key(key).body(ByteStream::from(body));
        request.content_type("application/json").send().await.map_err(failure)?;
        Ok(())
    }
}
