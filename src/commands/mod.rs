//! What each command does, one file per command. They decide nothing: they ask the
//! journal and the rooms, and print.

mod config;
mod deliveries;
mod doctor;
mod events;
mod explain;
mod hash_password;
mod health;
mod links;
mod mail_story;
mod mails;
mod oauth;
mod retry;
mod rules;
mod story;
mod transfer;

use std::sync::Arc;

use render_signal_actors::config::documents::FieldProblem;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::{Journal, JournalAdmin};
use render_signal_actors::said;

use crate::cli::{Command, DeliveriesCommand, EventsCommand, JournalArgs, LinksCommand, MailsCommand};
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::journal::{JournalLookup, Purpose};
use crate::lang::Lang;
use crate::output::{Output, complain};
use crate::services::ServiceError;
use crate::settings::{
    JournalPlace, SettingError, Settings, Storage, describe_errors, environment, installation_from_env,
};
use crate::{app, demo, journal, telemetry};

/// Runs a command to its end.
pub(crate) fn run(command: Command) -> CommandResult {
    match command {
        Command::Serve => {
            telemetry::start_logging("info");
            app::serve(Settings::from_env(environment).map_err(not_started)?)
        }
        Command::Demo(args) => {
            // What goes wrong on purpose is told by the narrator.
            telemetry::start_logging("error");
            demo::run(&args)
        }
        Command::Explain(args) => short(async move |out: &mut Output| explain::run(&args, out).await),
        Command::Events(command) => short(async move |out: &mut Output| events(command, out).await),
        Command::Deliveries(command) => short(async move |out: &mut Output| deliveries(command, out).await),
        Command::Config(command) => short(async move |out: &mut Output| config::run(command, out).await),
        Command::Rules(command) => short(async move |out: &mut Output| rules::run(command, out).await),
        Command::Mails(command) => short(async move |out: &mut Output| mails(command, out).await),
        Command::Links(command) => short(async move |out: &mut Output| links(command, out).await),
        Command::Oauth(command) => short(async move |out: &mut Output| oauth::run(command, out).await),
        Command::HashPassword => hash_password::run(lang(), &mut Output::stdout()),
        Command::Health(args) => short(async move |out: &mut Output| health::run(&args, out).await),
        Command::Doctor(args) => short(async move |out: &mut Output| doctor::run(&args, out).await),
    }
}

async fn events(command: EventsCommand, out: &mut Output) -> CommandResult {
    match command {
        EventsCommand::Tail(args) => events::tail(open_to_read(&args.journal).await?, &args, out).await,
        EventsCommand::Show(args) => {
            events::show(open_to_read(&args.journal).await?, &args, lang(), out).await
        }
        EventsCommand::Verify(args) => {
            events::verify(open_to_read(&args.journal).await?, &args, lang(), out).await
        }
        EventsCommand::Export(args) => {
            let place = place(&args.journal)?;
            transfer::export(open_to_read(&args.journal).await?, &place, &args, lang(), out).await
        }
        EventsCommand::Import(args) => {
            let place = place(&args.journal)?;
            let journal = journal::open(&place, &World::real()).await?;
            let outcome = transfer::import(journal.as_ref(), &place, &args, lang(), out).await;
            journal.close().await;
            outcome
        }
        EventsCommand::Adopt => adopt(out).await,
    }
}

/// The operator says that it is the same installation.
async fn adopt(out: &mut Output) -> CommandResult {
    let installation = installation_from_env(environment).map_err(malformed)?;
    let place = place(&JournalArgs { journal: None })?;
    let adopted = match journal::adopt(&place, &installation, &World::real()).await? {
        Some(what) => said!(
            "{place} est désormais celui de cette installation ; auparavant, {what}",
            "{place} is that of this installation from now on; before, {what}"
        ),
        None => said!(
            "{place} est celui de cette installation ; rien ne différait",
            "{place} is that of this installation; nothing differed"
        ),
    };
    out.line(lang().one(adopted))?;
    Ok(Exit::Ok)
}

async fn deliveries(command: DeliveriesCommand, out: &mut Output) -> CommandResult {
    match command {
        DeliveriesCommand::List(args) => {
            deliveries::list(open_to_read(&args.journal).await?, &args, lang(), out).await
        }
        DeliveriesCommand::Show(args) => {
            story::show(open_to_read(&args.journal).await?, &args, lang(), out).await
        }
        DeliveriesCommand::Retry(args) => {
            let journal = open_to_change(&args.journal).await?;
            let outcome = retry::retry(journal.as_ref(), &args, lang(), out).await;
            journal.close().await;
            outcome
        }
        DeliveriesCommand::Cancel(args) => {
            let journal = open_to_change(&args.journal).await?;
            let outcome = retry::cancel(journal.as_ref(), &args, lang(), out).await;
            journal.close().await;
            outcome
        }
        DeliveriesCommand::Again(args) => {
            let journal = open_to_change(&args.journal).await?;
            let outcome = retry::again(journal.as_ref(), &args, lang(), out).await;
            journal.close().await;
            outcome
        }
        DeliveriesCommand::Enable(args) => {
            let journal = open_to_change(&args.journal).await?;
            let outcome = retry::enable(journal.as_ref(), &args, lang(), out).await;
            journal.close().await;
            outcome
        }
    }
}

