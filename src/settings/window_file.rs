//! `webhook_time_window.json`: what the reference system's dashboard wrote as "the" window.
//!
//! As in that system it holds nothing back: it only completes what webhooks say about the window
//! (reference sections 3.7 and 5.12). It is read at the start.

use std::io::ErrorKind;
use std::path::Path;

use render_signal_actors::kernel::said::Said;
use render_signal_actors::mail::policy::Announced;
use render_signal_actors::mail::windows::parse_time_hhmm;
use render_signal_actors::said;
use serde_json::Value;

use crate::findings::Finding;

/// Its name in `CONFIG_DIR`.
const NAME: &str = "webhook_time_window.json";
/// It holds two times; more is not read.
const MAX_BYTES: u64 = 64 * 1_024;

/// The bounds, and what is to be said about the file. A side that is no time says nothing.
pub(super) fn read(config_dir: &Path) -> (Announced, Vec<Finding>) {
    let path = config_dir.join(NAME);
    let file = || path.display().to_string();
    let ignored = |why: Said| (Announced::default(), vec![Finding::WindowFileIgnored { file: file(), why }]);
    match std::fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return (Announced::default(), Vec::new()),
        Err(error) => return ignored(Said::alike(error.to_string())),
        Ok(found) if !found.is_file() || found.len() > MAX_BYTES => {
            return ignored(said!("ce n'est pas un fichier de deux heures", "it is no file of two times"));
        }
        Ok(_) => {}
    }
    let content = match std::fs::read(&path) {
        Ok(content) => content,
        Err(error) => return ignored(Said::alike(error.to_string())),
    };
    let window: Value =
        match serde_json::from_slice(content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&content)) {
            Ok(window @ Value::Object(_)) => window,
            Ok(_) => return ignored(said!("ce n'est pas un objet JSON", "it is no JSON object")),
            Err(error) => {
                return ignored(said!("ce n'est pas du JSON\u{a0}: {error}", "it is no JSON: {error}"));
            }
        };
    let mut said = Vec::new();
    let mut bound = |side: &str| {
        let written = window.get(side).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
        if !written.is_empty() && parse_time_hhmm(&written).is_none() {
            said.push(Finding::WindowSideIgnored { file: file(), side: side.to_owned(), written });
            return String::new();
        }
        written
    };
    let announced = Announced { start: bound("start"), end: bound("end") };
    if announced != Announced::default() {
        said.push(Finding::WindowFileHoldsNothing { file: file() });
    }
    (announced, said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_the_reference_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        assert_eq!(read(folder.path()), (Announced::default(), Vec::new()), "it is not there");
        for (text, start, end, said) in [
            (r#"{"start": "9h00", "end": " 18:00 "}"#, "9h00", "18:00", 1),
            (r#"{"start": "", "end": ""}"#, "", "", 0),
            (r#"{"start": "9h", "end": "18h00"}"#, "", "18h00", 2),
            ("\u{feff}{\"end\": \"18h00\"}", "", "18h00", 1),
            (r#"{"start": 9}"#, "", "", 0),
            ("[]", "", "", 1),
            ("{", "", "", 1),
        ] {
            std::fs::write(&path, text).unwrap();
            let (announced, remarks) = read(folder.path());
            assert_eq!((announced.start.as_str(), announced.end.as_str()), (start, end), "{text}");
            assert_eq!(remarks.len(), said, "{text}: {remarks:?}");
        }
    }
}
