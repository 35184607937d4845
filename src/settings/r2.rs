//! Where linked files are copied to: through the R2 Worker, or into the bucket directly; and
//! the bucket of archived events.

use std::time::Duration;

use render_signal_actors::archive::bucket::BucketSettings;
use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::r2::direct::{DirectSettings, Pace};
use render_signal_actors::r2::worker::WorkerSettings;
use render_signal_actors::s3::Account;
use url::Url;

use super::reader::VariableReader;
use super::variables::{self as vars, Variable};
use super::{check_url, r2_worker};
use crate::findings::Finding;

/// What needs the account.
const DIRECT: &str = "direct access to R2";

/// How linked files are copied.
#[derive(Debug, Clone)]
pub(crate) enum R2Settings {
    /// The Worker fetches them.
    Worker(WorkerSettings),
    /// The program fetches them.
    Direct(DirectSettings),
}

/// `None` = links are delivered as they are.
pub(super) fn read(reader: &mut VariableReader<'_>, defaults: &EnvDefaults) -> Option<R2Settings> {
    let own = [&vars::R2_ACCOUNT_ID, &vars::R2_ACCESS_KEY_ID, &vars::R2_SECRET_ACCESS_KEY];
    let wants_direct = own.into_iter().any(|variable| is_set(reader, variable));
    let mode = reader.choice(&vars::R2_MODE);
    let worker = r2_worker(reader, defaults).map(R2Settings::Worker);
    let limits = R2CopyLimits::read(reader);
    match mode.as_str() {
        "worker" => worker,
        "direct" => direct(reader, defaults, &limits),
        // The account may be known for the archive only.
        _ if wants_direct && is_set(reader, &vars::JOURNAL_ARCHIVE_BUCKET) => {
            if worker.is_none() && is_set(reader, &vars::R2_BUCKET_NAME) {
                return direct(reader, defaults, &limits);
            }
            worker
        }
        _ if wants_direct => {
            if worker.is_some() {
                reader.warnings.push(Finding::CopiedDirectly {});
            }
            direct(reader, defaults, &limits)
        }
        _ => worker,
    }
}

/// What a copy may cost.
struct R2CopyLimits {
    max_bytes: u64,
    retention_hours: u64,
    seconds: u64,
}

impl R2CopyLimits {
    fn read(reader: &mut VariableReader<'_>) -> Self {
        Self {
            max_bytes: reader.int(&vars::R2_MAX_FILE_BYTES),
            retention_hours: reader.int(&vars::R2_RETENTION_HOURS),
            seconds: reader.int(&vars::R2_TRANSFER_MAX_SECONDS),
        }
    }
}

/// The bucket of archived events; `None` = they go into a folder.
pub(super) fn archive(reader: &mut VariableReader<'_>, defaults: &EnvDefaults) -> Option<BucketSettings> {
    let bucket = reader.text(&vars::JOURNAL_ARCHIVE_BUCKET);
    if bucket.is_empty() {
        return None;
    }
    if bucket == reader.text(&vars::R2_BUCKET_NAME) {
        reader.wrong(
            &vars::JOURNAL_ARCHIVE_BUCKET,
            "it is R2_BUCKET_NAME, which everybody can read; events hold links of mails, and older ones subjects and senders: name a private bucket",
        );
    }
    if is_set(reader, &vars::JOURNAL_ARCHIVE_DIR) {
        reader.warnings.push(Finding::ArchiveInBucket {});
    }
    let account = account(reader, defaults, "JOURNAL_ARCHIVE_BUCKET")?;
    Some(BucketSettings { account, bucket })
}

fn direct(
    reader: &mut VariableReader<'_>,
    defaults: &EnvDefaults,
    limits: &R2CopyLimits,
) -> Option<R2Settings> {
    let before = reader.errors.len();
    let account = account(reader, defaults, DIRECT);
    let bucket = needed(reader, &vars::R2_BUCKET_NAME, DIRECT);
    let public_base_url = Url::parse(&needed(reader, &vars::R2_PUBLIC_BASE_URL, DIRECT));
    let hours = |count: u64| Duration::from_secs(count.saturating_mul(3_600));
    if reader.errors.len() > before {
        return None;
    }
    Some(R2Settings::Direct(DirectSettings {
        account: account?,
        bucket,
        public_base_url: public_base_url.ok()?,
        max_bytes: limits.max_bytes,
        retention: (limits.retention_hours > 0).then(|| hours(limits.retention_hours)),
        limit: Duration::from_secs(limits.seconds),
        pace: Pace::default(),
    }))
}

/// Whose buckets they are; `None` after noting what is missing or malformed.
fn account(reader: &mut VariableReader<'_>, defaults: &EnvDefaults, needs: &str) -> Option<Account> {
    let before = reader.errors.len();
    let account = needed(reader, &vars::R2_ACCOUNT_ID, needs);
    let access_key_id = needed(reader, &vars::R2_ACCESS_KEY_ID, needs);
    let secret_access_key = needed(reader, &vars::R2_SECRET_ACCESS_KEY, needs);
    if !account.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-') {
        reader.wrong(&vars::R2_ACCOUNT_ID, "it is part of a host name: letters and digits only");
    }
    let endpoint = Some(reader.text(&vars::R2_ENDPOINT_URL)).filter(|url| !url.is_empty());
    let endpoint = endpoint.unwrap_or_else(|| format!("https://{account}.r2.cloudflarestorage.com"));
    check_url(reader, &vars::R2_ENDPOINT_URL, &endpoint, &defaults.egress_allow);
    let endpoint = Url::parse(&endpoint).map(|url| without_bucket(reader, url));
    if reader.errors.len() > before {
        return None;
    }
    Some(Account { endpoint: endpoint.ok()?, access_key_id, secret_access_key: secret_access_key.into() })
}

/// The address of the account. R2's own page shows that of a bucket, whose name is its path; with
/// it the bucket would be asked for twice in every request. Any other path is an error.
fn without_bucket(reader: &mut VariableReader<'_>, mut endpoint: Url) -> Url {
    let path = endpoint.path().trim_matches('/').to_owned();
    let buckets = [&vars::R2_BUCKET_NAME, &vars::JOURNAL_ARCHIVE_BUCKET];
    if path.is_empty() || buckets.into_iter().any(|bucket| reader.text(bucket) == path) {
        endpoint.set_path("");
    } else {
        let what = "it has a path that is neither R2_BUCKET_NAME nor JOURNAL_ARCHIVE_BUCKET; only the host is needed";
        reader.wrong(&vars::R2_ENDPOINT_URL, what);
    }
    endpoint
}

fn needed(reader: &mut VariableReader<'_>, variable: &Variable, needs: &str) -> String {
    let text = reader.text(variable);
    if text.is_empty() {
        reader.wrong(variable, format!("missing, and {needs} needs it ({})", variable.meaning));
    }
    text
}

fn is_set(reader: &mut VariableReader<'_>, variable: &Variable) -> bool {
    !reader.text(variable).is_empty()
}
