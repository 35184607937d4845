//! Drops mails into a Maildir the way a mail server does: written to `tmp/`, then
//! renamed into `new/`, so that a reader never sees half of one.

use std::io;
use std::path::{Path, PathBuf};

use super::samples::Sample;

/// A Maildir of the demo's own.
#[derive(Debug, Clone)]
pub(crate) struct Maildir {
    root: PathBuf,
}

impl Maildir {
    /// Creates the three folders.
    ///
    /// # Errors
    /// When they cannot be created.
    pub(crate) fn create(root: PathBuf) -> io::Result<Self> {
        for folder in ["tmp", "new", "cur"] {
            std::fs::create_dir_all(root.join(folder))?;
        }
        Ok(Self { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Delivers a mail.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn drop_mail(&self, sample: &Sample) -> io::Result<()> {
        let draft = self.root.join("tmp").join(&sample.name);
        std::fs::write(&draft, &sample.raw)?;
        std::fs::rename(draft, self.root.join("new").join(&sample.name))
    }
}
