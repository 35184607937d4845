//! What a receiver said about a webhook that it did not take, as it is kept with the attempt: a
//! body of the journal (never in an event), short, of plain characters, without secrets. Pure.

use std::borrow::Cow;
use std::sync::LazyLock;

use percent_encoding::percent_decode_str;
use regex::{Captures, Regex};
use url::Url;

/// So much of it is kept, in bytes.
pub const KEPT: usize = 1_024;
/// So much is looked at: what is taken out makes room for what follows it.
const SEEN: usize = 8 * KEPT;
/// Shorter parts of an address are words, no secrets.
const SHORTEST_SECRET: usize = 8;
/// Stands for what was taken out.
const GAP: &str = "***";

/// The beginning of what `url` answered, fit to be kept and shown; `None` = nothing to tell.
#[must_use]
pub fn kept(body: &[u8], url: &str) -> Option<String> {
    let seen = body.get(..SEEN).unwrap_or(body);
    let mut text = plain(&String::from_utf8_lossy(seen));
    if seen.len() < body.len() {
        // A word that is cut off could be the half of a secret.
        text.truncate(text.rfind(char::is_whitespace).unwrap_or_default());
    }
    for secret in secrets(url) {
        text = text.replace(&secret, GAP);
    }
    let mut text = without_secrets(&text)?;
    text.truncate(text.floor_char_boundary(KEPT));
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Without control characters, and without those that cannot be seen or turn the line around.
fn plain(text: &str) -> String {
    let shown = |character: char| match character {
        '\n' => Some('\n'),
        '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' => None,
        '\r' => None,
        '\u{2028}' | '\u{2029}' => Some('\n'),
        other if other.is_control() => Some(' '),
        other => Some(other),
    };
    text.chars().filter_map(shown).collect()
}

/// The parts of an address that let whoever knows them post there, the longest first.
fn secrets(url: &str) -> Vec<String> {
    let mut secrets = vec![url.to_owned()];
    if let Ok(url) = Url::parse(url) {
        let path = url.path().split('/');
        let query = url.query().unwrap_or_default().split(['&', '=']);
        let user = [url.username(), url.password().unwrap_or_default()];
        for part in path.chain(query).chain(user).chain([url.path(), url.query().unwrap_or_default()]) {
            secrets.push(part.to_owned());
            secrets.push(percent_decode_str(part).decode_utf8_lossy().into_owned());
        }
    }
    secrets.retain(|secret| secret.len() >= SHORTEST_SECRET);
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.dedup();
    secrets
}

fn without_secrets(text: &str) -> Option<String> {
    /// An address, with slashes as JSON may write them.
    static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?i)\b(https?):(?:\\*/){2}(?:[^\s/\\?#"'<>@]*@)?([^\s/\\?#"'<>@]+)[^\s"'<>]*"#).ok()
    });
    /// What is called a secret, and its value.
    static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r#"(?ix)
            ([a-z0-9_.-]*(?:token|secret|passw|pwd|api[-_]?key|signature|authorization|credential|session|cookie)[a-z0-9_-]*
            \\?["']?\s*(?:=>|[:=])\s*\\?["']?)
            (?:(?:bearer|basic|token|digest)\s+)?
            [^\s"'&,;<>\\]+"#,
        )
        .ok()
    });
    /// What looks like one by how it begins.
    static PREFIXED: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"(?i)\b(?:whsec_|v1a?,|bearer\s+|basic\s+|[sprx]k_|xox[a-z]-|gh[a-z]_|eyj)[a-z0-9+/=_.-]{8,}",
        )
        .ok()
    });
    /// What is too long for a word.
    static LONG: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[A-Za-z0-9+=_-]{32,}").ok());
    let address = |found: &Captures<'_>| {
        let part = |index| found.get(index).map_or("", |part| part.as_str());
        format!("{}://{}/{GAP}", part(1), part(2))
    };
    let long = |found: &Captures<'_>| {
        let word = found.get(0).map_or("", |word| word.as_str());
        if word.bytes().any(|byte| byte.is_ascii_digit()) { GAP.to_owned() } else { word.to_owned() }
    };
    let text = ADDRESS.as_ref()?.replace_all(text, address);
    let text = NAMED.as_ref()?.replace_all(&text, format!("${{1}}{GAP}"));
    let text = PREFIXED.as_ref()?.replace_all(&text, GAP);
    let text: Cow<'_, str> = LONG.as_ref()?.replace_all(&text, long);
    Some(text.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const URL: &str = "https://user:pa55word9@hook.example/abcdefgh12/clé-secrète?key=topsecret1&x=1";

    fn of(body: &str) -> String {
        kept(body.as_bytes(), URL).unwrap_or_default()
    }

    #[test]
    fn what_is_said_is_kept() {
        for text in [
            "Queue is full.",
            r#"{"message":"Scénario désactivé","code":404}"#,
            "<html><h1>502 Bad Gateway</h1>\n<hr>nginx/1.25.3</html>",
            "a b\nc",
        ] {
            assert_eq!(of(text), text);
        }
        assert_eq!(
            of("\u{feff}  too \u{7}many\r\n\trequests\u{1b}[31m\u{202e}\0 "),
            "too  many\n requests [31m"
        );
        for nothing in ["", " \r\n\t", "\u{200b}\u{feff}"] {
            assert_eq!(kept(nothing.as_bytes(), URL), None, "{nothing:?}");
        }
        assert_eq!(kept(b"d\xe9sol\xe9", "nonsense").as_deref(), Some("d\u{fffd}sol\u{fffd}"));
    }

    #[test]
    fn secrets_are_not() {
        for (text, shown) in [
            (
                "No scenario at https://hook.example/abcdefgh12/x?key=1!",
                "No scenario at https://hook.example/***",
            ),
            (r#"{"url":"https:\/\/hook.example\/abcdefgh12"}"#, r#"{"url":"https://hook.example/***"}"#),
            ("see http://user:pw@a.example:8080/b, please", "see http://a.example:8080/*** please"),
            ("unknown hook abcdefgh12", "unknown hook ***"),
            ("/abcdefgh12/clé-secrète is off", "*** is off"),
            ("key topsecret1 is wrong", "key *** is wrong"),
            ("user:pa55word9", "user:***"),
            ("access_token=abc&b=2", "access_token=***&b=2"),
            (r#"{"apiKey": "abc", "n": 1}"#, r#"{"apiKey": "***", "n": 1}"#),
            (r#"{\"password\":\"abc\"}"#, r#"{\"password\":\"***\"}"#),
            ("Authorization: Bearer abc.def", "Authorization: ***"),
            ("'api-key' => 'abc'", "'api-key' => '***'"),
            ("got v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4= instead", "got *** instead"),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "***"),
            ("id 0123456789abcdef0123456789abcdef01", "id ***"),
            ("NoSuchBeanDefinitionExceptionHandlerNotFound", "NoSuchBeanDefinitionExceptionHandlerNotFound"),
        ] {
            assert_eq!(of(text), shown, "{text}");
        }
    }

    #[test]
    fn a_kibibyte_is_kept_and_no_half_secret() {
        let long = "é".repeat(5_000);
        assert_eq!(of(&long), "");
        assert_eq!(of(&"é ".repeat(5_000)).len(), KEPT - 2, "without the blank at its end");
        for cut in 0..40 {
            let text = format!("{}{}", " x".repeat((SEEN - cut) / 2), "abcdefgh12/clé-secrète abcdefgh12");
            assert!(!of(&text).contains("abc"), "{cut}");
        }
        // What is taken out makes room.
        let masked = format!("{} end", "https://a.example/12345678901234567890 ".repeat(40));
        assert!(of(&masked).ends_with("end") && of(&masked).len() <= KEPT);
    }

    proptest! {
        #[test]
        fn whatever_is_said_stays_short_plain_and_without_the_address(
            before in ".{0,200}", after in ".{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..3_000)
        ) {
            let said = [before.as_bytes(), b"topsecret1", after.as_bytes(), &bytes].concat();
            if let Some(text) = kept(&said, URL) {
                prop_assert!(text.len() <= KEPT && !text.contains("topsecret1"));
                prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
            }
        }
    }
}
