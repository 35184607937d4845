//! `config migrate`: prints what [`crate::services::migrate`] did, as the reference system does.

use render_signal_actors::config::documents::Key;

use super::{ConfigContext, by_name, itself};
use crate::cli::config::MigrateArgs;
use crate::commands;
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::output::{Output, complain};
use crate::services::migrate::{self, MigrationLog, MigrationOptions, MigrationTarget};
use crate::settings::Storage;

/// What `--only` asks for; names that are no document are dropped.
fn selected(only: &[String]) -> Vec<Key> {
    let wanted = |key: &Key| only.is_empty() || only.iter().any(|name| name.trim() == key.as_str());
    by_name().into_iter().filter(wanted).collect()
}

/// Migrates and prints one line per document, and one more per verification.
pub(super) async fn run(args: &MigrateArgs, out: &mut Output) -> CommandResult {
    let keys = selected(&args.only);
    if keys.is_empty() {
        return Err(CommandFailure::new(Exit::Usage, "No valid values provided for --only"));
    }
    let storage = Storage::from_env(commands::environment).map_err(commands::malformed)?;
    let documents = match args.dry_run {
        true => None,
        false => ConfigContext::shared(&args.journal, args.require_redis).await?,
    };
    let redis_only = args.require_redis;
    let target = MigrationTarget {
        editor: documents.as_ref().map(|documents| documents.configuration().editor),
        itself: Box::new(move || itself(redis_only).ok().flatten()),
    };
    let options = MigrationOptions { dry: args.dry_run, verify: args.verify };
    let mut printed = Ok(());
    let log = migrate::migrate(&keys, !args.only.is_empty(), options, &storage, &target, |log| {
        if printed.is_ok() {
            printed = print(log, out);
        }
    })
    .await;
    if let Some(documents) = documents {
        documents.close().await;
    }
    printed?;
    Ok(if log.ok { Exit::Ok } else { Exit::Found })
}

fn print(log: &MigrationLog, out: &mut Output) -> Result<(), CommandFailure> {
    for complaint in &log.complaints {
        complain(commands::lang().said(complaint));
    }
    log.lines.iter().try_for_each(|line| out.line(line))
}
