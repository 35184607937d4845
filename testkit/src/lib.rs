//! What tests and benchmarks stand on: real servers and scripted peers, each in a temporary
//! folder on a free loopback port, each killed when dropped.
//!
//! ```text
//! Dovecot        the mailbox, with its faults (kill, renumber, move)
//! Redis          a server that several workers share, with its faults
//! Php            the deployment, run by PHP's own web server
//! Receiver       where webhooks go, scripted per path
//! Worker         the R2 Worker
//! S3Server       R2 itself, FileHost the services that files come from
//! ChaosProxy     a wire that is cut, reset, or swallows what is sent
//! certificates   an authority of a test's own
//! mails          realistic mails, good and bad
//! ```
//!
//! It knows nothing of the program, neither its types nor its binary: whoever needs those has them
//! in a support module of his own, on top of this.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking and explains itself on the terminal"
)]

pub mod certificates;
pub mod chaos;
pub mod checks;
pub mod child;
pub mod dovecot;
pub mod file_host;
pub mod http;
pub mod mails;
pub mod php;
mod port;
pub mod receiver;
pub mod redis;
pub mod s3;
mod seed;
pub mod standard_webhooks;
pub mod until;
pub mod worker;

pub use chaos::ChaosProxy;
pub use file_host::{End, File, FileHost};
pub use mails::TestMail;
pub use port::free_port;
pub use receiver::Answer;
pub use redis::Redis;
pub use s3::S3Server;
pub use seed::Seed;
pub use until::{PATIENCE, until};
pub use worker::Worker;
