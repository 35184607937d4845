//! The texts of a mail's page.

use crate::http::pages::words::words;
use crate::lang::Lang;

words! {
    Words;
    mails: "Mails", "Mails";
    mail: "Mail", "Mail";
    unknown: "Mail inconnu", "Unknown mail";
    unknown_text: "Aucun mail de ce nom n'est dans le journal. Il a pu être archivé (JOURNAL_RETENTION_DAYS), ou son adresse a été mal copiée.",
        "The journal has no mail of this name. It may have been archived (JOURNAL_RETENTION_DAYS), or its address was copied wrongly.";
    to_mails: "Voir tous les mails", "See all mails";
    no_subject: "sans objet", "no subject";
    unreadable: "mail illisible", "unreadable mail";
    urgent: "urgent", "urgent";
    newer: "Suivant", "Next";
    older: "Précédent", "Previous";
    beside: "Mails voisins", "Mails beside it";
    received: "Reçu", "Received";
    arrived: "Arrivé sur le serveur", "At the mail server";
    size: "Taille", "Size";
    place: "Où il est", "Where it lies";
    identity: "Identité", "Identity";
    content: "Contenu", "Content";
    content_kept: "conservé", "kept";
    mark_unwanted: "non marqué comme lu", "not marked as read";
    mark_due: "à marquer comme lu", "to be marked as read";
    marked: "marqué comme lu", "marked as read";
    further_copy: "autre exemplaire", "further copy";
    actions: "Actions", "Actions";
    story: "Ce qui s'est passé", "What happened";
    answer: "Ce que la destination a répondu", "What the receiver answered";
    decision: "La décision", "The decision";
    no_decision: "Rien n'a encore été décidé.", "Nothing was decided yet.";
    decided_at: "Décidé", "Decided";
    precisely: "Précisément", "Precisely";
    until: "Au plus tard", "At the latest";
    detector: "Détecteur", "Detector";
    delivery_time: "Heure de livraison", "Delivery time";
    priority: "Priorité", "Priority";
    high: "haute", "high";
    low: "basse", "low";
    rule: "Règle", "Rule";
    default_target: "destination par défaut, sans règle", "default target, no rule";
    settings: "Réglages en vigueur", "Settings in force";
    settings_unknown: "inconnus\u{a0}: une version antérieure ne les notait pas", "unknown: an earlier version did not record them";
    settings_none: "l'environnement et les valeurs par défaut", "the environment and the built-in defaults";
    not_in_history: "absent de l'historique", "not in the history";
    version: "version", "version";
    steps: "Étape par étape", "Step by step";
    steps_same: "Retrouvé à partir du contenu conservé, sous les documents d'alors et à l'heure de la décision.",
        "Found again from the content that is kept, under the documents of then and at the time of the decision.";
    steps_by_hand: "Quelqu'un a demandé l'envoi de cet exemplaire\u{a0}: aucune règle ne l'a décidé.",
        "Somebody had this copy sent: no rule decided it.";
    steps_unrecorded: "une version antérieure du programme ne notait pas les réglages en vigueur",
        "an earlier version of the program did not record the settings in force";
    steps_gone: "Les étapes ne peuvent plus être retrouvées", "The steps cannot be found again";
    today: "Et aujourd'hui\u{a0}?", "And today?";
    today_ask: "Voir ce que les règles d'aujourd'hui en feraient", "See what the rules of now would make of it";
    today_text: "Le contenu conservé est décidé à nouveau, comme s'il arrivait maintenant. Rien n'est envoyé.",
        "The content that is kept is decided anew, as if it came now. Nothing is sent.";
    today_same: "La même décision qu'à son arrivée.", "The same decision as when it came.";
    today_other: "Une autre décision qu'à son arrivée\u{a0}:", "Another decision than when it came:";
    today_gone: "Cela ne peut pas être rejoué", "That cannot be played again";
    sent: "Ce qui est envoyé", "What is sent";
    nothing_sent: "Aucun webhook n'a été décidé pour ce mail.", "No webhook was decided for this mail.";
    attempts: "Essais", "Attempts";
    next: "Prochain essai", "Next attempt";
    address: "Adresse", "Address";
    last_error: "Dernière erreur", "Last error";
    payload: "En-têtes et corps", "Headers and body";
    headers: "En-têtes", "Headers";
    signature: "Avec WEBHOOK_SECRET s'ajoutent webhook-timestamp et webhook-signature, calculés à chaque essai.",
        "With WEBHOOK_SECRET there are webhook-timestamp and webhook-signature besides, made for each attempt.";
    body: "Corps", "Body";
    body_pretty: "Mis en forme pour la lecture\u{a0}; « Copier » et « Télécharger » donnent les octets envoyés.",
        "Set out to be read; “Copy” and “Download” give the bytes that are sent.";
    body_cut: "Le début seulement\u{a0}: le corps entier se télécharge.", "The beginning only: the whole body can be downloaded.";
    body_gone: "Le corps n'est plus conservé (MAIL_RETENTION_DAYS).", "The body is no longer kept (MAIL_RETENTION_DAYS).";
    body_not_yet: "Le corps sera prêt quand les liens seront copiés.", "The body will be ready when the links are copied.";
    copy: "Copier", "Copy";
    download: "Télécharger", "Download";
    links: "Liens", "Links";
    copied_as: "Copié", "Copied";
    copied_before: "Déjà copié", "Copied before";
    not_copied: "Pas de copie", "No copy";
    copy_waits: "Copie à venir", "Copy to come";
    raw: "Journal brut", "Raw journal";
    raw_text: "Les événements de ce mail, tels que le journal les garde.", "The events of this mail, as the journal keeps them.";
    position: "position", "position";
    release: "Libérer", "Release";
    release_ask: "Envoyer ce mail\u{a0}?", "Send this mail?";
    release_text: "Il part tout de suite, quoi que disent les règles et la fenêtre.", "It goes out at once, whatever the rules and the window say.";
    released: "Libéré\u{a0}: il part dans un instant.", "Released: it goes out in a moment.";
    release_copy: "Envoyer cet exemplaire", "Send this copy";
    release_copy_text: "Il part comme un mail à part entière, avec une identité à lui.", "It goes out as a mail of its own, with an identity of its own.";
    ignore: "Ignorer", "Ignore";
    ignore_ask: "Ne rien envoyer pour ce mail\u{a0}?", "Send nothing for this mail?";
    ignore_text: "Il est marqué comme lu. Tant que son contenu est conservé, il peut encore être libéré.",
        "It is marked as read. While its content is kept, it can still be released.";
    ignored: "Ignoré\u{a0}: rien ne sera envoyé.", "Ignored: nothing will be sent.";
    resend: "Renvoyer", "Send again";
    resend_text: "Les mêmes octets avec le même webhook-id\u{a0}: une destination qui le connaît déjà peut le reconnaître.",
        "The same bytes with the same webhook-id: a receiver that has it already can tell.";
    cancel: "Ne pas envoyer", "Do not send";
    cancel_text: "Un envoi déjà en cours peut encore arriver.", "One that is under way may still arrive.";
    cancelled: "Annulé\u{a0}: ce webhook ne partira pas.", "Cancelled: this webhook will not be sent.";
    source: "Télécharger la source", "Download the source";
    texts: "Télécharger les textes", "Download the texts";
    no: "Annuler", "Cancel";
}

