//! The environment: one table of variables, read once at the start.
//!
//! Names, aliases and parsing are those of the reference system (its section 1). A start-up
//! error lists everything that is missing or malformed at once.

mod ephemeral;
mod place;
mod r2;
mod reader;
pub(crate) mod variables;

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;
use render_signal_actors::archive::SHORTEST_DAYS;
use render_signal_actors::archive::bucket::BucketSettings;
use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::config::store::php::PhpSettings;
use render_signal_actors::config::urls::{IpNet, check_target};
use render_signal_actors::kernel::redis::RedisAddress;
use render_signal_actors::mail::windows::parse_time_hhmm;
use render_signal_actors::poller::imap::{ImapSecurity, ImapSettings};
use render_signal_actors::r2::links::book::Bounds;
use render_signal_actors::r2::links::file::LinksFile;
use render_signal_actors::r2::worker::WorkerSettings;
use render_signal_actors::webhook::sign::SigningKeys;
use secrecy::SecretString;
use url::Url;

pub(crate) use self::ephemeral::ephemeral;
pub(crate) use self::place::JournalPlace;
pub(crate) use self::r2::R2Settings;
use self::reader::Reader;
pub(crate) use self::reader::SettingError;
pub(crate) use self::variables::VARIABLES;
use self::variables::{self as vars, Need, Variable};

/// Everything the environment says. Secrets do not show in `Debug`.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// `FLASK_SECRET_KEY`.
    #[expect(dead_code, reason = "has to be set, as in the reference system; for the dashboard")]
    pub(crate) secret_key: SecretString,
    /// `TRIGGER_PAGE_PASSWORD`.
    #[expect(dead_code, reason = "has to be set, as in the reference system; for the dashboard")]
    pub(crate) dashboard_password: SecretString,
    /// `PROCESS_API_TOKEN`.
    #[expect(dead_code, reason = "has to be set, as in the reference system; for the processing API")]
    pub(crate) process_api_token: SecretString,
    /// `MAKECOM_API_KEY`.
    #[expect(dead_code, reason = "has to be set, as in the reference system; for the Make.com switch")]
    pub(crate) makecom_api_key: SecretString,
    /// Where mails come from.
    pub(crate) mail: MailSource,
    /// `POLLER_LOCK_TTL_SECONDS`.
    pub(crate) lock_ttl: Duration,
    /// `BG_POLLER_LOCK_FILE`.
    pub(crate) lock_file: PathBuf,
    /// `WEBHOOK_SECRET`; `None` = webhooks are not signed.
    pub(crate) signing_keys: Option<SigningKeys>,
    /// How linked files are copied; `None` = links are delivered as they are.
    pub(crate) r2: Option<R2Settings>,
    /// `R2_RETENTION_HOURS`; `None` = copies lie there for ever.
    pub(crate) r2_retention: Option<Duration>,
    /// `JOURNAL_ARCHIVE_BUCKET`; `None` = archived events go into a folder.
    pub(crate) archive_bucket: Option<BucketSettings>,
    /// Where things are kept.
    pub(crate) storage: Storage,
    /// `CONFIG_API_TOKEN`; `None` = documents are not served at `/config_api.php`.
    pub(crate) config_api_token: Option<SecretString>,
    /// `BIND`.
    pub(crate) bind: IpAddr,
    /// `PORT`.
    pub(crate) port: u16,
    /// `WORKER_NAME`.
    pub(crate) worker_name: Option<String>,
    /// What holds where the documents say nothing; `EGRESS_ALLOW_CIDRS` is here, too.
    pub(crate) defaults: EnvDefaults,
    /// What is unusual but no error; to be logged at the start.
    pub(crate) warnings: Vec<String>,
}

/// Where mails come from.
#[derive(Debug, Clone)]
pub(crate) enum MailSource {
    /// A mailbox on an IMAP server.
    Imap(ImapSettings),
    /// A folder with `new/`, `cur/` and `tmp/`.
    Maildir(PathBuf),
}

