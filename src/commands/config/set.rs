//! `config set`: fields, or a whole document.

use std::io::Read as _;
use std::path::Path;

use render_signal_actors::config::documents::{self, Key};
use render_signal_actors::config::edit::{BasedOn, Edit, MAX_DOCUMENT_BYTES};
use serde_json::Value;

use super::{ConfigContext, tell};
use crate::cli::config::SetArgs;
use crate::exit::{CommandFailure, CommandResult};
use crate::output::Output;

/// Who changed it, as the history says.
const ORIGIN: &str = "cli";

/// Changes a document.
pub(super) async fn run(args: &SetArgs, out: &mut Output) -> CommandResult {
    let edit = match &args.file {
        Some(file) => Edit::replace(args.key, read(args.key, file)?, ORIGIN),
        None => {
            let set = args.fields.iter().map(|(name, value)| (name.clone(), Some(value.clone())));
            let unset = args.unset.iter().map(|name| (name.clone(), None));
            Edit::merge(args.key, set.chain(unset), ORIGIN)
        }
    };
    let edit = if args.allow_unknown { edit.allowing_unknown() } else { edit };
    let documents = ConfigContext::open_to_change(&args.journal).await?;
    let saved =
        documents.configuration().change(&edit.expecting(args.if_version.map(BasedOn::Version))).await;
    documents.close().await;
    tell(args.key.as_str(), &saved?, out)
}

/// A document of a file; "-" is standard input.
pub(in crate::commands) fn read(key: Key, file: &Path) -> Result<Value, CommandFailure> {
    documents::from_json(&text(file)?)
        .map_err(|error| CommandFailure::found(format!("{key}: {} is no JSON: {error}", file.display())))
}

/// The text of a file; "-" is standard input.
pub(super) fn text(file: &Path) -> Result<String, CommandFailure> {
    let limit = u64::try_from(MAX_DOCUMENT_BYTES).unwrap_or(u64::MAX).saturating_mul(4);
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(limit).read_to_string(&mut text))
    };
    match read {
        Ok(_) => Ok(text),
        Err(error) => Err(CommandFailure::found(format!("{} cannot be read: {error}", file.display()))),
    }
}
