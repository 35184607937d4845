//! How many bytes of large bodies are in memory at a time. A request that there is no room for is
//! refused before a byte of its body is read.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::{HttpProblem, ProblemKind};

/// Bytes of large bodies that may be in memory at a time.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Bodies of up to this many bytes are not counted: there are no more of them than connections.
const UNCOUNTED_BYTES: usize = 64 * 1024;
/// Bytes for which one permit of the semaphore is taken.
const BYTES_PER_PERMIT: usize = 1024;

/// The memory for large bodies. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct BodyPermits(Arc<Semaphore>);

impl Default for BodyPermits {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_BYTES / BYTES_PER_PERMIT)))
    }
}

/// Memory for one body, until its request is answered.
#[derive(Debug)]
pub(in crate::http) struct BodyPermit(
    #[expect(dead_code, reason = "held, and given back by being dropped")] OwnedSemaphorePermit,
);

impl BodyPermits {
    /// Reserves memory for a body of `bytes` bytes; a small one needs none.
    ///
    /// # Errors
    /// Too many others are being read.
    pub(in crate::http) fn permit(&self, bytes: usize) -> Result<Option<BodyPermit>, HttpProblem> {
        if bytes <= UNCOUNTED_BYTES {
            return Ok(None);
        }
        let units = u32::try_from(bytes.min(MAX_BYTES).div_ceil(BYTES_PER_PERMIT)).unwrap_or(u32::MAX);
        match Arc::clone(&self.0).try_acquire_many_owned(units) {
            Ok(permit) => Ok(Some(BodyPermit(permit))),
            Err(_) => {
                let why = "too many large bodies are being read; send this one again in a moment";
                Err(HttpProblem::new(ProblemKind::Unavailable, why).retry_after(1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_wait_outside_and_small_ones_do_not() {
        let bodies = BodyPermits::default();
        let mail = 25 * 1024 * 1024;
        let first = bodies.permit(mail).expect("a permit");
        let _second = bodies.permit(mail).expect("a permit");
        assert_eq!(bodies.permit(mail).expect_err("none").kind, ProblemKind::Unavailable);
        assert!(bodies.permit(1024).expect("a permit").is_none());
        drop(first);
        assert!(bodies.permit(mail).expect("a permit").is_some());
    }
}
