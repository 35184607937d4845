//! How full the disk of the data directory is: a journal that cannot be written takes no mail.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::statvfs::statvfs;
use render_signal_actors::chore::Chore;

/// How often the size of the directory is measured.
const POLL_INTERVAL: Duration = Duration::from_secs(30);
/// Files of the directory that are counted; counting more would take too long.
const MAX_FILES: usize = 100_000;
/// Bytes of a block of [`fs::Metadata`], whatever the file system's are.
const BLOCK_BYTES: u64 = 512;

/// What was found, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Usage {
    /// Size of the file system.
    total: u64,
    /// What it has taken, ours or not.
    used: u64,
    /// What this program may still take.
    free: u64,
    /// What the files of the directory take.
    own: u64,
}

/// A chore that measures at the start and every 30 s.
pub(crate) fn watch(folder: PathBuf) -> Chore {
    Chore::new("disk_watch", move || measure_for_ever(folder.clone()))
}

async fn measure_for_ever(folder: PathBuf) {
    let mut trouble = String::new();
    loop {
        let folder = folder.clone();
        // A disk may hang: only this task waits for it.
        let looked = tokio::task::spawn_blocking(move || look(&folder)).await;
        match looked.map_err(io::Error::other).flatten() {
            Ok(usage) => {
                trouble.clear();
                tell(usage);
            }
            Err(error) if error.to_string() != trouble => {
                trouble = error.to_string();
                tracing::warn!(%error, "the disk of DATA_DIR could not be measured");
            }
            Err(_) => {}
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn tell(usage: Usage) {
    let Usage { total, used, free, own } = usage;
    metrics::gauge!("render_signal_data_disk_total_bytes").set(total as f64);
    metrics::gauge!("render_signal_data_disk_used_bytes").set(used as f64);
    metrics::gauge!("render_signal_data_disk_free_bytes").set(free as f64);
    metrics::gauge!("render_signal_data_dir_bytes").set(own as f64);
}

/// Measures. A folder that does not exist yet will lie where the nearest one above it does.
fn look(folder: &Path) -> io::Result<Usage> {
    let there = folder.ancestors().find(|above| above.exists()).filter(|above| !above.as_os_str().is_empty());
    let disk = statvfs(there.unwrap_or(Path::new(".")))?;
    let block = disk.fragment_size();
    let bytes = |blocks: u64| blocks.saturating_mul(block);
    Ok(Usage {
        total: bytes(disk.blocks()),
        used: bytes(disk.blocks().saturating_sub(disk.blocks_free())),
        free: bytes(disk.blocks_available()),
        own: taken(folder)?,
    })
}

/// What the files below a folder take. Links are not followed; a file that is removed meanwhile
/// takes nothing, nor does a folder that only others may look into, such as the `lost+found` of a disk.
fn taken(top: &Path) -> io::Result<u64> {
    let (mut bytes, mut seen) = (0_u64, 0);
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        let files = match fs::read_dir(&folder) {
            Ok(files) => files,
            Err(why) if why.kind() == io::ErrorKind::NotFound => continue,
            Err(why) if why.kind() == io::ErrorKind::PermissionDenied && folder != top => continue,
            Err(why) => return Err(why),
        };
        for file in files.flatten() {
            seen += 1;
            if seen > MAX_FILES {
                return Ok(bytes);
            }
            let Ok(data) = file.metadata() else { continue };
            bytes = bytes.saturating_add(data.blocks().saturating_mul(BLOCK_BYTES));
            if data.is_dir() {
                folders.push(file.path());
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_taken_and_the_whole_is_more_than_its_parts() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("not yet/data");
        let before = look(&data).expect("a disk");
        assert_eq!(before.own, 0, "there is nothing yet");
        fs::create_dir_all(data.join("archive")).expect("folders");
        fs::write(data.join("archive/events"), vec![7; 300_000]).expect("written");
        std::os::unix::fs::symlink("/", data.join("elsewhere")).expect("a link");
        let after = look(&data).expect("a disk");
        assert!((300_000..1_000_000).contains(&after.own), "{after:?}");
        assert!(after.total >= after.used + after.free && after.free > 0, "{after:?}");
        assert_eq!(after.total, before.total);
    }
}
