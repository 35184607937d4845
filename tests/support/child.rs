//! Child processes: found by parent, signalled by id, looked at through `/proc`.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Sends a signal to one process; a process that is gone already is fine.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a process id"));
    match kill(pid, signal) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
        Err(error) => panic!("sending {signal} to {pid}: {error}"),
    }
}

/// Every process below `root`, parents before children.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
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

/// Whether a process exists and is not merely waiting to be collected.
pub(crate) fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| stat.rsplit_once(") ").map(|(_, fields)| !fields.starts_with(['Z', 'X'])))
        .unwrap_or(false)
}

/// Processor time a process has used, in user and kernel mode. The kernel counts in
/// steps of 10 ms.
pub(crate) fn cpu_time(pid: u32) -> Duration {
    let ticks = stat_field(pid, 11).unwrap_or(0) + stat_field(pid, 12).unwrap_or(0);
    Duration::from_millis(ticks * 10)
}

/// Highest resident set so far, in KiB.
pub(crate) fn peak_rss_kib(pid: u32) -> u64 {
    fs::read_to_string(format!("/proc/{pid}/status"))
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok())
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
        for pid in below.iter().chain([&shell.id()]) {
            signal(*pid, Signal::SIGKILL);
        }
        shell.wait().expect("the shell has ended");
        assert!(!is_alive(shell.id()));
    }
}
