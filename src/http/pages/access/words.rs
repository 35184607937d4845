//! The texts of `/acces`.

use chrono::TimeDelta;

use crate::http::pages::clock::PageClock;
use crate::http::pages::words::words;
use crate::lang::Lang;

words! {
    Words;
    title: "Accès", "Access";
    on_this_page: "Sur cette page", "On this page";
    cancel: "Annuler", "Cancel";

    sessions: "Sessions", "Sessions";
    this_device: "Cet appareil", "This device";
    by_password: "mot de passe", "password";
    by_link: "lien de connexion", "sign-in link";
    unknown_device: "Appareil inconnu", "Unknown device";
    unknown_address: "adresse inconnue", "address not known";
    says: "Ce que dit le navigateur", "What the browser says";
    opened: "Depuis", "Since";
    used: "Dernier emploi", "Last used";
    ends: "Se termine", "Ends";
    address: "Adresse", "Address";
    method: "Connexion par", "Signed in by";
    end: "Terminer", "End";
    sign_out: "Se déconnecter", "Sign out";
    end_ask: "Terminer cette session\u{a0}?", "End this session?";
    end_others: "Terminer toutes les autres", "End all others";
    ended_one: "La session est terminée, sur tous les processus en une seconde.",
        "The session is over, on every worker within a second.";
    gone_session: "Cette session n'existe plus.", "This session is not there any more.";
    more: "Voir la suite", "Show more";

    links: "Liens de connexion", "Sign-in links";
    links_lead: "Qui a un lien peut se connecter sans mot de passe. Il n'est montré qu'une fois, quand il est créé.",
        "Whoever has a link can sign in without a password. It is shown once, when it is made.";
    no_base: "Aucun lien ne peut être créé\u{a0}: définissez PUBLIC_BASE_URL, l'adresse sous laquelle les navigateurs joignent ce service, par exemple https://signal.exemple.fr. Les liens commencent par elle, et une requête ne doit pas pouvoir la choisir.",
        "No link can be made: set PUBLIC_BASE_URL to the address under which browsers reach this service, such as https://signal.example.com. Links begin with it, and a request must not be able to choose it.";
    make: "Créer un lien", "Make a link";
    kind: "Durée du lien", "Life of the link";
    permanent: "Sans fin\u{a0}: autant de connexions que l'on veut, jusqu'à ce qu'il soit révoqué",
        "Without end: any number of sign-ins, until it is revoked";
    made: "Le lien est créé", "The link was made";
    made_text: "Copiez-le maintenant\u{a0}: il n'est montré que cette fois, et n'est écrit nulle part ailleurs.",
        "Copy it now: it is shown this once, and is written nowhere else.";
    copy: "Copier le lien", "Copy the link";
    scan: "Ou visez-le avec un téléphone\u{a0}:", "Or point a phone at it:";
    qr: "Code QR du lien de connexion", "QR code of the sign-in link";
    qr_none: "Le lien est trop long pour un code QR.", "The link is too long for a QR code.";
    back: "J'ai le lien, revenir", "I have the link, go back";
    once: "Une seule connexion", "One sign-in";
    many: "Autant que l'on veut", "Any number";
    state_open: "Ouvert", "Open";
    state_used: "Employé", "Used";
    state_expired: "Expiré", "Expired";
    state_revoked: "Révoqué", "Revoked";
    state_gone: "Retiré", "Removed";
    link: "Lien", "Link";
    made_by: "Créé", "Made";
    expires: "Expire", "Expires";
    never: "jamais", "never";
    revoke: "Révoquer", "Revoke";
    revoke_ask: "Révoquer ce lien\u{a0}?", "Revoke this link?";
    revoke_text: "Il n'ouvre plus rien, et les sessions qu'il a ouvertes se terminent.",
        "It opens nothing any more, and the sessions that it opened end.";
    revoked_none: "Ce lien n'existe plus.", "This link is not there any more.";
    no_links: "Aucun lien", "No link";
    no_links_text: "Les liens créés ici ou par le système d'avant sont ici, et ceux qui ont pris fin depuis moins de 30 jours.",
        "Links made here or by the system before are here, and those that ended within the last 30 days.";
    over: "Liens qui n'ouvrent plus rien", "Links that open nothing any more";

    tokens: "Jetons", "Tokens";
    tokens_lead: "Ce qui ouvre le programme sans session. Les valeurs ne sont montrées nulle part\u{a0}: elles sont dans l'environnement.",
        "What opens the program without a session. Values are shown nowhere: they are in the environment.";
    set: "Défini", "Set";
    unset: "Non défini", "Not set";
    api_none: "Remettre des mails à /api/ingress/gmail. Rien de /api/v1\u{a0}: API_TOKEN_SCOPES n'est pas défini.",
        "Handing mails over at /api/ingress/gmail. Nothing of /api/v1: API_TOKEN_SCOPES is not set.";
    scope_read: "lire", "read";
    scope_actions: "agir (renvoyer, libérer, vérifier)", "act (send again, release, check)";
    scope_config: "changer la configuration", "change the configuration";
    scope_access: "gérer les accès et sauvegarder le journal", "manage access and back the journal up";
    test_key: "L'API de test (/api/test/…), dans X-API-Key.", "The test API (/api/test/…), in X-API-Key.";
    test_key_unset: "L'API de test refuse tout le monde.", "The test API refuses everybody.";
    metrics: "Tout lire de /readyz et de /metrics.", "Reading all of /readyz and /metrics.";
    metrics_unset: "/metrics ne dit rien à qui n'a pas de session.", "/metrics tells nothing to whoever has no session.";
    metrics_public: "METRICS_PUBLIC est défini\u{a0}: tout le monde lit /metrics.", "METRICS_PUBLIC is set: everybody reads /metrics.";
    host: "Lire et écrire les documents sur l'hôte de EXTERNAL_CONFIG_BASE_URL. Ce programme l'envoie, il ne l'accepte pas.",
        "Reading and writing the documents at the host of EXTERNAL_CONFIG_BASE_URL. This program sends it, and does not accept it.";
    host_unset: "Aucun hôte PHP n'est employé.", "No PHP host is used.";
    served: "Lire et écrire les documents que ce programme sert à /config_api.php.",
        "Reading and writing the documents that this program serves at /config_api.php.";
    served_unset: "/config_api.php n'est pas servi.", "/config_api.php is not served.";
    ingress: "Signer les mails remis à /api/ingress/gmail\u{a0}: sans cette signature ils sont refusés, même avec le jeton.",
        "Signing mails handed over at /api/ingress/gmail: without the signature they are refused, even with the token.";
    ingress_unset: "Les mails remis à /api/ingress/gmail n'ont pas à être signés\u{a0}: le jeton suffit.",
        "Mails handed over at /api/ingress/gmail need no signature: the token is enough.";

    logins: "Connexions", "Sign-ins";
    logins_lead: "Qui s'est connecté, d'où, et jusqu'à quand. Les essais refusés ne sont pas dans le journal\u{a0}: le programme les écrit sur sa sortie d'erreur.",
        "Who signed in, from where, and until when. Refused tries are not in the journal: the program writes them to its error output.";
    no_logins: "Personne ne s'est encore connecté", "Nobody has signed in yet";
    device: "Appareil", "Device";
    became: "Ensuite", "Then";
    still_open: "Ouverte", "Open";
    was_ended: "Terminée", "Ended";
    ran_out: "Expirée", "Ran out";
    actions: "Qui a fait quoi", "Who did what";
    actions_lead: "Ce qui a été demandé depuis le tableau de bord, l'API et la ligne de commande.",
        "What was asked for from the dashboard, the API and the command line.";
    no_actions: "Rien encore", "Nothing yet";
    no_actions_text: "Ce que les personnes et les programmes demandent est noté ici.", "What people and programs ask for is noted here.";
    who: "Qui", "Who";
    did: "Quoi", "What";
    on: "Sur", "To";
    when: "Quand", "When";
}

