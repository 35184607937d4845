//! `/regles/essais/…`: a change tried on the mails that came, mail by mail, and saved as it was tried.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Path;
use askama::Template;
use render_signal_actors::config::diff::differences;
use render_signal_actors::config::edit::Edit;
use render_signal_actors::kernel::said::Said;
use render_signal_actors::mail::rules::target_id;
use serde_json::{Map, Value};

use super::desk::Desk;
use super::line::Sentence;
use super::list::{List, name_of};
use super::one_service::joined;
use super::outcome::{TrialFate, changed, judged, untested};
use super::send::spoken;
use super::words::Words;
use crate::http::pages::documents::{ChangeList, SEEN, SaveOutcome, document};
use crate::http::pages::form::FormData;
use crate::http::pages::frame::{Frame, Section, in_query};
use crate::http::pages::notice::Notice;
use crate::http::pages::parts::{Badge, Empty, Mood, UntrustedText, When};
use crate::http::pages::visit::PageVisit;
use crate::http::problem::HttpProblem;
use crate::lang::Lang;
use crate::services::jobs::{Hit, RuleTestDraft, RuleTestJob, RuleTestStage};

/// Mails that a page shows.
const MAX_MAILS: usize = 100;
/// Differences of the document that are listed.
const MAX_DIFFERENCES: usize = 40;

/// How many mails something is so for.
struct Count {
    number: String,
    text: &'static str,
    mood: Mood,
}

/// A filter of the mails.
struct TrialFilterChip {
    href: String,
    text: String,
    count: String,
    here: bool,
}

/// A mail for which something would change.
struct TrialMailView {
    href: String,
    subject: UntrustedText,
    sender: UntrustedText,
    when: When,
    badge: Badge,
    before: Sentence,
    after: Sentence,
    more: Vec<Sentence>,
}

#[derive(Template)]
#[template(path = "rules/trial.html")]
struct TrialPage {
    frame: Frame,
    w: &'static Words,
    /// The document, in words.
    what: String,
    running: bool,
    /// How far it is, in words, and as numbers.
    progress: String,
    done: u64,
    total: u64,
    /// What is to be known of how it ended.
    ended: Option<Badge>,
    counts: Vec<Count>,
    tested: String,
    /// Why there are no mails.
    empty: Option<Empty>,
    differences: ChangeList,
    remarks: Vec<String>,
    untested: Vec<String>,
    untested_title: String,
    departed: Option<String>,
    chips: Vec<TrialFilterChip>,
    mails: Vec<TrialMailView>,
    first_ones: Option<String>,
    can_save: bool,
    edit_on: String,
    here: String,
}

/// That the trial is not there any more.
#[derive(Template)]
#[template(path = "rules/trial_gone.html")]
struct TrialGonePage {
    frame: Frame,
    w: &'static Words,
    empty: Empty,
}

pub(super) async fn show(visit: PageVisit, id: Path<String>) -> Result<HttpResponse, HttpProblem> {
    let jobs = &visit.state.services.jobs;
    match (jobs.get(&id), jobs.draft(&id)) {
        (Some(job), Some(draft)) => visit.show(&page(&visit, job, &draft).await?),
        _ => gone(&visit).await,
    }
}

async fn gone(visit: &PageVisit) -> Result<HttpResponse, HttpProblem> {
    let w = Words::of(visit.lang);
    let empty = Empty { title: w.trial_gone.to_owned(), text: w.trial_gone_text.to_owned() };
    let page = TrialGonePage { frame: visit.frame(Section::Rules, w.trial).await, w, empty };
    visit.show_as(StatusCode::NOT_FOUND, &page)
}

