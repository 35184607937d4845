//! `config …`: the documents on the command line, beside a running server or without one.

mod carry;
mod check;
mod migrate;
mod remove;
mod resolve;
mod set;
mod show;
mod versions;

use std::sync::Arc;

use render_signal_actors::config::documents::{self, Key, effect};
use render_signal_actors::config::edit::{Editor, SavedEdit};
use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::config::store::DocumentStore;
use render_signal_actors::egress::EgressPolicy;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::kernel::said::Said;
use render_signal_actors::said;

use crate::cli::JournalArgs;
use crate::cli::config::ConfigCommand;
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::journal::{JournalLookup, Purpose};
use crate::output::{Output, Style, complain};
use crate::services::config::ConfigService;
use crate::services::migrate::by_name;
use crate::settings::{Storage, defaults_from_env};
use crate::{commands, journal, wiring};

pub(super) use self::set::read as document_file;

/// Runs one of the commands.
pub(super) async fn run(command: ConfigCommand, out: &mut Output) -> CommandResult {
    match command {
        ConfigCommand::Show(args) => show::run(&args, out).await,
        ConfigCommand::Set(args) => set::run(&args, out).await,
        ConfigCommand::History(args) => versions::history(&args, out).await,
        ConfigCommand::Diff(args) => versions::diff(&args, out).await,
        ConfigCommand::Restore(args) => versions::restore(&args, out).await,
        ConfigCommand::Remove(args) => remove::run(&args, out).await,
        ConfigCommand::Resolve(args) => resolve::run(&args, out).await,
        ConfigCommand::Export(args) => carry::export(&args, out).await,
        ConfigCommand::Import(args) => carry::import(&args, out).await,
        ConfigCommand::Migrate(args) => migrate::run(&args, out).await,
        ConfigCommand::Check(args) => check::run(&args, out).await,
    }
}

/// What the commands work on: the store, its defaults, and the journal where there is one.
struct ConfigContext {
    store: Arc<dyn DocumentStore>,
    defaults: Arc<EnvDefaults>,
    /// `None` = no server has ever run here, or it is away.
    journal: Option<Arc<dyn Journal>>,
    /// Why the journal is away, when it is.
    away: Option<String>,
    world: World,
}

impl ConfigContext {
    /// To read only.
    async fn open_to_read(args: &JournalArgs) -> Result<Self, CommandFailure> {
        let world = World::real();
        let (journal, away) = found(args, Purpose::Look, &world).await?;
        let (storage, defaults) = environment()?;
        let store = wiring::documents(&storage, &defaults, &world, journal.clone())?;
        Ok(Self { store, defaults, journal, away, world })
    }

    /// To change documents; the change goes into the journal if there is one.
    async fn open_to_change(args: &JournalArgs) -> Result<Self, CommandFailure> {
        let world = World::real();
        let (journal, away) = found(args, Purpose::Write, &world).await?;
        let (storage, defaults) = environment()?;
        let store = wiring::documents(&storage, &defaults, &world, journal.clone())?;
        Ok(Self { store, defaults, journal, away, world })
    }

    /// To change documents in Redis and on the PHP host, or in Redis alone; `None` = neither
    /// is configured.
    async fn shared(args: &JournalArgs, redis_only: bool) -> Result<Option<Self>, CommandFailure> {
        let world = World::real();
        let (storage, defaults) = environment()?;
        let (journal, away) = found(args, Purpose::Write, &world).await?;
        let store = if redis_only {
            wiring::redis_documents(&storage, &world)?
        } else {
            wiring::shared_documents(&storage, &defaults, &world, journal.clone())?
        };
        Ok(store.map(|store| Self { store, defaults, journal, away, world }))
    }

    /// The history, which has to be there.
    fn history(&self, args: &JournalArgs) -> Result<&dyn Journal, CommandFailure> {
        let lang = commands::lang();
        match (&self.journal, &self.away) {
            (Some(journal), _) => Ok(journal.as_ref()),
            (None, Some(why)) => Err(CommandFailure::journal(lang.say(
                "l'historique ne peut pas être lu maintenant",
                "the history cannot be read now",
                why,
            ))),
            (None, None) => {
                let place = commands::place(args)?;
                Err(CommandFailure::journal(lang.one(said!(
                    "il n'y a pas de journal {place}, donc pas d'historique\u{a0}; nommez-le avec --journal, ou \
                     définissez DATA_DIR comme pour serve",
                    "there is no journal {place}, so there is no history; name it with --journal, or set \
                     DATA_DIR as for serve"
                ))))
            }
        }
    }

