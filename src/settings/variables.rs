//! Every environment variable the program knows, in one table (reference section 1).
//!
//! `--help`, the documentation, the start-up errors and the reading itself all use this
//! table, so a default or an alias is written down once.

/// Words that switch something on.
pub(crate) const ON_E: &[&str] = &["1", "true", "yes", "y", "on"];
/// The same without `y`.
pub(crate) const ON_S: &[&str] = &["1", "true", "yes", "on"];
/// The words of `DISABLE_BACKGROUND_TASKS`.
pub(crate) const ON_DISABLE: &[&str] = &["1", "true", "yes"];

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// Any text; never shown.
    Secret,
    /// On for one of these words, off for any other value, the empty one included.
    Switch(&'static [&'static str]),
    /// A whole number within bounds, both inclusive.
    Int(i64, i64),
    /// Texts separated by commas.
    List,
    /// Weekdays separated by commas, 0 = Monday; anything else in the list is dropped.
    Days,
    /// One of these words, in any case.
    Choice(&'static [&'static str]),
    /// A path.
    Path,
    /// An address of a server; a capability, so never shown.
    Url,
    /// The name of a time zone; an unknown one is UTC.
    Zone,
    /// A time of day, `HHhMM` or `HH:MM`.
    Time,
    /// Networks in CIDR notation, separated by commas.
    Networks,
}

impl Kind {
    /// The kind in the words of a manual.
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Secret => "secret".to_owned(),
            Self::Switch(on) => format!("switch: {} = on, anything else = off", on.join("|")),
            Self::Int(min, max) => format!("number, {min} to {max}"),
            Self::List => "list, separated by commas".to_owned(),
            Self::Days => "days 0 to 6, separated by commas, 0 = Monday".to_owned(),
            Self::Choice(words) => words.join("|"),
            Self::Path => "path".to_owned(),
            Self::Url => "address".to_owned(),
            Self::Zone => "IANA time zone".to_owned(),
            Self::Time => "time of day, HHhMM or HH:MM".to_owned(),
            Self::Networks => "networks (CIDR), separated by commas".to_owned(),
        }
    }
}

/// Whether a variable has to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// The service does not start without it.
    Required,
    /// Required, unless mails come from a Maildir.
    RequiredForImap,
    /// Without it, this holds; empty = nothing. A blank value counts as unset, except for
    /// switches.
    Default(&'static str),
    /// Known to the reference system; accepted, checked, and without effect here.
    NoEffect,
}

/// One environment variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variable {
    /// Its name.
    pub(crate) name: &'static str,
    /// Names that are read when the first one is unset or blank.
    pub(crate) aliases: &'static [&'static str],
    /// What a value looks like.
    pub(crate) kind: Kind,
    /// Whether it has to be set.
    pub(crate) need: Need,
    /// A good value, for error messages and manuals.
    pub(crate) example: &'static str,
    /// What it does.
    pub(crate) meaning: &'static str,
}

macro_rules! variables {
    ($( $name:ident $(or $alias:literal)* : $kind:expr, $need:expr, $example:literal, $meaning:literal; )*) => {
        $(
            pub(crate) const $name: Variable = Variable {
                name: stringify!($name),
                aliases: &[$($alias),*],
                kind: $kind,
                need: $need,
                example: $example,
                meaning: $meaning,
            };
        )*
        /// Every variable, in the order of the manual.
        pub(crate) const VARIABLES: &[Variable] = &[$($name),*];
    };
}

use Kind::{Choice, Days, Int, List, Networks, Path, Secret, Switch, Text, Time, Url, Zone};
use Need::{Default, NoEffect, Required, RequiredForImap};

const DAY: i64 = 86_400;
const MANY: i64 = i64::MAX;

