//! Finding what is on a page: as a style sheet names it, or as a screen reader does.

use std::fmt;

use serde_json::{Value, json};
use thirtyfour::{By, WebElement};

use super::{Browser, PATIENCE, ensure, until};

/// Something on a page.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// As a style sheet selects it.
    Css(String),
    /// By its role and its accessible name, as the browser computes them.
    Role(String, String),
    /// A field, by its accessible name.
    Label(String),
}

/// What a selector selects.
pub(crate) fn css(selector: &str) -> Target {
    Target::Css(selector.to_owned())
}

/// What is read out as this: `role("button", "Se connecter")`.
pub(crate) fn role(role: &str, name: &str) -> Target {
    Target::Role(role.to_owned(), name.to_owned())
}

/// The field with this label.
pub(crate) fn label(name: &str) -> Target {
    Target::Label(name.to_owned())
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Css(selector) => write!(f, "{selector}"),
            Self::Role(role, name) => write!(f, "the {role} {name:?}"),
            Self::Label(name) => write!(f, "the field {name:?}"),
        }
    }
}

/// Roles of things that something is entered into.
const FIELDS: [&str; 12] = [
    "textbox",
    "searchbox",
    "combobox",
    "listbox",
    "checkbox",
    "radio",
    "switch",
    "spinbutton",
    "slider",
    "Date",
    "DateTime",
    "InputTime",
];

impl Browser {
    /// Whatever there is now; hidden things have no role and no label.
    pub(super) async fn find_all(&self, target: &Target) -> Result<Vec<WebElement>, String> {
        match target {
            Target::Css(selector) => {
                self.driver.find_all(By::Css(selector)).await.map_err(|error| error.to_string())
            }
            Target::Role(role, name) => self.read_out(name, |found| found == role).await,
            Target::Label(name) => self.read_out(name, |found| FIELDS.contains(&found)).await,
        }
    }

    async fn read_out(&self, name: &str, wanted: impl Fn(&str) -> bool) -> Result<Vec<WebElement>, String> {
        let ask = async |command: &str, parameters: Value| {
            self.driver.cdp().send_raw(command, parameters).await.map_err(|error| error.to_string())
        };
        let document = ask("DOM.getDocument", json!({ "depth": 0 })).await?;
        let query = json!({ "nodeId": document["root"]["nodeId"], "accessibleName": name });
        let answer = ask("Accessibility.queryAXTree", query).await?;
        for node in answer["nodes"].as_array().into_iter().flatten() {
            if node["ignored"] == true || !wanted(node["role"]["value"].as_str().unwrap_or_default()) {
                continue;
            }
            let object = ask("DOM.resolveNode", json!({ "backendNodeId": node["backendDOMNodeId"] })).await?;
            let keep = "function () { (window.__found ??= []).push(this) }";
            let call = json!({ "objectId": object["object"]["objectId"], "functionDeclaration": keep });
            ask("Runtime.callFunctionOn", call).await?;
        }
        let script = "const found = window.__found ?? []; delete window.__found; return found";
        let found = self.driver.execute(script, Vec::new()).await.map_err(|error| error.to_string())?;
        found.elements().map_err(|error| error.to_string())
    }

    /// Does something with the one that there is, as soon as there is one and it lets it be done.
    pub(super) async fn with<T>(
        &self,
        target: &Target,
        mut act: impl AsyncFnMut(&WebElement) -> thirtyfour::error::WebDriverResult<T>,
    ) -> T {
        until(&target.to_string(), PATIENCE, async || {
            let found = self.find_all(target).await?;
            let [one] = found.as_slice() else {
                return Err(format!("there are {} on {}", found.len(), self.path().await));
            };
            act(one).await.map_err(|error| error.to_string())
        })
        .await
    }

    /// How many there are now.
    pub(crate) async fn count(&self, target: &Target) -> usize {
        self.find_all(target).await.map_or(0, |found| found.len())
    }

    /// Waits until there is one.
    pub(crate) async fn see(&self, target: &Target) {
        self.with(target, async |_| Ok(())).await;
    }

    /// Waits until there is none.
    pub(crate) async fn gone(&self, target: &Target) {
        until(&format!("{target} to go away"), PATIENCE, async || {
            let found = self.find_all(target).await?.len();
            ensure(found == 0, || format!("there are {found}"))
        })
        .await;
    }

    /// The text of one, as it is shown.
    pub(crate) async fn text_of(&self, target: &Target) -> String {
        self.with(target, async |one| one.text().await).await
    }

    /// An attribute of one.
    pub(crate) async fn attribute(&self, target: &Target, name: &str) -> Option<String> {
        self.with(target, async |one| one.attr(name).await).await
    }

    /// What stands in a field.
    pub(crate) async fn value(&self, target: &Target) -> String {
        self.with(target, async |one| one.prop("value").await).await.unwrap_or_default()
    }
}
