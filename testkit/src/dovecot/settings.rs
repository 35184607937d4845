//! Dovecot's settings for a server that needs no root privileges.

use std::path::Path;

/// Name of the file that says whom to ask about access tokens.
pub(super) const TOKENS: &str = "dovecot-oauth2.conf.ext";

/// The text of that file.
pub(super) fn tokens(introspection: &str) -> String {
    format!(
        "\
introspection_mode = auth
introspection_url = {introspection}
username_attribute = username
active_attribute = active
active_value = true
"
    )
}

/// The text of `dovecot.conf`; `tokens` = the mailbox can be opened by access tokens, too.
pub(super) fn text(
    folder: &Path,
    user: &str,
    group: &str,
    (plain_port, tls_port): (u16, u16),
    tokens: bool,
) -> String {
    let folder = folder.display();
    let (mechanisms, by_token) = match tokens {
        false => ("plain login", String::new()),
        true => (
            "plain login xoauth2 oauthbearer",
            format!(
                "\
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/{TOKENS}
}}
"
            ),
        ),
    };
    format!(
        "\
protocols = imap
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
first_valid_uid = 1
mail_uid = {user}
mail_gid = {group}
mail_home = {folder}/mail/%u
mail_location = maildir:~/Maildir
mail_fsync = never
mail_max_userip_connections = 200
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
ssl = yes
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
imap_idle_notify_interval = 30 s
{by_token}passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  chroot =
  process_min_avail = 1
  inet_listener imap {{
    address = 127.0.0.1
    port = {plain_port}
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service imap {{
  process_min_avail = 1
}}
service stats {{
  chroot =
}}
"
    )
}
