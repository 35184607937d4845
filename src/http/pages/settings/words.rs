//! The texts of `/reglages`.

use super::groups::SettingsGroup;
use crate::http::pages::words::words;
use crate::lang::Lang;

words! {
    Words;
    title: "Réglages", "Settings";
    jump: "Aller à", "Go to";
    histories: "Historique", "History";
    wrong: "Rien n'a été enregistré. À corriger :", "Nothing was saved. To be mended:";
    nothing: "Rien à enregistrer : rien n'a été changé.", "Nothing to save: nothing was changed.";
    save: "Enregistrer", "Save";
    look: "Voir l'effet", "See the effect";
    dirty: "Pas encore enregistré", "Not saved yet";
    would: "Pas encore enregistré. Ce que cela donnerait :", "Not saved yet. What it would come to:";
    locked: "Ne peut pas être lu maintenant, donc pas modifié :", "Cannot be read now, so it cannot be changed:";
    last_change: "Dernier changement :", "Last change:";
    never_changed: "Jamais changé ici.", "Never changed here.";
    history: "Historique et retour en arrière", "History, and back again";
    idle: "Sans effet dans ce document", "Without effect in this document";
    now_checks: "Relève", "Checks";
    now_sending: "Envoi", "Sending";
    cancel: "Annuler", "Cancel";
    none: "rien", "nothing";

    checks: "Quand relève-t-on la boîte ?", "When is the mailbox checked?";
    checks_lead: "Hors de ces jours et heures, les mails restent dans la boîte ; ils sont pris à la prochaine ouverture.",
        "Outside these days and hours mails stay in the mailbox; they are taken when it opens next.";
    absences: "Absences", "Absences";
    absences_lead: "Des vacances arrêtent la relève. L'absence globale laisse relever, mais retient tous les envois de certains jours de la semaine.",
        "A vacation stops the checks. A global absence lets them go on, but holds everything back on some days of the week.";
    sending: "Quand envoie-t-on ?", "When is something sent?";
    sending_lead: "Une seule fenêtre agit, celle-ci. En dehors, les mails attendent, sauf ceux dont le détecteur dit autre chose.",
        "One window acts, this one. Outside it mails wait, but those whose detector says otherwise.";
    target: "Où envoie-t-on ?", "Where is it sent?";
    target_lead: "La destination par défaut reçoit chaque mail, sauf quand une règle s'arrête là. La partie secrète des adresses n'est jamais montrée.",
        "The default address is given every mail, unless a rule stops there. The secret part of an address is never shown.";
    limits: "Limites et nouvelles tentatives", "Limits and retries";
    limits_lead: "Un envoi qui échoue est répété, de plus en plus rarement. Rien n'est perdu : au bout du compte, il est mis de côté et peut être renvoyé.",
        "What fails is sent again, less and less often. Nothing is lost: in the end it is set aside, and can be sent again.";
    mails: "Quels mails comptent ?", "Which mails count?";
    mails_lead: "Expéditeurs, mots exclus et priorités sont sur la page des règles.", "Senders, excluded words and priorities are on the page of the rules.";
    flags: "Options", "Options";
    flags_lead: "Des interrupteurs pour des cas particuliers.", "Switches for special cases.";

    form_checks: "Jours et heures", "Days and hours";
    form_vacation: "Vacances", "Vacation";
    form_absence: "Absence globale", "Global absence";
    form_sending: "Fenêtre d'envoi", "Sending window";
    form_target: "Destination par défaut", "Default target";
    form_limits: "Limites", "Limits";
    form_mails: "Tri des mails", "Sorting of mails";
    form_subjects: "Mails sur le même sujet", "Mails about one subject";
    form_flags: "Interrupteurs", "Switches";
    rule_targets: "Destinations des règles", "Targets of rules";
    rule_targets_lead: "Elles se modifient avec leur règle.", "They are changed with their rule.";
    to_rules: "Vers les règles", "To the rules";
    target_gone: "Désactivée (410)", "Disabled (410)";
    target_fails: "Ne répond pas", "Does not answer";

    open_now: "Ouvert", "Open";
    closed_now: "Fermé", "Closed";
    on_vacation: "Vacances", "Vacation";
    off: "Arrêté", "Off";
    stands_still: "Bloqué", "Stands still";
    checks_off: "La relève est arrêtée : aucun mail n'est pris.", "Checks are off: no mail is taken.";
    checks_withheld: "La relève est bloquée : son document est refusé.", "Checks stand still: their document is refused.";
    sending_off: "L'envoi est coupé : les mails sont relevés et attendent.", "Sending is off: mails are taken, and wait.";
    sending_withheld: "L'envoi est bloqué : un document est refusé, les mails attendent.", "Sending stands still: a document is refused, mails wait.";
    sent_always: "Les webhooks partent à toute heure.", "Webhooks go out at any hour.";
    never_sent: "Rien ne partira de soi-même.", "Nothing will go out by itself.";
    never_again: "Avec ces réglages, elle ne s'ouvrira jamais.", "With these settings it will never open.";
    nothing_checked: "Aucun mail n'est relevé pendant ce temps.", "No mail is taken in that time.";
    every_day: "tous les jours", "every day";
    no_day: "aucun jour", "on no day";
    day_and_night: "jour et nuit", "day and night";
    at_no_hour: "à aucune heure", "at no hour";
    today: "aujourd'hui", "today";
    tomorrow: "demain", "tomorrow";

    quick: "À partir d'aujourd'hui", "From today on";
    only_today: "Aujourd'hui", "Today";
    one_week: "1 semaine", "1 week";
    two_weeks: "2 semaines", "2 weeks";
    begin_vacation: "Partir", "Begin";
    end_vacation: "Terminer les vacances", "End the vacation";
    end_vacation_q: "Terminer les vacances ?", "End the vacation?";

    from_here: "réglé ici", "set here";
    built_in: "par défaut", "by default";
    built_in_retries: "pendant trois jours", "for three days";
    built_in_list: "la liste intégrée", "the built-in list";

    a_day: "Cochez au moins un jour. Pour tout arrêter, décochez « Relève de la boîte ».", "Tick one day at least. To stop everything, untick “Mailbox checks”.";
    backwards: "Le dernier jour est avant le premier.", "The last day is before the first.";
    first_too: "Indiquez aussi le premier jour.", "Name the first day, too.";
    last_too: "Indiquez aussi le dernier jour.", "Name the last day, too.";
    an_absence_day: "Cochez au moins un jour, ou décochez l'absence globale.", "Tick one day at least, or untick the global absence.";
    both_bounds: "Indiquez les deux heures, ou aucune.", "Name both times, or none.";
    never_open: "La fin est égale au début : rien ne partirait jamais.", "The end equals the start: nothing would ever go out.";
    a_server: "Nommez au moins un serveur dont les rapports sont crus.", "Name one server at least whose reports are believed.";
    a_time: "Ce n'est pas une heure. Exemple : 9h30 ou 09:30.", "This is no time. For example 9h30 or 09:30.";
    a_date: "Ce n'est pas une date. Exemple : 2026-12-24.", "This is no date. For example 2026-12-24.";
    one_of_these: "Choisissez une des valeurs proposées.", "Choose one of the values that are offered.";
}

