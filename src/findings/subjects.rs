//! What the things that are looked at are called: `/readyz` and `doctor` name them in code,
//! commands and pages in words.

use render_signal_actors::kernel::said::Said;

/// Names as programs are told them, and their words in French and in English.
const SUBJECTS: &[(&str, &str, &str)] = &[
    ("process", "processus", "worker"),
    ("journal", "journal", "journal"),
    ("mailbox", "boîte", "mailbox"),
    ("lease", "bail de relève", "polling lease"),
    ("config", "configuration", "configuration"),
    ("redis", "redis", "redis"),
    ("oauth", "accès OAuth2", "OAuth2 access"),
    ("retention", "durée de garde", "retention"),
    ("copies", "copies des fichiers", "copies of files"),
    ("deliveries", "envois", "deliveries"),
    ("environment", "environnement", "environment"),
    ("signature", "signature", "signature"),
    ("workers", "processus", "workers"),
    ("list of copies", "liste des copies", "list of copies"),
    ("senders", "expéditeurs", "senders"),
    ("preferences", "préférences", "preferences"),
    ("documents", "documents", "documents"),
    ("document", "document", "document"),
    ("target", "destination", "target"),
    ("R2 bucket", "bucket R2", "R2 bucket"),
    ("R2 Worker", "Worker R2", "R2 Worker"),
    ("archive", "archives", "archive"),
];

/// What a check is called. Behind a known beginning stands a name, which is kept: `target default`
/// is `destination default`.
pub(crate) fn subject(name: &str) -> Said {
    let known = SUBJECTS.iter().filter(|(known, ..)| {
        name.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    });
    match known.max_by_key(|(known, ..)| known.len()) {
        Some((known, french, english)) => {
            let rest = name.strip_prefix(known).unwrap_or_default();
            Said { french: format!("{french}{rest}"), english: format!("{english}{rest}") }
        }
        None => Said::alike(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_behind_what_is_known_is_kept() {
        let said = |name| {
            let Said { french, english } = subject(name);
            (french, english)
        };
        assert_eq!(said("target default"), ("destination default".into(), "target default".into()));
        assert_eq!(said("list of copies"), ("liste des copies".into(), "list of copies".into()));
        assert_eq!(said("redis JOURNAL_URL"), ("redis JOURNAL_URL".into(), "redis JOURNAL_URL".into()));
        assert_eq!(said("targets"), ("targets".into(), "targets".into()));
    }
}
