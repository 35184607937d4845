//! Whether an address that somebody answered leads where copies lie (reference W-71). Pure.
//!
//! The text goes on to receivers as it is, and their parsers differ from ours. So it must
//! not only mean the right place to us: it must be written so plainly that it means the
//! same to everybody.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::kernel::words::is_hidden;

/// Longest address, in bytes: a key of R2 has up to 1024, three times that when encoded.
const LONGEST: usize = 4096;

/// The address, if it is a plainly written `http://` or `https://` one, and below `base`
/// when there is one.
///
/// # Errors
/// What is wrong with it, without repeating it.
pub fn check(text: &str, base: Option<&Url>) -> Result<Url, &'static str> {
    if text.len() > LONGEST {
        return Err("is too long");
    }
    if text.chars().any(|c| is_hidden(c) || c == '\\') {
        return Err("holds a control character, a mark of direction or a backslash");
    }
    let url = Url::parse(text).map_err(|_| "is no URL")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("is neither https nor http");
    }
    let rest = text.split_once("://").map(|(_, rest)| rest).ok_or("has no plain host")?;
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if !is_plain(authority, &url) {
        return Err("has no plain host");
    }
    if url.fragment().is_some() {
        return Err("has a fragment");
    }
    let path = rest.split('?').next().unwrap_or_default();
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    if decoded.split(['/', '\\']).any(|segment| segment == "." || segment == "..") {
        return Err("climbs out of its folder");
    }
    match base {
        Some(base) if !lies_below(&url, base) => Err("does not lie below R2_PUBLIC_BASE_URL"),
        _ => Ok(url),
    }
}

/// Whether the written authority is just the host, and perhaps the port, that we read.
fn is_plain(written: &str, url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let port = written.get(host.len()..).unwrap_or_default();
    let same_host = written.get(..host.len()).is_some_and(|name| name.eq_ignore_ascii_case(host));
    let same_port = match port.strip_prefix(':') {
        Some(digits) => digits.parse::<u16>().ok() == url.port_or_known_default(),
        None => port.is_empty(),
    };
    same_host && same_port
}

/// Same origin, and the base's path is a whole-segment prefix.
fn lies_below(url: &Url, base: &Url) -> bool {
    let base_path = base.path().trim_end_matches('/');
    url.origin() == base.origin()
        && url.path().strip_prefix(base_path).is_some_and(|rest| rest.starts_with('/') && rest.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addresses_below_the_base_are_believed() {
        let base = Url::parse("https://media.example.com/r2/").unwrap();
        for good in [
            "https://media.example.com/r2/dropbox/0a1b2c3d/4e5f6071/file",
            "https://media.example.com/r2/dropbox/a/b/61 Camille.zip",
            "https://media.example.com/r2/dropbox/a/b/61%20Camille.zip",
            "https://media.example.com/r2/dropbox/a/b/été.zip",
            "https://MEDIA.example.com:443/r2/x",
            "HTTPS://media.example.com/r2/x",
            "https://media.example.com/r2/a..b/...",
            "https://media.example.com/r2/x?v=1",
        ] {
            assert!(check(good, Some(&base)).is_ok(), "{good}: {:?}", check(good, Some(&base)));
        }
        let long = format!("https://media.example.com/r2/{}", "x".repeat(LONGEST));
        for bad in [
            "",
            " ",
            "file",
            "/r2/x",
            "//media.example.com/r2/x",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///r2/x",
            "ftp://media.example.com/r2/x",
            "blob:https://media.example.com/r2/x",
            // Another host, port or protocol.
            "http://media.example.com/r2/x",
            "https://media.example.com:8443/r2/x",
            "https://media.example.com:80/r2/x",
            "https://media.example.com./r2/x",
            "https://example.com/r2/x",
            "https://xmedia.example.com/r2/x",
            "https://a.media.example.com/r2/x",
            "https://media.example.com.evil.example/r2/x",
            "https://media.example.comx/r2/x",
            "https://127.0.0.1/r2/x",
            "https://[::1]/r2/x",
            // User information, and what looks like a host and is none.
            "https://media.example.com@evil.example/r2/x",
            "https://media.example.com:443@evil.example/r2/x",
            "https://media.example.com%2f@evil.example/r2/x",
            "https://user@media.example.com/r2/x",
            "https://user:secret@media.example.com/r2/x",
            "https://@media.example.com/r2/x",
            "https://evil.example#@media.example.com/r2/x",
            "https://evil.example?@media.example.com/r2/x",
            "https://evil.example\\@media.example.com/r2/x",
            "https://media.example.com\\@evil.example/r2/x",
            "https:\\\\media.example.com\\r2\\x",
            "https:media.example.com/r2/x",
            "https:/media.example.com/r2/x",
            "https:///media.example.com/r2/x",
            "https://ｍedia.example.com/r2/x",
            "https://media。example.com/r2/x",
            "https://mediа.example.com/r2/x",
            "https://media%2eexample.com/r2/x",
            "https://media.example.com:0443x/r2/x",
            // Beside the folder, above it, or the folder itself.
            "https://media.example.com",
            "https://media.example.com/",
            "https://media.example.com/x",
            "https://media.example.com/r2",
            "https://media.example.com/r2/",
            "https://media.example.com/r2x/file",
            "https://media.example.com/R2/x",
            "https://media.example.com//r2/x",
            "https://media.example.com/?/r2/x",
            "https://media.example.com/r2?/x",
            "https://media.example.com/r2/../x",
            "https://media.example.com/r2/a/../../x",
            "https://media.example.com/r2/%2e%2e/x",
            "https://media.example.com/r2/%2E./x",
            "https://media.example.com/r2/..%2fx",
            "https://media.example.com/r2/%2e%2e%5cx",
            "https://media.example.com/r2/./x",
            "https://media.example.com/r2/..",
            // What a parser drops, cuts or splits at.
            "https://media.example.com/r2/x#y",
            "https://media.example.com/r2/a\nb",
            "https://media.example.com/r2/a\r\nX-Header: b",
            "https://media.exa\tmple.com/r2/x",
            "https://media.example.com/r2/a\u{0}b",
            "https://media.example.com/r2/a\u{7f}",
            &long,
        ] {
            assert!(check(bad, Some(&base)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_base_without_a_path_is_its_origin() {
        let base = Url::parse("https://media.example.com:8443").unwrap();
        assert!(check("https://media.example.com:8443/x", Some(&base)).is_ok());
        assert!(check("https://media.example.com/x", Some(&base)).is_err());
        assert!(check("https://media.example.com:8443/", Some(&base)).is_err());
        assert!(check("https://[2606:4700::1]:8443/x", None).is_ok());
        assert!(check("https://anywhere.example/x", None).is_ok());
    }
}
