//! `render-signal`: the program. Decides nothing.
#![allow(dead_code)]
mod cli;
mod demo;
mod exit;
mod http;
mod output;
mod telemetry;
fn main() {}
