//! Checks everything that is configured and reaches every server, without sending, marking or
//! changing anything. The command prints what was found, the API answers with it.

mod documents;
mod servers;

use std::sync::Arc;

use render_signal_actors::config::load::load;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::kernel::said::Said;
use render_signal_actors::mail::policy::Policy;
use render_signal_actors::r2::links::file::LinksFile;
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::exit::Exit;
use crate::findings::{Finding, Severity, durability, gravest, together};
use crate::settings::{Settings, Storage, defaults_from_env};
use crate::{eviction, journal, wiring};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Check {
    /// What, such as `mailbox` or `target default`.
    pub(crate) name: String,
    /// What was found; never empty.
    pub(crate) findings: Vec<Finding>,
}

impl Check {
    fn new(name: impl Into<String>, finding: Finding) -> Self {
        Self { name: name.into(), findings: vec![finding] }
    }

    /// How it is: as the gravest finding says.
    pub(crate) fn state(&self) -> Severity {
        gravest(&self.findings).map_or(Severity::Ok, Finding::severity)
    }

    /// In words.
    pub(crate) fn said(&self) -> Said {
        together(&self.findings)
    }

    /// What to do, if anything.
    pub(crate) fn advice(&self) -> Option<Said> {
        gravest(&self.findings).and_then(Finding::advice)
    }

    /// The exit code that a failure of this check asks for.
    fn exit(&self) -> Exit {
        match gravest(&self.findings) {
            Some(finding) if finding.severity() == Severity::Fail => exit(finding),
            _ => Exit::Ok,
        }
    }
}

/// The exit code of what is wrong.
const fn exit(finding: &Finding) -> Exit {
    match finding {
        Finding::VariableWrong { .. } | Finding::TargetNoAddress { .. } => Exit::Config,
        Finding::JournalEphemeral { .. } | Finding::JournalUnusable { .. } => Exit::Journal,
        Finding::DocumentRefused { .. } | Finding::DocumentStops { .. } => Exit::Found,
        _ => Exit::Unreachable,
    }
}

/// For programs: English words beside the codes.
impl Serialize for Check {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let coded: Vec<_> = self.findings.iter().map(Finding::coded).collect();
        let advice = self.advice();
        let mut check = to.serialize_struct("Check", 6)?;
        check.serialize_field("name", &self.name)?;
        check.serialize_field("state", &self.state())?;
        check.serialize_field("code", &gravest(&self.findings).map(Finding::code))?;
        check.serialize_field("message", &self.said())?;
        match &advice {
            Some(advice) => check.serialize_field("advice", advice)?,
            None => check.skip_field("advice")?,
        }
        check.serialize_field("findings", &coded)?;
        check.end()
    }
}

/// All of it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// As the gravest check.
    pub(crate) state: Severity,
    /// In the order of looking.
    pub(crate) checks: Vec<Check>,
}

impl Report {
    /// How the command ends: what keeps the service from starting comes first.
    pub(crate) fn exit(&self) -> Exit {
        [Exit::Config, Exit::Journal, Exit::Unreachable, Exit::Found]
            .into_iter()
            .find(|exit| self.checks.iter().any(|check| check.exit() == *exit))
            .unwrap_or(Exit::Ok)
    }
}

/// Looks at everything that this environment names.
pub(crate) async fn look(environment: fn(&str) -> Option<String>) -> Report {
    let checks = checks(environment).await;
    Report { state: checks.iter().map(Check::state).max().unwrap_or(Severity::Ok), checks }
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
        let past: Option<&dyn Journal> = past.as_deref();
        let defaults = Arc::new(defaults);
        let Ok(store) = wiring::documents(&storage, &defaults, &world, None) else { return checks };
        let book = load(store.as_ref(), &defaults, past, world.now()).await;
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
            checks.push(Check { name: NAME.into(), findings: vec![holds, durability(journal.durability())] });
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
async fn redis(server: &eviction::Server) -> Check {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn report(findings: impl IntoIterator<Item = Finding>) -> Report {
        let checks = findings.into_iter().map(|finding| Check::new("x", finding)).collect();
        Report { state: Severity::Fail, checks }
    }

    #[test]
    fn the_gravest_failure_gives_the_exit_code() {
        let unreachable = || Finding::TargetSilent { address: "a".into(), why: "b".into() };
        let found = Finding::DocumentRefused {
            document: "a".into(),
            problem: render_signal_actors::config::documents::FieldProblem::new("b", Said::alike("c")),
            mend: Said::alike("d"),
        };
        let config = Finding::TargetNoAddress { address: "a".into() };
        let journal = Finding::JournalUnusable { why: "a".into() };
        assert_eq!(report([Finding::EnvironmentReadable {}, Finding::AnySender {}]).exit(), Exit::Ok);
        assert_eq!(report([found.clone()]).exit(), Exit::Found);
        assert_eq!(report([found, unreachable()]).exit(), Exit::Unreachable);
        assert_eq!(report([unreachable(), journal.clone()]).exit(), Exit::Journal);
        assert_eq!(report([unreachable(), journal, config]).exit(), Exit::Config);
    }
}
