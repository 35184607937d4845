//! Where things are kept: the journal, the documents, the lease, the list of copies.

use std::path::{Path, PathBuf};

use render_signal_actors::archive::SHORTEST_DAYS;
use render_signal_actors::config::prune::CopyLimits;
use render_signal_actors::config::store::php::PhpSettings;
use render_signal_actors::egress::IpNet;
use render_signal_actors::kernel::journal::Durability;
use render_signal_actors::kernel::journal::redis::DEFAULT_PREFIX;
use render_signal_actors::kernel::redis::RedisAddress;
use render_signal_actors::r2::links::book::Bounds;
use render_signal_actors::r2::links::file::LinksFile;

use super::ephemeral::is_ephemeral;
use super::reader::{SettingError, VariableReader};
use super::tokens;
use super::variables as vars;
use super::{JournalPlace, RedisPlace, StoreOrder, check_url, path_or, place};
use crate::findings::Finding;

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
    /// `JOURNAL_REDIS_PREFIX`: before the keys of a journal in Redis; the lease's key follows it.
    pub(crate) journal_prefix: String,
    /// `JOURNAL_RETENTION_DAYS`; `None` = nothing is archived.
    pub(crate) journal_retention_days: Option<u32>,
    /// `CONFIG_HISTORY_VERSIONS` and `CONFIG_HISTORY_DAYS`.
    pub(crate) config_history: CopyLimits,
    /// `JOURNAL_ARCHIVE_DIR`.
    pub(crate) archive_dir: PathBuf,
    /// `WEBHOOK_LINKS_FILE`, with its bounds.
    pub(crate) links: LinksFile,
    /// `ALLOW_EPHEMERAL_JOURNAL`.
    pub(crate) allow_ephemeral_journal: bool,
    /// `RENDER` is set: we run there.
    pub(crate) render: bool,
}

impl Storage {
    /// Where the index of the search lies.
    pub(crate) fn search_index(&self) -> PathBuf {
        self.data_dir.join("search.db")
    }

    /// Reads where things are kept; nothing is required.
    ///
    /// # Errors
    /// Every variable of these that is malformed.
    pub(crate) fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<SettingError>> {
        let mut reader = VariableReader::new(&lookup);
        let storage = storage(&mut reader);
        if reader.errors.is_empty() { Ok(storage) } else { Err(reader.errors) }
    }

    /// The server that keeps the polling lease, which all workers must agree on; `None` = a file.
    pub(crate) fn lease_server(&self) -> Option<&RedisAddress> {
        self.redis.as_ref().or(self.journal.server())
    }

    /// Why the journal would be lost with the next deploy, unless that is accepted.
    pub(crate) fn refusal(&self) -> Option<Finding> {
        let folder = self.wiped_folder().filter(|_| !self.allow_ephemeral_journal)?;
        Some(Finding::JournalEphemeral { folder: folder.display().to_string() })
    }

    /// What an acknowledgement of the journal means here, where its backend says this of itself:
    /// a file on a disk is worth as much as the disk.
    pub(crate) fn durability(&self, of_backend: Durability) -> Durability {
        if self.wiped_folder().is_some() { Durability::UntilDeploy } else { of_backend }
    }

    /// The folder of a journal in a file, if the next deploy wipes it.
    fn wiped_folder(&self) -> Option<&Path> {
        let folder = self.journal.file()?.parent().unwrap_or(&self.data_dir);
        is_ephemeral(folder, self.render).then_some(folder)
    }
}

