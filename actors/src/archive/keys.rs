//! Keys of shared files, left out of what is archived. Pure.
//!
//! Dropbox hands a file to whoever knows the `rlkey` of its link. The journal needs it: the file
//! is fetched with it, a copy is found again by it. An archive is kept for years, in more places, and
//! for reading only.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

/// Stands for a key that was left out.
const LEFT_OUT: &str = "left-out";

/// The parameter and its value; the sign between them as it is, or percent-encoded once or
/// several times, in a link inside another one.
static KEY: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new("(?i)(rlkey(?:=|%(?:25)*3d))([a-z0-9._~-]+)").ok());

/// Leaves the keys out of every text in a payload.
pub(super) fn leave_out(payload: &mut Value) {
    match payload {
        Value::String(text) => {
            if let Some(key) = KEY.as_ref().filter(|key| key.is_match(text)) {
                let without =
                    key.replace_all(text, |found: &Captures<'_>| format!("{}{LEFT_OUT}", &found[1]));
                *text = without.into_owned();
            }
        }
        Value::Array(values) => values.iter_mut().for_each(leave_out),
        Value::Object(fields) => fields.values_mut().for_each(leave_out),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_left_out_in_every_spelling_and_nothing_else_is() {
        for (text, want) in [
            ("https://www.dropbox.com/s/a?rlkey=k3y&dl=0", "https://www.dropbox.com/s/a?rlkey=left-out&dl=0"),
            ("https://www.dropbox.com/s/a?dl=0&RLKey=k3y", "https://www.dropbox.com/s/a?dl=0&RLKey=left-out"),
            (
                "https://safe.example/?url=https%3A%2F%2Fwww.dropbox.com%2Fs%3Frlkey%3Dk3y%26dl%3D0&data=1",
                "https://safe.example/?url=https%3A%2F%2Fwww.dropbox.com%2Fs%3Frlkey%3Dleft-out%26dl%3D0&data=1",
            ),
            ("?u=https%253A%252F%252Fx%253Frlkey%253Dk3y", "?u=https%253A%252F%252Fx%253Frlkey%253Dleft-out"),
            ("https://fromsmash.com/abc?key=1", "https://fromsmash.com/abc?key=1"),
            ("rlkey", "rlkey"),
        ] {
            let mut payload = json!({"links": [{"raw_url": text, "n": 1}], "s": text});
            leave_out(&mut payload);
            assert_eq!(payload, json!({"links": [{"raw_url": want, "n": 1}], "s": want}));
        }
    }
}
