//! The receiver inside the demo: takes webhooks, verifies their Standard Webhooks
//! signatures with code of its own, and remembers what it got. It refuses the first
//! webhook of one mail, to show a retry.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use render_signal_actors::kernel::clock::World;

/// How far a webhook's time stamp may be from now, in seconds (the Standard Webhooks
/// specification's usual tolerance).
const TOLERANCE_SECONDS: i64 = 300;

/// What is wrong with a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InvalidWebhook {
    /// A header is missing or unreadable.
    Header(&'static str),
    /// The time stamp is too far from now.
    Stale,
    /// No signature of the list fits.
    Signature,
}

/// Verifies the three Standard Webhooks headers over `body`.
///
/// # Errors
/// See [`InvalidWebhook`].
pub(crate) fn verify(
    secret: &[u8],
    headers: &HeaderMap,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<String, InvalidWebhook> {
    let header = |name: &'static str| -> Result<&str, InvalidWebhook> {
        headers.get(name).and_then(|value| value.to_str().ok()).ok_or(InvalidWebhook::Header(name))
    };
    let id = header("webhook-id")?;
    let timestamp = header("webhook-timestamp")?;
    let signatures = header("webhook-signature")?;
    let sent: i64 = timestamp.parse().map_err(|_| InvalidWebhook::Header("webhook-timestamp"))?;
    if now.timestamp().abs_diff(sent) > TOLERANCE_SECONDS.unsigned_abs() {
        return Err(InvalidWebhook::Stale);
    }
    let fits = signatures.split_whitespace().filter_map(|entry| entry.strip_prefix("v1,")).any(|encoded| {
        let Ok(signature) = STANDARD.decode(encoded) else { return false };
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return false };
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        mac.verify_slice(&signature).is_ok()
    });
    if fits { Ok(id.to_owned()) } else { Err(InvalidWebhook::Signature) }
}

/// One `webhook-id` as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReceivedWebhook {
    /// Subject in the payload.
    pub(crate) subject: String,
    /// How often it came.
    pub(crate) requests: u32,
    /// How often it was taken.
    pub(crate) accepted: u32,
    /// Whether every request had the same bytes.
    pub(crate) same_bytes: bool,
    body: web::Bytes,
}

/// What the receiver got.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inbox {
    /// By `webhook-id`.
    pub(crate) webhooks: BTreeMap<String, ReceivedWebhook>,
    /// Requests whose signature did not hold.
    pub(crate) wrong: Vec<InvalidWebhook>,
}

impl Inbox {
    /// Takes a verified request in; `false` = refuse it this time.
    fn take(&mut self, id: String, body: web::Bytes, refuse_once: &str) -> bool {
        let payload: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let subject = payload.get("subject").and_then(|value| value.as_str()).unwrap_or_default();
        let entry = self.webhooks.entry(id).or_insert_with(|| ReceivedWebhook {
            subject: subject.to_owned(),
            requests: 0,
            accepted: 0,
            same_bytes: true,
            body: body.clone(),
        });
        entry.requests += 1;
        entry.same_bytes &= entry.body == body;
        let accept = entry.requests > 1 || !entry.subject.contains(refuse_once);
        entry.accepted += u32::from(accept);
        accept
    }

    /// How many different webhooks were taken.
    pub(crate) fn accepted(&self) -> usize {
        self.webhooks.values().filter(|received| received.accepted > 0).count()
    }

    /// How many were taken more than once.
    pub(crate) fn repeated(&self) -> usize {
        self.webhooks.values().filter(|received| received.accepted > 1).count()
    }

    /// How many came with other bytes under the same id.
    pub(crate) fn changed(&self) -> usize {
        self.webhooks.values().filter(|received| !received.same_bytes).count()
    }
}

/// The receiver; clones share the inbox.
#[derive(Clone)]
pub(crate) struct DemoReceiver {
    secret: Arc<[u8]>,
    refuse_once: &'static str,
    world: World,
    inbox: Arc<Mutex<Inbox>>,
}

impl DemoReceiver {
    /// A receiver that knows the raw bytes of the secret and refuses once the mail whose
    /// subject contains `refuse_once`.
    pub(crate) fn new(secret: Arc<[u8]>, refuse_once: &'static str, world: World) -> Self {
        Self { secret, refuse_once, world, inbox: Arc::default() }
    }

