//! The upload in parts of a long file: how it is begun, filled, gone on with and ended.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::task::JoinSet;

use super::{Copy, Transfer, TryStop};
use crate::r2::direct::PART;
use crate::r2::direct::bucket::UploadedPart;
use crate::r2::direct::checkpoint::{UploadCheckpoint, place};
use crate::r2::direct::metadata::ObjectMetadata;
use crate::r2::direct::source::BodyParts;
use crate::r2::direct::source_response::{self, NothingToCopy, Resume, SourceResponse};
use crate::s3::BucketError;

/// Parts that are uploaded at once. One more is never read meanwhile: this many times
/// [`PART`] is all the memory that a file takes.
const PARTS_AT_ONCE: usize = 2;
/// Pause between looks at what another worker is doing.
const POLL_INTERVAL: Duration = Duration::from_secs(3);
/// Ending an upload takes no longer than this.
pub(in crate::r2::direct) const CLEAN_UP: Duration = Duration::from_secs(10);

/// An upload in parts that we fill.
pub(super) struct Upload {
    id: String,
    /// Others may fill it, too.
    shared: bool,
}

impl Transfer<'_> {
    /// An upload that was broken off, with its finished parts.
    pub(super) async fn find_upload(
        &mut self,
    ) -> Result<Option<(UploadCheckpoint, Vec<UploadedPart>)>, TryStop> {
        let Some(mut note) = UploadCheckpoint::read(self.bucket, &self.item.key).await? else {
            return Ok(None);
        };
        self.noted = true;
        if self.store.world.now() - note.begun > self.store.settings.resumable_for() {
            return Ok(None);
        }
        match self.bucket.parts(&note.key, &note.upload).await {
            Ok(parts) => {
                let is_ours = note.email_id == self.item.email_id
                    || self.upload.as_ref().is_some_and(|upload| upload.id == note.upload);
                if !is_ours && !note.shared {
                    note.shared = true;
                    note.write(self.bucket).await?;
                }
                self.upload = Some(Upload { id: note.upload.clone(), shared: note.shared });
                let parts = gapless(parts, note.length);
                self.finished = self.finished.max(parts.len());
                Ok(Some((note, parts)))
            }
            Err(BucketError::Gone) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Goes on with an upload, or begins anew when the source is not what it was.
    pub(super) async fn go_on(
        &mut self,
        note: UploadCheckpoint,
        done: Vec<UploadedPart>,
    ) -> Result<Copy, TryStop> {
        let copy = self.copy_of(note.name.clone(), note.begun);
        let offset = done.iter().map(|part| part.size).sum();
        if offset == note.length {
            self.complete(&note.upload, &done).await?;
            return Ok(copy);
        }
        let resume = Resume { offset, validator: note.validator, length: note.length };
        let answer = self.ask(Some(&resume)).await?;
        if !source_response::is_rest(answer.status, &answer.headers, &resume) {
            return match answer.status {
                200 => self.start(answer).await,
                // The file has become shorter, or something between us does not keep to the
                // rules: ask for all of it.
                206 | 412 | 416 => {
                    let answer = self.ask(None).await?;
                    self.start(answer).await
                }
                status => Err(source_response::no(status).into()),
            };
        }
        tracing::info!(offset, "an upload goes on where it was broken off");
        // Uploads that went on after an interruption.
        metrics::counter!("render_signal_r2_uploads_resumed_total").increment(1);
        let settings = &self.store.settings;
        let mut parts = BodyParts::new(answer, self.patience(), offset, Some(note.length), settings);
        self.pump(&note.upload, &mut parts, Bytes::new(), done).await?;
        Ok(copy)
    }

    pub(super) async fn begin(
        &mut self,
        labels: ObjectMetadata,
        offer: &SourceResponse,
        now: DateTime<Utc>,
    ) -> Result<String, TryStop> {
        let id = self.bucket.begin(&self.item.key, labels).await?;
        self.upload = Some(Upload { id: id.clone(), shared: false });
        if let Some(note) = UploadCheckpoint::new(self.item, &id, offer, now) {
            self.noted = true;
            note.write(self.bucket).await?;
        }
        Ok(id)
    }

    /// Uploads part after part, a few at once, and completes the upload.
    pub(super) async fn pump(
        &mut self,
        upload: &str,
        source: &mut BodyParts,
        first: Bytes,
        mut done: Vec<UploadedPart>,
    ) -> Result<(), TryStop> {
        let mut under_way = JoinSet::new();
        let mut number = i32::try_from(done.len()).unwrap_or(i32::MAX);
        let mut next = Some(first).filter(|part| !part.is_empty());
        let read = loop {
            let part = match next.take() {
                Some(part) => part,
                None => match source.next().await {
                    Ok(part) => part,
                    Err(trouble) => break Err(trouble),
                },
            };
            if part.is_empty() {
                break Ok(());
            }
            let is_last = part.len() < PART;
            number = number.saturating_add(1);
            let (bucket, key, upload) = (self.bucket.clone(), self.item.key.clone(), upload.to_owned());
            under_way.spawn(async move {
                let sent = bucket.put_part(&key, &upload, number, part.clone()).await;
                sent.map(|sent| (sent, part))
            });
            if is_last {
                break Ok(());
            }
            while under_way.len() >= PARTS_AT_ONCE {
                self.take_in(&mut under_way, &mut done, source).await?;
            }
        };
        // Also after trouble with the source: what is uploaded need not be fetched again.
        while !under_way.is_empty() {
            self.take_in(&mut under_way, &mut done, source).await?;
        }
        read?;
        done.sort_by_key(|part| part.number);
        self.complete(upload, &done).await
    }

    async fn take_in(
        &mut self,
        under_way: &mut JoinSet<Result<(UploadedPart, Bytes), BucketError>>,
        done: &mut Vec<UploadedPart>,
        source: &mut BodyParts,
    ) -> Result<(), TryStop> {
        match under_way.join_next().await {
            None => Ok(()),
            Some(Ok(sent)) => {
                let (part, memory) = sent?;
                done.push(part);
                source.recycle(memory);
                self.finished = self.finished.max(done.len());
                Ok(())
            }
            Some(Err(error)) => {
                let why = format!("the upload of a part failed unexpectedly: {error}");
                Err(NothingToCopy::Broken(why).into())
            }
        }
    }

    async fn complete(&mut self, upload: &str, parts: &[UploadedPart]) -> Result<(), TryStop> {
        self.bucket.complete(&self.item.key, upload, parts).await?;
        self.upload = None;
        if self.noted
            && let Err(error) = self.bucket.delete(&place(&self.item.key)).await
        {
            tracing::debug!(%error, "the note about a finished upload stays until the clean-up");
        }
        Ok(())
    }

    /// Waits until the copy is there that somebody else is making. Our caller's time limit
    /// ends it. An error says that nobody makes it any more, or what the bucket says.
    pub(super) async fn wait_for_other(&mut self) -> Result<Copy, BucketError> {
        (self.upload, self.place, self.finished) = (None, None, 0);
        loop {
            if let Some(found) = self.bucket.head(&self.item.key).await?
                && found.is_fresh(self.store.world.now(), self.store.settings.retention)
            {
                return Ok(found.into());
            }
            let mut unfinished = self.bucket.unfinished(&self.item.key).await?.into_iter();
            if !unfinished.any(|upload| upload.key == self.item.key) {
                return Err(BucketError::Failed("another worker has given the upload up".to_owned()));
            }
            tokio::time::sleep(self.store.world.jitter.spread(POLL_INTERVAL)).await;
        }
    }

    /// Ends every earlier upload of this object: there will be another one.
    pub(super) async fn end_all(&mut self) -> Result<(), TryStop> {
        self.upload = None;
        for upload in self.bucket.unfinished(&self.item.key).await? {
            if upload.key == self.item.key {
                self.bucket.abort(&upload.key, &upload.id).await?;
            }
        }
        if std::mem::take(&mut self.noted) {
            self.bucket.delete(&place(&self.item.key)).await?;
        }
        Ok(())
    }

    /// Leaves nothing unfinished behind, unless others may be at work on it.
    pub(super) async fn discard(&mut self) {
        let Some(upload) = self.upload.take() else { return };
        let ended = async {
            let note = UploadCheckpoint::read(self.bucket, &self.item.key).await?;
            let note = note.filter(|note| note.upload == upload.id);
            if upload.shared || note.as_ref().is_some_and(|note| note.shared) {
                return Ok(());
            }
            self.bucket.abort(&self.item.key, &upload.id).await?;
            if note.is_some() { self.bucket.delete(&place(&self.item.key)).await } else { Ok(()) }
        };
        match tokio::time::timeout(CLEAN_UP, ended).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "an upload could not be ended; the clean-up will"),
            Err(_) => tracing::warn!("an upload was not ended in time; the clean-up will do it"),
        }
    }
}