impl Words {
    pub(super) const fn form(&self, group: SettingsGroup) -> &'static str {
        match group {
            SettingsGroup::Checks => self.form_checks,
            SettingsGroup::Vacation => self.form_vacation,
            SettingsGroup::Absence => self.form_absence,
            SettingsGroup::Sending => self.form_sending,
            SettingsGroup::Target => self.form_target,
            SettingsGroup::Limits => self.form_limits,
            SettingsGroup::Mails => self.form_mails,
            SettingsGroup::Subjects => self.form_subjects,
            SettingsGroup::Flags => self.form_flags,
        }
    }

    /// What a field does; empty where its name says it.
    pub(super) fn does(&'static self, name: &str) -> &'static str {
        let french = self.title == "Réglages";
        let found = DOES.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, [fr, en])| if french { fr } else { en })
    }

    pub(super) fn in_force(&self, lang: Lang, value: &str, source: &str) -> String {
        match lang {
            Lang::Fr => format!("En vigueur : {value}, {source}."),
            Lang::En => format!("In force: {value}, {source}."),
        }
    }

    pub(super) fn by_variable(&self, lang: Lang, variable: &str) -> String {
        match lang {
            Lang::Fr => format!("réglé sur le serveur ({variable})"),
            Lang::En => format!("set on the server ({variable})"),
        }
    }

    pub(super) fn by_default(&self, lang: Lang, variable: &str) -> String {
        match lang {
            Lang::Fr => format!("par défaut ({variable})"),
            Lang::En => format!("by default ({variable})"),
        }
    }

    pub(super) fn unset(&self, lang: Lang, value: &str, is_default: bool) -> String {
        match (lang, is_default) {
            (Lang::Fr, true) => format!("{value} (par défaut)"),
            (Lang::Fr, false) => format!("{value} (réglé sur le serveur)"),
            (Lang::En, true) => format!("{value} (default)"),
            (Lang::En, false) => format!("{value} (set on the server)"),
        }
    }

    pub(super) fn within(&self, lang: Lang, low: i64, high: i64) -> String {
        match lang {
            Lang::Fr => format!("Un nombre entier de {low} à {high} est attendu."),
            Lang::En => format!("A whole number from {low} to {high} is expected."),
        }
    }

    pub(super) fn checked(&self, lang: Lang, days: &str, hours: &str) -> String {
        match lang {
            Lang::Fr => format!("La boîte est relevée {days}, {hours}."),
            Lang::En => format!("The mailbox is checked {days}, {hours}."),
        }
    }

    pub(super) fn away(&self, lang: Lang, first: &str, last: &str) -> String {
        match lang {
            Lang::Fr if first == last => format!("Vacances le {first} : rien n'est relevé ce jour-là."),
            Lang::Fr => format!("Vacances du {first} au {last} inclus : rien n'est relevé."),
            Lang::En if first == last => format!("Vacation on {first}: nothing is checked that day."),
            Lang::En => format!("Vacation from {first} to {last} inclusive: nothing is checked."),
        }
    }

    pub(super) fn next_checks(&self, lang: Lang, at: &str) -> String {
        match lang {
            Lang::Fr => format!("Prochaine ouverture : {at}."),
            Lang::En => format!("Opens next: {at}."),
        }
    }

    pub(super) fn sent(&self, lang: Lang, start: &str, end: &str) -> String {
        match lang {
            Lang::Fr => format!("Les webhooks partent de {start} à {end}."),
            Lang::En => format!("Webhooks go out from {start} to {end}."),
        }
    }

    pub(super) fn absent(&self, lang: Lang, days: &str) -> String {
        match lang {
            Lang::Fr => format!("Absence globale : rien ne part {days}."),
            Lang::En => format!("Global absence: nothing goes out {days}."),
        }
    }

    pub(super) fn next_sending(&self, lang: Lang, at: &str) -> String {
        match lang {
            Lang::Fr => format!("Prochain envoi possible : {at}."),
            Lang::En => format!("Goes out next: {at}."),
        }
    }

    pub(super) fn between(&self, lang: Lang, start: &str, end: &str) -> String {
        match lang {
            Lang::Fr => format!("de {start} à {end}"),
            Lang::En => format!("from {start} to {end}"),
        }
    }

    pub(super) fn over_midnight(&self, lang: Lang, start: &str, end: &str) -> String {
        match lang {
            Lang::Fr => format!("de {start} à minuit et de minuit à {end}"),
            Lang::En => format!("from {start} to midnight and from midnight to {end}"),
        }
    }

    pub(super) fn on_day(&self, lang: Lang, day: &str) -> String {
        match lang {
            Lang::Fr => format!("le {day}"),
            Lang::En => format!("on {day}"),
        }
    }

    pub(super) fn days_from_to(&self, lang: Lang, first: &str, last: &str) -> String {
        match lang {
            Lang::Fr => format!("du {first} au {last}"),
            Lang::En => format!("{first} to {last}"),
        }
    }

    pub(super) fn days_and(&self, lang: Lang, most: &str, last: &str) -> String {
        match lang {
            Lang::Fr => format!("les {most} et {last}"),
            Lang::En => format!("on {most} and {last}"),
        }
    }

    pub(super) fn vacation_from_to(&self, lang: Lang, first: &str, last: &str) -> String {
        match lang {
            Lang::Fr if first == last => format!("Vacances aujourd'hui, {first} ?"),
            Lang::Fr => format!("Vacances du {first} au {last} ?"),
            Lang::En if first == last => format!("Vacation today, {first}?"),
            Lang::En => format!("Vacation from {first} to {last}?"),
        }
    }
}

