//! Which mailbox is read, and how it is reached.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use render_signal_actors::poller::imap::{ImapSecurity, ImapSettings};

use super::reader::VariableReader;
use super::variables as vars;
use super::{MailSourceSettings, MailboxLogin, oauth};
use crate::findings::Finding;

/// `None` = there is no mailbox: nothing is polled.
pub(super) fn mail_source(reader: &mut VariableReader<'_>) -> Option<MailSourceSettings> {
    let source = reader.text(&vars::MAIL_SOURCE);
    if let Some(path) = source.strip_prefix("maildir:") {
        if path.trim().is_empty() {
            reader.wrong(&vars::MAIL_SOURCE, "the path after maildir: is missing");
        }
        return Some(MailSourceSettings::Maildir(PathBuf::from(path.trim())));
    }
    let login = [&vars::EMAIL_ADDRESS, &vars::EMAIL_PASSWORD, &vars::IMAP_SERVER];
    let wanted = match source.to_lowercase().as_str() {
        "imap" => true,
        "none" => false,
        "" => login.into_iter().any(|variable| !reader.text(variable).is_empty()) || oauth::is_wanted(reader),
        _ => {
            reader.wrong(&vars::MAIL_SOURCE, format!("{source:?} is neither imap, maildir:PATH nor none"));
            return None;
        }
    };
    if !wanted {
        // What is set all the same has to be readable.
        reader.int::<u16>(&vars::IMAP_PORT);
        reader.choice(&vars::IMAP_SECURITY);
        reader.choice(&vars::IMAP_AUTH);
        reader.switch(&vars::IMAP_USE_SSL);
        reader.int::<u64>(&vars::IMAP_IDLE_REFRESH_SECONDS);
        reader.warn_once(match source.is_empty() {
            true => Finding::MailboxMissing {},
            false => Finding::MailboxDeclined {},
        });
        return None;
    }
    let user = reader.required(&vars::EMAIL_ADDRESS);
    let login = match oauth::is_wanted(reader) {
        true => MailboxLogin::OAuth2,
        false => MailboxLogin::Password(reader.required_secret(&vars::EMAIL_PASSWORD)),
    };
    let host = host(reader, &login);
    let port = reader.int(&vars::IMAP_PORT);
    let security = imap_security(reader, &host, port);
    let ca_file = Some(reader.text(&vars::IMAP_CA_FILE)).filter(|path| !path.is_empty()).map(PathBuf::from);
    let idle_refresh = reader.int(&vars::IMAP_IDLE_REFRESH_SECONDS);
    let imap = ImapSettings {
        host,
        port,
        security,
        user,
        ca_file,
        mailbox: "INBOX".to_owned(),
        idle_refresh: Duration::from_secs(idle_refresh),
    };
    Some(MailSourceSettings::Imap(imap, login))
}

/// The server: of a provider whose mailboxes are all on one, it need not be said.
fn host(reader: &mut VariableReader<'_>, login: &MailboxLogin) -> String {
    let known = match login {
        MailboxLogin::OAuth2 => oauth::provider_name(reader).and_then(|provider| provider.imap_server()),
        MailboxLogin::Password(_) => None,
    };
    match known {
        Some(server) if reader.text(&vars::IMAP_SERVER).is_empty() => server.to_owned(),
        _ => reader.required(&vars::IMAP_SERVER),
    }
}

/// What a mailbox is called, whichever way it is reached: an address names it alone, since a
/// server has many names; any other login needs its server.
pub(super) fn name(mail: &MailSourceSettings) -> String {
    match mail {
        MailSourceSettings::Imap(imap, _) if imap.user.contains('@') => imap.user.clone(),
        MailSourceSettings::Imap(imap, _) => format!("{}@{}", imap.user, imap.host),
        MailSourceSettings::Maildir(path) => format!("maildir:{}", path.display()),
    }
}

fn imap_security(reader: &mut VariableReader<'_>, host: &str, port: u16) -> ImapSecurity {
    /// The standard port of IMAP without TLS from the first byte (RFC 8314 section 3.2).
    const CLEAR: u16 = 143;
    match reader.choice(&vars::IMAP_SECURITY).as_str() {
        "tls" => return ImapSecurity::Tls,
        "starttls" => return ImapSecurity::StartTls,
        "plain" => {
            if !host.is_empty() && !is_loopback(host) {
                reader.wrong(
                    &vars::IMAP_SECURITY,
                    format!("plain would send the password unprotected to {host}; use tls or starttls"),
                );
            }
            return ImapSecurity::Plain;
        }
        _ => {}
    }
    let unset = reader.set(&vars::IMAP_USE_SSL).is_none_or(|value| value.trim().is_empty());
    let tls = if unset && port == CLEAR { false } else { reader.switch(&vars::IMAP_USE_SSL) };
    match (tls, is_loopback(host)) {
        (true, _) => ImapSecurity::Tls,
        (false, true) => ImapSecurity::Plain,
        (false, false) => ImapSecurity::StartTls,
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
