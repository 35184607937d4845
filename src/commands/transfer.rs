//! `events export | import`: a journal as a file, and back.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use render_signal_actors::archive::transfer::{self, CopyLine, CopyTotals, Import, TransferError};
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::JournalAdmin;
use render_signal_actors::said;

use crate::cli::{EventsExportArgs, EventsImportArgs};
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::journal::refused;
use crate::lang::Lang;
use crate::output::{Output, complain, progress};
use crate::settings::JournalPlace;

/// Standard input or output.
const DASH: &str = "-";

/// Writes the journal to a file.
pub(crate) async fn export(
    journal: Arc<dyn JournalAdmin>,
    place: &JournalPlace,
    args: &EventsExportArgs,
    lang: Lang,
    out: &mut Output,
) -> CommandResult {
    let head = journal.head().await.map_err(|error| refused(&error))?;
    let bar = progress(usize::try_from(head).unwrap_or(usize::MAX));
    let mut to = writer(&args.file, lang)?;
    let copied = transfer::export(journal.as_ref(), World::real().now(), |line| {
        if matches!(line, CopyLine::Event(_)) {
            bar.inc(1);
        }
        serde_json::to_writer(&mut to, line)?;
        to.write_all(b"\n")
    })
    .await;
    bar.finish_and_clear();
    let tally = copied.and_then(|tally| to.finish().map(|()| tally).map_err(TransferError::from));
    match tally {
        Ok(tally) => {
            // Standard output may be the copy itself.
            let (file, copied) = (args.file.display(), describe(&tally, lang));
            let told = lang.one(said!(
                "{place} a été copié dans {file} : {copied}",
                "{place} was copied to {file}: {copied}"
            ));
            if is_dash(&args.file) {
                complain(&told)
            } else {
                out.line(told)?
            }
            Ok(Exit::Ok)
        }
        Err(error) => {
            if !is_dash(&args.file) {
                // Half a copy under the name of a copy would be taken for one.
                drop(std::fs::remove_file(&args.file));
            }
            let why = told(&error, lang);
            Err(CommandFailure::found(
                lang.one(said!("{place} n'a pas été copié : {why}", "{place} was not copied: {why}")),
            ))
        }
    }
}

/// Fills an empty journal from a file.
pub(crate) async fn import(
    journal: &dyn JournalAdmin,
    place: &JournalPlace,
    args: &EventsImportArgs,
    lang: Lang,
    out: &mut Output,
) -> CommandResult {
    let file = args.file.display();
    match take_in(journal, &args.file).await {
        Ok(tally) => {
            let copied = describe(&tally, lang);
            out.line(lang.one(said!(
                "{file} est dans {place}, relu et comparé : {copied}",
                "{file} is in {place}, read back and compared: {copied}"
            )))?;
            Ok(Exit::Ok)
        }
        Err(error @ TransferError::NotEmpty(_)) => {
            Err(CommandFailure::found(format!("{place}{}{}", lang.colon(), told(&error, lang))))
        }
        Err(error) => {
            let why = told(&error, lang);
            Err(CommandFailure::found(lang.one(said!(
                "{place} ne contient pas de copie entière de {file} : {why}. Supprimez ce qui s'y trouve avant un nouvel essai",
                "{place} holds no whole copy of {file}: {why}. Remove what is there before the next try"
            ))))
        }
    }
}

/// Why a journal was not copied.
fn told(error: &TransferError, lang: Lang) -> String {
    if lang == Lang::En {
        return error.to_string();
    }
    match error {
        TransferError::Moved { before, after } => format!(
            "le journal a avancé de la position {before} à {after} pendant sa copie : arrêtez les workers et copiez-le à nouveau"
        ),
        TransferError::Line { line, what } => format!("ligne {line} : {what}"),
        TransferError::NotEmpty(position) => format!(
            "le journal n'est pas vide (il finit à la position {position}) ; une copie va dans un journal vide"
        ),
        TransferError::Differs(what) => format!("la copie diffère de ce que disent les lignes : {what}"),
        TransferError::Sink(error) => format!("les lignes n'ont pas pu être écrites : {error}"),
        TransferError::Journal(why) => why.clone(),
    }
}

async fn take_in(journal: &dyn JournalAdmin, file: &Path) -> Result<CopyTotals, TransferError> {
    let mut import = Import::into_empty(journal).await?;
    let mut lines = reader(file)?.lines();
    let mut bar = progress(0);
    while let Some(line) = lines.next().transpose()? {
        if let Some(head) = import.line(&line).await? {
            bar = progress(usize::try_from(head).unwrap_or(usize::MAX));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    import.finish().await
}

fn describe(tally: &CopyTotals, lang: Lang) -> String {
    let count =
        |n: u64, french, english| lang.count(usize::try_from(n).unwrap_or(usize::MAX), french, english);
    let events = count(tally.events, ["événement", "événements"], ["event", "events"]);
    let archived =
        count(tally.trimmed, ["flux archivé", "flux archivés"], ["archived stream", "archived streams"]);
    let bodies = count(tally.bodies, ["corps", "corps"], ["body", "bodies"]);
    let rows = count(
        tally.rows,
        ["ligne dans l'outbox", "lignes dans l'outbox"],
        ["row in the outbox", "rows in the outbox"],
    );
    format!("{events}, {archived}, {bodies}, {rows}")
}

fn is_dash(file: &Path) -> bool {
    file == Path::new(DASH)
}

fn reader(file: &Path) -> io::Result<Box<dyn BufRead>> {
    if is_dash(file) {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let opened = std::fs::File::open(file)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
    Ok(Box::new(BufReader::new(opened)))
}

/// A file of its own, readable for its owner only, or standard output.
enum ExportWriter {
    File(BufWriter<std::fs::File>),
    Stdout(io::Stdout),
}

fn writer(file: &Path, lang: Lang) -> Result<ExportWriter, CommandFailure> {
    if is_dash(file) {
        return Ok(ExportWriter::Stdout(io::stdout()));
    }
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    match opened {
        Ok(opened) => Ok(ExportWriter::File(BufWriter::new(opened))),
        Err(error) => {
            let file = file.display();
            let why = said!("{file} ne peut pas être créé : {error}", "{file} cannot be created: {error}");
            Err(CommandFailure::found(lang.one(why)))
        }
    }
}

impl ExportWriter {
    /// All of it is on the disk.
    fn finish(self) -> io::Result<()> {
        match self {
            Self::File(file) => file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all(),
            Self::Stdout(mut stdout) => stdout.flush(),
        }
    }
}

impl Write for ExportWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Stdout(stdout) => stdout.flush(),
        }
    }
}
