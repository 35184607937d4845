//! `links`: the copies of linked files, and the list that is kept of them.

use std::path::Path;
use std::sync::Arc;

use chrono::SecondsFormat;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::r2::links::book::Counts;
use render_signal_actors::r2::links::file::LinksFile;
use render_signal_actors::readmodel::queries::LinkRow;

use crate::cli::{LinksListArgs, LinksRebuildArgs, LinksStatsArgs};
use crate::commands::mails::listed;
use crate::commands::{environment, malformed};
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::lang::Lang;
use crate::output::{Output, Style};
use crate::services::links;
use crate::settings::Storage;

/// Prints the copies, newest first.
pub(crate) async fn list(
    journal: Arc<dyn Journal>,
    args: &LinksListArgs,
    lang: Lang,
    out: &mut Output,
) -> CommandResult {
    let limit = args.limit;
    let copies = links::copies(journal.as_ref(), limit).await?;
    if args.json {
        out.json_pretty(&copies)?;
        return Ok(Exit::Ok);
    }
    for copy in &copies {
        out.line(line(copy, out))?;
    }
    out.line(match copies.len() {
        0 => lang.pick("rien n'a encore été copié", "nothing was copied yet").to_owned(),
        n => out.styled(Style::Bold, &listed(lang, n, limit)),
    })?;
    Ok(Exit::Ok)
}

fn line(copy: &LinkRow, out: &Output) -> String {
    let at = copy.at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let name = copy.original_filename.as_deref().map_or_else(String::new, |name| format!("  ({name})"));
    format!("{}  {} → {}{name}", out.styled(Style::Dim, &at), copy.source_url, copy.r2_url)
}

/// The list of this path, or the configured one.
fn list_at(path: Option<&Path>) -> Result<LinksFile, CommandFailure> {
    let configured = Storage::from_env(environment).map_err(malformed)?.links;
    Ok(path.map_or_else(|| configured.clone(), |path| configured.at(path)))
}

/// Counts what the list holds.
pub(crate) fn stats(args: &LinksStatsArgs, lang: Lang, out: &mut Output) -> CommandResult {
    let list = list_at(args.file.as_deref())?;
    let stats = links::stats(&list)?;
    if args.json {
        out.json_pretty(&stats)?;
        return Ok(Exit::Ok);
    }
    let Counts { entries, r2, legacy, other, providers } = &stats.counts;
    let entries = lang.count(*entries, ENTRIES_FR, ENTRIES_EN);
    out.line(out.styled(Style::Bold, &format!("{}{}{entries}", stats.file, lang.colon())))?;
    let by_format = lang.pick("  par format :      ", "  by format:   ");
    out.line(format!(
        "{by_format}r2 {r2}, {} {legacy}, {} {other}",
        lang.pick("ancien", "legacy"),
        lang.pick("autre", "other")
    ))?;
    let providers: Vec<String> = providers.iter().map(|(name, count)| format!("{name} {count}")).collect();
    let by_provider = lang.pick("  par fournisseur : ", "  by provider: ");
    let none = || "–".to_owned();
    out.line(format!("{by_provider}{}", if providers.is_empty() { none() } else { providers.join(", ") }))?;
    out.line(lang.say("  archives à côté", "  archives beside it", &stats.archives.to_string()))?;
    Ok(Exit::Ok)
}

const ENTRIES_FR: [&str; 2] = ["entrée", "entrées"];
const ENTRIES_EN: [&str; 2] = ["entry", "entries"];

/// Rewrites the list.
pub(crate) async fn rebuild(
    journal: Arc<dyn Journal>,
    args: &LinksRebuildArgs,
    lang: Lang,
    out: &mut Output,
) -> CommandResult {
    let list = Arc::new(list_at(args.file.as_deref())?);
    let entries = links::rebuild(journal.as_ref(), &World::real(), &list).await?;
    let path = list.path().display();
    let entries = lang.count(entries, ENTRIES_FR, ENTRIES_EN);
    out.line(out.styled(Style::Good, &format!("{path} {} {entries}", lang.pick("contient", "holds"))))?;
    Ok(Exit::Ok)
}
