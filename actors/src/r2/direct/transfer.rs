//! One file: from its host into the bucket.
//!
//! A file of less than one part is one request. Anything longer is an upload in parts,
//! which survives a broken connection and the end of the process: the next try goes on
//! behind the last part that is there, if the host can prove that the file is the same.

mod upload;

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, SubsecRound as _, Utc};
use tokio::sync::SemaphorePermit;
use tokio::time::timeout;

use super::bucket::Bucket;
use super::checkpoint::UploadCheckpoint;
use super::limits::within;
use super::metadata::{Existing, LinkItem, ObjectMetadata};
use super::source::{self, BodyParts};
use super::source_response::{self, NothingToCopy, Resume, SourceResponse};
use super::{DirectStore, PART};
use crate::egress::{StreamedAnswer, retry_after};
use crate::r2::NoCopy;
use crate::r2::normalize::time_limit;
use crate::s3::BucketError;
pub(super) use upload::CLEAN_UP;
use upload::Upload;

/// Tries without any progress, the first one included.
const TRIES: u32 = 4;
/// Pause before the next try, times the tries so far.
const PAUSE: Duration = Duration::from_secs(1);

/// What a copy says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Copy {
    /// The file's own name.
    pub(super) original_filename: Option<String>,
    /// It may be deleted then; `None` = never.
    pub(super) expires_at: Option<DateTime<Utc>>,
}

impl From<Existing> for Copy {
    fn from(found: Existing) -> Self {
        Self { original_filename: found.original_filename, expires_at: found.expires_at }
    }
}

/// Why a try ended without a copy.
enum TryStop {
    /// The source, or the bucket.
    Trouble(NothingToCopy),
    /// Another worker copies the same link, and has ended our upload or will overtake it.
    Overtaken,
    /// It is no file for a fast permit, and no slow one was free: it has to wait for one.
    NeedsSlowPermit,
}

impl From<NothingToCopy> for TryStop {
    fn from(trouble: NothingToCopy) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<BucketError> for TryStop {
    fn from(error: BucketError) -> Self {
        match error {
            BucketError::Gone | BucketError::Exists => Self::Overtaken,
            BucketError::Refused(_) => Self::Trouble(NothingToCopy::Refused(error.to_string())),
            BucketError::Failed(_) => Self::Trouble(NothingToCopy::Broken(error.to_string())),
        }
    }
}

/// A body that has begun to come.
struct Beginning {
    offer: SourceResponse,
    parts: BodyParts,
    /// Its first part, if that was read already.
    first: Option<Bytes>,
}

/// A file on its way.
pub(super) struct Transfer<'s> {
    store: &'s DirectStore,
    bucket: &'s Bucket,
    item: &'s LinkItem,
    /// There is a copy that is about to expire, so the new one must replace it.
    replace: bool,
    /// It is no file for a fast permit.
    needs_slow: bool,
    place: Option<SemaphorePermit<'s>>,
    /// The upload that we have begun or taken over.
    upload: Option<Upload>,
    /// There is a note about an earlier upload.
    noted: bool,
    /// Most parts that were ever finished: a measure of progress.
    finished: usize,
    /// When the host wants to be asked again.
    not_before: Option<DateTime<Utc>>,
}

impl<'s> Transfer<'s> {
    pub(super) fn new(store: &'s DirectStore, item: &'s LinkItem, replace: bool) -> Self {
        let (bucket, needs_slow, place, upload) = (&store.bucket, false, None, None);
        Self {
            store,
            bucket,
            item,
            replace,
            needs_slow,
            place,
            upload,
            noted: false,
            finished: 0,
            not_before: None,
        }
    }

    /// Copies the file: waits for its turns no longer than `patience` in all, and takes no
    /// longer than `left` besides. Leaves an upload open only when it is dropped, or when
    /// others may be filling it: then somebody goes on with it, or the clean-up ends it.
    pub(super) async fn run(mut self, mut patience: Duration, mut left: Duration) -> Result<Copy, NoCopy> {
        let mut tries = 0;
        let end = loop {
            let fast = match self.enter(&mut patience).await {
                Ok(fast) => fast,
                Err(why) => break NoCopy::lasting(why),
            };
            let before = self.finished;
            let why = match within(&mut left, Box::pin(self.attempt(fast))).await {
                Some(Ok(copy)) => return Ok(copy),
                Some(Err(TryStop::NeedsSlowPermit)) => {
                    self.needs_slow = true;
                    continue;
                }
                Some(Err(TryStop::Overtaken)) => match within(&mut left, self.wait_for_other()).await {
                    Some(Ok(copy)) => return Ok(copy),
                    // It was their failure, not ours.
                    Some(Err(error)) => error.to_string(),
                    None => break self.store.late(),
                },
                Some(Err(TryStop::Trouble(NothingToCopy::Refused(why)))) => break NoCopy::lasting(why),
                Some(Err(TryStop::Trouble(NothingToCopy::Broken(why)))) => why,
                None => break self.store.late(),
            };
            tries = if self.finished > before { 1 } else { tries + 1 };
            if tries >= TRIES || self.not_before.is_some() {
                break NoCopy::passing(why, self.not_before);
            }
            tracing::debug!(why, "a transfer broke off, trying again");
            let pause = self.store.world.jitter.spread(PAUSE * tries);
            if within(&mut left, tokio::time::sleep(pause)).await.is_none() {
                break self.store.late();
            }
        };
        self.discard().await;
        Err(end)
    }