async fn mails(command: MailsCommand, out: &mut Output) -> CommandResult {
    match command {
        MailsCommand::List(args) => mails::list(open_to_read(&args.journal).await?, &args, lang(), out).await,
        MailsCommand::Show(args) => {
            mail_story::show(open_to_read(&args.journal).await?, &args, lang(), out).await
        }
        MailsCommand::Release(args) => {
            let journal = open_to_change(&args.journal).await?;
            let outcome = mails::release(journal.as_ref(), &args, lang(), out).await;
            journal.close().await;
            outcome
        }
        MailsCommand::Ignore(args) => {
            let journal = open_to_change(&args.journal).await?;
            let outcome = mails::ignore(journal.as_ref(), &args, lang(), out).await;
            journal.close().await;
            outcome
        }
    }
}

async fn links(command: LinksCommand, out: &mut Output) -> CommandResult {
    match command {
        LinksCommand::List(args) => links::list(open_to_read(&args.journal).await?, &args, lang(), out).await,
        LinksCommand::Stats(args) => links::stats(&args, lang(), out),
        LinksCommand::Rebuild(args) => {
            links::rebuild(open_to_read(&args.journal).await?, &args, lang(), out).await
        }
    }
}

/// Runs what needs no actors.
fn short<F>(work: F) -> CommandResult
where
    F: AsyncFnOnce(&mut Output) -> CommandResult,
{
    telemetry::start_logging("warn");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandFailure::found(format!("no runtime: {error}")))?;
    let outcome = runtime.block_on(work(&mut Output::stdout()));
    // A name look-up that hangs must not keep the command.
    runtime.shutdown_background();
    outcome
}

/// The language of whoever runs the command, for what is said in two.
pub(crate) fn lang() -> Lang {
    Lang::of_locale(environment)
}

/// Exit code 3, with everything that is wrong.
pub(crate) fn malformed(errors: Vec<SettingError>) -> CommandFailure {
    CommandFailure::new(Exit::Config, describe_errors(&errors))
}

/// The same for a service; whoever has set up no mailbox either is told of it at once.
fn not_started(errors: Vec<SettingError>) -> CommandFailure {
    const MAILBOX: [&str; 5] = ["MAIL_SOURCE", "EMAIL_ADDRESS", "EMAIL_PASSWORD", "IMAP_SERVER", "IMAP_AUTH"];
    let mut failure = malformed(errors);
    if MAILBOX.iter().all(|name| environment(name).is_none_or(|value| value.trim().is_empty())) {
        failure.message.push_str(
            "\n  Not required: EMAIL_ADDRESS, EMAIL_PASSWORD and IMAP_SERVER (or MAIL_SOURCE), without which nothing is polled",
        );
    }
    failure
}

/// The journal that `serve` would use, unless another one is named.
fn place(args: &JournalArgs) -> Result<JournalPlace, CommandFailure> {
    match &args.journal {
        Some(path) => Ok(JournalPlace::File(path.clone())),
        None => Ok(Storage::from_env(environment).map_err(malformed)?.journal),
    }
}

/// The journal, for a command that can do its work without: `None` = there is none, or its
/// server does not answer, which is said.
pub(crate) async fn past(
    place: &JournalPlace,
    world: &World,
) -> Result<Option<Arc<dyn Journal>>, CommandFailure> {
    match journal::find(place, Purpose::Look, world).await? {
        JournalLookup::Here(journal) => Ok(Some(journal)),
        JournalLookup::Missing => Ok(None),
        JournalLookup::Away(why) => {
            complain(&lang().one(said!(
                "le journal ne répond pas, donc ce qu'il sait ne compte pas : {why}",
                "the journal does not answer, so what it knows does not count: {why}"
            )));
            Ok(None)
        }
    }
}

/// A service's refusal: exit code 1, or 4 when the journal is to blame, in the user's language.
impl From<ServiceError> for CommandFailure {
    fn from(refused: ServiceError) -> Self {
        let lang = lang();
        match &refused {
            ServiceError::Journal(why) => Self::journal(why),
            ServiceError::Invalid(key, problems) => {
                let nothing = lang.pick("est refusé, rien n'a été changé", "is refused, nothing was changed");
                Self::found(refusal(key.as_str(), nothing, problems))
            }
            _ => Self::found(lang.one(refused.said())),
        }
    }
}

/// A document that is refused, with everything that is wrong.
fn refusal(key: &str, head: &str, problems: &[FieldProblem]) -> String {
    let lang = lang();
    let problems: String = problems.iter().map(|one| format!("\n  {}", lang.problem(one))).collect();
    format!("{key} {head}{}{problems}", lang.pick("\u{a0}:", ":"))
}

async fn open_to_read(args: &JournalArgs) -> Result<Arc<dyn JournalAdmin>, CommandFailure> {
    journal::open_to_look(&place(args)?, &World::real()).await
}

/// A journal to write to; a command does not create one.
async fn open_to_change(args: &JournalArgs) -> Result<Arc<journal::Watched>, CommandFailure> {
    let place = place(args)?;
    if journal::is_missing(&place) {
        return Err(CommandFailure::journal(lang().one(said!(
            "il n'y a pas de journal {place} ; nommez-le par --journal, ou définissez DATA_DIR comme pour serve",
            "there is no journal {place}; name it with --journal, or set DATA_DIR as for serve"
        ))));
    }
    journal::open(&place, &World::real()).await
}
