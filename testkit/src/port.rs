//! Loopback ports for servers that are started as other processes.

use std::fs::File;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// From here on, unless the kernel gives such ports to clients.
const FIRST: u32 = 10_000;
/// Fewer than these are no choice.
const ENOUGH: u32 = 2_000;
/// Ports of a process lie side by side, those of the next one so far away.
const STRIDE: u32 = 16;

/// A loopback port that nobody listens on. Between this look and the start of the server nobody
/// takes it: clients get theirs from another range, and tests, in whichever process, lock the
/// ones they were given until they end.
pub fn free_port() -> u16 {
    static TURN: AtomicU32 = AtomicU32::new(0);
    static LOCKED: Mutex<Vec<File>> = Mutex::new(Vec::new());
    let (first, count) = range();
    let start = std::process::id().wrapping_mul(STRIDE);
    for _ in 0..count {
        let turn = TURN.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(first + start.wrapping_add(turn) % count).expect("a port");
        let Some(lock) = lock(port) else { continue };
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            LOCKED.lock().unwrap_or_else(PoisonError::into_inner).push(lock);
            return port;
        }
    }
    panic!("no free loopback port among {count} from {first} on");
}

/// The system drops the lock when the process ends, however it ends.
fn lock(port: u16) -> Option<File> {
    let user = nix::unistd::Uid::effective();
    let folder = std::env::temp_dir().join(format!("render-signal-ports-{user}"));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let file = File::options().create(true).append(true).open(folder.join(port.to_string()));
    let file = file.expect("a file of its own for every port");
    file.try_lock().is_ok().then_some(file)
}

/// The first port, and how many: outside of the range of which the kernel gives to clients.
fn range() -> (u32, u32) {
    let told = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut bounds = told.split_whitespace().filter_map(|bound| bound.parse::<u32>().ok());
    let (low, high) = (bounds.next().unwrap_or(32_768), bounds.next().unwrap_or(60_999));
    let below = (FIRST, low.saturating_sub(FIRST));
    let above = (high + 1, 65_535_u32.saturating_sub(high));
    let widest = if below.1 >= above.1 { below } else { above };
    // Where clients may get any port, that they get the one of a test is a rare accident.
    if widest.1 >= ENOUGH { widest } else { (FIRST, 65_535 - FIRST) }
}
