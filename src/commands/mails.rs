//! `mails list | release`: what nothing is sent for, why, and an operator's word about it.

use std::sync::Arc;

use chrono::SecondsFormat;
use render_signal_actors::dedup::release::release as release_mail;
use render_signal_actors::ignore::ignore as ignore_mail;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::mail::heading::Heading;
use render_signal_actors::readmodel::queries::{DuplicateRow, MailFilter, MailRow, duplicates, mails};
use render_signal_actors::said;
use render_signal_actors::stored_mail;
use serde::Serialize;

use crate::cli::{MailStateArg, MailsListArgs, ReleaseArgs};
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::lang::Lang;
use crate::output::{Output, Style, fit_ends, progress};
use crate::words::reasons;
use crate::words::recorded::plain;
use crate::words::refusals::LocalizedError;
use crate::words::when::Depth;

/// Who asked, as the journal records it.
const ORIGIN: &str = "cli";

impl MailStateArg {
    /// The stages of a mail.
    const STAGES: [Self; 5] = [Self::Held, Self::Skipped, Self::Ignored, Self::Quarantined, Self::SetAside];

    /// The read model's word for it.
    const fn stored(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Skipped => "skipped",
            Self::Ignored => "ignored",
            Self::Quarantined => "quarantined",
            Self::SetAside => "set_aside",
            Self::Duplicate => "duplicate",
        }
    }
}

/// Prints the list.
pub(crate) async fn list(
    journal: Arc<dyn Journal>,
    args: &MailsListArgs,
    lang: Lang,
    out: &mut Output,
) -> CommandResult {
    if args.state == Some(MailStateArg::Duplicate) {
        let rows = copies(journal.as_ref(), args.limit).await?;
        let rows = named(journal.as_ref(), rows, |row| &row.email_id).await?;
        return print(&rows, copy_line, args, lang, out);
    }
    let rows = rows(journal.as_ref(), args.state, args.limit).await?;
    let rows = named(journal.as_ref(), rows, |row| &row.email_id).await?;
    print(&rows, line, args, lang, out)
}

/// A row with the sender and the subject of its mail, as far as they are kept.
#[derive(Serialize)]
struct WithHeading<T> {
    #[serde(flatten)]
    row: T,
    /// Clean address; `None` = erased.
    sender: Option<String>,
    /// Decoded subject; `None` = erased.
    subject: Option<String>,
}

impl<T> WithHeading<T> {
    /// The subject in [`MAX_SUBJECT_CHARS`], or why there is none.
    fn shown(&self, lang: Lang, out: &Output) -> String {
        match &self.subject {
            Some(subject) => fit_ends(subject, MAX_SUBJECT_CHARS),
            None => out.styled(Style::Dim, &format!("{:<MAX_SUBJECT_CHARS$}", erased(lang))),
        }
    }
}

/// Characters of a subject in a line of the list.
const MAX_SUBJECT_CHARS: usize = 40;

/// Asks for each mail.
async fn named<T>(
    journal: &dyn Journal,
    rows: Vec<T>,
    id: impl Fn(&T) -> &String,
) -> Result<Vec<WithHeading<T>>, CommandFailure> {
    let mut named = Vec::with_capacity(rows.len());
    for row in rows {
        let heading = heading(journal, id(&row)).await?;
        let (sender, subject) = heading.map(|heading| (heading.sender, heading.subject)).unzip();
        named.push(WithHeading { row, sender, subject });
    }
    Ok(named)
}

/// Shown where `MAIL_RETENTION_DAYS` are over.
pub(super) const fn erased(lang: Lang) -> &'static str {
    lang.pick("(effacé)", "(erased)")
}

/// What is kept of who sent a mail and what it is called.
pub(super) async fn heading(
    journal: &dyn Journal,
    email_id: &str,
) -> Result<Option<Heading>, CommandFailure> {
    stored_mail::heading(journal, email_id).await.map_err(|error| CommandFailure::journal(error.to_string()))
}

fn print<T: Serialize>(
    rows: &[WithHeading<T>],
    line: fn(&WithHeading<T>, Lang, &Output) -> String,
    args: &MailsListArgs,
    lang: Lang,
    out: &mut Output,
) -> CommandResult {
    if args.json {
        out.json_pretty(&rows)?;
        return Ok(Exit::Ok);
    }
    for row in rows {
        out.line(line(row, lang, out))?;
    }
    out.line(match rows.len() {
        0 => out.styled(Style::Good, lang.pick("il n'y en a aucun", "there are none")),
        n => out.styled(Style::Bold, &listed(lang, n, args.limit)),
    })?;
    Ok(Exit::Ok)
}

