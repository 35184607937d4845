//! What the end-to-end tests and the benchmarks have beyond the servers and peers of the testkit:
//! the compiled program, and places for it.
//!
//! ```text
//! Site ── one temporary place with everything a worker needs: Dovecot, a receiver, documents
//!  └─ Program ── the compiled binary as a child process
//! Api ── a worker's API: requests with a token, streams of events
//! Place ── one without servers: a Maildir, documents in files, commands
//! Browser ── Chromium without a window, for the pages
//! TokenServer ── who gives access tokens, and takes them back
//! FullDisk ── a disk without space
//! WallClock ── the clock of one program, set while it runs
//! ```

#[allow(dead_code, reason = "the benchmark uses less")]
pub(crate) mod api;
#[allow(
    dead_code,
    reason = "the benchmark uses none of it, and the pages that will use the rest are to come"
)]
pub(crate) mod browser;
pub(crate) mod full_disk;
pub(crate) mod place;
pub(crate) mod program;
pub(crate) mod site;
pub(crate) mod token_server;
pub(crate) mod wall_clock;

pub(crate) use full_disk::FullDisk;
pub(crate) use program::Program;
pub(crate) use render_signal_testkit::{
    Answer, ChaosProxy, End, File, FileHost, PATIENCE, Redis, S3Server, Seed, TestMail, Worker, certificates,
    checks, child, dovecot, free_port, http, mails, php, receiver, redis, s3, standard_webhooks, until,
    worker,
};
pub(crate) use site::Site;
pub(crate) use token_server::TokenServer;
pub(crate) use wall_clock::WallClock;
