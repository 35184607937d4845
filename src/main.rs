//! `render-signal`: the program.

#[allow(dead_code, reason = "read by the commands")]
mod settings;

fn main() {}