impl Words {
    /// What a session is, and how long it lasts without being used.
    pub(super) fn sessions_lead(clock: PageClock, idle: TimeDelta) -> String {
        let idle = clock.length(idle);
        match clock.lang {
            Lang::Fr => format!(
                "Chaque appareil connecté. Une session prend fin après {idle} sans emploi, ou quand vous la terminez."
            ),
            Lang::En => {
                format!(
                    "Each device that has signed in. A session ends after {idle} without use, or when you end it."
                )
            }
        }
    }

    /// One sign-in within a time.
    pub(super) fn once_within(clock: PageClock, life: TimeDelta) -> String {
        let life = clock.length(life);
        match clock.lang {
            Lang::Fr => format!("Une seule connexion, dans les {life}"),
            Lang::En => format!("One sign-in, within {life}"),
        }
    }

    /// The question before the other sessions are ended.
    pub(super) fn end_others_ask(lang: Lang, others: usize) -> String {
        match (lang, others) {
            (Lang::Fr, 1) => "Terminer l'autre session\u{a0}?".to_owned(),
            (Lang::En, 1) => "End the other session?".to_owned(),
            (Lang::Fr, n) => format!("Terminer les {n} autres sessions\u{a0}?"),
            (Lang::En, n) => format!("End the {n} other sessions?"),
        }
    }

