//! `links`: the copies of linked files, and the list that is kept of them.

use std::sync::Arc;

use chrono::SecondsFormat;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::r2::links::follower;
use render_signal_actors::readmodel::queries::{LinkRow, copies_after};

use crate::cli::{LinksListArgs, LinksRebuildArgs};
use crate::commands::{environment, malformed};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Output, Style};
use crate::settings::Storage;

/// Prints the copies, newest first.
pub(crate) async fn list(journal: Arc<dyn Journal>, args: &LinksListArgs, out: &mut Output) -> Outcome {
    let limit = args.limit;
    let copies = journal.views().read(move |db| copies_after(db, 0, limit)).await;
    let copies: Vec<LinkRow> =
        copies.map_err(|error| Failure::journal(error.to_string()))?.into_iter().rev().collect();
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

/// Writes the list anew.
pub(crate) async fn rebuild(journal: Arc<dyn Journal>, args: &LinksRebuildArgs, out: &mut Output) -> Outcome {
    let configured = Storage::from_env(environment).map_err(malformed)?.links;
    let list = Arc::new(match &args.file {
        Some(path) => configured.at(path),
        None => configured,
    });
    follower::rebuild(journal.as_ref(), &World::real(), &list)
        .await
        .map_err(|error| Failure::found(error.to_string()))?;
    let entries =
        if list.exists() { list.count().map_err(|error| Failure::found(error.to_string()))? } else { 0 };
    let path = list.path().display();
    out.line(out.styled(Style::Good, &format!("{path} holds {entries} entries")))?;
    Ok(Exit::Ok)
}