/// Which store of configuration documents comes first; files always come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreOrder {
    /// Redis, then the PHP host.
    RedisFirst,
    /// The PHP host, then Redis.
    PhpFirst,
}

/// Where things are kept. Commands that only look into the journal need no more than this.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    /// `DATA_DIR`.
    pub(crate) data_dir: PathBuf,
    /// `CONFIG_DIR`.
    pub(crate) config_dir: PathBuf,
    /// `CONFIG_STORE_MODE`.
    pub(crate) store_order: StoreOrder,
    /// `REDIS_URL`, with `REDIS_CA_FILE`.
    pub(crate) redis: Option<RedisAddress>,
    /// `CONFIG_STORE_REDIS_PREFIX`; `None` = `CONFIG_STORE_DISABLE_REDIS`, documents are not in Redis.
    pub(crate) redis_documents: Option<String>,
    /// `EXTERNAL_CONFIG_BASE_URL` and `CONFIG_API_TOKEN`; `None` = not on a PHP host.
    pub(crate) php: Option<PhpSettings>,
    /// `MAGIC_LINK_TOKENS_FILE`.
    pub(crate) magic_links_file: PathBuf,
    /// `JOURNAL_URL`, or else `REDIS_URL`, or else a file in `DATA_DIR`.
    pub(crate) journal: JournalPlace,
    /// `JOURNAL_RETENTION_DAYS`; `None` = nothing is archived.
    pub(crate) journal_retention_days: Option<u32>,
    /// `JOURNAL_ARCHIVE_DIR`.
    pub(crate) archive_dir: PathBuf,
    /// `WEBHOOK_LINKS_FILE`, with its bounds.
    pub(crate) links: LinksFile,
    /// `ALLOW_EPHEMERAL_JOURNAL`.
    pub(crate) allow_ephemeral_journal: bool,
    /// `RENDER` is set: we run there.
    pub(crate) render: bool,
}

impl Settings {
    /// Reads everything the service needs.
    ///
    /// # Errors
    /// Every variable that is missing or malformed.
    pub(crate) fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<SettingError>> {
        let mut reader = Reader::new(&lookup);
        let secret_key = reader.required_secret(&vars::FLASK_SECRET_KEY);
        let dashboard_password = reader.required_secret(&vars::TRIGGER_PAGE_PASSWORD);
        let mail = mail_source(&mut reader);
        let process_api_token = reader.required_secret(&vars::PROCESS_API_TOKEN);
        let webhook_url = reader.required(&vars::WEBHOOK_URL);
        let makecom_api_key = reader.required_secret(&vars::MAKECOM_API_KEY);
        let mut defaults = env_defaults(&mut reader, webhook_url);
        let storage = storage(&mut reader);
        let r2 = r2::read(&mut reader, &defaults);
        defaults.offload = r2.is_some();
        let archive_bucket = r2::archive(&mut reader, &defaults);
        let lock_file = path_or(&reader, &vars::BG_POLLER_LOCK_FILE, || storage.data_dir.join("poller.lock"));
        let settings = Self {
            secret_key,
            dashboard_password,
            process_api_token,
            makecom_api_key,
            mail,
            lock_ttl: Duration::from_secs(reader.int(&vars::POLLER_LOCK_TTL_SECONDS)),
            lock_file,
            signing_keys: signing_keys(&mut reader),
            r2,
            archive_bucket,
            config_api_token: config_api_token(&mut reader),
            r2_retention: retention(&mut reader),
            bind: bind(&mut reader),
            port: reader.int(&vars::PORT),
            worker_name: Some(reader.text(&vars::WORKER_NAME)).filter(|name| !name.is_empty()),
            storage,
            defaults,
            warnings: Vec::new(),
        };
        reader.choice(&vars::LOG_FORMAT);
        for variable in VARIABLES.iter().filter(|variable| variable.need == Need::NoEffect) {
            reader.note_without_effect(variable);
        }
        if reader.errors.is_empty() {
            Ok(Self { warnings: reader.warnings, ..settings })
        } else {
            Err(reader.errors)
        }
    }

