//! `oauth authorize`: walks a person through the consent, and says what to set.

use std::time::Duration;

use render_signal_actors::egress::EgressPolicy;
use render_signal_actors::kernel::clock::World;
use render_signal_actors::oauth::authorize::browser::ConsentQuestion;
use render_signal_actors::oauth::authorize::listener::ConsentListener;
use render_signal_actors::oauth::authorize::pkce::{PkcePair, unguessable};
use render_signal_actors::oauth::authorize::{ConsentFailure, device};
use render_signal_actors::oauth::grant::TokenGrant;
use render_signal_actors::oauth::{TokenEndpoint, TokenTrouble};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::words;
use crate::cli::oauth::{AuthorizeArgs, ConsentFlow};
use crate::commands::{environment, lang, malformed};
use crate::exit::{CommandFailure, CommandResult, Exit};
use crate::lang::Lang;
use crate::output::{Output, Style};
use crate::settings::ConsentSettings;
use crate::wiring;

/// Asks, waits, prints.
pub(super) async fn run(args: &AuthorizeArgs, out: &mut Output) -> CommandResult {
    let lang = args.lang.unwrap_or_else(lang);
    let settings = ConsentSettings::from_env(|name| said(args, name)).map_err(malformed)?;
    let egress = EgressPolicy::new(settings.egress_allow.clone());
    let world = World::real();
    let endpoint =
        wiring::oauth::endpoint(settings.provider.clone(), settings.client.clone(), &egress, &world)?;
    let by_code = settings.provider.device_url.is_some();
    let flow = args.flow.unwrap_or(if by_code { ConsentFlow::Device } else { ConsentFlow::Browser });
    let consent = match flow {
        ConsentFlow::Browser => {
            in_a_browser(args, &endpoint, settings.user.clone(), &world, lang, out).await?
        }
        ConsentFlow::Device => by_a_code(args, &endpoint, lang, out).await?,
    };
    match consent {
        Ok(grant) => {
            print(args, &settings, &grant, lang, out)?;
            Ok(Exit::Ok)
        }
        Err(failure) => Err(refused(&failure, lang)),
    }
}

/// A variable, of which an argument may take the place.
fn said(args: &AuthorizeArgs, name: &str) -> Option<String> {
    let argument = match name {
        "IMAP_OAUTH_PROVIDER" => args.provider.map(|provider| provider.word().to_owned()),
        "IMAP_OAUTH_CLIENT_ID" => args.client_id.clone(),
        "IMAP_OAUTH_TENANT" => args.tenant.clone(),
        "EMAIL_ADDRESS" => args.user.clone(),
        _ => None,
    };
    argument.or_else(|| environment(name))
}

fn refused(failure: &ConsentFailure, lang: Lang) -> CommandFailure {
    let exit = match failure {
        ConsentFailure::NoWay => Exit::Usage,
        ConsentFailure::Provider(TokenTrouble::Settings(_)) => Exit::Config,
        ConsentFailure::Provider(TokenTrouble::Away { .. }) => Exit::Unreachable,
        _ => Exit::Found,
    };
    CommandFailure::new(exit, lang.one(words::failure(failure)))
}

/// What came of asking; the outer error is one of the terminal.
type Consent = Result<Result<TokenGrant, ConsentFailure>, CommandFailure>;

async fn in_a_browser(
    args: &AuthorizeArgs,
    endpoint: &TokenEndpoint,
    user: Option<String>,
    world: &World,
    lang: Lang,
    out: &mut Output,
) -> Consent {
    let listener = match ConsentListener::bind(args.port).await {
        Ok(listener) => listener,
        Err(failure) => return Ok(Err(failure)),
    };
    let question = ConsentQuestion {
        redirect: listener.redirect(),
        state: unguessable(world.ids.secret()),
        pkce: PkcePair::new(world.ids.secret()),
        user,
    };
    let address = match question.address(endpoint) {
        Ok(address) => address,
        Err(failure) => return Ok(Err(failure)),
    };
    if args.json {
        out.json_line(&json!({"step": "open", "address": address, "redirect": question.redirect}))?;
    } else {
        let open = lang.pick(
            "Ouvrez cette adresse dans un navigateur sur cette machine, et acceptez\u{a0}:",
            "Open this address in a browser on this machine, and agree:",
        );
        out.line(out.styled(Style::Bold, open))?;
        out.line(format!("\n  {address}\n"))?;
        out.line(words::waiting(args.minutes, lang))?;
    }
    let patience = Duration::from_secs(args.minutes * 60);
    let pages = words::pages(lang);
    Ok(match listener.wait(&question, &pages, patience).await {
        Ok(code) => question.redeem(endpoint, code).await,
        Err(failure) => Err(failure),
    })
}

