//! Reading single variables; everything that is wrong is collected, nothing stops at the
//! first error.

use std::fmt;
use std::str::FromStr;

use render_signal_actors::config::documents::coerce::python_int;
use secrecy::SecretString;

use super::variables::{Kind, Need, Variable};

/// One variable that is missing or malformed. Never contains the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SettingError {
    /// Its name.
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
pub(super) struct Reader<'l> {
    lookup: &'l dyn Fn(&str) -> Option<String>,
    pub(super) errors: Vec<SettingError>,
    pub(super) warnings: Vec<String>,
}

impl<'l> Reader<'l> {
    pub(super) fn new(lookup: &'l dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, errors: Vec::new(), warnings: Vec::new() }
    }

    /// Notes that a variable is malformed.
    pub(super) fn wrong(&mut self, variable: &Variable, problem: impl Into<String>) {
        let problem = problem.into();
        // A variable that several parts read is wrong once.
        if self.errors.iter().any(|known| known.name == variable.name && known.problem == problem) {
            return;
        }
        self.errors.push(SettingError { name: variable.name, problem, example: variable.example });
    }

    /// The value as set: the first name that is not blank, otherwise the first that is set.
    pub(super) fn set(&self, variable: &Variable) -> Option<String> {
        let values: Vec<String> = std::iter::once(&variable.name)
            .chain(variable.aliases)
            .filter_map(|name| (self.lookup)(name))
            .collect();
        values.iter().find(|value| !value.trim().is_empty()).or_else(|| values.first()).cloned()
    }

    /// The trimmed value, or the default; empty when there is neither.
    pub(super) fn text(&self, variable: &Variable) -> String {
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

    /// A switch; see [`Kind::Switch`].
    pub(super) fn switch(&self, variable: &Variable) -> bool {
        let Kind::Switch(on) = variable.kind else { return false };
        let is_on = |text: &str| on.contains(&text.trim().to_lowercase().as_str());
        match (self.set(variable), variable.need) {
            (Some(value), _) => is_on(&value),
            (None, Need::Default(default)) => is_on(default),
            (None, Need::Required | Need::RequiredForImap | Need::NoEffect) => false,
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
            Kind::Int(min, max) if !(min..=max).contains(&number) => {
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
    pub(super) fn list(&self, variable: &Variable) -> Vec<String> {
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

    /// One of the words of [`Kind::Choice`]; the default after noting that it is none.
    pub(super) fn choice(&mut self, variable: &Variable) -> String {
        let Kind::Choice(words) = variable.kind else { return self.text(variable) };
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
        if let (Kind::Int(..), Err(problem)) = (variable.kind, self.check_int(variable, &text)) {
            self.wrong(variable, problem);
        }
        self.warnings.push(format!("{} is set but has no effect ({})", variable.name, variable.meaning));
    }
}
