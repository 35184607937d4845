//! Who may read what we write: nobody but this user.
//!
//! The journal holds mails' bodies, the documents addresses that are capabilities and sign-in
//! tokens. What an older version left readable is made private at each start.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, umask};
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::store::file::path_of;
use render_signal_actors::kernel::files;
use render_signal_actors::oauth::kept::FILE_NAME;

use crate::settings::Storage;

/// Names that are listed in one line of the log.
const MAX_NAMED: usize = 5;

/// What this process makes from now on is for this user alone, unless it says otherwise.
pub(crate) fn for_us_alone() {
    umask(Mode::from_bits_truncate(0o077));
}

/// Makes private what lies there already, and says so; says, too, what stays open.
pub(crate) fn tighten(storage: &Storage, lock_file: &Path) {
    let (changed, failed) = files::make_private(ours(storage, lock_file));
    if !changed.is_empty() {
        tracing::warn!(
            files = changed.len(),
            "files that other users of this machine could read are private now: {}",
            named(&changed)
        );
    }
    for (path, why) in failed {
        tracing::warn!(path = %path.display(), why, "other users of this machine can read this file, and that could not be changed");
    }
    if storage.links.is_open_to_all() {
        tracing::warn!(
            path = %storage.links.path().display(),
            "every user of this machine can read the list of copied files, addresses of files among it; \
             say who may with WEBHOOK_LINKS_FILE_MODE"
        );
    }
}

fn named(paths: &[PathBuf]) -> String {
    let mut names: Vec<String> =
        paths.iter().take(MAX_NAMED).map(|path| path.display().to_string()).collect();
    if paths.len() > MAX_NAMED {
        names.push("…".to_owned());
    }
    names.join(", ")
}

/// Every file that we may have written, but for the list of copies, which others read.
fn ours(storage: &Storage, lock_file: &Path) -> Vec<PathBuf> {
    let mut paths = vec![lock_file.to_owned()];
    if let Some(journal) = storage.journal.file() {
        // SQLite's side files lie beside the file itself, the workers' beside its name.
        for journal in [journal.to_owned(), fs::canonicalize(journal).unwrap_or_default()] {
            paths.push(journal.clone());
            paths.extend(beside(&journal, &["-wal", "-shm", "-journal", "-worker-"]));
        }
    }
    paths.push(storage.data_dir.join(FILE_NAME));
    let search = storage.search_index();
    paths.extend(beside(&search, &["-wal", "-shm", "-journal"]));
    paths.push(search);
    let document = |key: &Key| path_of(*key, &storage.config_dir, &storage.magic_links_file);
    paths.extend(Key::ALL.iter().map(document));
    paths.extend(inside(&storage.data_dir.join("config-store")));
    let archives = inside(&storage.archive_dir).into_iter();
    paths.extend(archives.filter(|path| {
        path.extension().is_some_and(|end| end == "jsonl" || end == "tmp")
            && file_name(path).starts_with("journal-")
    }));
    paths
}

/// Files in the same folder whose names begin with this one's and one of these.
fn beside(path: &Path, marks: &[&str]) -> Vec<PathBuf> {
    let name = file_name(path);
    let is_beside = |other: &PathBuf| {
        file_name(other)
            .strip_prefix(&name)
            .is_some_and(|rest| marks.iter().any(|mark| rest.starts_with(mark)))
    };
    inside(files::folder_of(path)).into_iter().filter(is_beside).collect()
}

fn inside(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
