//! Every server that is configured: reached, and nothing more.

use std::path::Path;
use std::time::Duration;

use render_signal_actors::egress::{ClientOptions, reach};
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::said::Said;
use render_signal_actors::mail::policy::Policy;
use render_signal_actors::mail::rules::mask_url;
use render_signal_actors::poller::source::SourceError;
use render_signal_actors::said;
use url::Url;

use crate::findings::Finding;
use crate::health::{Check, worker};
use crate::settings::{MailSourceSettings, MailboxLogin, R2Settings, Settings};
use crate::wiring;
use crate::words::recorded;

/// How long one server may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Every server at once; the answers in the order of asking.
pub(super) async fn look(settings: &Settings, policy: &Policy) -> Vec<Check> {
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
    checks.splice(0..0, mailbox);
    checks.extend(bucket);
    checks.extend(archive);
    checks
}

/// The bucket, if files are copied into it directly: asked for, not changed.
async fn bucket(settings: &Settings) -> Option<Check> {
    let Some(R2Settings::Direct(direct)) = &settings.r2 else { return None };
    let store = wiring::bucket(direct, &wiring::egress(settings), &World::real()).ok()?;
    let bucket = direct.bucket.clone();
    let finding = match opened(store.check()).await {
        Ok(()) => Finding::BucketOpens { bucket },
        Err(why) => Finding::BucketFails { bucket, why },
    };
    Some(Check::new("R2 bucket", finding))
}

/// Where old events go, if they do.
async fn archive(settings: &Settings) -> Option<Check> {
    const NAME: &str = "archive";
    settings.storage.journal_retention_days?;
    if let Some(finding) = settings.no_archive() {
        return Some(Check::new(NAME, finding));
    }
    let Some(place) = &settings.archive_bucket else {
        return Some(Check::new(NAME, archive_folder(&settings.storage.archive_dir)));
    };
    let store = wiring::archive_bucket(place, &wiring::egress(settings)).ok()?;
    let bucket = place.bucket.clone();
    let finding = match opened(store.check()).await {
        Ok(()) => Finding::BucketOpens { bucket },
        Err(why) => Finding::ArchiveFails { bucket, why },
    };
    Some(Check::new(NAME, finding))
}

/// Nothing is lost when it cannot be written: old events stay in the journal then.
fn archive_folder(path: &Path) -> Finding {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let existing = absolute.ancestors().find_map(|dir| std::fs::metadata(dir).ok());
    let folder = path.display().to_string();
    match existing {
        Some(there) if there.is_dir() && !there.permissions().readonly() => Finding::ArchiveFolder { folder },
        _ => Finding::ArchiveFolderUnusable { folder },
    }
}

/// A bucket that is asked for, and not changed.
async fn opened(asked: impl Future<Output = Result<(), String>>) -> Result<(), Said> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(recorded::said),
        Err(_) => Err(no_answer()),
    }
}

fn no_answer() -> Said {
    let seconds = PATIENCE.as_secs();
    said!("aucune réponse en {seconds} s", "no answer within {seconds} s")
}

/// The mailbox, behind the access tokens if those open it.
async fn mailbox(settings: &Settings) -> Vec<Check> {
    const NAME: &str = "mailbox";
    let Some(mail) = &settings.mail else { return vec![Check::new(NAME, Finding::MailboxMissing {})] };
    let world = World::real();
    let fails = |why: String| {
        let mailbox = wiring::mailbox_name(mail);
        Check::new(NAME, Finding::MailboxFails { mailbox, why: recorded::said(why) })
    };
    let tokens = match wiring::oauth::tokens(settings, &world) {
        Ok(tokens) => tokens.filter(|_| matches!(mail, MailSourceSettings::Imap(_, MailboxLogin::OAuth2))),
        Err(failure) => return vec![fails(failure.message)],
    };
    let mut checks = Vec::new();
    if let Some(tokens) = &tokens {
        // What came of it is in the report.
        drop(tokens.token().await);
        checks.push(Check::of("oauth", worker::oauth::of_tokens(&tokens.report(), world.now())));
    }
    let source = match wiring::mail_source(mail, tokens.as_ref()) {
        Ok(source) => source,
        Err(failure) => return vec![fails(failure.message)],
    };
    let mailbox = source.mailbox().to_owned();
    let looked = tokio::time::timeout(PATIENCE, async {
        let session = source.connect().await?;
        let opened = session.opened();
        session.close().await;
        Ok::<_, SourceError>(opened)
    });
    let finding = match looked.await {
        Ok(Ok(opened)) => Finding::MailboxOpened { mailbox, mails: opened.exists },
        Ok(Err(error)) => Finding::MailboxFails { mailbox, why: recorded::said(error) },
        Err(_) => Finding::MailboxFails { mailbox, why: no_answer() },
    };
    checks.push(Check::new(NAME, finding));
    checks
}

/// Connects, shakes hands, hangs up: nothing is posted.
async fn server(settings: &Settings, name: String, url: String, options: ClientOptions) -> Check {
    let address = mask_url(&url);
    let Ok(parsed) = Url::parse(&url) else {
        return Check::new(name, Finding::TargetNoAddress { address });
    };
    let finding = match reach(&wiring::egress(settings), &options, &parsed, PATIENCE).await {
        Ok(at) => Finding::TargetAnswers { address, at: at.to_string() },
        Err(error) => Finding::TargetSilent { address, why: error.to_string() },
    };
    Check::new(name, finding)
}
