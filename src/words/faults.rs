//! What a disk, a network or a journal's file did not do: the words of the operating system and of
//! SQLite, which are English wherever they come from, in French; and what to do about a journal that
//! cannot be written.
//!
//! Only what a machine says of itself is known here. What a server said stays as it was said.

use render_signal_actors::kernel::said::Said;
use render_signal_actors::said;

use super::integrity::said_in_french;

/// What the system says, and the same in French. One that is a part of another stands behind it.
const SYSTEM: [(&str, &str); 32] = [
    ("No space left on device (os error 28)", "le disque est plein"),
    ("Disk quota exceeded (os error 122)", "le quota du disque est atteint"),
    ("File too large (os error 27)", "le fichier serait trop grand"),
    ("Read-only file system (os error 30)", "le système de fichiers est en lecture seule"),
    ("Input/output error (os error 5)", "le disque ne lit ou n'écrit plus (erreur d'entrée-sortie)"),
    ("Permission denied (os error 13)", "l'accès est refusé"),
    ("Operation not permitted (os error 1)", "l'opération n'est pas permise"),
    ("No such file or directory (os error 2)", "il n'existe pas"),
    ("File exists (os error 17)", "il existe déjà"),
    ("Not a directory (os error 20)", "ce n'est pas un dossier"),
    ("Is a directory (os error 21)", "c'est un dossier"),
    ("Too many open files (os error 24)", "trop de fichiers sont ouverts"),
    ("Broken pipe (os error 32)", "la connexion est coupée"),
    ("Cannot assign requested address (os error 99)", "aucune adresse locale n'est libre"),
    ("Network is unreachable (os error 101)", "le réseau est inaccessible"),
    ("Connection reset by peer (os error 104)", "l'autre côté a coupé la connexion"),
    ("Connection timed out (os error 110)", "pas de réponse à temps"),
    ("Connection refused (os error 111)", "connexion refusée"),
    ("No route to host (os error 113)", "aucune route n'y mène"),
    ("database or disk is full", "le disque est plein"),
    ("database disk image is malformed", "le fichier est endommagé"),
    ("file is not a database", "le fichier n'est pas une base de données"),
    ("attempt to write a readonly database", "le fichier est en lecture seule"),
    ("disk I/O error", "le disque ne lit ou n'écrit plus (erreur d'entrée-sortie)"),
    ("unable to open database file", "le fichier ne peut pas être ouvert"),
    ("database is locked", "un autre processus tient le fichier"),
    ("failed to lookup address information: Name or service not known", "nom introuvable"),
    (
        "failed to lookup address information: Temporary failure in name resolution",
        "le nom ne peut pas être résolu pour l'instant",
    ),
    ("failed to lookup address information: No address associated with hostname", "ce nom n'a pas d'adresse"),
    ("operation timed out", "pas de réponse à temps"),
    ("tcp connect error: ", ""),
    ("dns error: ", ""),
];

/// What a journal says of itself as a whole, each `{}` a name or what is wrong.
const JOURNAL: [(&str, &str); 5] = [
    (
        "the journal {} cannot be used: {}. It was left untouched; restore it from a backup, or move it away to start a new one",
        "le journal {} ne peut pas être utilisé\u{a0}: {}. Il n'a pas été touché\u{a0}; rétablissez une sauvegarde, ou déplacez-le pour en commencer un nouveau",
    ),
    (
        "the journal {} has format {}, this program knows up to {}: it was written by a newer version",
        "le journal {} a le format {}, ce programme connaît jusqu'au format {}\u{a0}: une version plus récente l'a écrit",
    ),
    ("the journal cannot be kept {}: {}", "le journal ne peut pas être gardé {}\u{a0}: {}"),
    (
        "the journal with JOURNAL_REDIS_PREFIX={} belongs to another installation: {}. Give each installation a prefix of its own; if it is the same one, run `render-signal events adopt` once with the new settings",
        "le journal de JOURNAL_REDIS_PREFIX={} est celui d'une autre installation\u{a0}: {}. Donnez à chaque installation un préfixe à elle\u{a0}; si c'est la même, lancez une fois `render-signal events adopt` avec les nouveaux réglages",
    ),
    ("there is no journal at {}", "il n'y a pas de journal à {}"),
];

