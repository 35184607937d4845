//! What a detector says of itself when a condition does not hold.

use crate::kernel::said::Said;

/// What the built-in detectors say of themselves, which is stored in English.
const BUILT_IN: [(&str, &str); 5] = [
    ("the subject or the text is empty", "le sujet ou le texte est vide"),
    (
        "the subject does not name \"média solution\", \"missions recadrage\" and a \"lot\"",
        "le sujet ne nomme pas « média solution », « missions recadrage » et un « lot »",
    ),
    ("there is no delivery link", "il n'y a aucun lien de livraison"),
    (
        "no valid delivery time was found in the text",
        "aucune heure de livraison valable n'a été trouvée dans le texte",
    ),
    (
        "there is neither \"désabonn…\" nor a Dropbox file request",
        "il n'y a ni « désabonn… » ni demande de fichiers Dropbox",
    ),
];

/// What the author of a detector wants to be read when something does not hold: his own words in
/// both languages, or those of the built-in detectors.
pub(super) fn explanation(text: String) -> Said {
    match BUILT_IN.iter().find(|(english, _)| *english == text) {
        Some((_, french)) => Said { french: (*french).to_owned(), english: text },
        None => Said::alike(text),
    }
}