    /// What can be done with them.
    fn configuration(&self) -> ConfigService {
        ConfigService {
            editor: Editor {
                store: Arc::clone(&self.store),
                env: Arc::clone(&self.defaults),
                journal: self.journal.clone(),
                world: self.world.clone(),
            },
        }
    }

    /// The same for what needs the history.
    fn with_history(&self, args: &JournalArgs) -> Result<ConfigService, CommandFailure> {
        self.history(args).map(|_| self.configuration())
    }

    async fn close(&self) {
        if let Some(journal) = &self.journal {
            journal.close().await;
        }
    }
}

fn environment() -> Result<(Storage, Arc<EnvDefaults>), CommandFailure> {
    let storage = Storage::from_env(commands::environment).map_err(commands::malformed)?;
    let defaults = defaults_from_env(commands::environment).map_err(commands::malformed)?;
    Ok((storage, Arc::new(defaults)))
}

/// The journal, or why it is away. Documents may be in another store, and a change of them
/// must be possible while the server of the journal is down.
async fn found(
    args: &JournalArgs,
    purpose: Purpose,
    world: &World,
) -> Result<(Option<Arc<dyn Journal>>, Option<String>), CommandFailure> {
    match journal::find(&commands::place(args)?, purpose, world).await? {
        JournalLookup::Here(journal) => Ok((Some(journal), None)),
        JournalLookup::Missing => Ok((None, None)),
        JournalLookup::Away(why) => {
            complain(&commands::lang().say(
                "le journal ne répond pas, il n'y a donc pas d'historique pour l'instant",
                "the journal does not answer, so there is no history now",
                &why,
            ));
            Ok((None, Some(why)))
        }
    }
}

/// The first shared store itself, with nothing behind it and nothing remembered: Redis or the
/// PHP host. `None` = neither is configured.
fn itself(redis_only: bool) -> Result<Option<Arc<dyn DocumentStore>>, CommandFailure> {
    let (storage, defaults) = environment()?;
    let world = World::real();
    if redis_only {
        return wiring::redis_documents(&storage, &world);
    }
    let egress = EgressPolicy::new(defaults.egress_allow.clone());
    Ok(wiring::remote_documents(&storage, &egress, &world)?.into_iter().next())
}

/// Names the fields of a document that nobody knows.
fn say_unknown(key: &str, unknown: &[Said]) {
    for remark in unknown {
        complain(&commands::lang().about(key, remark));
    }
}

/// Says what an edit came to.
fn tell(key: &str, saved: &SavedEdit, out: &mut Output) -> CommandResult {
    if !saved.still_wrong.is_empty() {
        let lang = commands::lang();
        let wrong: Vec<String> = saved.still_wrong.iter().map(|problem| lang.problem(problem)).collect();
        let what = lang.say(
            "est encore refusé pour ce qui n'y allait pas avant\u{a0}; seul un interrupteur sur « non » agit",
            "is still refused for what was wrong with it before; only a switch that is off acts",
            &wrong.join("; "),
        );
        complain(&format!("{key} {what}"));
    }
    if let (Some(key), Ok(document)) = (Key::named(key), documents::from_json(&saved.text)) {
        say_unknown(key.as_str(), &effect::unknown(key, &document));
    }
    let lang = commands::lang();
    if saved.stored_in.is_empty() {
        out.line(lang.one(said!(
            "{key}\u{a0}: c'est déjà ainsi, rien n'a été écrit",
            "{key}: it is so already, nothing was written"
        )))?;
        return Ok(Exit::Ok);
    }
    let version = saved.version.map_or_else(String::new, |version| format!(" version {version}"));
    // Of the sign-in links the names of the fields are the links' own ids.
    let what = match saved.fields.len() {
        _ if key == "magic_link_tokens" => String::new(),
        0 => String::new(),
        _ => format!("{}{}", lang.colon(), saved.fields.join(", ")),
    };
    let place = saved.stored_in;
    let done = lang.one(said!("{key}{version} enregistré dans {place}", "{key}{version} stored in {place}"));
    out.line(format!("{}{what}", out.styled(Style::Good, &done)))?;
    if let Some(why) = &saved.degraded {
        complain(&lang.one(said!(
            "{key} est en vigueur et attend, avec une copie dans {place}, jusqu'au retour de l'autorité\u{a0}: {why}",
            "{key} is in force, and waits with a copy in {place} until the authority is back: {why}"
        )));
    }
    Ok(Exit::Ok)
}
