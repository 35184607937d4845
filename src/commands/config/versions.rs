//! `config history | diff | restore`: earlier versions of a document.

use chrono::SecondsFormat;
use render_signal_actors::config::diff::FieldDifference;
use render_signal_actors::said;
use serde_json::Value;

use super::{ConfigContext, tell};
use crate::cli::config::{DiffArgs, HistoryArgs, RestoreArgs};
use crate::commands;
use crate::exit::{CommandResult, Exit};
use crate::output::{Output, Style, fit};
use crate::services::config::versions::{Diff, Past, VersionContent};

/// Longest value that is printed, in characters.
const MAX_VALUE_CHARS: usize = 200;

/// Prints who changed a document, newest last.
pub(super) async fn history(args: &HistoryArgs, out: &mut Output) -> CommandResult {
    let documents = ConfigContext::open_to_read(&args.journal).await?;
    let shown = documents.with_history(&args.journal)?.history(args.key).await?;
    if args.json {
        out.json_pretty(&shown)?;
        return Ok(Exit::Ok);
    }
    let lang = commands::lang();
    for Past { version, content } in &shown {
        let what = if version.lost {
            let what = lang.say(
                "en conflit, jamais en vigueur",
                "in conflict, never in force",
                &version.fields.join(", "),
            );
            out.styled(Style::Warn, &what)
        } else if version.removed {
            out.styled(Style::Warn, lang.pick("supprimé", "removed"))
        } else if version.fields.is_empty() {
            "–".to_owned()
        } else {
            fit(&version.fields.join(", "), MAX_VALUE_CHARS)
        };
        let gone = if *content == VersionContent::Gone {
            out.styled(Style::Dim, lang.pick("  (contenu effacé)", "  (content gone)"))
        } else {
            String::new()
        };
        out.line(format!(
            "{}  {}  {:<10} {}{gone}",
            out.styled(Style::Bold, &format!("{:>5}", version.version)),
            out.styled(Style::Dim, &version.at.to_rfc3339_opts(SecondsFormat::Millis, true)),
            version.origin,
            what,
        ))?;
    }
    if shown.is_empty() {
        let key = args.key;
        out.line(lang.one(said!("{key} n'a pas encore d'historique", "{key} has no history yet")))?;
    }
    Ok(Exit::Ok)
}

/// Prints what two versions differ in.
pub(super) async fn diff(args: &DiffArgs, out: &mut Output) -> CommandResult {
    let documents = ConfigContext::open_to_read(&args.journal).await?;
    let key = args.key;
    let Diff { from, to, differences: found } =
        documents.with_history(&args.journal)?.diff(key, args.from, args.to).await?;
    if args.json {
        out.json_pretty(&found)?;
        return Ok(Exit::Ok);
    }
    let lang = commands::lang();
    let to = to.map_or_else(
        || lang.pick("ce qui est stocké maintenant", "what is stored now").to_owned(),
        |to| format!("version {to}"),
    );
    let head = format!("{key}{}version {from} → {to}", lang.colon());
    out.line(out.styled(Style::Bold, &head))?;
    for difference in &found {
        out.line(line(difference, out))?;
    }
    if found.is_empty() {
        out.line(lang.pick("aucune différence", "no difference"))?;
    }
    Ok(Exit::Ok)
}

/// One thing that differs.
pub(super) fn line(difference: &FieldDifference, out: &Output) -> String {
    let shown = |value: &Value| fit(&value.to_string(), MAX_VALUE_CHARS);
    match (&difference.before, &difference.after) {
        (None, Some(after)) => out.styled(Style::Good, &format!("+ {}: {}", difference.path, shown(after))),
        (Some(before), None) => out.styled(Style::Bad, &format!("- {}: {}", difference.path, shown(before))),
        (Some(before), Some(after)) if !difference.hidden => {
            format!("~ {}: {} → {}", difference.path, shown(before), shown(after))
        }
        (_, after) => {
            let after = after.as_ref().map_or_else(String::new, |after| format!(": {}", shown(after)));
            let hidden = commands::lang()
                .pick("(diffère dans ce qui n'est pas montré)", "(differs in what is not shown)");
            format!("~ {}{after} {hidden}", difference.path)
        }
    }
}

/// Writes an earlier version as a new one.
pub(super) async fn restore(args: &RestoreArgs, out: &mut Output) -> CommandResult {
    let documents = ConfigContext::open_to_change(&args.journal).await?;
    let restored = restored(&documents, args, out).await;
    documents.close().await;
    restored
}

async fn restored(documents: &ConfigContext, args: &RestoreArgs, out: &mut Output) -> CommandResult {
    let configuration = documents.with_history(&args.journal)?;
    let saved = configuration.restore(args.key, args.version, "restore", None).await?;
    tell(args.key.as_str(), &saved, out)
}
