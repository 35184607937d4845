//! Whether the journal would survive a deploy.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Whether what lies in this folder would be lost with the next deploy.
///
/// On Render (`render`) the root file system is wiped by every deploy; only a mounted disk
/// stays. Elsewhere nothing is assumed.
pub(crate) fn is_ephemeral(folder: &Path, render: bool) -> bool {
    render && on_root_file_system(folder)
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
        assert!(is_ephemeral(missing, true));
        assert!(!is_ephemeral(missing, false));
        // Always a file system of its own on Linux.
        assert!(!is_ephemeral(Path::new("/proc/self"), true));
    }
}
