//! The program against real servers: Dovecot, HTTP receivers, a Worker and a faulty
//! wire, all on loopback and started by the tests themselves. One module per capability.
//!
//! Needed: Dovecot (Debian package `dovecot-imapd`), Redis (`redis-server`), for `clocks`
//! libfaketime (`faketime`), for `dashboard` Chromium (`chromium`, `chromium-driver`) with npm, for `signature`
//! Node.js with npm and Python with pip, for `php_config` and `php_receiver` PHP (`php-cli`),
//! for `apps_script` Node.js (`nodejs`), for `offload` root
//! or user namespaces (`unshare`), for `monitoring` promtool (of the package `prometheus`, fetched when it is
//! missing). Nothing is skipped when one of them is missing.
//!
//! ```text
//! cargo nextest run --test suite                 all of it
//! cargo test --test suite crash:: -- --nocapture one capability, with what it says
//! SEED=4711 cargo test --test suite ten_kills    the same random choices again
//! ```
//! A test that fails prints the last lines of the program's log.
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

mod access;
mod api;
mod api_limits;
mod apps_script;
mod clocks;
mod commands;
mod config_commands;
mod config_stores;
mod config_workers;
mod crash;
mod dashboard;
mod delivery;
mod disk;
mod events;
mod fail_closed;
mod isolation;
mod journal_file;
mod languages;
mod large;
mod lease;
mod links;
mod log;
mod mailbox;
mod make;
mod malformed;
mod monitoring;
mod namesakes;
mod oauth;
mod offload;
mod pages;
mod php_config;
mod php_receiver;
mod preferences;
mod rate_limit;
mod receiver_failures;
mod receiver_tls;
mod redis_apart;
mod redis_installations;
mod redis_journal;
mod reference_api;
mod rules;
mod schema;
mod senders;
mod settings;
mod signals;
mod signature;
mod strangers;
mod traces;
mod wire;
mod workers;
