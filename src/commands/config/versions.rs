//! `config history | diff | restore`: earlier versions of a document.

use chrono::SecondsFormat;
use render_signal_actors::config::diff::{Difference, differences};
use render_signal_actors::config::documents::{self, Key};
use render_signal_actors::config::edit::Edit;
use render_signal_actors::config::history;
use render_signal_actors::config::store::Read;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::said;
use serde::Serialize;
use serde_json::Value;

use super::{Documents, not_changed, tell};
use crate::cli::config::{DiffArgs, HistoryArgs, RestoreArgs};
use crate::commands;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Output, Style, fit};

/// Longest value that is printed, in characters.
const VALUE: usize = 200;

/// A version, and whether it can be shown and restored.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    version: history::Version,
    /// `kept`; `gone`: its time is over; `none`: there is nothing to show.
    content: &'static str,
}

/// Prints who changed a document, newest last.
pub(super) async fn history(args: &HistoryArgs, out: &mut Output) -> Outcome {
    let documents = Documents::look(&args.journal).await?;
    let journal = documents.history(&args.journal)?;
    let versions = history::versions(journal, args.key).await.map_err(Failure::journal)?;
    let mut shown = Vec::new();
    for version in versions {
        let content = match history::is_kept(journal, &version).await.map_err(Failure::journal)? {
            true => "kept",
            false if version.removed || !history::keeps_content(args.key) => "none",
            false => "gone",
        };
        shown.push(Shown { version, content });
    }
    if args.json {
        out.json_pretty(&shown)?;
        return Ok(Exit::Ok);
    }
    let lang = commands::lang();
    for Shown { version, content } in &shown {
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
            fit(&version.fields.join(", "), VALUE)
        };
        let gone = if *content == "gone" {
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
pub(super) async fn diff(args: &DiffArgs, out: &mut Output) -> Outcome {
    let documents = Documents::look(&args.journal).await?;
    let journal = documents.history(&args.journal)?;
    let key = args.key;
    let (from, to) = match (args.from, args.to) {
        (Some(from), to) => (from, to),
        (None, _) => {
            let versions = history::versions(journal, key).await.map_err(Failure::journal)?;
            let newest = versions.last().map_or(0, |newest| newest.version);
            (newest.saturating_sub(1), Some(newest))
        }
    };
    let before = version(journal, key, from).await?;
    let after = match to {
        Some(to) => version(journal, key, to).await?,
        None => stored(&documents, key).await?,
    };
    let found = differences(key, before.as_ref(), after.as_ref());
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

/// Version 0 is what was before the first: no document.
async fn version(journal: &dyn Journal, key: Key, version: u64) -> Result<Option<Value>, Failure> {
    if version == 0 {
        return Ok(None);
    }
    let copy = history::copy(journal, key, version).await.map_err(Failure::found)?;
    copy.map(|text| parsed(key, &text)).transpose()
}

async fn stored(documents: &Documents, key: Key) -> Result<Option<Value>, Failure> {
    match documents.store.read(key).await.map_err(|error| Failure::found(error.to_string()))? {
        Read::Absent => Ok(None),
        Read::Found { text, .. } => parsed(key, &text).map(Some),
    }
}

fn parsed(key: Key, text: &str) -> Result<Value, Failure> {
    documents::from_json(text).map_err(|error| {
        let what = said!("{key} n'est pas du JSON : {error}", "{key} is no JSON: {error}");
        Failure::found(commands::lang().one(what))
    })
}

fn line(difference: &Difference, out: &Output) -> String {
    let shown = |value: &Value| fit(&value.to_string(), VALUE);
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
pub(super) async fn restore(args: &RestoreArgs, out: &mut Output) -> Outcome {
    let documents = Documents::change(&args.journal).await?;
    let restored = restored(&documents, args, out).await;
    documents.close().await;
    restored
}

async fn restored(documents: &Documents, args: &RestoreArgs, out: &mut Output) -> Outcome {
    let key = args.key;
    let Some(copy) = version(documents.history(&args.journal)?, key, args.version).await? else {
        let version = args.version;
        return Err(Failure::found(commands::lang().one(said!(
            "par la version {version}, {key} a été supprimé : il n'y a rien à rétablir, rien n'a été changé",
            "by version {version} {key} was removed, so there is nothing to restore; nothing was changed"
        ))));
    };
    let saved = documents.editor().apply(&Edit::replace(key, copy, "restore").allowing_unknown()).await;
    tell(key.as_str(), &saved.map_err(|error| not_changed(key.as_str(), error))?, out)
}
