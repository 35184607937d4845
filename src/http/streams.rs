//! How many streams may be open at a time: each keeps a connection for as long as its reader likes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::problem::{HttpProblem, ProblemKind};

/// The open streams, and how many there may be. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct StreamLimit {
    open: Arc<AtomicUsize>,
    most: usize,
}

impl StreamLimit {
    /// With at most `most` streams at a time.
    pub(crate) fn new(most: usize) -> Self {
        Self { open: Arc::default(), most: most.max(1) }
    }

    /// Opens one more.
    ///
    /// # Errors
    /// As many are open as may be.
    pub(in crate::http) fn enter(&self) -> Result<StreamPermit, HttpProblem> {
        let open = self.open.fetch_add(1, Ordering::AcqRel);
        let permit = StreamPermit(self.clone());
        if open >= self.most {
            let why = format!("{} streams are open, and no more may be; close one", self.most);
            return Err(HttpProblem::new(ProblemKind::TooManyRequests, why).retry_after(15));
        }
        self.show();
        Ok(permit)
    }

    fn show(&self) {
        // render_signal_http_streams: streams of events and states that are open.
        #[expect(clippy::cast_precision_loss, reason = "at most a few hundred")]
        metrics::gauge!("render_signal_http_streams").set(self.open.load(Ordering::Acquire) as f64);
    }
}

/// A stream that is open for as long as this lives.
#[derive(Debug)]
pub(in crate::http) struct StreamPermit(StreamLimit);

impl Drop for StreamPermit {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
        self.0.show();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_was_left_is_free_again() {
        let streams = StreamLimit::new(2);
        let first = streams.enter().expect("a permit");
        let _second = streams.enter().expect("a permit");
        assert!(streams.enter().is_err());
        assert!(streams.enter().is_err(), "who was refused takes none");
        drop(first);
        assert!(streams.enter().is_ok());
    }
}
