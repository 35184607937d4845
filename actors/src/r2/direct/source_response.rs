//! What a file host answers, and whether its body is the file that was meant. Pure.

use chrono::DateTime;
use reqwest::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE,
    ETAG, HeaderMap, HeaderName, LAST_MODIFIED,
};
use serde::{Deserialize, Serialize};

use super::disposition;

/// A shared Dropbox folder comes as a ZIP archive. What has fewer bytes than this is an error page,
/// as the Worker judges it too (reference section 5.13).
const MIN_FOLDER: u64 = 1024 * 1024;
/// A modification date proves that nothing changed when it is this much older than the
/// answer (RFC 9110 section 8.8.2.2).
const OLD_ENOUGH: chrono::Duration = chrono::Duration::seconds(60);
/// So much of a body tells whether it is a page.
const SNIFF: usize = 512;

/// Why there is nothing to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NothingToCopy {
    /// It will not be better the next time.
    Refused(String),
    /// The next try may go better.
    Broken(String),
}

/// What proves that a file is the same as before (RFC 9110 section 8.8): fit for `If-Range`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Validator {
    /// A strong entity tag, quotes included.
    Etag(String),
    /// A modification date that is old enough to be exact.
    LastModified(String),
}

impl Validator {
    /// The value of `If-Range`.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Etag(value) | Self::LastModified(value) => value,
        }
    }
}

/// A body that may be the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SourceResponse {
    /// Length of the whole file in bytes, if announced.
    pub(super) length: Option<u64>,
    /// `None` = it cannot be fetched in parts.
    pub(super) validator: Option<Validator>,
    /// The file's own name.
    pub(super) name: Option<String>,
    /// Media type, when it may be passed on.
    pub(super) content_type: Option<String>,
    /// The host says that it is a file to be saved.
    pub(super) attachment: bool,
}

/// Where to go on in a file that is partly copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resume {
    /// First byte that is missing.
    pub(super) offset: u64,
    /// The file that it was.
    pub(super) validator: Validator,
    /// Its length.
    pub(super) length: u64,
}

/// Judges status and headers of an answer that is meant to be the whole file.
pub(super) fn whole(
    status: u16,
    headers: &HeaderMap,
    max_bytes: u64,
) -> Result<SourceResponse, NothingToCopy> {
    if status != 200 {
        return Err(no(status));
    }
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(encoding) = text(CONTENT_ENCODING).filter(|value| !value.eq_ignore_ascii_case("identity")) {
        return Err(NothingToCopy::Refused(format!("the host sends it encoded as {encoding:.20}")));
    }
    let media_type = text(CONTENT_TYPE).unwrap_or_default();
    if is_html(media_type) {
        return Err(NothingToCopy::Refused("the host sends an HTML page, not a file".to_owned()));
    }
    let length = text(CONTENT_LENGTH).and_then(|value| value.parse().ok());
    if let Some(length) = length.filter(|length| *length > max_bytes) {
        return Err(too_large(length, max_bytes));
    }
    let disposition = headers.get(CONTENT_DISPOSITION).map(|value| disposition::read(value.as_bytes()));
    let disposition = disposition.unwrap_or_default();
    Ok(SourceResponse {
        length,
        validator: validator(headers),
        name: disposition.name,
        content_type: Some(media_type).filter(|value| value.contains('/')).map(str::to_owned),
        attachment: disposition.attachment,
    })
}

/// Whether an answer is the rest of the file that was asked for.
pub(super) fn is_rest(status: u16, headers: &HeaderMap, wanted: &Resume) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let range = text(CONTENT_RANGE).and_then(read_range);
    let same_tag = match (&wanted.validator, text(ETAG)) {
        (Validator::Etag(was), Some(is)) => was == is,
        // A 206 need not repeat the date; the host has compared it.
        (Validator::Etag(_), None) | (Validator::LastModified(_), _) => true,
    };
    status == 206
        && same_tag
        && range == Some((wanted.offset, wanted.length.saturating_sub(1), wanted.length))
        && text(CONTENT_ENCODING).is_none_or(|value| value.eq_ignore_ascii_case("identity"))
}

