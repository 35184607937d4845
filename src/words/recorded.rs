//! What events record in plain words, and why the content of a mail is gone: English in every
//! journal, said in French.
//!
//! Only what this program writes is known here, and what stands in it: the words of a receiver, of
//! a server or of an operator are shown as they are.

use std::borrow::Cow;
use std::fmt::Display;

use render_signal_actors::kernel::said::Said;

use super::faults;
use crate::lang::Lang;

/// What is recorded as a whole.
const WHOLE: [(&str, &str); 39] = [
    (
        "it is empty or has none of the header fields that every mail has (From, To, Subject, Date, Received)",
        "il est vide ou n'a aucun des champs d'en-tête de tout message (From, To, Subject, Date, Received)",
    ),
    ("the parser failed on it", "sa lecture a échoué"),
    ("a change of it waits for this store", "un changement attend ce stockage"),
    (
        "another process is giving it the change that waits",
        "un autre processus lui remet le changement en attente",
    ),
    ("the change that waits is gone", "le changement en attente n'existe plus"),
    (
        "workers ended while they worked on it, three of them on it alone",
        "des workers se sont arrêtés pendant qu'ils le traitaient, trois d'entre eux sur lui seul",
    ),
    (
        "its sender is not in the list, and its content is no longer kept (MAIL_RETENTION_DAYS, or newer ones needed the room)",
        "son expéditeur n'est pas dans la liste, et son contenu n'est plus conservé (MAIL_RETENTION_DAYS, ou de plus récents ont eu besoin de la place)",
    ),
    ("a mail that is too large is not loaded", "un mail trop grand n'est pas chargé"),
    (
        "it is in quarantine: no rule applies to what cannot be read",
        "il est en quarantaine : aucune règle ne s'applique à ce qui ne peut pas être lu",
    ),
    (
        "its content is no longer kept (MAIL_RETENTION_DAYS)",
        "son contenu n'est plus conservé (MAIL_RETENTION_DAYS)",
    ),
    ("it was archived (JOURNAL_RETENTION_DAYS)", "il a été archivé (JOURNAL_RETENTION_DAYS)"),
    (
        "it was routed by an earlier version, which kept nothing but its webhooks",
        "son envoi a été décidé par une version antérieure, qui ne gardait que ses webhooks",
    ),
    (
        "its receivers are given a part of the text only (webhook_body), and nothing else of it is kept",
        "ses destinations ne reçoivent qu'une partie du texte (webhook_body), et rien d'autre n'en est conservé",
    ),
    ("it cannot be read", "il ne peut pas être lu"),
    (
        "larger than the limit: the body was not loaded",
        "plus grand que la limite : le corps n'a pas été chargé",
    ),
    ("the header block is malformed", "l'en-tête est mal formé"),
    (
        "the header is longer than is read; the rest of it was left out",
        "l'en-tête est plus long que ce qui est lu ; le reste a été laissé de côté",
    ),
    ("the subject could not be decoded completely", "le sujet n'a pas pu être décodé entièrement"),
    ("there is no Message-ID", "il n'y a pas de Message-ID"),
    ("there is no sender address", "il n'y a pas d'adresse d'expéditeur"),
    (
        "more parts than are looked into; the others were left out",
        "plus de parties qu'on n'en examine ; les autres ont été laissées de côté",
    ),
    ("the end of a multipart is missing", "la fin d'un multipart manque"),
    ("a part has an unknown character set", "une partie a un jeu de caractères inconnu"),
    ("a part is not valid in its character set", "une partie n'est pas valable dans son jeu de caractères"),
    ("no answer in time", "pas de réponse à temps"),
    ("it answered 410 Gone", "la réponse était 410 Gone"),
    ("the target is gone", "la destination n'existe plus"),
    ("the receiver says that it is gone", "la destination dit qu'elle n'existe plus"),
    ("the name has no address", "ce nom n'a pas d'adresse"),
    ("an address that is not http", "une adresse qui n'est pas en http"),
    ("redirects are not followed", "les redirections ne sont pas suivies"),
    (
        "redirects are not followed, configure the final address",
        "les redirections ne sont pas suivies, configurez l'adresse finale",
    ),
    ("the offload is switched off", "la copie des fichiers est désactivée"),
    ("too many transfers were under way", "trop de transferts étaient en cours"),
    ("the transfer failed unexpectedly", "le transfert a échoué de façon inattendue"),
    ("the transfer did not end in time", "le transfert n'a pas fini à temps"),
    ("it was not tried", "la copie n'a pas été tentée"),
    (
        "another mail's copy of it was not ready in time",
        "la copie pour un autre mail n'était pas prête à temps",
    ),
    (
        "the copy that another mail waited for was broken off",
        "la copie qu'un autre mail attendait a été interrompue",
    ),
];

