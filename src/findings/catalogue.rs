//! Every finding. A line: name, code, how grave; its values; the words in French and in English;
//! behind `=>` what to do about it, in French and in English.

use render_signal_actors::config::documents::FieldProblem;
use render_signal_actors::kernel::said::Said;
use serde::Serialize;

use super::Severity;
use super::told::{Aside, DayTime, InTurn, Names, Phase, RecordedWords, Told};
use crate::lang::Lang;

macro_rules! findings {
    ($(
        $variant:ident $code:literal $severity:ident { $($field:ident: $type:ty),* $(,)? }
        $french:literal, $english:literal $(=> $advice_french:literal, $advice_english:literal)?;
    )*) => {
        /// What was found; see the module page.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        pub(crate) enum Finding {
            $($variant { $($field: $type),* },)*
        }

        impl Finding {
            /// Every code.
            #[cfg(test)]
            pub(super) const CODES: &[&str] = &[$($code),*];

            /// What programs know it by.
            pub(crate) const fn code(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $code,)*
                }
            }

            /// How grave it is.
            pub(crate) const fn severity(&self) -> Severity {
                match self {
                    $(Self::$variant { .. } => Severity::$severity,)*
                }
            }

            /// What was found, in words.
            pub(crate) fn said(&self) -> Said {
                match self {
                    $(Self::$variant { $($field),* } => Said {
                        french: findings!(@words Lang::Fr, $french, $($field),*),
                        english: findings!(@words Lang::En, $english, $($field),*),
                    },)*
                }
            }

            /// What to do about it, if there is anything.
            pub(crate) fn advice(&self) -> Option<Said> {
                match self {
                    $(Self::$variant { $($field),* } => {
                        $(let _ = $field;)*
                        findings!(@advice ($($field),*) $($advice_french, $advice_english)?)
                    })*
                }
            }
        }
    };
    // Not every value is part of the words; programs are given all of them.
    (@words $lang:expr, $words:literal, $($field:ident),*) => {{
        $(let $field = Told::told($field, $lang); let _ = &$field;)*
        format!($words)
    }};
    (@advice ($($field:ident),*)) => { None };
    (@advice ($($field:ident),*) $french:literal, $english:literal) => {
        Some(Said {
            french: findings!(@words Lang::Fr, $french, $($field),*),
            english: findings!(@words Lang::En, $english, $($field),*),
        })
    };
}

