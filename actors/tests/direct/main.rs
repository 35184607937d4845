//! Direct mode, and the archive of the journal, against a real S3 server and a file host that misbehaves on command. Every
//! name resolves to a loopback address; nothing else is ever contacted.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod archive;
mod hosts;
mod place;
mod turns;
mod upkeep;
mod uploads;
