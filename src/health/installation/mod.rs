//! Checks everything that is configured and reaches every server, without sending, marking or
//! changing anything. The command prints what was found, the API answers with it.

mod documents;
mod servers;

use std::sync::Arc;

use render_signal_actors::config::load::load;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::mail::policy::Policy;
use render_signal_actors::r2::links::file::LinksFile;

use super::{Check, eviction, worst};
use crate::findings::{Finding, Severity, durability};
use crate::settings::{Settings, Storage, defaults_from_env};
use crate::{journal, wiring};

/// What was found, check by check.
#[derive(Debug)]
pub(crate) struct Inspection {
    /// In the order of looking.
    pub(crate) checks: Vec<Check>,
}

impl Inspection {
    /// As the gravest check.
    pub(crate) fn state(&self) -> Severity {
        worst(&self.checks)
    }
}

/// Looks at everything that this environment names.
pub(crate) async fn look(environment: fn(&str) -> Option<String>) -> Inspection {
    Inspection { checks: checks(environment).await }
}

async fn checks(environment: fn(&str) -> Option<String>) -> Vec<Check> {
    let world = World::real();
    let mut checks = Vec::new();
    let settings = settings(environment, &mut checks);
    let Ok(storage) = Storage::from_env(environment) else { return checks };
    let past = look_at_journal(&storage, settings.as_ref(), &world, &mut checks).await;
    for server in eviction::servers(&storage) {
        checks.push(redis(&server).await);
    }
    if settings.as_ref().is_some_and(|settings| settings.defaults.offload) {
        checks.push(list_of_copies(&storage.links));
    }
    if let Ok(defaults) = defaults_from_env(environment) {
        let defaults = Arc::new(defaults);
        let Ok(store) = wiring::documents(&storage, &defaults, &world, past.clone()) else { return checks };
        let book = load(store.as_ref(), &defaults, past.as_deref(), world.now()).await;
        documents::look(&book, &storage, (&defaults, &world), &mut checks).await;
        let policy = book.policy(&defaults, 1);
        checks.push(senders(&policy));
        checks.extend(
            policy
                .remarks()
                .into_iter()
                .map(|remark| Check::new("preferences", Finding::PreferenceRemark { remark })),
        );
        if let Some(settings) = &settings {
            checks.extend(Box::pin(servers::look(settings, &policy)).await);
        }
    }
    checks
}

fn settings(environment: fn(&str) -> Option<String>, checks: &mut Vec<Check>) -> Option<Settings> {
    match Settings::from_env(environment) {
        Ok(settings) => {
            checks.push(Check::new("environment", Finding::EnvironmentReadable {}));
            let warnings = settings.warnings.iter().cloned();
            checks.extend(warnings.map(|warning| Check::new("environment", warning)));
            if settings.signing_keys.is_none() {
                checks.push(Check::new("signature", Finding::Unsigned {}));
            }
            Some(settings)
        }
        Err(errors) => {
            checks.extend(errors.into_iter().map(|error| {
                let (variable, example) = (error.name, error.example.to_string());
                let finding = Finding::VariableWrong { variable, problem: error.problem, example };
                Check::new(format!("environment {variable}"), finding)
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
    const NAME: &str = "journal";
    let place = &storage.journal;
    checks.extend(storage.refusal().map(|refusal| Check::new(NAME, refusal)));
    if journal::is_missing(place) {
        checks.push(Check::new(NAME, Finding::JournalNotYet { place: place.to_string() }));
        return None;
    }
    let opened = match settings {
        Some(settings) => journal::open_to_compare(settings, world).await,
        None => journal::open_to_look(place, world).await,
    };
    let found = match opened {
        Ok(journal) => journal.head().await.map(|head| (journal, head)).map_err(|error| error.to_string()),
        Err(failure) => Err(failure.message),
    };
    match found {
        Ok((journal, events)) => {
            let holds = Finding::JournalHolds { place: place.to_string(), events };
            checks.push(Check::of(NAME, vec![holds, durability(storage.durability(journal.durability()))]));
            checks.extend(journal.others().await.unwrap_or_default().into_iter().map(|other| {
                let settings = other.settings.into_iter().collect();
                Check::new("workers", Finding::EnvironmentDiffers { worker: other.worker, settings })
            }));
            Some(journal)
        }
        Err(why) => {
            checks.push(Check::new(NAME, Finding::JournalUnusable { why: why.into() }));
            None
        }
    }
}

/// What a Redis server does with our keys when its memory is full.
async fn redis(server: &eviction::WatchedServer) -> Check {
    let finding = match server.ask().await {
        Ok(None) => Finding::RedisKeeps {},
        Ok(Some(remark)) => remark,
        Err(why) => Finding::RedisSilent { server: server.named, why },
    };
    Check::new(format!("redis {}", server.named), finding)
}

/// No copy and no webhook depends on the list, so it cannot fail the whole.
fn list_of_copies(list: &LinksFile) -> Check {
    let file = list.path().display().to_string();
    let finding = match list.check() {
        Ok(()) if list.exists() => Finding::ListUsable { file },
        Ok(()) => Finding::ListNotYet { file },
        Err(trouble) => Finding::ListTrouble { trouble: trouble.to_string() },
    };
    Check::new("list of copies", finding)
}

fn senders(policy: &Policy) -> Check {
    let finding = match policy.allowed_senders.len() {
        0 => Finding::AnySender {},
        count => Finding::SendersListed { count },
    };
    Check::new("senders", finding)
}
