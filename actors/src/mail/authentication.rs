//! Who really sent a mail, as far as the servers that took it say so: the fields
//! `Authentication-Results` (RFC 8601). An address in `From` can be written by anybody.
//!
//! A field is believed only if it is of a host that the operator trusts, and of those only the
//! topmost of that host: a server puts its own before all that came with the mail, and removes
//! those that pretend to be its own.

use serde::{Deserialize, Serialize};

use super::Mail;
use super::header::Entity;
use crate::kernel::said::{Said, said};

/// Hosts whose reports are kept.
const HOSTS: usize = 10;
/// Results of one report that are kept.
const RESULTS: usize = 30;
/// Bytes of a field that are read.
const READ: usize = 8 << 10;
/// Bytes of the name of a host or a domain (RFC 1035 section 2.3.4). What is longer is none, and
/// is neither kept with the mail nor recorded.
const NAME: usize = 255;

/// What one server found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerReport {
    /// Its `authserv-id`, lower-cased.
    pub host: String,
    /// What passed, in the order of the field.
    pub passed: Vec<Passed>,
}

/// A check that a mail passed, and the domain it passed for, lower-cased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// The check.
    pub method: Method,
    /// `header.from`, `header.d` or `smtp.mailfrom`.
    pub domain: String,
}

/// A check of RFC 8601 section 2.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// RFC 7489.
    Dmarc,
    /// RFC 6376.
    Dkim,
    /// RFC 7208.
    Spf,
}

impl Method {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Dmarc => "dmarc",
            Self::Dkim => "dkim",
            Self::Spf => "spf",
        }
    }

    /// The property that names the domain the check is about.
    const fn property(self) -> &'static str {
        match self {
            Self::Dmarc => "header.from",
            Self::Dkim => "header.d",
            Self::Spf => "smtp.mailfrom",
        }
    }
}

/// What the operator asks of senders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SenderAuthentication {
    /// Whether it is asked.
    pub mode: Mode,
    /// Hosts whose reports are believed, lower-cased.
    pub trusted: Vec<String>,
}

/// See [`SenderAuthentication`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is asked.
    #[default]
    Off,
    /// It is recorded.
    Warn,
    /// A mail whose sender is not authenticated does not trigger.
    Require,
}

impl SenderAuthentication {
    /// What the trusted reports say of the mail's sender, in words; `Err` = he is not
    /// authenticated.
    ///
    /// # Errors
    /// No trusted host has reported, or nothing passed for the sender's domain.
    pub fn judge(&self, mail: &Mail) -> Result<Said, Said> {
        let domain = mail.sender.rsplit_once('@').map_or("", |(_, domain)| domain);
        let domain = if domain.len() <= NAME { domain } else { "" };
        let mut seen = None;
        for report in mail.authentication.iter().filter(|report| self.trusted.contains(&report.host)) {
            if let Some(passed) = report.passed.iter().find(|passed| aligned(&passed.domain, domain)) {
                let method = passed.method.as_str();
                let (domain, host) = (&passed.domain, &report.host);
                return Ok(said!(
                    "{method} est validé pour {domain} par {host}",
                    "{method} passed for {domain} at {host}"
                ));
            }
            seen = Some(&report.host);
        }
        Err(match seen {
            Some(host) => said!(
                "rien n'est validé pour « {domain} » par {host}",
                "nothing passed for \"{domain}\" at {host}"
            ),
            None => {
                said!("aucun serveur de confiance ne dit qui l'a envoyé", "no trusted host says who sent it")
            }
        })
    }

    /// What is recorded of the mail; `None` where nothing is asked.
    #[must_use]
    pub fn recorded(&self, mail: &Mail) -> Option<String> {
        (self.mode != Mode::Off).then(|| self.judge(mail).unwrap_or_else(|why| why).english)
    }
}