async fn page(visit: &PageVisit, job: RuleTestJob, draft: &RuleTestDraft) -> Result<TrialPage, HttpProblem> {
    let (w, lang, clock) = (Words::of(visit.lang), visit.lang, visit.clock);
    let query = FormData::read(visit.request.query_string().as_bytes());
    let wanted = TrialFate::ALL.into_iter().find(|fate| fate.word() == query.text("quoi"));
    let stored = Desk::open(visit, draft.key).await?;
    let rules = Desk::open(visit, List::Rules.key()).await?;
    let targets = targets(&[&rules.document, &draft.document]);
    let name = |target: &str| match target {
        "default" => lang.pick("la destination par défaut", "the default target").to_owned(),
        target => targets.get(target).cloned().unwrap_or_else(|| target.to_owned()),
    };
    let fates: Vec<(TrialFate, &Hit)> =
        job.mails.iter().filter_map(|hit| Some((TrialFate::of(hit)?, hit))).collect();
    let of = |fate: TrialFate| fates.iter().filter(|(one, _)| *one == fate).count();
    let number = |n: usize| clock.number(n as u64);
    let here = format!("/regles/essais/{}", in_query(&job.id));
    let chosen: Vec<&(TrialFate, &Hit)> =
        fates.iter().filter(|(fate, _)| wanted.is_none_or(|wanted| wanted == *fate)).collect();
    let mails: Vec<TrialMailView> = chosen
        .iter()
        .take(MAX_MAILS)
        .map(|(fate, hit)| TrialMailView {
            href: format!("/mails/{}", in_query(&hit.email_id)),
            subject: UntrustedText(if hit.subject.is_empty() {
                "–".to_owned()
            } else {
                hit.subject.clone()
            }),
            sender: UntrustedText(hit.sender.clone()),
            when: When::short(clock, hit.decided_at),
            badge: Badge::new(fate.mood(), fate.short(lang)),
            before: judged(&hit.before, name, lang),
            after: judged(&hit.after, name, lang),
            // Of a mail that goes out on one side only, the rest is a matter of that.
            more: match fate {
                TrialFate::Otherwise => {
                    hit.changes.iter().filter_map(|change| changed(change, name, clock)).collect()
                }
                TrialFate::Goes | TrialFate::Stays | TrialFate::Reason => Vec::new(),
            },
        })
        .collect();
    let unchanged = job.tally.tested.saturating_sub(job.tally.changed);
    let untested_count: usize = job.tally.untested.values().sum();
    let running = job.stage == RuleTestStage::Running;
    let same = job.documents.iter().all(|document| document.differences == 0);
    let empty = match (running, job.total, fates.is_empty()) {
        (false, 0, _) => Some(w.no_mails),
        (false, _, true) => Some(w.nothing_changes),
        _ => None,
    };
    let chip = |fate: Option<TrialFate>, text: &str, n: usize| TrialFilterChip {
        href: fate
            .map_or_else(|| format!("{here}#mails"), |fate| format!("{here}?quoi={}#mails", fate.word())),
        text: text.to_owned(),
        count: number(n),
        here: wanted == fate,
    };
    let departed = job.mails.iter().filter(|hit| hit.recorded.is_some()).count();
    Ok(TrialPage {
        frame: visit.frame(Section::Rules, w.trial).await,
        w,
        running,
        progress: w.progress(lang, &clock.number(job.done), &clock.number(job.total)),
        done: job.done,
        total: job.total.max(1),
        ended: match (job.stage, &job.failure) {
            (RuleTestStage::Cancelled, _) => Some(Badge::new(Mood::Care, w.ended_early)),
            (RuleTestStage::Failed, Some(why)) => {
                Some(Badge::new(Mood::Bad, format!("{} {}", w.broke_off, lang.said(why))))
            }
            (RuleTestStage::Failed, None) => Some(Badge::new(Mood::Bad, w.broke_off)),
            (RuleTestStage::Running | RuleTestStage::Done, _) => None,
        },
        counts: TrialFate::ALL
            .into_iter()
            // The first three are what everybody wants to know.
            .filter(|fate| *fate != TrialFate::Reason || of(*fate) > 0)
            .map(|fate| Count { number: number(of(fate)), text: fate.text(w), mood: fate.mood() })
            .chain([Count { number: number(unchanged), text: w.unchanged, mood: Mood::None }])
            .collect(),
        tested: w.since(lang, &w.tried(lang, job.tally.tested), &clock.short(job.since)),
        empty: empty.map(|title| Empty { title: title.to_owned(), text: String::new() }),
        differences: document_changes(&stored.document, draft, visit),
        remarks: remarks(&job, draft, visit),
        untested: if untested_count == 0 { Vec::new() } else { whys(&job.tally.untested, visit) },
        untested_title: w.not_tried(lang, untested_count),
        departed: (departed > 0).then(|| w.departed(lang, departed)),
        chips: std::iter::once(chip(None, w.all, fates.len()))
            .chain(
                TrialFate::ALL
                    .into_iter()
                    .filter(|fate| of(*fate) > 0)
                    .map(|fate| chip(Some(fate), fate.short(lang), of(fate))),
            )
            .collect(),
        first_ones: (chosen.len() > MAX_MAILS || job.tally.changed > fates.len())
            .then(|| w.first_ones(lang, mails.len())),
        mails,
        can_save: !same,
        edit_on: edit_on(draft, &job.id),
        what: document(lang, draft.key),
        here,
    })
}

impl TrialFate {
    /// How it is looked at.
    const fn mood(self) -> Mood {
        match self {
            Self::Goes => Mood::Good,
            Self::Stays => Mood::Bad,
            Self::Otherwise => Mood::Care,
            Self::Reason => Mood::None,
        }
    }

