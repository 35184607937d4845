//! Direct mode, and the archive of the journal, against a real S3 server and a file host that misbehaves on command. Every
//! name resolves to a loopback address; nothing else is ever contacted.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

mod archive;
#[path = "../../../tests/support/file_host.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests")]
mod file_host;
mod hosts;
mod place;
#[path = "../../../tests/support/s3.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests")]
mod s3;
mod turns;
mod upkeep;
mod uploads;
