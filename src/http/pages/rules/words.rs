//! The texts of `/regles`: labels and what stands beside them. Sentences about what is configured
//! are in [`super::chain`] and [`super::sentence`], those about a trial in [`super::outcome`].

use crate::http::pages::words::words;
use crate::lang::Lang;

words! {
    Words;
    title: "Règles", "Rules";
    lead: "Ce qui arrive à un mail, dans l'ordre, selon les réglages de maintenant.", "What happens to a mail, in order, as things are set now.";
    history: "Historique", "History";
    edit: "Modifier", "Edit";
    off: "Désactivé", "Off";
    off_rule: "Désactivée", "Off";
    broken: "À corriger", "To be mended";
    title_rule: "Règle d'envoi", "Routing rule";
    title_detector: "Détecteur", "Detector";
    title_service: "Service de fichiers", "File service";
    detectors: "Détecteurs", "Detectors";
    detectors_lead: "Le premier qui reconnaît le mail dit son type. Un mail que personne ne reconnaît continue sans type.", "The first one that recognises the mail says its kind. A mail that none recognises goes on without one.";
    rules: "Règles d'envoi", "Routing rules";
    rules_lead: "La première dont toutes les conditions sont vraies s'applique ; les suivantes ne sont pas essayées.", "The first one whose conditions all hold applies; those behind it are not asked.";
    place_pattern: "« {name} » : place {place} sur {of}.", "“{name}”: place {place} of {of}.";
    options: "Options", "Options";
    options_of_groups: "Explications des groupes", "Explanations of groups";
    remove: "Retirer", "Remove";
    besides: "Le reste", "Everything else";
    new_rule: "Nouvelle règle", "New rule";
    new_detector: "Nouveau détecteur", "New detector";
    new_service: "Nouveau service", "New service";
    no_rules: "Aucune règle", "No rule";
    no_rules_text: "Chaque mail va à la destination par défaut.", "Every mail goes to the default target.";
    no_detectors: "Aucun détecteur", "No detector";
    no_detectors_text: "Aucun mail n'est reconnu ; ils sont envoyés sans type et attendent la fenêtre d'envoi.", "No mail is recognised; they are sent without a kind, and wait for the delivery window.";
    built_in: "Ceux du programme : rien n'est enregistré. Le premier changement enregistre une copie que vous pouvez modifier.", "Those of the program: nothing is stored. The first change stores a copy that is yours to change.";
    up: "Monter", "Up";
    down: "Descendre", "Down";
    more: "Autres actions", "More actions";
    duplicate: "Dupliquer", "Duplicate";
    switch_off: "Désactiver", "Switch off";
    switch_on: "Activer", "Switch on";
    delete: "Supprimer", "Delete";
    cancel: "Annuler", "Cancel";
    try_first: "Essayer d'abord, sans rien changer :", "Try first, without changing anything:";
    try_up: "une place plus haut", "one place up";
    try_down: "une place plus bas", "one place down";
    try_off: "désactivé", "switched off";
    try_on: "activé", "switched on";
    delete_text: "Les mails qui arrivent ensuite n'en tiennent plus compte. L'historique permet de revenir en arrière.", "Mails that come later take no notice of it any more. The history brings it back.";
    changed_meanwhile: "La liste a changé entre-temps : rien n'a été fait. La voici telle qu'elle est maintenant.", "The list has changed meanwhile: nothing was done. Here it is as it is now.";
    order_failed: "L'ordre n'a pas été enregistré : la page est rechargée.", "The order was not saved: the page is loaded again.";

    save: "Enregistrer", "Save";
    try_it: "Essayer", "Try";
    try_hint: "Essayer montre ce qui changerait pour les mails déjà reçus. Rien n'est enregistré ni envoyé.", "Trying shows what would change for mails that came already. Nothing is saved or sent.";
    days: "Essayer sur les mails", "Try on the mails";
    dirty: "Modifications non enregistrées", "Unsaved changes";
    errors: "À corriger avant d'enregistrer :", "To be mended before this can be saved:";
    choose: "— choisir —", "— choose —";
    unsaved_draft: "Ce formulaire montre un changement essayé, pas encore enregistré.", "This form shows a change that was tried and is not saved yet.";

    name: "Nom", "Name";
    id: "Identifiant", "Id";
    enabled: "Activé", "On";
    rule_name_hint: "Pour les personnes ; il est aussi dans le webhook.", "For people; it is in the webhook, too.";
    rule_enabled_hint: "Désactivée, la règle garde sa place et n'est pas essayée.", "Switched off, the rule keeps its place and is not asked.";
    conditions: "Conditions", "Conditions";
    rule_conditions_hint: "Toutes doivent être vraies. La première règle dont c'est le cas s'applique.", "All of them must hold. The first rule of which they do applies.";
    add_condition: "Ajouter une condition", "Add a condition";
    looks_at: "Dans", "In";
    compares: "Comparaison", "Comparison";
    value: "Valeur", "Value";
    case: "Distinguer majuscules et minuscules", "Capitals count";
    subject: "le sujet", "the subject";
    sender: "l'expéditeur", "the sender";
    rule_body: "le texte entier", "the whole text";
    body: "le texte", "the text";
    links: "les liens", "the links";
    contains: "contient", "contains";
    equals: "est exactement", "is exactly";
    starts_with: "commence par", "begins with";
    word: "contient le mot", "contains the word";
    regex: "correspond à l'expression", "matches the expression";
    present: "n'est pas vide", "is not empty";
    provider: "mènent au service", "lead to the service";
    host: "mènent à l'hôte", "lead to the host";
    actions: "Ce qui se passe alors", "What happens then";
    url: "Adresse du webhook", "Address of the webhook";
    url_hint: "https://… ou le jeton d'un webhook Make. L'adresse enregistrée est masquée (***) ; laissez-la ainsi pour la garder.", "https://… or the token of a Make webhook. The stored address is masked (***); leave it as it is to keep it.";
    stop: "Rien d'autre : pas d'envoi à la destination par défaut", "Nothing else: nothing goes to the default target";
    stop_hint: "Sinon le mail est aussi envoyé à la destination par défaut.", "Otherwise the mail is sent to the default target, too.";
    priority: "Priorité", "Priority";
    priority_hint: "Dite à la destination dans le webhook ; elle ne change pas l'ordre des envois.", "Told to the receiver in the webhook; it does not change the order of sending.";
    priority_normal: "normale", "normal";
    priority_high: "haute", "high";
    ordering: "Ordre des envois", "Order of sending";
    ordering_hint: "Un envoi qui échoue retient ceux qui doivent rester derrière lui.", "A delivery that fails holds up those that have to stay behind it.";
    ordering_none: "aussi vite que possible", "as fast as possible";
    ordering_sender: "un à la fois par expéditeur", "one at a time per sender";
    ordering_mailbox: "un à la fois pour toute la boîte", "one at a time for the whole mailbox";
    share: "Texte du mail", "Text of the mail";
    share_hint: "Sujet, expéditeur et liens sont toujours envoyés.", "Subject, sender and links are always sent.";
    share_all: "tout, texte et HTML", "all of it, text and HTML";
    share_text: "le texte seulement", "the plain text only";
    share_none: "aucun texte", "no text";
    rarely: "Options rarement changées", "Options that are rarely changed";

    detector_name_hint: "Pour les personnes.", "For people.";
    id_hint: "Lettres ASCII, chiffres, « . », « _ » et « - ».", "ASCII letters, digits, “.”, “_” and “-”.";
    detector_value: "Mot dans le webhook", "Word in the webhook";
    detector_value_hint: "Valeur de « detector » ; vide : l'identifiant.", "Value of “detector”; empty: the id.";
    detector_enabled_hint: "Désactivé, le détecteur garde sa place et n'est pas essayé.", "Switched off, the detector keeps its place and is not asked.";
    detector_conditions_hint: "Le premier détecteur dont les conditions sont vraies reconnaît le mail.", "The first detector whose conditions hold recognises the mail.";
    group: "Rôle", "Role";
    group_all: "doit être vrai", "must hold";
    group_any: "au moins une de celles-ci", "at least one of these";
    group_none: "ne doit pas être vrai", "must not hold";
    group_urgent: "rend le mail urgent", "makes the mail urgent";
    values: "Valeurs, une par ligne", "Values, one to a line";
    form: "Comment le texte est comparé", "How the text is compared";
    form_normalised: "sans accents ni majuscules", "without accents or capitals";
    form_seen: "tel quel", "as it is";
    form_case: "tel quel, majuscules distinguées", "as it is, capitals count";
    explain: "Explication quand ce n'est pas le cas", "Explanation when it is not so";
    explain_hint: "Facultatif : dite dans « pourquoi ce mail n'est pas parti ».", "Optional: said where it is told why a mail did not go out.";
    explain_any: "Explication quand aucune des « au moins une » n'est vraie", "Explanation when none of the “at least one” holds";
    explain_none: "Explication quand une des exclues est vraie", "Explanation when one of the excluded holds";
    conditions_json: "Conditions (JSON)", "Conditions (JSON)";
    conditions_json_hint: "Ces conditions ont des groupes les uns dans les autres, qu'un formulaire ne montre pas : elles se modifient en JSON, comme dans la documentation des détecteurs.", "These conditions have groups within groups, which no form shows: they are edited as JSON, as in the documentation of detectors.";
    urgent_json: "Rend le mail urgent (JSON)", "Makes the mail urgent (JSON)";
    urgent_json_hint: "Une condition, ou rien.", "A condition, or nothing.";
    outside_title: "Hors de la fenêtre d'envoi", "Outside of the delivery window";
    outside_urgent: "Un mail urgent", "An urgent mail";
    outside: "Un autre mail", "Any other mail";
    outside_hold: "attend la fenêtre", "waits for the window";
    outside_send: "part tout de suite", "goes out at once";
    outside_skip: "n'est pas envoyé", "is not sent";
    mark_read: "Marquer comme lu un mail non envoyé", "Mark a mail that is not sent as read";
    mark_read_hint: "Dans la boîte aux lettres.", "In the mailbox.";
    keywords: "Mots exclus, un par ligne", "Excluded words, one to a line";
    detector_keywords_hint: "Un mail de ce type qui contient un de ces mots est ignoré.", "A mail of this kind that contains one of these words is ignored.";
    extract: "Ce qui est extrait (JSON)", "What is taken out (JSON)";
    extract_hint: "Heure de livraison et textes pour le webhook. Vide : rien.", "Time of delivery and texts for the webhook. Empty: nothing.";
    guide: "Documentation des détecteurs : docs/DETECTORS.md du dépôt.", "Documentation of detectors: docs/DETECTORS.md of the repository.";

    senders: "Expéditeurs", "Senders";
    senders_title: "Expéditeurs et priorités", "Senders and priorities";
    senders_label: "Adresses acceptées, une par ligne", "Accepted addresses, one to a line";
    senders_lead: "Les mails de toute autre adresse sont ignorés.", "Mails of any other address are ignored.";
    priorities: "Priorités", "Priorities";
    priorities_lead: "Parmi les mails qui attendent la même destination, ceux d'un expéditeur prioritaire partent d'abord.", "Of the mails that wait for the same target, those of an urgent sender go first.";
    high: "D'abord (une adresse par ligne)", "First (one address to a line)";
    medium: "Comme les autres", "As all others";
    medium_hint: "Inutile à écrire : c'est le cas de tout expéditeur qui n'est pas nommé.", "Need not be written: so is every sender who is not named.";
    low: "Après les autres", "After the others";
    words_title: "Mails écartés", "Mails that are put aside";
    words_lead: "Un mail écarté n'est pas envoyé ; il reste visible parmi les mails, avec la raison.", "A mail that is put aside is not sent; it stays among the mails, with the reason.";
    everywhere: "Mots qui écartent tout mail, un par ligne", "Words that put any mail aside, one to a line";
    everywhere_hint: "Cherchés dans le sujet et le texte, sans accents ni majuscules. Vide : aucun.", "Looked for in subject and text, without accents or capitals. Empty: none.";
    of_recadrage: "Mots qui écartent un mail « recadrage »", "Words that put a mail “recadrage” aside";
    of_desabo: "Mots qui écartent un mail « desabonnement_journee_tarifs »", "Words that put a mail “desabonnement_journee_tarifs” aside";
    of_detector_hint: "Seulement les mails que ce détecteur a reconnus.", "Only the mails that this detector has recognised.";
    attachments: "Écarter les mails sans pièce jointe", "Put mails without an attachment aside";
    automatic: "Écarter les réponses automatiques", "Put automatic answers aside";
    automatic_hint: "Absences, avis de réception, rapports d'erreur.", "Absences, receipts, reports of errors.";
    automatic_except: "Sauf celles de ces adresses, une par ligne", "But for those of these addresses, one to a line";
    empty_is_none: "Vide : aucune.", "Empty: none.";

    services: "Services de fichiers", "File services";
    services_lead: "Un lien vers un de ces services est une livraison. Un mail sans un tel lien est ignoré, sauf si les réglages disent autrement.", "A link to one of these services is a delivery. A mail without such a link is ignored, unless the settings say otherwise.";
    services_built_in: "Ceux du programme : rien n'est enregistré. Le premier changement enregistre une copie.", "Those of the program: nothing is stored. The first change stores a copy.";
    no_services: "Aucun service", "No service";
    no_services_text: "Aucun mail n'a de lien.", "No mail has a link.";
    service_name: "Nom", "Name";
    service_name_hint: "Minuscules ASCII, chiffres, « . », « _ », « - ». Valeur de « provider » dans le webhook.", "Small ASCII letters, digits, “.”, “_”, “-”. Value of “provider” in the webhook.";
    hosts: "Hôtes, un par ligne", "Hosts, one to a line";
    hosts_hint: "exemple.fr est cet hôte ; *.exemple.fr tous ses sous-domaines.", "example.fr is this host; *.example.fr all of its sub-domains.";
    except_hosts: "Sauf ces hôtes", "But for these hosts";
    paths: "Chemins des fichiers, un par ligne", "Paths of files, one to a line";
    paths_hint: "/d/ : ce qui suit ; /t-* : ce qui commence ainsi ; /aide : ce chemin et ce qui est dessous.", "/d/: whatever follows; /t-*: whatever begins so; /help: this path and what is below it.";
    except_paths: "Sauf ces chemins", "But for these paths";
    fetch_from: "Hôtes d'où un fichier peut être copié", "Hosts that a file may be copied from";
    fetch_from_hint: "Vide : les hôtes ci-dessus.", "Empty: the hosts above.";
    redirect_to: "Hôtes vers lesquels on peut être renvoyé", "Hosts that may be redirected to";
    redirect_to_hint: "Vide : n'importe lequel.", "Empty: any.";

    trial: "Essai", "Trial";
    trial_gone: "Cet essai n'est plus là", "This trial is not there any more";
    trial_gone_text: "Le programme a redémarré, un autre processus l'a, ou de plus récents ont pris sa place. Rien n'a été changé ; essayez encore.", "The program was started again, another worker has it, or newer ones took its place. Nothing was changed; try again.";
    back_to_rules: "Revenir aux règles", "Back to the rules";
    refresh: "Actualiser", "Refresh";
    stop_trial: "Arrêter l'essai", "Stop the trial";
    save_tried: "Enregistrer ce changement", "Save this change";
    save_tried_hint: "Exactement ce qui a été essayé.", "Exactly what was tried.";
    edit_on: "Modifier encore", "Edit on";
    ended_early: "Arrêté : seulement les mails déjà vus sont comptés.", "Stopped: only the mails seen until then are counted.";
    broke_off: "L'essai n'a pas pu aller au bout :", "The trial could not go on:";
    no_difference: "Ce document est déjà ainsi : rien ne changerait.", "This document is so already: nothing would change.";
    nothing_changes: "Aucun de ces mails ne serait traité autrement.", "None of these mails would be treated otherwise.";
    no_mails: "Aucun mail n'est arrivé pendant ce temps.", "No mail came in that time.";
    what_changes: "Ce qui change dans le réglage", "What changes in the settings";
    mail_by_mail: "Mail par mail", "Mail by mail";
    before: "Maintenant", "Now";
    after: "Avec ce changement", "With this change";
    would_go: "partiraient, et ne partent pas maintenant", "would go out that do not now";
    would_stay: "ne partiraient plus", "would not go out any more";
    otherwise: "partiraient autrement", "would go out otherwise";
    other_reason: "resteraient écartés, pour une autre raison", "would stay aside, for another reason";
    unchanged: "inchangés", "unchanged";
    all: "Tous", "All";
    remarks: "À savoir", "To be known";
    saved_tried: "Le changement essayé est enregistré.", "The change that was tried is saved.";
    saved: "Enregistré.", "Saved.";
    reset_detectors: "Revenir aux détecteurs du programme", "Back to the detectors of the program";
    reset_services: "Revenir aux services du programme", "Back to the services of the program";
    reset_title: "Revenir à ceux du programme ?", "Back to those of the program?";
    reset_text: "Ce qui est enregistré est supprimé. L'historique permet de le rétablir.", "What is stored is deleted. The history brings it back.";
    reset_yes: "Revenir", "Go back";
    reset_done: "Ceux du programme sont de nouveau en vigueur.", "Those of the program are in force again.";
}

