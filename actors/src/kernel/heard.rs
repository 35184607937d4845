//! The words of servers, fit to be shown: without the secrets they were told, without what a
//! terminal obeys, and short.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret as _, SecretString};

/// Characters of the server's words that are shown.
const SHOWN: usize = 200;
/// Stands for what is not shown.
const HIDDEN: &str = "(hidden)";
/// A shorter secret is looked for as it is, and not in what may be encoded: chance would find it.
const MIN_ENCODED_SECRET_BYTES: usize = 4;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// What a server was told in confidence, and may echo.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<SecretString>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// These, and as they stand in a quoted string.
    pub(crate) fn new(words: &[&str]) -> Self {
        let quoted = |word: &str| word.replace('\\', "\\\\").replace('"', "\\\"");
        let mut all: Vec<String> = words.iter().flat_map(|word| [quoted(word), (*word).to_owned()]).collect();
        all.retain(|word| !word.is_empty());
        // The longest first: a password may begin with the user's name.
        all.sort_by_key(|word| std::cmp::Reverse(word.len()));
        all.dedup();
        Self(all.into_iter().map(SecretString::from).collect())
    }

    /// What the server said, without the secrets in any usual writing, without what
    /// a terminal would obey, and not too long.
    pub(crate) fn said(&self, text: &[u8]) -> String {
        let text = self.without_encoded(&String::from_utf8_lossy(text));
        let text = self.0.iter().fold(text, |text, secret| without(&text, secret.expose_secret()));
        let mut shown: String = text.chars().take(SHOWN).map(printable).collect();
        if text.chars().nth(SHOWN).is_some() {
            shown.push('…');
        }
        if shown.trim().is_empty() { "(no text)".to_owned() } else { shown }
    }

    /// Hides each stretch of letters and digits that says a secret in base64 or in hexadecimal,
    /// and each word that does so in percent-encoding.
    fn without_encoded(&self, text: &str) -> String {
        let mut kept = String::with_capacity(text.len());
        for word in text.split_inclusive(' ') {
            let percent: Vec<u8> = percent_encoding::percent_decode_str(word).collect();
            if word.contains('%') && self.is_in(&percent) {
                kept.push_str(HIDDEN);
                kept.push(' ');
                continue;
            }
            let mut rest = word;
            while !rest.is_empty() {
                let end = rest.find(|c: char| !is_base64(c)).unwrap_or(rest.len());
                let (run, behind) = rest.split_at(end);
                kept.push_str(if self.is_encoded_in(run) { HIDDEN } else { run });
                let next = behind.find(is_base64).unwrap_or(behind.len());
                let (between, behind) = behind.split_at(next);
                kept.push_str(between);
                rest = behind;
            }
        }
        kept
    }

    fn is_encoded_in(&self, run: &str) -> bool {
        let run = run.replace('-', "+").replace('_', "/");
        let run = run.trim_end_matches('=');
        // In the middle of something longer, the secret may begin at any of four places.
        let in_base64 = (0..4).filter_map(|skip| run.get(skip..)).any(|run| {
            let whole = if run.len() % 4 == 1 { run.len() - 1 } else { run.len() };
            let bytes = STANDARD.decode(run.get(..whole).unwrap_or_default());
            bytes.is_ok_and(|bytes| self.is_in(&bytes))
        });
        in_base64 || unhex(run).is_some_and(|bytes| self.is_in(&bytes))
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        self.0.iter().map(|secret| secret.expose_secret().as_bytes()).any(|secret| {
            let long = secret.len() >= MIN_ENCODED_SECRET_BYTES;
            (long && bytes.windows(secret.len()).any(|part| part.eq_ignore_ascii_case(secret)))
                || bytes == secret
        })
    }
}

const fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_' | '=')
}

fn unhex(run: &str) -> Option<Vec<u8>> {
    run.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect::<Option<Vec<u8>>>()
        .filter(|bytes| !bytes.is_empty())
}

