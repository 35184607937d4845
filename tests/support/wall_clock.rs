//! The wall clock of one program, set as the test likes (libfaketime, Debian package
//! `faketime`). Clocks that only count are not touched: a real jump does not touch them either.

use std::fs;
use std::path::{Path, PathBuf};

use super::program::Program;

/// The wall clock of a program. It goes on for as long as the program's folder is there.
#[derive(Debug)]
pub(crate) struct WallClock {
    file: PathBuf,
}

impl WallClock {
    /// From its next start on, a worker has a wall clock of its own, which is right at first.
    pub(crate) fn of(worker: &mut Program, folder: &Path, name: &str) -> Self {
        let clock = Self { file: folder.join(format!("{name}.clock")) };
        clock.set("+0");
        worker.set("LD_PRELOAD", &library().display().to_string());
        worker.set("FAKETIME_TIMESTAMP_FILE", &clock.file.display().to_string());
        worker.set("FAKETIME_NO_CACHE", "1");
        worker.set("DONT_FAKE_MONOTONIC", "1");
        clock
    }

    /// Sets it to the right time and this: `+3h`, `-3h`.
    pub(crate) fn set(&self, offset: &str) {
        let aside = self.file.with_extension("tmp");
        fs::write(&aside, format!("{offset}\n")).expect("writing a time");
        fs::rename(&aside, &self.file).expect("replacing a time");
    }
}

/// For programs with threads; where it lies depends on the machine.
fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").expect("/usr/lib").filter_map(Result::ok);
    folders
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|file| file.exists())
        .expect("libfaketime is installed (Debian package faketime)")
}
