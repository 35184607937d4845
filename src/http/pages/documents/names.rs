//! Documents, fields and those who change them, in words.

use render_signal_actors::config::documents::Key;

use crate::lang::Lang;

/// Field names, each with its French and its English. Names mean the same in every document.
const FIELDS: &[(&str, [&str; 2])] = &[
    // polling_config
    ("enable_polling", ["Relève de la boîte", "Mailbox checks"]),
    ("active_days", ["Jours de relève", "Days of checks"]),
    ("active_start_hour", ["Début de la relève", "Checks start"]),
    ("active_end_hour", ["Fin de la relève", "Checks end"]),
    ("vacation_start", ["Vacances, premier jour", "Vacation, first day"]),
    ("vacation_end", ["Vacances, dernier jour", "Vacation, last day"]),
    ("sender_of_interest_for_polling", ["Expéditeurs suivis", "Senders followed"]),
    (
        "enable_subject_group_dedup",
        ["Un seul envoi par sujet et par mois", "One webhook per subject and month"],
    ),
    // webhook_config
    ("webhook_url", ["Adresse du webhook", "Webhook address"]),
    ("webhook_ssl_verify", ["Certificat vérifié", "Certificate checked"]),
    ("webhook_sending_enabled", ["Envoi des webhooks", "Sending of webhooks"]),
    ("webhook_time_start", ["Début de la fenêtre d'envoi", "Sending window starts"]),
    ("webhook_time_end", ["Fin de la fenêtre d'envoi", "Sending window ends"]),
    ("absence_pause_enabled", ["Absence globale", "Global absence"]),
    ("absence_pause_days", ["Jours d'absence globale", "Days of global absence"]),
    ("global_time_start", ["Fenêtre annoncée, début", "Announced window, start"]),
    ("global_time_end", ["Fenêtre annoncée, fin", "Announced window, end"]),
    ("webhook_delivery_mode", ["Format du webhook", "Webhook format"]),
    ("ordering", ["Ordre des envois", "Order of sending"]),
    ("webhook_body", ["Texte du mail dans le webhook", "Mail text in the webhook"]),
    ("body", ["Texte du mail dans le webhook", "Mail text in the webhook"]),
    ("webhook_enabled", ["Envoi (ancien champ)", "Sending (former field)"]),
    ("polling_enabled", ["Relève (sans effet ici)", "Checks (no effect here)"]),
    ("recadrage_webhook_url", ["Adresse recadrage (sans effet)", "Address for recadrage (no effect)"]),
    (
        "autorepondeur_webhook_url",
        ["Adresse désabonnement (sans effet)", "Address for unsubscription (no effect)"],
    ),
    (
        "webhook_fallback_on_415",
        ["Reprise après un refus 415 (sans effet)", "Repetition after a refusal 415 (no effect)"],
    ),
    ("time_window", ["Fenêtre (ancien champ)", "Window (former field)"]),
    // processing_prefs
    ("exclude_keywords", ["Mots exclus", "Excluded words"]),
    ("exclude_keywords_recadrage", ["Mots exclus, recadrage", "Excluded words, recadrage"]),
    ("exclude_keywords_autorepondeur", ["Mots exclus, désabonnement", "Excluded words, unsubscription"]),
    ("require_attachments", ["Pièce jointe exigée", "Attachment required"]),
    ("max_email_size_mb", ["Taille maximale d'un mail", "Largest mail"]),
    ("sender_priority", ["Priorité par expéditeur", "Priority by sender"]),
    ("retry_count", ["Nouvelles tentatives", "Retries"]),
    ("retry_delay_sec", ["Pause avant la première nouvelle tentative", "Pause before the first retry"]),
    ("webhook_timeout_sec", ["Temps laissé à la destination", "Time for the receiver"]),
    ("rate_limit_per_hour", ["Limite par heure", "Limit per hour"]),
    ("notify_on_failure", ["Prévenir des abandons", "Tell of what was given up"]),
    ("mirror_media_to_custom", ["Copie au webhook", "Copy to the webhook"]),
    ("sender_authentication", ["Authenticité de l'expéditeur", "Sender's authenticity"]),
    ("trusted_authserv_ids", ["Serveurs crus sur l'authenticité", "Servers believed about authenticity"]),
    ("ignore_automatic", ["Réponses automatiques ignorées", "Automatic answers ignored"]),
    ("ignore_automatic_except", ["Sauf celles de", "Except those of"]),
    ("reply_prefixes", ["Préfixes de réponse", "Reply prefixes"]),
    ("subject_marks", ["Marques devant le préfixe", "Marks before a prefix"]),
    // runtime_flags
    ("disable_email_id_dedup", ["Doublons acceptés", "Repeated mails accepted"]),
    (
        "allow_custom_webhook_without_links",
        ["Mails sans lien envoyés aussi", "Mails without links sent, too"],
    ),
    ("gmail_ingress_enabled", ["Mails remis par HTTP acceptés", "Mails handed over by HTTP taken"]),
    // routing_rules
    ("rules", ["Règles", "Rules"]),
    ("name", ["Nom", "Name"]),
    ("enabled", ["Active", "Enabled"]),
    ("conditions", ["Conditions", "Conditions"]),
    ("actions", ["Actions", "Actions"]),
    ("field", ["Champ", "Field"]),
    ("operator", ["Opérateur", "Operator"]),
    ("value", ["Valeur", "Value"]),
    ("case_sensitive", ["Majuscules comptent", "Case counts"]),
    ("priority", ["Priorité", "Priority"]),
    ("stop_processing", ["S'arrête là", "Stops there"]),
    ("detectors", ["Détecteurs", "Detectors"]),
    ("providers", ["Fournisseurs", "Providers"]),
    ("links", ["Liens de connexion", "Sign-in links"]),
    ("document", ["Document entier", "The whole document"]),
];

