//! Simulation: the whole system in virtual time, with seeded faults at every port.
//!
//! Each seed is one run: a mailbox that fills, moves and renumbers itself, receivers that
//! fail, workers that crash and come back, an operator who changes his mind. The
//! invariants are checked at every step (see `checked`, `receiver` and `rules`), and in the
//! end every mail must have met its fate.
//!
//! `SEED=n` replays one run and prints what went wrong in it; `SEEDS=n` runs more or fewer.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod bell;
mod chaos;
mod checked;
mod mailbox;
mod operator;
mod ports;
mod receiver;
mod rules;
mod scenario;
mod source;

/// Runs in CI.
const SEEDS: u64 = 1_000;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

/// Runs one seed on a paused clock; gives the run's trace.
fn run(seed: u64) -> (Vec<String>, Result<(), String>) {
    let chaos = chaos::Chaos::new(seed);
    let for_run = chaos.clone();
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let system = actix_rt::System::with_tokio_rt(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .expect("a runtime")
        });
        system.block_on(scenario::play(seed, for_run));
    }));
    let outcome = ran.map_err(|panic| render_signal_actors::kernel::guardian::panic_text(panic.as_ref()));
    (chaos.trace(), outcome)
}

#[test]
fn no_mail_is_lost_whatever_fails() {
    let seeds = match number("SEED") {
        Some(seed) => {
            // A single run tells its story: RUST_LOG=debug for all of it.
            tracing_subscriber::fmt()
                .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
                .init();
            seed..seed + 1
        }
        None => 0..number("SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        let (trace, outcome) = run(seed);
        if let Err(why) = outcome {
            for line in &trace {
                eprintln!("  {line}");
            }
            panic!("seed {seed}: {why}\nreplay it with SEED={seed}");
        }
    }
}

#[test]
fn a_seed_replays_to_the_letter() {
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 10,
        None => 1..11,
    };
    for seed in seeds {
        // The trace ends with the whole journal: every event with its id and its time.
        let (first, _) = run(seed);
        let (second, _) = run(seed);
        assert!(!first.is_empty());
        if let Some(at) = (0..first.len().max(second.len())).find(|at| first.get(*at) != second.get(*at)) {
            panic!("seed {seed} differs at step {at}: {:?} then {:?}", first.get(at), second.get(at));
        }
    }
}
