//! `doctor`: prints what [`installation::look`] found.

use crate::cli::DoctorArgs;
use crate::commands;
use crate::exit::{CommandResult, Exit};
use crate::findings::{self, Finding, Severity, gravest};
use crate::health::Check;
use crate::health::installation::{self, Inspection};
use crate::lang::Lang;
use crate::output::{Output, Style, spinner};
use crate::settings::describe_variables;

/// Checks, prints, and ends with the code of the gravest failure.
pub(crate) async fn run(args: &DoctorArgs, out: &mut Output) -> CommandResult {
    if args.variables {
        out.line(describe_variables().trim_end())?;
        return Ok(Exit::Ok);
    }
    let lang = commands::lang();
    let waiting =
        spinner(lang.pick("chaque serveur configuré est contacté", "reaching every configured server"));
    let report = installation::look(commands::environment).await;
    waiting.finish_and_clear();
    if args.json {
        out.json_pretty(&report)?;
    } else {
        for check in &report.checks {
            out.line(line(check, lang, out))?;
        }
    }
    Ok(exit(&report))
}

/// How the command ends: what keeps the service from starting comes first.
fn exit(found: &Inspection) -> Exit {
    [Exit::Config, Exit::Journal, Exit::Unreachable, Exit::Found]
        .into_iter()
        .find(|exit| found.checks.iter().any(|check| exit_of(check) == *exit))
        .unwrap_or(Exit::Ok)
}

/// The exit code that a failure of this check asks for.
fn exit_of(check: &Check) -> Exit {
    match gravest(&check.findings) {
        Some(finding) if finding.severity() == Severity::Fail => exit_for(finding),
        _ => Exit::Ok,
    }
}

/// The exit code of what is wrong.
const fn exit_for(finding: &Finding) -> Exit {
    match finding {
        Finding::VariableWrong { .. } | Finding::TargetNoAddress { .. } => Exit::Config,
        Finding::JournalEphemeral { .. } | Finding::JournalUnusable { .. } => Exit::Journal,
        Finding::DocumentRefused { .. } | Finding::DocumentStops { .. } => Exit::Found,
        _ => Exit::Unreachable,
    }
}

fn line(check: &Check, lang: Lang, out: &Output) -> String {
    let said = lang.one(check.said());
    let advice = check.advice().map(|advice| lang.one(advice)).unwrap_or_default();
    let name = lang.one(findings::subject(&check.name));
    state_line(check.state(), &name, &said, &advice, lang, out)
}

/// A line of a list of checks; without advice when there is none.
pub(super) fn state_line(
    state: Severity,
    name: &str,
    said: &str,
    advice: &str,
    lang: Lang,
    out: &Output,
) -> String {
    let (style, word) = match state {
        Severity::Ok => (Style::Good, lang.pick("ok    ", "ok  ")),
        Severity::Warn => (Style::Warn, lang.pick("à voir", "warn")),
        Severity::Fail => (Style::Bad, lang.pick("échec ", "fail")),
    };
    let arrow = if advice.is_empty() { "" } else { " → " };
    format!("{}  {name:<22} {said}{arrow}{advice}", out.styled(style, word))
}

#[cfg(test)]
mod tests {
    use render_signal_actors::kernel::said::Said;

    use super::*;

    #[test]
    fn a_line_says_what_to_do_in_the_language_of_the_reader() {
        let out = Output::into_writer(Box::new(std::io::sink()));
        let finding = Finding::BucketFails { bucket: "files".into(), why: Said::alike("403") };
        let check = Check::new("R2 bucket", finding);
        let english = line(&check, Lang::En, &out);
        assert!(
            english.starts_with("fail  R2 bucket              files: 403 → check R2_ACCOUNT_ID"),
            "{english}"
        );
        let french = line(&check, Lang::Fr, &out);
        assert!(
            french.starts_with("échec   bucket R2              files\u{a0}: 403 → vérifiez R2"),
            "{french}"
        );
    }

    fn report(findings: impl IntoIterator<Item = Finding>) -> Inspection {
        let checks = findings.into_iter().map(|finding| Check::new("x", finding)).collect();
        Inspection { checks }
    }

    #[test]
    fn the_gravest_failure_gives_the_exit_code() {
        let unreachable = || Finding::TargetSilent { address: "a".into(), why: "b".into() };
        let found = Finding::DocumentRefused {
            document: "a".into(),
            problem: render_signal_actors::config::documents::FieldProblem::new("b", Said::alike("c")),
            mend: Said::alike("d"),
        };
        let config = Finding::TargetNoAddress { address: "a".into() };
        let journal = Finding::JournalUnusable { why: "a".into() };
        assert_eq!(exit(&report([Finding::EnvironmentReadable {}, Finding::AnySender {}])), Exit::Ok);
        assert_eq!(exit(&report([found.clone()])), Exit::Found);
        assert_eq!(exit(&report([found, unreachable()])), Exit::Unreachable);
        assert_eq!(exit(&report([unreachable(), journal.clone()])), Exit::Journal);
        assert_eq!(exit(&report([unreachable(), journal, config])), Exit::Config);
    }
}
