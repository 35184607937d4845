//! Answers that are too large to be kept: read piece by piece, each within a time.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use url::Url;

use super::client::in_time;
use super::failure::classify;
use super::{GuardedClient, SendError};

/// An answer whose body is still to be read. Dropping it closes the connection.
#[derive(Debug)]
pub struct StreamedAnswer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    response: reqwest::Response,
}

impl GuardedClient {
    /// Gets `url` and returns as soon as the headers of the answer are there, which must be
    /// within `timeout`. No redirect is followed: it is an answer, too.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn open(
        &self,
        url: &Url,
        headers: HeaderMap,
        timeout: Duration,
    ) -> Result<StreamedAnswer, SendError> {
        let request = self.client(url)?.get(url.clone()).headers(headers);
        let mut response = in_time(timeout, async { request.send().await.map_err(classify) }).await?;
        let headers = std::mem::take(response.headers_mut());
        Ok(StreamedAnswer { status: response.status().as_u16(), headers, response })
    }
}

impl StreamedAnswer {
    /// The next piece of the body, of any size, if it comes within `timeout`; `None` at the end.
    ///
    /// # Errors
    /// See [`SendError`]; a body that ends before its announced length is
    /// [`SendError::Transport`].
    pub async fn chunk(&mut self, timeout: Duration) -> Result<Option<Bytes>, SendError> {
        in_time(timeout, async { self.response.chunk().await.map_err(classify) }).await
    }
}
