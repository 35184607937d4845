//! What is found out about the program and what it stands on: a code with values, put into
//! words where it is shown.
//!
//! The list is [`catalogue`]: each finding with its code, how grave it is, what it says in both
//! languages, and what to do. A finding without one of the texts does not compile. Codes are
//! what programs rely on; words may change.

mod catalogue;
mod subjects;
mod told;

use render_signal_actors::kernel::journal::Durability;
use render_signal_actors::kernel::said::Said;
use serde::Serialize;
use serde_json::{Value, json};

pub(crate) use self::catalogue::Finding;
pub(crate) use self::subjects::subject;
pub(crate) use self::told::{Aside, DayTime, InTurn, Names, Phase, Told};

/// How grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// As it should be.
    Ok,
    /// Worth a look.
    Warn,
    /// Wrong: of a check of `/readyz`, not ready because of it.
    Fail,
}

impl Severity {
    /// Its name as programs are told it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl Finding {
    /// As programs are told: its code, how grave it is, and the values that the words are made of.
    pub(crate) fn coded(&self) -> Value {
        json!({"code": self.code(), "state": self.severity(), "values": self})
    }
}

impl Finding {
    /// The same with its words in both languages, for those who show what another worker found: they
    /// have its values, and may be of another version.
    pub(crate) fn worded(&self) -> Value {
        let pair = |said: Said| json!({"fr": said.french, "en": said.english});
        let mut worded = self.coded();
        if let Value::Object(fields) = &mut worded {
            fields.insert("said".to_owned(), pair(self.said()));
            fields.extend(self.advice().map(|advice| ("advice".to_owned(), pair(advice))));
        }
        worded
    }
}

/// What an acknowledgement of the journal means.
pub(crate) const fn durability(durability: Durability) -> Finding {
    match durability {
        Durability::OnDisk => Finding::JournalOnDisk {},
        Durability::UpToTwoSeconds => Finding::JournalWithinSeconds {},
        Durability::UntilRestart => Finding::JournalUntilRestart {},
        Durability::UntilDeploy => Finding::JournalUntilDeploy {},
        Durability::Unknown => Finding::JournalDurabilityUnknown {},
        Durability::Memory => Finding::JournalInMemory {},
    }
}

/// The gravest of them; of several the first. `None` = there are none.
pub(crate) fn gravest(findings: &[Finding]) -> Option<&Finding> {
    findings.iter().rev().max_by_key(|finding| finding.severity())
}

/// All of them in one message.
pub(crate) fn together(findings: &[Finding]) -> Said {
    let said: Vec<Said> = findings.iter().map(Finding::said).collect();
    let Said { french, .. } = Said::joined(&said, "\u{a0}; ");
    Said { french, ..Said::joined(&said, "; ") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_finding_is_a_code_with_values_and_words_in_both_languages() {
        let finding = Finding::TargetFails { target: "default".into(), failures: 5 };
        let coded = json!({
            "code": "target_fails",
            "state": "warn",
            "values": {"target": "default", "failures": 5},
        });
        assert_eq!(finding.coded(), coded);
        let said = finding.said();
        assert_eq!(said.english, "default fails (5 in a row), its deliveries wait");
        assert!(said.french.starts_with("default échoue (5 fois de suite)"), "{}", said.french);
    }

    #[test]
    fn no_two_findings_have_one_code() {
        let codes: BTreeSet<&str> = Finding::CODES.iter().copied().collect();
        assert_eq!(codes.len(), Finding::CODES.len());
        let form = |code: &&str| code.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
        assert!(codes.iter().all(form), "{codes:?}");
    }

    #[test]
    fn the_gravest_counts_and_of_equals_the_first() {
        let found = [Finding::ThisWorkerPolls {}, Finding::AnySender {}, Finding::MailboxMissing {}];
        assert_eq!(gravest(&found), Some(&Finding::AnySender {}));
        assert_eq!(gravest(&[]), None);
        let said = together(&found[..2]);
        assert_eq!(said.english, "this worker polls; mails of every sender count");
        assert!(said.french.contains("\u{a0}; "), "{}", said.french);
    }
}
