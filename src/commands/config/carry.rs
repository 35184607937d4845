//! `config export | import`: all documents in one file, and back.

use std::io::Write as _;
use std::path::Path;

use render_signal_actors::config::documents::from_json;
use render_signal_actors::kernel::files::{PRIVATE, create_new};
use render_signal_actors::said;

use super::{ConfigContext, set};
use crate::cli::config::{ConfigExportArgs, ConfigImportArgs};
use crate::commands;
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::lang::Lang;
use crate::output::{Output, Style, complain};
use crate::services::config::bundle::{Bundle, Imported, ImportedFate};

/// Writes all documents but the sign-in links, with what is masked elsewhere.
pub(super) async fn export(args: &ConfigExportArgs, out: &mut Output) -> CommandResult {
    let documents = ConfigContext::open_to_read(&args.journal).await?;
    let bundle = documents.configuration().export(true).await?;
    let lang = commands::lang();
    if args.file == Path::new("-") {
        out.json_pretty(&bundle)?;
        return Ok(Exit::Ok);
    }
    let shown = args.file.display();
    let failed = |error: &dyn std::fmt::Display| {
        let said =
            said!("{shown} ne peut pas être écrit\u{a0}: {error}", "{shown} cannot be written: {error}");
        CommandFailure::found(lang.one(said))
    };
    let text = serde_json::to_string_pretty(&bundle).map_err(|error| failed(&error))?;
    let mut file = create_new(&args.file, PRIVATE).map_err(|error| failed(&error))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| failed(&error))?;
    let count = bundle.documents.len();
    out.line(lang.one(said!(
        "{shown}\u{a0}: {count} documents, avec ce qui est masqué ailleurs",
        "{shown}: {count} documents, with what is masked elsewhere"
    )))?;
    Ok(Exit::Ok)
}

/// Writes the documents of such a file, or says what that would change.
pub(super) async fn import(args: &ConfigImportArgs, out: &mut Output) -> CommandResult {
    let text = set::text(&args.file)?;
    let lang = commands::lang();
    let bundle: Bundle = from_json(&text).map_err(|error| {
        let shown = args.file.display();
        let said = said!(
            "{shown} n'est pas ce que config export écrit\u{a0}: {error}",
            "{shown} is not what config export writes: {error}"
        );
        CommandFailure::found(lang.one(said))
    })?;
    let documents = ConfigContext::open_to_change(&args.journal).await?;
    let imported = documents.configuration().import(&bundle, "import", args.dry_run).await;
    documents.close().await;
    let imported = imported?;
    if args.json {
        out.json_pretty(&imported)?;
    } else {
        imported.documents.iter().try_for_each(|one| print(one, lang, out))?;
    }
    if args.dry_run || imported.written {
        return Ok(Exit::Ok);
    }
    complain(
        lang.pick("un document est refusé, aucun n'a été écrit", "a document is refused, none was written"),
    );
    Ok(Exit::Found)
}

fn print(imported: &Imported, lang: Lang, out: &mut Output) -> Result<(), CommandFailure> {
    let (style, fate) = match imported.fate {
        ImportedFate::Unchanged => (Style::Dim, lang.pick("inchangé", "unchanged")),
        ImportedFate::Created => (Style::Good, lang.pick("créé", "created")),
        ImportedFate::Replaced => (Style::Warn, lang.pick("remplacé", "replaced")),
        ImportedFate::Refused => (Style::Bad, lang.pick("refusé", "refused")),
    };
    out.line(format!("{:<18} {}", imported.key.as_str(), out.styled(style, fate)))?;
    for problem in &imported.problems {
        out.line(format!("    {}", lang.problem(problem)))?;
    }
    imported.differences.iter().try_for_each(|one| {
        let line = super::versions::line(one, out);
        out.line(format!("    {line}"))
    })
}