/// Whether a domain stands for that of the sender: the same, or one within the other (relaxed
/// alignment, RFC 7489 section 3.1). A domain of one label stands for nobody.
fn aligned(passed: &str, sender: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        outer.contains('.') && inner.strip_suffix(outer).is_some_and(|before| before.ends_with('.'))
    };
    !sender.is_empty() && (passed == sender || within(passed, sender) || within(sender, passed))
}

/// The reports of a mail, the topmost of each host.
pub(super) fn reports(message: &Entity<'_>) -> Vec<ServerReport> {
    let mut reports: Vec<ServerReport> = Vec::new();
    for value in message.texts("authentication-results") {
        let Some(report) = report(&value) else { continue };
        if reports.len() < HOSTS && !reports.iter().any(|known| known.host == report.host) {
            reports.push(report);
        }
    }
    reports
}

fn report(value: &str) -> Option<ServerReport> {
    let value = value.get(..value.floor_char_boundary(READ)).unwrap_or(value);
    let bare = without_comments(value).to_lowercase();
    let mut parts = bare.split(';');
    let host = parts.next()?.split_whitespace().next()?.trim_matches('"').to_owned();
    let passed = parts.take(RESULTS).filter_map(passed).collect();
    (!host.is_empty() && host.len() <= NAME && !host.contains('=')).then_some(ServerReport { host, passed })
}

/// `dkim=pass header.d=example.fr`; `None` when it did not pass or is another check.
fn passed(part: &str) -> Option<Passed> {
    let words: Vec<(&str, &str)> = words(part).collect();
    let (name, result) = words.first()?;
    // A version may follow the name.
    let name = name.split('/').next()?;
    let method =
        [Method::Dmarc, Method::Dkim, Method::Spf].into_iter().find(|method| method.as_str() == name)?;
    if *result != "pass" {
        return None;
    }
    let property = |name: &str| words.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let value = match method {
        Method::Dkim => property("header.d").or_else(|| property("header.i")),
        Method::Dmarc | Method::Spf => property(method.property()),
    }?;
    let domain = value.trim_matches('"').rsplit('@').next()?.trim_end_matches('.');
    (!domain.is_empty() && domain.len() <= NAME).then(|| Passed { method, domain: domain.to_owned() })
}

/// The pairs `name=value` of a part; blanks around the sign do not count.
fn words(part: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = part;
    std::iter::from_fn(move || {
        let (before, after) = rest.split_once('=')?;
        let name = before.split_whitespace().next_back()?;
        let value = after.trim_start();
        let end = value.find(char::is_whitespace).unwrap_or(value.len());
        let (value, after) = value.split_at(end);
        rest = after;
        Some((name, value))
    })
}