pub(super) fn storage(reader: &mut VariableReader<'_>) -> Storage {
    let data_dir = PathBuf::from(reader.text(&vars::DATA_DIR));
    let config_dir = PathBuf::from(reader.text(&vars::CONFIG_DIR));
    let redis = redis(reader);
    let journal_prefix = journal_prefix(reader);
    let in_redis = |server| JournalPlace::Redis(RedisPlace { server, prefix: journal_prefix.clone() });
    let journal = journal(reader, &journal_prefix)
        .or_else(|| redis.clone().map(in_redis))
        .unwrap_or_else(|| JournalPlace::File(data_dir.join("render-signal.db")));
    let mut servers = redis.iter().chain(journal.server());
    if redis_ca_file(reader).is_some() && !servers.any(RedisAddress::is_encrypted) {
        reader.warnings.push(Finding::RedisAuthoritiesIdle {});
    }
    Storage {
        redis,
        store_order: store_order(reader),
        redis_documents: (!reader.switch(&vars::CONFIG_STORE_DISABLE_REDIS))
            .then(|| reader.text(&vars::CONFIG_STORE_REDIS_PREFIX)),
        php: php_host(reader),
        journal_retention_days: retention_days(reader),
        config_history: CopyLimits {
            versions: reader.int(&vars::CONFIG_HISTORY_VERSIONS),
            days: reader.int(&vars::CONFIG_HISTORY_DAYS),
        },
        archive_dir: path_or(reader, &vars::JOURNAL_ARCHIVE_DIR, || data_dir.join("archive")),
        magic_links_file: path_or(reader, &vars::MAGIC_LINK_TOKENS_FILE, || {
            config_dir.join("magic_links.json")
        }),
        data_dir,
        config_dir,
        journal,
        journal_prefix,
        links: links(reader),
        allow_ephemeral_journal: reader.switch(&vars::ALLOW_EPHEMERAL_JOURNAL),
        render: !reader.text(&vars::RENDER).is_empty(),
    }
}

fn retention_days(reader: &mut VariableReader<'_>) -> Option<u32> {
    let days: u32 = reader.int(&vars::JOURNAL_RETENTION_DAYS);
    if (1..SHORTEST_DAYS).contains(&days) {
        reader.wrong(
            &vars::JOURNAL_RETENTION_DAYS,
            format!("{days} is too short: {SHORTEST_DAYS} at least, or 0 to keep everything"),
        );
    }
    (days > 0).then_some(days)
}

fn store_order(reader: &mut VariableReader<'_>) -> StoreOrder {
    match reader.choice(&vars::CONFIG_STORE_MODE).as_str() {
        "php_first" => StoreOrder::PhpFirst,
        _ => StoreOrder::RedisFirst,
    }
}

fn links(reader: &mut VariableReader<'_>) -> LinksFile {
    let bounds = Bounds {
        max_entries: reader.int(&vars::R2_LINKS_MAX_ENTRIES),
        max_bytes: reader.int(&vars::JSON_LOG_MAX_BYTES),
    };
    let mode = reader.mode(&vars::WEBHOOK_LINKS_FILE_MODE);
    LinksFile::new(reader.text(&vars::WEBHOOK_LINKS_FILE), bounds).with_mode(mode)
}

fn php_host(reader: &mut VariableReader<'_>) -> Option<PhpSettings> {
    let base = reader.text(&vars::EXTERNAL_CONFIG_BASE_URL);
    let token = tokens::token(reader, &vars::CONFIG_API_TOKEN);
    // Malformed networks are reported where they are read for good.
    let allow: Vec<IpNet> =
        reader.list(&vars::EGRESS_ALLOW_CIDRS).iter().filter_map(|member| member.parse().ok()).collect();
    check_url(reader, &vars::EXTERNAL_CONFIG_BASE_URL, &base, &allow);
    let half = match (base.is_empty(), token.is_empty()) {
        (false, false) => None,
        (true, true) => return None,
        (false, true) => Some(Finding::HostWithoutToken {}),
        (true, false) => Some(Finding::TokenWithoutHost {}),
    };
    if let Some(half) = half {
        reader.warnings.push(half);
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

fn redis_ca_file(reader: &mut VariableReader<'_>) -> Option<PathBuf> {
    Some(reader.text(&vars::REDIS_CA_FILE)).filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn redis(reader: &mut VariableReader<'_>) -> Option<RedisAddress> {
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

fn journal_prefix(reader: &mut VariableReader<'_>) -> String {
    place::prefix(&reader.text(&vars::JOURNAL_REDIS_PREFIX)).unwrap_or_else(|problem| {
        reader.wrong(&vars::JOURNAL_REDIS_PREFIX, problem);
        DEFAULT_PREFIX.to_owned()
    })
}

fn journal(reader: &mut VariableReader<'_>, prefix: &str) -> Option<JournalPlace> {
    let url = reader.text(&vars::JOURNAL_URL);
    if url.is_empty() {
        return None;
    }
    match JournalPlace::from_url(&url, prefix) {
        Ok(JournalPlace::Redis(RedisPlace { server, prefix })) => {
            let server = RedisAddress { ca_file: redis_ca_file(reader), ..server };
            Some(JournalPlace::Redis(RedisPlace { server, prefix }))
        }
        Ok(place) => Some(place),
        Err(problem) => {
            reader.wrong(&vars::JOURNAL_URL, problem);
            None
        }
    }
}
