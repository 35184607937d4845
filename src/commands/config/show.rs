//! `config show`: what is in force, where it is kept, and which workers run it.

use chrono::SecondsFormat;
use render_signal_actors::config::diff::masked;
use render_signal_actors::config::documents::{self, Key};
use render_signal_actors::config::store::{StoreHealth, StoreReading};
use render_signal_actors::kernel::said::Said;
use render_signal_actors::said;
use serde_json::Value;

use super::ConfigContext;
use crate::cli::config::ConfigShowArgs;
use crate::commands;
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::lang::Lang;
use crate::output::{Output, Style, complain};
use crate::services::config::overview::{DocumentOverview, DocumentWorkers, Keeps};

/// Prints the overview, or one document.
pub(super) async fn run(args: &ConfigShowArgs, out: &mut Output) -> CommandResult {
    let documents = ConfigContext::open_to_read(&args.journal).await?;
    if let (Some(key), Some(version)) = (args.key, args.version) {
        return earlier(&documents, key, version, args, out).await;
    }
    if let (Some(key), true) = (args.key, args.reveal) {
        return reveal(&documents, key, out).await;
    }
    let keys = args.key.map_or_else(|| Key::ALL.to_vec(), |key| vec![key]);
    let overview = documents.configuration().overview(&keys, args.key.is_some()).await?;
    if let Some(why) = &overview.workers_unknown {
        complain(&commands::lang().say(
            "les autres processus ne peuvent pas être interrogés",
            "the workers cannot be asked",
            why,
        ));
    }
    if args.json {
        match (args.key, overview.documents.first()) {
            (Some(_), Some(shown)) => out.json_pretty(shown)?,
            _ => out.json_pretty(&overview)?,
        }
        return Ok(Exit::Ok);
    }
    for shown in &overview.documents {
        print(shown, out)?;
    }
    for remark in &overview.remarks {
        out.line(out.styled(Style::Warn, commands::lang().said(remark)))?;
    }
    for store in &overview.stores {
        out.line(store_line(store, out))?;
    }
    Ok(Exit::Ok)
}

/// Prints the stored document as it is, to be edited and set again.
async fn reveal(documents: &ConfigContext, key: Key, out: &mut Output) -> CommandResult {
    match documents.store.read(key).await.map_err(|error| CommandFailure::found(error.to_string()))? {
        StoreReading::Found { text, .. } => {
            match documents::from_json::<Value>(&text) {
                Ok(value) => out.json_pretty(&value)?,
                Err(_) => out.line(text)?,
            }
            Ok(Exit::Ok)
        }
        StoreReading::Absent => Err(CommandFailure::found(
            commands::lang().one(said!("il n'y a pas de {key}", "there is no {key}")),
        )),
    }
}

/// Prints a version of the history.
async fn earlier(
    documents: &ConfigContext,
    key: Key,
    version: u64,
    args: &ConfigShowArgs,
    out: &mut Output,
) -> CommandResult {
    let Some(value) = documents.with_history(&args.journal)?.version(key, version).await? else {
        return Err(CommandFailure::found(commands::lang().one(said!(
            "par la version {version}, {key} a été supprimé",
            "by version {version}, {key} was removed"
        ))));
    };
    out.json_pretty(&if args.reveal { value } else { masked(key, &value) })?;
    Ok(Exit::Ok)
}

