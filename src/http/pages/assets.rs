//! The files of `static/`, which are in the program: style, scripts, icons.
//!
//! Their address has a hash of all of them (`/static/<hash>/app.js`), so that a browser keeps them
//! for a year and a new version of the program has new ones at once. Scripts find each other
//! beside themselves. The style is one file for browsers and several for readers.

use render_signal_actors::kernel::digest::hex;
use std::io::Write as _;
use std::sync::LazyLock;

use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, LOCATION, VARY,
};
use actix_web::web::{Bytes, Path};
use actix_web::{HttpRequest, HttpResponse};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use crate::http::problem::{HttpProblem, ProblemKind};

/// A file.
struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: Bytes,
    /// Compressed, where that makes it smaller.
    small: Option<Bytes>,
}

struct Assets {
    hash: String,
    files: Vec<Asset>,
}

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const PNG: &str = "image/png";

/// The style, in the order in which it counts.
const STYLE: &str = concat!(
    include_str!("../../../static/css/tokens.css"),
    include_str!("../../../static/css/base.css"),
    include_str!("../../../static/css/frame.css"),
    include_str!("../../../static/css/parts.css"),
    include_str!("../../../static/css/overview.css"),
    include_str!("../../../static/css/mails.css"),
    include_str!("../../../static/css/rules.css"),
    include_str!("../../../static/css/settings.css"),
    include_str!("../../../static/css/system.css"),
    include_str!("../../../static/css/access.css"),
);

macro_rules! script {
    ($name:literal) => {
        ($name, JS, include_bytes!(concat!("../../../static/js/", $name)).as_slice())
    };
}

macro_rules! icon {
    ($name:literal, $kind:expr) => {
        ($name, $kind, include_bytes!(concat!("../../../static/icons/", $name)).as_slice())
    };
}

/// Name, media type, content.
const FILES: &[(&str, &str, &[u8])] = &[
    ("app.css", CSS, STYLE.as_bytes()),
    script!("app.js"),
    script!("copy.js"),
    script!("fill.js"),
    script!("forms.js"),
    script!("live.js"),
    script!("reorder.js"),
    script!("settings.js"),
    script!("swap.js"),
    script!("time.js"),
    script!("trial.js"),
    icon!("icon.svg", SVG),
    icon!("icon-alert.svg", SVG),
    icon!("icon-192.png", PNG),
    icon!("icon-512.png", PNG),
];

static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let mut digest = Sha256::new();
    for (name, _, bytes) in FILES {
        digest.update(name.as_bytes());
        digest.update(bytes);
    }
    let mut hash = hex(digest.finalize());
    hash.truncate(12);
    let file = |(name, kind, bytes): &(&'static str, &'static str, &'static [u8])| Asset {
        name,
        kind,
        bytes: Bytes::from_static(bytes),
        small: gzip(bytes).filter(|small| small.len() < bytes.len()).map(Bytes::from),
    };
    Assets { hash, files: FILES.iter().map(file).collect() }
});

/// The bytes compressed (RFC 1952).
pub(super) fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut writer = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), Compression::new(6));
    writer.write_all(bytes).ok()?;
    writer.finish().ok()
}

/// Whether a browser takes what is compressed.
pub(super) fn takes_gzip(request: &HttpRequest) -> bool {
    let accepted = request.headers().get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    accepted.unwrap_or_default().split(',').any(|coding| {
        let mut words = coding.split(';').map(str::trim);
        words.next() == Some("gzip") && !words.any(|word| matches!(word, "q=0" | "q=0.0"))
    })
}

/// The address of a file.
pub(in crate::http) fn asset(name: &str) -> String {
    format!("/static/{}/{name}", ASSETS.hash)
}

/// A file, for as long as browsers keep anything.
pub(super) async fn file(
    request: HttpRequest,
    path: Path<(String, String)>,
) -> Result<HttpResponse, HttpProblem> {
    let (hash, name) = path.into_inner();
    let nothing = || HttpProblem::new(ProblemKind::NotFound, "there is no such file");
    let file = ASSETS.files.iter().find(|file| file.name == name).ok_or_else(nothing)?;
    if hash != ASSETS.hash {
        // A page of the version before, which another worker may have made.
        return Ok(HttpResponse::TemporaryRedirect().insert_header((LOCATION, asset(file.name))).finish());
    }
    Ok(send(&request, file, "public, max-age=31536000, immutable"))
}