impl Words {
    /// `Condition 2`.
    pub(super) fn condition_number(&self, lang: Lang, number: usize) -> String {
        format!("{} {number}", lang.pick("Condition", "Condition"))
    }

    /// What the button says that takes a condition out.
    pub(super) fn remove_condition(&self, lang: Lang, number: usize) -> String {
        format!("{} {number}", lang.pick("Retirer la condition", "Remove condition"))
    }

    /// What was moved, and where it is now.
    pub(super) fn moved(&self, lang: Lang, name: &str, place: usize, of: usize) -> String {
        match lang {
            Lang::Fr => format!("«\u{a0}{name}\u{a0}»\u{a0}: place {place} sur {of}."),
            Lang::En => format!("“{name}”: place {place} of {of}."),
        }
    }

    /// The order of the list was saved.
    pub(super) fn ordered(&self, lang: Lang) -> String {
        lang.pick("Ordre enregistré.", "Order saved.").to_owned()
    }

    /// It is on or off now.
    pub(super) fn switched(&self, lang: Lang, name: &str, on: bool) -> String {
        match (lang, on) {
            (Lang::Fr, true) => format!("«\u{a0}{name}\u{a0}» est activé."),
            (Lang::Fr, false) => {
                format!("«\u{a0}{name}\u{a0}» est désormais hors service, et garde sa place.")
            }
            (Lang::En, true) => format!("“{name}” is on."),
            (Lang::En, false) => format!("“{name}” is off; it keeps its place."),
        }
    }

