//! Tokens that open something by themselves: long enough not to be guessed, and each for one
//! purpose.

use render_signal_actors::egress::IpNet;
use secrecy::SecretString;

use super::scopes::Scopes;

use super::reader::VariableReader;
use super::variables::{self as vars, Variable};
use crate::findings::Finding;

/// Fewer characters could be guessed.
const MIN_CHARS: usize = 24;
/// They stand in published examples: everybody knows them.
const PUBLISHED: [&str; 3] = ["changeme-config-api-token", "votre_jeton_secret_ici", "VOTRE_TOKEN"];

/// The token as set; empty when there is none.
pub(super) fn token(reader: &mut VariableReader<'_>, variable: &Variable) -> String {
    let token = reader.text(variable);
    let advice = "set a long random text, such as `openssl rand -hex 32` makes";
    if PUBLISHED.contains(&token.as_str()) {
        reader.wrong(variable, format!("it stands in published examples, so everybody knows it; {advice}"));
    } else if !token.is_empty() && token.chars().count() < MIN_CHARS {
        let length = token.chars().count();
        reader.wrong(
            variable,
            format!(
                "has {length} characters, {MIN_CHARS} at least are needed; {advice}, here and where it is used"
            ),
        );
    }
    token
}

/// A token of our own doors.
pub(super) fn own(reader: &mut VariableReader<'_>, variable: &Variable) -> Option<SecretString> {
    Some(token(reader, variable)).filter(|token| !token.is_empty()).map(SecretString::from)
}

/// The networks that may use `CONFIG_API_SERVE_TOKEN`.
pub(super) fn allow(reader: &mut VariableReader<'_>) -> Vec<IpNet> {
    let networks: Vec<IpNet> = reader.parsed_list(&vars::CONFIG_API_ALLOW_CIDRS);
    if !networks.is_empty() && reader.text(&vars::CONFIG_API_SERVE_TOKEN).is_empty() {
        reader.warn_once(Finding::NetworksIdle {});
    }
    networks
}

/// What `PROCESS_API_TOKEN` may do at `/api/v1`.
pub(super) fn scopes(reader: &mut VariableReader<'_>) -> Scopes {
    let mut scopes = Vec::new();
    for word in reader.list(&vars::API_TOKEN_SCOPES) {
        match word.parse() {
            Ok(scope) => scopes.push(scope),
            Err(why) => reader.wrong(&vars::API_TOKEN_SCOPES, why),
        }
    }
    Scopes::new(scopes)
}

/// What opens one thing opens no other.
pub(super) fn check_apart(reader: &mut VariableReader<'_>) {
    for (variable, other, why) in [
        (
            vars::CONFIG_API_SERVE_TOKEN,
            vars::CONFIG_API_TOKEN,
            "that one is sent to another host, which must not be able to open this one",
        ),
        (vars::METRICS_TOKEN, vars::CONFIG_API_TOKEN, "that one is sent to another host"),
        (vars::METRICS_TOKEN, vars::CONFIG_API_SERVE_TOKEN, "that one may change the configuration"),
    ] {
        let token = reader.text(&variable);
        if !token.is_empty() && token == reader.text(&other) {
            reader.wrong(&variable, format!("is the same as {}: {why}; set another one", other.name));
        }
    }
}
