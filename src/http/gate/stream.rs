//! A connection behind its gate.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::phase::{MAX_HEAD_BYTES, ReadPhase};
use super::{ConnectionGate, Crowd, IO_TIMEOUT, refusal};
use crate::http::problem::ProblemKind;

/// Bytes that are taken off the wire before they may be read: to notice that the other side has
/// gone, no more is needed.
const MAX_BUFFERED: usize = 8 * 1024;
/// What still comes in after the last answer is thrown away until nothing has come for this long.
/// Closing at once would reset the connection, and the answer might be lost with it.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);
/// The longest time in all, for a client that sends the whole of the largest mail before it reads the
/// answer. A connection that was ended in favour of another has [`LINGER_TIMEOUT`] in all.
pub(in crate::http) const MAX_LINGER: Duration = Duration::from_secs(5);
/// The most bytes that are thrown away meanwhile: those of the largest mail.
const MAX_LINGER_BYTES: usize = 32 * 1024 * 1024;

/// A stream of which is read what its gate lets through.
#[derive(Debug)]
pub(in crate::http) struct Gated<S> {
    io: S,
    gate: ConnectionGate,
    /// Off the wire, and not read yet.
    held: BytesMut,
    /// The other side sends no more.
    ended: bool,
    reading: Timer,
    writing: Timer,
    leaving: Option<LingeringClose>,
    /// Its place among the connections.
    _place: Rc<()>,
}

/// The end of a connection.
#[derive(Debug)]
struct LingeringClose {
    since: Instant,
    /// When something came last.
    heard: Instant,
    timer: Timer,
    thrown_away: usize,
}

impl LingeringClose {
    fn new() -> Self {
        let now = Instant::now();
        Self { since: now, heard: now, timer: Timer::default(), thrown_away: 0 }
    }

    /// Whether it has lasted long enough; otherwise the task is woken then.
    fn is_over(&mut self, evicted: bool, cx: &mut Context<'_>) -> bool {
        let longest = if evicted { LINGER_TIMEOUT } else { MAX_LINGER };
        let at = (self.heard + LINGER_TIMEOUT).min(self.since + longest);
        self.timer.is_over(at, cx)
    }
}

/// A timer that is made when it is needed first.
#[derive(Debug, Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Whether `at` is over; otherwise the task is woken then.
    fn is_over(&mut self, at: Instant, cx: &mut Context<'_>) -> bool {
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx).is_ready()
    }
}

fn given_up() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "given up for another connection")
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "whoever followed the stream has gone")
}

fn count(reason: &'static str) {
    metrics::counter!("render_signal_http_dropped_total", "reason" => reason).increment(1);
}

impl<S> Gated<S> {
    /// A new connection, once it has a place in `crowd`.
    pub(in crate::http) async fn new(io: S, crowd: &Crowd) -> Self {
        let (gate, place) = crowd.enter().await;
        Self {
            io,
            gate,
            held: BytesMut::new(),
            ended: false,
            reading: Timer::default(),
            writing: Timer::default(),
            leaving: None,
            _place: place,
        }
    }

    pub(in crate::http) fn gate(&self) -> ConnectionGate {
        self.gate.clone()
    }
}

/// What comes next for a reader.
enum ReadStep {
    /// It has something, or the end.
    Done,
    /// More must come off the wire.
    Fetch,
    /// Nothing until the gate says so.
    Wait,
    /// The head is too long, which the other side is told.
    Refuse,
}

