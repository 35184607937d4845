//! The environment: one table of variables, read once at the start.
//!
//! Names, aliases and parsing are those of the reference system (its section 1). A start-up
//! error lists everything that is missing or malformed at once.

mod access;
mod decisions;
#[cfg(test)]
mod deployment;
mod ephemeral;
mod mailbox;
mod oauth;
mod outside;
mod own_server;
mod place;
mod quotes;
mod r2;
mod reader;
mod scopes;
mod storage;
#[cfg(test)]
mod tests;
mod tokens;
pub(crate) mod traces;
pub(crate) mod variables;
mod window_file;
mod zones;

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use render_signal_actors::archive::bucket::BucketSettings;
use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::egress::Roots;
use render_signal_actors::egress::{IpNet, check_target};
use render_signal_actors::kernel::journal::redis::{Installation, Profile};
use render_signal_actors::poller::imap::ImapSettings;
use render_signal_actors::r2::worker::WorkerSettings;
use render_signal_actors::signing::SigningKeys;
use secrecy::SecretString;
use url::Url;

use self::access::AccessSettings;
pub(crate) use self::ephemeral::is_ephemeral;
pub(crate) use self::oauth::{ConsentSettings, OAuthSettings};
pub(crate) use self::outside::Outside;
pub(crate) use self::own_server::OwnServer;
pub(crate) use self::place::{JournalPlace, RedisPlace};
pub(crate) use self::r2::R2Settings;
pub(crate) use self::reader::SettingError;
use self::reader::VariableReader;
pub(crate) use self::scopes::{ApiScope, Scopes};
pub(crate) use self::storage::Storage;
pub(crate) use self::traces::TraceSettings;
pub(crate) use self::variables::VARIABLES;
use self::variables::{self as vars, Need, Variable};
use crate::findings::Finding;

