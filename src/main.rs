//! `render-signal`: the program. It decides nothing; see `ARCHITECTURE.md`.

mod app;
mod cli;
mod commands;
mod demo;
mod exit;
mod http;
mod journal;
mod output;
mod settings;
mod telemetry;
mod wiring;

fn main() {}
