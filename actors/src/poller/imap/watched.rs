//! The byte stream beneath the parser: it fails when the other side keeps quiet for too long,
//! when it drips, when it sends more than it may, and at the first answer that is not harmless.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::bounds::{ConnectionBounds, patience};
use super::guard::{Breach, ResponseGuard};

/// Bytes that are taken from the network at once.
const CHUNK: usize = 16 * 1024;

/// What a connection is made of.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug> Io for T {}

/// Fails a read that gets no byte for `limit`, unless patience is set. That limit counts
/// from the last byte read or written, so it bounds silence and not the length of a mail;
/// [`patience`] bounds all the waiting for one answer.
#[derive(Debug)]
pub(super) struct WatchedIo {
    inner: Box<dyn Io>,
    limit: Duration,
    bounds: ConnectionBounds,
    guard: ResponseGuard,
    /// What the parser may see.
    passed: BytesMut,
    chunk: Box<[u8]>,
    timer: Pin<Box<Sleep>>,
    /// The timer runs since then.
    armed: Option<Instant>,
    waiting: AnswerWait,
}

/// The waiting for one answer.
#[derive(Debug, Default)]
struct AnswerWait {
    /// Which one it is.
    answered: u64,
    waited: Duration,
    bytes: u64,
}

impl WatchedIo {
    pub(super) fn new(inner: Box<dyn Io>, limit: Duration, bounds: ConnectionBounds) -> Self {
        Self {
            inner,
            limit,
            bounds,
            guard: ResponseGuard::default(),
            passed: BytesMut::new(),
            chunk: vec![0; CHUNK].into_boxed_slice(),
            timer: Box::pin(tokio::time::sleep(limit)),
            armed: None,
            waiting: AnswerWait::default(),
        }
    }

    /// The waiting that is counted at present.
    fn waiting(&mut self) -> &mut AnswerWait {
        let answered = self.bounds.count_of_answered();
        if self.waiting.answered != answered {
            self.waiting = AnswerWait { answered, ..AnswerWait::default() };
        }
        &mut self.waiting
    }

    /// Ends the present stretch of waiting.
    fn disarm(&mut self) {
        if let Some(since) = self.armed.take() {
            self.waiting().waited += since.elapsed();
        }
    }

    /// Nothing came: fails when that has lasted for too long.
    fn poll_silence(&mut self, task: &mut Context<'_>) -> Poll<io::Error> {
        if self.bounds.is_patient() {
            self.armed = None;
            return Poll::Pending;
        }
        let limit = self.limit;
        let waiting = self.waiting();
        let left = patience(waiting.bytes).saturating_sub(waiting.waited);
        if self.armed.is_none() {
            let now = Instant::now();
            self.timer.as_mut().reset(now + limit.min(left));
            self.armed = Some(now);
        }
        ready!(self.timer.as_mut().poll(task));
        self.disarm();
        let what = if limit < left {
            format!("the server did not answer for {} s", limit.as_secs())
        } else {
            "the server sends its answer too slowly, a byte now and then".to_owned()
        };
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, what))
    }

    /// Takes one chunk from the network. False = the other side has closed.
    fn poll_chunk(&mut self, task: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut chunk = ReadBuf::new(&mut self.chunk);
        let read = Pin::new(&mut self.inner).poll_read(task, &mut chunk);
        let count = chunk.filled().len();
        match read {
            Poll::Pending => self.poll_silence(task).map(Err),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {
                self.disarm();
                self.waiting().bytes += count as u64;
                Poll::Ready(self.judge(count).map(|()| count > 0).map_err(io::Error::other))
            }
        }
    }

    fn judge(&mut self, count: usize) -> Result<(), Breach> {
        if !self.bounds.spend(count) {
            return Err(Breach::TooMuch);
        }
        let bytes = self.chunk.get(..count).unwrap_or_default();
        self.guard.take(bytes, self.bounds.literal(), &mut self.passed)?;
        if let Some(refusal) = self.guard.refusal() {
            self.bounds.note_refusal(refusal);
        }
        Ok(())
    }
}

impl AsyncRead for WatchedIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.passed.is_empty() {
            if !ready!(this.poll_chunk(task))? {
                return Poll::Ready(Ok(()));
            }
        }
        let count = this.passed.len().min(buffer.remaining());
        buffer.put_slice(this.passed.get(..count).unwrap_or_default());
        this.passed.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WatchedIo {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.disarm();
        Pin::new(&mut self.inner).poll_write(task, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(task)
    }
}