impl Words {
    /// Asks whether a target is to be sent to again.
    pub(super) fn resend_ask(lang: Lang, target: &str) -> String {
        lang.either(format!("Renvoyer à « {target} »\u{a0}?"), format!("Send again to “{target}”?"))
    }

    /// Asks whether all targets are.
    pub(super) fn resend_all_ask(lang: Lang, count: usize) -> String {
        let targets = lang.count(count, ["destination", "destinations"], ["target", "targets"]);
        lang.either(format!("Renvoyer à {targets}\u{a0}?"), format!("Send again to {targets}?"))
    }

    /// The button of all targets.
    pub(super) fn resend_all(lang: Lang, count: usize) -> String {
        if count < 2 {
            return lang.pick("Renvoyer", "Send again").to_owned();
        }
        lang.either(format!("Renvoyer aux {count} destinations"), format!("Send again to all {count}"))
    }

    /// Asks whether a webhook is not to be sent.
    pub(super) fn cancel_ask(lang: Lang, target: &str) -> String {
        lang.either(format!("Ne pas envoyer à « {target} »\u{a0}?"), format!("Do not send to “{target}”?"))
    }

    /// So many go out again.
    pub(super) fn resent(lang: Lang, count: usize) -> String {
        let webhooks =
            lang.count(count, ["webhook remis", "webhooks remis"], ["webhook goes", "webhooks go"]);
        lang.either(format!("{webhooks} en route."), format!("{webhooks} out again."))
    }

    /// How long nothing happened.
    pub(super) fn gap(lang: Lang, length: &str) -> String {
        lang.either(format!("{length} d'attente"), format!("{length} of waiting"))
    }

    /// An attempt that failed.
    pub(super) fn attempt(lang: Lang, number: u32, took: &str, why: &str) -> String {
        let colon = lang.colon();
        lang.either(
            format!("Essai {number} en {took}{colon}{why}"),
            format!("Attempt {number} in {took}{colon}{why}"),
        )
    }

    /// An attempt that went well.
    pub(super) fn delivered(lang: Lang, number: u32, took: &str, status: u16) -> String {
        lang.either(
            format!("Livré en {took}, HTTP {status}, à l'essai {number}"),
            format!("Delivered in {took}, HTTP {status}, at attempt {number}"),
        )
    }
}