/// What a document is called.
pub(in crate::http::pages) fn document(lang: Lang, key: Key) -> String {
    let [french, english] = match key {
        Key::PollingConfig => ["Relève", "Checks"],
        Key::WebhookConfig => ["Envoi", "Sending"],
        Key::ProcessingPrefs => ["Préférences", "Preferences"],
        Key::RuntimeFlags => ["Options", "Options"],
        Key::RoutingRules => ["Règles de routage", "Routing rules"],
        Key::Detectors => ["Détecteurs", "Detectors"],
        Key::Providers => ["Fournisseurs", "Providers"],
        Key::MagicLinkTokens => ["Liens de connexion", "Sign-in links"],
    };
    lang.pick(french, english).to_owned()
}

/// What a field is called; one without words keeps its name.
pub(in crate::http::pages) fn field(lang: Lang, name: &str) -> String {
    let known = FIELDS.iter().find(|(known, _)| *known == name);
    known.map_or_else(|| name.to_owned(), |(_, [french, english])| lang.pick(french, english).to_owned())
}

/// A path such as `rules[rule-1].actions.webhook_url`, in words: each part of it by its name.
pub(super) fn path(lang: Lang, path: &str) -> String {
    let (path, order) = match path.strip_suffix(" (order)") {
        Some(list) => (list, lang.pick(", ordre", ", order")),
        None => (path, ""),
    };
    let mut words = String::new();
    for part in parts(path) {
        let (name, member) = match part.split_once('[') {
            Some((name, member)) => (name, member.strip_suffix(']').unwrap_or(member)),
            None => (part, ""),
        };
        if !words.is_empty() {
            words.push_str(" › ");
        }
        words.push_str(&field(lang, name));
        if !member.is_empty() {
            words.push_str(lang.pick(" « ", " “"));
            words.push_str(member);
            words.push_str(lang.pick(" »", "”"));
        }
    }
    words.push_str(order);
    words
}

/// The parts of a path; a dot within brackets separates nothing.
fn parts(path: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0_u32, 0, Vec::new());
    for (at, sign) in path.char_indices() {
        match sign {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            '.' if depth == 0 => {
                found.extend(path.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    found.extend(path.get(start..));
    found
}

/// Who changed a document: an origin of the history, in words.
pub(in crate::http::pages) fn who(lang: Lang, origin: &str) -> String {
    if let Some(user) = origin.strip_prefix("session:") {
        return user.to_owned();
    }
    if let Some(name) = origin.strip_prefix("token:") {
        return format!("{} {name}", lang.pick("le jeton", "the token"));
    }
    let words = match origin {
        "cli" => ["la ligne de commande", "the command line"],
        "api" => ["l'API", "the API"],
        "php_api" => ["l'ancienne interface (config_api.php)", "the former interface (config_api.php)"],
        "restore" => ["une restauration", "a restoration"],
        "migrate" => ["la migration", "the migration"],
        "import" => ["une importation", "an import"],
        "reconciled" => ["la remise en accord des stockages", "the reconciliation of the stores"],
        "resolved" => ["une décision entre deux stockages", "a decision between two stores"],
        "external" => ["un autre programme", "another program"],
        "startup" => ["trouvé au démarrage", "found at the start"],
        other => return other.to_owned(),
    };
    let [french, english] = words;
    lang.pick(french, english).to_owned()
}
