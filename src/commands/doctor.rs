//! `doctor`: checks everything that is configured and reaches every server, without
//! sending, marking or changing anything.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use render_signal_actors::config::book::Book;
use render_signal_actors::config::documents::Key;
use render_signal_actors::config::load::load;
use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::config::store::{DocumentStore, Read};
use render_signal_actors::egress::{ClientOptions, EgressPolicy, reach};
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::{Durability, Journal};
use render_signal_actors::mail::policy::Policy;
use render_signal_actors::mail::rules::mask_url;
use render_signal_actors::poller::source::SourceError;
use render_signal_actors::r2::links::file::LinksFile;
use serde::Serialize;
use url::Url;

use crate::cli::DoctorArgs;
use crate::exit::{Exit, Outcome};
use crate::output::{Output, Style, spinner};
use crate::settings::{R2Settings, Settings, Storage, defaults_from_env, describe_variables};
use crate::{commands, eviction, journal, wiring};

/// How long one server may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    Warn,
    Fail,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    name: String,
    state: State,
    message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
    /// The exit code that a failure of this check asks for.
    #[serde(skip)]
    exit: Exit,
}

impl Check {
    fn ok(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Ok, message: message.into(), advice: None, exit: Exit::Ok }
    }

    fn warn(name: impl Into<String>, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Warn, advice: Some(advice.into()), ..Self::ok(name, message) }
    }

    fn fail(
        name: impl Into<String>,
        message: impl Into<String>,
        advice: impl Into<String>,
        exit: Exit,
    ) -> Self {
        Self { state: State::Fail, advice: Some(advice.into()), exit, ..Self::ok(name, message) }
    }
}

#[derive(Serialize)]
struct Report<'c> {
    state: State,
    checks: &'c [Check],
}

/// Checks, prints, and ends with the code of the gravest failure.
pub(crate) async fn run(args: &DoctorArgs, out: &mut Output) -> Outcome {
    if args.variables {
        out.line(describe_variables().trim_end())?;
        return Ok(Exit::Ok);
    }
    let waiting = spinner("reaching every configured server");
    let checks = checks().await;
    waiting.finish_and_clear();
    if args.json {
        let state = checks.iter().map(|check| check.state).max().unwrap_or(State::Ok);
        out.json_pretty(&Report { state, checks: &checks })?;
    } else {
        for check in &checks {
            out.line(line(check, out))?;
        }
    }
    Ok(verdict(&checks))
}

/// What keeps the service from starting comes first.
fn verdict(checks: &[Check]) -> Exit {
    [Exit::Config, Exit::Journal, Exit::Unreachable, Exit::Found]
        .into_iter()
        .find(|exit| checks.iter().any(|check| check.exit == *exit))
        .unwrap_or(Exit::Ok)
}

fn line(check: &Check, out: &Output) -> String {
    let (style, word) = match check.state {
        State::Ok => (Style::Good, "ok  "),
        State::Warn => (Style::Warn, "warn"),
        State::Fail => (Style::Bad, "fail"),
    };
    let advice = check.advice.as_ref().map_or_else(String::new, |advice| format!(" → {advice}"));
    format!("{}  {:<22} {}{advice}", out.styled(style, word), check.name, check.message)
}

async fn checks() -> Vec<Check> {
    let world = World::real();
    let mut checks = Vec::new();
    let settings = environment(&mut checks);
    let Ok(storage) = Storage::from_env(commands::environment) else { return checks };
    let past = look_at_journal(&storage, settings.as_ref(), &world, &mut checks).await;
    for server in eviction::servers(&storage) {
        checks.push(redis(&server).await);
    }
    if settings.as_ref().is_some_and(|settings| settings.defaults.offload) {
        checks.push(list_of_copies(&storage.links));
    }
    if let Ok(defaults) = defaults_from_env(commands::environment) {
        let past: Option<&dyn Journal> = past.as_deref();
        let defaults = Arc::new(defaults);
        let Ok(store) = wiring::documents(&storage, &defaults, &world, None) else { return checks };
        let book = load(store.as_ref(), &defaults, past, world.now()).await;
        documents(&book, &storage, (&defaults, &world), &mut checks).await;
        let policy = book.policy(&defaults, 1);
        senders(&policy, &mut checks);
        for remark in policy.remarks() {
            checks.push(Check::warn("preferences", remark.english, "change the document or the variable"));
        }
        if let Some(settings) = &settings {
            checks.extend(Box::pin(servers(settings, &policy)).await);
        }
    }
    checks
}