    /// How many sessions were ended.
    pub(super) fn ended(lang: Lang, ended: u64) -> String {
        let ended = usize::try_from(ended).unwrap_or(usize::MAX);
        lang.count(
            ended,
            ["session a été terminée.", "sessions ont été terminées."],
            ["session was ended.", "sessions were ended."],
        )
    }

    /// A link that was revoked, and the sessions that it had opened.
    pub(super) fn revoked(lang: Lang, ended: u64) -> String {
        let first = lang.pick("Le lien est révoqué.", "The link is revoked.");
        if ended == 0 { first.to_owned() } else { format!("{first} {}", Self::ended(lang, ended)) }
    }

    /// Which browser on what; either may be unknown.
    pub(super) fn device(lang: Lang, browser: Option<&str>, system: Option<&str>) -> String {
        match (browser, system) {
            (Some(browser), Some(system)) => match lang {
                Lang::Fr => format!("{browser} sur {system}"),
                Lang::En => format!("{browser} on {system}"),
            },
            (Some(one), None) | (None, Some(one)) => one.to_owned(),
            (None, None) => Self::of(lang).unknown_device.to_owned(),
        }
    }

    /// Until when a link that was made can be used.
    pub(super) fn usable(lang: Lang, single: bool, until: Option<&str>) -> String {
        match (lang, single, until) {
            (Lang::Fr, true, Some(until)) => format!("Il ouvre une seule session, jusqu'à {until}."),
            (Lang::En, true, Some(until)) => format!("It opens one session, until {until}."),
            (Lang::Fr, ..) => "Il n'expire pas\u{a0}: révoquez-le quand il ne sert plus.".to_owned(),
            (Lang::En, ..) => "It does not expire: revoke it when it is of no more use.".to_owned(),
        }
    }

    /// How often a link was used.
    pub(super) fn uses(lang: Lang, uses: u64) -> String {
        let uses = usize::try_from(uses).unwrap_or(usize::MAX);
        lang.count(uses, ["connexion", "connexions"], ["sign-in", "sign-ins"])
    }

    /// What `PROCESS_API_TOKEN` may.
    pub(super) fn api(lang: Lang, scopes: &str) -> String {
        match lang {
            Lang::Fr => format!(
                "Remettre des mails à /api/ingress/gmail, et à /api/v1 (API_TOKEN_SCOPES)\u{a0}: {scopes}."
            ),
            Lang::En => format!(
                "Handing mails over at /api/ingress/gmail, and at /api/v1 (API_TOKEN_SCOPES): {scopes}."
            ),
        }
    }
}
