//! One file: from its host into the bucket.
//!
//! A file of less than one part is one request. Anything longer is an upload in parts,
//! which survives a broken connection and the end of the process: the next try goes on
//! behind the last part that is there, if the host can prove that the file is the same.

use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::bucket::{Bucket, Part};
use super::labels::{Item, Labels};
use super::note::{Note, place};
use super::offer::{self, Offer, Resume, Trouble};
use super::source::{self, Parts};
use super::{DirectStore, PART};
use crate::r2::normalize::time_limit;
use crate::s3::BucketError;

/// Parts that are uploaded at once. One more is never read meanwhile: this many times
/// [`PART`] is all the memory that a file takes.
const PARTS_AT_ONCE: usize = 2;
/// Tries without any progress, the first one included.
const TRIES: u32 = 4;
/// Pause before the next try, times the tries so far.
const PAUSE: Duration = Duration::from_secs(1);
/// Pause between looks at what another worker is doing.
const LOOK: Duration = Duration::from_secs(3);
/// Ending an upload takes no longer than this.
pub(super) const CLEAN_UP: Duration = Duration::from_secs(10);

/// Why a try ended without a copy.
enum Stop {
    /// The source, or the bucket.
    Trouble(Trouble),
    /// Another worker copies the same link, and has ended our upload or will overtake it.
    Overtaken,
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<BucketError> for Stop {
    fn from(error: BucketError) -> Self {
        match error {
            BucketError::Gone | BucketError::Exists => Self::Overtaken,
            BucketError::Refused(_) => Self::Trouble(Trouble::Refused(error.to_string())),
            BucketError::Failed(_) => Self::Trouble(Trouble::Broken(error.to_string())),
        }
    }
}

/// A file on its way.
pub(super) struct Transfer<'s> {
    store: &'s DirectStore,
    bucket: &'s Bucket,
    item: &'s Item,
    /// There is a copy that is about to expire, so the new one must replace it.
    replace: bool,
    /// The upload in parts that we have begun or taken over.
    upload: Option<String>,
    /// There is a note about an earlier upload.
    noted: bool,
    /// Most parts that were ever finished: a measure of progress.
    finished: usize,
}

impl<'s> Transfer<'s> {
    pub(super) fn new(store: &'s DirectStore, item: &'s Item, replace: bool) -> Self {
        Self { store, bucket: &store.bucket, item, replace, upload: None, noted: false, finished: 0 }
    }

    /// Copies the file, and returns its own name. Leaves an upload open only when it is
    /// dropped: then somebody goes on with it.
    pub(super) async fn run(&mut self) -> Result<Option<String>, String> {
        let mut tries = 0;
        let end = loop {
            let before = self.finished;
            let why = match self.attempt().await {
                Ok(name) => return Ok(name),
                Err(Stop::Overtaken) => match self.wait_for_other().await {
                    Ok(name) => return Ok(name),
                    Err(error) => break error.to_string(),
                },
                Err(Stop::Trouble(Trouble::Refused(why))) => break why,
                Err(Stop::Trouble(Trouble::Broken(why))) => why,
            };
            tries = if self.finished > before { 1 } else { tries + 1 };
            if tries >= TRIES {
                break why;
            }
            tracing::debug!(email_id = self.item.email_id, why, "a transfer broke off, trying again");
            tokio::time::sleep(self.store.world.jitter.spread(PAUSE * tries)).await;
        };
        self.discard().await;
        Err(end)
    }

    async fn attempt(&mut self) -> Result<Option<String>, Stop> {
        match self.find_upload().await? {
            Some((note, parts)) => self.go_on(note, parts).await,
            None => {
                let answer = self.ask(None).await?;
                self.start(answer).await
            }
        }
    }

    async fn ask(&self, resume: Option<&Resume>) -> Result<crate::egress::Streamed, Trouble> {
        source::open(&self.store.hosts, &self.item.source_url, self.patience(), resume).await
    }

    fn patience(&self) -> Duration {
        time_limit(&self.item.source_url, &self.item.provider)
    }