fn print(shown: &DocumentOverview, out: &mut Output) -> Result<(), CommandFailure> {
    let style = match shown.state.as_str() {
        "ok" if shown.problems.is_empty() && shown.remarks.is_empty() => Style::Good,
        "ok" | "missing" => Style::Warn,
        "absent" => Style::Dim,
        _ => Style::Bad,
    };
    let lang = commands::lang();
    let mut about = Vec::new();
    match (shown.version, shown.changed_at, &shown.origin) {
        (Some(version), Some(at), Some(origin)) => {
            let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
            let age = age(shown.age_seconds.unwrap_or_default(), lang);
            about.push(lang.one(said!(
                "version {version}, {at} (il y a {age}), par {origin}",
                "version {version}, {at} ({age} ago), by {origin}"
            )));
        }
        _ if !matches!(shown.state.as_str(), "absent" | "unknown") => {
            about.push(lang.pick("pas encore dans l'historique", "not in the history yet").to_owned())
        }
        _ => {}
    }
    if let Some(workers) = workers_line(shown, lang) {
        about.push(workers);
    }
    let state = out.styled(style, &format!("{:<8}", state_word(&shown.state, lang)));
    out.line(format!("{:<18} {state} {}", shown.key, about.join("; ")).trim_end())?;
    let problems = shown.problems.iter().map(|problem| lang.problem(problem));
    for said in problems.chain(shown.remarks.iter().map(|remark| lang.said(remark).to_owned())) {
        out.line(format!("    {}", out.styled(Style::Warn, &said)))?;
    }
    if matches!(shown.state.as_str(), "invalid" | "unknown") {
        out.line(match shown.withholds {
            None => lang
                .pick("    le dernier bon reste en vigueur", "    the last good one stays in force")
                .to_owned(),
            Some(stops) => {
                let Said { french, english } = stops.said();
                lang.one(said!(
                    "    il n'y en a pas de bon avant lui\u{a0}: {french} tant qu'il n'est pas corrigé",
                    "    there is no good one before it: {english} until it is mended"
                ))
            }
        })?;
        if shown.switched_off {
            out.line(lang.pick(
                "    son interrupteur dit non, ce qui est respecté",
                "    its switch says off, which is obeyed",
            ))?;
        }
    }
    for Keeps { worker, why } in &shown.workers.refused {
        let why = lang.said(why);
        out.line(lang.one(said!(
            "    {worker} garde celui d'avant\u{a0}: {why}",
            "    {worker} keeps the one before: {why}"
        )))?;
    }
    let (stored, in_force) = (lang.pick("stocké", "stored"), lang.pick("en vigueur", "in force"));
    for (name, document) in [(stored, &shown.stored), (in_force, &shown.in_force)] {
        let Some(document) = document else { continue };
        if shown.in_force.is_some() {
            out.line(out.styled(Style::Bold, format!("{name}{}", lang.colon()).trim_end()))?;
        }
        out.json_pretty(document)?;
    }
    Ok(())
}

/// A state as it is called in this language.
fn state_word(state: &str, lang: Lang) -> &str {
    match (lang, state) {
        (Lang::Fr, "missing") => "manquant",
        (Lang::Fr, "invalid") => "invalide",
        (Lang::Fr, "unknown") => "inconnu",
        _ => state,
    }
}

fn workers_line(shown: &DocumentOverview, lang: Lang) -> Option<String> {
    let DocumentWorkers { alive, running, .. } = shown.workers;
    let said = match shown.state.as_str() {
        "absent" => said!(
            "{running} processus sur {alive} savent qu'il n'y en a pas",
            "{running} of {alive} workers know that there is none"
        ),
        _ => said!(
            "{running} processus sur {alive} emploient cette version",
            "{running} of {alive} workers run this version"
        ),
    };
    (alive > 0).then(|| lang.one(said))
}

fn store_line(store: &StoreHealth, out: &Output) -> String {
    let lang = commands::lang();
    let name = store.store;
    let role = if store.authority { lang.pick(" (autorité)", " (authority)") } else { "" };
    let mut about = match &store.trouble {
        Some(trouble) => out.styled(Style::Bad, trouble),
        None => out.styled(Style::Good, "ok"),
    };
    let list = |keys: &[Key]| keys.iter().map(|key| key.as_str()).collect::<Vec<_>>().join(", ");
    if !store.pending.is_empty() {
        let keys = list(&store.pending);
        about.push_str(&lang.one(said!("\u{a0}; attend {keys}", "; waits for {keys}")));
    }
    if !store.conflicts.is_empty() {
        let keys = list(&store.conflicts);
        about.push_str(&lang.one(said!("\u{a0}; en conflit\u{a0}: {keys}", "; in conflict: {keys}")));
    }
    lang.one(said!("stockage {name}{role}\u{a0}: {about}", "store {name}{role}: {about}"))
}

/// A duration in one unit.
fn age(seconds: i64, lang: Lang) -> String {
    match seconds {
        ..120 => format!("{} s", seconds.max(0)),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} {}", seconds / 86_400, lang.pick("jours", "days")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_one_unit() {
        for (seconds, expected) in
            [(-5, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (200_000, "2 days")]
        {
            assert_eq!(age(seconds, Lang::En), expected);
        }
    }
}
