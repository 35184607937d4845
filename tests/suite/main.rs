//! The program against real servers: Dovecot, HTTP receivers, a Worker and a faulty
//! wire, all on loopback and started by the tests themselves. One module per capability.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking and explains itself on the terminal"
)]

#[path = "../support/mod.rs"]
mod support;

mod crash;
mod delivery;
mod disk;
mod isolation;
mod journal_file;
mod lease;
mod mailbox;
mod malformed;
mod receiver_failures;
mod signature;
mod wire;
