//! Child processes: found by parent, signalled by id, looked at through `/proc`.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Sends a signal to one process; a process that is gone already is fine.
pub fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a process id"));
    match kill(pid, signal) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
        Err(error) => panic!("sending {signal} to {pid}: {error}"),
    }
}

/// Kills processes and waits until the kernel has taken everything from them, such as the
/// sockets they listened on.
pub fn kill_all(pids: &[u32]) {
    for pid in pids {
        signal(*pid, Signal::SIGKILL);
    }
    while pids.iter().any(|pid| is_alive(*pid)) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Every process below `root`, parents before children.
pub fn descendants(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // A process may end while it is looked at.
        if let Some(parent) = stat_field(pid, 1) {
            children.entry(u32::try_from(parent).unwrap_or(0)).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(parent) = open.pop() {
        if let Some(below) = children.remove(&parent) {
            found.extend_from_slice(&below);
            open.extend(below);
        }
    }
    found
}

/// Number `index` of `/proc/<pid>/stat` behind the command name: 0 = state (not a
/// number), 1 = parent, 11 = user time, 12 = system time.
fn stat_field(pid: u32, index: usize) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name stands in parentheses and may contain anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(index)?.parse().ok()
}

/// The state of a process: `R`, `S`, `T` = stopped, `Z` = ended and not collected, …
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Whether a process exists and is not merely waiting to be collected.
pub fn is_alive(pid: u32) -> bool {
    state(pid).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// Waits until a process that was sent `SIGSTOP` does nothing any more.
pub fn until_stopped(pid: u32) {
    while state(pid).is_some_and(|state| !matches!(state, 'T' | 'Z' | 'X')) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Processor time a process has used, in user and kernel mode. The kernel counts in
/// steps of 10 ms.
pub fn cpu_time(pid: u32) -> Duration {
    let ticks = stat_field(pid, 11).unwrap_or(0) + stat_field(pid, 12).unwrap_or(0);
    Duration::from_millis(ticks * 10)
}

/// Highest resident set so far, in KiB.
pub fn peak_rss_kib(pid: u32) -> u64 {
    status_field(pid, "VmHWM:")
}

/// Memory of a process now, in KiB.
pub fn rss_kib(pid: u32) -> u64 {
    status_field(pid, "VmRSS:")
}

fn status_field(pid: u32, name: &str) -> u64 {
    fs::read_to_string(format!("/proc/{pid}/status"))
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_this_process() {
        let me = std::process::id();
        assert!(is_alive(me));
        assert!(peak_rss_kib(me) > 0);
        assert!(cpu_time(me) < Duration::from_secs(3600));
    }

    #[test]
    fn finds_grandchildren_and_kills_them_by_id() {
        let mut shell = std::process::Command::new("sh").args(["-c", "sleep 60 & wait"]).spawn().expect("sh");
        let below = loop {
            let below = descendants(shell.id());
            if !below.is_empty() {
                break below;
            }
            std::thread::yield_now();
        };
        assert!(is_alive(below[0]));
        kill_all(&below);
        kill_all(&[shell.id()]);
        shell.wait().expect("the shell has ended");
        assert!(!is_alive(shell.id()));
    }
}
