//! `deliveries retry | cancel | again | enable`: an operator's word, through the journal. A running server
//! takes it up within a second or two; otherwise the next one to start does.

use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::readmodel::queries::{DeliveryFilter, deliveries};
use render_signal_actors::said;
use render_signal_actors::webhook::cancel::cancel as cancel_delivery;
use render_signal_actors::webhook::dead_letters::Undelivered;
use render_signal_actors::webhook::resend::{resend, targets_of};
use render_signal_actors::webhook::target::enable_target;

use super::mails::each;
use crate::cli::{EnableArgs, RetryArgs, WhichArgs};
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::lang::Lang;
use crate::output::Output;

/// Who asked, as the journal records it.
const ORIGIN: &str = "cli";

/// Puts dead letters back.
pub(crate) async fn retry(
    journal: &dyn Journal,
    args: &RetryArgs,
    lang: Lang,
    out: &mut Output,
) -> CommandResult {
    let world = World::real();
    let ids = if args.all_dead { dead_letters(journal).await? } else { args.ids.clone() };
    let undelivered =
        Undelivered::read(journal).await.map_err(|error| CommandFailure::journal(error.to_string()))?;
    let words = lang.either(("remis en file    ", "non remis en file"), ("queued again", "not queued  "));
    let queued = each(&ids, words, lang, out, async |id| {
        let (email_id, target) = halves(id);
        undelivered.retry(journal, &world, email_id, target, ORIGIN).await
    });
    let exit = queued.await?;
    if ids.is_empty() {
        out.line(lang.pick("aucun webhook n'est abandonné", "there are no dead letters"))?;
    }
    Ok(exit)
}

/// The ids of all dead letters, oldest first.
async fn dead_letters(journal: &dyn Journal) -> Result<Vec<String>, CommandFailure> {
    let state = Some("dead_lettered".to_owned());
    let filter = DeliveryFilter { state, limit: usize::MAX, ..DeliveryFilter::default() };
    let rows = journal.views().read(move |db| deliveries(db, &filter)).await;
    let rows = rows.map_err(|error| CommandFailure::journal(error.to_string()))?;
    Ok(rows.into_iter().map(|row| format!("{}/{}", row.email_id, row.target)).collect())
}

/// A mail and a target; no target names no delivery.
fn halves(id: &str) -> (&str, &str) {
    id.split_once('/').unwrap_or((id, ""))
}

/// Has webhooks not sent.
pub(crate) async fn cancel(
    journal: &dyn Journal,
    args: &WhichArgs,
    lang: Lang,
    out: &mut Output,
) -> CommandResult {
    let world = World::real();
    let words = lang.either(("annulé    ", "non annulé"), ("cancelled    ", "not cancelled"));
    let cancelled = each(&args.ids, words, lang, out, async |id| {
        let (email_id, target) = halves(id);
        cancel_delivery(journal, &world, email_id, target, ORIGIN).await
    });
    cancelled.await
}

/// Sends once more what was delivered or cancelled.
pub(crate) async fn again(
    journal: &dyn Journal,
    args: &WhichArgs,
    lang: Lang,
    out: &mut Output,
) -> CommandResult {
    let world = World::real();
    let mut ids = Vec::new();
    for id in &args.ids {
        let targets = match id.contains('/') {
            true => Vec::new(),
            false => {
                targets_of(journal, id).await.map_err(|error| CommandFailure::journal(error.to_string()))?
            }
        };
        match targets.is_empty() {
            true => ids.push(id.clone()),
            false => ids.extend(targets.iter().map(|target| format!("{id}/{target}"))),
        }
    }
    let words = lang
        .either(("envoyé à nouveau    ", "non envoyé à nouveau"), ("queued once more", "not queued      "));
    let queued = each(&ids, words, lang, out, async |id| {
        let (email_id, target) = halves(id);
        resend(journal, &world, email_id, target, ORIGIN).await
    });
    queued.await
}

/// Lets a target take deliveries again.
pub(crate) async fn enable(
    journal: &dyn Journal,
    args: &EnableArgs,
    lang: Lang,
    out: &mut Output,
) -> CommandResult {
    let target = &args.target;
    let needed = enable_target(journal, &World::real(), target, ORIGIN)
        .await
        .map_err(|error| CommandFailure::journal(error.to_string()))?;
    out.line(lang.one(if needed {
        said!("{target} reçoit à nouveau des webhooks", "{target} takes deliveries again")
    } else {
        said!("{target} reçoit déjà des webhooks", "{target} takes deliveries already")
    }))?;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use render_signal_actors::kernel::journal::memory::MemoryJournal;
    use render_signal_actors::readmodel;

    use super::*;
    use crate::cli::JournalArgs;

    #[derive(Clone, Default)]
    struct Printed(Arc<Mutex<Vec<u8>>>);
    impl Write for Printed {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn an_unknown_delivery_is_named_and_ends_with_1() {
        let journal = MemoryJournal::new(World::real(), readmodel::all());
        let printed = Printed::default();
        let mut out = Output::into_writer(Box::new(printed.clone()));
        let mut args = RetryArgs {
            ids: vec!["a/default".into(), "nonsense".into()],
            all_dead: false,
            journal: JournalArgs { journal: None },
        };
        assert_eq!(retry(&journal, &args, Lang::En, &mut out).await.unwrap(), Exit::Found);
        let text = String::from_utf8(printed.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("a/default") && text.contains("nonsense"), "{text}");

        args.all_dead = true;
        args.ids.clear();
        assert_eq!(retry(&journal, &args, Lang::En, &mut out).await.unwrap(), Exit::Ok);
    }
}
