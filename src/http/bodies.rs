//! How many bytes of large bodies are in memory at a time. A request that there is no room for is
//! refused before a byte of its body is read.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::{Kind, Problem};

/// Bytes of large bodies that are in memory at once.
const ROOM: usize = 64 * 1024 * 1024;
/// Smaller ones are not counted: there are no more of them than connections.
const SMALL: usize = 64 * 1024;
/// Bytes that are counted as one.
const UNIT: usize = 1024;

/// The room. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Bodies(Arc<Semaphore>);

impl Default for Bodies {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ROOM / UNIT)))
    }
}

/// Room for a body, until the request that has it is answered.
#[derive(Debug)]
pub(in crate::http) struct Room(
    #[expect(dead_code, reason = "held, and given back by being dropped")] OwnedSemaphorePermit,
);

impl Bodies {
    /// Room for a body of so many bytes; a small one needs none.
    ///
    /// # Errors
    /// Too many others are being read.
    pub(in crate::http) fn room(&self, bytes: usize) -> Result<Option<Room>, Problem> {
        if bytes <= SMALL {
            return Ok(None);
        }
        let units = u32::try_from(bytes.min(ROOM).div_ceil(UNIT)).unwrap_or(u32::MAX);
        match Arc::clone(&self.0).try_acquire_many_owned(units) {
            Ok(permit) => Ok(Some(Room(permit))),
            Err(_) => {
                let why = "too many large bodies are being read; send this one again in a moment";
                Err(Problem::new(Kind::Unavailable, why).retry_after(1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_wait_outside_and_small_ones_do_not() {
        let bodies = Bodies::default();
        let mail = 25 * 1024 * 1024;
        let first = bodies.room(mail).expect("room");
        let _second = bodies.room(mail).expect("room");
        assert_eq!(bodies.room(mail).expect_err("none").kind, Kind::Unavailable);
        assert!(bodies.room(1024).expect("room").is_none());
        drop(first);
        assert!(bodies.room(mail).expect("room").is_some());
    }
}
