//! The address of a target as it may be shown, compared and looked up.

use sha2::{Digest as _, Sha256};
use url::Url;

use crate::mail::policy::Policy;
use crate::mail::work;

/// `https://host/***`: an address is a capability, so no path, query or password is shown.
#[must_use]
pub fn masked(address: &str) -> String {
    let Ok(url) = Url::parse(address) else { return "***".to_owned() };
    let (Some(host), Some(port)) = (url.host_str(), url.port()) else {
        return url
            .host_str()
            .map_or_else(|| "***".to_owned(), |host| format!("{}://{host}/***", url.scheme()));
    };
    format!("{}://{host}:{port}/***", url.scheme())
}

/// SHA-256 of an address in hex: lets events tell addresses apart without holding one.
#[must_use]
pub fn url_hash(address: &str) -> String {
    Sha256::digest(address.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The address that the present policy has for a target, if it has one.
#[must_use]
pub fn configured<'p>(policy: &'p Policy, target: &str) -> Option<&'p str> {
    work::target_of(policy, target).map(|target| target.url.as_str()).filter(|url| !url.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_it_opens() {
        for (address, shown) in [
            ("https://hook.eu2.make.com/abcdef?x=1", "https://hook.eu2.make.com/***"),
            ("https://me:secret@example.org:8443/a/b", "https://example.org:8443/***"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000/***"),
            ("https://[::1]:1/x", "https://[::1]:1/***"),
            ("token@hook", "***"),
            ("", "***"),
        ] {
            assert_eq!(masked(address), shown);
        }
    }

    #[test]
    fn another_address_has_another_hash() {
        assert_eq!(url_hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_ne!(url_hash("https://a/1"), url_hash("https://a/2"));
    }
}
