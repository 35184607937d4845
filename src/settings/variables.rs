//! Every environment variable the program knows, in one table: those of the reference system, under
//! their names (reference section 1), and our own.
//!
//! `--help`, the documentation, the start-up errors and the reading itself all use this
//! table, so a default or an alias is written down once.

/// Words that switch something on.
pub(crate) const ON_E: &[&str] = &["1", "true", "yes", "y", "on"];
/// The same without `y`.
pub(crate) const ON_S: &[&str] = &["1", "true", "yes", "on"];
/// The words of `DISABLE_BACKGROUND_TASKS`.
pub(crate) const ON_DISABLE: &[&str] = &["1", "true", "yes"];

/// Words that switch something off, whatever switches it on. An empty text does, too, as in
/// the reference system; see [`VariableKind::Protection`] for where it does not.
pub(crate) const OFF: &[&str] = &["0", "false", "no", "n", "off"];

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VariableKind {
    /// Any text.
    Text,
    /// Any text; never shown.
    Secret,
    /// On for one of these words, off for one of [`OFF`] and for an empty text; anything else
    /// is malformed.
    Switch(&'static [&'static str]),
    /// A switch that protects: an empty text counts as unset, so that nothing is switched off
    /// by accident.
    Protection(&'static [&'static str]),
    /// A whole number within bounds, both inclusive.
    Int(i64, i64),
    /// Texts separated by commas.
    List,
    /// Weekdays separated by commas, 0 = Monday; anything else in the list is dropped.
    Days,
    /// One of these words, in any case.
    Choice(&'static [&'static str]),
    Path,
    /// Who may read and write a file, in octal digits.
    Mode,
    /// An address of a server; a capability, so never shown.
    Url,
    /// The name of a time zone.
    Zone,
    /// A time of day, `HHhMM` or `HH:MM`.
    Time,
    /// Networks in CIDR notation, separated by commas.
    Networks,
}

impl VariableKind {
    /// The kind in the words of a manual.
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Secret => "secret".to_owned(),
            Self::Switch(on) => format!("switch: {} = on, {} or empty = off", on.join("|"), OFF.join("|")),
            Self::Protection(on) => format!("switch: {} = on, {} = off", on.join("|"), OFF.join("|")),
            Self::Int(min, max) => format!("number, {min} to {max}"),
            Self::List => "list, separated by commas".to_owned(),
            Self::Days => "days 0 to 6, separated by commas, 0 = Monday".to_owned(),
            Self::Choice(words) => words.join("|"),
            Self::Path => "path".to_owned(),
            Self::Mode => "file mode, octal digits, 0600 to 0666".to_owned(),
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
    /// Required, as soon as one of its kind is set or `MAIL_SOURCE` is `imap`.
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
    pub(crate) name: &'static str,
    /// Names that are read when the first one is unset or blank.
    pub(crate) aliases: &'static [&'static str],
    /// What a value looks like.
    pub(crate) kind: VariableKind,
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

use Need::{Default, NoEffect, Required, RequiredForImap};
use VariableKind::{
    Choice, Days, Int, List, Mode, Networks, Path, Protection, Secret, Switch, Text, Time, Url, Zone,
};

const DAY_SECONDS: i64 = 86_400;
const UNBOUNDED: i64 = i64::MAX;