/// The same text with what the system says in French; `None` = it says nothing that is known.
pub(crate) fn in_french(text: &str) -> Option<String> {
    if let Some(whole) = said_in_french(&JOURNAL, text) {
        return Some(whole);
    }
    let mut french = text.to_owned();
    for (english, ours) in SYSTEM.iter().filter(|(english, _)| text.contains(english)) {
        french = french.replace(english, ours);
    }
    (french != text).then_some(french)
}

/// Why a journal cannot be written or read, as far as somebody can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JournalFault {
    cause: Cause,
    saved: WriteEffect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// There is no room for it.
    Full,
    /// Its file is not what it was.
    Damaged,
    /// It may not be written.
    ReadOnly,
    /// The disk fails.
    Disk,
}

/// What became of what was to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WriteEffect {
    /// It was refused, and is not there.
    Not,
    /// Nobody knows: it may be there.
    Perhaps,
    /// Nothing was to be written.
    Nothing,
}

/// By which words each is known: those of SQLite, of the system and of Redis.
const KNOWN: [(&str, Cause); 12] = [
    ("database or disk is full", Cause::Full),
    ("(os error 28)", Cause::Full),
    ("(os error 122)", Cause::Full),
    ("OOM command not allowed", Cause::Full),
    ("malformed", Cause::Damaged),
    ("file is not a database", Cause::Damaged),
    ("cannot be used: ", Cause::Damaged),
    ("readonly database", Cause::ReadOnly),
    ("(os error 30)", Cause::ReadOnly),
    ("READONLY ", Cause::ReadOnly),
    ("disk I/O error", Cause::Disk),
    ("MISCONF ", Cause::Disk),
];

impl JournalFault {
    /// The one that an error tells of; `None` = it passes by itself, or it is no error of the journal.
    pub(crate) fn of(error: &str) -> Option<Self> {
        let of_journal = error.contains("the journal") || error.contains("the read model");
        let (_, cause) = KNOWN.iter().find(|(words, _)| error.contains(words)).filter(|_| of_journal)?;
        let saved = if error.contains("may or may not have been written") {
            WriteEffect::Perhaps
        } else if error.contains("refused the commit") {
            WriteEffect::Not
        } else {
            WriteEffect::Nothing
        };
        Some(Self { cause: *cause, saved })
    }

    /// The cause, what became of what was to be saved, and what to do: whole sentences.
    pub(crate) fn said(self) -> Said {
        let Said { french: cause_fr, english: cause_en } = self.cause.said();
        let (saved_fr, saved_en) = match self.saved {
            WriteEffect::Not => (", donc rien n'a été enregistré", ", so nothing was saved"),
            WriteEffect::Perhaps => (
                ", et l'on ne sait pas si la demande a été enregistrée\u{a0}: vérifiez avant de la refaire",
                ", and it is not known whether the request was saved: look before you repeat it",
            ),
            WriteEffect::Nothing => ("", ""),
        };
        let Said { french: advice_fr, english: advice_en } = self.cause.advice();
        // A sentence begins with a capital letter.
        let (cause_fr, cause_en) = (cause_fr.replacen("le ", "Le ", 1), cause_en.replacen("the ", "The ", 1));
        said!("{cause_fr}{saved_fr}. {advice_fr}", "{cause_en}{saved_en}. {advice_en}")
    }

    /// The cause alone, for the middle of a sentence.
    pub(crate) fn cause(self) -> Said {
        self.cause.said()
    }
}

impl Cause {
    fn said(self) -> Said {
        match self {
            Self::Full => said!("le journal est plein", "the journal is full"),
            Self::Damaged => said!("le journal est endommagé", "the journal is damaged"),
            Self::ReadOnly => said!("le journal est en lecture seule", "the journal can only be read"),
            Self::Disk => said!("le disque du journal a une panne", "the journal's disk fails"),
        }
    }