/// What stands before a reason, a colon between.
const BEFORE: [(&str, &str); 12] = [
    ("it would be put in quarantine", "il serait mis en quarantaine"),
    ("refused", "refusé"),
    ("refused for now", "refusé pour l'instant"),
    ("this machine cannot connect", "cette machine ne peut pas se connecter"),
    ("no connection", "pas de connexion"),
    ("without a journal no change can wait for it", "sans journal, aucun changement ne peut l'attendre"),
    ("the journal cannot keep the change", "le journal ne peut pas garder le changement"),
    ("the connection failed", "la connexion a échoué"),
    (
        "the token endpoint gives no access token now",
        "le fournisseur ne donne pas de jeton d'accès pour l'instant",
    ),
    ("the journal refused the commit", "le journal a refusé l'écriture"),
    ("the journal could not be read", "le journal n'a pas pu être lu"),
    (
        "the journal did not answer, the commit may or may not have been written",
        "le journal n'a pas répondu, l'écriture a peut-être eu lieu",
    ),
];

/// What stands around a number or a name.
const AROUND: [(&str, &str, &str, &str); 12] = [
    ("longer than ", " bytes: no link that is copied", "plus de ", " octets : ce n'est pas un lien à copier"),
    (
        "",
        " links of the mail are copied, which is R2_MAX_LINKS_PER_MAIL",
        "",
        " liens du mail sont copiés, ce qui est R2_MAX_LINKS_PER_MAIL",
    ),
    (
        "it took longer than R2_TRANSFER_MAX_SECONDS (",
        ")",
        "la copie a duré plus que R2_TRANSFER_MAX_SECONDS (",
        ")",
    ),
    ("the Worker answered ", "", "le Worker a répondu ", ""),
    (
        "the permission to read the mailbox was withdrawn or has run out, and must be given anew with `render-signal oauth authorize` (",
        ")",
        "l'autorisation de lire la boîte a été retirée ou a expiré, et doit être redonnée avec «\u{a0}render-signal oauth authorize\u{a0}» (",
        ")",
    ),
    (
        "the token endpoint does not take the settings IMAP_OAUTH_… (",
        ")",
        "le fournisseur n'accepte pas les réglages IMAP_OAUTH_… (",
        ")",
    ),
    (
        "the sender address is longer than ",
        " bytes, so it is none",
        "l'adresse de l'expéditeur a plus de ",
        " octets, donc ce n'en est pas une",
    ),
    (
        "more than 1 MiB of ",
        "; the rest was left out",
        "plus de 1 Mio de ",
        " ; le reste a été laissé de côté",
    ),
    ("the read model could not be read: ", "", "les tables de lecture n'ont pas pu être lues\u{a0}: ", ""),
    ("", " has no address", "", " n'a pas d'adresse"),
    ("", " hides where its link leads", "", " cache où mène son lien"),
    ("", " hide where their links lead", "", " cachent où mènent leurs liens"),
];