impl<S: AsyncRead + Unpin> Gated<S> {
    fn step(&mut self, cx: &Context<'_>, buf: &mut ReadBuf<'_>) -> io::Result<ReadStep> {
        let mut state = self.gate.0.borrow_mut();
        if state.evicted {
            return Err(given_up());
        }
        state.reader = Some(cx.waker().clone());
        if state.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            count("slow");
            (state.phase, state.deadline) = (ReadPhase::Over, None);
        }
        let window = self.held.len().min(buf.remaining());
        let read = state.read(self.held.get(..window).unwrap_or_default());
        if let Some(bytes) = self.held.get(..read).filter(|bytes| !bytes.is_empty()) {
            buf.put_slice(bytes);
            self.held.advance(read);
            return Ok(ReadStep::Done);
        }
        Ok(match state.phase {
            ReadPhase::Over => ReadStep::Done,
            ReadPhase::TooLong => {
                count("head");
                state.phase = ReadPhase::Over;
                ReadStep::Refuse
            }
            // Nothing behind it is wanted, not even to be thrown away.
            ReadPhase::Last => ReadStep::Wait,
            ReadPhase::Head(_) | ReadPhase::Body { .. } if self.ended => ReadStep::Done,
            ReadPhase::Head(_) | ReadPhase::Body { .. } => ReadStep::Fetch,
            ReadPhase::Answering if self.ended && state.streams => return Err(gone()),
            ReadPhase::Asked | ReadPhase::Answering if self.ended && self.held.is_empty() => ReadStep::Done,
            ReadPhase::Asked | ReadPhase::Answering if self.ended || self.held.len() >= MAX_BUFFERED => {
                ReadStep::Wait
            }
            ReadPhase::Asked | ReadPhase::Answering => ReadStep::Fetch,
        })
    }

    /// Whether what is being read has taken too long; otherwise the task is woken when it has.
    fn is_too_slow(&mut self, cx: &mut Context<'_>) -> bool {
        let deadline = self.gate.0.borrow().deadline;
        deadline.is_some_and(|deadline| self.reading.is_over(deadline, cx))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gated<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match this.step(cx, buf)? {
                ReadStep::Done => return Poll::Ready(Ok(())),
                ReadStep::Wait => return Poll::Pending,
                ReadStep::Refuse => {
                    // Nothing else is being written: requests come one at a time. Whoever does not
                    // take so little is not waited for.
                    let most = format!("the head of a request has at most {} KiB", MAX_HEAD_BYTES / 1024);
                    let told = refusal::answer(ProblemKind::HeadersTooLarge, &most);
                    let _ = Pin::new(&mut this.io).poll_write(cx, &told)?;
                    return Poll::Ready(Ok(()));
                }
                ReadStep::Fetch => {}
            }
            this.held.reserve(MAX_BUFFERED - this.held.len().min(MAX_BUFFERED - 1));
            match tokio_util::io::poll_read_buf(Pin::new(&mut this.io), cx, &mut this.held)? {
                Poll::Ready(0) => this.ended = true,
                Poll::Ready(_) => {}
                Poll::Pending if this.is_too_slow(cx) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gated<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.gate.0.borrow().evicted {
            return Poll::Ready(Err(given_up()));
        }
        // While an answer is made, what is written is that answer, whatever it looks like.
        let answering = matches!(
            this.gate.0.borrow().phase,
            ReadPhase::Body { .. } | ReadPhase::Answering | ReadPhase::Last
        );
        if !answering && let Some(told) = refusal::of_parser(bytes) {
            // The last bytes on this connection. A client that does not take them at once is not waited for.
            let _ = Pin::new(&mut this.io).poll_write(cx, &told)?;
            return Poll::Ready(Ok(bytes.len()));
        }
        if let Poll::Ready(written) = Pin::new(&mut this.io).poll_write(cx, bytes) {
            this.writing = Timer::default();
            return Poll::Ready(written);
        }
        let until =
            this.writing.0.as_ref().map_or_else(|| Instant::now() + IO_TIMEOUT, |timer| timer.deadline());
        if this.writing.is_over(until, cx) {
            count("slow");
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    /// Says that no more comes, and waits a little for the other side to have heard it.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.leaving.is_none() {
            ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
        }
        let leaving = this.leaving.get_or_insert_with(LingeringClose::new);
        let evicted = {
            let mut state = this.gate.0.borrow_mut();
            state.reader = Some(cx.waker().clone());
            state.evicted
        };
        // Asked each time: whoever always has something to send must not be listened to for ever.
        while !leaving.is_over(evicted, cx) {
            this.held.clear();
            this.held.reserve(MAX_BUFFERED);
            match tokio_util::io::poll_read_buf(Pin::new(&mut this.io), cx, &mut this.held) {
                Poll::Ready(Ok(read @ 1..)) if leaving.thrown_away < MAX_LINGER_BYTES => {
                    leaving.thrown_away += read;
                    leaving.heard = Instant::now();
                }
                Poll::Ready(_) => break,
                // The time may be another one now.
                Poll::Pending if leaving.is_over(evicted, cx) => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }
}