    fn advice(self) -> Said {
        match self {
            Self::Full => said!(
                "Libérez de la place sur son disque (ou dans Redis), ou agrandissez-le, puis réessayez\u{a0}: les \
                 mails restent dans la boîte en attendant.",
                "Make room on its disk (or in Redis), or enlarge it, then try again: mails stay in the mailbox \
                 until then."
            ),
            Self::Damaged => said!(
                "Arrêtez le programme et rétablissez une sauvegarde du fichier\u{a0}; `render-signal events verify` \
                 dit ce qui ne va pas.",
                "Stop the program and restore a backup of the file; `render-signal events verify` tells what is \
                 wrong."
            ),
            Self::ReadOnly => said!(
                "Rendez son dossier et son fichier inscriptibles (ou le serveur Redis maître), puis réessayez.",
                "Make its folder and file writable (or the Redis server a master), then try again."
            ),
            Self::Disk => said!(
                "Vérifiez le disque\u{a0}; s'il est remis en état, le programme reprend de lui-même.",
                "Check the disk; once it is mended, the program goes on by itself."
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn the_systems_own_words_are_said_in_french() {
        for code in [1, 2, 5, 13, 17, 20, 21, 24, 27, 28, 30, 32, 99, 101, 104, 110, 111, 113, 122] {
            let english = io::Error::from_raw_os_error(code).to_string();
            let french = in_french(&english).unwrap_or_else(|| panic!("no French for {english:?}"));
            assert!(!french.contains("os error") && !french.is_empty(), "{french}");
        }
        let refused = "tcp connect error: Connection refused (os error 111)";
        assert_eq!(in_french(refused).as_deref(), Some("connexion refusée"));
        assert_eq!(in_french("a receiver's own words"), None);
    }

    #[test]
    fn a_journal_that_cannot_be_opened_says_so_in_french() {
        use render_signal_actors::kernel::journal::JournalError;
        let (path, what) = ("j.db".to_owned(), "database disk image is malformed".to_owned());
        let errors = [
            JournalError::Corrupt { path: path.clone(), what },
            JournalError::FromTheFuture { path, found: 9, known: 2 },
            JournalError::Unsuitable { place: "in Redis".to_owned(), what: "x".to_owned() },
            JournalError::Foreign { prefix: "p".to_owned(), what: "x".to_owned() },
        ];
        for error in errors {
            let french = in_french(&error.to_string()).unwrap_or_else(|| panic!("no French for {error}"));
            assert!(french.starts_with("le journal") && !french.contains("malformed"), "{french}");
        }
    }

    #[test]
    fn a_journals_fault_is_told_with_what_to_do_and_others_are_not_taken_for_one() {
        for (error, wanted) in [
            ("the journal refused the commit: /d/j.db: database or disk is full", Some(Cause::Full)),
            ("the journal refused the commit: No space left on device (os error 28)", Some(Cause::Full)),
            (
                "the journal could not be read: /d/j.db: database disk image is malformed",
                Some(Cause::Damaged),
            ),
            ("the read model could not be read: file is not a database", Some(Cause::Damaged)),
            ("the journal refused the commit: attempt to write a readonly database", Some(Cause::ReadOnly)),
            ("the journal refused the commit: disk I/O error: Error code 778", Some(Cause::Disk)),
            ("the journal could not be read: Connection refused (os error 111)", None),
            ("there is no mail called database or disk is full", None),
        ] {
            assert_eq!(JournalFault::of(error).map(|fault| fault.cause), wanted, "{error}");
        }
        for (error, french, english) in [
            (
                "the journal refused the commit: disk I/O error",
                "rien n'a été enregistré",
                "nothing was saved",
            ),
            (
                "the journal did not answer, the commit may or may not have been written: disk I/O error",
                "l'on ne sait pas si la demande a été enregistrée",
                "it is not known whether the request was saved",
            ),
            ("the journal could not be read: disk I/O error", "a une panne. Vérifiez", "disk fails. Check"),
        ] {
            let said = JournalFault::of(error).expect("a fault").said();
            assert!(
                said.french.starts_with("Le disque du journal") && said.french.contains(french),
                "{said:?}"
            );
            assert!(
                said.english.starts_with("The journal's disk") && said.english.contains(english),
                "{said:?}"
            );
        }
    }
}
