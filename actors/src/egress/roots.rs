//! Authorities that are accepted besides the public ones. They can be read anew while the
//! program runs: a private authority lives for a year or two, the program for longer.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls_pki_types::CertificateDer;

use super::authorities;

type Certificates = Vec<CertificateDer<'static>>;

/// The certificate authorities that connections are checked against. Clones share them.
#[derive(Clone, Default)]
pub struct Roots {
    certificates: Arc<ArcSwap<Certificates>>,
    /// Where they come from; `None` = they stay as they are.
    file: Option<PathBuf>,
}

impl Roots {
    /// Those of a PEM file.
    ///
    /// # Errors
    /// See [`authorities`].
    pub fn of(file: PathBuf) -> Result<Self, String> {
        let certificates = Arc::new(ArcSwap::from_pointee(authorities(&file)?));
        Ok(Self { certificates, file: Some(file) })
    }

    /// Reads the file again. Whether they are others now; new connections are judged by them.
    ///
    /// # Errors
    /// See [`authorities`]; those from before stay.
    pub fn read_again(&self) -> Result<bool, String> {
        let Some(file) = &self.file else { return Ok(false) };
        let certificates = authorities(file)?;
        let changed = **self.certificates.load() != certificates;
        if changed {
            self.certificates.store(Arc::new(certificates));
        }
        Ok(changed)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.certificates.load().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn load(&self) -> Arc<Certificates> {
        self.certificates.load_full()
    }
}

impl From<Certificates> for Roots {
    fn from(certificates: Certificates) -> Self {
        Self { certificates: Arc::new(ArcSwap::from_pointee(certificates)), file: None }
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roots").field("certificates", &self.len()).field("file", &self.file).finish()
    }
}