    /// In a word or two, of one mail or of several.
    const fn short(self, lang: Lang) -> &'static str {
        match self {
            Self::Goes => lang.pick("À envoyer", "To be sent"),
            Self::Stays => lang.pick("Plus envoyé", "Not sent any more"),
            Self::Otherwise => lang.pick("Autrement", "Otherwise"),
            Self::Reason => lang.pick("Autre raison", "Another reason"),
        }
    }

    /// What is so of a number of mails.
    const fn text(self, w: &Words) -> &'static str {
        match self {
            Self::Goes => w.would_go,
            Self::Stays => w.would_stay,
            Self::Otherwise => w.otherwise,
            Self::Reason => w.other_reason,
        }
    }
}

/// Where the draft is changed further.
fn edit_on(draft: &RuleTestDraft, id: &str) -> String {
    let between = if draft.place.contains('?') { '&' } else { '?' };
    format!("{}{between}essai={}", draft.place, in_query(id))
}

/// What people call the targets of these documents.
fn targets(documents: &[&Map<String, Value>]) -> BTreeMap<String, String> {
    let of = |document: &&Map<String, Value>| {
        let members = List::Rules.members(document).to_vec();
        let ids = List::Rules.ids(&members);
        members
            .into_iter()
            .zip(ids)
            .map(|(rule, id)| (target_id(&id), name_of(&rule, &id)))
            .collect::<Vec<_>>()
    };
    documents.iter().flat_map(of).collect()
}

/// What is to be said of the document as it would be.
fn remarks(job: &RuleTestJob, draft: &RuleTestDraft, visit: &PageVisit) -> Vec<String> {
    // Which document it is stands above.
    let own = |said: &Said| {
        let rest = visit.lang.said(said).strip_prefix(draft.key.as_str())?;
        let (_, text) = rest.split_once(':').filter(|(before, _)| before.trim().is_empty())?;
        Some(text.trim().to_owned())
    };
    job.remarks.iter().filter_map(own).collect()
}

fn whys(untested_mails: &BTreeMap<String, usize>, visit: &PageVisit) -> Vec<String> {
    let lang = visit.lang;
    let line = |(why, n): (&String, &usize)| {
        let many = lang.count(*n, ["mail", "mails"], ["mail", "mails"]);
        format!("{many}{}{}", lang.colon(), untested(why, lang))
    };
    untested_mails.iter().map(line).collect()
}

/// What of the document would be another value.
fn document_changes(stored: &Map<String, Value>, draft: &RuleTestDraft, visit: &PageVisit) -> ChangeList {
    let w = Words::of(visit.lang);
    let (before, after) = (Value::Object(stored.clone()), Value::Object(draft.document.clone()));
    let mut found = differences(draft.key, Some(&before), Some(&after));
    found.truncate(MAX_DIFFERENCES);
    ChangeList::of(visit, &found, [w.before, w.after])
}

/// POST: saves what was tried, or ends the trial.
pub(super) async fn act(
    visit: PageVisit,
    id: Path<String>,
    form: FormData,
) -> Result<HttpResponse, HttpProblem> {
    let w = Words::of(visit.lang);
    let jobs = &visit.state.services.jobs;
    let (Some(job), Some(draft)) = (jobs.get(&id), jobs.draft(&id)) else { return gone(&visit).await };
    let here = format!("/regles/essais/{}", in_query(&id));
    if form.text("do") == "stop" {
        if job.stage == RuleTestStage::Running {
            jobs.cancel(&id);
        }
        return Ok(visit.back(&here, &Notice::care(w.ended_early)));
    }
    let home = match draft.place.split('?').next().unwrap_or_default() {
        "/regles/expediteurs" => "/regles/expediteurs",
        "/regles/mots" => "/regles/mots",
        "/regles/service" => "/regles/services",
        _ => "/regles",
    };
    let made_from = draft.made_from.map(|revision| revision.0).unwrap_or_default();
    // After a conflict: over what is stored now.
    let seen = form.get(SEEN).map_or(made_from, str::to_owned);
    let edit = Edit::replace(draft.key, Value::Object(draft.document), "");
    Ok(match Desk::save(&visit, edit, &seen).await? {
        SaveOutcome::Saved(saved) => visit.back(home, &spoken(saved.notice, w.saved_tried)),
        SaveOutcome::Refused(problems) => visit.back(&here, &Notice::bad(joined(&problems.0))),
        SaveOutcome::Conflict(conflict) => {
            return conflict.show(&visit, Section::Rules, &form, &here, home).await;
        }
    })
}