findings! {
    // The process.
    Running "running" Ok { version: &'static str } "en marche", "running";
    Hung "hung" Fail { seconds: u64 }
        "plus rien ne bouge\u{a0}: le fil des acteurs n'a pas battu depuis {seconds} s",
        "nothing moves: the actors' thread has not beaten for {seconds} s";
    Stopping "stopping" Fail {} "arrêt en cours\u{a0}: aucun nouveau travail n'est pris", "stopping: no new work is taken";
    NoAnswer "no_answer" Fail { why: Said } "{why}", "{why}";
    FewDescriptors "few_descriptors" Warn { limit: u64, wanted: u64 }
        "seuls {limit} fichiers peuvent être ouverts à la fois\u{a0}: en charge, des envois attendraient les uns après \
         les autres\u{a0}; portez la limite à {wanted} ou plus (ulimit -n, LimitNOFILE=, --ulimit nofile=)",
        "only {limit} files may be open at once: under load, deliveries would wait for one another; raise the \
         limit to {wanted} or more (ulimit -n, LimitNOFILE=, --ulimit nofile=)";

    // The journal.
    JournalOnDisk "journal_on_disk" Ok {}
        "un mail confirmé est sur le disque", "an acknowledged mail is on the disk";
    JournalWithinSeconds "journal_within_seconds" Warn {}
        "un mail confirmé est sur le disque en deux secondes\u{a0}: une panne du serveur peut perdre les derniers",
        "an acknowledged mail is on the disk within two seconds: a crash of the server may lose the last ones"
        => "mettez appendfsync always, si les deux dernières secondes avant une panne comptent",
        "set appendfsync always, if the last two seconds before a crash matter";
    JournalUntilRestart "journal_until_restart" Warn {}
        "le serveur ne garde les mails confirmés qu'en mémoire\u{a0}: son redémarrage les perd",
        "the server keeps acknowledged mails in memory only: its restart loses them"
        => "mettez appendonly yes et appendfsync always sur le serveur",
        "set appendonly yes and appendfsync always at the server";
    JournalUntilDeploy "journal_until_deploy" Warn {}
        "un mail confirmé est sur le système de fichiers du conteneur\u{a0}: le prochain déploiement l'efface, comme \
         ALLOW_EPHEMERAL_JOURNAL l'accepte",
        "an acknowledged mail lies on the container's own file system: the next deploy wipes it, as \
         ALLOW_EPHEMERAL_JOURNAL accepts"
        => "attachez un disque, donnez à DATA_DIR son point de montage, et retirez ALLOW_EPHEMERAL_JOURNAL",
        "attach a disk, set DATA_DIR to its mount path, and remove ALLOW_EPHEMERAL_JOURNAL";
    JournalDurabilityUnknown "journal_durability_unknown" Warn {}
        "le serveur ne dit pas si les mails confirmés sont sur son disque",
        "the server does not tell whether acknowledged mails are on its disk"
        => "assurez-vous qu'il a appendonly yes, et maxmemory-policy noeviction",
        "make sure that it has appendonly yes, and maxmemory-policy noeviction";
    JournalInMemory "journal_in_memory" Warn {}
        "un mail confirmé n'est qu'en mémoire\u{a0}: un redémarrage le perd",
        "an acknowledged mail is in memory only: a restart loses it"
        => "gardez le journal dans un fichier ou dans Redis", "keep the journal in a file or in Redis";
    JournalRefuses "journal_refuses" Fail { trouble: RecordedWords }
        "les mails restent dans la boîte, le journal ne les prend pas\u{a0}: {trouble}",
        "mails stay in the mailbox, the journal does not take them: {trouble}";
    CommitsLost "commits_lost" Warn { seconds: i64, known_position: u64, found_position: u64 }
        "le serveur a perdu des écritures confirmées il y a {seconds} s\u{a0}: il en était à la position \
         {known_position}, il est revenu à {found_position}",
        "the server lost acknowledged commits {seconds} s ago: it was at position {known_position}, it came back \
         at {found_position}";
    WorkerDiffers "worker_differs" Warn { worker: String, settings: Names }
        "{worker} n'a pas les mêmes {settings} que ce processus",
        "{worker} has another {settings} than this worker"
        => "donnez le même environnement à tous les processus d'un journal",
        "give all workers of a journal the same environment";
    EnvironmentDiffers "environment_differs" Warn { worker: String, settings: Names }
        "{worker} n'a pas les mêmes {settings} que cet environnement",
        "{worker} has another {settings} than this environment"
        => "donnez le même environnement à tous les processus d'un journal",
        "give all workers of a journal the same environment";
    JournalNotYet "journal_not_yet" Ok { place: String }
        "{place} n'existe pas encore\u{a0}; le premier démarrage le crée",
        "{place} does not exist yet; the first start creates it";
    JournalHolds "journal_holds" Ok { place: String, events: u64 }
        "{place} contient {events} événements", "{place} holds {events} events";
    JournalUnusable "journal_unusable" Fail { why: RecordedWords } "{why}", "{why}"
        => "voyez « It does not start » dans docs/RUNBOOK.md", "see \"It does not start\" in docs/RUNBOOK.md";
    JournalEphemeral "journal_ephemeral" Fail { folder: String }
        "le journal dans {folder} est sur le système de fichiers du conteneur, que le prochain déploiement efface\u{a0}: \
         les mails qui attendent seraient oubliés. Attachez un disque et donnez à DATA_DIR son point de montage, ou \
         acceptez la perte avec ALLOW_EPHEMERAL_JOURNAL=1",
        "the journal in {folder} lies on the container's own file system, which the next deploy wipes: mails that \
         wait would be forgotten. Attach a disk and set DATA_DIR to its mount path, or accept the loss with \
         ALLOW_EPHEMERAL_JOURNAL=1"
        => "attachez un disque", "attach a disk";

    // The mailbox.
    MailboxWell "mailbox_well" Ok { mailbox: String, phase: Phase, reason: Aside }
        "la boîte va bien\u{a0}: {phase}{reason}", "the mailbox is well: {phase}{reason}";
    MailboxUnreachable "mailbox_unreachable" Warn { mailbox: String, phase: Phase, reason: Aside, failures: u32 }
        "la boîte est injoignable pour l'instant\u{a0}: {phase}{reason}",
        "the mailbox cannot be reached at the moment: {phase}{reason}";
    MailboxSilent "mailbox_silent" Fail { mailbox: String, phase: Phase, reason: Aside }
        "la boîte est devenue muette\u{a0}: {phase}{reason}", "the mailbox has gone silent: {phase}{reason}";
    ServerSpoke "server_spoke" Ok { seconds: i64 }
        "le serveur a parlé il y a {seconds} s", "the server spoke {seconds} s ago";
    ServerNotHeard "server_not_heard" Ok {}
        "le serveur n'a pas encore parlé", "the server has not spoken yet";
    MailsWait "mails_wait" Ok { mails: u64 }
        "{mails} mails attendent dans la boîte", "{mails} mails wait in the mailbox";
    MailsWaitSince "mails_wait_since" Ok { mails: u64, seconds: i64 }
        "{mails} mails attendent dans la boîte, le plus ancien depuis {seconds} s",
        "{mails} mails wait in the mailbox, the oldest for {seconds} s";
    PollingOff "polling_off" Ok {}
        "les tâches de fond sont désactivées\u{a0}: ce processus ne relève pas",
        "background tasks are switched off: this worker does not poll";
    PollsNothing "polls_nothing" Ok {} "ce processus ne relève pas", "this worker does not poll";
    MailboxMissing "mailbox_missing" Warn {}
        "il n'y a pas de boîte, donc rien n'est relevé\u{a0}: EMAIL_ADDRESS, EMAIL_PASSWORD et IMAP_SERVER ne sont pas \
         définis",
        "there is no mailbox, so nothing is polled: EMAIL_ADDRESS, EMAIL_PASSWORD and IMAP_SERVER are not set"
        => "définissez EMAIL_ADDRESS, EMAIL_PASSWORD et IMAP_SERVER, ou MAIL_SOURCE",
        "set EMAIL_ADDRESS, EMAIL_PASSWORD and IMAP_SERVER, or MAIL_SOURCE";
    MailboxDeclined "mailbox_declined" Warn {}
        "il n'y a pas de boîte, donc rien n'est relevé\u{a0}: MAIL_SOURCE le dit",
        "there is no mailbox, so nothing is polled: MAIL_SOURCE says so";
    MailboxOpened "mailbox_opened" Ok { mailbox: String, mails: u64 }
        "{mailbox}\u{a0}: ouverte, {mails} mails", "{mailbox}: opened, {mails} mails";
    MailboxFails "mailbox_fails" Fail { mailbox: String, why: Said }
        "{mailbox}\u{a0}: {why}", "{mailbox}: {why}"
        => "vérifiez IMAP_SERVER, IMAP_PORT, IMAP_SECURITY, EMAIL_ADDRESS et EMAIL_PASSWORD (ou le chemin de \
            MAIL_SOURCE), et qu'un pare-feu vous laisse sortir",
        "check IMAP_SERVER, IMAP_PORT, IMAP_SECURITY, EMAIL_ADDRESS and EMAIL_PASSWORD (or the path of \
         MAIL_SOURCE), and that a firewall lets you out";

    // Access tokens.
    OauthWell "oauth_well" Ok { provider: String, minutes: i64 }
        "{provider} a donné un jeton d'accès, valable encore {minutes} min",
        "{provider} gave an access token, which counts for {minutes} min more";
    OauthIdle "oauth_idle" Ok { provider: String }
        "aucun jeton d'accès n'a encore été demandé à {provider}", "no access token was asked of {provider} yet";
    OauthAway "oauth_away" Warn { provider: String, why: RecordedWords }
        "{provider} ne donne pas de jeton d'accès pour l'instant\u{a0}: {why}",
        "{provider} gives no access token at the moment: {why}"
        => "rien à faire si cela passe\u{a0}; sinon vérifiez qu'un pare-feu vous laisse sortir, et IMAP_OAUTH_TOKEN_URL",
        "nothing, if it passes; else check that a firewall lets you out, and IMAP_OAUTH_TOKEN_URL";
    OauthRevoked "oauth_revoked" Fail { provider: String, why: String }
        "l'autorisation de lire la boîte a été retirée ou a expiré, {provider} le dit ({why})\u{a0}: les mails attendent dans la \
         boîte, rien n'est perdu",
        "the permission to read the mailbox was withdrawn or has run out, as {provider} says ({why}): mails wait in \
         the mailbox, nothing is lost"
        => "redonnez-la avec « render-signal oauth authorize », mettez le nouveau jeton dans IMAP_OAUTH_REFRESH_TOKEN et \
            redémarrez (docs/OAUTH.md)",
        "give it anew with `render-signal oauth authorize`, put the new token into IMAP_OAUTH_REFRESH_TOKEN, and \
         restart (docs/OAUTH.md)";
    OauthRefused "oauth_refused" Fail { provider: String, why: String }
        "{provider} n'accepte pas les réglages OAuth2 ({why})\u{a0}: les mails attendent dans la boîte, rien n'est perdu",
        "{provider} does not accept the OAuth2 settings ({why}): mails wait in the mailbox, nothing is lost"
        => "vérifiez IMAP_OAUTH_CLIENT_ID, IMAP_OAUTH_CLIENT_SECRET, IMAP_OAUTH_TENANT et IMAP_OAUTH_SCOPE",
        "check IMAP_OAUTH_CLIENT_ID, IMAP_OAUTH_CLIENT_SECRET, IMAP_OAUTH_TENANT and IMAP_OAUTH_SCOPE";
    OauthNotKept "oauth_not_kept" Warn { provider: String, why: String }
        "{provider} a donné un nouveau jeton de renouvellement qui n'a pas pu être gardé\u{a0}: {why}",
        "{provider} gave another refresh token, which could not be kept: {why}"
        => "faites de la place dans DATA_DIR, ou rendez-le accessible en écriture\u{a0}; le jeton est gardé au prochain renouvellement",
        "make room in DATA_DIR, or let it be written; the token is kept at the next renewal";
    OauthIncomplete "oauth_incomplete" Warn {}
        "IMAP_OAUTH_CLIENT_ID et IMAP_OAUTH_REFRESH_TOKEN vont ensemble\u{a0}: l'un est défini, l'autre ne l'est pas",
        "IMAP_OAUTH_CLIENT_ID and IMAP_OAUTH_REFRESH_TOKEN belong together: one is set, the other is not";
    OauthCheckWell "oauth_check_well" Ok { hours: i64 }
        "le dernier contrôle de l'accès OAuth2, il y a {hours} h, a réussi",
        "the last check of the OAuth2 access, {hours} h ago, went well";
    OauthCheckOff "oauth_check_off" Ok {}
        "l'accès OAuth2 n'est pas contrôlé\u{a0}: GMAIL_OAUTH_CHECK_INTERVAL_DAYS le dit",
        "the OAuth2 access is not checked: GMAIL_OAUTH_CHECK_INTERVAL_DAYS says so";
    OauthCheckNotYet "oauth_check_not_yet" Ok {}
        "l'accès OAuth2 n'a pas encore été contrôlé", "the OAuth2 access was not checked yet";
    OauthCheckNever "oauth_check_never" Warn {}
        "l'accès OAuth2 n'a jamais été contrôlé", "the OAuth2 access was never checked"
        => "un processus qui relève la boîte le fait de lui-même\u{a0}; sinon «\u{a0}render-signal oauth check --record\u{a0}»",
        "a worker that polls the mailbox does it by itself; else `render-signal oauth check --record`";
    OauthCheckLate "oauth_check_late" Warn { hours: i64, days: i64 }
        "le dernier contrôle de l'accès OAuth2 date de {hours} h, alors qu'il se fait tous les {days} jours",
        "the last check of the OAuth2 access was {hours} h ago, and there is one every {days} days"
        => "un processus qui relève la boîte le fait de lui-même\u{a0}; sinon «\u{a0}render-signal oauth check --record\u{a0}»",
        "a worker that polls the mailbox does it by itself; else `render-signal oauth check --record`";
    OauthCheckFailed "oauth_check_failed" Warn { hours: i64, why: String }
        "le dernier contrôle de l'accès OAuth2, il y a {hours} h, a échoué\u{a0}: {why}",
        "the last check of the OAuth2 access, {hours} h ago, failed: {why}"
        => "«\u{a0}render-signal oauth check\u{a0}» dit où on en est\u{a0}; si l'autorisation manque, «\u{a0}render-signal oauth \
            authorize\u{a0}» la redonne (docs/OAUTH.md)",
        "`render-signal oauth check` says how it is now; if the permission is gone, `render-signal oauth authorize` \
         gives it anew (docs/OAUTH.md)";
    OauthCheckTrouble "oauth_check_trouble" Warn { why: String }
        "les fichiers du contrôle OAuth2 ne sont pas utilisables\u{a0}: {why}",
        "the files of the OAuth2 check cannot be used: {why}"
        => "donnez à GMAIL_OAUTH_CHECK_DIR un dossier où l'on peut lire et écrire",
        "set GMAIL_OAUTH_CHECK_DIR to a folder that can be read and written";

    // The right to poll.
    ThisWorkerPolls "this_worker_polls" Ok {} "ce processus relève", "this worker polls";
    Standby "standby" Ok { holder: String } "en réserve\u{a0}: {holder} relève", "standby: {holder} polls";
    StandbySince "standby_since" Ok { holder: String, seconds: i64 }
        "en réserve\u{a0}: {holder} relevait il y a {seconds} s", "standby: {holder} polled {seconds} s ago";
    NobodyPolls "nobody_polls" Ok { seconds: i64 }
        "en réserve\u{a0}: personne ne relève que l'on sache, le dernier a été vu il y a {seconds} s",
        "standby: nobody is known to poll, a holder was last seen {seconds} s ago";
    NobodyPollsYet "nobody_polls_yet" Ok {}
        "en réserve\u{a0}: personne ne relève encore que l'on sache", "standby: nobody is known to poll yet";
    PolledByNoWorker "polled_by_no_worker" Warn {}
        "aucun processus de cette installation ne relève la boîte\u{a0}: les mails y restent",
        "no worker of this installation polls the mailbox: mails stay in it"
        => "un autre programme tient peut-être le bail\u{a0}: donnez à chaque installation son BG_POLLER_LOCK_FILE \
            (ou son préfixe dans Redis), et vérifiez ENABLE_BACKGROUND_TASKS",
        "another program may hold the lease: give each installation its own BG_POLLER_LOCK_FILE (or prefix in \
         Redis), and check ENABLE_BACKGROUND_TASKS";
    LeaseUnconfirmed "lease_unconfirmed" Warn { since: DayTime, why: String }
        "le bail ne peut pas être confirmé depuis {since} UTC\u{a0}: {why}",
        "the lease cannot be confirmed since {since} UTC: {why}";
    LeaseNotTaken "lease_not_taken" Warn { since: DayTime, why: String }
        "le bail ne peut pas être pris depuis {since} UTC\u{a0}: {why}",
        "the lease cannot be taken since {since} UTC: {why}";
    LeaseWarning "lease_warning" Warn { warning: Said } "{warning}", "{warning}";

    // The documents.
    DocumentsValid "documents_valid" Ok {}
        "chaque document est valide ou absent", "every document is valid or absent";
    StandsStill "stands_still" Fail { what: Vec<Said> }
        "{what} jusqu'à correction, puisqu'il n'y a pas de bonne version avant",
        "{what} until this is mended, since there is no good version before it";
    DocumentProblem "document_problem" Warn { document: String, problem: FieldProblem }
        "{document}\u{a0}: {problem}", "{document}: {problem}";
    DocumentRemark "document_remark" Warn { document: String, remark: Said }
        "{document}\u{a0}: {remark}", "{document}: {remark}";
    DocumentOff "document_off" Warn { document: String }
        "{document}\u{a0}: il est refusé, mais son interrupteur dit non, ce qui est respecté",
        "{document}: it is refused, but its switch says off, which is obeyed"
        => "corrigez le document", "mend the document";
    PreferenceRemark "preference_remark" Warn { remark: Said } "{remark}", "{remark}"
        => "changez le document ou la variable", "change the document or the variable";
    StoreSilent "store_silent" Warn { store: &'static str, trouble: String }
        "{store} ne répond pas\u{a0}: {trouble}", "{store} does not answer: {trouble}";
    StoreBehind "store_behind" Warn { store: &'static str, documents: Names }
        "{store} doit encore recevoir {documents}", "{store} must still be given {documents}";
    DocumentsInConflict "documents_in_conflict" Warn { documents: Names }
        "deux changements attendent une décision\u{a0}: {documents}", "two changes wait for a decision: {documents}"
        => "config resolve DOCUMENT --keep authority|pending", "config resolve DOCUMENT --keep authority|pending";
    WorkersRun "workers_run" Ok { running: usize, workers: usize }
        "{running} processus sur {workers} emploient les documents stockés",
        "{running} of {workers} workers run the stored documents";
    DocumentRefused "document_refused" Fail { document: String, problem: FieldProblem, mend: Said }
        "{problem}", "{problem}" => "{mend}", "{mend}";
    DocumentStops "document_stops" Fail { document: String, problem: FieldProblem, what: Said, mend: Said }
        "{problem} ({what} jusqu'à correction\u{a0}: il n'y a pas de bonne version avant)",
        "{problem} ({what} until it is mended: there is no good version before it)"
        => "{mend}", "{mend}";
    DocumentMissing "document_missing" Warn { document: String, problem: FieldProblem } "{problem}", "{problem}"
        => "config history {document}, puis config restore {document} VERSION, ou config remove {document}",
        "config history {document}, then config restore {document} VERSION, or config remove {document}";
    FieldIdle "field_idle" Warn { document: String, remark: Said } "{remark}", "{remark}"
        => "config set {document} --unset CHAMP, si ce n'est pas voulu",
        "config set {document} --unset FIELD, if it is not meant";
    DocumentsSound "documents_sound" Ok { places: InTurn } "{places}\u{a0}: valides", "{places}: valid";
    SomeAbsent "some_absent" Ok { documents: Names }
        "absents, donc l'environnement ou une valeur par défaut décide\u{a0}: {documents}",
        "absent, so the environment or a built-in default decides: {documents}";
    AnySender "any_sender" Warn {}
        "les mails de tout expéditeur comptent", "mails of every sender count"
        => "nommez ceux qui comptent dans polling_config ou SENDER_OF_INTEREST_FOR_POLLING",
        "name those that matter in polling_config or SENDER_OF_INTEREST_FOR_POLLING";
    SendersListed "senders_listed" Ok { count: usize }
        "{count} adresses sont acceptées", "{count} addresses are accepted";

    // Redis.
    RedisKeeps "redis_keeps" Ok {}
        "rien de ce qui est à nous n'est effacé quand la mémoire du serveur est pleine",
        "nothing of ours is deleted when the memory of the server is full";
    RedisNotKnown "redis_not_known" Ok { servers: Names }
        "on ne sait pas encore ce qui arrive quand sa mémoire est pleine\u{a0}: {servers}",
        "it is not known yet what happens when its memory is full: {servers}";
    RedisDeletes "redis_deletes" Warn { server: &'static str, policy: String, kept: Vec<Said> }
        "{server}\u{a0}: maxmemory-policy est {policy}\u{a0}: quand la mémoire du serveur est pleine, il efface {kept}. \
         Mettez noeviction",
        "{server}: maxmemory-policy is {policy}: when the server's memory is full it deletes {kept}. Set it to \
         noeviction"
        => "c'est un réglage du serveur, ou de la plateforme qui le fait tourner",
        "it is a setting of the server, or of the platform that runs it";
    RedisDeletesLease "redis_deletes_lease" Warn { server: &'static str, policy: String }
        "{server}\u{a0}: maxmemory-policy est {policy}\u{a0}: quand la mémoire du serveur est pleine, il peut effacer le bail \
         de relève\u{a0}; un autre processus relève alors, et rien n'est perdu. Mettez noeviction",
        "{server}: maxmemory-policy is {policy}: when the server's memory is full it may delete the polling lease; \
         another worker polls then, and nothing is lost. Set it to noeviction"
        => "c'est un réglage du serveur, ou de la plateforme qui le fait tourner",
        "it is a setting of the server, or of the platform that runs it";
    RedisDoesNotTell "redis_does_not_tell" Warn { server: &'static str, kept: Vec<Said> }
        "{server}\u{a0}: le serveur ne dit pas sa maxmemory-policy\u{a0}: assurez-vous que c'est noeviction, sinon il peut \
         effacer {kept}",
        "{server}: the server does not tell its maxmemory-policy: make sure that it is noeviction, or it may delete \
         {kept}"
        => "c'est un réglage du serveur, ou de la plateforme qui le fait tourner",
        "it is a setting of the server, or of the platform that runs it";
    RedisSilent "redis_silent" Fail { server: &'static str, why: String } "{why}", "{why}"
        => "vérifiez l'adresse, et que le serveur tourne", "check the address, and that the server runs";

    // Copies of linked files.
    CopiesFlow "copies_flow" Ok {}
        "aucun mail n'attend une copie qui ne peut être faite", "no mail waits for a copy that cannot be made";
    MailsWaitForCopies "mails_wait_for_copies" Warn { mails: usize, why: String }
        "{mails} mails attendent les copies de leurs liens (R2_RETRY_SECONDS)\u{a0}: {why}",
        "{mails} mails wait for copies of their links (R2_RETRY_SECONDS): {why}";
    ListUsable "list_usable" Ok { file: String }
        "{file} peut être lu et écrit", "{file} can be read and written";
    ListNotYet "list_not_yet" Ok { file: String }
        "{file} n'existe pas encore\u{a0}; la première copie le crée",
        "{file} does not exist yet; the first copy creates it";
    ListTrouble "list_trouble" Warn { trouble: String } "{trouble}", "{trouble}"
        => "donnez à WEBHOOK_LINKS_FILE un endroit où l'on peut écrire\u{a0}; une liste abîmée est mise de côté et réécrite",
        "set WEBHOOK_LINKS_FILE to a place that can be written; a damaged list is put aside and written anew";
    BucketOpens "bucket_opens" Ok { bucket: String }
        "{bucket}\u{a0}: il est là, et le jeton l'ouvre", "{bucket}: there, and the token opens it";
    BucketFails "bucket_fails" Fail { bucket: String, why: Said } "{bucket}\u{a0}: {why}", "{bucket}: {why}"
        => "vérifiez R2_ACCOUNT_ID (ou R2_ENDPOINT_URL), R2_BUCKET_NAME, et que le jeton de R2_ACCESS_KEY_ID peut lire \
            et écrire ses objets",
        "check R2_ACCOUNT_ID (or R2_ENDPOINT_URL), R2_BUCKET_NAME, and that the token of R2_ACCESS_KEY_ID may read \
         and write its objects";

    // What leaves the journal.
    Dropped "dropped" Ok { minutes: i64 }
        "ce qui ne se garde plus a été effacé il y a {minutes} min",
        "what is kept no longer was dropped {minutes} min ago";
    DroppedLate "dropped_late" Warn { minutes: i64 }
        "ce qui ne se garde plus a été effacé il y a {minutes} min",
        "what is kept no longer was dropped {minutes} min ago";
    NotDroppedYet "not_dropped_yet" Ok {}
        "ce qui ne se garde plus n'a pas encore été effacé depuis le démarrage",
        "what is kept no longer was not dropped yet since the start";
    NotDroppedForLong "not_dropped_for_long" Warn {}
        "ce qui ne se garde plus n'a pas encore été effacé depuis le démarrage",
        "what is kept no longer was not dropped yet since the start";
    RetentionTrouble "retention_trouble" Warn { why: String } "{why}", "{why}";
    ArchiveEphemeral "archive_ephemeral" Warn { folder: String }
        "{folder} serait effacé par le prochain déploiement, donc rien ne quitte le journal\u{a0}; définissez \
         JOURNAL_ARCHIVE_BUCKET, ou attachez un disque et définissez JOURNAL_ARCHIVE_DIR, ou mettez \
         JOURNAL_RETENTION_DAYS=0",
        "{folder} would be wiped by the next deploy, so nothing is moved out of the journal; set \
         JOURNAL_ARCHIVE_BUCKET, or attach a disk and set JOURNAL_ARCHIVE_DIR, or set JOURNAL_RETENTION_DAYS=0"
        => "voyez « Old events » dans docs/RUNBOOK.md", "see \"Old events\" in docs/RUNBOOK.md";
    ArchiveFolder "archive_folder" Ok { folder: String }
        "les vieux événements vont dans {folder}", "old events go to {folder}";
    ArchiveFolderUnusable "archive_folder_unusable" Warn { folder: String }
        "{folder} n'est pas un dossier où l'on peut écrire\u{a0}: les vieux événements restent dans le journal",
        "{folder} is no folder that can be written: old events stay in the journal"
        => "donnez à JOURNAL_ARCHIVE_DIR un dossier où l'on peut écrire", "set JOURNAL_ARCHIVE_DIR to one that can";
    ArchiveFails "archive_fails" Fail { bucket: String, why: Said } "{bucket}\u{a0}: {why}", "{bucket}: {why}"
        => "vérifiez R2_ACCOUNT_ID (ou R2_ENDPOINT_URL), JOURNAL_ARCHIVE_BUCKET, et que le jeton de R2_ACCESS_KEY_ID \
            peut lire et écrire ses objets",
        "check R2_ACCOUNT_ID (or R2_ENDPOINT_URL), JOURNAL_ARCHIVE_BUCKET, and that the token of R2_ACCESS_KEY_ID may \
         read and write its objects";

    // Deliveries.
    LimitHolds "limit_holds" Warn { webhooks: u64 }
        "la limite d'envois par heure retient {webhooks} webhook(s)",
        "the hourly limit holds {webhooks} webhook(s)"
        => "relevez la limite si ces envois sont pressés\u{a0}; sinon ils partent d'eux-mêmes",
        "raise the limit if they are urgent; otherwise they go out by themselves";
    SendingWithheld "sending_withheld" Warn {}
        "un document de configuration est inutilisable, donc rien n'est envoyé",
        "a configuration document cannot be used, so nothing is sent";
    SendingOff "sending_off" Warn {} "l'envoi est désactivé", "sending is switched off";
    TargetFails "target_fails" Warn { target: String, failures: u32 }
        "{target} échoue ({failures} fois de suite), ses envois attendent",
        "{target} fails ({failures} in a row), its deliveries wait";
    TargetGone "target_gone" Warn { target: String }
        "{target} a dit ne plus exister (410), ses envois attendent",
        "{target} said that it is gone (410), its deliveries wait"
        => "deliveries enable {target}", "deliveries enable {target}";
    DeliveriesLate "deliveries_late" Warn { seconds: i64 }
        "le plus ancien envoi dû a {seconds} s de retard", "the oldest due delivery is {seconds} s late";
    DeliveriesFlow "deliveries_flow" Ok { under_way: usize } "{under_way} en cours", "{under_way} under way";
    TargetAnswers "target_answers" Ok { address: String, at: String }
        "{address} répond à {at}", "{address} answers at {at}";
    TargetNoAddress "target_no_address" Fail { address: String }
        "{address} n'est pas une adresse", "{address} is no address" => "corrigez-la", "correct it";
    TargetSilent "target_silent" Fail { address: String, why: String }
        "{address}\u{a0}: {why}", "{address}: {why}"
        => "vérifiez l'adresse, et qu'un pare-feu vous laisse sortir",
        "check the address, and that a firewall lets you out";
    Unsigned "unsigned" Warn {} "les webhooks ne sont pas signés", "webhooks are not signed"
        => "définissez WEBHOOK_SECRET\u{a0}: echo whsec_$(openssl rand -base64 32)",
        "set WEBHOOK_SECRET: echo whsec_$(openssl rand -base64 32)";

    // The environment.
    EnvironmentReadable "environment_readable" Ok {}
        "chaque variable requise est définie, et toutes sont lisibles",
        "every required variable is set, and all can be read";
    VariableWrong "variable_wrong" Fail { variable: &'static str, problem: String, example: String }
        "{problem}", "{problem}" => "par exemple {variable}={example}", "for example {variable}={example}";
    WorkerDoesNotPoll "worker_does_not_poll" Warn { variable: &'static str }
        "ce processus ne relève pas\u{a0}: {variable} le dit", "this worker does not poll: {variable} says so";
    SendersDiffer "senders_differ" Warn { variable: &'static str, others: Names }
        "{variable} et {others} nomment des expéditeurs différents\u{a0}: ceux de {variable} comptent",
        "{variable} and {others} name different senders: those of {variable} count";
    DaysDropped "days_dropped" Warn {}
        "POLLING_ACTIVE_DAYS\u{a0}: ce qui n'est pas un jour (0 = lundi à 6) est ignoré",
        "POLLING_ACTIVE_DAYS: what is not a day (0 = Monday to 6) is dropped";
    InQuotes "in_quotes" Warn { variable: String }
        "{variable} est entre guillemets, qui en font partie\u{a0}: ôtez-les s'ils ne sont pas voulus",
        "{variable} is in quotation marks, which count as part of it: leave them out if they are not meant";
    SetToNothing "set_to_nothing" Warn { variable: &'static str }
        "{variable} est vide, ce qui compte comme non défini",
        "{variable} is set to nothing, which counts as unset";
    SetToNothingMeansOff "set_to_nothing_means_off" Warn { variable: &'static str }
        "{variable} est vide, ce qui veut dire non", "{variable} is set to nothing, which means off";
    NoEffect "no_effect" Warn { variable: &'static str, meaning: &'static str }
        "{variable} est défini mais n'a aucun effet\u{a0}; « doctor --variables » dit lequel en a un",
        "{variable} is set but has no effect ({meaning})";
    RedisAuthoritiesIdle "redis_authorities_idle" Warn {}
        "REDIS_CA_FILE est défini mais n'a aucun effet\u{a0}: aucun serveur rediss:// n'est nommé",
        "REDIS_CA_FILE is set but has no effect: no rediss:// server is named";
    HostWithoutToken "host_without_token" Warn {}
        "EXTERNAL_CONFIG_BASE_URL est défini mais CONFIG_API_TOKEN ne l'est pas\u{a0}: l'hôte n'est pas employé",
        "EXTERNAL_CONFIG_BASE_URL is set but CONFIG_API_TOKEN is not: the host is not used";
    TokenWithoutHost "token_without_host" Warn {}
        "CONFIG_API_TOKEN est défini mais n'a aucun effet\u{a0}: il est pour l'hôte de EXTERNAL_CONFIG_BASE_URL\u{a0}; ce que ce \
         programme sert à /config_api.php demande CONFIG_API_SERVE_TOKEN",
        "CONFIG_API_TOKEN is set but has no effect: it is for the host of EXTERNAL_CONFIG_BASE_URL; what this \
         program serves at /config_api.php needs CONFIG_API_SERVE_TOKEN";
    NetworksIdle "networks_idle" Warn {}
        "CONFIG_API_ALLOW_CIDRS est défini et CONFIG_API_SERVE_TOKEN ne l'est pas\u{a0}: aucun document n'est servi, donc \
         les réseaux ne changent rien",
        "CONFIG_API_ALLOW_CIDRS is set and CONFIG_API_SERVE_TOKEN is not: no document is served, so the networks \
         change nothing";
    CopiedDirectly "copied_directly" Warn {}
        "le Worker R2 et l'accès direct à R2 sont tous deux configurés\u{a0}: les fichiers sont copiés directement (R2_MODE \
         le dit)",
        "the R2 Worker and direct access to R2 are both set up: files are copied directly (R2_MODE says which)";
    CopiesIncomplete "copies_incomplete" Warn { missing: &'static str }
        "R2_FETCH_ENABLED est activé mais {missing} n'est pas défini\u{a0}: les liens sont envoyés tels quels",
        "R2_FETCH_ENABLED is on but {missing} is not set: links are delivered as they are";
    DeployIncomplete "deploy_incomplete" Warn {}
        "RENDER_API_KEY et RENDER_SERVICE_ID déploient ensemble\u{a0}: l'un est défini, l'autre ne l'est pas",
        "RENDER_API_KEY and RENDER_SERVICE_ID deploy together: one is set, the other is not";
    MakeWebhookIncomplete "make_webhook_incomplete" Warn {}
        "MAKE_WEBHOOK_CONTROL_URL et MAKE_WEBHOOK_API_KEY pilotent les scénarios ensemble\u{a0}: l'un est défini, l'autre \
         ne l'est pas",
        "MAKE_WEBHOOK_CONTROL_URL and MAKE_WEBHOOK_API_KEY switch scenarios together: one is set, the other is not";
    ArchiveInBucket "archive_in_bucket" Warn {}
        "JOURNAL_ARCHIVE_BUCKET et JOURNAL_ARCHIVE_DIR sont tous deux définis\u{a0}: les vieux événements vont dans le \
         bucket",
        "JOURNAL_ARCHIVE_BUCKET and JOURNAL_ARCHIVE_DIR are both set: old events go into the bucket";
    WindowFileIgnored "window_file_ignored" Warn { file: String, why: Said }
        "{file} est ignoré\u{a0}: {why}", "{file} is ignored: {why}";
    WindowSideIgnored "window_side_ignored" Warn { file: String, side: String, written: String }
        "{file}\u{a0}: {side} est ignoré\u{a0}: \"{written}\" n'est pas une heure",
        "{file}: {side} is ignored: \"{written}\" is no time of day";
    WindowFileHoldsNothing "window_file_holds_nothing" Warn { file: String }
        "{file} ne retient aucun mail\u{a0}: ses heures sont dites aux destinations là où ni webhook_config ni \
         WEBHOOKS_TIME_START et WEBHOOKS_TIME_END ne nomment de fenêtre",
        "{file} holds no mail back: receivers are told of its times where neither webhook_config nor \
         WEBHOOKS_TIME_START and WEBHOOKS_TIME_END name a window";
}
