//! `explain`: why a mail would or would not trigger, under the documents as they are.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use render_signal_actors::config::documents::Key;
use render_signal_actors::config::load::load;
use render_signal_actors::config::store::DocumentStore;
use render_signal_actors::config::store::file::FileStore;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::kernel::heavy::Heavy;
use render_signal_actors::kernel::journal::Journal;
use render_signal_actors::mail::explain::Explanation;
use render_signal_actors::mail::policy::Policy;
use render_signal_actors::said;

use crate::cli::ExplainArgs;
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::lang::Lang;
use crate::output::{Output, Style, complain, fit};
use crate::services::explain;
use crate::settings::{Storage, defaults_from_env};
use crate::words::explanation;
use crate::words::recorded::plain;
use crate::words::story::Teller;
use crate::{commands, wiring};

/// Explains one mail. Sends and stores nothing.
pub(crate) async fn run(args: &ExplainArgs, out: &mut Output) -> CommandResult {
    let raw = read(&args.file)?;
    let world = World::real();
    let (policy, past) = policy(args, &world).await?;
    let now = args.at.unwrap_or_else(|| world.now());
    let (policy, heavy) = (Arc::new(policy), Heavy::default());
    let explained = explain::raw(raw.into(), &policy, now, past.as_deref(), &heavy).await?;
    if args.json {
        out.json_pretty(&explained)?;
        return Ok(Exit::Ok);
    }
    let lang = commands::lang();
    for line in lines(&explained.explanation, lang, out) {
        out.line(line)?;
    }
    let under = out.styled(Style::Dim, lang.pick("selon", "under"));
    out.line(format!("{under}  {}", Teller::exact(lang).documents(&explained.configuration)))?;
    Ok(Exit::Ok)
}

fn read(file: &Path) -> Result<Vec<u8>, CommandFailure> {
    let mut raw = Vec::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().lock().read_to_end(&mut raw)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_end(&mut raw))
    };
    match read {
        Ok(_) => Ok(raw),
        Err(error) => {
            let file = file.display();
            let what = said!("{file} ne peut pas être lu\u{a0}: {error}", "{file} cannot be read: {error}");
            Err(CommandFailure::found(commands::lang().one(what)))
        }
    }
}

/// The policy of the given folder, or the one a server would have in force now, and the
/// journal of that server.
async fn policy(
    args: &ExplainArgs,
    world: &World,
) -> Result<(Policy, Option<Arc<dyn Journal>>), CommandFailure> {
    let defaults = Arc::new(defaults_from_env(commands::environment).map_err(commands::malformed)?);
    let (store, past): (Arc<dyn DocumentStore>, _) = match &args.config {
        Some(folder) if !folder.is_dir() => {
            let folder = folder.display();
            let what = said!("{folder} n'est pas un dossier", "{folder} is no folder");
            return Err(CommandFailure::found(commands::lang().one(what)));
        }
        Some(folder) => (Arc::new(FileStore::new(folder.clone(), None)), None),
        None => {
            let storage = Storage::from_env(commands::environment).map_err(commands::malformed)?;
            // A refused document is replaced by its last good copy, as a server would do.
            let past = commands::past(&storage.journal, world).await?;
            (wiring::documents(&storage, &defaults, world, past.clone())?, past)
        }
    };
    let book = load(store.as_ref(), &defaults, past.as_deref(), world.now()).await;
    let lang = commands::lang();
    for key in Key::ALL {
        for problem in book.problems(key) {
            complain(&lang.about(key.as_str(), &problem.said()));
        }
    }
    Ok((book.policy(&defaults, 1), past))
}

fn lines(explained: &Explanation, lang: Lang, out: &Output) -> Vec<String> {
    let mut lines = Vec::new();
    let mut field = |name: &str, value: String| lines.push(format!("{name:<10} {value}"));
    let shown = |text: &Option<String>| text.as_deref().map_or_else(|| "–".to_owned(), |text| fit(text, 200));
    field(lang.pick("sujet", "subject"), shown(&explained.subject));
    field(lang.pick("expéditeur", "sender"), shown(&explained.sender));
    field("id", explained.email_id.clone());
    field(lang.pick("groupe", "group"), shown(&explained.subject_group));
    if let Some(detector) = &explained.detector {
        let time = explained
            .delivery_time
            .as_ref()
            .map_or_else(String::new, |time| format!(", {} {time}", lang.pick("pour", "for")));
        let urgent = if explained.urgent == Some(true) { ", urgent" } else { "" };
        field(lang.pick("détecteur", "detector"), format!("{detector}{time}{urgent}"));
    }
    for link in &explained.links {
        field(lang.pick("lien", "link"), format!("{} {}", link.provider, fit(&link.raw_url, 200)));
    }
    for flaw in &explained.flaws {
        field(lang.pick("défaut", "flaw"), plain(lang, flaw).into_owned());
    }
    lines.push(String::new());
    for step in &explained.steps {
        let style = match step.outcome {
            "stop" => Style::Warn,
            "match" => Style::Bold,
            "no_match" => Style::Dim,
            _ => Style::Good,
        };
        let shown_as = out.styled(style, &format!("{:<9}", explanation::outcome(lang, step.outcome)));
        let (check, width) = (explanation::check(lang, step), explanation::check_column(lang));
        lines.push(format!("{shown_as} {check:<width$} {}", fit(lang.said(&step.detail), 300)));
    }
    lines.push(String::new());
    lines.push(out.styled(Style::Bold, &explanation::conclusion(lang, explained)));
    lines
}

