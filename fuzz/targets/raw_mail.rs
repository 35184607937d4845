//! Arbitrary bytes as a mail: no panic, no lasting work, no lasting memory, and what is said
//! about the mail is consistent.
//!
//! An input is the source of a mail. One that begins with [`GROWN`] is the recipe of a
//! larger one: beginning, piece and end, separated by that byte; the piece is repeated. So
//! work that grows faster than the mail is found by inputs of a few bytes.
#![no_main]
#![allow(clippy::expect_used, reason = "a fuzz target fails by panicking")]

#[path = "../../actors/benches/mail/hostile.rs"]
mod hostile;
mod invariants;
#[path = "../../actors/benches/mail/policies.rs"]
mod policies;
#[path = "../../actors/benches/mail/whole.rs"]
mod whole;

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use nix::time::{ClockId, clock_gettime};
use peak_alloc::PeakAlloc;
use render_signal_actors::mail::parse;
use render_signal_actors::mail::policy::Policy;

/// No byte of UTF-8 text, and no beginning of a mail.
const GROWN: u8 = 0xff;
/// Largest mail: the promises are about this size.
const LARGE: usize = 1 << 20;
/// A recipe is tried at this size first; what is suspicious there is tried at [`LARGE`].
const SMALL: usize = 1 << 15;
/// CPU time in which a mail of up to [`LARGE`] bytes is read and decided.
const PROMISED: Duration = Duration::from_millis(50);
/// A build that counts every branch takes two to three times as long.
const LIMIT: Duration = PROMISED.saturating_mul(3);
/// A mail over the limit may take so many times as long as the slowest known one does on the
/// same machine at the same time, which may be slow, or busy. Work that grows faster than the
/// mail takes seconds; `cargo bench --bench mail` holds the program itself against the promise.
const KNOWN_FACTOR: u32 = 2;
/// So many known mails are tried at [`LARGE`].
const CANDIDATES: usize = 16;
/// CPU time from which on a mail of [`SMALL`] bytes is suspicious.
const SUSPICIOUS: Duration = Duration::from_micros(LIMIT.as_micros() as u64 * SMALL as u64 / LARGE as u64);
/// Times its own size that a mail may occupy while it is read, beside [`MEMORY`] and its source:
/// its source with other line ends, the messages within it, a part.
const READING_FACTOR: usize = 4;
/// Times the size of its text, which is that of the mail up to [`LARGE`] and does not grow
/// beyond, that all else may occupy: a draft and a body for each target, in which JSON
/// writes a character in up to six, and here what was explained of it.
const TEXT_FACTOR: usize = 64;
/// Bytes that any mail may occupy: caches of expressions fill up.
const MEMORY: usize = 16 << 20;
/// The known mails are read once at this size: what is bounded only beyond a limit shows there.
const HUGE: usize = 4 << 20;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

static POLICIES: LazyLock<[Policy; 2]> = LazyLock::new(|| [policies::plain(), policies::rich()]);
/// What the slowest known mail takes under each of them, measured once: it takes seconds.
static KNOWN: LazyLock<[Duration; 2]> = LazyLock::new(|| POLICIES.each_ref().map(slowest_known));

fuzz_target!(init: begin(), |input: &[u8]| {
    match input.strip_prefix(&[GROWN]) {
        None => whole(input),
        Some(recipe) => grown(recipe),
    }
});

fn begin() {
    for mail in hostile::mails() {
        reading(&hostile::grow(&mail.head, &mail.piece, &mail.tail, HUGE));
    }
    write_seeds();
}

/// Small hostile mails, as recipes, into the directory that `fuzz/run` names.
fn write_seeds() {
    let Some(directory) = std::env::var_os("FUZZ_SEEDS") else { return };
    for (number, hostile) in hostile::mails().iter().enumerate() {
        let recipe =
            [&[GROWN][..], &hostile.head, &[GROWN], &hostile.piece, &[GROWN], &hostile.tail].concat();
        let path = std::path::Path::new(&directory).join(format!("hostile-{number:03}"));
        std::fs::write(path, recipe).expect("the directory of the seeds can be written to");
    }
}

/// Most bytes that were occupied at once meanwhile, beside those that were before.
fn occupied(meanwhile: impl FnOnce()) -> usize {
    let held = HEAP.current_usage();
    HEAP.reset_peak_usage();
    meanwhile();
    HEAP.peak_usage().saturating_sub(held)
}

/// Reads a mail, and no more.
fn reading(raw: &[u8]) {
    let occupied = occupied(|| drop(parse::parse(raw)));
    let limit = MEMORY + READING_FACTOR * raw.len();
    assert!(occupied <= limit, "a mail of {} bytes occupies {occupied} bytes while it is read", raw.len());
}

/// A mail as it is.
fn whole(raw: &[u8]) {
    reading(raw);
    for policy in POLICIES.iter() {
        let occupied = occupied(|| invariants::check(raw, policy));
        let limit = MEMORY + READING_FACTOR * raw.len() + TEXT_FACTOR * raw.len().min(LARGE);
        assert!(occupied <= limit, "a mail of {} bytes occupies {occupied} bytes", raw.len());
    }
    for (number, policy) in POLICIES.iter().enumerate() {
        let took = fastest(raw, policy, LIMIT);
        if took > LIMIT {
            let mut known = KNOWN.get(number).copied().unwrap_or_default();
            if took > known * KNOWN_FACTOR {
                // The machine may have become slower since.
                known = slowest_known(policy);
            }
            assert!(
                took <= known * KNOWN_FACTOR,
                "a mail of {} bytes takes {took:?} of CPU time, the slowest known one {known:?}",
                raw.len()
            );
        }
    }
}

/// CPU time of the slowest of the known hostile mails, at [`LARGE`], here and now.
fn slowest_known(policy: &Policy) -> Duration {
    let took = |mail: &hostile::Hostile, size: usize| {
        fastest(&hostile::grow(&mail.head, &mail.piece, &mail.tail, size), policy, Duration::ZERO)
    };
    let known = hostile::mails();
    let mut known: Vec<_> = known.iter().map(|mail| (took(mail, SMALL), mail)).collect();
    known.sort_by_key(|(small, _)| std::cmp::Reverse(*small));
    // What is slow when it is small need not be the slowest when it is large.
    known.iter().take(CANDIDATES).map(|(_, mail)| took(mail, LARGE)).max().unwrap_or_default()
}

/// A mail by its recipe.
fn grown(recipe: &[u8]) {
    let mut parts = recipe.split(|byte| *byte == GROWN);
    let mut part = || parts.next().unwrap_or_default();
    let (head, piece, tail) = (part(), part(), part());
    let small = hostile::grow(head, piece, tail, SMALL);
    if small.len() > LARGE {
        return;
    }
    whole(&small);
    if !piece.is_empty() && POLICIES.iter().any(|policy| fastest(&small, policy, SUSPICIOUS) > SUSPICIOUS) {
        whole(&hostile::grow(head, piece, tail, LARGE));
    }
}

/// CPU time of the fastest of three runs; of the first that is fast enough, if there is one,
/// so that a busy machine makes no finding.
fn fastest(raw: &[u8], policy: &Policy, enough: Duration) -> Duration {
    let cpu = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock"));
    let once = || {
        let started = cpu();
        invariants::work(raw, policy);
        cpu().saturating_sub(started)
    };
    let mut best = once();
    for _ in 0..2 {
        if best > enough {
            best = best.min(once());
        }
    }
    best
}
