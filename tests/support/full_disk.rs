//! A disk without space, for one folder.
//!
//! As root it is a real one: a small tmpfs, filled to the last byte. Without the right
//! to mount, the kernel is told to refuse files of the program beyond their present size.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::program::Program;

/// The disk. Dropping it unmounts it.
#[derive(Debug)]
pub(crate) struct FullDisk {
    folder: PathBuf,
    mounted: bool,
}

impl FullDisk {
    /// Prepares `folder`, which must not exist, as a disk of some megabytes.
    pub(crate) fn prepare(folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("a mount point");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"])
            .arg(folder)
            .output()
            .is_ok_and(|done| done.status.success());
        Self { folder: folder.to_owned(), mounted }
    }

    /// Makes `program` fit to be refused (call it before its start).
    pub(crate) fn attach(&self, program: &mut Program) {
        if !self.mounted {
            // By default the kernel's refusal is a deadly signal, not an error.
            program.wrap(&["env", "--ignore-signal=XFSZ"]);
        }
    }

    /// From now on there is no space left.
    pub(crate) fn fill(&self, program: &Program) {
        if self.mounted {
            let mut filler = File::create(self.filler()).expect("a file on the small disk");
            let mut piece: &[u8] = &[0x20; 64 * 1024];
            // In ever smaller pieces, to the last byte.
            while !piece.is_empty() {
                if filler.write_all(piece).is_err() {
                    piece = &piece[..piece.len() / 2];
                }
            }
        } else {
            limit(program, "1024:");
        }
    }

    /// Space is back.
    pub(crate) fn free(&self, program: &Program) {
        if self.mounted {
            fs::remove_file(self.filler()).expect("the file on the small disk");
        } else {
            limit(program, "unlimited:");
        }
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }
}

/// Sets the soft limit of the size of files the program may write.
fn limit(program: &Program, limit: &str) {
    let done = Command::new("prlimit")
        .arg(format!("--pid={}", program.pid()))
        .arg(format!("--fsize={limit}"))
        .status()
        .expect("prlimit, of the package util-linux");
    assert!(done.success(), "prlimit {limit}");
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        if self.mounted {
            // Lazily, as the program may still have files open there.
            let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_takes_nothing_until_it_is_freed() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let folder = place.path().join("data");
        let disk = FullDisk::prepare(&folder);
        if disk.mounted {
            let program = Program::new(place.path(), "nobody", Vec::new());
            fs::write(folder.join("before"), "x").expect("space");
            disk.fill(&program);
            assert!(fs::write(folder.join("during"), "x").is_err());
            disk.free(&program);
            fs::write(folder.join("after"), "x").expect("space");
        } else {
            // The limit of the other way, on a process that writes.
            let file = place.path().join("file");
            let script = format!("ulimit -S -f 0; echo x > {}", file.display());
            let refused = Command::new("env")
                .args(["--ignore-signal=XFSZ", "sh", "-c", &script])
                .output()
                .expect("env and sh");
            assert!(!refused.status.success());
        }
    }
}
