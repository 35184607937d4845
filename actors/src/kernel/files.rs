//! Files of ours: for us alone, and never written through a link that somebody else has put
//! there.
//!
//! Mails' bodies, addresses that are capabilities and sign-in tokens lie in them, and some lie in
//! folders that others may write, too. So a new file is made under a random name that nothing
//! has (`O_EXCL`), with its mode said at that moment, and renamed; a lock is opened without
//! following a link; and a link that the operator has put in place of a configured file is
//! followed because it belongs to us or to root.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat};
use nix::unistd::Uid;

/// Mode of a file that nobody else may read.
pub const PRIVATE: u32 = 0o600;

/// What of a mode is for others than the owner.
const OTHERS: u32 = 0o077;

/// Symbolic links that are followed, one behind the other; Linux follows as many.
const MAX_LINKS: usize = 40;

/// The folder a file lies in.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// The file that a configured path means: a symbolic link in its place is followed, even to
/// where nothing is yet, as long as it belongs to this user or to root.
///
/// # Errors
/// The link of somebody else, by name.
pub fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(next) = fs::read_link(&target) else { return Ok(target) };
        let owner = fs::symlink_metadata(&target)?.uid();
        if owner != 0 && owner != Uid::effective().as_raw() {
            return Err(io::Error::new(
                ErrorKind::PermissionDenied,
                format!(
                    "{} is a symbolic link of another user (id {owner}) and is not followed; remove it",
                    target.display()
                ),
            ));
        }
        target = folder_of(&target).join(next);
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "too many symbolic links, one behind the other"))
}

/// Makes a folder, and those above it, for a file of this mode: who may read the file may enter
/// the folders that had to be made. Existing ones stay as they are.
///
/// # Errors
/// What the system says.
pub fn make_folder(folder: &Path, mode: u32) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        make_folder(above, mode)?;
    }
    let mode = 0o700 | (mode & OTHERS) | ((mode & 0o044) >> 2);
    match DirBuilder::new().mode(mode).create(folder) {
        // Whatever the umask says.
        Ok(()) if mode != 0o700 => fs::set_permissions(folder, Permissions::from_mode(mode)),
        Ok(()) => Ok(()),
        // Another process was quicker.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Replaces a file: written beside it under a name that nobody can know before, made durable,
/// renamed. A reader sees the old content or the new one.
///
/// # Errors
/// What the system says; nothing has changed then.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let path = resolve(path)?;
    let folder = folder_of(&path);
    let mut file = beside(&path)?;
    file.write_all(content)?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// Whether a file could be made in this folder; nothing stays.
///
/// # Errors
/// Why not.
pub fn try_folder(folder: &Path) -> io::Result<()> {
    beside(&folder.join("probe")).map(drop)
}

/// An empty file beside another, private, removed when it is dropped.
fn beside(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // The longest name that file systems take is 255 bytes.
    let short: String = name.chars().take(32).collect();
    tempfile::Builder::new()
        .prefix(&format!(".{short}."))
        .suffix(".tmp")
        .rand_bytes(12)
        .permissions(Permissions::from_mode(PRIVATE))
        .tempfile_in(folder_of(path))
}

/// Makes a file that must not be there yet.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] when there is anything of this name, a link to nowhere too.
pub fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    Ok(file)
}

/// Opens a file for reading and writing, to be locked or to hold a note; made, private, when
/// there is none.
///
/// # Errors
/// What the system says. A symbolic link, anything but a plain file, and a file that has a
/// second name are refused: writing to them would write to something of somebody's.
pub fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(PRIVATE);
    let file = open(&options, path)?;
    if file.metadata()?.nlink() > 1 {
        return Err(refused("it has a second name, which may be somebody's; remove it"));
    }
    Ok(file)
}

/// Gives a file that root has made beside another one to whoever owns that: a command that an
/// administrator runs must not leave what the service itself cannot open any more. For other users it does
/// nothing; they can give nothing away, and need not.
///
/// # Errors
/// What the system says.
pub fn give_to_owner_of(other: &Path, file: &File) -> io::Result<()> {
    if !Uid::effective().is_root() {
        return Ok(());
    }
    let (wanted, found) = (fs::metadata(other)?, file.metadata()?);
    if (wanted.uid(), wanted.gid()) == (found.uid(), found.gid()) {
        return Ok(());
    }
    std::os::unix::fs::fchown(file, Some(wanted.uid()), Some(wanted.gid()))
}

/// Opens a plain file for reading; a symbolic link is not followed.
///
/// # Errors
/// What the system says, and anything but a plain file.
pub fn open_plain(path: &Path) -> io::Result<File> {
    open(OpenOptions::new().read(true), path)
}

/// Reads at most `most` bytes of a plain file; a symbolic link is not followed.
///
/// # Errors
/// See [`open_plain`].
pub fn read_plain(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open_plain(path)?.take(most).read_to_end(&mut content)?;
    Ok(content)
}

fn open(options: &OpenOptions, path: &Path) -> io::Result<File> {
    // Without O_NONBLOCK, a pipe in place of the file would be waited for.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let opened = options.clone().custom_flags(flags.bits()).open(path);
    let file = opened.map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ELOOP) => refused("it is a symbolic link, which is not followed; remove it"),
        _ => error,
    })?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(refused("it is no plain file; remove it")) }
}

fn refused(why: &str) -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, why)
}

/// Makes private what is there: takes from each of these files what others may do. Returns those
/// that were changed, and those that could not be. What is not there, links and folders are
/// left alone.
///
/// The files are not opened: that would end the locks that SQLite has on a journal.
pub fn make_private(files: impl IntoIterator<Item = PathBuf>) -> (Vec<PathBuf>, Vec<(PathBuf, String)>) {
    let (mut changed, mut failed) = (Vec::new(), Vec::new());
    for path in files {
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        let mode = found.mode() & 0o7777;
        if !found.is_file() || mode & OTHERS == 0 {
            continue;
        }
        match set_mode(&path, mode & !OTHERS) {
            Ok(()) => changed.push(path),
            Err(why) => failed.push((path, why)),
        }
    }
    (changed, failed)
}

/// Sets the mode of what is at the path itself, never of what a link leads to.
fn set_mode(path: &Path, mode: u32) -> Result<(), String> {
    let mode = Mode::from_bits_truncate(mode);
    fchmodat(AT_FDCWD, path, mode, FchmodatFlags::NoFollowSymlink).map_err(|error| error.desc().to_owned())
}

#[cfg(test)]
mod tests;
