//! A stand-in for the R2 Worker inside the demo: says that it has copied a file, and
//! refuses those of one provider, to show that a mail goes out with its source link then.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

/// Where copies are said to lie.
pub(crate) const PUBLIC_BASE: &str = "https://files.demo.example";

/// The provider whose files are refused.
const REFUSED: &str = "fromsmash";

/// The part of a request that the answer depends on.
#[derive(Debug, Deserialize)]
struct Fetch {
    object_key: String,
    provider: String,
}

/// The stand-in; clones share the token.
#[derive(Clone)]
pub(crate) struct DemoOffloadWorker {
    token: Arc<str>,
}

impl DemoOffloadWorker {
    /// One that knows its caller by `token`.
    pub(crate) fn new(token: &str) -> Self {
        Self { token: token.into() }
    }

    /// Its route: `POST /worker`.
    pub(crate) fn configure(&self, app: &mut web::ServiceConfig) {
        app.app_data(web::Data::new(self.clone())).route("/worker", web::post().to(fetch));
    }
}

async fn fetch(
    request: HttpRequest,
    body: web::Json<Fetch>,
    worker: web::Data<DemoOffloadWorker>,
) -> HttpResponse {
    let token = request.headers().get("x-r2-fetch-token").and_then(|value| value.to_str().ok());
    if token != Some(&*worker.token) {
        return HttpResponse::Unauthorized().json(json!({"success": false, "error": "Unauthorized"}));
    }
    if body.provider == REFUSED {
        return HttpResponse::Ok().json(json!({"success": false, "error": "the source has expired"}));
    }
    HttpResponse::Ok().json(json!({
        "success": true,
        "r2_url": format!("{PUBLIC_BASE}/{}", body.object_key),
        "object_key": body.object_key,
        "original_filename": null,
    }))
}