#[cfg(test)]
mod tests {
    use render_signal_actors::mail::IgnoreReason;
    use render_signal_actors::mail::explain::explain;

    use super::*;
    use crate::demo::documents::{DemoDocuments, DemoWindow};
    use crate::demo::samples::{self, ExpectedOutcome};
    use crate::words::reasons;

    /// What the demo expects of its samples is what `explain` says of them.
    #[tokio::test]
    async fn the_samples_are_explained_as_the_demo_expects() {
        let folder = tempfile::tempdir().unwrap();
        let world = World::real();
        let documents =
            DemoDocuments::create(folder.path().join("config"), chrono_tz::Europe::Paris).unwrap();
        let defaults = render_signal_actors::config::policy::EnvDefaults {
            webhook_url: "http://127.0.0.1:9/hooks/default".into(),
            egress_allow: vec!["127.0.0.0/8".parse().unwrap()],
            ..Default::default()
        };
        documents.write_all("http://127.0.0.1:9", world.now()).unwrap();
        for (samples, window) in
            [(samples::first_wave(), DemoWindow::Open), (samples::second_wave(), DemoWindow::Closed)]
        {
            documents.set_window(window, world.now()).unwrap();
            let store = FileStore::new(documents.folder(), None);
            let book = load(&store, &defaults, None, world.now()).await;
            for key in Key::ALL {
                assert_eq!(book.problems(key), [], "{key}");
            }
            let policy = book.policy(&defaults, 1);
            for sample in samples {
                let found = explain(&sample.raw, &policy, world.now());
                let said =
                    (found.decision, found.reason, found.deliveries.first().map(|d| d.target.as_str()));
                let expected = match &sample.expected {
                    ExpectedOutcome::Delivered(target) => ("deliver", None, Some(*target)),
                    ExpectedOutcome::Ignored(reason) => ("ignore", Some(reason.as_str()), None),
                    ExpectedOutcome::Held(reason) => ("hold", Some(reason.as_str()), None),
                    ExpectedOutcome::Quarantined => ("quarantine", Some("not_a_mail"), None),
                    // By itself it is a mail like any other; here the window is closed.
                    ExpectedOutcome::Duplicate => ("hold", Some("outside_window"), None),
                };
                assert_eq!(said, expected, "{}: {:#?}", sample.name, found.steps);
            }
        }
    }

    #[test]
    fn a_conclusion_is_one_sentence() {
        let policy_free = |decision, reason| Explanation {
            email_id: String::new(),
            sender: None,
            subject: None,
            subject_group: None,
            is_reply: None,
            detector: None,
            delivery_time: None,
            urgent: None,
            extracted: std::collections::BTreeMap::new(),
            links: Vec::new(),
            decision,
            reason,
            detail: None,
            hold_until: None,
            deliveries: Vec::new(),
            steps: Vec::new(),
            flaws: Vec::new(),
        };
        assert_eq!(
            explanation::conclusion(Lang::En, &policy_free("ignore", Some("no_links"))),
            "ignore: no links"
        );
        assert_eq!(
            explanation::conclusion(Lang::En, &policy_free("hold", Some("sending_disabled"))),
            "hold until the configuration changes: sending disabled"
        );
        let french = explanation::conclusion(Lang::Fr, &policy_free("ignore", Some("no_links")));
        assert_eq!(french, format!("ignorer\u{a0}: {}", reasons::ignored(Lang::Fr, IgnoreReason::NoLinks)));
        let french = explanation::conclusion(Lang::Fr, &policy_free("quarantine", Some("not_a_mail")));
        assert!(!french.contains("not"), "{french}");
    }
}
