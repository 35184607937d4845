//! Reading single variables; everything that is wrong is collected, nothing stops at the
//! first error.

use std::fmt;
use std::str::FromStr;

use render_signal_actors::config::documents::coerce::python_int;
use secrecy::SecretString;

use super::quotes;
use super::variables::{INGRESS_HMAC_SECRET, Need, OFF, VARIABLES, Variable, VariableKind, WEBHOOK_SECRET};
use crate::findings::Finding;

/// One variable that is missing or malformed. Never contains the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SettingError {
    pub(crate) name: &'static str,
    /// What is wrong.
    pub(crate) problem: String,
    /// A good value.
    pub(crate) example: &'static str,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; for example {}={}", self.name, self.problem, self.name, self.example)
    }
}

/// Reads variables through a lookup.
pub(super) struct VariableReader<'l> {
    lookup: &'l dyn Fn(&str) -> Option<String>,
    pub(super) errors: Vec<SettingError>,
    pub(super) warnings: Vec<Finding>,
}

impl<'l> VariableReader<'l> {
    pub(super) fn new(lookup: &'l dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, errors: Vec::new(), warnings: Vec::new() }
    }

    /// Notes that a variable is malformed.
    pub(super) fn wrong(&mut self, variable: &Variable, problem: impl Into<String>) {
        self.wrong_as(variable.name, variable, problem);
    }

    /// The same, under the name that was set.
    fn wrong_as(&mut self, name: &'static str, variable: &Variable, problem: impl Into<String>) {
        let problem = problem.into();
        // A variable that several parts read is wrong once.
        if self.errors.iter().any(|known| known.name == name && known.problem == problem) {
            return;
        }
        self.errors.push(SettingError { name, problem, example: variable.example });
    }