    /// Why nothing can be archived: what leaves the journal must not be lost with the next
    /// deploy, unless the journal itself is.
    pub(crate) fn no_archive(&self) -> Option<String> {
        let storage = &self.storage;
        let lost_with_the_journal = storage.allow_ephemeral_journal && storage.journal.file().is_some();
        if self.archive_bucket.is_some() || lost_with_the_journal {
            return None;
        }
        ephemeral(&storage.archive_dir, storage.render).map(|_| {
            format!(
                "{} would be wiped by the next deploy, so nothing is moved out of the journal; set \
                 JOURNAL_ARCHIVE_BUCKET, or attach a disk and set JOURNAL_ARCHIVE_DIR, or set JOURNAL_RETENTION_DAYS=0",
                storage.archive_dir.display()
            )
        })
    }
}

impl Storage {
    /// Reads where things are kept; nothing is required.
    ///
    /// # Errors
    /// Every variable of these that is malformed.
    pub(crate) fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<SettingError>> {
        let mut reader = Reader::new(&lookup);
        let storage = storage(&mut reader);
        if reader.errors.is_empty() { Ok(storage) } else { Err(reader.errors) }
    }

    /// The server that keeps the polling lease, which all workers must agree on; `None` = a file.
    pub(crate) fn lease_server(&self) -> Option<&RedisAddress> {
        self.redis.as_ref().or(self.journal.server())
    }

    /// Why the journal would be lost with the next deploy, unless that is accepted.
    pub(crate) fn refusal(&self) -> Option<String> {
        let folder = self.journal.file()?.parent().unwrap_or(&self.data_dir);
        ephemeral(folder, self.render).filter(|_| !self.allow_ephemeral_journal)
    }
}

/// Reads what decisions depend on, for commands that neither fetch nor send; nothing is
/// required, so the default target may be empty.
///
/// # Errors
/// Every variable of these that is malformed.
pub(crate) fn defaults_from_env(
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<EnvDefaults, Vec<SettingError>> {
    let mut reader = Reader::new(&lookup);
    let webhook_url = reader.text(&vars::WEBHOOK_URL);
    let mut defaults = env_defaults(&mut reader, webhook_url);
    defaults.offload = r2::read(&mut reader, &defaults).is_some();
    if reader.errors.is_empty() { Ok(defaults) } else { Err(reader.errors) }
}

/// The errors as one text, one line each.
pub(crate) fn describe_errors(errors: &[SettingError]) -> String {
    let mut text = format!("{} environment variable(s) are missing or malformed:", errors.len());
    for error in errors {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {error}");
    }
    text
}

/// The table of variables as text, for the manual.
pub(crate) fn describe_variables() -> String {
    let mut text = String::new();
    for variable in VARIABLES {
        let need = match variable.need {
            Need::Required => "required".to_owned(),
            Need::RequiredForImap => "required for IMAP".to_owned(),
            Need::Default("") => "optional".to_owned(),
            Need::Default(default) => format!("default {default}"),
            Need::NoEffect => "accepted, no effect".to_owned(),
        };
        let aliases = match variable.aliases {
            [] => String::new(),
            aliases => format!(" (or {})", aliases.join(", ")),
        };
        let kind = variable.kind.describe();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}{aliases}\n    {}\n    {kind}; {need}", variable.name, variable.meaning);
    }
    text
}

