//! `deliveries retry | enable`: an operator's word, through the journal. A running server
//! takes it up within a second or two; otherwise the next one to start does.

use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::journal::Journal;

use crate::cli::{EnableArgs, RetryArgs};
use crate::exit::{Exit, Outcome};
use crate::output::{Output, Style, progress};
use crate::services::queue::{self, Retry};

/// Who asked, as the journal records it.
const BY: &str = "cli";

/// Puts dead letters back.
pub(crate) async fn retry(journal: &dyn Journal, args: &RetryArgs, out: &mut Output) -> Outcome {
    let world = World::real();
    let ids = if args.all_dead { queue::dead_letters(journal, None).await? } else { args.ids.clone() };
    let retry = Retry::begin(journal, &world, BY).await?;
    let bar = progress(ids.len());
    let mut failed = 0_usize;
    for id in &ids {
        let outcome = retry.one(id).await;
        bar.inc(1);
        let line = match outcome {
            Ok(()) => format!("{}  {id}", out.styled(Style::Good, "queued again")),
            Err(error) => {
                failed += 1;
                format!("{}  {id}: {error}", out.styled(Style::Bad, "not queued  "))
            }
        };
        bar.suspend(|| out.line(line))?;
    }
    bar.finish_and_clear();
    if ids.is_empty() {
        out.line("there are no dead letters")?;
    }
    Ok(if failed == 0 { Exit::Ok } else { Exit::Found })
}

/// Lets a target take deliveries again.
pub(crate) async fn enable(journal: &dyn Journal, args: &EnableArgs, out: &mut Output) -> Outcome {
    let needed = queue::enable(journal, &World::real(), &args.target, BY).await?;
    out.line(if needed {
        format!("{} takes deliveries again", args.target)
    } else {
        format!("{} takes deliveries already", args.target)
    })?;
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
        assert_eq!(retry(&journal, &args, &mut out).await.unwrap(), Exit::Found);
        let text = String::from_utf8(printed.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("a/default") && text.contains("nonsense"), "{text}");

        args.all_dead = true;
        args.ids.clear();
        assert_eq!(retry(&journal, &args, &mut out).await.unwrap(), Exit::Ok);
    }
}
