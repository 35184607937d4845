//! Event sourcing and supervision. Knows nothing about mail.

pub mod aggregate;
pub mod backoff;
pub mod canonical;
pub mod clock;
pub mod digest;
pub mod ephemeral;
pub mod event;
pub mod execute;
pub mod files;
pub mod guardian;
pub(crate) mod heard;
pub mod heavy;
pub mod journal;
pub mod load;
pub mod port;
pub mod projection;
pub mod redis;
pub mod said;
pub mod trace;
pub mod words;
