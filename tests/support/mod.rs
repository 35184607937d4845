//! What the end-to-end tests and the benchmark stand on: real servers and scripted
//! peers, each in a temporary folder on a free loopback port, each killed when dropped.
//!
//! ```text
//! Site ── one temporary place with everything a worker needs
//!  ├─ Dovecot       the mailbox, with its faults (kill, renumber, move)
//!  ├─ Receiver      where webhooks go, scripted per path
//!  ├─ Worker        the R2 Worker
//!  ├─ S3Server      R2 itself, FileHost the services that files come from
//!  └─ Program       the compiled binary as a child process
//! Api ── a worker's API: requests with a token, streams of events
//! Place ── one without servers: a Maildir, documents in files, commands
//! Browser ── Chromium without a window, for the pages
//! TokenServer ── who gives access tokens, and takes them back
//! Redis ── a server that several workers share, with its faults
//! Php ── the deployment, run by PHP's own web server
//! ChaosProxy ── a wire that is cut, reset, or swallows what is sent
//! FullDisk   ── a disk without space
//! WallClock  ── the clock of one program, set while it runs
//! mails      ── realistic mails, good and bad
//! ```

#[allow(dead_code, reason = "the benchmark uses less")]
pub(crate) mod api;
#[allow(
    dead_code,
    reason = "the benchmark uses none of it, and the pages that will use the rest are to come"
)]
pub(crate) mod browser;
pub(crate) mod certificates;
pub(crate) mod chaos;
pub(crate) mod checks;
pub(crate) mod child;
pub(crate) mod dovecot;
#[allow(dead_code, reason = "the tests of the actors use the rest")]
pub(crate) mod file_host;
pub(crate) mod full_disk;
pub(crate) mod http;
pub(crate) mod mails;
pub(crate) mod php;
pub(crate) mod place;
pub(crate) mod port;
pub(crate) mod program;
pub(crate) mod receiver;
pub(crate) mod redis;
#[allow(dead_code, reason = "the tests of the actors use the rest")]
pub(crate) mod s3;
pub(crate) mod seed;
pub(crate) mod site;
pub(crate) mod standard_webhooks;
pub(crate) mod token_server;
pub(crate) mod until;
pub(crate) mod wall_clock;
pub(crate) mod worker;

pub(crate) use chaos::ChaosProxy;
pub(crate) use file_host::{End, File, FileHost};
pub(crate) use full_disk::FullDisk;
pub(crate) use mails::TestMail;
pub(crate) use port::free_port;
pub(crate) use program::Program;
pub(crate) use receiver::Answer;
pub(crate) use redis::Redis;
pub(crate) use s3::S3Server;
pub(crate) use seed::Seed;
pub(crate) use site::Site;
pub(crate) use token_server::TokenServer;
pub(crate) use until::{PATIENCE, until};
pub(crate) use wall_clock::WallClock;
pub(crate) use worker::Worker;