fn environment(checks: &mut Vec<Check>) -> Option<Settings> {
    match Settings::from_env(commands::environment) {
        Ok(settings) => {
            checks.push(Check::ok("environment", "every required variable is set, and all can be read"));
            for warning in &settings.warnings {
                checks.push(Check::warn("environment", warning, "change it if that is not what you want"));
            }
            if settings.signing_keys.is_none() {
                checks.push(Check::warn(
                    "signature",
                    "webhooks are not signed",
                    "set WEBHOOK_SECRET: echo whsec_$(openssl rand -base64 32)",
                ));
            }
            Some(settings)
        }
        Err(errors) => {
            checks.extend(errors.iter().map(|error| {
                Check::fail(
                    format!("environment {}", error.name),
                    &error.problem,
                    format!("for example {}={}", error.name, error.example),
                    Exit::Config,
                )
            }));
            None
        }
    }
}

/// The journal, if it can be looked into.
async fn look_at_journal(
    storage: &Storage,
    settings: Option<&Settings>,
    world: &World,
    checks: &mut Vec<Check>,
) -> Option<Arc<dyn Journal>> {
    let place = &storage.journal;
    if let Some(why) = storage.refusal() {
        checks.push(Check::fail("journal", why, "attach a disk", Exit::Journal));
    }
    if journal::is_missing(place) {
        checks.push(Check::ok("journal", format!("{place} does not exist yet; the first start creates it")));
        return None;
    }
    let opened = match settings {
        Some(settings) => journal::open_to_compare(settings, world).await,
        None => journal::open_to_look(place, world).await,
    };
    let head = match &opened {
        Ok(journal) => journal.head().await.map_err(|error| error.to_string()),
        Err(failure) => Err(failure.message.clone()),
    };
    match head {
        Ok(head) => {
            let journal = opened.ok()?;
            checks.push(kept(format!("{place} holds {head} events"), journal.durability()));
            checks.extend(journal.others().await.unwrap_or_default().into_iter().map(|difference| {
                let difference = difference.replace("than this worker", "than this environment");
                Check::warn("workers", difference, "give all workers of a journal the same environment")
            }));
            Some(journal)
        }
        Err(why) => {
            let advice = "see \"It does not start\" in docs/RUNBOOK.md";
            checks.push(Check::fail("journal", why, advice, Exit::Journal));
            None
        }
    }
}

/// What the journal can keep, in plain words.
fn kept(found: String, durability: Durability) -> Check {
    let (said, advice) = match durability {
        Durability::OnDisk => {
            return Check::ok("journal", format!("{found}; what it acknowledges is on the disk"));
        }
        Durability::UpToTwoSeconds => (
            "what it acknowledges is on the disk within two seconds",
            "set appendfsync always, if the last two seconds before a crash matter",
        ),
        Durability::UntilRestart => (
            "it keeps what it acknowledges in memory only: its restart loses all of it",
            "set appendonly yes and appendfsync always at the server",
        ),
        Durability::Unknown => (
            "the server does not tell whether what it acknowledges is on its disk",
            "make sure that it has appendonly yes, and maxmemory-policy noeviction",
        ),
        Durability::Memory => ("it is in memory only", "keep it in a file or in Redis"),
    };
    Check::warn("journal", format!("{found}; {said}"), advice)
}

