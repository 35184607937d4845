//! What the browser says of a page, and whom it asked for something.

use serde_json::Value;

use super::{Browser, done};

/// What the browser has said and done since it was asked last.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Warnings and errors of the console, violations of the policy among them.
    pub(crate) complaints: Vec<String>,
    /// Addresses that something was asked from, in order.
    pub(crate) requests: Vec<String>,
}

impl Browser {
    /// What it has said and done since this was asked last.
    pub(crate) async fn heard(&self) -> Heard {
        let said = done("read its console", self.driver.get_log("browser").await);
        let loud = said.into_iter().filter(|entry| matches!(entry.level.as_str(), "WARNING" | "SEVERE"));
        let complaints = loud.map(|entry| format!("{} {}", entry.level, entry.message)).collect();
        let events = done("tell its requests", self.driver.get_log("performance").await);
        let requests = events.iter().filter_map(|entry| request(&entry.message)).collect();
        Heard { complaints, requests }
    }

    /// What is wrong with it: it complained, or asked another host. Empty = nothing.
    pub(crate) async fn noise(&self) -> Vec<String> {
        let heard = self.heard().await;
        let foreign = heard.requests.into_iter().filter(|url| !self.is_ours(url));
        let foreign = foreign.map(|url| format!("another host is asked: {url}"));
        heard.complaints.into_iter().map(|said| format!("the console says: {said}")).chain(foreign).collect()
    }

    /// Nothing is wrong.
    ///
    /// # Panics
    /// Something is.
    pub(crate) async fn assert_quiet(&self) {
        let noise = self.noise().await;
        assert!(noise.is_empty(), "{}:\n{}", self.path().await, noise.join("\n"));
    }

    fn is_ours(&self, url: &str) -> bool {
        let rest = url.strip_prefix(&self.origin);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            || ["data:", "blob:", "about:"].iter().any(|scheme| url.starts_with(scheme))
    }
}

/// The address, if the event is one of a request that begins.
fn request(event: &str) -> Option<String> {
    let event: Value = serde_json::from_str(event).ok()?;
    let message = &event["message"];
    if message["method"] != "Network.requestWillBeSent" && message["method"] != "Network.webSocketCreated" {
        return None;
    }
    let parameters = &message["params"];
    let url = parameters["request"]["url"].as_str().or(parameters["url"].as_str())?;
    // The browser's own first page is made of those; no page of ours can ask for any.
    (!url.starts_with("chrome:")).then(|| url.to_owned())
}