    /// There is one more now.
    pub(super) fn duplicated(&self, lang: Lang, name: &str) -> String {
        match lang {
            Lang::Fr => format!(
                "«\u{a0}{name}\u{a0}» est copié\u{a0}: la copie est désactivée, modifiez-la puis activez-la."
            ),
            Lang::En => format!("“{name}” is copied: the copy is off, change it and then switch it on."),
        }
    }

    /// It is gone.
    pub(super) fn deleted(&self, lang: Lang, name: &str) -> String {
        match lang {
            Lang::Fr => {
                format!("«\u{a0}{name}\u{a0}» est supprimé. L'historique permet de revenir en arrière.")
            }
            Lang::En => format!("“{name}” is deleted. The history brings it back."),
        }
    }

    /// It is stored.
    pub(super) fn saved_named(&self, lang: Lang, name: &str) -> String {
        match lang {
            Lang::Fr => format!("«\u{a0}{name}\u{a0}» est enregistré."),
            Lang::En => format!("“{name}” is saved."),
        }
    }

    /// Whether it is to be deleted.
    pub(super) fn delete_title(&self, lang: Lang, name: &str) -> String {
        match lang {
            Lang::Fr => format!("Supprimer «\u{a0}{name}\u{a0}»\u{a0}?"),
            Lang::En => format!("Delete “{name}”?"),
        }
    }