    fn locked(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it got so far.
    pub(crate) fn inbox(&self) -> Inbox {
        self.locked().clone()
    }

    fn answer(&self, headers: &HeaderMap, body: web::Bytes) -> HttpResponse {
        match verify(&self.secret, headers, &body, self.world.now()) {
            Ok(id) => {
                if self.locked().take(id, body, self.refuse_once) {
                    HttpResponse::Ok().json(serde_json::json!({"success": true}))
                } else {
                    HttpResponse::ServiceUnavailable().body("not now")
                }
            }
            Err(wrong) => {
                self.locked().wrong.push(wrong);
                HttpResponse::Unauthorized().body("signature")
            }
        }
    }

    /// Its routes: `POST /hooks/{target}`.
    pub(crate) fn configure(&self, app: &mut web::ServiceConfig) {
        app.app_data(web::Data::new(self.clone()))
            .app_data(web::PayloadConfig::new(8 * 1024 * 1024))
            .route("/hooks/{target}", web::post().to(hook));
    }
}

async fn hook(request: HttpRequest, body: web::Bytes, receiver: web::Data<DemoReceiver>) -> HttpResponse {
    receiver.answer(request.headers(), body)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};
    use chrono::TimeZone as _;

    use super::*;

    const SECRET: &[u8] = b"a secret of the demo, 32 bytes..";

    /// The example of the Standard Webhooks specification's reference libraries.
    const KNOWN_SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const KNOWN_SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        map
    }

    fn sign(id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }

    #[test]
    fn the_published_example_is_accepted() {
        let secret = STANDARD.decode(KNOWN_SECRET).unwrap();
        let headers = headers(&[
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", KNOWN_SIGNATURE),
        ]);
        let now = Utc.timestamp_opt(1_614_265_331, 0).unwrap();
        assert_eq!(
            verify(&secret, &headers, br#"{"test": 2432232314}"#, now),
            Ok("msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned())
        );
    }

    #[test]
    fn one_fitting_signature_of_several_is_enough_and_none_is_not() {
        let now = Utc.timestamp_opt(1_800_000_000, 0).unwrap();
        let at = now.timestamp();
        let good = sign("msg_1", at, b"{}");
        let other = sign("msg_1", at, b"{} ");
        let with = |signature: &str, at: i64| {
            headers(&[
                ("webhook-id", "msg_1"),
                ("webhook-timestamp", &at.to_string()),
                ("webhook-signature", signature),
            ])
        };
        assert!(verify(SECRET, &with(&format!("{other} {good}"), at), b"{}", now).is_ok());
        assert_eq!(verify(SECRET, &with(&other, at), b"{}", now), Err(InvalidWebhook::Signature));
        assert_eq!(verify(SECRET, &with("v2,AAAA v1,%%%", at), b"{}", now), Err(InvalidWebhook::Signature));
        assert_eq!(verify(SECRET, &with(&good, at - 1), b"{}", now), Err(InvalidWebhook::Signature));
        assert_eq!(verify(SECRET, &with(&good, at - 301), b"{}", now), Err(InvalidWebhook::Stale));
        assert_eq!(
            verify(SECRET, &headers(&[("webhook-id", "x")]), b"{}", now),
            Err(InvalidWebhook::Header("webhook-timestamp"))
        );
    }

    #[test]
    fn a_refused_webhook_is_taken_the_second_time_and_other_bytes_are_noticed() {
        let mut inbox = Inbox::default();
        let body = web::Bytes::from_static("{\"subject\":\"étalonnage\"}".as_bytes());
        assert!(!inbox.take("a".into(), body.clone(), "étalonnage"));
        assert!(inbox.take("a".into(), body, "étalonnage"));
        assert_eq!((inbox.accepted(), inbox.repeated(), inbox.changed()), (1, 0, 0));
        assert!(inbox.take("a".into(), web::Bytes::from_static(b"{}"), "étalonnage"));
        assert_eq!((inbox.accepted(), inbox.repeated(), inbox.changed()), (1, 1, 1));
    }

    #[actix_web::test]
    async fn over_http_an_unsigned_webhook_is_refused_and_counted() {
        let receiver = DemoReceiver::new(SECRET.into(), "étalonnage", World::real());
        let app =
            actix_web::test::init_service(actix_web::App::new().configure(|app| receiver.configure(app)))
                .await;
        let at = receiver.world.now().timestamp();
        let signed = actix_web::test::TestRequest::post()
            .uri("/hooks/default")
            .insert_header(("webhook-id", "msg_1"))
            .insert_header(("webhook-timestamp", at.to_string()))
            .insert_header(("webhook-signature", sign("msg_1", at, b"{}")))
            .set_payload("{}")
            .to_request();
        assert_eq!(actix_web::test::call_service(&app, signed).await.status(), 200);
        let unsigned =
            actix_web::test::TestRequest::post().uri("/hooks/default").set_payload("{}").to_request();
        assert_eq!(actix_web::test::call_service(&app, unsigned).await.status(), 401);
        let inbox = receiver.inbox();
        assert_eq!((inbox.accepted(), inbox.wrong.len()), (1, 1));
    }
}