    /// An upload that was broken off, with its finished parts.
    async fn find_upload(&mut self) -> Result<Option<(Note, Vec<Part>)>, Stop> {
        let Some(note) = Note::read(self.bucket, &self.item.key).await? else { return Ok(None) };
        self.noted = true;
        if self.store.world.now() - note.begun > self.store.settings.resumable_for() {
            return Ok(None);
        }
        match self.bucket.parts(&note.key, &note.upload).await {
            Ok(parts) => {
                self.upload = Some(note.upload.clone());
                let parts = gapless(parts, note.length);
                self.finished = self.finished.max(parts.len());
                Ok(Some((note, parts)))
            }
            Err(BucketError::Gone) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Goes on with an upload, or begins anew when the source is not what it was.
    async fn go_on(&mut self, note: Note, done: Vec<Part>) -> Result<Option<String>, Stop> {
        let offset = done.iter().map(|part| part.size).sum();
        if offset == note.length {
            self.complete(&note.upload, &done).await?;
            return Ok(note.name);
        }
        let resume = Resume { offset, validator: note.validator, length: note.length };
        let answer = self.ask(Some(&resume)).await?;
        if !offer::is_rest(answer.status, &answer.headers, &resume) {
            return match answer.status {
                200 => self.start(answer).await,
                // The file has become shorter, or something between us does not keep to the
                // rules: ask for all of it.
                206 | 412 | 416 => {
                    let answer = self.ask(None).await?;
                    self.start(answer).await
                }
                status => Err(offer::no(status).into()),
            };
        }
        tracing::info!(email_id = self.item.email_id, offset, "an upload goes on where it was broken off");
        // Uploads that went on after an interruption.
        metrics::counter!("render_signal_r2_uploads_resumed_total").increment(1);
        let max = self.store.settings.max_bytes;
        let mut parts = Parts::new(answer, self.patience(), offset, Some(note.length), max);
        self.pump(&note.upload, &mut parts, Bytes::new(), done).await?;
        Ok(note.name)
    }

    /// Copies the whole file from its beginning.
    async fn start(&mut self, answer: crate::egress::Streamed) -> Result<Option<String>, Stop> {
        let max = self.store.settings.max_bytes;
        let offer = offer::whole(answer.status, &answer.headers, max)?;
        let mut parts = Parts::new(answer, self.patience(), 0, offer.length, max);
        let first = parts.next().await?;
        let whole_length = if first.len() < PART { Some(first.len() as u64) } else { offer.length };
        offer::check_start(&first, whole_length, self.item.is_folder(), offer.attachment)?;
        self.end_all().await?;
        let now = self.store.world.now();
        let labels = Labels::new(self.item, &offer, now, self.store.settings.retention);
        if first.len() < PART {
            self.bucket.put(&self.item.key, first, labels, !self.replace).await?;
            return Ok(offer.name);
        }
        let upload = self.begin(labels, &offer).await?;
        self.pump(&upload, &mut parts, first, Vec::new()).await?;
        Ok(offer.name)
    }

    async fn begin(&mut self, labels: Labels, offer: &Offer) -> Result<String, Stop> {
        let upload = self.bucket.begin(&self.item.key, labels).await?;
        self.upload = Some(upload.clone());
        if let Some(note) = Note::new(&self.item.key, &upload, offer, self.store.world.now()) {
            self.noted = true;
            note.write(self.bucket).await?;
        }
        Ok(upload)
    }

    /// Uploads part after part, a few at once, and completes the upload.
    async fn pump(
        &mut self,
        upload: &str,
        source: &mut Parts,
        first: Bytes,
        mut done: Vec<Part>,
    ) -> Result<(), Stop> {
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
        under_way: &mut JoinSet<Result<(Part, Bytes), BucketError>>,
        done: &mut Vec<Part>,
        source: &mut Parts,
    ) -> Result<(), Stop> {
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
                Err(Trouble::Broken(why).into())
            }
        }
    }

    async fn complete(&mut self, upload: &str, parts: &[Part]) -> Result<(), Stop> {
        self.bucket.complete(&self.item.key, upload, parts).await?;
        self.upload = None;
        if self.noted
            && let Err(error) = self.bucket.delete(&place(&self.item.key)).await
        {
            tracing::debug!(%error, "the note about a finished upload stays until the clean-up");
        }
        Ok(())
    }

    /// Waits until the copy is there that somebody else is making. Our caller's time limit ends it.
    async fn wait_for_other(&mut self) -> Result<Option<String>, BucketError> {
        self.upload = None;
        loop {
            if let Some(found) = self.bucket.head(&self.item.key).await?
                && found.is_fresh(self.store.world.now(), self.store.settings.retention)
            {
                return Ok(found.original_filename);
            }
            if self.bucket.unfinished(&self.item.key).await?.is_empty() {
                return Err(BucketError::Failed("another worker has given the upload up".to_owned()));
            }
            tokio::time::sleep(self.store.world.jitter.spread(LOOK)).await;
        }
    }

    /// Ends every earlier upload of this object: there will be another one.
    async fn end_all(&mut self) -> Result<(), Stop> {
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

    /// Leaves nothing unfinished behind.
    pub(super) async fn discard(&mut self) {
        let Some(upload) = self.upload.take() else { return };
        let ended = async {
            self.bucket.abort(&self.item.key, &upload).await?;
            self.bucket.delete(&place(&self.item.key)).await
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
fn gapless(parts: Vec<Part>, length: u64) -> Vec<Part> {
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

    fn part(number: i32, size: usize) -> Part {
        Part { number, size: size as u64, etag: String::new() }
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