/// Replaces `secret` in whatever case; a short one only where it stands alone.
fn without(text: &str, secret: &str) -> String {
    let (lower, wanted) = (text.to_ascii_lowercase(), secret.to_ascii_lowercase());
    let mut kept = String::with_capacity(text.len());
    let mut from = 0;
    for (at, found) in lower.match_indices(&wanted) {
        let end = at + found.len();
        let alone = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        let before = lower.get(..at).and_then(|text| text.chars().next_back());
        let behind = lower.get(end..).and_then(|text| text.chars().next());
        if secret.len() < MIN_ENCODED_SECRET_BYTES && !(alone(before) && alone(behind)) {
            continue;
        }
        kept.push_str(text.get(from..at).unwrap_or_default());
        kept.push_str(HIDDEN);
        from = end;
    }
    kept.push_str(text.get(from..).unwrap_or_default());
    kept
}

/// `?` for what a terminal or a log viewer would obey instead of showing it: control
/// characters of both kinds, marks that turn the direction, and what cannot be seen.
fn printable(c: char) -> char {
    let unseen = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    if c.is_control() || unseen { '?' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "me@example.fr";
    const PASSWORD: &str = "mot \"de\" p\\asse à moi";

    fn said(text: &str) -> String {
        Secrets::new(&[USER, PASSWORD]).said(text.as_bytes())
    }

    #[test]
    fn ordinary_words_are_shown_as_they_are() {
        let text = "[AUTHENTICATIONFAILED] Invalid credentials (Failure) for été";
        assert_eq!(said(text), text);
        assert_eq!(said(" "), "(no text)");
        assert_eq!(Secrets::default().said(b"caf\xe9"), "caf\u{fffd}");
    }

    #[test]
    fn the_words_of_a_login_are_hidden_in_every_usual_writing() {
        let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        let safe = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        let hex: String = PASSWORD.bytes().map(|byte| format!("{byte:02X}")).collect();
        let percent = percent_encoding::utf8_percent_encode(PASSWORD, percent_encoding::NON_ALPHANUMERIC);
        let quoted = PASSWORD.replace('\\', "\\\\").replace('"', "\\\"");
        for echo in [
            PASSWORD.to_owned(),
            quoted.clone(),
            format!("A0001 LOGIN \"{USER}\" \"{quoted}\""),
            USER.to_uppercase(),
            base64(PASSWORD),
            safe(PASSWORD),
            base64(USER),
            base64(&format!("\0{USER}\0{PASSWORD}")),
            base64(&format!("{USER} {PASSWORD}")),
            format!("x{}", base64(&format!("a{PASSWORD}"))),
            hex,
            percent.to_string(),
        ] {
            let shown = said(&format!("no: {echo} is wrong"));
            assert!(shown.contains(HIDDEN), "{echo}: {shown}");
            for word in ["asse", "example.fr", "EXAMPLE", &base64("asse")[..4]] {
                assert!(!shown.contains(word), "{echo}: {shown}");
            }
        }
    }

    #[test]
    fn a_short_secret_is_hidden_where_it_stands_alone() {
        let secrets = Secrets::new(&["a", "Ok1"]);
        assert_eq!(
            secrets.said(b"a bad ok1, \"a\" and ok12"),
            "(hidden) bad (hidden), \"(hidden)\" and ok12"
        );
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_shown_and_nothing_endless() {
        let shown = said("\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}evil\u{200b}\r\nfoo\u{2028}");
        assert_eq!(shown, "?[2J?]0;title??31m?evil???foo?");
        let long = said(&"é".repeat(5000));
        assert_eq!((long.chars().count(), long.ends_with('…')), (SHOWN + 1, true));
    }

    proptest::proptest! {
        #[test]
        fn what_is_shown_is_short_printable_and_has_no_password(
            before in ".{0,300}", after in ".{0,300}", code in 0..4_usize,
        ) {
            let echo = [
                PASSWORD.to_owned(),
                base64::engine::general_purpose::STANDARD.encode(PASSWORD),
                base64::engine::general_purpose::STANDARD.encode(format!("\0{USER}\0{PASSWORD}")),
                String::new(),
            ];
            let shown = said(&format!("{before} {} {after}", echo[code]));
            proptest::prop_assert!(shown.chars().count() <= SHOWN + 1);
            proptest::prop_assert!(!shown.chars().any(char::is_control));
            proptest::prop_assert!(!shown.contains("p\\asse") && !shown.contains("cFxhc3Nl"));
        }
    }
}
