//! The texts of the overview.

use crate::http::pages::clock::PageClock;
use crate::http::pages::words::words;
use crate::lang::Lang;

words! {
    Words;
    title: "Vue d'ensemble", "Overview";
    all_well: "Tout fonctionne", "Everything works";
    worth_a_look: "Tout fonctionne, à quelques points près", "Everything works, but for a few points";
    needs_you: "Quelque chose vous attend", "Something needs you";
    does_not_work: "Quelque chose ne fonctionne pas", "Something does not work";
    checked: "Vérifié", "Checked";
    no_mail_yet: "Aucun mail reçu pour l'instant", "No mail has come yet";
    all_delivered: "tout est livré", "everything is delivered";
    to_do: "À traiter", "To do";
    nothing_to_do: "Rien ne demande votre attention.", "Nothing needs your attention.";
    waiting: "En attente", "Waiting";
    nothing_waits: "Rien n'attend.", "Nothing waits.";
    next: "prochain départ", "next one goes";
    at_once: "partent dès que possible", "go out as soon as possible";
    until_changed: "jusqu'à ce que cela change", "until that changes";
    mailbox: "Boîte aux lettres", "Mailbox";
    check_now: "Relever maintenant", "Check now";
    check_asked: "La boîte est relevée maintenant.", "The mailbox is being checked now.";
    no_mailbox: "Aucune boîte n'est configurée ici.", "No mailbox is configured here.";
    not_polled: "Aucun processus de cette installation ne la relève pour l'instant.",
        "No worker of this installation polls it at the moment.";
    targets: "Destinations", "Targets";
    no_target: "Rien n'a encore été envoyé.", "Nothing has been sent yet.";
    works: "Répond", "Answers";
    failed_last: "Dernier essai en échec", "Last attempt failed";
    fails: "Échoue", "Fails";
    gone: "Disparue", "Gone";
    never: "Pas encore utilisée", "Not used yet";
    last_success: "dernier succès", "last success";
    last_failure: "dernier échec", "last failure";
    next_try: "nouvel essai", "next try";
    of_attempts: "d'essais réussis sur 24 h", "of attempts succeeded in 24 h";
    trend: "Activité", "Activity";
    day: "24 heures", "24 hours";
    month: "30 jours", "30 days";
    mails: "mails reçus", "mails received";
    delivered: "webhooks livrés", "webhooks delivered";
    failed: "essais en échec", "failed attempts";
    no_subject: "(sans objet)", "(no subject)";
    erased: "(objet effacé)", "(subject erased)";
    unreadable: "(mail illisible)", "(a mail that cannot be read)";
    paused: "La relève est en pause", "Polling is paused";
    gone_title: "Destination disparue (410)", "A target is gone (410)";
    numbers: "Les chiffres en tableau", "The numbers as a table";
    when: "Quand", "When";
    latency: "De l'arrivée du mail à la réponse", "From the mail's arrival to the answer";
    within: "En moins de", "Within";
    later: "Plus tard (mails retenus, destinations en panne)", "Later (mails that were held, targets that failed)";
    count: "Webhooks", "Webhooks";
    share: "Part", "Share";
    last_mails: "Derniers mails", "Last mails";
    all_mails: "Tous les mails", "All mails";
    see: "Voir", "See";
    resend: "Renvoyer", "Send again";
    resend_text: "Chaque webhook repart avec le même contenu et le même webhook-id, dans l'ordre.",
        "Each webhook goes out again with the same content and the same webhook-id, in order.";
    cancel: "Annuler", "Cancel";
    enable: "Réactiver", "Enable again";
    enabled: "La destination est réactivée\u{a0}: ses webhooks partent.", "The target is enabled again: its webhooks go out.";
    enabled_before: "La destination était déjà active.", "The target was enabled already.";
    gone_answer: "Elle a répondu qu'elle n'existe plus (410). Ses webhooks attendent.",
        "It answered that it is gone (410). Its webhooks wait.";
    quarantined_text: "Illisibles\u{a0}: ils restent dans la boîte et sont gardés ici.",
        "They cannot be read: they stay in the mailbox and are kept here.";
    set_aside_text: "Le programme s'est arrêté plusieurs fois en les traitant. Ils sont gardés à part.",
        "The program stopped several times over them. They are kept apart.";
    settings: "Réglages", "Settings";
    system: "Système", "System";
}

