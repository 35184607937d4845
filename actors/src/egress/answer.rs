//! An answer as it is read: its head, and of its body as much as is wanted and in time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::HeaderMap;

use super::SendError;
use super::failure::classify;

/// What the server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body, at most as many bytes as were asked for.
    pub body: Bytes,
    /// There was more, or there should have been.
    pub truncated: bool,
}

/// What is wanted of the body of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyWanted {
    /// All of it, or there is no answer.
    Whole,
    /// Whatever of it comes in this time after the headers.
    Within(Duration),
}

/// An answer of which the body is being read.
pub(super) struct Reading {
    response: reqwest::Response,
    pub(super) status: u16,
    headers: HeaderMap,
    first: Bytes,
    rest: BytesMut,
    pub(super) truncated: bool,
}

pub(super) fn head(mut response: reqwest::Response) -> Reading {
    let headers = std::mem::take(response.headers_mut());
    let status = response.status().as_u16();
    Reading { response, status, headers, first: Bytes::new(), rest: BytesMut::new(), truncated: false }
}

impl Reading {
    /// Reads the body up to `cap` bytes. What was read before it is given up or fails stays.
    pub(super) async fn read(&mut self, cap: usize) -> Result<(), SendError> {
        while let Some(mut chunk) = self.response.chunk().await.map_err(classify)? {
            let room = cap.saturating_sub(self.first.len() + self.rest.len());
            if chunk.len() > room {
                chunk.truncate(room);
                self.truncated = true;
            }
            if self.first.is_empty() {
                self.first = chunk;
            } else {
                self.rest.extend_from_slice(&chunk);
            }
            if self.truncated {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Answer {
        let Self { status, headers, first, rest, truncated, .. } = self;
        let body = if rest.is_empty() {
            first
        } else {
            let mut whole = BytesMut::with_capacity(first.len() + rest.len());
            whole.extend_from_slice(&first);
            whole.extend_from_slice(&rest);
            whole.freeze()
        };
        Answer { status, headers, body, truncated }
    }
}
