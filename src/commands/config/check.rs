//! `config check`: prints what [`crate::services::check`] found, as the reference system does.

use super::{by_name, say_unknown};
use crate::cli::config::CheckArgs;
use crate::commands;
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::output::{Output, complain};
use crate::services::check::{self, CheckedDocument};

/// Between two documents.
const RULE: &str = "----------------------------------------";

/// Checks and prints.
pub(super) async fn run(args: &CheckArgs, out: &mut Output) -> CommandResult {
    let store = match super::itself(true)? {
        Some(redis) => Some(redis),
        None => super::itself(false)?,
    };
    let (_, env) = super::environment()?;
    let asked = !args.keys.is_empty();
    let keys: Vec<_> = by_name().into_iter().filter(|key| !asked || args.keys.contains(key)).collect();
    let checked = check::all(store.as_deref(), &keys, asked, &env).await;
    for one in &checked {
        one.unread.iter().for_each(|why| complain(why));
        say_unknown(one.key, &one.unknown);
        print(one, args.raw, out)?;
    }
    if store.is_none() {
        complain(commands::lang().pick(
            "ni REDIS_URL ni EXTERNAL_CONFIG_BASE_URL n'est défini\u{a0}: il n'y a rien à vérifier",
            "neither REDIS_URL nor EXTERNAL_CONFIG_BASE_URL is set: there is nothing to check",
        ));
    }
    Ok(if checked.iter().all(|one| one.valid) { Exit::Ok } else { Exit::Found })
}

fn print(checked: &CheckedDocument, raw: bool, out: &mut Output) -> Result<(), CommandFailure> {
    let message = commands::lang().said(&checked.message);
    out.line(match checked.valid {
        true => format!("{}: OK", checked.key),
        false => format!("{}: INVALID ({message})", checked.key),
    })?;
    match &checked.payload {
        Some(payload) if raw && checked.payload_present => out.json_pretty(payload)?,
        _ => out.line(&checked.summary)?,
    }
    out.line(RULE)
}