    /// The value as set: the first name that is not blank, otherwise the first that is set.
    /// One in quotation marks is noted, and read without them.
    pub(super) fn set(&mut self, variable: &Variable) -> Option<String> {
        let mut values: Vec<(&'static str, String)> = std::iter::once(variable.name)
            .chain(variable.aliases.iter().copied())
            .filter_map(|name| (self.lookup)(name).map(|value| (name, value)))
            .collect();
        let first = values.iter().position(|(_, value)| !value.trim().is_empty()).unwrap_or_default();
        if values.is_empty() {
            return None;
        }
        let (name, value) = values.swap_remove(first);
        Some(self.without_quotes(variable, name, value))
    }

    /// Quotation marks that a shell or an editor was meant to take off. A password may
    /// begin and end with them: it is taken as it is, and that is said.
    fn without_quotes(&mut self, variable: &Variable, name: &'static str, value: String) -> String {
        let quoted = match variable.kind {
            VariableKind::List | VariableKind::Days | VariableKind::Networks => {
                value.split(',').map(str::trim).any(|member| quotes::around(member).is_some())
            }
            _ => false,
        };
        let inner = quotes::around(value.trim());
        if inner.is_none() && !quoted {
            return value;
        }
        let is_base64 = [WEBHOOK_SECRET.name, INGRESS_HMAC_SECRET.name].contains(&variable.name);
        let taken_as_it_is = variable.kind == VariableKind::Secret && !is_base64;
        if taken_as_it_is || variable.need == Need::NoEffect {
            self.warn_once(Finding::InQuotes { variable: name.to_owned() });
            return value;
        }
        self.wrong_as(
            name,
            variable,
            "it is in quotation marks, which would be part of the value: leave them out (`docker --env-file` and many
             platforms' editors keep them)",
        );
        match inner {
            Some(inner) if !quoted => inner.to_owned(),
            _ => value.chars().filter(|letter| !quotes::is_mark(*letter)).collect(),
        }
    }

    /// Whether a variable is set under several names to different values, of which only the
    /// first counts.
    pub(super) fn differ(&self, variable: &Variable) -> bool {
        let names = std::iter::once(&variable.name).chain(variable.aliases);
        let values = names.filter_map(|name| (self.lookup)(name)).map(|value| value.trim().to_lowercase());
        let mut values: Vec<String> = values.filter(|value| !value.is_empty()).collect();
        values.dedup();
        values.len() > 1
    }

    /// Looks at every variable, those included that nothing reads in this configuration.
    pub(super) fn check_quotes(&mut self) {
        for variable in VARIABLES {
            self.set(variable);
        }
    }

    /// The trimmed value, or the default; empty when there is neither.
    pub(super) fn text(&mut self, variable: &Variable) -> String {
        let value = self.set(variable).map(|value| value.trim().to_owned()).unwrap_or_default();
        match variable.need {
            Need::Default(default) if value.is_empty() => default.to_owned(),
            Need::Default(_) | Need::Required | Need::RequiredForImap | Need::NoEffect => value,
        }
    }

    /// The trimmed value of a variable that has to be there; empty after noting that it is not.
    pub(super) fn required(&mut self, variable: &Variable) -> String {
        let value = self.text(variable);
        if value.is_empty() {
            self.wrong(variable, format!("missing ({})", variable.meaning));
        }
        value
    }

    /// Like [`Self::required`].
    pub(super) fn required_secret(&mut self, variable: &Variable) -> SecretString {
        self.required(variable).into()
    }

    /// A switch; see [`VariableKind::Switch`] and [`VariableKind::Protection`]. Its default, after noting a
    /// word that is neither on nor off.
    pub(super) fn switch(&mut self, variable: &Variable) -> bool {
        let (VariableKind::Switch(on) | VariableKind::Protection(on)) = variable.kind else { return false };
        let default = matches!(variable.need, Need::Default(word) if on.contains(&word));
        let Some(value) = self.set(variable) else { return default };
        let word = value.trim().to_lowercase();
        if word.is_empty() {
            let named = variable.name;
            let (means, warning) = match variable.kind {
                VariableKind::Protection(_) => (default, Finding::SetToNothing { variable: named }),
                _ => (false, Finding::SetToNothingMeansOff { variable: named }),
            };
            if default {
                self.warn_once(warning);
            }
            return means;
        }
        if on.contains(&word.as_str()) {
            return true;
        }
        if !OFF.contains(&word.as_str()) {
            self.wrong(
                variable,
                format!("{word:?} is neither on ({}) nor off ({})", on.join("|"), OFF.join("|")),
            );
            return default;
        }
        false
    }

    /// Notes what is unusual but no error, once.
    pub(super) fn warn_once(&mut self, warning: Finding) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// A number within the bounds of its variable; the default, or zero, after noting that it is not.
    pub(super) fn int<N: TryFrom<i64> + Default>(&mut self, variable: &Variable) -> N {
        let text = self.text(variable);
        let fallback = || match variable.need {
            Need::Default(default) => python_int(default),
            Need::Required | Need::RequiredForImap | Need::NoEffect => None,
        };
        let number = match self.check_int(variable, &text) {
            Ok(number) => Some(number),
            Err(problem) => {
                self.wrong(variable, problem);
                fallback()
            }
        };
        number.and_then(|number| N::try_from(number).ok()).unwrap_or_default()
    }

    fn check_int(&self, variable: &Variable, text: &str) -> Result<i64, String> {
        let number = python_int(text).ok_or_else(|| format!("{text:?} is not a whole number"))?;
        match variable.kind {
            VariableKind::Int(min, max) if !(min..=max).contains(&number) => {
                Err(format!("{text} is out of range ({min} to {max})"))
            }
            _ => Ok(number),
        }
    }

    /// A file's mode, or nothing: the owner may read and write, nobody may execute.
    pub(super) fn mode(&mut self, variable: &Variable) -> Option<u32> {
        let text = self.text(variable);
        if text.is_empty() {
            return None;
        }
        let mode = u32::from_str_radix(&text, 8).ok();
        let mode = mode.filter(|mode| mode & 0o600 == 0o600 && mode & !0o666 == 0);
        if mode.is_none() {
            self.wrong(variable, format!("{text:?} is none of: {}", variable.kind.describe()));
        }
        mode
    }

    /// Members of a list, trimmed, without blank ones.
    pub(super) fn list(&mut self, variable: &Variable) -> Vec<String> {
        self.text(variable)
            .split(',')
            .map(str::trim)
            .filter(|member| !member.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Members of a list, each read; those that cannot be are noted.
    pub(super) fn parsed_list<T: FromStr>(&mut self, variable: &Variable) -> Vec<T> {
        let mut parsed = Vec::new();
        for member in self.list(variable) {
            match member.parse() {
                Ok(value) => parsed.push(value),
                Err(_) => {
                    self.wrong(variable, format!("{member:?} is not one of: {}", variable.kind.describe()))
                }
            }
        }
        parsed
    }

    /// One of the words of [`VariableKind::Choice`]; the default after noting that it is none.
    pub(super) fn choice(&mut self, variable: &Variable) -> String {
        let VariableKind::Choice(words) = variable.kind else { return self.text(variable) };
        let word = self.text(variable).to_lowercase();
        if word.is_empty() || words.contains(&word.as_str()) {
            return word;
        }
        self.wrong(variable, format!("{word:?} is not one of {}", words.join("|")));
        match variable.need {
            Need::Default(default) => default.to_owned(),
            Need::Required | Need::RequiredForImap | Need::NoEffect => String::new(),
        }
    }

    /// Checks a variable that nothing reads, and says that it has no effect.
    pub(super) fn note_without_effect(&mut self, variable: &Variable) {
        let text = self.text(variable);
        if text.is_empty() {
            return;
        }
        if let (VariableKind::Int(..), Err(problem)) = (variable.kind, self.check_int(variable, &text)) {
            self.wrong(variable, problem);
        }
        self.warnings.push(Finding::NoEffect { variable: variable.name, meaning: variable.meaning });
    }
}
