//! A byte stream that fails when the other side keeps quiet for too long.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// What a connection is made of.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug> Io for T {}

/// Set while silence is what is expected: during IDLE.
#[derive(Debug, Clone, Default)]
pub(super) struct Patience(Arc<AtomicBool>);

impl Patience {
    pub(super) fn set(&self, patient: bool) {
        self.0.store(patient, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Fails a read that gets no byte for `limit`, unless patience is set. The limit counts
/// from the last byte read or written, so it bounds silence and not the length of a mail.
#[derive(Debug)]
pub(super) struct Watched {
    inner: Box<dyn Io>,
    limit: Duration,
    patience: Patience,
    timer: Pin<Box<Sleep>>,
    /// The timer runs.
    armed: bool,
}

impl Watched {
    pub(super) fn new(inner: Box<dyn Io>, limit: Duration, patience: Patience) -> Self {
        Self { inner, limit, patience, timer: Box::pin(tokio::time::sleep(limit)), armed: false }
    }

    /// The stream itself, to be wrapped by TLS.
    pub(super) fn into_inner(self) -> Box<dyn Io> {
        self.inner
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Poll::Ready(done) = Pin::new(&mut this.inner).poll_read(task, buffer) {
            this.armed = false;
            return Poll::Ready(done);
        }
        if this.patience.get() {
            this.armed = false;
            return Poll::Pending;
        }
        if !this.armed {
            this.timer.as_mut().reset(Instant::now() + this.limit);
            this.armed = true;
        }
        match this.timer.as_mut().poll(task) {
            Poll::Ready(()) => {
                this.armed = false;
                let what = format!("the server did not answer for {} s", this.limit.as_secs());
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, what)))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.armed = false;
        Pin::new(&mut self.inner).poll_write(task, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(task)
    }
}
