//! `config show`: what is in force, where it is kept, and which workers run it.

use chrono::{DateTime, SecondsFormat, Utc};
use render_signal_actors::config::book::canonical_hash;
use render_signal_actors::config::diff::masked;
use render_signal_actors::config::documents::{self, Governs, Key, Problem};
use render_signal_actors::config::history;
use render_signal_actors::config::load::load;
use render_signal_actors::config::store::{Ack, Read, StoreHealth};
use render_signal_actors::kernel::said::Said;
use render_signal_actors::readmodel::queries::{ConfigRow, configs};
use render_signal_actors::said;
use serde::Serialize;
use serde_json::Value;

use super::Documents;
use crate::cli::config::ShowArgs;
use crate::commands;
use crate::exit::{Exit, Failure, Outcome};
use crate::lang::Lang;
use crate::output::{Output, Style, complain};

/// What is known of all documents.
#[derive(Debug, Serialize)]
struct Overview {
    /// The stores, the authority first; empty when there is one only.
    stores: Vec<StoreHealth>,
    /// The documents.
    documents: Vec<Shown>,
    /// What is wanted and cannot be had, or means more than it seems to.
    remarks: Vec<Said>,
}

/// What is known of one document.
#[derive(Debug, Serialize)]
struct Shown {
    key: &'static str,
    /// `ok`, `absent`, `missing` (in force, but not stored any more), `invalid`, or `unknown`: it cannot be read now. Of the last two the
    /// last good one is in force, if there ever was one; otherwise see `withholds`.
    state: String,
    /// What stands still, because it is refused and there is no good one before it.
    withholds: Option<Governs>,
    /// It is refused, but its switch says off, which is obeyed.
    switched_off: bool,
    problems: Vec<Problem>,
    /// What of it changes nothing.
    remarks: Vec<Said>,
    /// Of the history; `None` = not recorded yet.
    version: Option<u64>,
    origin: Option<String>,
    changed_at: Option<DateTime<Utc>>,
    age_seconds: Option<i64>,
    workers: Workers,
    /// As stored, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<Value>,
    /// The last good one, masked, when the stored one is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_force: Option<Value>,
}

/// Who runs the stored document.
#[derive(Debug, Default, Serialize)]
struct Workers {
    /// Workers that are alive; 0 = none, or they cannot tell each other.
    alive: usize,
    /// Of these, those that run the stored document.
    running: usize,
    /// Why others do not.
    refused: Vec<Refused>,
}

#[derive(Debug, Serialize)]
struct Refused {
    worker: String,
    why: Said,
}

