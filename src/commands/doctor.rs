//! `doctor`: prints what [`crate::doctor`] found.

use crate::cli::DoctorArgs;
use crate::commands;
use crate::doctor::{self, Check};
use crate::exit::{CommandResult, Exit};
use crate::findings::{self, Severity};
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
    let report = doctor::look(commands::environment).await;
    waiting.finish_and_clear();
    if args.json {
        out.json_pretty(&report)?;
    } else {
        for check in &report.checks {
            out.line(line(check, lang, out))?;
        }
    }
    Ok(report.exit())
}

fn line(check: &Check, lang: Lang, out: &Output) -> String {
    let (style, word) = match check.state() {
        Severity::Ok => (Style::Good, lang.pick("ok    ", "ok  ")),
        Severity::Warn => (Style::Warn, lang.pick("à voir", "warn")),
        Severity::Fail => (Style::Bad, lang.pick("échec ", "fail")),
    };
    let advice = check.advice().map_or_else(String::new, |advice| format!(" → {}", lang.one(advice)));
    let said = lang.one(check.said());
    let name = lang.one(findings::subject(&check.name));
    format!("{}  {name:<22} {said}{advice}", out.styled(style, word))
}

#[cfg(test)]
mod tests {
    use render_signal_actors::kernel::said::Said;

    use super::*;
    use crate::findings::Finding;

    #[test]
    fn a_line_says_what_to_do_in_the_language_of_the_reader() {
        let out = Output::into_writer(Box::new(std::io::sink()));
        let finding = Finding::BucketFails { bucket: "files".into(), why: Said::alike("403") };
        let check = Check { name: "R2 bucket".into(), findings: vec![finding] };
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
}
