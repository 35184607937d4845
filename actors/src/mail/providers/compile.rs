//! Providers from JSON, validated. A field that is not known is refused: with a misspelt one
//! the document would mean something else than what is written. Fields that begin with `_` are
//! notes.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Host, Paths, Provider, Providers, Reach};
use crate::kernel::said::{Said, said};
use crate::mail::flaw::{Checked, flaw};

/// Providers of one document.
const MAX_PROVIDERS: usize = 50;
/// Hosts or paths of one list.
const LIST: usize = 100;
/// Characters of a name.
const NAME: usize = 64;
/// Characters of a host (RFC 1035 section 2.3.4) or a path.
const TEXT: usize = 253;

/// The providers of a document. One that is wrong makes all of it wrong: without it the links of
/// that provider would be none, and mails would be ignored.
///
/// # Errors
/// The first thing that is wrong.
pub fn providers(document: &Value) -> Checked<Providers> {
    let Some(object) = document.as_object() else {
        return flaw("document", said!("un objet JSON est attendu.", "a JSON object is expected."));
    };
    // Its writers add fields of their own to the whole: a time, a name.
    let list = match object.get("providers") {
        Some(Value::Array(list)) if list.len() <= MAX_PROVIDERS => list,
        Some(Value::Array(_)) => {
            return flaw(
                "providers",
                said!("au plus {MAX_PROVIDERS} fournisseurs.", "at most {MAX_PROVIDERS} providers."),
            );
        }
        // A document without the list says nothing, and must not switch providers off.
        _ => return flaw("providers", said!("providers doit être une liste.", "providers must be a list.")),
    };
    let mut read: Vec<Provider> = Vec::new();
    for (index, stored) in list.iter().enumerate() {
        let at = format!("providers[{index}]");
        let provider = provider(stored, &at)?;
        if read.iter().any(|other| other.name == provider.name) {
            return flaw(format!("{at}.name"), said!("ce nom est déjà pris.", "this name is taken already."));
        }
        if let Some(taken) =
            provider.hosts.iter().position(|host| read.iter().any(|other| other.hosts.contains(host)))
        {
            return flaw(
                format!("{at}.hosts[{taken}]"),
                said!("cet hôte est déjà celui d'un autre.", "this host is another one's already."),
            );
        }
        read.push(provider);
    }
    Ok(Providers::of_list(read))
}

fn provider(stored: &Value, at: &str) -> Checked<Provider> {
    const KNOWN: [&str; 7] =
        ["name", "hosts", "except_hosts", "paths", "except_paths", "fetch_from", "redirect_to"];
    let Value::Object(object) = stored else {
        return flaw(at, said!("un objet JSON est attendu.", "a JSON object is expected."));
    };
    if let Some(unknown) =
        object.keys().find(|name| !name.starts_with('_') && !KNOWN.contains(&name.as_str()))
    {
        let shown: String = unknown.chars().filter(|letter| !letter.is_control()).take(NAME).collect();
        return flaw(at, said!("« {shown} » n'est pas un champ connu.", "\"{shown}\" is no known field."));
    }
    let name = match object.get("name") {
        Some(Value::String(name)) if is_name(name) => name.clone(),
        _ => {
            return flaw(
                format!("{at}.name"),
                said!(
                    "nom invalide\u{a0}: minuscules ASCII, chiffres, « . », « _ », « - », au plus {NAME}.",
                    "no name: ASCII lower case, digits, \".\", \"_\", \"-\", at most {NAME}."
                ),
            );
        }
    };
    let hosts = list(object, at, "hosts", host)?;
    let paths = list(object, at, "paths", path)?;
    for (field, is_empty) in [("hosts", hosts.is_empty()), ("paths", paths.is_empty())] {
        if is_empty {
            return flaw(
                format!("{at}.{field}"),
                said!("au moins une valeur est requise.", "at least one value is needed."),
            );
        }
    }
    let given = |field: &str| object.get(field).is_some_and(|value| !value.is_null());
    let from = if given("fetch_from") { list(object, at, "fetch_from", host)? } else { hosts.clone() };
    let redirects = given("redirect_to").then(|| list(object, at, "redirect_to", host)).transpose()?;
    Ok(Provider {
        name,
        except_hosts: list(object, at, "except_hosts", host)?,
        except_paths: list(object, at, "except_paths", path)?,
        hosts,
        paths,
        reach: Arc::new(Reach { from, redirects }),
    })
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    (1..=NAME).contains(&name.len()) && name.bytes().all(plain)
}

/// A list of texts, empty when it is absent.
fn list<T>(
    object: &Map<String, Value>,
    at: &str,
    field: &str,
    read: impl Fn(&str) -> Result<T, Said>,
) -> Checked<Vec<T>> {
    let list = match object.get(field) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) if list.len() <= LIST => list,
        Some(_) => {
            return flaw(
                format!("{at}.{field}"),
                said!(
                    "une liste d'au plus {LIST} textes est attendue.",
                    "a list of at most {LIST} texts is expected."
                ),
            );
        }
    };
    let one = |(index, stored): (usize, &Value)| {
        let written = stored.as_str().filter(|text| text.len() <= TEXT).unwrap_or_default();
        read(written).or_else(|message| flaw(format!("{at}.{field}[{index}]"), message))
    };
    list.iter().enumerate().map(one).collect()
}

/// Names only: what an address leads to is the egress guard's to judge, and nobody shares files
/// by one.
fn host(written: &str) -> Result<Host, Said> {
    let lower = written.to_ascii_lowercase();
    let name = lower.strip_prefix("*.").unwrap_or(&lower);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_address = last.bytes().all(|byte| byte.is_ascii_digit())
        || name.parse::<Ipv4Addr>().is_ok()
        || last.starts_with("0x");
    if !name.contains('.') || !name.split('.').all(is_label) || is_address {
        return Err(said!(
            "un nom d'hôte est attendu, comme « exemple.fr » ou « *.exemple.fr ».",
            "a host name is expected, such as \"example.fr\" or \"*.example.fr\"."
        ));
    }
    Ok(if name.len() < lower.len() { Host::Below(name.to_owned()) } else { Host::Exact(name.to_owned()) })
}

fn path(written: &str) -> Result<Paths, Said> {
    let lower = written.to_ascii_lowercase();
    let start = lower.strip_suffix('*');
    let bare = start.unwrap_or(&lower);
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"?#*\\".contains(&byte);
    if !bare.starts_with('/') || !bare.bytes().all(is_plain) {
        return Err(said!(
            "un chemin est attendu, comme « /d/ », « /t-* » ou « /aide ».",
            "a path is expected, such as \"/d/\", \"/t-*\" or \"/help\"."
        ));
    }
    Ok(match start {
        Some(start) => Paths::From(start.to_owned()),
        None if bare.ends_with('/') => Paths::From(bare.to_owned()),
        None => Paths::At(bare.to_owned()),
    })
}
