//! What the program may have others do, and who may hand mails over to it.

use render_signal_actors::deploy::DeploySettings;
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
    /// What is told of Make.com.
    pub(crate) make: Make,
    /// `CORS_ALLOWED_ORIGINS`.
    pub(crate) origins: Vec<String>,
}

/// Scenarios at Make.com, as they are configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Make {
    /// `MAKE_API_HOST`.
    pub(crate) host: String,
    /// `MAKE_SCENARIO_ID_AUTOREPONDEUR`.
    pub(crate) autorepondeur: u64,
    /// `MAKE_SCENARIO_ID_RECADRAGE`.
    pub(crate) recadrage: u64,
    /// `MAKECOM_API_KEY` is set.
    pub(crate) has_key: bool,
}

pub(super) fn read(reader: &mut VariableReader<'_>) -> Outside {
    let mut secret = |variable: &Variable| {
        Some(reader.text(variable)).filter(|text| !text.is_empty()).map(SecretString::from)
    };
    let (hook, key) = (secret(&vars::RENDER_DEPLOY_HOOK_URL), secret(&vars::RENDER_API_KEY));
    let has_make_key = secret(&vars::MAKECOM_API_KEY).is_some();
    let service = Some(reader.text(&vars::RENDER_SERVICE_ID)).filter(|id| !id.is_empty());
    let clear_cache = reader.choice(&vars::RENDER_DEPLOY_CLEAR_CACHE) == "clear";
    if key.is_some() != service.is_some() {
        reader.warn_once(Finding::DeployIncomplete {});
    }
    Outside {
        ingress_keys: signing_keys(reader, &vars::INGRESS_HMAC_SECRET),
        deploy: DeploySettings { hook, key, service, clear_cache },
        make: Make {
            host: reader.text(&vars::MAKE_API_HOST),
            autorepondeur: reader.int(&vars::MAKE_SCENARIO_ID_AUTOREPONDEUR),
            recadrage: reader.int(&vars::MAKE_SCENARIO_ID_RECADRAGE),
            has_key: has_make_key,
        },
        origins: reader.list(&vars::CORS_ALLOWED_ORIGINS),
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