variables! {
    // Required at start-up, those of the dashboard and of Make.com for compatibility.
    FLASK_SECRET_KEY: Secret, Required, "a long random text", "signs sign-in links; when it changes, those and all sessions are over";
    TRIGGER_PAGE_PASSWORD or "DASHBOARD_PASSWORD": Secret, Required, "a good password", "password of the dashboard, or the hash of it that `render-signal hash-password` makes";
    EMAIL_ADDRESS: Text, RequiredForImap, "me@example.fr", "user name at the IMAP server";
    EMAIL_PASSWORD: Secret, RequiredForImap, "an application password", "password at the IMAP server; not with IMAP_AUTH=oauth2";
    IMAP_SERVER: Text, RequiredForImap, "imap.example.fr", "host of the IMAP server; with IMAP_AUTH=oauth2, unset = that of Google or Microsoft";
    PROCESS_API_TOKEN: Secret, Required, "a long random text", "token of the mails that Gmail pushes, and of /api/v1 where API_TOKEN_SCOPES says so";
    WEBHOOK_URL: Url, Required, "https://hook.eu2.make.com/…", "default target of webhooks, unless webhook_config names one";

    // Where mails come from.
    MAIL_SOURCE: Text, Default(""), "maildir:/var/mail/me", "imap, maildir:PATH, or none; unset = imap if EMAIL_ADDRESS, EMAIL_PASSWORD or IMAP_SERVER is set or IMAP_AUTH is oauth2, otherwise none: nothing is polled then, and that is said";
    IMAP_PORT: Int(1, 65_535), Default("993"), "993", "port of the IMAP server";
    IMAP_USE_SSL: Protection(ON_E), Default("true"), "true", "TLS from the first byte; off = STARTTLS, or plain for a loopback host";
    IMAP_SECURITY: Choice(&["tls", "starttls", "plain"]), Default(""), "tls", "how the connection is protected; unset = as IMAP_USE_SSL and the port say; plain for loopback hosts only";
    IMAP_CA_FILE: Path, Default(""), "/etc/ssl/my-ca.pem", "further certificate authorities for the IMAP server (PEM)";
    IMAP_IDLE_REFRESH_SECONDS: Int(1, 1680), Default("120"), "60", "how long the server may be silent while it watches for new mail (IDLE) before the connection is tested; a dead one is noticed 30 s later at the latest";

    // What opens the mailbox without a password.
    IMAP_AUTH: Choice(&["password", "oauth2"]), Default("password"), "oauth2", "what opens the mailbox: EMAIL_PASSWORD, or access tokens (docs/OAUTH.md)";
    IMAP_OAUTH_PROVIDER: Choice(&["google", "microsoft", "other"]), Default(""), "google", "who gives the access tokens; unset = as IMAP_SERVER says, or without it the domain of EMAIL_ADDRESS";
    IMAP_OAUTH_CLIENT_ID or "GMAIL_CLIENT_ID": Text, Default(""), "1234-abc.apps.googleusercontent.com", "id of this program at the provider, where it was registered";
    IMAP_OAUTH_CLIENT_SECRET or "GMAIL_CLIENT_SECRET": Secret, Default(""), "GOCSPX-…", "its secret; unset = a public client, as Microsoft has them";
    IMAP_OAUTH_REFRESH_TOKEN or "GMAIL_REFRESH_TOKEN": Secret, Default(""), "1//0…", "what access tokens are asked for with; `render-signal oauth authorize` brings it";
    IMAP_OAUTH_TENANT: Text, Default("common"), "example.fr", "with Microsoft: common, organizations, consumers, a domain or an id";
    IMAP_OAUTH_SCOPE: Text, Default(""), "https://mail.google.com/", "what is asked for; unset = what the provider needs for IMAP";
    IMAP_OAUTH_TOKEN_URL: Url, Default(""), "https://login.example.fr/token", "where tokens are given; unset = the provider's own address";
    IMAP_OAUTH_AUTHORIZE_URL: Url, Default(""), "https://login.example.fr/authorize", "where a person agrees in a browser; unset = the provider's own address";
    IMAP_OAUTH_DEVICE_URL: Url, Default(""), "https://login.example.fr/devicecode", "where a code for another device is given; unset = the provider's own address";
    GMAIL_OAUTH_CHECK_INTERVAL_DAYS: Int(0, 366), Default("7"), "7", "how often it is checked that access tokens are given, where a client and a refresh token are set; 0 = never";
    GMAIL_OAUTH_CHECK_DIR: Path, Default("deployment/data"), "/var/data", "folder of gmail_oauth_last_check.json and gmail_oauth_check_history.jsonl, shared with the PHP side";
    GMAIL_OAUTH_TEST_TO: Text, Default(""), "me@example.fr", "who is sent a mail by each of these checks, through Gmail's API; unset = none is sent";
    GMAIL_FROM_EMAIL: Text, Default(""), "me@gmail.com", "who sends it; unset = EMAIL_ADDRESS";
    GMAIL_API_URL: Url, Default("https://gmail.googleapis.com"), "https://gmail.googleapis.com", "address of Gmail's API";

    // When it looks, and for whom.
    ENABLE_BACKGROUND_TASKS: Switch(ON_E), Default("true"), "true", "this worker may poll";
    DISABLE_BACKGROUND_TASKS: Switch(ON_DISABLE), Default("false"), "1", "this worker never polls";
    SENDER_OF_INTEREST_FOR_POLLING or "GMAIL_SENDER_ALLOWLIST": List, Default(""), "a@example.fr,b@example.fr", "senders whose mails count, unless polling_config names some; none = all";
    POLLING_TIMEZONE: Zone, Default("Europe/Paris"), "Europe/Paris", "zone of schedules, windows and days";
    POLLING_ACTIVE_START_HOUR: Int(0, 23), Default("9"), "9", "first hour of polling, unless polling_config says";
    POLLING_ACTIVE_END_HOUR: Int(0, 24), Default("23"), "23", "first hour without polling, unless polling_config says";
    POLLING_ACTIVE_DAYS: Days, Default("0,1,2,3,4"), "0,1,2,3,4", "days of polling, unless polling_config says";
    EMAIL_POLLING_INTERVAL_SECONDS: Int(1, DAY_SECONDS), Default("30"), "30", "pause between looks when the server cannot push";
    POLLING_INACTIVE_CHECK_INTERVAL_SECONDS: Int(1, DAY_SECONDS), Default("600"), "600", "pause outside the schedule";
    POLLER_LOCK_TTL_SECONDS: Int(3, 3_600), Default("30"), "30", "how long the polling lease outlives its last renewal";
    BG_POLLER_LOCK_FILE: Path, Default("/tmp/render_signal_server_email_poller.lock"), "/run/render-signal/poller.lock", "file of the polling lease where there is no Redis, by default that of the predecessor, which is thereby kept out; two installations on one host need one each";
    ENABLE_SUBJECT_GROUP_DEDUP: Switch(ON_E), Default("false"), "true", "of the mails with one lot, or one subject, in a month only the first is sent, unless polling_config says";
    SUBJECT_GROUP_TTL_SECONDS: Int(0, 10 * 365 * DAY_SECONDS), Default("0"), "86400", "how long a subject group stays taken, within its month; 0 = to the end of the month";
    DISABLE_EMAIL_ID_DEDUP: Switch(ON_E), Default("false"), "false", "admit a mail again that was admitted before, unless runtime_flags says";

    // What is sent, and when.
    WEBHOOK_SECRET: Secret, Default(""), "whsec_ and 32 random bytes in base64", "signs webhooks (Standard Webhooks); two, separated by a blank or a comma, while rotating: the new one first";
    WEBHOOK_DELIVERY_MODE: Choice(&["json", "form"]), Default("json"), "form", "content type of webhooks, unless webhook_config says: form = the same JSON text, called application/x-www-form-urlencoded, for hosts that refuse JSON";
    WEBHOOK_CA_FILE: Path, Default(""), "/etc/ssl/my-ca.pem", "further certificate authorities for targets of webhooks (PEM)";
    WEBHOOK_SENDING_ENABLED: Switch(ON_S), Default("true"), "true", "off = mails are held, unless webhook_config says";
    WEBHOOK_SSL_VERIFY: Protection(ON_E), Default("true"), "true", "certificates of targets are checked, unless webhook_config says";
    WEBHOOKS_TIME_START or "WEBHOOK_TIME_START": Time, Default(""), "9h00", "start of the delivery window, unless webhook_config says";
    WEBHOOKS_TIME_END or "WEBHOOK_TIME_END": Time, Default(""), "18h00", "end of the delivery window, unless webhook_config says";
    ALLOW_CUSTOM_WEBHOOK_WITHOUT_LINKS: Switch(ON_E), Default("false"), "false", "deliver mails without links, too, unless runtime_flags says";
    INGRESS_HMAC_SECRET: Secret, Default(""), "whsec_ and 32 random bytes in base64", "mails that are pushed to /api/ingress/gmail have to be signed with it (Standard Webhooks), besides the token; two, separated by a blank or a comma, while rotating";
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
    R2_MAX_LINKS_PER_MAIL: Int(1, 1_000), Default("50"), "50", "links of one mail that are copied, the first ones; the others are sent as they are. So is a link of more than 8 KiB";
    R2_RETRY_SECONDS: Int(0, 86_400), Default("600"), "600", "so long a mail waits for copies while the Worker, R2 or a file's host is away or has too much to do; then its links are sent as they are. 0 = not at all";
    R2_RETENTION_HOURS: Int(0, 87_600), Default("24"), "24", "how long a copy lies in R2: directly, it is deleted then; with the Worker, as the Worker does it. A link whose copy stays for two hours more is not copied again. 0 = for ever";

    WEBHOOK_LINKS_FILE: Path, Default("deployment/data/webhook_links.json"), "/var/data/webhook_links.json", "list of the copies, shared with the PHP pages; written from the journal";
    WEBHOOK_LINKS_FILE_MODE: Mode, Default(""), "0644", "who may read and write that list, which holds addresses of files; unset = a new one is for this user alone, and one that is there stays as open as it is";
    R2_LINKS_MAX_ENTRIES: Int(0, 1_000_000), Default("1000"), "1000", "entries in that list; the oldest make room, and are put into an archive beside it first; 0 = any number";
    JSON_LOG_MAX_BYTES: Int(0, 1_073_741_824), Default("5242880"), "5242880", "size of that list in bytes; a longer one is put into an archive beside it; 0 = any size";

    // Where things are kept.
    DATA_DIR: Path, Default("data"), "/var/lib/render-signal", "folder of the journal and the lease";
    CONFIG_DIR: Path, Default("debug"), "debug", "folder of the configuration documents";
    REDIS_URL: Url, Default(""), "redis://:password@host:6379/0", "Redis or Valkey server (rediss:// = TLS), shared by all workers: keeps the configuration documents, the polling lease, and the journal unless JOURNAL_URL names another place";
    REDIS_CA_FILE: Path, Default(""), "/etc/ssl/my-ca.pem", "the only certificate authorities that are believed for a rediss:// server (PEM); unset = the public ones";
    CONFIG_STORE_REDIS_PREFIX: Text, Default("r:ss:config:"), "r:ss:config:", "before the keys of the configuration in Redis";
    CONFIG_STORE_DISABLE_REDIS: Switch(ON_E), Default("false"), "true", "configuration documents are not in Redis";
    EXTERNAL_CONFIG_BASE_URL: Url, Default(""), "https://config.example.fr", "host whose config_api.php keeps the configuration documents; CONFIG_DIR has what it does not";
    CONFIG_API_TOKEN: Secret, Default(""), "a long random text", "token of that config_api.php; 24 characters at least";
    CONFIG_API_SERVE_TOKEN: Secret, Default(""), "another long random text", "token of the config_api.php that this program serves; 24 characters at least, another one than CONFIG_API_TOKEN; unset = it is not served";
    CONFIG_API_ALLOW_CIDRS: Networks, Default(""), "192.0.2.7/32,2001:db8::/32", "networks from which the config_api.php that this program serves may be asked, besides the token; behind a proxy set TRUSTED_PROXIES, too; unset = from everywhere";
    CONFIG_STORE_MODE: Choice(&["redis_first", "php_first"]), Default("redis_first"), "php_first", "which store of configuration documents has the last word: redis_first (Redis, then the PHP host) or php_first; files come last";
    MAGIC_LINK_TOKENS_FILE: Path, Default(""), "debug/magic_links.json", "file of the sign-in links; unset = CONFIG_DIR/magic_links.json";
    JOURNAL_URL: Text, Default(""), "sqlite:data/render-signal.db", "the journal: sqlite:PATH, redis://… or rediss://…; unset = REDIS_URL, or without that sqlite:DATA_DIR/render-signal.db";
    JOURNAL_REDIS_PREFIX: Text, Default("rs:journal"), "rs:shop", "before the keys of a journal in Redis, and of the polling lease there unless it is the default; two installations on one Redis need one each";
    ALLOW_EPHEMERAL_JOURNAL: Switch(ON_E), Default("false"), "1", "accept a journal on a disk that the next deploy wipes";
    JOURNAL_RETENTION_DAYS: Int(0, 36_500), Default("365"), "365", "events of settled mails that are older are moved out of the journal into JOURNAL_ARCHIVE_DIR or JOURNAL_ARCHIVE_BUCKET; 31 at least, 0 = they stay";
    JOURNAL_ARCHIVE_DIR: Path, Default(""), "/var/lib/render-signal/archive", "folder of archived events (JSON Lines); unset = DATA_DIR/archive";
    JOURNAL_ARCHIVE_BUCKET: Text, Default(""), "render-signal-archive", "private bucket of archived events, instead of that folder; needs R2_ACCOUNT_ID, R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY, and is never R2_BUCKET_NAME";
    CONFIG_HISTORY_VERSIONS: Int(1, 100_000), Default("200"), "200", "earlier versions of a document that can be shown and restored, the newest; of sign-in links none";
    CONFIG_HISTORY_DAYS: Int(1, 36_500), Default("365"), "365", "how long a version can be shown and restored after it was replaced; that it was changed, when and by whom is known for ever";
    MAX_EMAIL_SIZE_MB: Int(1, 200), Default("25"), "25", "a larger mail is recorded and listed, not loaded, in MiB, where processing_prefs has no max_email_size_mb; while it is read, a mail needs up to five times its size of memory, and 64 MiB beside that";
    MAIL_RETENTION_DAYS: Int(1, 3_650), Default("7"), "7", "how long bodies of mails are kept for redelivery, and senders and subjects for lists";

    // The process.
    PORT: Int(0, 65_535), Default("8000"), "8000", "port of the HTTP server; 0 = any free one";
    BIND: Text, Default("0.0.0.0"), "127.0.0.1", "address of the HTTP server";
    TRUSTED_PROXIES: Networks, Default(""), "10.0.0.0/8", "networks of the proxies in front of the HTTP server, whose X-Forwarded-For is believed; unset = who asks is the peer of the connection";
    METRICS_TOKEN: Secret, Default(""), "a long random text", "with it, sent as Authorization: Bearer, /readyz and /metrics tell everything, as they do to who has signed in; without it, /readyz tells states and /metrics nothing; 24 characters at least";
    METRICS_PUBLIC: Switch(ON_E), Default("false"), "true", "everybody may see /metrics: for a network that strangers cannot reach";
    API_TOKEN_SCOPES: List, Default(""), "read,actions", "what PROCESS_API_TOKEN may do at /api/v1: read, actions, config, access; unset = nothing";
    TEST_API_KEY: Secret, Default(""), "a long random text", "key of the test API, sent as X-API-Key; unset = it refuses everybody";
    TRIGGER_PAGE_USER or "DASHBOARD_USER": Text, Default("admin"), "admin", "user name of the dashboard";
    PUBLIC_BASE_URL or "RENDER_EXTERNAL_URL": Url, Default(""), "https://signal.example.fr", "address under which browsers reach this service: sign-in links begin with it, and none can be made without it; https:// = TLS is in front, so cookies are for TLS alone. Render sets RENDER_EXTERNAL_URL";
    MAGIC_LINK_TTL_SECONDS: Int(0, 31_536_000), Default("900"), "900", "life of a sign-in link in seconds, 60 at least; one that is made to be permanent does not end";
    WORKER_NAME: Text, Default(""), "worker-1", "name of this worker; unset = the host's";
    LOG_LEVEL or "FLASK_LOG_LEVEL": Text, Default(""), "info", "error, warn, info, debug or trace; Python's names are understood, an unknown one is info";
    LOG_FORMAT: Choice(&["text", "json"]), Default("text"), "json", "how log lines look";
    OTEL_EXPORTER_OTLP_ENDPOINT: Url, Default(""), "http://collector:4318", "collector that traces of mails are posted to, at /v1/traces below it, as OTLP over HTTP in JSON; receivers are then sent traceparent, too; unset = no traces";
    OTEL_EXPORTER_OTLP_HEADERS: Secret, Default(""), "authorization=Bearer%20…", "headers that the collector wants: names and percent-encoded values, a comma between two";
    OTEL_SERVICE_NAME: Text, Default("render-signal"), "render-signal", "what this installation is called in traces";
    RENDER: Text, Default(""), "true", "set by Render: several containers and a disk that a deploy wipes are possible";

    CORS_ALLOWED_ORIGINS: List, Default(""), "https://example.fr", "origins whose pages may use /api/test/…, with the key; unset = none";

    // What can be done from the dashboard.
    RENDER_DEPLOY_HOOK_URL: Secret, Default(""), "https://api.render.com/deploy/srv-…?key=…", "deploy hook of the service at Render, for /api/deploy_application; whoever knows it can deploy";
    RENDER_API_KEY: Secret, Default(""), "rnd_…", "key of Render's API, which deploys where there is no hook, or where the hook fails";
    RENDER_SERVICE_ID: Text, Default(""), "srv-…", "the service that RENDER_API_KEY deploys";
    RENDER_DEPLOY_CLEAR_CACHE: Choice(&["clear", "do_not_clear"]), Default("do_not_clear"), "clear", "whether a deploy by the API begins without the build cache";
    MAKECOM_API_KEY: Secret, Default(""), "a Make.com API token", "token of Make.com's API (scopes scenarios:read and scenarios:write): with it the scenarios stop during a vacation, while polling is switched off and while sending is, and run again after that; unset = they are left alone";
    MAKE_API_AUTH_TYPE: Text, Default("Token"), "Bearer", "how that token is sent: Bearer, or Token, which any other text means";
    MAKE_API_ORG_ID: Text, Default(""), "12345", "organization at Make.com, sent as X-Organization; unset = it is not sent";
    MAKE_API_HOST: Text, Default("eu1.make.com"), "eu2.make.com", "host of Make.com's API: the zone in the address of your account";
    MAKE_SCENARIO_ID_AUTOREPONDEUR: Int(0, UNBOUNDED), Default("7448207"), "7448207", "scenario at Make.com that is started and stopped; 0 = none";
    MAKE_SCENARIO_ID_RECADRAGE: Int(0, UNBOUNDED), Default("6649843"), "6649843", "scenario at Make.com that is started and stopped; 0 = none";
    MAKE_WEBHOOK_CONTROL_URL: Secret, Default(""), "https://hook.eu2.make.com/…", "a webhook that switches scenarios instead of Make.com's API, with MAKE_WEBHOOK_API_KEY; it is sent action (start or stop), scenario_id and api_key";
    MAKE_WEBHOOK_API_KEY: Secret, Default(""), "a key", "the api_key that is sent to MAKE_WEBHOOK_CONTROL_URL";

    // Known, without effect.
    GMAIL_OAUTH_CHECK_KEY: Secret, NoEffect, "a long random text", "key of the PHP page; the program makes the checks without being asked";
    GMAIL_FROM_NAME: Text, NoEffect, "Signal", "the PHP side signs its mails with it";
    HTTPS_PROXY or "https_proxy": Secret, NoEffect, "http://proxy.example.fr:3128", "every request goes to its server directly: what is let out is decided by the address that is connected to";
    HTTP_PROXY or "http_proxy": Secret, NoEffect, "http://proxy.example.fr:3128", "as HTTPS_PROXY";
    ALL_PROXY or "all_proxy": Secret, NoEffect, "socks5://proxy.example.fr:1080", "as HTTPS_PROXY";
    RESTART_CMD: Text, NoEffect, "systemctl restart render-signal", "no command is run: /api/restart_server stops the program in order, and whoever watches it starts it again";
    DEPLOY_CMD: Text, NoEffect, "systemctl reload render-signal", "no command is run: RENDER_DEPLOY_HOOK_URL, or RENDER_API_KEY and RENDER_SERVICE_ID, deploy";
    PROCESSED_EMAIL_IDS_REDIS_KEY: Text, NoEffect, "r:ss:processed_email_ids:v1", "mails known to the reference system";
    PROCESSED_SUBJECT_GROUPS_REDIS_KEY: Text, NoEffect, "r:ss:processed_subject_groups:v1", "subject groups known to the reference system";
    SUBJECT_GROUP_REDIS_PREFIX: Text, NoEffect, "r:ss:subject_group_ttl:", "subject groups known to the reference system";
    IMAP_SSL: Text, NoEffect, "true", "IMAP_SECURITY and IMAP_USE_SSL say how the connection is protected";
    IMAP_TIMEOUT_SECONDS: Text, NoEffect, "30", "the mailbox is watched with limits of its own; see IMAP_IDLE_REFRESH_SECONDS";
    REDIS_LOCK_TTL_SECONDS: Text, NoEffect, "300", "POLLER_LOCK_TTL_SECONDS says how long the polling lease outlives its last renewal";
    SUBJECT_GROUP_TTL_DAYS: Text, NoEffect, "30", "SUBJECT_GROUP_TTL_SECONDS says how long a subject group stays taken";
    R2_ALLOWED_DOMAINS: List, NoEffect, "dropbox.com", "links of the known file services (document providers) are copied, and no others; see EGRESS_ALLOW_CIDRS";
    R2_FETCH_TIMEOUT_DROPBOX_SCL_FO: Text, NoEffect, "120", "a shared folder always has 120 s with the R2 Worker; directly, see R2_TRANSFER_MAX_SECONDS";
    WEBHOOK_FALLBACK_ON_415: Text, NoEffect, "true", "every attempt sends the same bytes with the same content type, see WEBHOOK_DELIVERY_MODE";
    GMAIL_INGRESS_IP_CHECK_ENABLED: Text, NoEffect, "true", "a name that an address claims proves nothing; INGRESS_HMAC_SECRET does";
    EMAIL_ID_INFLIGHT_LOCK_TTL_SECONDS: Text, NoEffect, "900", "a mail is admitted once by the journal, without a lock that may run out";
    EMAIL_ID_INFLIGHT_LOCK_PREFIX: Text, NoEffect, "r:ss:email_inflight:", "a mail is admitted once by the journal, without a lock that may run out";
    MAX_HTML_BYTES: Text, NoEffect, "1048576", "of an HTML text 1 MiB is read, always";
    MIRROR_MEDIA_TO_CUSTOM: Text, NoEffect, "true", "every mail goes to the default target, with its links";
    RECADRAGE_MAKE_WEBHOOK_URL: Secret, NoEffect, "https://hook.eu2.make.com/…", "routing_rules say what goes where else than to WEBHOOK_URL";
    AUTOREPONDEUR_MAKE_WEBHOOK_URL: Secret, NoEffect, "https://hook.eu2.make.com/…", "routing_rules say what goes where else than to WEBHOOK_URL";
    DEBUG_EMAIL: Text, NoEffect, "false", "LOG_LEVEL says what is logged";
    DEBUG_WEBHOOK: Text, NoEffect, "false", "LOG_LEVEL says what is logged";
    RENDER_DISC_PATH: Path, NoEffect, "/var/data", "DATA_DIR says where the journal is";
    ORCHESTRATOR_ALLOW_LEGACY_DELEGATION: Text, NoEffect, "false", "there is no older code to call";
    GUNICORN_WORKERS: Text, NoEffect, "1", "one process does everything; start several for several workers";
    GUNICORN_THREADS: Text, NoEffect, "4", "there is no Gunicorn";
    GUNICORN_TIMEOUT: Text, NoEffect, "120", "there is no Gunicorn";
    GUNICORN_GRACEFUL_TIMEOUT: Text, NoEffect, "30", "there is no Gunicorn; a stop takes 25 s at most";
    GUNICORN_KEEP_ALIVE: Text, NoEffect, "75", "there is no Gunicorn";
    GUNICORN_MAX_REQUESTS: Text, NoEffect, "15000", "there is no Gunicorn";
    GUNICORN_MAX_REQUESTS_JITTER: Text, NoEffect, "3000", "there is no Gunicorn";
    GUNICORN_CMD_ARGS: Text, NoEffect, "--timeout 120", "there is no Gunicorn";
}