/// Prints the overview, or one document.
pub(super) async fn run(args: &ShowArgs, out: &mut Output) -> Outcome {
    let documents = Documents::look(&args.journal).await?;
    if let (Some(key), Some(version)) = (args.key, args.version) {
        return earlier(&documents, key, version, args, out).await;
    }
    if let (Some(key), true) = (args.key, args.reveal) {
        return reveal(&documents, key, out).await;
    }
    let keys = args.key.map_or_else(|| Key::ALL.to_vec(), |key| vec![key]);
    let overview = overview(&documents, &keys, args.key.is_some()).await?;
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
async fn reveal(documents: &Documents, key: Key, out: &mut Output) -> Outcome {
    match documents.store.read(key).await.map_err(|error| Failure::found(error.to_string()))? {
        Read::Found { text, .. } => {
            match documents::from_json::<Value>(&text) {
                Ok(value) => out.json_pretty(&value)?,
                Err(_) => out.line(text)?,
            }
            Ok(Exit::Ok)
        }
        Read::Absent => {
            Err(Failure::found(commands::lang().one(said!("il n'y a pas de {key}", "there is no {key}"))))
        }
    }
}

/// Prints a version of the history.
async fn earlier(
    documents: &Documents,
    key: Key,
    version: u64,
    args: &ShowArgs,
    out: &mut Output,
) -> Outcome {
    let journal = documents.history(&args.journal)?;
    let Some(text) = history::copy(journal, key, version).await.map_err(Failure::found)? else {
        return Err(Failure::found(commands::lang().one(said!(
            "par la version {version}, {key} a été supprimé",
            "by version {version}, {key} was removed"
        ))));
    };
    let value = documents::from_json::<Value>(&text).map_err(|error| {
        let what = said!("version {version} de {key} : {error}", "version {version} of {key}: {error}");
        Failure::found(commands::lang().one(what))
    })?;
    out.json_pretty(&if args.reveal { value } else { masked(key, &value) })?;
    Ok(Exit::Ok)
}

async fn overview(documents: &Documents, keys: &[Key], content: bool) -> Result<Overview, Failure> {
    let store = documents.store.as_ref();
    let now = documents.world.now();
    let book = load(store, &documents.defaults, documents.journal.as_deref(), now).await;
    let recorded = match &documents.journal {
        Some(journal) => {
            journal.views().read(configs).await.map_err(|error| Failure::journal(error.to_string()))?
        }
        None => Vec::new(),
    };
    let acks = store.workers().await.unwrap_or_else(|error| {
        complain(&commands::lang().say(
            "les autres processus ne peuvent pas être interrogés",
            "the workers cannot be asked",
            &error.to_string(),
        ));
        Vec::new()
    });
    let mut shown = Vec::new();
    for key in keys.iter().copied() {
        let status = book.status().into_iter().find(|status| status.key == key.as_str()).unwrap_or_default();
        let read = store.read(key).await;
        let state = match &read {
            Err(_) if book.is_refused(key) => "unknown".to_owned(),
            _ => status.state,
        };
        // What is no JSON is among the problems, and might show a secret.
        let stored: Option<Value> = match read {
            Ok(Read::Found { text, .. }) => documents::from_json(&text).ok(),
            _ => None,
        };
        let hash = stored.as_ref().map(canonical_hash).unwrap_or_default();
        let row =
            recorded.iter().find(|row| row.key == key.as_str() && row.hash == hash && !book.is_refused(key));
        let last_good = book.in_force(key).filter(|_| book.is_refused(key) || book.is_missing(key));
        shown.push(Shown {
            key: key.as_str(),
            state,
            withholds: status.withholds,
            switched_off: status.switched_off,
            problems: status.problems,
            remarks: status.remarks,
            version: row.map(|row| row.version),
            origin: row.map(|row: &ConfigRow| row.origin.clone()),
            changed_at: row.map(|row| row.changed_at),
            age_seconds: row.map(|row| (now - row.changed_at).num_seconds()),
            workers: workers(key, &hash, &acks),
            in_force: last_good
                .filter(|_| content)
                .and_then(|last| documents::from_json(&last.text).ok())
                .map(|last: Value| masked(key, &last)),
            stored: stored.filter(|_| content).map(|stored| masked(key, &stored)),
        });
    }
    let mut remarks = book.policy(&documents.defaults, 1).remarks();
    remarks.extend(book.stand_ins());
    Ok(Overview { stores: store.health(), documents: shown, remarks })
}

fn workers(key: Key, hash: &str, acks: &[Ack]) -> Workers {
    let of = |ack: &Ack| ack.documents.get(&key).cloned().unwrap_or_default();
    Workers {
        alive: acks.len(),
        running: acks.iter().filter(|ack| of(ack).refused.is_none() && of(ack).hash == hash).count(),
        refused: acks
            .iter()
            .filter_map(|ack| Some(Refused { worker: ack.worker.clone(), why: of(ack).refused? }))
            .collect(),
    }
}

fn print(shown: &Shown, out: &mut Output) -> Result<(), Failure> {
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
                    "    il n'y en a pas de bon avant lui : {french} tant qu'il n'est pas corrigé",
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
    for Refused { worker, why } in &shown.workers.refused {
        let why = lang.said(why);
        out.line(lang.one(said!(
            "    {worker} garde celui d'avant : {why}",
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

fn workers_line(shown: &Shown, lang: Lang) -> Option<String> {
    let Workers { alive, running, .. } = shown.workers;
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
        about.push_str(&lang.one(said!(" ; attend {keys}", "; waits for {keys}")));
    }
    if !store.conflicts.is_empty() {
        let keys = list(&store.conflicts);
        about.push_str(&lang.one(said!(" ; en conflit : {keys}", "; in conflict: {keys}")));
    }
    lang.one(said!("stockage {name}{role} : {about}", "store {name}{role}: {about}"))
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
