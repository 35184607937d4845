//! Erased means erased: a body whose time is over is found neither in the file nor in its
//! write-ahead log.
//!
//! SQLite overwrites what is deleted (`secure_delete`), but an older copy of the page stays in the
//! log until that is cut. And a journal that was written before this was so has old pages full
//! of bodies that nobody can read and anybody can find: it is written anew, once.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::statvfs::statvfs;
use rusqlite::Connection;

use crate::kernel::files::folder_of;

/// A table that says that the file was written with `secure_delete` from the beginning, or was
/// written anew since. An older program takes no notice of it.
pub(super) const MARK: &str = "CREATE TABLE IF NOT EXISTS erased (at INTEGER)";

/// How long the log is waited for while somebody reads in it; commits wait as long.
const BUSY_TIMEOUT: Duration = Duration::from_millis(200);

/// Cuts the log, so that nothing of what was deleted is left in it. `false` = somebody still
/// reads there: try again later.
///
/// # Errors
/// What SQLite says.
pub(super) fn cut_log(db: &Connection) -> rusqlite::Result<bool> {
    db.busy_timeout(BUSY_TIMEOUT)?;
    let busy = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    db.busy_timeout(super::open::BUSY)?;
    Ok(busy? == 0)
}

/// Writes a journal of an older version anew, once. Blocks for that long; the journal works
/// without, so what stands in the way is said, and it is tried again at the next start.
pub(super) fn once(db: &Connection, path: &Path) {
    match is_marked(db) {
        Ok(true) => {}
        Ok(false) => match write_anew(db, path) {
            Ok((bytes, took)) => tracing::info!(
                path = %path.display(),
                bytes,
                seconds = took.as_secs_f64(),
                "the journal was written anew, once: what was deleted from it is gone now"
            ),
            Err(why) => tracing::warn!(
                path = %path.display(),
                why,
                "bodies that were deleted by an older version can still be found in the journal's file; tried again at the next start"
            ),
        },
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the journal does not say whether it was written anew")
        }
    }
}

fn is_marked(db: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'erased'";
    db.query_row(sql, [], |row| row.get(0))
}

fn write_anew(db: &Connection, path: &Path) -> Result<(u64, Duration), String> {
    let bytes = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    // The new content goes through the log, and the file stays until that is complete.
    let needed = bytes.saturating_add(bytes / 8);
    let disk = statvfs(folder_of(path)).map_err(|error| error.to_string())?;
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    if free < needed {
        return Err(format!("that takes {needed} bytes of the disk for a while, and {free} are free"));
    }
    tracing::info!(path = %path.display(), bytes, "the journal is written anew, once");
    let began = Instant::now();
    // Into a temporary file, not into memory, as is set otherwise.
    db.execute_batch("PRAGMA temp_store = FILE").map_err(|error| error.to_string())?;
    let done = db.execute_batch("VACUUM");
    db.execute_batch("PRAGMA temp_store = MEMORY").map_err(|error| error.to_string())?;
    done.map_err(|error| error.to_string())?;
    if !cut_log(db).map_err(|error| error.to_string())? {
        return Err("another process reads the journal".to_owned());
    }
    db.execute_batch(MARK).map_err(|error| error.to_string())?;
    Ok((bytes, began.elapsed()))
}
