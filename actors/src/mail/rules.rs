//! Routing rules (reference sections 3.6 and 5.15).

use super::conditions::{Facts, Predicate};
use super::pattern::Pattern;
use super::policy::Target;
use crate::kernel::digest::hex;
use md5::{Digest as _, Md5};

/// A usable rule: validated, its regular expressions compiled.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Unique id.
    pub id: String,
    /// Name.
    pub name: String,
    /// `normal` or `high`; informative.
    pub priority: String,
    /// Where its webhooks go; `target.id` is [`target_id`] of the rule's id.
    pub target: Target,
    /// No default delivery after this one.
    pub stop_processing: bool,
    /// All must hold.
    pub conditions: Vec<Predicate>,
}

impl Rule {
    /// Its regular expressions.
    pub(super) fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.conditions.iter().flat_map(|condition| &condition.patterns)
    }

    /// The first condition that does not hold; `None` when the rule applies.
    #[must_use]
    pub fn unmet(&self, facts: &Facts<'_>) -> Option<&Predicate> {
        self.conditions.iter().find(|condition| !condition.holds(facts))
    }
}

/// The first rule that applies.
#[must_use]
pub fn first_match<'r>(rules: &'r [Rule], facts: &Facts<'_>) -> Option<&'r Rule> {
    rules.iter().find(|rule| !rule.conditions.is_empty() && rule.unmet(facts).is_none())
}

/// The id of a rule's target. It becomes part of stream names and of the `webhook-id`
/// header, so an id that is not made of ASCII letters, digits, `.`, `_` and `-` only (at
/// most 64) is replaced by a digest of it.
#[must_use]
pub fn target_id(rule_id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !rule_id.is_empty() && rule_id.len() <= 64 && rule_id.bytes().all(plain) {
        return rule_id.to_owned();
    }
    let mut digest = hex(Md5::digest(rule_id));
    digest.truncate(16);
    format!("rule-{digest}")
}

/// Makes an address of what operators write for a Make webhook (reference section 3.2): an
/// address stays as it is, `token@hook.eu2.make.com` and a bare token become the address of
/// the hook. `None` for anything else.
#[must_use]
pub fn normalize_make_webhook_url(value: &str) -> Option<String> {
    let value = value.trim();
    if value.starts_with("http://") || value.starts_with("https://") {
        return Some(value.to_owned());
    }
    if value.contains("@hook.eu2.make.com") {
        let token = value.split('@').next().unwrap_or_default();
        return Some(format!("https://hook.eu2.make.com/{token}"));
    }
    let is_token =
        !value.is_empty() && !value.contains(|letter: char| letter.is_whitespace() || "/@".contains(letter));
    is_token.then(|| format!("https://hook.eu2.make.com/{value}"))
}

/// An address as it may be shown, logged and recorded: scheme, host and port. Its path is
/// the secret of a webhook, and a user name is nobody's business (reference golden
/// `mask_url`). `***` when it is no http(s) address.
#[must_use]
pub fn mask_url(url: &str) -> String {
    masked(url).unwrap_or_else(|| "***".to_owned())
}

fn masked(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://").filter(|(scheme, _)| ["http", "https"].contains(scheme))?;
    // A backslash ends the host as a slash does (WHATWG URL).
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let slash = if path.starts_with('/') { "/" } else { "" };
    (!host.is_empty()).then(|| format!("{scheme}://{host}{slash}***"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_id_fits_a_header() {
        assert_eq!(target_id("rule-1.a_B"), "rule-1.a_B");
        for id in ["règle 1", "a/b", "", "x\r\ny", &"a".repeat(65)] {
            let made = target_id(id);
            assert!(made.starts_with("rule-") && made.len() == 21, "{id:?}: {made}");
        }
        assert_ne!(target_id("règle 1"), target_id("règle 2"));
    }

    #[test]
    fn a_masked_address_keeps_its_secrets() {
        for (address, shown) in [
            ("https://hook.eu2.make.com/abcdef?x=1", "https://hook.eu2.make.com/***"),
            ("https://me:pw@h.fr:8443/s?k=v", "https://h.fr:8443/***"),
            ("https://h.fr?k=v", "https://h.fr***"),
            ("https://h.fr\\secret", "https://h.fr***"),
            ("https://[::1]:1/x", "https://[::1]:1/***"),
            ("token@hook", "***"),
            ("token", "***"),
            ("https://", "***"),
            ("", "***"),
        ] {
            assert_eq!(mask_url(address), shown);
        }
    }
}
