//! What things are called on pages: kinds of events, those who did something, documents, stores.

use render_signal_actors::config::documents::Key;
use render_signal_actors::kernel::said::Said;

use super::documents;
use crate::lang::Lang;

/// Kinds of events, in the order of `docs/EVENTS.md`: code, French, English.
const KINDS: &[(&str, &str, &str)] = &[
    ("mail.received", "mail reçu", "mail received"),
    ("mail.duplicated", "copie d'un mail connu", "copy of a known mail"),
    ("mail.ignored", "mail ignoré", "mail ignored"),
    ("mail.skipped", "mail écarté", "mail skipped"),
    ("mail.released", "mail libéré", "mail released"),
    ("mail.quarantined", "mail en quarantaine", "mail quarantined"),
    ("mail.held", "mail retenu", "mail held"),
    ("mail.routed", "envois décidés", "deliveries decided"),
    ("link.offloaded", "fichier copié", "file copied"),
    ("link.kept", "lien sans copie", "link without a copy"),
    ("links.kept", "liens envoyés tels quels", "links sent as they are"),
    ("links.deferred", "copies remises à plus tard", "copies put off"),
    ("mail.suspected", "mail à lire seul", "mail to be read alone"),
    ("mail.cleared", "mail lu seul sans dommage", "mail read alone, harmless"),
    ("mail.set_aside", "mail mis de côté", "mail set aside"),
    ("mail.resumed", "mail repris", "mail resumed"),
    ("mail.settled", "envoi d'un mail terminé", "delivery of a mail ended"),
    ("group.taken", "groupe de sujet pris", "subject group taken"),
    ("delivery.attempted", "envoi essayé", "delivery attempted"),
    ("delivery.succeeded", "webhook livré", "webhook delivered"),
    ("delivery.deferred", "envoi remis à plus tard", "delivery put off"),
    ("delivery.dead_lettered", "envoi abandonné", "delivery given up"),
    ("delivery.requeued", "envoi demandé à nouveau", "delivery asked for again"),
    ("delivery.cancelled", "envoi annulé", "delivery cancelled"),
    ("delivery.counted", "envoi compté dans la limite", "delivery counted for the limit"),
    ("target.disabled", "destination désactivée", "target disabled"),
    ("target.enabled", "destination réactivée", "target enabled again"),
    ("target.breaker_opened", "destination mise en pause", "target paused"),
    ("target.breaker_closed", "destination reprise", "target resumed"),
    ("mailbox.opened", "boîte vue pour la première fois", "mailbox seen for the first time"),
    ("mailbox.reset", "boîte renumérotée", "mailbox renumbered"),
    ("mailbox.flagged", "mails marqués comme lus", "mails marked as read"),
    ("mailbox.suspected", "premier mail à lire seul", "first mail to be read alone"),
    ("mailbox.cleared", "premier mail lu sans dommage", "first mail read, harmless"),
    ("check.requested", "relève demandée", "look at the mailbox asked for"),
    ("lease.acquired", "bail pris", "lease taken"),
    ("lease.taken_over", "bail repris à un autre", "lease taken over"),
    ("lease.released", "bail rendu", "lease given back"),
    ("scenarios.followed", "scénarios Make suivis", "Make scenarios followed"),
    ("scenarios.requested", "scénarios Make à changer", "Make scenarios to be switched"),
    ("scenarios.confirmed", "scénarios Make changés", "Make scenarios switched"),
    ("scenarios.refused", "changement refusé par Make", "switch refused by Make"),
    ("config.changed", "document changé", "document changed"),
    (
        "config.deferred",
        "document changé, en attente de son stockage",
        "document changed, waits for its store",
    ),
    ("config.reconciled", "changement en attente remis au stockage", "waiting change given to its store"),
    ("config.conflicted", "changements en conflit", "changes in conflict"),
    ("config.resolved", "conflit tranché", "conflict decided"),
    ("config.absent", "documents absents du stockage", "documents that the store does not have"),
    ("worker.started", "processus démarré", "worker started"),
    ("worker.stopped", "processus arrêté", "worker stopped"),
    ("worker.actor_restarted", "acteur redémarré", "actor restarted"),
    ("journal.regressed", "écritures perdues par le journal", "commits lost by the journal"),
    ("session.opened", "connexion", "sign-in"),
    ("session.used", "session employée", "session used"),
    ("session.ended", "session terminée", "session ended"),
    ("magic_link.created", "lien de connexion créé", "sign-in link made"),
    ("magic_link.consumed", "lien de connexion employé", "sign-in link used"),
    ("magic_link.revoked", "lien de connexion révoqué", "sign-in link revoked"),
    ("journal.archived", "événements archivés", "events archived"),
];

