//! Whether the journal would survive a deploy.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Why a journal in `data_dir` would be lost with the next deploy; `None` = it would not.
///
/// On Render (`render`) the root file system is wiped by every deploy; only a mounted disk
/// stays. Elsewhere nothing is assumed.
pub(crate) fn ephemeral(data_dir: &Path, render: bool) -> Option<String> {
    if !render || !on_root_file_system(data_dir) {
        return None;
    }
    Some(format!(
        "the journal in {} lies on the container's own file system, which the next deploy wipes: mails that \
         wait would be forgotten. Attach a disk and set DATA_DIR to its mount path, or accept the loss with \
         ALLOW_EPHEMERAL_JOURNAL=1",
        data_dir.display()
    ))
}

/// The folder itself, or the nearest one above it that exists already.
fn on_root_file_system(dir: &Path) -> bool {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf());
    let existing = absolute.ancestors().find_map(|dir| std::fs::metadata(dir).ok());
    let root = std::fs::metadata("/").ok();
    // What cannot be examined is not called safe.
    existing.zip(root).is_none_or(|(existing, root)| existing.dev() == root.dev())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_mounted_disk_survives_on_render() {
        let missing = Path::new("/no-such-folder/data");
        assert!(
            ephemeral(missing, true).is_some_and(|message| message.contains("ALLOW_EPHEMERAL_JOURNAL=1"))
        );
        assert_eq!(ephemeral(missing, false), None);
        // Always a file system of its own on Linux.
        assert_eq!(ephemeral(Path::new("/proc/self"), true), None);
    }
}
