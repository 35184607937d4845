//! `mails show`: what has happened to one mail, and which configuration decided.

use std::sync::Arc;

use chrono::SecondsFormat;
use render_signal_actors::config::history::DecidedUnder;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::mail::life::{Location, MailEvent};
use render_signal_actors::story::{Decided, steps};
use serde::Serialize;
use serde_json::Value;

use super::mails::{ERASED, heading};
use crate::cli::MailShowArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::lang::Lang;
use crate::output::{Output, Style};

/// Prints the story of a mail.
pub(crate) async fn show(journal: Arc<dyn Journal>, args: &MailShowArgs, out: &mut Output) -> Outcome {
    let steps = steps(journal.as_ref(), &args.id).await;
    let steps = steps.map_err(|error| Failure::journal(error.to_string()))?;
    if steps.is_empty() {
        return Err(Failure::found(format!(
            "there is no mail {}; `mails list` and `deliveries list` show the ids of some",
            args.id
        )));
    }
    if args.json {
        out.json_pretty(&steps)?;
        return Ok(Exit::Ok);
    }
    for step in &steps {
        let at = out.styled(Style::Dim, &step.at.to_rfc3339_opts(SecondsFormat::Secs, true));
        let (style, text) = match &step.known {
            MailEvent::Received(mail) => arrived(journal.as_ref(), &args.id, &mail.location).await?,
            known => told(known),
        };
        let word = step.event.rsplit('.').next().unwrap_or_default().replace('_', " ");
        let word = out.styled(style, &format!("{word:<12}"));
        out.line(format!("{at}  {word}  {text}"))?;
        if let Some(decided) = &step.decided_under {
            out.line(format!("    {} {}", out.styled(Style::Dim, "under"), under(decided)))?;
        }
    }
    Ok(Exit::Ok)
}

async fn arrived(journal: &dyn Journal, id: &str, location: &Location) -> Result<(Style, String), Failure> {
    let (subject, sender) = match heading(journal, id).await? {
        Some(heading) => (format!("{:?}", heading.subject), heading.sender),
        None => (ERASED.to_owned(), ERASED.to_owned()),
    };
    Ok((Style::Bold, format!("{subject} from {sender}, in {}", place(location))))
}

/// What a decision was made under, in words.
fn under(decided: &Decided) -> String {
    match decided {
        Decided::Unknown(unknown) => (*unknown).to_owned(),
        Decided::Documents(documents) => in_words(documents, Lang::En),
    }
}

/// The documents that decide, in one line.
pub(super) fn in_words(documents: &[DecidedUnder], lang: Lang) -> String {
    if documents.is_empty() {
        return lang
            .pick(
                "l'environnement et les valeurs par défaut : aucun document n'était en vigueur",
                "the environment and the built-in defaults: no document was in force",
            )
            .to_owned();
    }
    documents.iter().map(|decided| document(decided, lang)).collect::<Vec<_>>().join(", ")
}

/// One document, and how to see it.
fn document(decided: &DecidedUnder, lang: Lang) -> String {
    match decided.version {
        Some(version) => format!("{} version {version}", decided.document),
        None => {
            let unknown = lang.pick("(absent de l'historique)", "(not in the history)");
            format!("{} {} {unknown}", decided.document, decided.hash)
        }
    }
}

fn place(location: &Location) -> String {
    format!("{} ({}, {})", location.mailbox, location.validity, location.item)
}

/// The word for a value that is one word on the wire.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word.replace('_', " "),
        _ => String::new(),
    }
}

fn told(event: &MailEvent) -> (Style, String) {
    match event {
        MailEvent::Received(mail) => (Style::Bold, format!("in {}", place(&mail.location))),
        MailEvent::Duplicated(copy) => (Style::Dim, format!("a further copy in {}", place(&copy.location))),
        MailEvent::Ignored(ignored) => {
            if let Some(by) = &ignored.by {
                return (Style::Dim, format!("wanted by {by}"));
            }
            let detail = ignored.detail.as_ref().map_or_else(String::new, |detail| format!(": {detail}"));
            (Style::Dim, format!("{}{detail}", word(&ignored.reason)))
        }
        MailEvent::Skipped(skipped) => {
            (Style::Warn, format!("{}, as the detector {} wants it", word(&skipped.reason), skipped.detector))
        }
        MailEvent::Released(released) => (Style::Good, format!("wanted by {}", released.by)),
        MailEvent::Quarantined(mail) => (Style::Bad, mail.why.clone()),
        MailEvent::Held(held) => {
            let until = held.until.map_or_else(String::new, |until| {
                format!(", until {} at the latest", until.to_rfc3339_opts(SecondsFormat::Secs, true))
            });
            (Style::Warn, format!("{}{until}", word(&held.reason)))
        }
        MailEvent::Routed(routed) => {
            let targets: Vec<&str> = routed.deliveries.iter().map(|one| one.target.as_str()).collect();
            (Style::Good, format!("to {}, {} links", targets.join(", "), routed.links.len()))
        }
        MailEvent::LinkOffloaded(link) => (Style::Good, format!("{} lies at {}", link.raw_url, link.r2_url)),
        MailEvent::LinkKept(link) => (Style::Warn, format!("{}: {}", link.raw_url, link.why)),
        MailEvent::LinksKept(links) => (Style::Warn, format!("{} links: {}", links.count, links.why)),
        MailEvent::LinksDeferred(links) => (
            Style::Warn,
            format!(
                "{} links cannot be copied now ({}); they are sent at {} at the latest",
                links.count,
                links.why,
                links.until.to_rfc3339_opts(SecondsFormat::Secs, true)
            ),
        ),
        MailEvent::Suspected(_) => {
            (Style::Warn, "read alone, since a worker ended while it had this mail".to_owned())
        }
        MailEvent::Cleared(_) => (Style::Good, "it was read alone, and the worker lives".to_owned()),
        MailEvent::SetAside(aside) => (Style::Bad, aside.why.clone()),
        MailEvent::Resumed(resumed) => (Style::Good, format!("wanted by {}", resumed.by)),
        MailEvent::Settled(settled) => (Style::Good, format!("{}: {}", settled.target, word(&settled.end))),
    }
}

#[cfg(test)]
mod tests {
    use render_signal_actors::config::documents::Key;
    use render_signal_actors::config::state::{Changed, ConfigEvent, config_stream};
    use render_signal_actors::kernel::clock::World;
    use render_signal_actors::kernel::event::DomainEvent as _;
    use render_signal_actors::kernel::journal::memory::MemoryJournal;
    use render_signal_actors::kernel::journal::{Commit, Expected, StreamWrite};
    use render_signal_actors::mail::IgnoreReason;
    use render_signal_actors::mail::life::{Ignored, mail_stream};
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
            let changed = Changed {
                key: "webhook_config".to_owned(),
                hash: hash.clone(),
                origin: "cli".to_owned(),
                fields: Vec::new(),
                body_key: String::new(),
                change: String::new(),
            };
            ConfigEvent::Changed(changed).to_new(world.ids.next()).unwrap()
        });
        let mut configuration = Configuration::default();
        configuration.add("webhook_config", &"bb".repeat(32));
        configuration.add("routing_rules", &"cc".repeat(32));
        let ignored = |configuration| {
            let ignored = Ignored { reason: IgnoreReason::NoLinks, detail: None, configuration, by: None };
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
        let told: Vec<String> =
            steps.iter().map(|step| step.decided_under.as_ref().map_or_else(String::new, under)).collect();
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
