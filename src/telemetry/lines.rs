//! Log lines on their way to standard error.
//!
//! A thread of its own writes them. When nobody reads, as with a pipe that is full, that thread
//! waits and nobody else does: lines are dropped and counted, and the log says so when it is read
//! again.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use render_signal_actors::kernel::words::visible;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait to be written; more are dropped and counted.
const MAX_QUEUED_LINES: usize = 8_192;
/// Bytes that may wait to be written.
const MAX_QUEUED_BYTES: usize = 4 * 1_024 * 1_024;
/// How often it is checked whether everything is written, or whether a terminal takes more.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// How much waits to be written, and how many lines were dropped.
#[derive(Debug, Default)]
struct LineBacklog {
    lines: AtomicUsize,
    bytes: AtomicUsize,
    /// Dropped since the log said so last.
    dropped: AtomicU64,
}

/// Where log lines go. Writing never waits.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    sender: SyncSender<Vec<u8>>,
    waiting: Arc<LineBacklog>,
}

impl Lines {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there is no standard error, or no thread.
    pub(super) fn start() -> io::Result<Self> {
        // Not the handle that the rest of the process locks: a full pipe would hold that lock.
        let out = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        Self::into(out)
    }

    fn into(out: impl io::Write + Send + 'static) -> io::Result<Self> {
        let (sender, lines) = sync_channel(MAX_QUEUED_LINES);
        let waiting = Arc::new(LineBacklog::default());
        let counts = Arc::clone(&waiting);
        std::thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&lines, &counts, out))?;
        Ok(Self { sender, waiting })
    }

    /// Waits until everything is written, for at most `limit`.
    pub(super) fn flush(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.waiting.lines.load(Ordering::Acquire) > 0 && Instant::now() < deadline {
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    fn say(&self, line: &[u8]) {
        let size = line.len();
        let before = self.waiting.bytes.fetch_add(size, Ordering::AcqRel);
        self.waiting.lines.fetch_add(1, Ordering::AcqRel);
        let sent = if before + size > MAX_QUEUED_BYTES {
            Err(())
        } else {
            self.sender.try_send(line.to_vec()).map_err(|error| match error {
                TrySendError::Full(_) | TrySendError::Disconnected(_) => (),
            })
        };
        if sent.is_err() {
            self.waiting.written(size);
            self.waiting.dropped.fetch_add(1, Ordering::AcqRel);
            // Lines of the log that nobody read in time.
            metrics::counter!("render_signal_log_lines_dropped_total").increment(1);
        }
    }
}

impl LineBacklog {
    fn written(&self, size: usize) {
        self.bytes.fetch_sub(size, Ordering::AcqRel);
        self.lines.fetch_sub(1, Ordering::AcqRel);
    }
}

fn write_all(lines: &Receiver<Vec<u8>>, waiting: &LineBacklog, mut out: impl io::Write) {
    while let Ok(line) = lines.recv() {
        write(&mut out, &line);
        waiting.written(line.len());
        // When there is room again: what is said here has to wait like anything else.
        if waiting.lines.load(Ordering::Acquire) < MAX_QUEUED_LINES / 2 {
            let dropped = waiting.dropped.swap(0, Ordering::AcqRel);
            if dropped > 0 {
                tracing::warn!(lines = dropped, "log lines were dropped, for nobody read the log");
            }
        }
    }
}

/// Writes a line, however long it takes. One that cannot be written has no reader.
fn write(out: &mut impl io::Write, mut line: &[u8]) {
    while !line.is_empty() {
        match out.write(line) {
            Ok(0) => return,
            Ok(count) => line = line.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(POLL_INTERVAL),
            Err(_) => return,
        }
    }
}

/// One event of the log, which comes in one piece. Marks of direction in it are written out:
/// file names, answers of servers and other words of strangers are part of lines. (Control
/// characters are written out by the formatter, and our own colours are some.)
pub(super) struct LogLine<'a>(&'a Lines);

impl io::Write for LogLine<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.0.say(visible(&text, char::is_control).as_bytes());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = LogLine<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        LogLine(self)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::mpsc;

    use super::*;

    /// A reader that takes a line when it is told to.
    struct Slow(mpsc::Receiver<()>, mpsc::Sender<Vec<u8>>);
    impl io::Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0.recv().is_err() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.1.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nothing_waits_for_a_reader_and_what_is_dropped_is_counted() {
        let (take, taking) = mpsc::channel();
        let (taken, lines) = mpsc::channel();
        let log = Lines::into(Slow(taking, taken)).unwrap();
        let more = 100;
        // One is in the writer's hand.
        for number in 0..=MAX_QUEUED_LINES + more {
            log.make_writer().write_all(format!("{number}\n").as_bytes()).unwrap();
        }
        let dropped = log.waiting.dropped.load(Ordering::Acquire);
        let dropped = usize::try_from(dropped).unwrap();
        assert!((more..=more + 1).contains(&dropped), "{dropped}");
        for _ in 0..=MAX_QUEUED_LINES + more - dropped {
            take.send(()).unwrap();
        }
        log.flush(Duration::from_secs(60));
        let written: Vec<Vec<u8>> = lines.try_iter().collect();
        assert_eq!(written.len(), MAX_QUEUED_LINES + more + 1 - dropped);
        assert_eq!(written[1], b"1\n");
    }

    #[test]
    fn large_lines_take_no_more_than_their_share_of_memory() {
        let (_take, taking) = mpsc::channel();
        let (taken, _lines) = mpsc::channel();
        let log = Lines::into(Slow(taking, taken)).unwrap();
        let large = vec![b'x'; MAX_QUEUED_BYTES / 8];
        for _ in 0..100 {
            log.make_writer().write_all(&large).unwrap();
        }
        assert!(log.waiting.bytes.load(Ordering::Acquire) <= MAX_QUEUED_BYTES);
        assert!(log.waiting.dropped.load(Ordering::Acquire) >= 91);
    }
}
