//! The one user of the dashboard: `DASHBOARD_USER` and `DASHBOARD_PASSWORD`, as text or as an
//! argon2id hash.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::PasswordVerifier as _;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params, PasswordHasher as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::keyed::{keyed, same};
use crate::kernel::digest::hex;
use crate::kernel::heavy::Heavy;

/// What a piece of heavy work counts as: more than is done at once.
const HEAVY: usize = usize::MAX;
/// So many may wait for their password to be looked at: each takes some hundredths of a second.
const WAITING: usize = 32;
/// A hash that needs more memory than this, in KiB, is refused.
const MOST_KIB: u32 = 256 * 1024;
/// A hash that goes through its memory more often is refused.
const MOST_PASSES: u32 = 20;

/// Whether a password is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordCheck {
    /// It is.
    Right,
    /// It is not, or the user is another one.
    Wrong,
    /// Too many wait; nothing was looked at.
    Busy,
}

/// How the password is kept.
enum StoredPassword {
    /// Its SHA-256, so that a comparison does not even give its length away.
    Plain([u8; 32]),
    /// A PHC string.
    Hash(String),
}

/// Checks passwords, a few at a time. Clones share the queue.
#[derive(Clone)]
pub struct Passwords {
    user: String,
    kept: Arc<StoredPassword>,
    turn: Heavy,
    waiting: Arc<AtomicUsize>,
    fingerprint: String,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passwords").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Passwords {
    /// The user, the password as text or hash, and the key of the fingerprint
    /// (`FLASK_SECRET_KEY`).
    ///
    /// # Errors
    /// It looks like a hash and cannot be used: why, and what to do. Without the password.
    pub fn new(user: &str, password: &SecretString, key: &SecretString) -> Result<Self, String> {
        let text = password.expose_secret();
        let kept = if is_a_hash(text)? {
            StoredPassword::Hash(text.to_owned())
        } else {
            StoredPassword::Plain(Sha256::digest(text.as_bytes()).into())
        };
        let credential = format!("credential\0{user}\0{text}");
        let fingerprint = keyed(key, credential.as_bytes());
        Ok(Self {
            user: user.to_owned(),
            kept: Arc::new(kept),
            turn: Heavy::default(),
            waiting: Arc::default(),
            fingerprint: hex(fingerprint.get(..16).unwrap_or_default()),
        })
    }

    /// The only user there is.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Changes with the user name, the password and the key, and tells nothing of them.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whether both are right. The same work is done for a user that there is not. Hashes are
    /// looked at one at a time, on a thread that nobody else needs.
    pub async fn verify(&self, user: &str, password: SecretString) -> PasswordCheck {
        let digest = |text: &str| -> [u8; 32] { Sha256::digest(text.as_bytes()).into() };
        let known = same(&digest(user), &digest(&self.user));
        let right = match self.kept.as_ref() {
            StoredPassword::Plain(wanted) => same(&digest(password.expose_secret()), wanted),
            StoredPassword::Hash(_) => {
                let Some(_place) = WaitingSlot::take(&self.waiting) else { return PasswordCheck::Busy };
                let kept = Arc::clone(&self.kept);
                self.turn.run(HEAVY, move || fits(&kept, &password)).await
            }
        };
        // Both are known by now: whichever is wrong takes the same time.
        if known & right { PasswordCheck::Right } else { PasswordCheck::Wrong }
    }
}

fn fits(kept: &StoredPassword, password: &SecretString) -> bool {
    let StoredPassword::Hash(hash) = kept else { return false };
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash).is_ok()
}

/// A place among those who wait.
struct WaitingSlot<'w>(&'w AtomicUsize);

impl<'w> WaitingSlot<'w> {
    fn take(waiting: &'w AtomicUsize) -> Option<Self> {
        let place = Self(waiting);
        (place.0.fetch_add(1, Ordering::AcqRel) < WAITING).then_some(place)
    }
}

impl Drop for WaitingSlot<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Whether the text of the variable is a hash. What looks like one and is none is an error: as
/// a text it would be the password, which nobody means.
fn is_a_hash(text: &str) -> Result<bool, String> {
    const MAKE: &str = "make one with `render-signal hash-password`";
    if text.starts_with("scrypt:") || text.starts_with("pbkdf2:") {
        return Err(format!("is a hash of another program, which is not understood here; {MAKE}"));
    }
    if !text.starts_with("$argon2") {
        let torn = text.contains("m=") && text.contains(",t=") && text.contains(",p=");
        return if torn || text.starts_with("=19") {
            Err(format!(
                "is what is left of an argon2 hash whose `$` signs something has replaced: put it in single quotes \
                 in a shell, and write `$$` in a compose file; {MAKE}"
            ))
        } else {
            Ok(false)
        };
    }
    let hash = PasswordHash::new(text)
        .map_err(|error| format!("begins like an argon2 hash and is none ({error}); {MAKE}"))?;
    if hash.algorithm.as_str() != "argon2id" || hash.hash.is_none() || hash.salt.is_none() {
        return Err(format!("is no whole argon2id hash; {MAKE}"));
    }
    let costs = Params::try_from(&hash).map_err(|error| format!("cannot be used ({error}); {MAKE}"))?;
    if costs.m_cost() > MOST_KIB || costs.t_cost() > MOST_PASSES {
        return Err(format!(
            "needs {} KiB of memory and {} passes for each login, at most {MOST_KIB} and {MOST_PASSES} are taken; {MAKE}",
            costs.m_cost(),
            costs.t_cost()
        ));
    }
    Ok(true)
}

