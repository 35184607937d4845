//! A copy of the journal as it is at one moment, while a server goes on writing it.

use std::path::Path;

use super::open;
use crate::kernel::journal::JournalError;

/// Writes a copy of the journal at `path` into a new file. It is one moment's journal, whole:
/// events, outbox, bodies and read models. Blocks for as long as reading all of it takes; commits
/// go on meanwhile.
///
/// # Errors
/// The journal cannot be read, or the file not written; what was written of it is left there.
pub fn copy(path: &Path, to: &Path) -> Result<(), JournalError> {
    let db = open::open_to_look(path)?;
    let failed = |error: rusqlite::Error| {
        JournalError::Unavailable(format!("{} could not be copied: {error}", path.display()))
    };
    // The connection only looks, and the copy is another file: of the source nothing is written.
    db.pragma_update(None, "query_only", false).map_err(failed)?;
    db.execute("VACUUM INTO ?1", [to.to_string_lossy()]).map_err(failed)?;
    Ok(())
}