/// Comments (RFC 5322 section 3.2.2) left out; what is quoted has none, and cannot end a part.
fn without_comments(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for letter in value.chars() {
        let plain = std::mem::take(&mut escaped);
        match letter {
            _ if plain => {}
            '\\' => escaped = true,
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted && depth > 0 => depth -= 1,
            ';' | '=' if quoted => {}
            _ if depth == 0 => out.push(letter),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::parse::parse;

    fn judge(headers: &str) -> Result<String, String> {
        let raw = format!("{headers}\nFrom: Camille <camille@client.example>\nSubject: x\n\nx");
        let mail = parse(raw.as_bytes()).expect("a mail");
        let trusted = vec!["mx.atelier.example".to_owned()];
        let told = SenderAuthentication { mode: Mode::Require, trusted }.judge(&mail);
        told.map(|told| told.english).map_err(|why| why.english)
    }

    fn field(results: &str) -> String {
        format!("Authentication-Results: mx.atelier.example; {results}")
    }

    #[test]
    fn an_aligned_pass_authenticates() {
        for results in [
            "dmarc=pass (p=reject dis=none) header.from=client.example",
            "spf=fail smtp.mailfrom=x.example; dmarc=pass header.from=client.example",
            "dkim=pass header.i=@client.example header.s=s1",
            "dkim=fail header.d=client.example; dkim=pass header.d=mail.client.example",
            "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=bounce@bounces.client.example",
            "DKIM=Pass Header.D=Client.Example",
            "dkim/1 = pass header.d = client.example",
            "dkim=pass reason=\"good; (really) signature\" header.d=client.example",
        ] {
            assert!(judge(&field(results)).is_ok(), "{results}");
        }
    }

    #[test]
    fn nothing_else_does() {
        for headers in [
            field("dmarc=fail header.from=client.example"),
            field("dmarc=none"),
            field("dkim=pass header.d=evil.example"),
            field("dkim=pass header.d=evilclient.example"),
            field("dkim=pass header.d=example"),
            field("dkim=pass header.d=client.example.evil.example"),
            field("spf=pass smtp.mailfrom=evil.example"),
            field("spf=pass smtp.helo=client.example"),
            field("spf=fail reason=\"dmarc=pass header.from=client.example\""),
            field("spf=fail (dmarc=pass header.from=client.example)"),
            field("spf=fail reason=\"; dmarc=pass header.from=client.example\""),
            field("arc=pass header.from=client.example"),
            field("none"),
            // Of a host that is not trusted, or that only looks like one.
            "Authentication-Results: evil.example; dmarc=pass header.from=client.example".to_owned(),
            "Authentication-Results: mx.atelier.example.evil.example; dmarc=pass header.from=client.example".to_owned(),
            "Authentication-Results: (x) evil.example; mx.atelier.example; dmarc=pass header.from=client.example".to_owned(),
            // Not the topmost of the trusted host: it came with the mail.
            format!("{}\n{}", field("dmarc=fail header.from=client.example"), field("dmarc=pass header.from=client.example")),
            "ARC-Authentication-Results: i=1; mx.atelier.example; dmarc=pass header.from=client.example".to_owned(),
            "Received: x".to_owned(),
        ] {
            assert!(judge(&headers).is_err(), "{headers}: {:?}", judge(&headers));
        }
        // Another host's fields, above or below, change nothing.
        let foreign = "Authentication-Results: evil.example; dmarc=fail header.from=client.example";
        let ours = field("dmarc=pass header.from=client.example");
        assert!(judge(&format!("{foreign}\n{ours}\n{foreign}")).is_ok());
    }

    #[test]
    fn a_domain_without_end_is_none() {
        let long = format!("{}client.example", "a.".repeat(NAME / 2));
        let told = judge(&field(&format!("dkim=pass header.d={long}")));
        assert_eq!(told, Err("nothing passed for \"client.example\" at mx.atelier.example".to_owned()));
        let raw = format!(
            "{}\nFrom: c@{}\nSubject: x\n\nx",
            field("spf=pass smtp.mailfrom=x.fr"),
            "a.".repeat(150)
        );
        let mail = parse(raw.as_bytes()).expect("a mail");
        let asked = SenderAuthentication { mode: Mode::Warn, trusted: vec!["mx.atelier.example".to_owned()] };
        assert_eq!(asked.recorded(&mail).as_deref(), Some("nothing passed for \"\" at mx.atelier.example"));
        let raw = format!("Authentication-Results: {long}; dkim=pass header.d=b.fr\nFrom: a@b.fr\n\nx");
        assert_eq!(parse(raw.as_bytes()).expect("a mail").authentication, Vec::new());
    }

    #[test]
    fn what_is_missing_is_said() {
        assert_eq!(judge("Received: x"), Err("no trusted host says who sent it".to_owned()));
        assert_eq!(
            judge(&field("dmarc=fail header.from=client.example")),
            Err("nothing passed for \"client.example\" at mx.atelier.example".to_owned())
        );
        assert_eq!(
            judge(&field("dmarc=pass header.from=client.example")),
            Ok("dmarc passed for client.example at mx.atelier.example".to_owned())
        );
    }
}