async fn by_a_code(args: &AuthorizeArgs, endpoint: &TokenEndpoint, lang: Lang, out: &mut Output) -> Consent {
    let code = match device::begin(endpoint).await {
        Ok(code) => code,
        Err(failure) => return Ok(Err(failure)),
    };
    if args.json {
        out.json_line(&json!({
            "step": "code",
            "user_code": code.user_code,
            "address": code.address,
            "whole_address": code.whole_address,
            "expires_in": code.life.as_secs(),
        }))?;
    } else {
        let open = lang.pick(
            "Ouvrez cette adresse sur l'appareil de votre choix, et tapez le code\u{a0}:",
            "Open this address on any device, and type in the code:",
        );
        out.line(out.styled(Style::Bold, open))?;
        out.line(format!("\n  {}\n  {}\n", code.address, out.styled(Style::Bold, &code.user_code)))?;
        out.line(words::waiting(args.minutes.min(code.life.as_secs().div_ceil(60)), lang))?;
    }
    let patience = Duration::from_secs(args.minutes * 60);
    let waited = tokio::time::timeout(patience, device::wait(endpoint, &code)).await;
    Ok(waited.unwrap_or(Err(ConsentFailure::TooLate)))
}

/// What to set. The token is for whoever runs the command: it is what they came for.
fn print(
    args: &AuthorizeArgs,
    settings: &ConsentSettings,
    grant: &TokenGrant,
    lang: Lang,
    out: &mut Output,
) -> Result<(), CommandFailure> {
    let token = grant.refresh.as_ref().map_or("", |token| token.expose_secret());
    let provider = json!(settings.provider.name);
    let provider = provider.as_str().unwrap_or_default();
    let mut set = vec![
        ("IMAP_AUTH", "oauth2"),
        ("IMAP_OAUTH_PROVIDER", provider),
        ("IMAP_OAUTH_CLIENT_ID", settings.client.id.as_str()),
        ("IMAP_OAUTH_REFRESH_TOKEN", token),
    ];
    if let Some(user) = &settings.user {
        set.push(("EMAIL_ADDRESS", user));
    }
    if let Some(tenant) = &args.tenant {
        set.push(("IMAP_OAUTH_TENANT", tenant));
    }
    if args.json {
        let set: serde_json::Map<_, _> =
            set.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let secret = settings.client.secret.is_some();
        return out
            .json_line(&json!({"step": "done", "set": set, "client_secret": secret, "scope": grant.scope}));
    }
    let done = lang.pick(
        "C'est accepté. À définir pour le service, comme un mot de passe que personne d'autre ne voit\u{a0}:",
        "It is agreed. To be set for the service, as a password that nobody else sees:",
    );
    out.line(format!("\n{}\n", out.styled(Style::Good, done)))?;
    for (name, value) in &set {
        out.line(format!("{name}={value}"))?;
    }
    if settings.client.secret.is_some() {
        out.line(format!(
            "IMAP_OAUTH_CLIENT_SECRET={}",
            lang.pick("(celui de maintenant)", "(the one of now)")
        ))?;
    }
    let next = lang.pick(
        "Puis «\u{a0}render-signal doctor\u{a0}» ouvre la boîte avec ces réglages.",
        "Then `render-signal doctor` opens the mailbox with these settings.",
    );
    out.line(format!("\n{next}"))
}