/// The hash of a password, for `DASHBOARD_PASSWORD`: argon2id with 19 MiB and two passes, as
/// OWASP advises. `random` is the salt.
///
/// # Errors
/// In plain words, without the password.
pub fn hash(password: &SecretString, random: &[u8; 32]) -> Result<String, String> {
    let salt = random.get(..16).unwrap_or_default();
    Argon2::default()
        .hash_password_with_salt(password.expose_secret().as_bytes(), salt)
        .map(|hash| hash.to_string())
        .map_err(|error| format!("the password cannot be hashed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords(password: &str) -> Passwords {
        Passwords::new("admin", &password.into(), &"key".into()).unwrap()
    }

    /// Cheap enough for a test.
    fn cheap(password: &str) -> String {
        let argon2 = Argon2::from(Params::new(8, 1, 1, None).unwrap());
        argon2.hash_password_with_salt(password.as_bytes(), &[1; 16]).unwrap().to_string()
    }

    #[tokio::test]
    async fn the_right_user_with_the_right_password_and_nobody_else() {
        for kept in ["s3cret é".to_owned(), cheap("s3cret é"), hash(&"s3cret é".into(), &[3; 32]).unwrap()]
        {
            let passwords = passwords(&kept);
            for (user, password, wanted) in [
                ("admin", "s3cret é", PasswordCheck::Right),
                ("admin", "s3cret", PasswordCheck::Wrong),
                ("admin", "", PasswordCheck::Wrong),
                ("Admin", "s3cret é", PasswordCheck::Wrong),
                ("", "s3cret é", PasswordCheck::Wrong),
            ] {
                assert_eq!(passwords.verify(user, password.into()).await, wanted, "{user} {password}");
            }
            if kept.starts_with('$') {
                assert_eq!(
                    passwords.verify("admin", kept.into()).await,
                    PasswordCheck::Wrong,
                    "the hash is no password"
                );
            }
        }
    }

    #[tokio::test]
    async fn an_unknown_user_costs_as_much_and_no_crowd_fills_the_memory() {
        let passwords = passwords(&cheap("x"));
        let _all: Vec<_> = (0..WAITING).map(|_| WaitingSlot::take(&passwords.waiting).unwrap()).collect();
        // Whoever asks has to wait for the hash, also under a name that there is not.
        for user in ["admin", "nobody"] {
            assert_eq!(passwords.verify(user, "x".into()).await, PasswordCheck::Busy, "{user}");
        }
        drop(_all);
        assert_eq!(passwords.verify("admin", "x".into()).await, PasswordCheck::Right);
    }

    #[test]
    fn what_looks_like_a_hash_and_is_none_is_no_password_either() {
        let good = cheap("x");
        for (text, why) in [
            ("scrypt:32768:8:1$salt$0123", "another program"),
            ("pbkdf2:sha256:600000$salt$0123", "another program"),
            ("$argon2id$v=19$m=8,t=1,p=1$", "none"),
            (&good.replace("argon2id", "argon2i"), "no whole"),
            (good.rsplit_once('$').unwrap().0, "no whole"),
            (&good.replace("m=8", "m=4194304"), "at most"),
            // What double quotes in a shell make of it.
            ("=19=8,t=1,p=1", "single quotes"),
            ("v=19m=8,t=1,p=1AAAA", "single quotes"),
        ] {
            let error = Passwords::new("admin", &text.into(), &"key".into()).unwrap_err();
            assert!(error.contains(why) && error.contains("hash-password"), "{text}: {error}");
        }
        assert!(!format!("{:?}", passwords("s3cret")).contains("s3cret"));
    }

    #[test]
    fn the_fingerprint_changes_with_each_of_the_three() {
        let of = |user: &str, password: &str, key: &str| {
            Passwords::new(user, &password.into(), &key.into()).unwrap().fingerprint().to_owned()
        };
        let one = of("admin", "password", "key");
        assert_eq!(one, of("admin", "password", "key"));
        assert_eq!(one.len(), 32);
        for other in [
            of("admins", "password", "key"),
            of("admin", "passwords", "key"),
            of("admin", "password", "keys"),
        ] {
            assert_ne!(one, other);
        }
    }
}
