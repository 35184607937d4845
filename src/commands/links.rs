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
use crate::commands::{environment, malformed};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Output, Style};
use crate::services::links;
use crate::settings::Storage;

/// Prints the copies, newest first.
pub(crate) async fn list(journal: Arc<dyn Journal>, args: &LinksListArgs, out: &mut Output) -> Outcome {
    let limit = args.limit;
    let copies = links::copies(journal.as_ref(), limit).await?;
    if args.json {
        out.json_pretty(&copies)?;
        return Ok(Exit::Ok);
    }
    for copy in &copies {
        out.line(line(copy, out))?;
    }
    let more = if copies.len() >= limit { ", and perhaps more (--limit)" } else { "" };
    out.line(match copies.len() {
        0 => "nothing was copied yet".to_owned(),
        n => out.styled(Style::Bold, &format!("{n} listed{more}")),
    })?;
    Ok(Exit::Ok)
}

fn line(copy: &LinkRow, out: &Output) -> String {
    let at = copy.at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let name = copy.original_filename.as_deref().map_or_else(String::new, |name| format!("  ({name})"));
    format!("{}  {} → {}{name}", out.styled(Style::Dim, &at), copy.source_url, copy.r2_url)
}

/// The list of this path, or the configured one.
fn list_at(path: Option<&Path>) -> Result<LinksFile, Failure> {
    let configured = Storage::from_env(environment).map_err(malformed)?.links;
    Ok(path.map_or_else(|| configured.clone(), |path| configured.at(path)))
}

/// Counts what the list holds.
pub(crate) fn stats(args: &LinksStatsArgs, out: &mut Output) -> Outcome {
    let list = list_at(args.file.as_deref())?;
    let stats = links::stats(&list)?;
    if args.json {
        out.json_pretty(&stats)?;
        return Ok(Exit::Ok);
    }
    let Counts { entries, r2, legacy, other, providers } = &stats.counts;
    out.line(out.styled(Style::Bold, &format!("{}: {entries} entries", stats.file)))?;
    out.line(format!("  by format:   r2 {r2}, legacy {legacy}, other {other}"))?;
    let providers: Vec<String> = providers.iter().map(|(name, count)| format!("{name} {count}")).collect();
    out.line(format!(
        "  by provider: {}",
        if providers.is_empty() { "–".to_owned() } else { providers.join(", ") }
    ))?;
    out.line(format!("  archives beside it: {}", stats.archives))?;
    Ok(Exit::Ok)
}

/// Writes the list anew.
pub(crate) async fn rebuild(journal: Arc<dyn Journal>, args: &LinksRebuildArgs, out: &mut Output) -> Outcome {
    let list = Arc::new(list_at(args.file.as_deref())?);
    let entries = links::rebuild(journal.as_ref(), &World::real(), &list).await?;
    let path = list.path().display();
    out.line(out.styled(Style::Good, &format!("{path} holds {entries} entries")))?;
    Ok(Exit::Ok)
}