    /// Waits for a permit: a fast one, or a slow one, which is then kept.
    async fn enter(&mut self, patience: &mut Duration) -> Result<Option<SemaphorePermit<'s>>, String> {
        let limits = &self.store.limits;
        if self.place.is_some() {
            return Ok(None);
        }
        let permit = if self.needs_slow { limits.slow(patience).await } else { limits.fast(patience).await };
        let permit = permit.ok_or_else(|| {
            let limit = self.store.settings.limit.as_secs();
            format!("its turn did not come within R2_TRANSFER_MAX_SECONDS ({limit}): others were slow")
        })?;
        if self.needs_slow {
            self.place = Some(permit);
            return Ok(None);
        }
        Ok(Some(permit))
    }

    async fn attempt(&mut self, fast: Option<SemaphorePermit<'s>>) -> Result<Copy, TryStop> {
        if let Some(fast) = fast {
            return self.with_fast_permit(fast).await;
        }
        match self.find_upload().await? {
            Some((note, parts)) => self.go_on(note, parts).await,
            None => {
                let answer = self.ask(None).await?;
                self.start(answer).await
            }
        }
    }

    /// Copies a small file from a quick host; any other one takes a place, or must wait for it.
    async fn with_fast_permit(&mut self, fast: SemaphorePermit<'s>) -> Result<Copy, TryStop> {
        if UploadCheckpoint::read(self.bucket, &self.item.key).await?.is_some() {
            return Err(TryStop::NeedsSlowPermit);
        }
        let (store, mut fast, mut place) = (self.store, Some(fast), None);
        let mut take_place = || -> Result<(), TryStop> {
            place = Some(store.limits.try_slow().ok_or(TryStop::NeedsSlowPermit)?);
            fast = None;
            Ok(())
        };
        let beginning = {
            let mut begin = pin!(self.begin_reading());
            match timeout(store.settings.pace.quick, &mut begin).await {
                Ok(beginning) => {
                    let beginning = beginning?;
                    if beginning.first.as_ref().is_none_or(|first| first.len() == PART) {
                        take_place()?;
                    }
                    beginning
                }
                Err(_) => {
                    take_place()?;
                    begin.await?
                }
            }
        };
        self.place = place;
        let copied = self.finish(beginning).await;
        // Until then a file that has come whole was in memory.
        drop(fast);
        copied
    }

    /// Opens the source and reads its first part, unless there is more than that for sure.
    async fn begin_reading(&mut self) -> Result<Beginning, NothingToCopy> {
        let answer = self.ask(None).await?;
        let mut beginning = self.accept(answer)?;
        if beginning.offer.length.is_none_or(|length| length < PART as u64) {
            beginning.first = Some(beginning.parts.next().await?);
        }
        Ok(beginning)
    }

    fn accept(&self, answer: StreamedAnswer) -> Result<Beginning, NothingToCopy> {
        let settings = &self.store.settings;
        let offer = source_response::whole(answer.status, &answer.headers, settings.max_bytes)?;
        let parts = BodyParts::new(answer, self.patience(), 0, offer.length, settings);
        Ok(Beginning { offer, parts, first: None })
    }

    async fn ask(&mut self, resume: Option<&Resume>) -> Result<StreamedAnswer, NothingToCopy> {
        let patience = self.patience();
        let answer = source::open(&self.store.hosts, self.item, patience, resume).await?;
        if answer.status >= 400 {
            self.not_before = retry_after(&answer.headers, self.store.world.now());
        }
        Ok(answer)
    }

    fn patience(&self) -> Duration {
        time_limit(&self.item.source_url, &self.item.provider)
    }

    /// Copies the whole file from its beginning.
    async fn start(&mut self, answer: StreamedAnswer) -> Result<Copy, TryStop> {
        let beginning = self.accept(answer)?;
        self.finish(beginning).await
    }

    /// Copies the rest of a file.
    async fn finish(&mut self, beginning: Beginning) -> Result<Copy, TryStop> {
        let Beginning { offer, mut parts, first } = beginning;
        let first = match first {
            Some(first) => first,
            None => parts.next().await?,
        };
        let whole_length = if first.len() < PART { Some(first.len() as u64) } else { offer.length };
        source_response::check_start(&first, whole_length, self.item.is_folder(), offer.attachment)?;
        self.end_all().await?;
        let now = self.store.world.now();
        let labels = ObjectMetadata::new(self.item, &offer, now, self.store.settings.retention);
        let copy = self.copy_of(offer.name.clone(), now);
        if first.len() < PART {
            self.bucket.put(&self.item.key, first, labels, !self.replace).await?;
            return Ok(copy);
        }
        let upload = self.begin(labels, &offer, now).await?;
        self.pump(&upload, &mut parts, first, Vec::new()).await?;
        Ok(copy)
    }

    /// The copy whose labels were written at `labelled`, as they say it: in milliseconds.
    fn copy_of(&self, original_filename: Option<String>, labelled: DateTime<Utc>) -> Copy {
        let retention = self.store.settings.retention;
        let expires_at = retention.map(|retention| (labelled + retention).trunc_subsecs(3));
        Copy { original_filename, expires_at }
    }
}
