//! The copies of linked files, and the list that is kept of them.

use actix_web::HttpResponse;
use url::Url;

use super::HOME;
use super::words::Words;
use crate::http::pages::names::told;
use crate::http::pages::notice::Notice;
use crate::http::pages::parts::{Confirm, UntrustedText, When};
use crate::http::pages::visit::PageVisit;
use crate::services::ServiceError;
use crate::services::links::{self, Stats};

/// Copies that are listed: the last ones.
const MAX_LISTED: usize = 10;

pub(super) struct CopiesView {
    /// Whether any are made.
    pub(super) on: bool,
    /// What the list holds: what, how much; or why that is not known.
    pub(super) list: Result<Vec<(&'static str, UntrustedText)>, UntrustedText>,
    /// Has the list written anew.
    pub(super) rebuild: Confirm,
    /// The last ones.
    pub(super) last: Vec<CopyRow>,
}

/// A copy of a linked file.
pub(super) struct CopyRow {
    /// The file's own name, or its source.
    pub(super) name: UntrustedText,
    /// File service.
    pub(super) provider: UntrustedText,
    /// When it was made.
    pub(super) at: When,
    /// Where it lies, if a browser may be sent there.
    pub(super) href: Option<String>,
}

/// What is known of them.
pub(super) async fn view(visit: &PageVisit) -> CopiesView {
    let (lang, w) = (visit.lang, Words::of(visit.lang));
    let state = &visit.state;
    let list = links::stats(&state.services.links);
    let last = links::before(state.journal.as_ref(), None, MAX_LISTED).await.unwrap_or_default();
    CopiesView {
        on: state.reference.env.offload,
        list: list
            .map(|stats| counted(stats, visit))
            .map_err(|refused: ServiceError| UntrustedText(told(&refused.said(), lang))),
        rebuild: Confirm {
            id: "reecrire".to_owned(),
            button: w.rebuild.to_owned(),
            class: "",
            title: w.rebuild_ask.to_owned(),
            text: w.rebuild_text.to_owned(),
            action: "/systeme/copies".to_owned(),
            fields: Vec::new(),
            yes: w.rebuild.to_owned(),
            no: w.cancel.to_owned(),
        },
        last: last
            .into_iter()
            .map(|row| CopyRow {
                name: UntrustedText(row.original_filename.unwrap_or(row.source_url)),
                provider: UntrustedText(row.provider),
                at: When::short(visit.clock, row.at),
                href: Url::parse(&row.r2_url).ok().filter(|url| url.scheme() == "https").map(String::from),
            })
            .collect(),
    }
}

fn counted(stats: Stats, visit: &PageVisit) -> Vec<(&'static str, UntrustedText)> {
    let (clock, w) = (visit.clock, Words::of(visit.lang));
    let number = |n: usize| UntrustedText(clock.number(u64::try_from(n).unwrap_or(u64::MAX)));
    let counts = stats.counts;
    let providers: Vec<String> =
        counts.providers.iter().map(|(name, n)| format!("{name}{}{n}", visit.lang.colon())).collect();
    let mut rows = vec![(w.list_file, UntrustedText(stats.file)), (w.entries, number(counts.entries))];
    let rest = [
        (w.entries_r2, counts.r2),
        (w.entries_legacy, counts.legacy),
        (w.entries_other, counts.other),
        (w.archives, stats.archives),
    ];
    rows.extend(rest.into_iter().filter(|(_, n)| *n > 0).map(|(what, n)| (what, number(n))));
    if !providers.is_empty() {
        rows.push((w.by_provider, UntrustedText(providers.join(", "))));
    }
    rows
}

/// POST `/systeme/copies`: writes the list anew.
pub(super) async fn rebuild(visit: PageVisit) -> HttpResponse {
    let (state, lang) = (&visit.state, visit.lang);
    let notice = match links::rebuild(state.journal.as_ref(), &state.world, &state.services.links).await {
        Ok(entries) => {
            tracing::info!(by = visit.caller.by(), entries, "the list of copies was written anew");
            Notice::good(Words::rebuilt(lang, entries))
        }
        Err(refused) => Notice::bad(told(&refused.said(), lang)),
    };
    visit.back(HOME, &notice)
}