/// What each field does, where its name does not say it.
const DOES: &[(&str, [&str; 2])] = &[
    (
        "enable_polling",
        [
            "Décoché, aucun mail n'est relevé, quels que soient les jours.",
            "Unticked, no mail is taken, whatever the days.",
        ],
    ),
    ("active_start_hour", ["À partir de cette heure.", "From this hour on."]),
    (
        "active_end_hour",
        [
            "Jusqu'à cette heure ; avant celle du début, c'est par-dessus minuit.",
            "Up to this hour; before that of the start it is over midnight.",
        ],
    ),
    ("vacation_start", ["Ce jour compris.", "This day included."]),
    ("vacation_end", ["Ce jour compris.", "This day included."]),
    (
        "absence_pause_enabled",
        [
            "Coché, rien ne part les jours choisis ; les mails attendent le lendemain.",
            "Ticked, nothing goes out on the days chosen; mails wait for the next.",
        ],
    ),
    (
        "webhook_sending_enabled",
        ["Décoché, plus rien ne part ; les mails attendent.", "Unticked, nothing goes out; mails wait."],
    ),
    (
        "webhook_time_start",
        [
            "Vide, comme la fin : la fenêtre réglée sur le serveur s'applique.",
            "Empty, like the end: the window that is set on the server applies.",
        ],
    ),
    (
        "webhook_url",
        [
            "En https. Laissez la valeur masquée pour ne pas la changer ; vide, l'adresse réglée sur le serveur sert.",
            "With https. Leave the masked value to keep it; empty, the address that is set on the server is used.",
        ],
    ),
    (
        "webhook_body",
        [
            "Ce que la destination reçoit du texte ; sujet, expéditeur et liens sont toujours envoyés.",
            "What the receiver is given of the text; subject, sender and links are always sent.",
        ],
    ),
    (
        "ordering",
        [
            "Dans l'ordre, un envoi qui échoue retient les suivants.",
            "In order, one that fails holds back those behind it.",
        ],
    ),
    (
        "webhook_delivery_mode",
        [
            "Le même texte JSON, annoncé ainsi. « Formulaire » pour un hébergeur qui refuse le JSON.",
            "The same JSON text, called so. “Form” for a host that refuses JSON.",
        ],
    ),
    (
        "webhook_ssl_verify",
        [
            "Décoché, une destination au certificat faux est crue.",
            "Unticked, a receiver with a wrong certificate is believed.",
        ],
    ),
    (
        "rate_limit_per_hour",
        [
            "Envois par heure et par destination ; 0 = sans limite. Ce qui dépasse attend.",
            "Webhooks per hour and address; 0 = no limit. What is over waits.",
        ],
    ),
    (
        "retry_count",
        ["0 = le calendrier intégré, pendant trois jours.", "0 = the built-in schedule, for three days."],
    ),
    (
        "retry_delay_sec",
        [
            "En secondes ; chaque pause est plus longue que celle d'avant.",
            "In seconds; each pause is longer than the one before.",
        ],
    ),
    ("webhook_timeout_sec", ["En secondes.", "In seconds."]),
    (
        "max_email_size_mb",
        [
            "En Mio. Un mail plus grand est noté, pas chargé.",
            "In MiB. A larger mail is recorded, not loaded.",
        ],
    ),
    (
        "notify_on_failure",
        [
            "Coché, un envoi abandonné est annoncé à l'adresse d'alerte du serveur (NOTIFY_WEBHOOK_URL).",
            "Ticked, what was given up is told to the alert address of the server (NOTIFY_WEBHOOK_URL).",
        ],
    ),
    (
        "require_attachments",
        ["Coché, un mail sans pièce jointe est ignoré.", "Ticked, a mail without an attachment is ignored."],
    ),
    (
        "ignore_automatic",
        [
            "Absences du bureau, accusés et rapports ne déclenchent rien.",
            "Absence notes, receipts and reports trigger nothing.",
        ],
    ),
    ("ignore_automatic_except", ["Une adresse par ligne.", "An address per line."]),
    (
        "sender_authentication",
        [
            "Exigée : un mail dont rien ne prouve l'expéditeur ne déclenche rien (preuves : DMARC, DKIM, SPF).",
            "Required: a mail whose sender nothing proves triggers nothing (proofs: DMARC, DKIM, SPF).",
        ],
    ),
    (
        "trusted_authserv_ids",
        ["Un nom par ligne, comme mx.google.com.", "A name per line, such as mx.google.com."],
    ),
    (
        "reply_prefixes",
        [
            "Un par ligne, sans deux-points ; remplace la liste intégrée.",
            "One per line, without a colon; instead of the built-in list.",
        ],
    ),
    ("subject_marks", ["Un par ligne, comme EXTERNE.", "One per line, such as EXTERNAL."]),
    (
        "enable_subject_group_dedup",
        [
            "Des mails sur le même lot, ou de même sujet, seul le premier du mois est envoyé.",
            "Of the mails about one lot, or with one subject, only the first of a month is sent.",
        ],
    ),
    (
        "allow_custom_webhook_without_links",
        [
            "Coché, un mail sans lien de livraison part aussi.",
            "Ticked, a mail without a delivery link goes out, too.",
        ],
    ),
    (
        "gmail_ingress_enabled",
        [
            "Décoché, un mail remis par HTTP (script Gmail) est refusé.",
            "Unticked, a mail that is handed over by HTTP (Gmail's script) is refused.",
        ],
    ),
    (
        "disable_email_id_dedup",
        [
            "Coché, un mail déjà traité l'est encore s'il revient. À laisser décoché.",
            "Ticked, a mail that was processed is processed again when it comes back. Leave it unticked.",
        ],
    ),
];