/// `bytes <first>-<last>/<length>`
fn read_range(value: &str) -> Option<(u64, u64, u64)> {
    let (range, length) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?, length.parse().ok()?))
}

/// Why an answer with another status than 200 is no file.
pub(super) fn no(status: u16) -> NothingToCopy {
    let why = format!("the host answered {status}");
    if status >= 500 || matches!(status, 408 | 425 | 429) {
        NothingToCopy::Broken(why)
    } else {
        NothingToCopy::Refused(why)
    }
}

/// The file is larger than is allowed.
pub(super) fn too_large(length: u64, max_bytes: u64) -> NothingToCopy {
    NothingToCopy::Refused(format!("it has {length} bytes or more, and R2_MAX_FILE_BYTES allows {max_bytes}"))
}

/// Judges the start of a body. `whole_length` is the length of the whole file if known.
pub(super) fn check_start(
    start: &[u8],
    whole_length: Option<u64>,
    is_folder: bool,
    attachment: bool,
) -> Result<(), NothingToCopy> {
    let refuse = |why: &str| Err(NothingToCopy::Refused(why.to_owned()));
    if start.is_empty() {
        return refuse("the file is empty");
    }
    if is_folder && !start.starts_with(b"PK") {
        return refuse("the archive of the folder is no ZIP file");
    }
    if is_folder && whole_length.is_some_and(|length| length < MIN_FOLDER) {
        return refuse("the archive of the folder is shorter than 1 MiB");
    }
    if !attachment && looks_like_html(start) {
        return refuse("the host sends an HTML page, not a file");
    }
    Ok(())
}

fn is_html(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("text/html") || essence.eq_ignore_ascii_case("application/xhtml+xml")
}

fn looks_like_html(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let head = String::from_utf8_lossy(start.get(..SNIFF).unwrap_or(start)).to_ascii_lowercase();
    let head = head.trim_start();
    ["<!doctype html", "<html"].iter().any(|mark| head.starts_with(mark))
}