fn env_defaults(reader: &mut Reader<'_>, webhook_url: String) -> EnvDefaults {
    let egress_allow = reader.parsed_list(&vars::EGRESS_ALLOW_CIDRS);
    check_url(reader, &vars::WEBHOOK_URL, &webhook_url, &egress_allow);
    let notify_url = reader.text(&vars::NOTIFY_WEBHOOK_URL);
    check_url(reader, &vars::NOTIFY_WEBHOOK_URL, &notify_url, &egress_allow);
    let (time_start, time_end) = window(reader);
    EnvDefaults {
        zone: zone(reader),
        senders: reader
            .list(&vars::SENDER_OF_INTEREST_FOR_POLLING)
            .into_iter()
            .map(|sender| sender.to_lowercase())
            .collect(),
        active_days: days(reader),
        active_start_hour: reader.int(&vars::POLLING_ACTIVE_START_HOUR),
        active_end_hour: reader.int(&vars::POLLING_ACTIVE_END_HOUR),
        interval: Duration::from_secs(reader.int(&vars::EMAIL_POLLING_INTERVAL_SECONDS)),
        inactive_interval: Duration::from_secs(reader.int(&vars::POLLING_INACTIVE_CHECK_INTERVAL_SECONDS)),
        background_tasks: background_tasks(reader),
        disable_email_id_dedup: reader.switch(&vars::DISABLE_EMAIL_ID_DEDUP),
        allow_without_links: reader.switch(&vars::ALLOW_CUSTOM_WEBHOOK_WITHOUT_LINKS),
        subject_group_dedup: reader.switch(&vars::ENABLE_SUBJECT_GROUP_DEDUP),
        subject_group_ttl: Some(Duration::from_secs(reader.int(&vars::SUBJECT_GROUP_TTL_SECONDS)))
            .filter(|ttl| !ttl.is_zero()),
        notify_url,
        ssl_verify: reader.switch(&vars::WEBHOOK_SSL_VERIFY),
        sending_enabled: reader.switch(&vars::WEBHOOK_SENDING_ENABLED),
        time_start,
        time_end,
        webhook_url,
        offload: false,
        retention: Duration::from_secs(reader.int::<u64>(&vars::MAIL_RETENTION_DAYS).saturating_mul(86_400)),
        egress_allow,
    }
}

/// Whether a server may be contacted there; an empty address is not checked.
fn check_url(reader: &mut Reader<'_>, variable: &Variable, url: &str, allow: &[IpNet]) {
    if url.is_empty() {
        return;
    }
    if let Err(why) = check_target(url, allow) {
        reader.wrong(variable, why);
    }
}

fn mail_source(reader: &mut Reader<'_>) -> MailSource {
    let source = reader.text(&vars::MAIL_SOURCE);
    if let Some(path) = source.strip_prefix("maildir:") {
        if path.trim().is_empty() {
            reader.wrong(&vars::MAIL_SOURCE, "the path after maildir: is missing");
        }
        return MailSource::Maildir(PathBuf::from(path.trim()));
    }
    if !source.eq_ignore_ascii_case("imap") {
        reader.wrong(&vars::MAIL_SOURCE, format!("{source:?} is neither imap nor maildir:PATH"));
    }
    let user = reader.required(&vars::EMAIL_ADDRESS);
    let password = reader.required_secret(&vars::EMAIL_PASSWORD);
    let host = reader.required(&vars::IMAP_SERVER);
    let port = reader.int(&vars::IMAP_PORT);
    let security = imap_security(reader, &host, port);
    let ca_file = Some(reader.text(&vars::IMAP_CA_FILE)).filter(|path| !path.is_empty()).map(PathBuf::from);
    let idle_refresh = reader.int(&vars::IMAP_IDLE_REFRESH_SECONDS);
    MailSource::Imap(ImapSettings {
        host,
        port,
        security,
        user,
        password,
        ca_file,
        mailbox: "INBOX".to_owned(),
        idle_refresh: Duration::from_secs(idle_refresh),
    })
}