/// The parts up to the first gap: the bytes of the file that are there. Only full parts
/// count, and the last one of the file.
fn gapless(parts: Vec<UploadedPart>, length: u64) -> Vec<UploadedPart> {
    let mut offset = 0;
    let mut found = Vec::new();
    for (part, number) in parts.into_iter().zip(1..) {
        let want = (length - offset).min(PART as u64);
        if part.number != number || part.size != want || want == 0 {
            break;
        }
        offset += part.size;
        found.push(part);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: i32, size: usize) -> UploadedPart {
        UploadedPart { number, size: size as u64, etag: String::new() }
    }

    #[test]
    fn only_what_can_be_completed_counts_as_finished() {
        let length = 2 * PART as u64 + 5;
        for (parts, want) in [
            (vec![], 0),
            (vec![part(1, PART), part(2, PART), part(3, 5)], 3),
            (vec![part(1, PART), part(3, 5)], 1),
            (vec![part(2, PART)], 0),
            // Cut by somebody who did not know the rule.
            (vec![part(1, PART - 1), part(2, PART)], 0),
            (vec![part(1, PART), part(2, PART), part(3, 6)], 2),
        ] {
            assert_eq!(gapless(parts.clone(), length).len(), want, "{parts:?}");
        }
        assert_eq!(gapless(vec![part(1, PART), part(2, PART)], PART as u64).len(), 1);
    }
}
