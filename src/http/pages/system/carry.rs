//! Documents from files into the shared store, a check of what that holds, and all documents in
//! one file.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use render_signal_actors::kernel::said::Said;
use serde_json::Value;

use super::words::Words;
use super::{SystemResults, page};
use crate::http::compat::store::{known, migrated, verified};
use crate::http::pages::names;
use crate::http::pages::parts::{Badge, Confirm, Mood, UntrustedText, When};
use crate::http::pages::visit::PageVisit;
use crate::http::problem::HttpProblem;
use crate::services::check::CheckedDocument;

/// What a migration did.
pub(super) struct MigrationView {
    /// How it went.
    pub(super) badge: Badge,
    pub(super) at: When,
    /// The lines of the system before.
    pub(super) log: UntrustedText,
    /// What is to be said besides.
    pub(super) complaints: Vec<UntrustedText>,
}

/// What the shared store holds.
pub(super) struct VerifiedView {
    pub(super) badge: Badge,
    /// When it was read.
    pub(super) at: When,
    /// By document.
    pub(super) rows: Vec<VerifiedRow>,
}

/// A document in the shared store.
pub(super) struct VerifiedRow {
    /// What people call it.
    pub(super) name: String,
    /// What it is stored as.
    pub(super) key: &'static str,
    /// Whether it is sound.
    pub(super) badge: Badge,
    /// In the words of the system before.
    pub(super) message: UntrustedText,
    /// What it has in it, in short.
    pub(super) summary: UntrustedText,
    /// What of it nobody knows.
    pub(super) unknown: Vec<UntrustedText>,
}

/// Whether there is a shared store at all.
fn is_shared(visit: &PageVisit) -> bool {
    let storage = &visit.state.services.storage;
    storage.redis.is_some() && storage.redis_documents.is_some()
}

/// The question before a migration; `None` = there is nowhere to migrate to.
pub(super) fn confirm(visit: &PageVisit) -> Option<Confirm> {
    let w = Words::of(visit.lang);
    is_shared(visit).then(|| Confirm {
        id: "migrer".to_owned(),
        button: w.migrate.to_owned(),
        class: "",
        title: w.migrate_ask.to_owned(),
        text: w.migrate_text.to_owned(),
        action: "/systeme/migrer#configurations".to_owned(),
        fields: Vec::new(),
        yes: w.migrate.to_owned(),
        no: w.cancel.to_owned(),
    })
}

/// POST `/systeme/migrer`.
pub(super) async fn migrate(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let (lang, w) = (visit.lang, Words::of(visit.lang));
    tracing::info!(by = visit.caller.by(), "the documents of the files are written into Redis");
    let log = migrated(&visit.state, &known(), false).await;
    let log = log.map_err(|failure| HttpProblem::unavailable(failure.message))?;
    let nothing = log.lines.iter().all(|line| line.ends_with("; skip"));
    let badge = match (log.ok, nothing) {
        (false, _) => Badge::new(Mood::Bad, w.not_migrated),
        (true, true) => Badge::new(Mood::None, w.nothing_to_migrate),
        (true, false) => Badge::new(Mood::Good, w.migrated),
    };
    let complaints = log.complaints.into_iter().map(|said: Said| UntrustedText(names::told(&said, lang)));
    let view = MigrationView {
        badge,
        at: When::short(visit.clock, visit.state.world.now()),
        log: UntrustedText(log.lines.join("\n")),
        complaints: complaints.collect(),
    };
    page(&visit, StatusCode::OK, SystemResults { migration: Some(view), ..SystemResults::default() }).await
}

/// POST `/systeme/verifier-redis`.
pub(super) async fn verify(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let w = Words::of(visit.lang);
    let checked = verified(&visit.state, &known()).await;
    let checked = checked.map_err(|failure| HttpProblem::unavailable(failure.message))?;
    let sound = checked.iter().all(|one| one.valid && one.unread.is_none());
    let view = VerifiedView {
        badge: match sound {
            true => Badge::new(Mood::Good, w.verified),
            false => Badge::new(Mood::Bad, w.not_verified),
        },
        at: When::short(visit.clock, visit.state.world.now()),
        rows: checked.into_iter().map(|one| row(one, &visit)).collect(),
    };
    page(&visit, StatusCode::OK, SystemResults { verified: Some(view), ..SystemResults::default() }).await
}

fn row(checked: CheckedDocument, visit: &PageVisit) -> VerifiedRow {
    let (lang, w) = (visit.lang, Words::of(visit.lang));
    let sound = checked.valid && checked.unread.is_none();
    VerifiedRow {
        name: names::document(checked.key, lang),
        key: checked.key,
        badge: if sound { Badge::new(Mood::Good, w.valid) } else { Badge::new(Mood::Bad, w.invalid) },
        message: UntrustedText(checked.unread.unwrap_or_else(|| lang.one(checked.message))),
        summary: UntrustedText(match (&checked.payload, checked.key) {
            // The names of its fields are the links' own, and a part of what opens a session.
            (Some(Value::Object(links)), "magic_link_tokens") => Words::links(lang, links.len()),
            _ => checked.summary,
        }),
        unknown: checked.unknown.into_iter().map(|said| UntrustedText(lang.one(said))).collect(),
    }
}

/// GET `/systeme/export`: all documents but the sign-in links, with what is masked elsewhere.
pub(super) async fn export(visit: PageVisit) -> Result<HttpResponse, HttpProblem> {
    let bundle = visit.state.services.configuration.export(true).await?;
    tracing::info!(by = visit.caller.by(), "the configuration is handed out");
    let name =
        format!("attachment; filename=\"render-signal-{}.json\"", visit.clock.now.format("%Y%m%dT%H%M%SZ"));
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_DISPOSITION, name))
        .json(bundle))
}