/// How many mails or copies a list shows, and whether there may be more.
pub(super) fn listed(lang: Lang, count: usize, limit: usize) -> String {
    let listed = lang.count(count, ["affiché", "affichés"], ["listed", "listed"]);
    let more = lang.pick(", et peut-être d'autres (--limit)", ", and perhaps more (--limit)");
    if count >= limit { format!("{listed}{more}") } else { listed }
}

/// Characters of the column that says where something stands.
pub(super) const fn stage_column(lang: Lang) -> usize {
    match lang {
        Lang::Fr => 15,
        Lang::En => 12,
    }
}

/// The newest, oldest first.
async fn rows(
    journal: &dyn Journal,
    state: Option<MailStateArg>,
    limit: usize,
) -> Result<Vec<MailRow>, CommandFailure> {
    journal
        .views()
        .read(move |db| {
            let mut rows = Vec::new();
            for wanted in
                MailStateArg::STAGES.into_iter().filter(|one| state.is_none_or(|state| state == *one))
            {
                rows.extend(mails(db, &MailFilter { limit, ..MailFilter::of_stage(wanted.stored()) })?);
            }
            rows.sort_unstable_by_key(|row| row.position);
            let surplus = rows.len().saturating_sub(limit);
            rows.drain(..surplus);
            Ok(rows)
        })
        .await
        .map_err(|error| CommandFailure::journal(error.to_string()))
}

/// The newest further copies of mails, oldest first.
async fn copies(journal: &dyn Journal, limit: usize) -> Result<Vec<DuplicateRow>, CommandFailure> {
    let rows = journal.views().read(move |db| duplicates(db, limit)).await;
    rows.map(|mut rows| {
        rows.reverse();
        rows
    })
    .map_err(|error| CommandFailure::journal(error.to_string()))
}

fn copy_line(named: &WithHeading<DuplicateRow>, lang: Lang, out: &Output) -> String {
    let row = &named.row;
    let place = &row.location;
    let (email_id, seen) = (&row.email_id, row.seen_at.to_rfc3339_opts(SecondsFormat::Secs, true));
    let at = format!("{} ({}, {})", place.mailbox, place.validity, place.item);
    let about = lang.one(said!(
        "exemplaire de {email_id} dans {at}, vu le {seen}",
        "copy of {email_id} in {at}, seen {seen}"
    ));
    format!(
        "{}  {}  {:<40}  {}",
        out.styled(Style::Dim, &stage(lang, row.stage)),
        row.id,
        named.shown(lang, out),
        out.styled(Style::Dim, &about)
    )
}

/// Where a mail stands, as wide as its column.
fn stage(lang: Lang, stored: &str) -> String {
    let width = stage_column(lang);
    format!("{:<width$}", reasons::stage(lang, stored))
}

fn line(named: &WithHeading<MailRow>, lang: Lang, out: &Output) -> String {
    let row = &named.row;
    let style = match row.stage.as_str() {
        "quarantined" | "set_aside" => Style::Bad,
        "ignored" => Style::Dim,
        _ => Style::Warn,
    };
    let mut about: Vec<String> =
        row.reason.iter().map(|reason| reasons::by_code(lang, reason).into_owned()).collect();
    about.extend(row.detail.as_ref().map(|detail| plain(lang, detail).into_owned()));
    about.extend(row.hold_until.map(|until| Depth::Exact.until(lang, until, until)));
    format!(
        "{}  {}  {:<40}  {}",
        out.styled(style, &stage(lang, &row.stage)),
        row.email_id,
        named.shown(lang, out),
        out.styled(Style::Dim, &about.join(lang.pick(" ; ", "; ")))
    )
}

/// Has mails sent.
pub(crate) async fn release(
    journal: &dyn Journal,
    args: &ReleaseArgs,
    lang: Lang,
    out: &mut Output,
) -> CommandResult {
    let world = World::real();
    let words = lang.either(("libéré    ", "non libéré"), ("released    ", "not released"));
    each(&args.ids, words, lang, out, async |id| release_mail(journal, &world, id, ORIGIN).await).await
}

