//! What things are called on pages: kinds of events, those who did something, documents, stores.

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
    ("config.changed", "document changé", "document changed"),
    ("config.conflicted", "changements en conflit", "changes in conflict"),
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
    if let Some(user) = by.strip_prefix("session:") {
        return match lang {
            Lang::Fr => format!("{user} (tableau de bord)"),
            Lang::En => format!("{user} (dashboard)"),
        };
    }
    if let Some(token) = by.strip_prefix("token:") {
        return match lang {
            Lang::Fr => format!("qui a {token}"),
            Lang::En => format!("whoever has {token}"),
        };
    }
    let known = match by {
        "cli" => ("la ligne de commande", "the command line"),
        "migrate" => ("la migration", "the migration"),
        "external" => ("un autre programme", "another program"),
        "access" => ("les liens de connexion", "the sign-in links"),
        "startup" => ("le démarrage", "the start"),
        "recovered" | "recovery" | "reconciled" => {
            ("la remise en accord des stockages", "stores brought together")
        }
        "" => ("inconnu", "unknown"),
        other => (other, other),
    };
    lang.pick(known.0, known.1).to_owned()
}

/// A document by its key, as people call it.
pub(in crate::http) fn document(key: &str, lang: Lang) -> &str {
    let (french, english) = match key {
        "processing_prefs" => ("Préférences", "Preferences"),
        "webhook_config" => ("Webhooks", "Webhooks"),
        "polling_config" => ("Relève de la boîte", "Polling"),
        "routing_rules" => ("Règles de routage", "Routing rules"),
        "runtime_flags" => ("Interrupteurs", "Flags"),
        "magic_link_tokens" => ("Liens de connexion", "Sign-in links"),
        "detectors" => ("Détecteurs", "Detectors"),
        "providers" => ("Services de fichiers", "File services"),
        other => return other,
    };
    match lang {
        Lang::Fr => french,
        Lang::En => english,
    }
}

/// A store of documents.
pub(in crate::http) fn store(name: &str, lang: Lang) -> &str {
    match (name, lang) {
        ("redis", _) => "Redis",
        ("php", Lang::Fr) => "Hôte PHP",
        ("php", Lang::En) => "PHP host",
        ("file", Lang::Fr) => "Fichiers",
        ("file", Lang::En) => "Files",
        (other, _) => other,
    }
}

/// A text as a sentence begins.
pub(in crate::http) fn sentence(text: &str) -> String {
    let mut signs = text.chars();
    let first = signs.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + signs.as_str()
}

#[cfg(test)]
mod tests {
    use render_signal_actors::config::documents::Key;
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
        assert_eq!(who("session:admin", Lang::Fr), "admin (tableau de bord)");
        assert_eq!(who("token:PROCESS_API_TOKEN", Lang::En), "whoever has PROCESS_API_TOKEN");
        assert_eq!(who("somebody else", Lang::Fr), "somebody else");
        assert_eq!(sentence("état"), "État");
    }
}