/// An event's plain words in the user's language.
pub(crate) fn plain(lang: Lang, recorded: &str) -> Cow<'_, str> {
    match lang {
        Lang::En => recorded.into(),
        Lang::Fr => french(recorded).map_or(Cow::Borrowed(recorded), Cow::Owned),
    }
}

/// The words of an error, in both languages.
pub(crate) fn said(error: impl Display) -> Said {
    let english = error.to_string();
    Said { french: plain(Lang::Fr, &english).into_owned(), english }
}

fn french(recorded: &str) -> Option<String> {
    if let Some((_, french)) = WHOLE.iter().find(|(english, _)| *english == recorded) {
        return Some((*french).to_owned());
    }
    given_up(recorded)
        .or_else(|| answered(recorded))
        .or_else(|| group(recorded))
        .or_else(|| too_long(recorded))
        .or_else(|| {
            BEFORE
                .iter()
                .find_map(|(english, french)| {
                    let reason = recorded.strip_prefix(english)?.strip_prefix(": ")?;
                    Some(format!("{french} : {}", plain(Lang::Fr, reason)))
                })
                .or_else(|| {
                    AROUND.iter().find_map(|(before, after, french_before, french_after)| {
                        let inner = plain(Lang::Fr, recorded.strip_prefix(before)?.strip_suffix(after)?);
                        Some(format!("{french_before}{inner}{french_after}"))
                    })
                })
        })
        .or_else(|| faults::in_french(recorded))
}

/// The last word about a delivery: how often it was tried, and what came of the last try.
fn given_up(recorded: &str) -> Option<String> {
    let (tries, last) = recorded.split_once(", the last one with: ")?;
    let (count, how) = tries.split_once(" attempts ")?;
    let count: usize = count.parse().ok()?;
    let failed = ["essai a échoué", "essais ont échoué"];
    let tries = Lang::Fr.count(count, failed, failed);
    let within = match how {
        "failed" => "",
        "in three days failed" => " en trois jours",
        _ => return None,
    };
    Some(format!("{tries}{within}, le dernier avec : {}", plain(Lang::Fr, last)))
}

/// What an answer of a receiver is told by.
fn answered(recorded: &str) -> Option<String> {
    let rest = recorded.strip_prefix("HTTP ")?;
    if let Some(status) = rest.strip_suffix(" with \"success\": false") {
        return Some(format!("HTTP {status} avec \"success\": false"));
    }
    let (status, then) = rest.split_once(": ")?;
    let then = french(then)?;
    Some(match status.split_once(" to ") {
        Some((status, place)) => format!("HTTP {status} vers {} : {then}", plain(Lang::Fr, place)),
        None => format!("HTTP {status} : {then}"),
    })
}

/// Which mail was the first of a group.
fn group(recorded: &str) -> Option<String> {
    let (first, group) = recorded.strip_prefix("mail ")?.split_once(" is the first of the group ")?;
    Some(format!("le mail {first} est le premier du groupe {group}"))
}

