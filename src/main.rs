//! `render-signal`: the program. It decides nothing; see `ARCHITECTURE.md`.

mod app;
mod cli;
mod commands;
mod demo;
mod descriptors;
mod disk;
mod exit;
mod findings;
mod health;
mod http;
mod journal;
mod lang;
mod output;
mod privacy;
mod restart;
mod services;
mod settings;
mod telemetry;
#[cfg(test)]
mod type_names;
#[cfg(test)]
mod typography;
#[cfg(test)]
mod walls;
#[cfg(test)]
mod weaknesses;
mod wiring;
mod words;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // Before anything can make a file.
    privacy::for_us_alone();
    // One TLS stack, chosen before anything can open a connection. It can only fail if it was
    // chosen before.
    drop(rustls::crypto::ring::default_provider().install_default());
    let outcome = commands::run(cli::Cli::parse().command);
    telemetry::flush_log();
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if !failure.message.is_empty() {
                output::complain(&failure.message);
            }
            failure.exit.into()
        }
    }
}