/// Has nothing sent for mails.
pub(crate) async fn ignore(
    journal: &dyn Journal,
    args: &ReleaseArgs,
    lang: Lang,
    out: &mut Output,
) -> CommandResult {
    let world = World::real();
    let words = lang.either(("ignoré    ", "non ignoré"), ("ignored     ", "not ignored "));
    each(&args.ids, words, lang, out, async |id| ignore_mail(journal, &world, id, ORIGIN).await).await
}

/// Does something about each, and says what came of it.
pub(super) async fn each<E: LocalizedError>(
    ids: &[String],
    (done, not_done): (&str, &str),
    lang: Lang,
    out: &mut Output,
    work: impl AsyncFn(&str) -> Result<(), E>,
) -> CommandResult {
    let bar = progress(ids.len());
    let mut failed = 0_usize;
    for id in ids {
        let outcome = work(id).await;
        bar.inc(1);
        let line = match outcome {
            Ok(()) => format!("{}  {id}", out.styled(Style::Good, done)),
            Err(error) => {
                failed += 1;
                let why = error.told(lang);
                format!("{}  {id}{}{why}", out.styled(Style::Bad, not_done), lang.colon())
            }
        };
        bar.suspend(|| out.line(line))?;
    }
    bar.finish_and_clear();
    Ok(if failed == 0 { Exit::Ok } else { Exit::Found })
}

#[cfg(test)]
mod tests {
    use render_signal_actors::kernel::event::{DomainEvent as _, NewEvent};
    use render_signal_actors::kernel::journal::memory::MemoryJournal;
    use render_signal_actors::kernel::journal::{Commit, Expected, StreamWrite};
    use render_signal_actors::mail::life::{MailEvent, MailHeld, MailIgnored, MailSkipped, mail_stream};
    use render_signal_actors::mail::{HoldReason, IgnoreReason};
    use render_signal_actors::readmodel;

    use super::*;
    use crate::demo::ledger::tests::{received, routed};

    async fn journal() -> MemoryJournal {
        let world = World::real();
        let journal = MemoryJournal::new(world.clone(), readmodel::all());
        let reason = HoldReason::OutsideWindow;
        let detail = Some("facture".to_owned());
        let ignored = MailEvent::Ignored(MailIgnored {
            reason: IgnoreReason::ExcludedKeyword,
            detail,
            configuration: None,
            by: None,
        });
        let skipped = MailEvent::Skipped(MailSkipped {
            reason,
            detector: "recadrage".into(),
            seen: true,
            configuration: None,
        });
        let held = MailEvent::Held(MailHeld { reason, until: None, configuration: None });
        let mails = [("a", ignored), ("b", routed("default")), ("c", skipped), ("d", held)];
        let new = |event: &MailEvent| -> NewEvent { event.to_new(world.ids.next()).unwrap() };
        let writes = mails.iter().map(|(id, event)| StreamWrite {
            stream: mail_stream(id),
            expected: Expected::NoStream,
            events: vec![new(&received(id, id)), new(event)],
        });
        let commit = Commit { at: world.now(), writes: writes.collect(), ..Commit::default() };
        journal.append(commit).await.unwrap();
        journal
    }

    #[tokio::test]
    async fn what_is_listed_depends_on_the_state_asked_for() {
        let journal = journal().await;
        let ids = async |state, limit| -> Vec<String> {
            rows(&journal, state, limit).await.unwrap().into_iter().map(|row| row.email_id).collect()
        };
        assert_eq!(ids(None, 10).await, ["a", "c", "d"]);
        assert_eq!(ids(None, 2).await, ["c", "d"]);
        for (state, id) in
            [(MailStateArg::Held, "d"), (MailStateArg::Skipped, "c"), (MailStateArg::Ignored, "a")]
        {
            assert_eq!(ids(Some(state), 10).await, [id]);
        }
        assert_eq!(ids(Some(MailStateArg::Quarantined), 10).await, [""; 0]);
        let row = rows(&journal, Some(MailStateArg::Ignored), 1).await.unwrap().remove(0);
        assert_eq!(
            (row.reason.as_deref(), row.detail.as_deref()),
            (Some("excluded_keyword"), Some("facture"))
        );
    }

    #[tokio::test]
    async fn what_cannot_be_released_is_said() {
        let journal = journal().await;
        for (id, why) in [("x", "there is no mail x"), ("b", "routed already"), ("c", "content of mail c")] {
            let error = release_mail(&journal, &World::real(), id, ORIGIN).await.unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