/// Which header field is longer than is kept.
fn too_long(recorded: &str) -> Option<String> {
    let (field, bytes) = recorded.strip_prefix("the ")?.split_once(" is longer than ")?;
    let bytes = bytes.strip_suffix(" bytes; the rest was left out")?;
    let field = if field == "subject" { "sujet" } else { field };
    Some(format!("{field} : plus de {bytes} octets, le reste a été laissé de côté"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{DateTime, TimeDelta, Utc};
    use render_signal_actors::egress::SendError;
    use render_signal_actors::mail::parse::{self, Unreadable};
    use render_signal_actors::mail::policy::RetryPolicy;
    use render_signal_actors::oauth::TokenTrouble;
    use render_signal_actors::oauth::grant::ServerRefusal;
    use render_signal_actors::r2::plan::Unplanned;
    use render_signal_actors::stored_mail::ContentGone;
    use render_signal_actors::webhook::outcome::retry::{self, Failed, Next};

    use super::*;

    /// What the parts say, in their own words: if those change, French is missing here.
    fn said() -> Vec<String> {
        let now: DateTime<Utc> = "2026-01-26T08:00:00Z".parse().unwrap();
        let failed = Failed { attempts: 4, first: now - TimeDelta::days(4), not_before: None };
        let given_up = |retries| match retry::next(
            &RetryPolicy { retries, base: Duration::from_secs(1) },
            failed,
            now,
            0.5,
        ) {
            Next::GiveUp { why } => format!("{why}, the last one with: HTTP 503"),
            other @ Next::At { .. } => panic!("it goes on: {other:?}"),
        };
        let reason = || "x".to_owned();
        let errors = [
            SendError::Refused(reason()),
            SendError::RefusedNow(reason()),
            SendError::Timeout,
            SendError::Local(reason()),
            SendError::Connect(reason()),
            SendError::Transport(reason()),
        ];
        let mut said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        said.extend([Unreadable::NotAMail, Unreadable::ParserFailed].map(|one| one.to_string()));
        for raw in [
            &b"From:\nSubject: =?utf-8?q?=ff?=\n\nx"[..],
            b"From: a@b.fr\nSubject: x\nContent-Type: text/plain; charset=nonsense\n\n\xe9",
        ] {
            said.extend(parse::parse(raw).unwrap().flaws);
        }
        let gone = [
            ContentGone::Stranger,
            ContentGone::TooLarge,
            ContentGone::Unreadable,
            ContentGone::Expired,
            ContentGone::Archived,
            ContentGone::Unrecorded,
            ContentGone::Reduced,
        ];
        said.extend(gone.map(|one| one.to_string()));
        said.extend([Unplanned::TooLong, Unplanned::TooMany(50)].map(|one| one.to_string()));
        said.extend([given_up(Some(1)), given_up(None)]);
        let refused = ServerRefusal { status: 400, error: "x".to_owned(), description: String::new() };
        let tokens = [
            TokenTrouble::Revoked(refused.clone()),
            TokenTrouble::Settings(refused),
            TokenTrouble::Away { why: reason(), again_at: None },
        ];
        said.extend(tokens.map(|trouble| trouble.to_string()));
        said
    }

    #[test]
    fn what_the_parts_record_is_said_in_french() {
        for english in said() {
            assert_eq!(plain(Lang::En, &english), english);
            assert_ne!(plain(Lang::Fr, &english), english, "no French for it");
        }
    }

    #[test]
    fn what_stands_within_is_said_in_french_too() {
        for (english, french) in [
            (
                "4 attempts failed, the last one with: no connection: no answer in time",
                "4 essais ont échoué, le dernier avec : pas de connexion : pas de réponse à temps",
            ),
            (
                "1 attempts in three days failed, the last one with: HTTP 404",
                "1 essai a échoué en trois jours, le dernier avec : HTTP 404",
            ),
            ("HTTP 200 with \"success\": false", "HTTP 200 avec \"success\": false"),
            (
                "HTTP 302 to https://a.example/***: redirects are not followed, configure the final address",
                "HTTP 302 vers https://a.example/*** : les redirections ne sont pas suivies, configurez l'adresse finale",
            ),
            ("HTTP 304: redirects are not followed", "HTTP 304 : les redirections ne sont pas suivies"),
            ("mail a is the first of the group 2026-01:b", "le mail a est le premier du groupe 2026-01:b"),
            ("bit.example hides where its link leads", "bit.example cache où mène son lien"),
            (
                "the subject is longer than 9 bytes; the rest was left out",
                "sujet : plus de 9 octets, le reste a été laissé de côté",
            ),
            (
                "more than 1 MiB of text; the rest was left out",
                "plus de 1 Mio de text ; le reste a été laissé de côté",
            ),
            ("facture", "facture"),
        ] {
            assert_eq!(plain(Lang::Fr, english), french);
        }
    }
}