/// What a Redis server does with our keys when its memory is full.
async fn redis(server: &eviction::Server) -> Check {
    let name = format!("redis {}", server.named);
    match server.ask().await {
        Ok(None) => Check::ok(name, "nothing of ours is deleted when its memory is full"),
        Ok(Some(remark)) => {
            Check::warn(name, remark, "it is a setting of the server, or of the platform that runs it")
        }
        Err(why) => Check::fail(name, why, "check the address, and that the server runs", Exit::Unreachable),
    }
}

/// No copy and no webhook depends on the list, so it cannot fail the whole.
fn list_of_copies(list: &LinksFile) -> Check {
    let path = list.path().display();
    match list.check() {
        Ok(()) if list.exists() => Check::ok("list of copies", format!("{path} can be read and written")),
        Ok(()) => {
            Check::ok("list of copies", format!("{path} does not exist yet; the first copy creates it"))
        }
        Err(trouble) => Check::warn(
            "list of copies",
            trouble.to_string(),
            "set WEBHOOK_LINKS_FILE to a place that can be written; a damaged list is put aside and written anew",
        ),
    }
}

/// Where documents are, the store that has the last word first.
async fn documents(
    book: &Book,
    storage: &Storage,
    (defaults, world): (&EnvDefaults, &World),
    checks: &mut Vec<Check>,
) {
    let egress = EgressPolicy::new(defaults.egress_allow.clone());
    let shared = wiring::remote_documents(storage, &egress, world).unwrap_or_default();
    let absent: Vec<&str> = Key::ALL
        .into_iter()
        .filter(|key| book.in_force(*key).is_none() && !book.is_refused(*key))
        .map(Key::as_str)
        .collect();
    let before = checks.len();
    for key in Key::ALL.into_iter().filter(|key| !book.problems(*key).is_empty()) {
        let advice = mend(key, holder(&shared, key).await, storage);
        let stops = book.withholds(key).map_or_else(String::new, |stops| {
            format!(" ({} until it is mended: there is no good version before it)", stops.said())
        });
        for problem in book.problems(key) {
            let message = format!("{problem}{stops}");
            if book.is_missing(key) {
                let advice = format!(
                    "config history {key}, then config restore {key} VERSION, or config remove {key}"
                );
                checks.push(Check::warn(format!("document {key}"), message, advice));
                continue;
            }
            checks.push(Check::fail(format!("document {key}"), message, advice.clone(), Exit::Found));
        }
        if book.is_switched_off(key) {
            let message = "it is refused, but its switch says off, which is obeyed";
            checks.push(Check::warn(format!("document {key}"), message, "mend the document"));
        }
    }
    let sound = checks.len() == before;
    for key in Key::ALL {
        checks.extend(book.remarks(key).into_iter().map(|remark| {
            Check::warn(
                format!("document {key}"),
                remark.english,
                format!("config set {key} --unset FIELD, if it is not meant"),
            )
        }));
    }
    if sound {
        let note = if absent.is_empty() {
            String::new()
        } else {
            format!("; absent, so the environment or a built-in default decides: {}", absent.join(", "))
        };
        let mut places: Vec<String> = shared.iter().map(|store| place(store.name(), storage)).collect();
        places.push(place("file", storage));
        checks.push(Check::ok("documents", format!("{}: valid{note}", places.join(", then "))));
    }
}

/// The name of the store whose word about a document holds; `Err` = of the one that does not
/// answer.
async fn holder(shared: &[Arc<dyn DocumentStore>], key: Key) -> Result<&'static str, &'static str> {
    for store in shared {
        match store.read(key).await {
            Ok(Read::Absent) => {}
            Ok(Read::Found { .. }) => return Ok(store.name()),
            Err(_) => return Err(store.name()),
        }
    }
    Ok("file")
}

/// A store in plain words.
fn place(store: &str, storage: &Storage) -> String {
    match (store, &storage.php, &storage.redis_documents) {
        ("php", Some(host), _) => format!("at {}", host.host()),
        ("redis", _, Some(prefix)) => format!("in Redis under {prefix}"),
        _ => format!("in {}", storage.config_dir.display()),
    }
}

