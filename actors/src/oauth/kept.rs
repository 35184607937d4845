//! Where a refresh token is kept that the provider has put in the place of the one in the environment.
//!
//! The environment's token is the seed. What is kept names the seed it grew from by a fingerprint,
//! so a token that the operator sets anew wins over what was kept before.

use std::io;
use std::path::PathBuf;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::grant::is_token;
use crate::kernel::digest::sha256;
use crate::kernel::files::{self, PRIVATE};

/// Name of the file below `DATA_DIR`.
pub const FILE_NAME: &str = "oauth-refresh-token.json";
/// A longer file is none of ours, in bytes.
const LONGEST: u64 = 64 * 1024;

/// A refresh token, and the seed it grew from.
#[derive(Debug, Clone)]
pub struct KeptToken {
    /// See [`fingerprint`].
    pub seed: String,
    /// The token.
    pub token: SecretString,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
struct KeptRecord {
    seed: String,
    refresh_token: String,
}

impl KeptToken {
    /// As text, for a place that is private.
    pub(super) fn written(&self) -> String {
        let record =
            KeptRecord { seed: self.seed.clone(), refresh_token: self.token.expose_secret().to_owned() };
        serde_json::to_string(&record).unwrap_or_default()
    }

    /// What such a text says; `None` = it is none.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let record: KeptRecord = serde_json::from_slice(text).ok()?;
        is_token(&record.refresh_token)
            .then(|| Self { seed: record.seed, token: record.refresh_token.into() })
    }
}

/// Of a seed and whose it is: another token, client or provider has another one. It tells nothing of
/// the token, which nobody can guess.
#[must_use]
pub fn fingerprint(token: &SecretString, client: &str, token_url: &str) -> String {
    sha256(format!("{token_url}\n{client}\n{}", token.expose_secret()))
}

/// Keeps one refresh token, durably.
#[async_trait]
pub trait RefreshTokens: Send + Sync {
    /// What is kept; `None` = nothing, or nothing that can be read.
    ///
    /// # Errors
    /// The place does not answer; in plain words.
    async fn load(&self) -> Result<Option<KeptToken>, String>;

    /// Keeps this, in place of what was kept.
    ///
    /// # Errors
    /// It may not be kept; in plain words.
    async fn keep(&self, token: &KeptToken) -> Result<(), String>;
}

/// In a file that its owner alone can read.
#[derive(Debug, Clone)]
pub struct FileRefreshTokens {
    path: PathBuf,
}

impl FileRefreshTokens {
    /// In this file.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

#[async_trait]
impl RefreshTokens for FileRefreshTokens {
    async fn load(&self) -> Result<Option<KeptToken>, String> {
        match on_disk(self.path.clone(), |path| files::read_plain(&path, LONGEST)).await {
            Ok(text) => {
                let kept = KeptToken::read(&text);
                if kept.is_none() {
                    tracing::warn!(path = %self.path.display(), "the kept refresh token cannot be read, the one of the environment is used");
                }
                Ok(kept)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{}: {error}", self.path.display())),
        }
    }

    async fn keep(&self, token: &KeptToken) -> Result<(), String> {
        let text = token.written();
        let kept = on_disk(self.path.clone(), move |path| {
            files::make_folder(files::folder_of(&path), PRIVATE)?;
            files::replace(&path, text.as_bytes(), PRIVATE)
        });
        kept.await.map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

/// A disk may hang: the threads of everybody do not wait for it.
pub(super) async fn on_disk<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce(PathBuf) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(move || work(path)).await.map_err(io::Error::other).flatten()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn token(seed: &str, token: &str) -> KeptToken {
        KeptToken { seed: seed.to_owned(), token: token.into() }
    }

    #[tokio::test]
    async fn what_is_kept_is_found_again_and_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("not yet").join(FILE_NAME);
        let file = FileRefreshTokens::new(path.clone());
        assert!(file.load().await.unwrap().is_none());
        for number in 1..3 {
            file.keep(&token("seed", &format!("token-{number}"))).await.unwrap();
            let kept = FileRefreshTokens::new(path.clone()).load().await.unwrap().unwrap();
            assert_eq!(
                (kept.seed.as_str(), kept.token.expose_secret()),
                ("seed", format!("token-{number}").as_str())
            );
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_nothing_and_what_is_somebody_elses_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let file = FileRefreshTokens::new(path.clone());
        for text in [
            "",
            "{}",
            "{\"seed\":\"s\",\"refresh_token\":\"a b\"}",
            "{\"seed\":\"s\",\"refresh_token\":\"\"}",
        ] {
            std::fs::write(&path, text).unwrap();
            assert!(file.load().await.unwrap().is_none(), "{text}");
        }
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        assert!(file.load().await.unwrap_err().contains("symbolic link"));
    }

    #[test]
    fn another_token_client_or_provider_has_another_fingerprint() {
        let of = |token: &str, client, url| fingerprint(&token.into(), client, url);
        let prints = [of("t", "c", "u"), of("t2", "c", "u"), of("t", "c2", "u"), of("t", "c", "u2")];
        let unique: std::collections::BTreeSet<_> = prints.iter().collect();
        assert_eq!(unique.len(), prints.len());
        assert!(!format!("{:?}", token("s", "hush")).contains("hush"));
    }
}
