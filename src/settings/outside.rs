//! What the program may have others do, and who may hand mails over to it.

use render_signal_actors::deploy::DeploySettings;
use render_signal_actors::make::{ControlWebhook, MakeAuth, Scenario};
use render_signal_actors::signing::SigningKeys;
use secrecy::SecretString;

use super::reader::VariableReader;
use super::variables::{self as vars, Variable};
use crate::findings::Finding;

#[derive(Debug, Clone)]
pub(crate) struct Outside {
    /// `INGRESS_HMAC_SECRET`; `None` = the token is enough.
    pub(crate) ingress_keys: Option<SigningKeys>,
    /// How the service is deployed.
    pub(crate) deploy: DeploySettings,
    /// Scenarios at Make.com, and how they are switched.
    pub(crate) make: MakeSettings,
    /// `CORS_ALLOWED_ORIGINS`.
    pub(crate) origins: Vec<String>,
}

/// Scenarios at Make.com, as they are configured.
#[derive(Debug, Clone)]
pub(crate) struct MakeSettings {
    /// `MAKE_API_HOST`.
    pub(crate) host: String,
    /// `MAKE_SCENARIO_ID_AUTOREPONDEUR` and `MAKE_SCENARIO_ID_RECADRAGE`, without those that are 0.
    pub(crate) scenarios: Vec<Scenario>,
    /// `MAKECOM_API_KEY`.
    pub(crate) key: Option<SecretString>,
    /// `MAKE_API_AUTH_TYPE`.
    pub(crate) auth: MakeAuth,
    /// `MAKE_API_ORG_ID`.
    pub(crate) organization: Option<String>,
    /// `MAKE_WEBHOOK_CONTROL_URL` with `MAKE_WEBHOOK_API_KEY`.
    pub(crate) webhook: Option<ControlWebhook>,
}

impl MakeSettings {
    /// Whether there is a way to switch scenarios.
    pub(crate) const fn is_configured(&self) -> bool {
        self.key.is_some() || self.webhook.is_some()
    }
}

pub(super) fn read(reader: &mut VariableReader<'_>) -> Outside {
    let mut secret = |variable: &Variable| {
        Some(reader.text(variable)).filter(|text| !text.is_empty()).map(SecretString::from)
    };
    let (hook, key) = (secret(&vars::RENDER_DEPLOY_HOOK_URL), secret(&vars::RENDER_API_KEY));
    let service = Some(reader.text(&vars::RENDER_SERVICE_ID)).filter(|id| !id.is_empty());
    let clear_cache = reader.choice(&vars::RENDER_DEPLOY_CLEAR_CACHE) == "clear";
    if key.is_some() != service.is_some() {
        reader.warn_once(Finding::DeployIncomplete {});
    }
    Outside {
        ingress_keys: signing_keys(reader, &vars::INGRESS_HMAC_SECRET),
        deploy: DeploySettings { hook, key, service, clear_cache },
        make: make(reader),
        origins: reader.list(&vars::CORS_ALLOWED_ORIGINS),
    }
}

fn make(reader: &mut VariableReader<'_>) -> MakeSettings {
    let set = |text: String| Some(text).filter(|text| !text.is_empty());
    let names = [
        ("autorepondeur", &vars::MAKE_SCENARIO_ID_AUTOREPONDEUR),
        ("recadrage", &vars::MAKE_SCENARIO_ID_RECADRAGE),
    ];
    let scenarios = names
        .into_iter()
        .map(|(name, variable)| Scenario { name: name.to_owned(), id: reader.int(variable) })
        .filter(|scenario| scenario.id > 0)
        .collect();
    let (url, key) =
        (set(reader.text(&vars::MAKE_WEBHOOK_CONTROL_URL)), set(reader.text(&vars::MAKE_WEBHOOK_API_KEY)));
    if url.is_some() != key.is_some() {
        reader.warn_once(Finding::MakeWebhookIncomplete {});
    }
    let is_bearer = reader.text(&vars::MAKE_API_AUTH_TYPE).eq_ignore_ascii_case("bearer");
    MakeSettings {
        host: reader.text(&vars::MAKE_API_HOST),
        scenarios,
        key: set(reader.text(&vars::MAKECOM_API_KEY)).map(SecretString::from),
        auth: if is_bearer { MakeAuth::Bearer } else { MakeAuth::Token },
        organization: set(reader.text(&vars::MAKE_API_ORG_ID)),
        webhook: url.zip(key).map(|(url, key)| ControlWebhook { url: url.into(), key: key.into() }),
    }
}

/// The secrets of a variable, if it is set.
pub(super) fn signing_keys(reader: &mut VariableReader<'_>, variable: &Variable) -> Option<SigningKeys> {
    let text = reader.text(variable);
    if text.is_empty() {
        return None;
    }
    SigningKeys::parse(&text).map_err(|error| reader.wrong(variable, error.to_string())).ok()
}