/// Everything the environment says. Secrets do not show in `Debug`.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Who may sign in, and how.
    pub(crate) access: AccessSettings,
    /// `PROCESS_API_TOKEN`.
    pub(crate) process_api_token: SecretString,
    /// Where mails come from; `None` = there is no mailbox, nothing is polled.
    pub(crate) mail: Option<MailSourceSettings>,
    /// Access tokens, for the mailbox or only to be checked; `None` = there are none.
    pub(crate) oauth: Option<OAuthSettings>,
    /// `POLLER_LOCK_TTL_SECONDS`.
    pub(crate) lock_ttl: Duration,
    /// `BG_POLLER_LOCK_FILE`.
    pub(crate) lock_file: PathBuf,
    /// `WEBHOOK_SECRET`; `None` = webhooks are not signed.
    pub(crate) signing_keys: Option<SigningKeys>,
    /// `WEBHOOK_CA_FILE`: authorities that targets may have besides the public ones.
    pub(crate) webhook_authorities: Roots,
    /// How linked files are copied; `None` = links are delivered as they are.
    pub(crate) r2: Option<R2Settings>,
    /// `R2_RETENTION_HOURS`; `None` = copies lie there for ever.
    pub(crate) r2_retention: Option<Duration>,
    /// `R2_MAX_LINKS_PER_MAIL`; the other links of a mail are sent as they are.
    pub(crate) r2_links_per_mail: usize,
    /// `R2_RETRY_SECONDS`: how long a mail waits for copies that cannot be made at the moment.
    pub(crate) r2_patience: Duration,
    /// `JOURNAL_ARCHIVE_BUCKET`; `None` = archived events go into a folder.
    pub(crate) archive_bucket: Option<BucketSettings>,
    /// Where things are kept.
    pub(crate) storage: Storage,
    /// `CONFIG_API_SERVE_TOKEN`; `None` = documents are not served at `/config_api.php`.
    pub(crate) config_api_serve_token: Option<SecretString>,
    /// `CONFIG_API_ALLOW_CIDRS`; empty = everybody who has the token.
    pub(crate) config_api_allow: Vec<IpNet>,
    /// `TRUSTED_PROXIES`; empty = who asks is the peer of the connection.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// `METRICS_TOKEN`; `None` = only who has signed in is shown more than states.
    pub(crate) metrics_token: Option<SecretString>,
    /// `METRICS_PUBLIC`: everybody may see the metrics.
    pub(crate) metrics_public: bool,
    /// `API_TOKEN_SCOPES`.
    pub(crate) api_token_scopes: Scopes,
    /// `TEST_API_KEY`; `None` = the test API refuses everybody.
    pub(crate) test_api_key: Option<SecretString>,
    /// `BIND`.
    pub(crate) bind: IpAddr,
    /// `PORT`.
    pub(crate) port: u16,
    /// `WORKER_NAME`.
    pub(crate) worker_name: Option<String>,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`; `None` = no traces.
    pub(crate) traces: Option<TraceSettings>,
    /// What the program may have others do, and who may hand mails over.
    pub(crate) outside: Outside,
    /// What holds where the documents say nothing; `EGRESS_ALLOW_CIDRS` is here, too.
    pub(crate) defaults: EnvDefaults,
    /// What is unusual but no error; to be logged at the start.
    pub(crate) warnings: Vec<Finding>,
}

/// Where mails come from.
#[derive(Debug, Clone)]
pub(crate) enum MailSourceSettings {
    /// A mailbox on an IMAP server, and what opens it.
    Imap(ImapSettings, MailboxLogin),
    /// A folder with `new/`, `cur/` and `tmp/`.
    Maildir(PathBuf),
}

/// What opens a mailbox.
#[derive(Debug, Clone)]
pub(crate) enum MailboxLogin {
    /// `EMAIL_PASSWORD`.
    Password(SecretString),
    /// The tokens of [`Settings::oauth`].
    OAuth2,
}

/// Which store of configuration documents comes first; files always come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreOrder {
    /// Redis, then the PHP host.
    RedisFirst,
    /// The PHP host, then Redis.
    PhpFirst,
}

impl Settings {
    /// Reads everything the service needs.
    ///
    /// # Errors
    /// Every variable that is missing or malformed.
    pub(crate) fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<SettingError>> {
        let mut reader = VariableReader::new(&lookup);
        let access = access::read(&mut reader);
        let mail = mailbox::mail_source(&mut reader);
        let oauth = oauth::read(&mut reader);
        let process_api_token = reader.required_secret(&vars::PROCESS_API_TOKEN);
        let webhook_url = reader.required(&vars::WEBHOOK_URL);
        let mut defaults = decisions::env_defaults(&mut reader, webhook_url);
        let storage = storage::storage(&mut reader);
        let r2 = r2::read(&mut reader, &defaults);
        defaults.offload = r2.is_some();
        let archive_bucket = r2::archive(&mut reader, &defaults);
        let lock_file = PathBuf::from(reader.text(&vars::BG_POLLER_LOCK_FILE));
        let settings = Self {
            access,
            process_api_token,
            mail,
            oauth,
            lock_ttl: Duration::from_secs(reader.int(&vars::POLLER_LOCK_TTL_SECONDS)),
            lock_file,
            signing_keys: outside::signing_keys(&mut reader, &vars::WEBHOOK_SECRET),
            outside: outside::read(&mut reader),
            webhook_authorities: webhook_authorities(&mut reader),
            r2,
            archive_bucket,
            config_api_serve_token: tokens::own(&mut reader, &vars::CONFIG_API_SERVE_TOKEN),
            config_api_allow: tokens::allow(&mut reader),
            trusted_proxies: reader.parsed_list(&vars::TRUSTED_PROXIES),
            metrics_token: tokens::own(&mut reader, &vars::METRICS_TOKEN),
            metrics_public: reader.switch(&vars::METRICS_PUBLIC),
            api_token_scopes: tokens::scopes(&mut reader),
            test_api_key: Some(reader.text(&vars::TEST_API_KEY))
                .filter(|key| !key.is_empty())
                .map(Into::into),
            r2_retention: retention(&mut reader),
            r2_links_per_mail: reader.int(&vars::R2_MAX_LINKS_PER_MAIL),
            r2_patience: Duration::from_secs(reader.int(&vars::R2_RETRY_SECONDS)),
            bind: bind(&mut reader),
            port: reader.int(&vars::PORT),
            worker_name: Some(reader.text(&vars::WORKER_NAME)).filter(|name| !name.is_empty()),
            traces: traces::read(&mut reader),
            storage,
            defaults,
            warnings: Vec::new(),
        };
        tokens::check_apart(&mut reader);
        reader.choice(&vars::LOG_FORMAT);
        reader.check_quotes();
        for variable in VARIABLES.iter().filter(|variable| variable.need == Need::NoEffect) {
            reader.note_without_effect(variable);
        }
        if reader.errors.is_empty() {
            Ok(Self { warnings: reader.warnings, ..settings })
        } else {
            Err(reader.errors)
        }
    }

    /// What makes this installation that one, for the journal that it shares with its other
    /// workers.
    pub(crate) fn installation(&self) -> Installation {
        installation(self.mail.as_ref(), &self.storage)
    }

    /// What the workers of one journal are to have in common.
    pub(crate) fn profile(&self) -> Profile {
        let worker = self.worker_name.clone().unwrap_or_else(host_name);
        let profile = Profile::of(format!("{worker}/{}", std::process::id()))
            .with("WEBHOOK_URL", &self.defaults.webhook_url)
            .with("CONFIG_STORE_REDIS_PREFIX", self.storage.redis_documents.as_deref().unwrap_or_default());
        match &self.mail {
            None => profile,
            Some(mail @ MailSourceSettings::Maildir(_)) => profile.with("MAIL_SOURCE", &mailbox::name(mail)),
            Some(mail @ MailSourceSettings::Imap(imap, _)) => profile
                .with("EMAIL_ADDRESS", &mailbox::name(mail).to_lowercase())
                .with("IMAP_SERVER", &imap.host.to_lowercase()),
        }
    }

    /// Why nothing can be archived: what leaves the journal must not be lost with the next
    /// deploy, unless the journal itself is.
    pub(crate) fn no_archive(&self) -> Option<Finding> {
        let storage = &self.storage;
        let lost_with_the_journal = storage.allow_ephemeral_journal && storage.journal.file().is_some();
        if self.archive_bucket.is_some() || lost_with_the_journal {
            return None;
        }
        is_ephemeral(&storage.archive_dir, storage.render)
            .then(|| Finding::ArchiveEphemeral { folder: storage.archive_dir.display().to_string() })
    }
}

/// A variable of the process's environment; one that is not Unicode counts as malformed text.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// The name of this machine.
pub(crate) fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "worker".to_owned())
}

fn installation(mail: Option<&MailSourceSettings>, storage: &Storage) -> Installation {
    let mailbox = mail.map(mailbox::name);
    Installation::new(mailbox.as_deref(), storage.redis_documents.as_deref())
}

/// Reads which installation this is, for a command that neither fetches nor sends.
///
/// # Errors
/// Every variable of those that say so that is missing or malformed.
pub(crate) fn installation_from_env(
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Installation, Vec<SettingError>> {
    let mut reader = VariableReader::new(&lookup);
    let mail = mailbox::mail_source(&mut reader);
    let storage = storage::storage(&mut reader);
    if reader.errors.is_empty() { Ok(installation(mail.as_ref(), &storage)) } else { Err(reader.errors) }
}

/// Reads what decisions depend on, for commands that neither fetch nor send; nothing is
/// required, so the default target may be empty.
///
/// # Errors
/// Every variable of these that is malformed.
pub(crate) fn defaults_from_env(
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<EnvDefaults, Vec<SettingError>> {
    let mut reader = VariableReader::new(&lookup);
    let webhook_url = reader.text(&vars::WEBHOOK_URL);
    let mut defaults = decisions::env_defaults(&mut reader, webhook_url);
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
            Need::RequiredForImap => "required for a mailbox".to_owned(),
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

/// Whether a server may be contacted there; an empty address is not checked.
fn check_url(reader: &mut VariableReader<'_>, variable: &Variable, url: &str, allow: &[IpNet]) {
    if url.is_empty() {
        return;
    }
    if let Err(why) = check_target(url, allow) {
        reader.wrong(variable, why);
    }
}

fn webhook_authorities(reader: &mut VariableReader<'_>) -> Roots {
    let file = reader.text(&vars::WEBHOOK_CA_FILE);
    if file.is_empty() {
        return Roots::default();
    }
    Roots::of(PathBuf::from(file)).unwrap_or_else(|why| {
        reader.wrong(&vars::WEBHOOK_CA_FILE, why);
        Roots::default()
    })
}

fn r2_worker(reader: &mut VariableReader<'_>, defaults: &EnvDefaults) -> Option<WorkerSettings> {
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
            reader.warnings.push(Finding::CopiesIncomplete { missing: variable.name });
        }
    }
    let endpoint = endpoint.filter(|_| !token.is_empty())?;
    let bucket = reader.text(&vars::R2_BUCKET_NAME);
    Some(WorkerSettings { endpoint, token: token.into(), bucket, public_base_url })
}

fn retention(reader: &mut VariableReader<'_>) -> Option<Duration> {
    let hours: u64 = reader.int(&vars::R2_RETENTION_HOURS);
    (hours > 0).then(|| Duration::from_secs(hours.saturating_mul(3_600)))
}

fn bind(reader: &mut VariableReader<'_>) -> IpAddr {
    let text = reader.text(&vars::BIND);
    text.trim_matches(['[', ']']).parse().unwrap_or_else(|_| {
        reader.wrong(&vars::BIND, format!("{text:?} is not an IP address"));
        IpAddr::from([0, 0, 0, 0])
    })
}

fn path_or(
    reader: &mut VariableReader<'_>,
    variable: &Variable,
    default: impl FnOnce() -> PathBuf,
) -> PathBuf {
    let text = reader.text(variable);
    if text.is_empty() { default() } else { PathBuf::from(text) }
}