/// What to do about a document that is wrong.
fn mend(key: Key, holder: Result<&'static str, &'static str>, storage: &Storage) -> String {
    match holder {
        Ok("file") => {
            let file = match key {
                Key::MagicLinkTokens => storage.magic_links_file.clone(),
                _ => storage.config_dir.join(format!("{key}.json")),
            };
            format!("edit {}", file.display())
        }
        Ok(store) => format!(
            "it is kept {}; config show {key} --reveal > FILE, edit it, config set {key} --file FILE",
            place(store, storage)
        ),
        Err(store) => format!(
            "look {}, which keeps it; see \"A configuration store does not answer\" in docs/RUNBOOK.md",
            place(store, storage)
        ),
    }
}

fn senders(policy: &Policy, checks: &mut Vec<Check>) {
    checks.push(match policy.allowed_senders.len() {
        0 => Check::warn(
            "senders",
            "mails of every sender count",
            "name those that matter in polling_config or SENDER_OF_INTEREST_FOR_POLLING",
        ),
        count => Check::ok("senders", format!("{count} addresses are accepted")),
    });
}

/// Every server at once; the answers in the order of asking.
async fn servers(settings: &Settings, policy: &Policy) -> Vec<Check> {
    let targets = std::iter::once(&policy.default_target).chain(policy.rules.iter().map(|rule| &rule.target));
    let receivers = ClientOptions {
        verify_certificates: policy.ssl_verify,
        extra_roots: settings.webhook_authorities.clone(),
        ..ClientOptions::default()
    };
    let mut addresses: Vec<(String, String, ClientOptions)> = targets
        .map(|target| (format!("target {}", target.id), target.url.clone(), receivers.clone()))
        .collect();
    if let Some(R2Settings::Worker(r2)) = &settings.r2 {
        addresses.push(("R2 Worker".to_owned(), r2.endpoint.to_string(), ClientOptions::default()));
    }
    let reached = addresses.into_iter().map(|(name, url, options)| server(settings, name, url, options));
    let (mailbox, mut checks, bucket, archive) = futures::join!(
        mailbox(settings),
        futures::future::join_all(reached),
        bucket(settings),
        archive(settings)
    );
    checks.insert(0, mailbox);
    checks.extend(bucket);
    checks.extend(archive);
    checks
}

/// The bucket, if files are copied into it directly: asked for, not changed.
async fn bucket(settings: &Settings) -> Option<Check> {
    let Some(R2Settings::Direct(direct)) = &settings.r2 else { return None };
    let store = wiring::bucket(direct, &wiring::egress(settings), &World::real()).ok()?;
    let (name, advice) = (
        &direct.bucket,
        "check R2_ACCOUNT_ID (or R2_ENDPOINT_URL), R2_BUCKET_NAME, and that the token of R2_ACCESS_KEY_ID may read and write its objects",
    );
    Some(opened("R2 bucket", name, store.check(), advice).await)
}

/// Where old events go, if they do.
async fn archive(settings: &Settings) -> Option<Check> {
    const NAME: &str = "archive";
    settings.storage.journal_retention_days?;
    if let Some(why) = settings.no_archive() {
        return Some(Check::warn(NAME, why, "see \"Old events\" in docs/RUNBOOK.md"));
    }
    let Some(bucket) = &settings.archive_bucket else {
        return Some(archive_folder(&settings.storage.archive_dir));
    };
    let store = wiring::archive_bucket(bucket, &wiring::egress(settings)).ok()?;
    let advice = "check R2_ACCOUNT_ID (or R2_ENDPOINT_URL), JOURNAL_ARCHIVE_BUCKET, and that the token of R2_ACCESS_KEY_ID may read and write its objects";
    Some(opened(NAME, &bucket.bucket, store.check(), advice).await)
}

