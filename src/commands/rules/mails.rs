//! Where the mails come from: files, or the journal. One is in memory at a time.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::mail::parse;
use render_signal_actors::said;

use super::Printing;
use crate::exit::CommandFailure;
use crate::output::{complain, progress};
use crate::services::trial::{self, TrialCase};

/// Larger files are no mails that any server takes.
const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;
/// Tries every mail of a folder, as if all came at `now`.
pub(super) async fn of_folder(
    folder: &Path,
    now: DateTime<Utc>,
    printing: &mut Printing<'_>,
) -> Result<(), CommandFailure> {
    let (files, unreadable) = files(folder);
    for (place, error) in &unreadable {
        printing.unreadable(&place.display().to_string(), error)?;
    }
    if files.is_empty() {
        let folder = folder.display();
        return Err(CommandFailure::found(printing.printer.lang.one(said!(
            "il n'y a aucun mail dans {folder} : ni fichiers *.eml ni Maildir (cur, new)",
            "there is no mail in {folder}: neither *.eml files nor a Maildir (cur, new)"
        ))));
    }
    printing.bar = progress(files.len());
    for file in files {
        printing.bar.inc(1);
        let place = file.display().to_string();
        let raw = match read(&file) {
            Ok(raw) => raw,
            Err(error) => {
                printing.unreadable(&place, &error)?;
                continue;
            }
        };
        let content = parse::parse(&raw).map_err(|why| format!("it would be put in quarantine: {why}"));
        if let Ok(mail) = &content
            && !printing.run.is_new(&mail.email_id)
        {
            continue;
        }
        let tried = printing.run.take(TrialCase { place, came: None, content, recorded: None }, now).await?;
        printing.print(&tried)?;
    }
    Ok(())
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(file)?.len() > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 256 MiB"));
    }
    fs::read(file)
}

/// A file or folder, and why it cannot be read.
type UnreadableFile = (PathBuf, io::Error);

/// The mails at or below a path, in the order of their paths. Links to folders are not
/// followed: they may lead in circles.
fn files(root: &Path) -> (Vec<PathBuf>, Vec<UnreadableFile>) {
    if root.is_file() {
        return (vec![root.to_owned()], Vec::new());
    }
    let (mut found, mut unreadable) = (Vec::new(), Vec::new());
    let mut folders = vec![(root.to_owned(), false)];
    while let Some((folder, of_maildir)) = folders.pop() {
        if let Err(error) = walk(&folder, of_maildir, &mut found, &mut folders) {
            unreadable.push((folder, error));
        }
    }
    found.sort_unstable();
    (found, unreadable)
}

fn walk(
    folder: &Path,
    of_maildir: bool,
    found: &mut Vec<PathBuf>,
    folders: &mut Vec<(PathBuf, bool)>,
) -> io::Result<()> {
    let is_maildir = ["cur", "new"].iter().all(|part| folder.join(part).is_dir());
    for entry in fs::read_dir(folder)? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if kind.is_dir() {
            match name.as_str() {
                "cur" | "new" if is_maildir => folders.push((path, true)),
                // What is there has not arrived yet.
                "tmp" if is_maildir => {}
                _ => folders.push((path, false)),
            }
        } else if path.is_file() {
            let is_eml = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("eml"));
            if is_eml || (of_maildir && !name.starts_with('.')) {
                found.push(path);
            }
        }
    }
    Ok(())
}

/// Tries every mail that the journal took in since then, each as if it came when it came, or
/// at `at`.
pub(super) async fn of_journal(
    journal: &dyn Journal,
    since: DateTime<Utc>,
    at: Option<DateTime<Utc>>,
    printing: &mut Printing<'_>,
) -> Result<(), CommandFailure> {
    if let Some(before) = trial::archived_before(journal, since).await? {
        let before = before.to_rfc3339();
        complain(&printing.printer.lang.one(said!(
            "les mails réglés avant le {before} ont été archivés et ne sont pas essayés",
            "mails that were settled before {before} were archived and are not tested"
        )));
    }
    let count = trial::how_many(journal, since).await?;
    printing.bar = progress(usize::try_from(count).unwrap_or(usize::MAX));
    let Printing { run, out, printer, bar, .. } = printing;
    trial::of_journal::<CommandFailure>(journal, since, at, run, |_, tried| {
        bar.inc(1);
        bar.suspend(|| printer.tried(&tried, out))?;
        Ok(ControlFlow::Continue(()))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_are_found_in_folders_and_maildirs() {
        let root = tempfile::tempdir().unwrap();
        for file in [
            "b.eml",
            "a/c.EML",
            "a/notes.txt",
            "a/cur/no-maildir",
            "Maildir/cur/1.x:2,S",
            "Maildir/new/2.x",
            "Maildir/new/.hidden",
            "Maildir/tmp/3.x",
            "Maildir/dovecot.index",
            "Maildir/.Sub/cur/4.x:2,",
            "Maildir/.Sub/new/5.x",
            "Maildir/.Sub/tmp/6.x",
        ] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        std::os::unix::fs::symlink(root.path(), root.path().join("a/circle")).unwrap();
        std::os::unix::fs::symlink(root.path().join("b.eml"), root.path().join("a/link.eml")).unwrap();
        let found = |at: &str| -> Vec<String> {
            let (files, unreadable) = files(&root.path().join(at));
            assert!(unreadable.is_empty(), "{unreadable:?}");
            let name = |file: PathBuf| file.strip_prefix(root.path()).unwrap().display().to_string();
            files.into_iter().map(name).collect()
        };
        let maildir =
            ["Maildir/.Sub/cur/4.x:2,", "Maildir/.Sub/new/5.x", "Maildir/cur/1.x:2,S", "Maildir/new/2.x"];
        assert_eq!(found("Maildir"), maildir);
        assert_eq!(found(""), [&maildir[..], &["a/c.EML", "a/link.eml", "b.eml"]].concat());
        assert_eq!(found("a/notes.txt"), ["a/notes.txt"], "a file is what it is");
        let (files, unreadable) = files(&root.path().join("nowhere"));
        assert_eq!((files.len(), unreadable.len()), (0, 1));
    }
}