/// The icon, for browsers that look for it where it always was.
pub(super) async fn favicon(request: HttpRequest) -> Result<HttpResponse, HttpProblem> {
    let icon = ASSETS.files.iter().find(|file| file.name == "icon.svg");
    let icon = icon.ok_or_else(|| HttpProblem::new(ProblemKind::NotFound, "there is no icon"))?;
    Ok(send(&request, icon, "public, max-age=86400"))
}

fn send(request: &HttpRequest, file: &Asset, keep: &'static str) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CONTENT_TYPE, file.kind)).insert_header((CACHE_CONTROL, keep));
    answer.insert_header((VARY, "Accept-Encoding"));
    match &file.small {
        Some(small) if takes_gzip(request) => {
            answer.insert_header((CONTENT_ENCODING, "gzip")).body(small.clone())
        }
        _ => answer.body(file.bytes.clone()),
    }
}

/// What a phone needs to keep the pages on its home screen (W3C Web Application Manifest).
pub(super) async fn manifest() -> HttpResponse {
    let icon = |name: &str, sizes: &str, kind: &str| serde_json::json!({"src": asset(name), "sizes": sizes, "type": kind, "purpose": "any"});
    let manifest = serde_json::json!({
        "name": "render-signal",
        "short_name": "render-signal",
        "id": "/",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "lang": "fr",
        "background_color": "#f6f7f9",
        "theme_color": "#f6f7f9",
        "icons": [
            icon("icon.svg", "any", SVG),
            icon("icon-192.png", "192x192", PNG),
            icon("icon-512.png", "512x512", PNG),
        ],
    });
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/manifest+json"))
        .insert_header((CACHE_CONTROL, "public, max-age=86400"))
        .body(manifest.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use actix_web::body::to_bytes;
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn what_a_script_imports_is_there() {
        let names: HashSet<&str> = FILES.iter().map(|(name, _, _)| *name).collect();
        assert_eq!(names.len(), FILES.len(), "no name twice");
        for (name, kind, bytes) in FILES {
            if *kind != JS {
                continue;
            }
            let text = std::str::from_utf8(bytes).unwrap();
            for import in text.split("from \"./").skip(1) {
                let wanted = import.split('"').next().unwrap();
                assert!(names.contains(wanted), "{name} imports {wanted}");
            }
            for forbidden in ["innerHTML", "eval(", "http://", "https://", "document.write"] {
                assert!(!text.contains(forbidden), "{name} has {forbidden}");
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_served() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("static");
        for (sub, part_of_style) in [("js", false), ("icons", false), ("css", true)] {
            for entry in std::fs::read_dir(folder.join(sub)).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                if part_of_style {
                    let text = std::fs::read_to_string(&path).unwrap();
                    assert!(STYLE.contains(&text), "{name} is no part of the style");
                } else {
                    assert!(FILES.iter().any(|(file, _, _)| *file == name), "{name} is not served");
                }
            }
        }
    }

    #[actix_web::test]
    async fn a_file_is_kept_for_ever_and_an_old_address_leads_to_the_new_one() {
        let request = TestRequest::get().insert_header(("accept-encoding", "gzip, br")).to_http_request();
        let hash = ASSETS.hash.clone();
        let answer = file(request.clone(), Path::from((hash, "app.css".to_owned()))).await.unwrap();
        assert_eq!(answer.headers().get(CONTENT_ENCODING).unwrap(), "gzip");
        assert!(answer.headers().get(CACHE_CONTROL).unwrap().to_str().unwrap().contains("immutable"));
        let old = file(request.clone(), Path::from(("0".repeat(12), "app.css".to_owned()))).await.unwrap();
        assert_eq!(old.headers().get(LOCATION).unwrap().to_str().unwrap(), asset("app.css"));
        assert!(file(request, Path::from((ASSETS.hash.clone(), "../x".to_owned()))).await.is_err());
        let plain = TestRequest::get().insert_header(("accept-encoding", "gzip;q=0")).to_http_request();
        let answer = file(plain, Path::from((ASSETS.hash.clone(), "app.css".to_owned()))).await.unwrap();
        assert!(answer.headers().get(CONTENT_ENCODING).is_none());
        assert_eq!(to_bytes(answer.into_body()).await.unwrap(), STYLE.as_bytes());
    }
}