/// Nothing is lost when it cannot be written: old events stay in the journal then.
fn archive_folder(folder: &Path) -> Check {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    let existing = absolute.ancestors().find_map(|dir| std::fs::metadata(dir).ok());
    let shown = folder.display();
    match existing {
        Some(there) if there.is_dir() && !there.permissions().readonly() => {
            Check::ok("archive", format!("old events go to {shown}"))
        }
        _ => Check::warn(
            "archive",
            format!("{shown} is no folder that can be written: old events stay in the journal"),
            "set JOURNAL_ARCHIVE_DIR to one that can",
        ),
    }
}

/// A bucket that is asked for, and not changed.
async fn opened(
    name: &str,
    bucket: &str,
    asked: impl Future<Output = Result<(), String>>,
    advice: &str,
) -> Check {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(())) => Check::ok(name, format!("{bucket}: there, and the token opens it")),
        Ok(Err(why)) => Check::fail(name, format!("{bucket}: {why}"), advice, Exit::Unreachable),
        Err(_) => {
            let why = format!("{bucket}: no answer within {} s", PATIENCE.as_secs());
            Check::fail(name, why, advice, Exit::Unreachable)
        }
    }
}

async fn mailbox(settings: &Settings) -> Check {
    let Some(mail) = &settings.mail else {
        return Check::warn(
            "mailbox",
            "there is none, so nothing is polled",
            "set EMAIL_ADDRESS, EMAIL_PASSWORD and IMAP_SERVER, or MAIL_SOURCE",
        );
    };
    let source = wiring::mail_source(mail);
    let name = source.mailbox().to_owned();
    let looked = tokio::time::timeout(PATIENCE, async {
        let session = source.connect().await?;
        let opened = session.opened();
        session.close().await;
        Ok::<_, SourceError>(opened)
    });
    match looked.await {
        Ok(Ok(opened)) => Check::ok("mailbox", format!("{name}: opened, {} mails", opened.exists)),
        Ok(Err(error)) => Check::fail(
            "mailbox",
            format!("{name}: {error}"),
            "check IMAP_SERVER, IMAP_PORT, IMAP_SECURITY, EMAIL_ADDRESS and EMAIL_PASSWORD (or the path of MAIL_SOURCE)",
            Exit::Unreachable,
        ),
        Err(_) => Check::fail(
            "mailbox",
            format!("{name}: no answer within {} s", PATIENCE.as_secs()),
            "check IMAP_SERVER and IMAP_PORT, and that a firewall lets you out",
            Exit::Unreachable,
        ),
    }
}

/// Connects, shakes hands, hangs up: nothing is posted.
async fn server(settings: &Settings, name: String, url: String, options: ClientOptions) -> Check {
    let shown = mask_url(&url);
    let Ok(parsed) = Url::parse(&url) else {
        return Check::fail(name, format!("{shown} is no address"), "correct it", Exit::Config);
    };
    match reach(&wiring::egress(settings), &options, &parsed, PATIENCE).await {
        Ok(address) => Check::ok(name, format!("{shown} answers at {address}")),
        Err(error) => Check::fail(
            name,
            format!("{shown}: {error}"),
            "check the address, and that a firewall lets you out",
            Exit::Unreachable,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_failure_gives_the_exit_code() {
        let fail = |exit| Check::fail("x", "y", "z", exit);
        assert_eq!(verdict(&[Check::ok("a", "b"), Check::warn("a", "b", "c")]), Exit::Ok);
        assert_eq!(verdict(&[fail(Exit::Unreachable), fail(Exit::Found)]), Exit::Unreachable);
        assert_eq!(verdict(&[fail(Exit::Unreachable), fail(Exit::Config)]), Exit::Config);
        assert_eq!(verdict(&[fail(Exit::Unreachable), fail(Exit::Journal)]), Exit::Journal);
    }

    #[test]
    fn a_line_says_what_to_do() {
        let out = Output::into_writer(Box::new(std::io::sink()));
        let check = Check::fail("mailbox", "no answer", "check IMAP_SERVER", Exit::Unreachable);
        assert_eq!(line(&check, &out), "fail  mailbox                no answer → check IMAP_SERVER");
    }
}
