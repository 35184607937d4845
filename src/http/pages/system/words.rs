//! The texts of `/systeme`.

use crate::http::pages::words::words;

words! {
    Words;
    title: "Système", "System";
    on_this_page: "Sur cette page", "On this page";
    nav_workers: "Processus", "Workers";
    nav_checks: "Contrôles", "Checks";
    nav_documents: "Stockages", "Stores";
    nav_carry: "Configurations", "Configuration";
    nav_journal: "Journal", "Journal";
    nav_trial: "Webhook d'essai", "Test webhook";
    nav_copies: "Copies", "Copies";
    nav_service: "Service", "Service";
    cancel: "Annuler", "Cancel";
    busy: "Quelqu'un le fait déjà\u{a0}: réessayez dans un instant.", "Somebody does so already: try again in a moment.";

    workers: "Processus", "Workers";
    workers_lead: "Chaque processus dit de lui-même comment il va. Un seul relève la boîte\u{a0}: celui qui a le bail.",
        "Each worker says of itself how it is. One alone polls the mailbox: whoever has the lease.";
    this_one: "répond à cette page", "answers this page";
    ready: "Prêt", "Ready";
    not_ready: "Pas prêt", "Not ready";
    polls: "Relève la boîte", "Polls the mailbox";
    version: "Version", "Version";
    other_version: "(une autre que ce processus)", "(another one than this worker)";
    running_for: "En marche depuis", "Running for";
    position: "Position dans le journal", "Position in the journal";
    position_unknown: "inconnue\u{a0}: le journal ne lui répond pas", "not known: the journal does not answer it";
    mailbox: "Boîte", "Mailbox";
    documents_in_force: "Documents en vigueur", "Documents in force";
    same_documents: "les mêmes que ceux de ce processus", "the same as this worker's";
    its_checks: "Ses contrôles", "Its checks";
    lease: "Bail", "Lease";
    lease_since: "depuis", "since";
    lease_nobody: "personne", "nobody";
    no_lease: "Aucun bail n'a encore été pris\u{a0}: personne n'a relevé la boîte.",
        "No lease was taken yet: nobody has polled the mailbox.";
    before: "Processus d'avant", "Workers before";
    died_or_runs: "sans fin connue", "no end known";

    checks: "Contrôles", "Checks";
    checks_lead: "Ce que ce processus sait de lui-même, sans rien demander à personne. /readyz et « doctor » disent la même chose avec les mêmes mots.",
        "What this worker knows of itself, without asking anybody. /readyz and \"doctor\" say the same in the same words.";
    look_at_all: "Tout vérifier", "Check everything";
    look_at_all_hint: "Joint chaque serveur configuré, sans rien envoyer, marquer ni changer\u{a0}: 15 s au plus.",
        "Reaches every configured server, without sending, marking or changing anything: 15 s at most.";
    report: "Tout a été vérifié", "Everything was checked";
    ok: "En ordre", "In order";
    warn: "À voir", "Worth a look";
    fail: "En panne", "Failing";
    what_to_do: "Que faire\u{a0}:", "What to do:";

    stores: "Stockages et documents", "Stores and documents";
    files_only: "Les documents ne sont que dans des fichiers, dans le dossier", "Documents are in files only, in the folder";
    authority: "Fait foi", "Has the last word";
    copy: "Repli", "Fallback";
    store_well: "Répond", "Answers";
    store_silent: "Ne répond pas", "Does not answer";
    waiting: "Doit encore recevoir", "Must still be given";
    conflict: "Deux changements attendent une décision", "Two changes wait for a decision";
    decide: "Décider dans Réglages", "Decide in Settings";
    document: "Document", "Document";
    state: "État", "State";
    version_of: "Version", "Version";
    changed: "Changé", "Changed";
    run_by: "Employé par", "Run by";
    doc_ok: "Valide", "Valid";
    doc_absent: "Absents, donc les valeurs par défaut comptent", "Absent, so the defaults hold";
    doc_missing: "Disparu", "Gone";
    doc_invalid: "Refusé", "Refused";
    doc_unknown: "Illisible", "Unreadable";
    withheld: "Arrêté jusqu'à correction", "Stands still until mended";
    switched_off: "Refusé, mais son interrupteur dit non, ce qui est respecté.",
        "Refused, but its switch says off, which is obeyed.";
    workers_unknown: "Les autres processus n'ont pas pu être demandés\u{a0}:", "The other workers could not be asked:";

    carry: "Porter et vérifier les configurations", "Carry and check the configuration";
    no_redis: "Les documents ne sont pas dans Redis\u{a0}: définissez REDIS_URL pour que plusieurs processus les partagent. Il n'y a donc rien à migrer ni à vérifier.",
        "Documents are not in Redis: set REDIS_URL so that several workers share them. So there is nothing to migrate or to check.";
    migrate: "Migrer les configurations", "Migrate the configuration";
    migrate_hint: "Écrit les fichiers de configuration dans Redis, puis relit et compare chacun.",
        "Writes the configuration files into Redis, then reads each back and compares.";
    migrate_ask: "Migrer les fichiers dans Redis\u{a0}?", "Migrate the files into Redis?";
    migrate_text: "Chaque document dont le fichier existe remplace celui de Redis. Les versions d'avant restent dans l'historique.",
        "Each document whose file exists replaces the one in Redis. Earlier versions stay in the history.";
    migrated: "Les configurations ont été migrées", "The configuration was migrated";
    not_migrated: "Tout n'a pas pu être migré", "Not all could be migrated";
    nothing_to_migrate: "Aucun fichier à migrer", "No file to migrate";
    verify: "Vérifier les données en Redis", "Check the data in Redis";
    verify_hint: "Lit chaque document dans le stockage partagé et le juge comme le service le juge.",
        "Reads each document in the shared store and judges it as the service does.";
    verified: "Toutes les données sont valides", "All data are valid";
    not_verified: "Des données ne sont pas valides", "Some data are not valid";
    log: "Journal de l'opération", "Log";
    message: "Message", "Message";
    summary: "Contenu", "Content";
    valid: "Valide", "Valid";
    invalid: "Invalide", "Invalid";
    export: "Exporter", "Export";
    export_hint: "Tous les documents dans un fichier JSON, sauf les liens de connexion. Il contient les adresses des destinations et leurs jetons\u{a0}: gardez-le en lieu sûr.",
        "All documents in one JSON file, except the sign-in links. It has the targets' addresses and tokens: keep it safe.";
    export_button: "Télécharger les réglages", "Download the settings";
    import: "Importer", "Import";
    import_hint: "Collez le contenu d'un export. Rien n'est écrit avant que vous ayez vu ce qui changerait.",
        "Paste what an export holds. Nothing is written before you have seen what would change.";
    import_label: "Contenu du fichier", "What the file holds";
    import_file: "Choisir un fichier", "Choose a file";
    preview: "Voir ce qui changerait", "See what would change";
    preview_same: "Rien ne changerait\u{a0}: tout est déjà ainsi.", "Nothing would change: all is so already.";
    preview_refused: "Un document n'est pas valide\u{a0}: aucun ne serait écrit.", "A document is not valid: none would be written.";
    preview_moved: "Les réglages ont changé depuis l'aperçu\u{a0}: en voici un nouveau.",
        "The settings have changed since the preview: here is a new one.";
    fate_unchanged: "Inchangé", "Unchanged";
    fate_created: "Créé", "Created";
    fate_replaced: "Remplacé", "Replaced";
    fate_refused: "Refusé", "Refused";
    was: "Avant", "Before";
    becomes: "Après", "After";
    nothing: "rien", "nothing";
    hidden_value: "différent, masqué", "different, hidden";
    import_ask: "Importer ces réglages\u{a0}?", "Import these settings?";
    import_text: "Ils sont en vigueur aussitôt. Les versions d'avant restent dans l'historique.",
        "They are in force at once. Earlier versions stay in the history.";
    import_yes: "Importer", "Import";
    import_empty: "Collez d'abord le contenu d'un export.", "Paste what an export holds first.";
    not_json: "n'est pas un export\u{a0}:", "is no export:";
    errors: "Rien n'a été fait\u{a0}:", "Nothing was done:";

    journal: "Journal", "Journal";
    journal_lead: "Ce qui n'est pas dans le journal n'est pas arrivé.", "What is not in the journal did not happen.";
    kind: "Genre", "Kind";
    kind_file: "un fichier sur le disque de ce service", "a file on this service's disk";
    kind_redis: "sur un serveur Redis", "on a Redis server";
    place: "Lieu", "Place";
    size: "Taille", "Size";
    size_unknown: "le serveur Redis la connaît, pas ce processus", "the Redis server knows, not this worker";
    last_position: "Dernier événement", "Last event";
    durability: "Durabilité", "Durability";
    loss: "Perte", "Loss";
    events_link: "Lire les derniers événements", "Read the last events";
    backup_hint: "Une copie cohérente de tout le journal, faite sans rien arrêter. Elle contient des mails et de quoi reconnaître les sessions\u{a0}: gardez-la comme le journal lui-même.",
        "A consistent copy of the whole journal, made without stopping anything. It has mails and what sessions are known by: keep it as the journal itself.";
    backup_button: "Faire une copie et la télécharger", "Make a copy and download it";
    check_journal: "Relire tout le journal", "Read the whole journal";
    check_hint: "Relit chaque événement et vérifie que tout se tient. Peut durer quelques minutes s'il est long.",
        "Reads every event and checks that all of it holds together. May take minutes when it is long.";
    sound: "Le journal est sain", "The journal is sound";
    unsound: "Le journal est abîmé", "The journal is damaged";
    events: "Événements", "Events";
    trimmed: "Archivés", "Archived";
    streams: "Flux", "Streams";
    outbox: "Travaux en attente", "Work that waits";

    trial: "Webhook d'essai", "Test webhook";
    trial_lead: "Pour voir si une destination prend ce qui lui est envoyé. L'essai est signé comme tout webhook, dit qu'il en est un, et n'est pas répété.",
        "To see whether a receiver takes what it is sent. The test is signed like every webhook, says that it is one, and is not repeated.";
    target: "Destination", "Target";
    default_target: "par défaut", "default";
    another_address: "Une autre adresse", "Another address";
    address: "Adresse", "Address";
    address_hint: "Seulement pour « Une autre adresse ».", "For \"Another address\" only.";
    subject: "Sujet", "Subject";
    show_trial: "Montrer ce qui serait envoyé", "Show what would be sent";
    would_be_sent: "Ce qui serait envoyé", "What would be sent";
    was_sent: "Ce qui a été envoyé", "What was sent";
    send: "Envoyer pour de bon", "Send it for real";
    send_ask: "Envoyer ce webhook d'essai\u{a0}?", "Send this test webhook?";
    send_yes: "Envoyer", "Send";
    send_note: "Le numéro et l'heure de l'envoi seront neufs, donc la signature aussi.",
        "The number and time will be new when it is sent, and so will the signature.";
    taken: "Pris", "Taken";
    not_taken: "Pas pris", "Not taken";
    status: "Statut HTTP", "HTTP status";
    no_answer: "aucune réponse", "no answer";
    took: "Durée", "Took";
    why: "Pourquoi", "Why";
    answer: "Réponse", "Answer";
    to: "Vers", "To";
    headers: "En-têtes", "Headers";
    body: "Corps", "Body";
    unverified: "le certificat de la destination n'est pas vérifié", "the receiver's certificate is not checked";
    trial_unknown: "Cette destination n'existe plus.", "This target is not there any more.";
    trial_none: "Aucune destination n'est configurée\u{a0}: définissez webhook_url dans Réglages, ou WEBHOOK_URL.",
        "No target is configured: set webhook_url in Settings, or WEBHOOK_URL.";
    trial_address: "Ce n'est pas une adresse vers laquelle on peut envoyer\u{a0}: https:// et un hôte public (http:// et les réseaux privés seulement dans EGRESS_ALLOW_CIDRS).",
        "Nothing can be sent to this address: https:// and a public host (http:// and private networks within EGRESS_ALLOW_CIDRS only).";
    trial_large: "Le webhook d'essai est trop grand.", "The test webhook is too large.";

    copies: "Copies des fichiers", "Copies of files";
    copies_off: "Aucune copie n'est faite\u{a0}: les liens sont envoyés tels quels.", "No copies are made: links are sent as they are.";
    copies_on: "Les fichiers liés sont copiés dans R2, et une liste en est tenue.", "Linked files are copied into R2, and a list is kept of them.";
    list_file: "Liste", "List";
    entries: "Entrées", "Entries";
    entries_r2: "dont copies dans R2", "of these, copies in R2";
    entries_legacy: "dont liens seuls du système d'avant", "of these, links alone of the system before";
    entries_other: "dont illisibles", "of these, unreadable";
    by_provider: "Par service", "By service";
    archives: "Listes mises de côté", "Lists put aside";
    rebuild: "Réécrire la liste", "Write the list anew";
    rebuild_ask: "Réécrire la liste des copies\u{a0}?", "Write the list of copies anew?";
    rebuild_text: "Elle est refaite à partir du journal. Ce que d'autres programmes y ont ajouté et que le journal ne connaît pas disparaît.",
        "It is made again from the journal. What other programs have put there and the journal does not know is gone.";
    last_copies: "Dernières copies", "Last copies";
    open_copy: "Ouvrir", "Open";

    scenarios: "Scénarios Make", "Make scenarios";
    scenarios_hint: "Ils s'arrêtent pendant les vacances et quand la relève ou l'envoi est coupé, et repartent ensuite. Un scénario arrêté à la main chez Make le reste.",
        "They stop during the vacation and while polling or sending is switched off, and run again afterwards. A scenario that was stopped at Make by hand stays so.";
    scenarios_left_alone: "Rien ne leur a encore été demandé\u{a0}: ils sont comme Make les a.", "Nothing was asked of them yet: they are as Make has them.";
    scenarios_unknown: "Le journal ne répond pas\u{a0}: ce qui est voulu n'est pas connu.", "The journal does not answer: what is wanted is not known.";
    scenarios_off: "Make n'est pas configuré\u{a0}: définissez MAKECOM_API_KEY.", "Make is not set up: set MAKECOM_API_KEY.";
    scenarios_start: "Démarrer les scénarios", "Start the scenarios";
    scenarios_start_ask: "Démarrer les scénarios chez Make\u{a0}?", "Start the scenarios at Make?";
    scenarios_stop: "Arrêter les scénarios", "Stop the scenarios";
    scenarios_stop_ask: "Arrêter les scénarios chez Make\u{a0}?", "Stop the scenarios at Make?";
    scenarios_text: "Cela vaut jusqu'au prochain changement des vacances, de la relève ou de l'envoi.",
        "That holds until the vacation, polling or sending changes next.";
    scenarios_started: "Make a démarré les scénarios.", "Make has started the scenarios.";
    scenarios_stopped: "Make a arrêté les scénarios.", "Make has stopped the scenarios.";
    scenarios_wait: "La demande est notée\u{a0}: Make sera appelé par le processus qui relève la boîte.",
        "The wish is noted: the worker that polls the mailbox will call Make.";
    scenarios_not_recorded: "Le journal n'a pas noté la demande\u{a0}: rien n'a été changé, réessayez.",
        "The journal did not take the wish: nothing was changed, try again.";
    scenarios_nobody: "Personne ne relève la boîte pour l'instant, donc personne ne peut appeler Make\u{a0}: réessayez dans quelques secondes.",
        "Nobody polls the mailbox at the moment, so nobody can call Make: try again in some seconds.";
    scenario_agreed: "comme voulu", "as wanted";
    scenario_refused: "Make a refusé", "Make refused";
    scenario_not_asked: "pas encore demandé à Make", "Make was not asked yet";
    nav_make: "Make", "Make";

    service: "Service", "Service";
    deploy: "Déployer", "Deploy";
    deploy_hint: "Demande à Render de construire et de lancer la dernière version.", "Has Render build and start the newest version.";
    deploy_off: "Le déploiement n'est pas configuré\u{a0}: définissez RENDER_DEPLOY_HOOK_URL, ou RENDER_API_KEY et RENDER_SERVICE_ID.",
        "Deploying is not configured: set RENDER_DEPLOY_HOOK_URL, or RENDER_API_KEY and RENDER_SERVICE_ID.";
    deploy_ask: "Déployer maintenant\u{a0}?", "Deploy now?";
    deploy_text: "Le service redémarre quand la nouvelle version est prête. Les mails restent dans la boîte entre-temps.",
        "The service starts again when the new version is ready. Mails stay in the mailbox meanwhile.";
    deployed_hook: "Déploiement demandé à Render. Suivez-le dans le tableau de bord de Render.",
        "Render was asked to deploy. Follow it in Render's dashboard.";
    deploy_foreign: "RENDER_DEPLOY_HOOK_URL ne commence pas par https://api.render.com/deploy/ : rien n'a été demandé.",
        "RENDER_DEPLOY_HOOK_URL does not begin with https://api.render.com/deploy/: nothing was asked for.";
    restart: "Redémarrer", "Restart";
    restart_hint: "Arrête ce processus en ordre\u{a0}: le travail en cours finit ou est rendu. Ce qui le surveille (Render, systemd, Docker) le relance\u{a0}; sans surveillant, il reste arrêté.",
        "Stops this worker in order: work in flight finishes or is given back. Whatever watches it (Render, systemd, Docker) starts it again; with nobody watching it stays stopped.";
    restart_ask: "Redémarrer ce processus\u{a0}?", "Restart this worker?";
    restart_text: "Le tableau de bord est indisponible quelques secondes.", "The dashboard is not available for some seconds.";
    restarted: "Redémarrage demandé. La page revient dans quelques secondes.", "A restart was asked for. The page is back within seconds.";

    events_title: "Événements", "Events";
    events_lead: "Ce que le journal a noté, le plus récent d'abord.", "What the journal has noted, newest first.";
    back: "Revenir à Système", "Back to System";
    filter: "Genre d'événement", "Kind of event";
    all_kinds: "Tous", "All";
    show: "Filtrer", "Filter";
    older: "Plus anciens", "Older";
    newest: "Les plus récents", "The newest";
    no_events: "Aucun événement", "No event";
    no_events_text: "Le journal n'en a pas de ce genre dans cette partie.", "The journal has none of this kind in this part.";
    searched_on: "Chercher plus loin", "Look further back";
    number: "N°", "No.";
    what: "Quoi", "What";
    stream: "Flux", "Stream";
    when: "Quand", "When";
    content: "Contenu", "Content";
}
