//! `mails show`: what has happened to one mail, and which configuration decided.

use std::sync::Arc;

use chrono::SecondsFormat;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::mail::life::MailEvent;
use render_signal_actors::said;
use render_signal_actors::story::steps;

use super::mails::{erased, heading};
use crate::cli::MailShowArgs;
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::lang::Lang;
use crate::output::{Output, Style};
use crate::words::story::{Teller, column};

/// Prints the story of a mail.
pub(crate) async fn show(
    journal: Arc<dyn Journal>,
    args: &MailShowArgs,
    lang: Lang,
    out: &mut Output,
) -> CommandResult {
    let id = &args.id;
    let steps = steps(journal.as_ref(), id).await;
    let steps = steps.map_err(|error| CommandFailure::journal(error.to_string()))?;
    if steps.is_empty() {
        return Err(CommandFailure::found(lang.one(said!(
            "il n'y a pas de mail {id} ; `mails list` et `deliveries list` montrent les identifiants de certains",
            "there is no mail {id}; `mails list` and `deliveries list` show the ids of some"
        ))));
    }
    if args.json {
        out.json_pretty(&steps)?;
        return Ok(Exit::Ok);
    }
    let (teller, width) = (Teller::exact(lang), column(lang));
    for step in &steps {
        let at = out.styled(Style::Dim, &step.at.to_rfc3339_opts(SecondsFormat::Secs, true));
        let mut told = teller.mail_step(step);
        if matches!(step.known, MailEvent::Received(_)) {
            told.text = format!("{}{}", whose(journal.as_ref(), id, lang).await?, told.text);
        }
        let word = out.styled(told.tone.into(), &format!("{:<width$}", told.word));
        out.line(format!("{at}  {word}  {}", told.text))?;
        if let Some(decided) = &step.decided_under {
            let under = out.styled(Style::Dim, lang.pick("selon", "under"));
            out.line(format!("    {under} {}", teller.under(decided)))?;
        }
    }
    Ok(Exit::Ok)
}

/// What a mail is called and who sent it, as long as that is kept.
async fn whose(journal: &dyn Journal, id: &str, lang: Lang) -> Result<String, CommandFailure> {
    let (subject, sender) = match heading(journal, id).await? {
        Some(heading) => (format!("{:?}", heading.subject), heading.sender),
        None => (erased(lang).to_owned(), erased(lang).to_owned()),
    };
    Ok(format!("{subject} {} {sender}, ", lang.pick("de", "from")))
}

#[cfg(test)]
mod tests {
    use render_signal_actors::config::documents::Key;
    use render_signal_actors::config::events::{ConfigEvent, DocumentChanged, config_stream};
    use render_signal_actors::kernel::clock::World;
    use render_signal_actors::kernel::event::DomainEvent as _;
    use render_signal_actors::kernel::journal::memory::MemoryJournal;
    use render_signal_actors::kernel::journal::{Commit, Expected, StreamWrite};
    use render_signal_actors::mail::IgnoreReason;
    use render_signal_actors::mail::life::{MailIgnored, mail_stream};
    use render_signal_actors::mail::policy::Configuration;
    use render_signal_actors::readmodel;

    use super::*;
    use crate::demo::ledger::tests::received;

    #[tokio::test]
    async fn a_decision_names_the_versions_that_were_in_force() {
        let world = World::real();
        let journal = MemoryJournal::new(world.clone(), readmodel::all());
        let hashes = ["aa".repeat(32), "bb".repeat(32), "aa".repeat(32)];
        let changes = hashes.iter().map(|hash| {
            let changed = DocumentChanged {
                key: "webhook_config".to_owned(),
                hash: hash.clone(),
                origin: "cli".to_owned(),
                fields: Vec::new(),
                body_key: String::new(),
                change: String::new(),
                stored_in: String::new(),
            };
            ConfigEvent::Changed(changed).to_new(world.ids.next()).unwrap()
        });
        let mut configuration = Configuration::default();
        configuration.add("webhook_config", &"bb".repeat(32));
        configuration.add("routing_rules", &"cc".repeat(32));
        let ignored = |configuration| {
            let ignored =
                MailIgnored { reason: IgnoreReason::NoLinks, detail: None, configuration, by: None };
            MailEvent::Ignored(ignored).to_new(world.ids.next()).unwrap()
        };
        let decisions = [None, Some(Configuration::default()), Some(configuration)];
        let mut events = vec![received("a", "a").to_new(world.ids.next()).unwrap()];
        events.extend(decisions.map(ignored));
        let write = |stream, events| StreamWrite { stream, expected: Expected::NoStream, events };
        let writes = vec![
            write(config_stream(Key::WebhookConfig.as_str()), changes.collect()),
            write(mail_stream("a"), events),
        ];
        journal.append(Commit { at: world.now(), writes, ..Commit::default() }).await.unwrap();
        let steps = steps(&journal, "a").await.unwrap();
        let teller = Teller::exact(Lang::En);
        let told: Vec<String> = steps
            .iter()
            .map(|step| step.decided_under.as_ref().map_or_else(String::new, |decided| teller.under(decided)))
            .collect();
        assert_eq!(
            told,
            [
                "",
                "unknown",
                "the environment and the built-in defaults: no document was in force",
                "routing_rules cccccccccccccccc (not in the history), webhook_config version 2",
            ]
        );
    }
}
