//! Follows the journal of the demo, prints what happens, and knows when all has settled.

use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;
use render_signal_actors::kernel::journal::{Due, Hint, Journal, JournalError, Queue};
use render_signal_actors::mail::life::MailEvent;
use render_signal_actors::registry::TypedEvent;
use render_signal_actors::stored_mail;
use tokio::sync::watch;
use tokio::time::Instant;

use super::ledger::Ledger;
use super::narrator::{Line, Narrator};
use crate::exit::CommandFailure;
use crate::journal::refused;
use crate::output::{Output, Style, progress};

/// When nothing has happened for this long, nothing will.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often the log is read without a hint, since hints may be lost.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// Events read at a time.
const PAGE_SIZE: usize = 500;

/// Follows the journal, as the module says.
pub(crate) struct DemoStage {
    journal: Arc<dyn Journal>,
    hints: watch::Receiver<Hint>,
    position: u64,
    narrator: Narrator,
    bar: ProgressBar,
    /// What has become of every mail so far.
    pub(crate) ledger: Ledger,
    /// Where it is told.
    pub(crate) out: Output,
}

impl DemoStage {
    /// At the beginning of the journal.
    pub(crate) fn new(journal: Arc<dyn Journal>, narrator: Narrator, out: Output) -> Self {
        let hints = journal.hints();
        let (ledger, bar) = (Ledger::default(), ProgressBar::hidden());
        Self { journal, hints, position: 0, narrator, bar, ledger, out }
    }

    /// Shows a bar up to `mails` on a terminal.
    pub(crate) fn count_to(&mut self, mails: usize) {
        self.bar = progress(mails);
    }

    /// Tells what happens until `done` says so of the ledger and the events that were just read; `false` when nothing has happened for too long.
    ///
    /// # Errors
    /// When the journal cannot be read or the output not be written.
    pub(crate) async fn play(
        &mut self,
        mut done: impl FnMut(&Ledger, &[TypedEvent]) -> bool,
    ) -> Result<bool, CommandFailure> {
        let mut last = Instant::now();
        loop {
            self.hints.mark_unchanged();
            let news = self.read().await?;
            if done(&self.ledger, &news) && self.queues_are_empty().await? {
                self.bar.finish_and_clear();
                return Ok(true);
            }
            if !news.is_empty() {
                last = Instant::now();
            } else if last.elapsed() > IDLE_TIMEOUT {
                self.bar.finish_and_clear();
                return Ok(false);
            }
            // A hint, or time to look anyway.
            drop(tokio::time::timeout(POLL_INTERVAL, self.hints.changed()).await);
        }
    }

    /// What a mail is called is beside its events.
    async fn call_by_name(&mut self, email_id: &str) -> Result<(), CommandFailure> {
        let heading = stored_mail::heading(self.journal.as_ref(), email_id).await;
        if let Some(heading) = heading.map_err(|error| CommandFailure::journal(error.to_string()))? {
            self.ledger.call(email_id, heading.subject);
        }
        Ok(())
    }

    /// Takes in and tells everything there is, and returns it.
    async fn read(&mut self) -> Result<Vec<TypedEvent>, CommandFailure> {
        let mut news = Vec::new();
        loop {
            let page = self
                .journal
                .read_log(self.position, PAGE_SIZE)
                .await
                .map_err(|error: JournalError| refused(&error))?;
            let Some(newest) = page.last() else { break };
            self.position = newest.position;
            for recorded in &page {
                let event =
                    TypedEvent::of(recorded).map_err(|error| CommandFailure::journal(error.to_string()))?;
                let key = recorded.stream.key();
                self.ledger.take(key, &event);
                if let TypedEvent::Mail(MailEvent::Received(_)) = &event {
                    self.call_by_name(key).await?;
                }
                if let Some(line) = self.narrator.tell(recorded, &event, &self.ledger) {
                    self.say(&line)?;
                }
                news.push(event);
            }
        }
        self.bar.set_position(u64::try_from(self.ledger.ended()).unwrap_or(u64::MAX));
        Ok(news)
    }

    fn say(&mut self, line: &Line) -> Result<(), CommandFailure> {
        let text = format!(
            "{}  {:<36}  {}",
            self.out.styled(Style::Dim, &line.at),
            line.who,
            self.out.styled(line.style, &line.text)
        );
        self.line(&text)
    }

    /// A line of the demo's own.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), CommandFailure> {
        let out = &mut self.out;
        self.bar.suspend(|| out.line(text))
    }

    /// The narrator, for times in the closing summary.
    pub(crate) const fn narrator(&self) -> &Narrator {
        &self.narrator
    }

    /// Whether nothing is left to send, copy or mark; dead letters stay.
    async fn queues_are_empty(&self) -> Result<bool, CommandFailure> {
        for queue in [Queue::Offload, Queue::Deliver, Queue::Flag] {
            let rows = self.journal.outbox(queue, PAGE_SIZE).await.map_err(|error| refused(&error))?;
            if rows.iter().any(|row| row.due != Due::Parked) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
