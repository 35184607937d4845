//! `render-signal`: the program. Decides nothing.
#![allow(dead_code)]
mod cli;
mod commands;
mod demo;
mod exit;
mod http;
mod journal;
mod output;
mod telemetry;
fn main() {}