fn imap_security(reader: &mut Reader<'_>, host: &str, port: u16) -> ImapSecurity {
    /// The standard port of IMAP without TLS from the first byte (RFC 8314 section 3.2).
    const CLEAR: u16 = 143;
    match reader.choice(&vars::IMAP_SECURITY).as_str() {
        "tls" => return ImapSecurity::Tls,
        "starttls" => return ImapSecurity::StartTls,
        "plain" => {
            if !host.is_empty() && !is_loopback(host) {
                reader.wrong(
                    &vars::IMAP_SECURITY,
                    format!("plain would send the password unprotected to {host}; use tls or starttls"),
                );
            }
            return ImapSecurity::Plain;
        }
        _ => {}
    }
    let unset = reader.set(&vars::IMAP_USE_SSL).is_none();
    let tls = if unset && port == CLEAR { false } else { reader.switch(&vars::IMAP_USE_SSL) };
    match (tls, is_loopback(host)) {
        (true, _) => ImapSecurity::Tls,
        (false, true) => ImapSecurity::Plain,
        (false, false) => ImapSecurity::StartTls,
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn background_tasks(reader: &mut Reader<'_>) -> bool {
    let culprit = if reader.switch(&vars::DISABLE_BACKGROUND_TASKS) {
        vars::DISABLE_BACKGROUND_TASKS.name
    } else if !reader.switch(&vars::ENABLE_BACKGROUND_TASKS) {
        vars::ENABLE_BACKGROUND_TASKS.name
    } else {
        return true;
    };
    reader.warnings.push(format!("this worker does not poll: {culprit} says so"));
    false
}

fn zone(reader: &mut Reader<'_>) -> Tz {
    let name = reader.text(&vars::POLLING_TIMEZONE);
    if name.eq_ignore_ascii_case("utc") {
        return Tz::UTC;
    }
    name.parse().unwrap_or_else(|_| {
        reader.warnings.push(format!("POLLING_TIMEZONE: {name:?} is not a known time zone, UTC is used"));
        Tz::UTC
    })
}

fn days(reader: &mut Reader<'_>) -> Vec<u8> {
    let members = reader.list(&vars::POLLING_ACTIVE_DAYS);
    let mut days: Vec<u8> =
        members.iter().filter_map(|day| day.parse().ok()).filter(|day| *day <= 6).collect();
    if days.len() < members.len() {
        reader
            .warnings
            .push("POLLING_ACTIVE_DAYS: what is not a day (0 = Monday to 6) is dropped".to_owned());
    }
    if days.is_empty() {
        days = (0..=4).collect();
    }
    days.sort_unstable();
    days.dedup();
    days
}

fn window(reader: &mut Reader<'_>) -> (String, String) {
    let mut bound = |variable: &Variable| {
        let text = reader.text(variable);
        if !text.is_empty() && parse_time_hhmm(&text).is_none() {
            reader.wrong(variable, format!("{text:?} is not a time of day (HHhMM or HH:MM)"));
        }
        text
    };
    let (start, end) = (bound(&vars::WEBHOOKS_TIME_START), bound(&vars::WEBHOOKS_TIME_END));
    if let (Some(start), Some(end)) = (parse_time_hhmm(&start), parse_time_hhmm(&end))
        && start == end
    {
        reader.wrong(
            &vars::WEBHOOKS_TIME_END,
            "equal to WEBHOOKS_TIME_START, so that no webhook would ever be sent",
        );
    }
    (start, end)
}

fn signing_keys(reader: &mut Reader<'_>) -> Option<SigningKeys> {
    let text = reader.text(&vars::WEBHOOK_SECRET);
    if text.is_empty() {
        return None;
    }
    SigningKeys::parse(&text).map_err(|error| reader.wrong(&vars::WEBHOOK_SECRET, error.to_string())).ok()
}

fn r2_worker(reader: &mut Reader<'_>, defaults: &EnvDefaults) -> Option<WorkerSettings> {
    let mut address = |variable: &Variable| {
        let text = reader.text(variable);
        check_url(reader, variable, &text, &defaults.egress_allow);
        Url::parse(&text).ok()
    };
    let endpoint = address(&vars::R2_FETCH_ENDPOINT);
    let public_base_url = address(&vars::R2_PUBLIC_BASE_URL);
    if !reader.switch(&vars::R2_FETCH_ENABLED) {
        return None;
    }
    let token = reader.text(&vars::R2_FETCH_TOKEN);
    for (missing, variable) in
        [(endpoint.is_none(), vars::R2_FETCH_ENDPOINT), (token.is_empty(), vars::R2_FETCH_TOKEN)]
    {
        if missing {
            reader.warnings.push(format!(
                "R2_FETCH_ENABLED is on but {} is not set: links are delivered as they are",
                variable.name
            ));
        }
    }
    let endpoint = endpoint.filter(|_| !token.is_empty())?;
    let bucket = reader.text(&vars::R2_BUCKET_NAME);
    Some(WorkerSettings { endpoint, token: token.into(), bucket, public_base_url })
}

fn retention_days(reader: &mut Reader<'_>) -> Option<u32> {
    let days: u32 = reader.int(&vars::JOURNAL_RETENTION_DAYS);
    if (1..SHORTEST_DAYS).contains(&days) {
        reader.wrong(
            &vars::JOURNAL_RETENTION_DAYS,
            format!("{days} is too short: {SHORTEST_DAYS} at least, or 0 to keep everything"),
        );
    }
    (days > 0).then_some(days)
}

fn storage(reader: &mut Reader<'_>) -> Storage {
    let data_dir = PathBuf::from(reader.text(&vars::DATA_DIR));
    let config_dir = PathBuf::from(reader.text(&vars::CONFIG_DIR));
    let redis = redis(reader);
    let journal = journal(reader)
        .or_else(|| redis.clone().map(JournalPlace::Redis))
        .unwrap_or_else(|| JournalPlace::File(data_dir.join("render-signal.db")));
    let mut servers = redis.iter().chain(journal.server());
    if redis_ca_file(reader).is_some() && !servers.any(RedisAddress::is_encrypted) {
        reader
            .warnings
            .push("REDIS_CA_FILE is set but has no effect: no rediss:// server is named".to_owned());
    }
    Storage {
        redis,
        store_order: store_order(reader),
        redis_documents: (!reader.switch(&vars::CONFIG_STORE_DISABLE_REDIS))
            .then(|| reader.text(&vars::CONFIG_STORE_REDIS_PREFIX)),
        php: php_host(reader),
        journal_retention_days: retention_days(reader),
        archive_dir: path_or(reader, &vars::JOURNAL_ARCHIVE_DIR, || data_dir.join("archive")),
        magic_links_file: path_or(reader, &vars::MAGIC_LINK_TOKENS_FILE, || {
            config_dir.join("magic_links.json")
        }),
        data_dir,
        config_dir,
        journal,
        links: links(reader),
        allow_ephemeral_journal: reader.switch(&vars::ALLOW_EPHEMERAL_JOURNAL),
        render: !reader.text(&vars::RENDER).is_empty(),
    }
}

/// What is not known is the default, as in the reference system.
fn store_order(reader: &mut Reader<'_>) -> StoreOrder {
    match reader.text(&vars::CONFIG_STORE_MODE).to_ascii_lowercase().as_str() {
        "php_first" => StoreOrder::PhpFirst,
        "redis_first" => StoreOrder::RedisFirst,
        other => {
            reader.warnings.push(format!(
                "CONFIG_STORE_MODE: {other:?} is neither redis_first nor php_first, redis_first is used"
            ));
            StoreOrder::RedisFirst
        }
    }
}

fn links(reader: &mut Reader<'_>) -> LinksFile {
    let bounds = Bounds {
        max_entries: reader.int(&vars::R2_LINKS_MAX_ENTRIES),
        max_bytes: reader.int(&vars::JSON_LOG_MAX_BYTES),
    };
    LinksFile::new(reader.text(&vars::WEBHOOK_LINKS_FILE), bounds)
}

fn retention(reader: &mut Reader<'_>) -> Option<Duration> {
    let hours: u64 = reader.int(&vars::R2_RETENTION_HOURS);
    (hours > 0).then(|| Duration::from_secs(hours.saturating_mul(3_600)))
}

fn php_host(reader: &mut Reader<'_>) -> Option<PhpSettings> {
    let base = reader.text(&vars::EXTERNAL_CONFIG_BASE_URL);
    let token = reader.text(&vars::CONFIG_API_TOKEN);
    // Malformed networks are reported where they are read for good.
    let allow: Vec<IpNet> =
        reader.list(&vars::EGRESS_ALLOW_CIDRS).iter().filter_map(|member| member.parse().ok()).collect();
    check_url(reader, &vars::EXTERNAL_CONFIG_BASE_URL, &base, &allow);
    if base.is_empty() || token.is_empty() {
        if !base.is_empty() {
            reader.warnings.push(
                "EXTERNAL_CONFIG_BASE_URL is set but CONFIG_API_TOKEN is not: the host is not used"
                    .to_owned(),
            );
        }
        return None;
    }
    let settings = PhpSettings::new(&base, token.into());
    if settings.is_none() {
        reader.wrong(
            &vars::EXTERNAL_CONFIG_BASE_URL,
            "is not an address, or the token is not one line of ASCII",
        );
    }
    settings
}

fn redis_ca_file(reader: &Reader<'_>) -> Option<PathBuf> {
    Some(reader.text(&vars::REDIS_CA_FILE)).filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn redis(reader: &mut Reader<'_>) -> Option<RedisAddress> {
    let url = reader.text(&vars::REDIS_URL);
    if url.is_empty() {
        return None;
    }
    match place::redis(&url) {
        Ok(server) => Some(RedisAddress { ca_file: redis_ca_file(reader), ..server }),
        Err(problem) => {
            reader.wrong(&vars::REDIS_URL, problem);
            None
        }
    }
}

/// The token of our own `/config_api.php`.
fn config_api_token(reader: &mut Reader<'_>) -> Option<SecretString> {
    /// They stand in published examples: everybody knows them.
    const KNOWN: [&str; 3] = ["changeme-config-api-token", "votre_jeton_secret_ici", "VOTRE_TOKEN"];
    let token = reader.text(&vars::CONFIG_API_TOKEN);
    if KNOWN.contains(&token.as_str()) {
        reader.warnings.push(
            "CONFIG_API_TOKEN stands in published examples: documents are not served at /config_api.php"
                .to_owned(),
        );
        return None;
    }
    (!token.is_empty()).then(|| token.into())
}

fn journal(reader: &mut Reader<'_>) -> Option<JournalPlace> {
    let url = reader.text(&vars::JOURNAL_URL);
    if url.is_empty() {
        return None;
    }
    match JournalPlace::from_url(&url) {
        Ok(JournalPlace::Redis(server)) => {
            Some(JournalPlace::Redis(RedisAddress { ca_file: redis_ca_file(reader), ..server }))
        }
        Ok(place) => Some(place),
        Err(problem) => {
            reader.wrong(&vars::JOURNAL_URL, problem);
            None
        }
    }
}

fn bind(reader: &mut Reader<'_>) -> IpAddr {
    let text = reader.text(&vars::BIND);
    text.trim_matches(['[', ']']).parse().unwrap_or_else(|_| {
        reader.wrong(&vars::BIND, format!("{text:?} is not an IP address"));
        IpAddr::from([0, 0, 0, 0])
    })
}

fn path_or(reader: &Reader<'_>, variable: &Variable, default: impl FnOnce() -> PathBuf) -> PathBuf {
    let text = reader.text(variable);
    if text.is_empty() { default() } else { PathBuf::from(text) }
}

#[cfg(test)]
mod tests;