fn validator(headers: &HeaderMap) -> Option<Validator> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if text(ACCEPT_RANGES).is_some_and(|value| value.eq_ignore_ascii_case("none")) {
        return None;
    }
    if let Some(tag) = text(ETAG) {
        // A weak tag does not promise the same bytes, and neither does the date beside it.
        return (tag.starts_with('"') && tag.len() > 2).then(|| Validator::Etag(tag.to_owned()));
    }
    let modified = text(LAST_MODIFIED)?;
    let at = DateTime::parse_from_rfc2822(modified).ok()?;
    let now = DateTime::parse_from_rfc2822(text(DATE)?).ok()?;
    (now - at >= OLD_ENOUGH).then(|| Validator::LastModified(modified.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u64 = 1000;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn refused(result: Result<impl std::fmt::Debug, NothingToCopy>) -> String {
        match result.unwrap_err() {
            NothingToCopy::Refused(why) => why,
            NothingToCopy::Broken(why) => panic!("only broken: {why}"),
        }
    }

    #[test]
    fn a_file_is_accepted_with_what_it_says() {
        let offer = whole(
            200,
            &headers(&[
                ("content-length", "1000"),
                ("content-type", "application/zip"),
                ("content-disposition", "attachment; filename=\"a.zip\""),
                ("etag", "\"v1\""),
            ]),
            MAX,
        );
        let want = SourceResponse {
            length: Some(1000),
            validator: Some(Validator::Etag("\"v1\"".to_owned())),
            name: Some("a.zip".to_owned()),
            content_type: Some("application/zip".to_owned()),
            attachment: true,
        };
        assert_eq!(offer, Ok(want));
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let html = headers(&[("content-type", "Text/HTML; charset=utf-8")]);
        assert!(refused(whole(200, &html, MAX)).contains("HTML"));
        let xhtml = headers(&[("content-type", "application/xhtml+xml")]);
        assert!(refused(whole(200, &xhtml, MAX)).contains("HTML"));
        assert!(refused(whole(200, &headers(&[("content-length", "1001")]), MAX)).contains("1001"));
        assert!(refused(whole(200, &headers(&[("content-encoding", "gzip")]), MAX)).contains("gzip"));
        assert!(refused(whole(404, &HeaderMap::new(), MAX)).contains("404"));
        assert!(refused(whole(206, &HeaderMap::new(), MAX)).contains("206"));
        assert!(matches!(whole(503, &HeaderMap::new(), MAX), Err(NothingToCopy::Broken(_))));
        assert!(matches!(whole(429, &HeaderMap::new(), MAX), Err(NothingToCopy::Broken(_))));
    }

    #[test]
    fn the_start_tells() {
        assert!(refused(check_start(b"", None, false, true)).contains("empty"));
        assert!(refused(check_start(b"<html>", Some(9_999_999), true, true)).contains("ZIP"));
        assert!(refused(check_start(b"PK\x03\x04", Some(MIN_FOLDER - 1), true, true)).contains("1 MiB"));
        assert_eq!(check_start(b"PK\x03\x04", Some(MIN_FOLDER), true, true), Ok(()));
        assert_eq!(check_start(b"PK\x03\x04", None, true, true), Ok(()));
        assert!(refused(check_start(b"\xef\xbb\xbf\n <!DOCTYPE html>", None, false, false)).contains("HTML"));
        // Said to be a file: somebody shares a page.
        assert_eq!(check_start(b"<html>", None, false, true), Ok(()));
        assert_eq!(check_start(b"%PDF-1.7 <html>", None, false, false), Ok(()));
    }

    #[test]
    fn only_what_proves_the_same_bytes_is_a_validator() {
        let of = |lines: &[(&'static str, &'static str)]| validator(&headers(lines));
        let long_ago = ("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT");
        let date = ("date", "Wed, 21 Oct 2015 07:29:00 GMT");
        assert_eq!(of(&[("etag", "\"a\"")]), Some(Validator::Etag("\"a\"".to_owned())));
        assert_eq!(of(&[("etag", "W/\"a\""), long_ago, date]), None);
        assert_eq!(of(&[long_ago, date]), Some(Validator::LastModified(long_ago.1.to_owned())));
        assert_eq!(of(&[long_ago]), None);
        assert_eq!(of(&[long_ago, ("date", "Wed, 21 Oct 2015 07:28:59 GMT")]), None);
        assert_eq!(of(&[("etag", "\"a\""), ("accept-ranges", "none")]), None);
    }

    #[test]
    fn the_rest_must_be_exactly_the_rest() {
        let wanted = Resume { offset: 10, validator: Validator::Etag("\"a\"".to_owned()), length: 30 };
        let rest = |status, lines: &[(&'static str, &'static str)]| is_rest(status, &headers(lines), &wanted);
        assert!(rest(206, &[("content-range", "bytes 10-29/30"), ("etag", "\"a\"")]));
        assert!(rest(206, &[("content-range", "bytes 10-29/30")]));
        for lines in [
            &[("content-range", "bytes 10-29/30"), ("etag", "\"b\"")][..],
            &[("content-range", "bytes 9-29/30")],
            &[("content-range", "bytes 10-28/30")],
            &[("content-range", "bytes 10-29/31")],
            &[("content-range", "bytes 10-29/*")],
            &[("content-range", "bytes 10-29/30"), ("content-encoding", "gzip")],
            &[],
        ] {
            assert!(!rest(206, lines), "{lines:?}");
        }
        assert!(!rest(200, &[("content-range", "bytes 10-29/30")]));
    }
}