impl Words {
    /// What is to be sent again, in a question.
    pub(super) fn resend_question(&self, n: u64, lang: Lang) -> String {
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        let count = lang.count(n, ["webhook", "webhooks"], ["webhook", "webhooks"]);
        match lang {
            Lang::Fr => format!("Renvoyer {count}\u{a0}?"),
            Lang::En => format!("Send {count} again?"),
        }
    }

    /// Dead letters of a target.
    pub(super) fn dead_letters(&self, n: u64, lang: Lang) -> String {
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        lang.count(n, ["webhook abandonné", "webhooks abandonnés"], ["webhook given up", "webhooks given up"])
    }

    /// Mails in quarantine.
    pub(super) fn quarantined(&self, n: u64, lang: Lang) -> String {
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        lang.count(
            n,
            ["mail en quarantaine", "mails en quarantaine"],
            ["mail in quarantine", "mails in quarantine"],
        )
    }

    /// Mails that were set aside.
    pub(super) fn set_aside(&self, n: u64, lang: Lang) -> String {
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        lang.count(n, ["mail mis de côté", "mails mis de côté"], ["mail set aside", "mails set aside"])
    }

    pub(super) fn waits(&self, n: u64, lang: Lang) -> String {
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        lang.count(n, ["mail", "mails"], ["mail", "mails"])
    }

    /// Webhooks that wait.
    pub(super) fn webhooks(&self, n: u64, lang: Lang) -> String {
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        lang.count(n, ["webhook", "webhooks"], ["webhook", "webhooks"])
    }

    /// What was counted, in a sentence.
    pub(super) fn counted(&self, clock: PageClock, mails: u64, delivered: u64, failed: u64) -> String {
        let count = |n: u64, french: [&str; 2], english: [&str; 2]| {
            let words = clock.lang.count(usize::try_from(n).unwrap_or(usize::MAX), french, english);
            let noun = words.split_once(' ').map_or("", |(_, noun)| noun);
            format!("{} {noun}", clock.number(n))
        };
        [
            count(mails, ["mail reçu", "mails reçus"], ["mail received", "mails received"]),
            count(
                delivered,
                ["webhook livré", "webhooks livrés"],
                ["webhook delivered", "webhooks delivered"],
            ),
            count(failed, ["essai en échec", "essais en échec"], ["failed attempt", "failed attempts"]),
        ]
        .join(", ")
    }

    /// How many were sent again, and how many could not be.
    pub(super) fn resent(&self, done: u64, refused: usize, left: u64, lang: Lang) -> String {
        let n = usize::try_from(done).unwrap_or(usize::MAX);
        let mut text = match lang {
            Lang::Fr => lang.count(n, ["webhook renvoyé", "webhooks renvoyés"], ["", ""]),
            Lang::En => lang.count(n, ["", ""], ["webhook is sent again", "webhooks are sent again"]),
        };
        if refused > 0 {
            let more = lang.count(
                refused,
                ["n'a pas pu l'être", "n'ont pas pu l'être"],
                ["could not be", "could not be"],
            );
            text.push_str(&format!(", {more}"));
        }
        if left > 0 {
            let left = usize::try_from(left).unwrap_or(usize::MAX);
            text.push_str(&format!(
                "\u{a0}; {}",
                lang.count(
                    left,
                    ["reste\u{a0}: recommencez", "restent\u{a0}: recommencez"],
                    ["is left: do it again", "are left: do it again"]
                )
            ));
        }
        text
    }
}
