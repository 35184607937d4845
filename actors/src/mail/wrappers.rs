//! Redirections that mail filters and web mailers put around links, undone without asking
//! them: the destination is part of the address.

use std::collections::VecDeque;

use percent_encoding::percent_decode_str;

use super::links;

/// Whether the host is that of a redirection that [`unwrap`] can undo.
pub(super) fn is_wrapper(host: &str) -> bool {
    kind(host).is_some()
}

#[derive(Clone, Copy)]
enum Kind {
    /// Outlook Safe Links: `/?url=<percent-encoded>`.
    SafeLinks,
    /// Proofpoint: `/v3/__<address>__;…` or `/v2/url?u=<own encoding>`.
    UrlDefense,
    /// Google: `/url?q=<percent-encoded>`.
    Google,
}

fn kind(host: &str) -> Option<Kind> {
    let host = host.to_ascii_lowercase();
    match host.as_str() {
        "urldefense.com" | "urldefense.proofpoint.com" => Some(Kind::UrlDefense),
        "google.com" | "www.google.com" | "www.google.fr" => Some(Kind::Google),
        other => other.ends_with(".safelinks.protection.outlook.com").then_some(Kind::SafeLinks),
    }
}

/// The destination of a redirection.
pub(super) fn unwrap(url: &str) -> Option<String> {
    let rest = url.split_once("://")?.1;
    let kind = kind(links::host(rest)?)?;
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = path.split_once('/').map_or("", |(_, path)| path);
    match kind {
        Kind::SafeLinks => parameter(query, "url").map(decode),
        Kind::Google if path == "url" => {
            parameter(query, "q").or_else(|| parameter(query, "url")).map(decode)
        }
        Kind::Google => None,
        Kind::UrlDefense if path == "v2/url" => {
            parameter(query, "u").map(|value| decode(&value.replace('-', "%").replace('_', "/")))
        }
        Kind::UrlDefense => proofpoint_v3(rest.split_once("/v3/__")?.1),
    }
}

fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query
        .split('&')
        .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value))
}

fn decode(value: &str) -> String {
    percent_decode_str(value).decode_utf8_lossy().into_owned()
}

/// `<address>__;<replaced characters>!…`: each `*` stands for the next replaced character,
/// `**` and a letter for a run of them; the replaced characters are base64url.
fn proofpoint_v3(text: &str) -> Option<String> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (address, tail) = text.rsplit_once("__;")?;
    let encoded = tail.split('!').next().unwrap_or_default().replace('-', "+").replace('_', "/");
    let replaced = String::from_utf8(super::encoding::base64(encoded.as_bytes()).0).unwrap_or_default();
    let mut replaced: VecDeque<char> = replaced.chars().collect();
    // The filter collapses the slashes after the scheme.
    let address = match address.split_once(":/") {
        Some((scheme, rest)) if !rest.starts_with('/') => format!("{scheme}://{rest}"),
        _ => address.to_owned(),
    };
    let mut out = String::with_capacity(address.len());
    let mut letters = address.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '*' {
            out.push(letter);
            continue;
        }
        let run = if letters.next_if_eq(&'*').is_some() {
            letters.next().and_then(|length| ALPHABET.find(length)).map_or(0, |length| length + 2)
        } else {
            1
        };
        out.extend(replaced.drain(..run.min(replaced.len())));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::unwrap;

    #[test]
    fn proofpoint_puts_characters_back() {
        assert_eq!(
            unwrap("https://urldefense.com/v3/__https:/fromsmash.com/a*b**Ac__;I8OpKw!!x$").as_deref(),
            Some("https://fromsmash.com/a#bé+c")
        );
        assert_eq!(unwrap("https://urldefense.com/v3/nothing"), None);
    }

    #[test]
    fn other_pages_of_these_hosts_lead_nowhere() {
        assert_eq!(unwrap("https://www.google.com/search?q=https://fromsmash.com/a"), None);
        assert_eq!(unwrap("https://x.safelinks.protection.outlook.com/?data=1"), None);
    }
}
