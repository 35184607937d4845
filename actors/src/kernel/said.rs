//! What is said in two languages: French where a client of the reference system reads it,
//! English in logs and wherever nobody has chosen. No message is half one, half the other.

use std::fmt;

use serde::{Serialize, Serializer};

/// A message in both languages. Shown as it is, it is English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// As the reference system says it, where it does: for the wire.
    pub french: String,
    /// The same for logs.
    pub english: String,
}

impl Said {
    /// The same words in both languages: the reference's own are English there.
    #[must_use]
    pub fn alike(words: impl Into<String>) -> Self {
        let english = words.into();
        Self { french: english.clone(), english }
    }

    /// Several messages one behind the other, with `between` between each two.
    #[must_use]
    pub fn joined<'s>(messages: impl IntoIterator<Item = &'s Self>, between: &str) -> Self {
        let (french, english): (Vec<&str>, Vec<&str>) =
            messages.into_iter().map(|said| (said.french.as_str(), said.english.as_str())).unzip();
        Self { french: french.join(between), english: english.join(between) }
    }
}

/// Programs read English.
impl Serialize for Said {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.english)
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.english)
    }
}

/// A [`Said`](crate::kernel::said::Said) from two format strings, the French one first; names in
/// braces are captured.
#[macro_export]
macro_rules! said {
    ($french:literal, $english:literal $(,)?) => {
        $crate::kernel::said::Said {
            french: ::std::fmt::format(::std::format_args!($french)),
            english: ::std::fmt::format(::std::format_args!($english)),
        }
    };
}

pub use said;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_capture_the_same_names() {
        let most = 3;
        let message = said!("au plus {most} éléments.", "at most {most} elements.");
        assert_eq!(
            (message.french.as_str(), message.to_string()),
            ("au plus 3 éléments.", "at most 3 elements.".to_owned())
        );
        assert_eq!(Said::alike("OK").french, "OK");
        let joined = Said::joined([&message, &Said::alike("OK")], "; ");
        assert_eq!(joined.french, "au plus 3 éléments.; OK");
        assert_eq!(serde_json::to_string(&joined).unwrap(), r#""at most 3 elements.; OK""#);
    }
}
