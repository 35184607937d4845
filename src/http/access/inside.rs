//! Where somebody is sent after signing in: a page of this server, whatever is written.

use url::Url;

/// A server that does not exist: what leaves it leaves ours.
const HERE: &str = "http://inside.invalid";

/// The path of a page of ours that `next` names; `/` when it names none.
pub(in crate::http) fn inside(next: &str) -> String {
    path(next).unwrap_or_else(|| "/".to_owned())
}

fn path(next: &str) -> Option<String> {
    // A browser drops tabs and line ends, and takes `\` for `/`: what has them is none of ours.
    let plain = |char: char| !char.is_control() && !char.is_whitespace() && char != '\\';
    let mut chars = next.chars();
    if chars.next() != Some('/') || matches!(chars.next(), Some('/' | '\\')) || !next.chars().all(plain) {
        return None;
    }
    let here = Url::parse(HERE).ok()?;
    let there = here.join(next).ok()?;
    if there.origin() != here.origin() || !there.username().is_empty() || there.password().is_some() {
        return None;
    }
    let path = there.path();
    // `/./` and `/x/..//` have become something else by now.
    if path.starts_with("//") || ["/login", "/logout"].iter().any(|own| is_below(path, own)) {
        return None;
    }
    let query = there.query().map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{path}{query}"))
}

fn is_below(path: &str, own: &str) -> bool {
    path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_away() {
        for next in [
            "https://evil.example/x",
            "//evil.example",
            "///evil.example",
            "////evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "\\/evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "\t//evil.example",
            " //evil.example",
            "http:evil.example",
            "https:///evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "evil.example",
            "@evil.example",
            "/.//evil.example",
            "/x/..//evil.example",
            "/%2e/\u{0}/evil.example",
            "/./\\evil.example",
            "",
            "?x",
            "#x",
            // Round and round.
            "/login",
            "/login?next=/login",
            "/login/magic/x",
            "/logout",
        ] {
            assert_eq!(inside(next), "/", "{next:?}");
        }
    }

    #[test]
    fn a_page_of_ours_is_a_page_of_ours() {
        for (next, wanted) in [
            ("/", "/"),
            ("/mails?state=held&q=%C3%A9t%C3%A9", "/mails?state=held&q=%C3%A9t%C3%A9"),
            ("/api/docs/", "/api/docs/"),
            ("/été", "/%C3%A9t%C3%A9"),
            // One path among others: no browser takes this for a host.
            ("/%2f%2fevil.example", "/%2f%2fevil.example"),
            ("/a/../b", "/b"),
            ("/loginx", "/loginx"),
            ("/mails#top", "/mails"),
            ("/x@evil.example", "/x@evil.example"),
        ] {
            assert_eq!(inside(next), wanted, "{next:?}");
        }
    }
}
