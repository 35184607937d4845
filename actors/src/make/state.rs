//! What is wanted of the scenarios, and what Make has said. Pure.

use serde::{Deserialize, Serialize};

use crate::domain_events;
use crate::kernel::aggregate::{Aggregate, Evolve, Loaded};
use crate::kernel::clock::World;
use crate::kernel::event::{DomainEvent as _, EventError, StreamId};
use crate::kernel::journal::{Commit, Fence, StreamWrite};

/// A scenario, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// Its name here: `autorepondeur`, `recadrage`.
    pub name: String,
    /// Its number at Make.
    pub id: u64,
}

/// What Make said of one scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScenarioAnswer {
    /// Its name here.
    pub name: String,
    /// Its number at Make.
    pub id: u64,
    /// It is as it was wanted.
    pub ok: bool,
    /// HTTP status of the last answer; `None` = there was none.
    pub status: Option<u16>,
    /// Why it is not as it was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Payload of `scenarios.followed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsFollowed {
    /// Whether the settings want the scenarios to run.
    pub running: bool,
    /// Which setting.
    pub why: String,
}

/// Payload of `scenarios.requested`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchRequested {
    /// Whether the scenarios are to run.
    pub running: bool,
    /// Who asked: a person, or `settings`.
    pub by: String,
    /// Which setting changed, of `settings`.
    pub why: Option<String>,
}

/// Payload of `scenarios.confirmed` and `scenarios.refused`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchAnswered {
    /// What was wanted.
    pub running: bool,
    /// What Make said, one by one.
    pub scenarios: Vec<ScenarioAnswer>,
}

domain_events! {
    /// What happens to the scenarios at Make.com.
    pub enum ScenarioEvent {
        Followed(SettingsFollowed) = "scenarios.followed", schema 1, in "scenarios", "The settings were seen for the first time: from now on their changes switch the scenarios at Make.com. Nothing is switched.", {
            running: "whether they want the scenarios to run", why: "which setting" };
        Requested(SwitchRequested) = "scenarios.requested", schema 1, in "scenarios", "The scenarios at Make.com are to run, or to stop. Tried until Make agrees.", {
            running: "what is wanted", by: "who asked; settings = a setting changed", why: "which setting, or null" };
        Confirmed(SwitchAnswered) = "scenarios.confirmed", schema 1, in "scenarios", "Make.com has all scenarios as they are wanted.", {
            running: "what was wanted", scenarios: "name, id, ok, HTTP status of each" };
        Refused(SwitchAnswered) = "scenarios.refused", schema 1, in "scenarios", "Make.com did not take the switch for at least one scenario. It is tried again; recorded once for each different answer.", {
            running: "what was wanted", scenarios: "name, id, ok, HTTP status and why of each" };
    }
}

/// The one stream of an installation's scenarios.
#[must_use]
pub fn stream() -> StreamId {
    StreamId::new("scenarios", "make")
}

/// Who asked, where no person did.
pub const BY_SETTINGS: &str = "settings";

/// The scenarios as the journal tells them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scenarios {
    /// What the settings wanted last.
    pub followed: Option<bool>,
    /// The last wish, whoever's.
    pub wanted: Option<SwitchRequested>,
    /// What Make said to it last; `None` = nothing yet.
    pub answered: Option<SwitchAnswered>,
    /// It was a confirmation.
    pub confirmed: bool,
}

impl Scenarios {
    /// What is still to be done; `None` = Make has agreed, or nobody wants anything.
    #[must_use]
    pub fn pending(&self) -> Option<bool> {
        self.wanted.as_ref().filter(|_| !self.confirmed).map(|wanted| wanted.running)
    }

    /// What Make said to the wish that they run, or stop, if that is still the last one.
    #[must_use]
    pub fn answers_to(&self, running: bool) -> Option<Vec<ScenarioAnswer>> {
        self.answered.as_ref().filter(|said| said.running == running).map(|said| said.scenarios.clone())
    }
}

/// What somebody says about the scenarios.
#[derive(Debug, Clone)]
pub enum ScenarioCommand {
    /// What the settings want now.
    Follow {
        /// They are to run.
        running: bool,
        /// Which setting.
        why: &'static str,
    },
    /// A person wants them to run, or to stop. Asked again, it is carried out again.
    Ask {
        /// They are to run.
        running: bool,
        /// Who.
        by: String,
    },
    /// Make was asked.
    Answer(SwitchAnswered),
}

impl Evolve for Scenarios {
    type Event = ScenarioEvent;

    fn evolve(&mut self, event: &ScenarioEvent) {
        match event {
            ScenarioEvent::Followed(followed) => self.followed = Some(followed.running),
            ScenarioEvent::Requested(wanted) => {
                if wanted.by == BY_SETTINGS {
                    self.followed = Some(wanted.running);
                }
                self.wanted = Some(wanted.clone());
                (self.answered, self.confirmed) = (None, false);
            }
            ScenarioEvent::Confirmed(said) | ScenarioEvent::Refused(said) => {
                self.confirmed = matches!(event, ScenarioEvent::Confirmed(_));
                self.answered = Some(said.clone());
            }
        }
    }
}

impl Aggregate for Scenarios {
    type Command = ScenarioCommand;
    type Cx = ();
    type Reject = std::convert::Infallible;

    fn decide(&self, command: &ScenarioCommand, _: &()) -> Result<Vec<ScenarioEvent>, Self::Reject> {
        Ok(match command {
            ScenarioCommand::Follow { running, why } => match self.followed {
                Some(followed) if followed == *running => Vec::new(),
                Some(_) => vec![ScenarioEvent::Requested(SwitchRequested {
                    running: *running,
                    by: BY_SETTINGS.to_owned(),
                    why: Some((*why).to_owned()),
                })],
                None => {
                    vec![ScenarioEvent::Followed(SettingsFollowed {
                        running: *running,
                        why: (*why).to_owned(),
                    })]
                }
            },
            ScenarioCommand::Ask { running, by } => {
                let wish = SwitchRequested { running: *running, by: by.clone(), why: None };
                vec![ScenarioEvent::Requested(wish)]
            }
            ScenarioCommand::Answer(said) => {
                // Somebody wants something else meanwhile: this answers nothing any more.
                if self.pending() != Some(said.running) || self.answered.as_ref() == Some(said) {
                    Vec::new()
                } else if said.scenarios.iter().all(|scenario| scenario.ok) {
                    vec![ScenarioEvent::Confirmed(said.clone())]
                } else {
                    vec![ScenarioEvent::Refused(said.clone())]
                }
            }
        })
    }
}

/// The commit of what `command` decides, under `fence` where its writer must hold the lease;
/// `None` = it is already so.
///
/// # Errors
/// When an event cannot be written.
pub fn decided(
    loaded: &Loaded<Scenarios>,
    command: &ScenarioCommand,
    world: &World,
    fence: Option<Fence>,
) -> Result<Option<Commit>, EventError> {
    let Ok(events) = loaded.state.decide(command, &());
    if events.is_empty() {
        return Ok(None);
    }
    let events = events.iter().map(|event| event.to_new(world.ids.next())).collect::<Result<_, _>>()?;
    Ok(Some(Commit {
        at: world.now(),
        writes: vec![StreamWrite::after(loaded.version, stream(), events)],
        fence,
        ..Commit::default()
    }))
}