variables! {
    // Required at start-up, those of the dashboard and of Make.com for compatibility.
    FLASK_SECRET_KEY: Secret, Required, "a long random text", "signs sessions and sign-in links; has to be set, not used yet";
    TRIGGER_PAGE_PASSWORD or "DASHBOARD_PASSWORD": Secret, Required, "a good password", "password of the dashboard; has to be set, not used yet";
    EMAIL_ADDRESS: Text, RequiredForImap, "me@example.fr", "user name at the IMAP server";
    EMAIL_PASSWORD: Secret, RequiredForImap, "an application password", "password at the IMAP server";
    IMAP_SERVER: Text, RequiredForImap, "imap.example.fr", "host of the IMAP server";
    PROCESS_API_TOKEN: Secret, Required, "a long random text", "token of the processing API; has to be set, not used yet";
    WEBHOOK_URL: Url, Required, "https://hook.eu2.make.com/…", "default target of webhooks, unless webhook_config names one";
    MAKECOM_API_KEY: Secret, Required, "a Make.com API token", "API key of Make.com; has to be set, not used yet";

    // Where mails come from.
    MAIL_SOURCE: Text, Default("imap"), "maildir:/var/mail/me", "imap, or maildir:PATH";
    IMAP_PORT: Int(1, 65_535), Default("993"), "993", "port of the IMAP server";
    IMAP_USE_SSL: Switch(ON_E), Default("true"), "true", "TLS from the first byte; off = STARTTLS, or plain for a loopback host";
    IMAP_SECURITY: Choice(&["tls", "starttls", "plain"]), Default(""), "tls", "how the connection is protected; unset = as IMAP_USE_SSL and the port say; plain for loopback hosts only";
    IMAP_CA_FILE: Path, Default(""), "/etc/ssl/my-ca.pem", "further certificate authorities for the IMAP server (PEM)";
    IMAP_IDLE_REFRESH_SECONDS: Int(1, 1680), Default("120"), "60", "how long the server may be silent while it watches for new mail (IDLE) before the connection is tested; a dead one is noticed 30 s later at the latest";

    // When it looks, and for whom.
    ENABLE_BACKGROUND_TASKS: Switch(ON_E), Default("true"), "true", "this worker may poll";
    DISABLE_BACKGROUND_TASKS: Switch(ON_DISABLE), Default("false"), "1", "this worker never polls";
    SENDER_OF_INTEREST_FOR_POLLING: List, Default(""), "a@example.fr,b@example.fr", "senders whose mails count, unless polling_config names some; none = all";
    POLLING_TIMEZONE: Zone, Default("Europe/Paris"), "Europe/Paris", "zone of schedules, windows and days";
    POLLING_ACTIVE_START_HOUR: Int(0, 23), Default("9"), "9", "first hour of polling, unless polling_config says";
    POLLING_ACTIVE_END_HOUR: Int(0, 24), Default("23"), "23", "first hour without polling, unless polling_config says";
    POLLING_ACTIVE_DAYS: Days, Default("0,1,2,3,4"), "0,1,2,3,4", "days of polling, unless polling_config says";
    EMAIL_POLLING_INTERVAL_SECONDS: Int(1, DAY), Default("30"), "30", "pause between looks when the server cannot push";
    POLLING_INACTIVE_CHECK_INTERVAL_SECONDS: Int(1, DAY), Default("600"), "600", "pause outside the schedule";
    POLLER_LOCK_TTL_SECONDS: Int(3, 3_600), Default("30"), "30", "how long the polling lease outlives its last renewal";
    BG_POLLER_LOCK_FILE: Path, Default(""), "/run/render-signal/poller.lock", "file of the polling lease where there is no Redis; unset = DATA_DIR/poller.lock";
    ENABLE_SUBJECT_GROUP_DEDUP: Switch(ON_E), Default("false"), "true", "of the mails with one lot, or one subject, in a month only the first is sent, unless polling_config says";
    SUBJECT_GROUP_TTL_SECONDS: Int(0, 10 * 365 * DAY), Default("0"), "86400", "how long a subject group stays taken, within its month; 0 = to the end of the month";
    DISABLE_EMAIL_ID_DEDUP: Switch(ON_E), Default("false"), "false", "admit a mail again that was admitted before, unless runtime_flags says";

    // What is sent, and when.
    WEBHOOK_SECRET: Secret, Default(""), "whsec_ and 32 random bytes in base64", "signs webhooks (Standard Webhooks); two, separated by a blank or a comma, while rotating: the new one first";
    WEBHOOK_CA_FILE: Path, Default(""), "/etc/ssl/my-ca.pem", "further certificate authorities for targets of webhooks (PEM)";
    WEBHOOK_SENDING_ENABLED: Switch(ON_S), Default("true"), "true", "off = mails are held, unless webhook_config says";
    WEBHOOK_SSL_VERIFY: Switch(ON_E), Default("true"), "true", "certificates of targets are checked, unless webhook_config says";
    WEBHOOKS_TIME_START or "WEBHOOK_TIME_START": Time, Default(""), "9h00", "start of the delivery window, unless webhook_config says";
    WEBHOOKS_TIME_END or "WEBHOOK_TIME_END": Time, Default(""), "18h00", "end of the delivery window, unless webhook_config says";
    ALLOW_CUSTOM_WEBHOOK_WITHOUT_LINKS: Switch(ON_E), Default("false"), "false", "deliver mails without links, too, unless runtime_flags says";
    NOTIFY_WEBHOOK_URL: Url, Default(""), "https://hooks.example.fr/alerts", "where a delivery that was given up is told, when processing_prefs says notify_on_failure";
    EGRESS_ALLOW_CIDRS: Networks, Default(""), "127.0.0.0/8,10.0.0.0/8", "private or loopback networks that targets may lie in, http:// included; links of mails get there only under a file service's own name, never by a redirection elsewhere";

    // Copies of linked files.
    R2_FETCH_ENABLED: Switch(ON_S), Default("false"), "true", "linked files go through the R2 Worker";
    R2_FETCH_ENDPOINT: Url, Default(""), "https://r2-fetch.example.workers.dev", "address of the R2 Worker";
    R2_FETCH_TOKEN: Secret, Default(""), "a long random text", "token of the R2 Worker";
    R2_BUCKET_NAME: Text, Default(""), "deliveries", "bucket of the copies; told to the R2 Worker, or used directly";
    R2_PUBLIC_BASE_URL: Url, Default(""), "https://media.example.fr", "where copies must lie; with the R2 Worker, unset = anywhere reachable by https; directly, where the bucket can be read from";
    R2_MODE: Choice(&["worker", "direct"]), Default(""), "direct", "who copies linked files; unset = directly if R2_ACCOUNT_ID, R2_ACCESS_KEY_ID or R2_SECRET_ACCESS_KEY is set, and not for JOURNAL_ARCHIVE_BUCKET only: then the Worker if it is set up, and nobody without R2_BUCKET_NAME";
    R2_ACCOUNT_ID: Text, Default(""), "0123456789abcdef0123456789abcdef", "account of the buckets; files are copied without a Worker (see R2_MODE)";
    R2_ACCESS_KEY_ID: Text, Default(""), "the id of an R2 API token", "id of an R2 API token that may read and write objects of the buckets";
    R2_SECRET_ACCESS_KEY: Secret, Default(""), "the secret of that token", "secret of that token";
    R2_ENDPOINT_URL: Url, Default(""), "https://0123456789abcdef0123456789abcdef.eu.r2.cloudflarestorage.com", "S3 address of R2, for a jurisdiction; unset = https://R2_ACCOUNT_ID.r2.cloudflarestorage.com";
    R2_MAX_FILE_BYTES: Int(1, 83_886_080_000), Default("10737418240"), "2147483648", "directly: a longer file is not copied, its link is sent as it is";
    R2_TRANSFER_MAX_SECONDS: Int(30, 14_400), Default("1800"), "600", "directly: a file that takes longer is not copied, its link is sent as it is; so is that of one that waits longer for its turn: the mail waits twice as long at most";
    R2_RETENTION_HOURS: Int(0, 87_600), Default("24"), "24", "how long a copy lies in R2: directly, it is deleted then; with the Worker, as the Worker does it. A link whose copy stays for two hours more is not copied again. 0 = for ever";

    WEBHOOK_LINKS_FILE: Path, Default("deployment/data/webhook_links.json"), "/var/data/webhook_links.json", "list of the copies, shared with the PHP pages; written from the journal";
    R2_LINKS_MAX_ENTRIES: Int(0, 1_000_000), Default("1000"), "1000", "entries in that list, the oldest make room; 0 = any number";
    JSON_LOG_MAX_BYTES: Int(0, 1_073_741_824), Default("5242880"), "5242880", "size of that list in bytes; a longer one is put into an archive beside it; 0 = any size";

    // Where things are kept.
    DATA_DIR: Path, Default("data"), "/var/lib/render-signal", "folder of the journal and the lease";
    CONFIG_DIR: Path, Default("debug"), "debug", "folder of the configuration documents";
    REDIS_URL: Secret, Default(""), "redis://:password@host:6379/0", "Redis or Valkey server (rediss:// = TLS), shared by all workers: keeps the configuration documents, the polling lease, and the journal unless JOURNAL_URL names another place";
    REDIS_CA_FILE: Path, Default(""), "/etc/ssl/my-ca.pem", "the only certificate authorities that are believed for a rediss:// server (PEM); unset = the public ones";
    CONFIG_STORE_REDIS_PREFIX: Text, Default("r:ss:config:"), "r:ss:config:", "before the keys of the configuration in Redis";
    CONFIG_STORE_DISABLE_REDIS: Switch(ON_E), Default("false"), "true", "configuration documents are not in Redis";
    EXTERNAL_CONFIG_BASE_URL: Url, Default(""), "https://config.example.fr", "host whose config_api.php keeps the configuration documents; CONFIG_DIR has what it does not";
    CONFIG_API_TOKEN: Secret, Default(""), "a long random text", "token of that config_api.php, and of the one that this program serves; without it, ours is not served";
    CONFIG_STORE_MODE: Text, Default("redis_first"), "php_first", "which store of configuration documents has the last word: redis_first (Redis, then the PHP host) or php_first; files come last";
    MAGIC_LINK_TOKENS_FILE: Path, Default(""), "debug/magic_links.json", "file of the sign-in links; unset = CONFIG_DIR/magic_links.json";
    JOURNAL_URL: Text, Default(""), "sqlite:data/render-signal.db", "the journal: sqlite:PATH, redis://… or rediss://…; unset = REDIS_URL, or without that sqlite:DATA_DIR/render-signal.db";
    ALLOW_EPHEMERAL_JOURNAL: Switch(ON_E), Default("false"), "1", "accept a journal on a disk that the next deploy wipes";
    JOURNAL_RETENTION_DAYS: Int(0, 36_500), Default("365"), "365", "events of settled mails that are older are moved out of the journal into JOURNAL_ARCHIVE_DIR or JOURNAL_ARCHIVE_BUCKET; 31 at least, 0 = they stay";
    JOURNAL_ARCHIVE_DIR: Path, Default(""), "/var/lib/render-signal/archive", "folder of archived events (JSON Lines); unset = DATA_DIR/archive";
    JOURNAL_ARCHIVE_BUCKET: Text, Default(""), "render-signal-archive", "private bucket of archived events, instead of that folder; needs R2_ACCOUNT_ID, R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY, and is never R2_BUCKET_NAME";
    MAIL_RETENTION_DAYS: Int(1, 3_650), Default("7"), "7", "how long bodies are kept for redelivery";

    // The process.
    PORT: Int(0, 65_535), Default("8000"), "8000", "port of the HTTP server; 0 = any free one";
    BIND: Text, Default("0.0.0.0"), "127.0.0.1", "address of the HTTP server";
    WORKER_NAME: Text, Default(""), "worker-1", "name of this worker; unset = the host's";
    LOG_LEVEL or "FLASK_LOG_LEVEL": Text, Default(""), "info", "error, warn, info, debug or trace; Python's names are understood, an unknown one is info";
    LOG_FORMAT: Choice(&["text", "json"]), Default("text"), "json", "how log lines look";
    RENDER: Text, Default(""), "true", "set by Render: several containers and a disk that a deploy wipes are possible";

    // Known, without effect.
    HTTPS_PROXY or "https_proxy": Secret, NoEffect, "http://proxy.example.fr:3128", "every request goes to its server directly: what is let out is decided by the address that is connected to";
    HTTP_PROXY or "http_proxy": Secret, NoEffect, "http://proxy.example.fr:3128", "as HTTPS_PROXY";
    ALL_PROXY or "all_proxy": Secret, NoEffect, "socks5://proxy.example.fr:1080", "as HTTPS_PROXY";
    TRIGGER_PAGE_USER or "DASHBOARD_USER": Text, NoEffect, "admin", "user name of the dashboard";
    RENDER_API_KEY: Secret, NoEffect, "rnd_…", "deploys through Render";
    RENDER_SERVICE_ID: Text, NoEffect, "srv-…", "deploys through Render";
    RENDER_DEPLOY_CLEAR_CACHE: Text, NoEffect, "do_not_clear", "deploys through Render";
    RENDER_DEPLOY_HOOK_URL: Secret, NoEffect, "https://api.render.com/deploy/…", "deploys through Render";
    RESTART_CMD: Text, NoEffect, "systemctl restart render-signal", "restart from the dashboard";
    DEPLOY_CMD: Text, NoEffect, "systemctl reload render-signal", "deploy from the dashboard";
    MAKE_SCENARIO_ID_AUTOREPONDEUR: Int(0, MANY), NoEffect, "7448207", "Make.com scenario";
    MAKE_SCENARIO_ID_RECADRAGE: Int(0, MANY), NoEffect, "6649843", "Make.com scenario";
    MAKE_WEBHOOK_CONTROL_URL: Secret, NoEffect, "https://hook.eu2.make.com/…", "Make.com scenarios by webhook";
    MAKE_WEBHOOK_API_KEY: Secret, NoEffect, "a key", "Make.com scenarios by webhook";
    MAKE_API_HOST: Text, NoEffect, "eu1.make.com", "Make.com API";
    MAKE_API_AUTH_TYPE: Text, NoEffect, "Token", "Make.com API";
    MAKE_API_ORG_ID: Text, NoEffect, "12345", "Make.com API";
    MAGIC_LINK_TTL_SECONDS: Int(0, MANY), NoEffect, "900", "life of a sign-in link";
    PROCESSED_EMAIL_IDS_REDIS_KEY: Text, NoEffect, "r:ss:processed_email_ids:v1", "mails known to the reference system";
    PROCESSED_SUBJECT_GROUPS_REDIS_KEY: Text, NoEffect, "r:ss:processed_subject_groups:v1", "subject groups known to the reference system";
    SUBJECT_GROUP_REDIS_PREFIX: Text, NoEffect, "r:ss:subject_group_ttl:", "subject groups known to the reference system";
    CORS_ALLOWED_ORIGINS: List, NoEffect, "https://example.fr", "origins that may call the test API";
    TEST_API_KEY: Secret, NoEffect, "a long random text", "key of the test API";
}
