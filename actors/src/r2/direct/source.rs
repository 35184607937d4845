//! The host of the file: asked once, followed where it leads, read piece by piece.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderValue, IF_RANGE, LOCATION, RANGE, USER_AGENT,
};
use tokio::time::Instant;
use url::Url;

use super::limits::Pace;
use super::metadata::LinkItem;
use super::source_response::{self, NothingToCopy, Resume};
use super::{DirectSettings, PART};
use crate::egress::{GuardedClient, SendError, StreamedAnswer};

/// Redirections that are followed; the services need two.
const MAX_REDIRECTS: usize = 8;
/// As the reference's Worker names itself.
const AGENT: HeaderValue = HeaderValue::from_static("render-signal-server/r2-transfer");

/// What the host answers in the end: the headers are there, the body is still to be read.
pub(super) async fn open(
    http: &GuardedClient,
    item: &LinkItem,
    patience: Duration,
    resume: Option<&Resume>,
) -> Result<StreamedAnswer, NothingToCopy> {
    let mut url = Url::parse(&item.source_url)
        .map_err(|error| NothingToCopy::Refused(format!("the link is no URL: {error}")))?;
    let headers = request_headers(resume)?;
    for _ in 0..=MAX_REDIRECTS {
        let answer = http.open(&url, headers.clone(), patience).await.map_err(trouble)?;
        if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
            return Ok(answer);
        }
        let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let location =
            location.ok_or_else(|| NothingToCopy::Refused("a redirection leads nowhere".to_owned()))?;
        url = url
            .join(location)
            .map_err(|error| NothingToCopy::Refused(format!("a redirection leads to no URL: {error}")))?;
        if !item.reach.may_lead_to(&url) {
            let host = url.host_str().unwrap_or_default();
            return Err(NothingToCopy::Refused(format!(
                "it is redirected to {host}, which redirect_to of its provider does not name"
            )));
        }
    }
    Err(NothingToCopy::Refused(format!("there are more than {MAX_REDIRECTS} redirections")))
}

fn request_headers(resume: Option<&Resume>) -> Result<HeaderMap, NothingToCopy> {
    let value = |text: &str| {
        HeaderValue::from_str(text)
            .map_err(|_| NothingToCopy::Refused("the host's validator is no header".to_owned()))
    };
    let mut headers = HeaderMap::from_iter([
        (USER_AGENT, AGENT),
        (ACCEPT, HeaderValue::from_static("*/*")),
        (ACCEPT_ENCODING, HeaderValue::from_static("identity")),
    ]);
    if let Some(resume) = resume {
        headers.insert(RANGE, value(&format!("bytes={}-", resume.offset))?);
        headers.insert(IF_RANGE, value(resume.validator.as_str())?);
    }
    Ok(headers)
}

fn trouble(error: SendError) -> NothingToCopy {
    match error {
        SendError::Refused(why) | SendError::RefusedNow(why) => {
            NothingToCopy::Refused(format!("it leads where it must not: {why}"))
        }
        SendError::Timeout => NothingToCopy::Broken("the host kept silent for too long".to_owned()),
        SendError::Local(_) | SendError::Connect(_) | SendError::Transport(_) => {
            NothingToCopy::Broken(format!("the host: {error}"))
        }
    }
}

/// The body, cut into parts.
pub(super) struct BodyParts {
    answer: StreamedAnswer,
    patience: Duration,
    /// Bytes of the file before the next part; those of earlier tries included.
    offset: u64,
    /// How many there must be in the end.
    length: Option<u64>,
    max_bytes: u64,
    pace: Pace,
    /// Read, and part of the next part.
    rest: Bytes,
    received: u64,
    /// Where this try began.
    start: u64,
    waited: Duration,
    /// Memory of parts that are done with, to be used again: what is given back to the
    /// allocator in between comes back in other places, and the process grows.
    spare: Vec<BytesMut>,
}

impl BodyParts {
    /// The parts of `answer`, of which `offset` bytes lie in the bucket already.
    pub(super) fn new(
        answer: StreamedAnswer,
        patience: Duration,
        offset: u64,
        length: Option<u64>,
        settings: &DirectSettings,
    ) -> Self {
        Self {
            answer,
            patience,
            offset,
            length,
            max_bytes: settings.max_bytes,
            pace: settings.pace,
            rest: Bytes::new(),
            received: 0,
            start: offset,
            waited: Duration::ZERO,
            spare: Vec::new(),
        }
    }

    /// The next part: of [`PART`] bytes, or the last one, which is shorter; empty at the end.
    pub(super) async fn next(&mut self) -> Result<Bytes, NothingToCopy> {
        let left = self.length.map_or(PART as u64, |length| length.saturating_sub(self.offset));
        let room = usize::try_from(left).map_or(PART, |left| left.min(PART));
        let mut part = self.spare.pop().unwrap_or_else(|| BytesMut::with_capacity(room));
        loop {
            let taken = self.rest.split_to(self.rest.len().min(PART - part.len()));
            part.extend_from_slice(&taken);
            if part.len() == PART {
                break;
            }
            match self.chunk().await? {
                Some(chunk) => self.rest = chunk,
                None => break,
            }
        }
        self.offset += part.len() as u64;
        match self.length {
            // Shorter ones are the rule: a full part needs not be the last.
            Some(length) if part.len() < PART && self.offset != length => {
                Err(NothingToCopy::Broken(format!("it ended after {} of {length} bytes", self.offset)))
            }
            _ => Ok(part.freeze()),
        }
    }

    /// Takes back a part that is done with.
    pub(super) fn recycle(&mut self, part: Bytes) {
        if let Ok(mut memory) = part.try_into_mut() {
            memory.clear();
            self.spare.push(memory);
        }
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, NothingToCopy> {
        let asked = Instant::now();
        let chunk = self.answer.chunk(self.patience).await.map_err(trouble)?;
        self.waited += asked.elapsed();
        let Some(chunk) = chunk else { return Ok(None) };
        self.received += chunk.len() as u64;
        if self.start + self.received > self.max_bytes {
            return Err(source_response::too_large(self.start + self.received, self.max_bytes));
        }
        if self.pace.is_too_slow(self.received, self.waited) {
            return Err(NothingToCopy::Refused("the host sends too slowly".to_owned()));
        }
        Ok(Some(chunk))
    }
}