    /// What a button does, for those who do not see beside what it stands.
    pub(super) fn about(&self, lang: Lang, what: &str, name: &str) -> String {
        match lang {
            Lang::Fr => format!("{what}\u{a0}: {name}"),
            Lang::En => format!("{what}: {name}"),
        }
    }

    /// The mails of so many days.
    pub(super) fn of_days(&self, lang: Lang, days: u32) -> String {
        match (lang, days) {
            (Lang::Fr, 1) => "du dernier jour".to_owned(),
            (Lang::En, 1) => "of the last day".to_owned(),
            (Lang::Fr, days) => format!("des {days} derniers jours"),
            (Lang::En, days) => format!("of the last {days} days"),
        }
    }

    /// How far a trial is.
    pub(super) fn progress(&self, lang: Lang, done: &str, total: &str) -> String {
        match lang {
            Lang::Fr => format!("{done} mails sur {total} essayés…"),
            Lang::En => format!("{done} of {total} mails tried…"),
        }
    }

    /// How many mails were tried.
    pub(super) fn tried(&self, lang: Lang, tested: usize) -> String {
        lang.count(tested, ["mail essayé", "mails essayés"], ["mail tried", "mails tried"])
    }

    /// How many mails could not be tried.
    pub(super) fn not_tried(&self, lang: Lang, n: usize) -> String {
        lang.count(
            n,
            ["mail n'a pas pu être essayé", "mails n'ont pas pu être essayés"],
            ["mail could not be tried", "mails could not be tried"],
        )
    }

    /// How many mails were tried, and since when they came.
    pub(super) fn since(&self, lang: Lang, tried: &str, since: &str) -> String {
        match lang {
            Lang::Fr => format!("{tried}, arrivés depuis {since}."),
            Lang::En => format!("{tried}, come since {since}."),
        }
    }

    /// More are listed nowhere.
    pub(super) fn first_ones(&self, lang: Lang, shown: usize) -> String {
        match lang {
            Lang::Fr => format!("Les {shown} premiers sont montrés."),
            Lang::En => format!("The first {shown} are shown."),
        }
    }

    /// Mails that were decided otherwise when they came.
    pub(super) fn departed(&self, lang: Lang, n: usize) -> String {
        match lang {
            Lang::Fr => format!(
                "{} autrement quand ils sont arrivés, avec les réglages d'alors.",
                lang.count(n, ["mail a été décidé", "mails ont été décidés"], ["", ""])
            ),
            Lang::En => format!(
                "{} otherwise when they came, as things were set then.",
                lang.count(n, ["", ""], ["mail was decided", "mails were decided"])
            ),
        }
    }
}
