//! `/api/docs`: the description as a page on which requests can be tried. The page is a library's,
//! and comes with the program: nothing is loaded from elsewhere.

use std::sync::{Arc, LazyLock};

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use actix_web::web::Path;
use utoipa_swagger_ui::Config;

use crate::http::problem::{HttpProblem, ProblemKind};

/// The base layout has no inline style, so it is allowed by the policy of all our pages.
static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    Arc::new(
        Config::from("/api/v1/openapi.json").use_base_layout().try_it_out_enabled(true).validator_url("none"),
    )
});

/// The page itself: the library's own is drawn for large screens only.
const INDEX: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API · render-signal</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="swagger-ui.css"></head>
<body><div id="swagger-ui"></div>
<script src="swagger-ui-bundle.js"></script>
<script src="swagger-ui-standalone-preset.js"></script>
<script src="swagger-initializer.js"></script></body></html>
"#;

/// How a compressed file begins (RFC 1952 section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Its files are relative to a folder.
pub(super) async fn moved() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((LOCATION, "/api/docs/")).finish()
}

/// A file of the page.
pub(super) async fn file(name: Path<String>) -> Result<HttpResponse, HttpProblem> {
    if matches!(name.as_str(), "" | "index.html") {
        return Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(INDEX));
    }
    let nothing = || HttpProblem::new(ProblemKind::NotFound, "the page has no such file");
    let file = utoipa_swagger_ui::serve(&name, Arc::clone(&CONFIG)).map_err(|error| {
        HttpProblem::new(ProblemKind::Internal, format!("the page to try the API cannot be made: {error}"))
    })?;
    let file = file.ok_or_else(nothing)?;
    let mut answer = HttpResponse::Ok();
    answer
        .insert_header((CONTENT_TYPE, file.content_type))
        .insert_header((CACHE_CONTROL, "private, max-age=3600"));
    let bytes = file.bytes.into_owned();
    if bytes.starts_with(&GZIP) {
        // Every browser takes it; the library keeps its files that way.
        answer.insert_header((CONTENT_ENCODING, "gzip"));
    }
    Ok(answer.body(bytes))
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;

    use super::*;

    async fn read(name: &str) -> (Option<String>, Vec<u8>) {
        let answer = file(Path::from(name.to_owned())).await.unwrap();
        let encoding = answer.headers().get(CONTENT_ENCODING).map(|value| value.to_str().unwrap().to_owned());
        (encoding, to_bytes(answer.into_body()).await.unwrap().to_vec())
    }

    #[actix_web::test]
    async fn the_page_and_all_that_it_names_can_be_read_by_a_browser() {
        let (encoding, index) = read("").await;
        let index = String::from_utf8(index).unwrap();
        assert!(encoding.is_none() && index.contains("viewport"), "{index}");
        let named: Vec<&str> =
            index.split(['"']).filter(|text| text.starts_with("swagger-") && text.contains('.')).collect();
        assert_eq!(named.len(), 4, "{named:?}");
        for name in named {
            let (encoding, bytes) = read(name).await;
            let compressed = bytes.starts_with(&GZIP);
            assert_eq!(encoding.as_deref() == Some("gzip"), compressed, "{name}");
            assert!(compressed || std::str::from_utf8(&bytes).is_ok(), "{name} is no text");
        }
        assert!(file(Path::from("../Cargo.toml".to_owned())).await.is_err());
    }
}