/// A kind of event in a few words; one that nobody knows any more is its code.
pub(in crate::http) fn kind(code: &str, lang: Lang) -> String {
    let found = KINDS.iter().find(|(known, ..)| *known == code);
    found.map_or(code, |(_, french, english)| lang.pick(french, english)).to_owned()
}

/// Who did something, as events name them.
pub(in crate::http) fn who(by: &str, lang: Lang) -> String {
    let (french, english) = match by {
        "access" => ("les liens de connexion", "the sign-in links"),
        "recovered" | "recovery" => ("la remise en accord des stockages", "the reconciliation of the stores"),
        "" => ("inconnu", "unknown"),
        origin => return documents::who(lang, origin),
    };
    lang.pick(french, english).to_owned()
}

/// A document by the name under which it is stored.
pub(in crate::http) fn document(key: &str, lang: Lang) -> String {
    Key::named(key).map_or_else(|| key.to_owned(), |key| documents::document(lang, key))
}

/// A store of documents.
pub(in crate::http) fn store(name: &str, lang: Lang) -> &str {
    match (name, lang) {
        ("redis", _) => "Redis",
        ("php", Lang::Fr) => "Hôte PHP",
        ("php", Lang::En) => "PHP host",
        ("file", Lang::Fr) => "Fichiers",
        ("file", Lang::En) => "Files",
        ("journal", Lang::Fr) => "Journal",
        ("journal", Lang::En) => "Journal",
        (other, _) => other,
    }
}

/// A text as a sentence begins.
pub(in crate::http) fn sentence(text: &str) -> String {
    let mut signs = text.chars();
    let first = signs.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + signs.as_str()
}

/// What was said, as a sentence begins, unless it begins with a name: then both languages begin alike.
pub(in crate::http) fn told(said: &Said, lang: Lang) -> String {
    let first = |text: &str| text.split([' ', ':', '\u{a0}']).next().unwrap_or_default().to_owned();
    let text = lang.said(said);
    if first(&said.french) == first(&said.english) { text.to_owned() } else { sentence(text) }
}

#[cfg(test)]
mod tests {
    use render_signal_actors::registry;

    use super::*;

    #[test]
    fn every_kind_and_every_document_has_a_name_in_both_languages() {
        let known: Vec<&str> = KINDS.iter().map(|(code, ..)| *code).collect();
        let declared: Vec<&str> = registry::all_kinds().into_iter().map(|kind| kind.kind).collect();
        assert!(declared.iter().all(|kind| known.contains(kind)), "{declared:?}");
        assert!(known.iter().all(|kind| declared.contains(kind)), "{known:?}");
        for key in Key::ALL {
            for lang in [Lang::Fr, Lang::En] {
                assert_ne!(document(key.as_str(), lang), key.as_str());
            }
        }
    }

    #[test]
    fn who_did_it_is_said_in_the_readers_language() {
        assert_eq!(who("session:admin", Lang::Fr), "admin");
        assert_eq!(who("token:PROCESS_API_TOKEN", Lang::En), "the token PROCESS_API_TOKEN");
        assert_eq!(who("somebody else", Lang::Fr), "somebody else");
        assert_eq!(sentence("état"), "État");
        let said = |french: &str, english: &str| {
            told(&Said { french: french.to_owned(), english: english.to_owned() }, Lang::Fr)
        };
        assert_eq!(said("la boîte va bien", "the mailbox is well"), "La boîte va bien");
        assert_eq!(said("default échoue", "default fails"), "default échoue", "a name is as it is");
    }
}
