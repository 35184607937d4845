//! Who may go when: one lane per target, with its slots, its breaker and its rate. Pure.
//!
//! ```text
//! claim ─▶ ready ─▶ posting ─▶ (answered: the slot is free)
//! ```
//!
//! A lane whose target answers fast claims a few rows ahead, so that its slots are not idle
//! while the journal is asked; a slow one claims for free slots only.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::breaker::{Gate, THRESHOLD, TargetCommand, TargetState};
use super::lane::Lane;
pub use super::lane::{Limits, Row};
use super::quota::whole_millis;
use super::rate::{Admission, RateWindow};
use crate::mail::policy::Policy;
use crate::mail::rules::mask_url;
use crate::messages::TargetStatus;

/// What an attempt says about the health of its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// It took the delivery.
    Delivered,
    /// It did not answer, or said that it cannot now.
    Failed,
    /// It answered 410.
    Gone {
        /// Hash of the address that did.
        url_hash: String,
    },
    /// It answered, so it is alive, but it does not want this delivery.
    Alive,
    /// Nothing: it was not reached.
    Nothing,
}

/// What is to be done with a claimed row.
#[derive(Debug)]
pub enum Step {
    /// Post it.
    Start {
        /// What.
        row: Row,
        /// It probes an open breaker.
        probe: bool,
        /// The time from which on it counts against the rate limit, when there is one and it
        /// does: it needs a place among those of all workers.
        counted: Option<DateTime<Utc>>,
    },
    /// It is over the rate limit until then.
    Limit {
        /// What.
        row: Row,
        /// Until when.
        until: DateTime<Utc>,
        /// The limit that it is over.
        limit: u32,
    },
    /// It waits for the delivery window to open.
    AwaitWindow(Row),
    /// Give it back.
    Release(Row),
}

/// What holds at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The time.
    pub now: DateTime<Utc>,
    /// Nothing may be sent: switched off, an absence, or a stop.
    pub paused: bool,
    /// The delivery window is open.
    pub open: bool,
    /// Deliveries per target and rolling hour; 0 = unlimited.
    pub rate_limit: u32,
    /// A row is started only if its claim holds for this long.
    pub needs: TimeDelta,
}

/// What to ask the journal for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPlan {
    /// Rows in all.
    pub limit: usize,
    /// Rows of a target without a lane.
    pub default: usize,
    /// Rows by target.
    pub per_target: HashMap<String, usize>,
}

/// All targets.
#[derive(Debug, Default)]
pub struct Lanes {
    limits: Limits,
    lanes: BTreeMap<String, Lane>,
    posting: usize,
    /// What was counted in the last hour in an earlier run, for lanes that do not exist yet.
    restored: HashMap<String, Vec<Earlier>>,
}

/// A delivery that was counted before this worker started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// From when on it counts.
    pub at: DateTime<Utc>,
    /// Id of the mail, when nobody is known to have tried it: it has its place, and keeps it.
    pub placed: Option<String>,
}

impl Lanes {
    /// No targets yet. `sent`: what was counted in the last hour, by target.
    #[must_use]
    pub fn new(limits: Limits, sent: HashMap<String, Vec<Earlier>>) -> Self {
        Self { limits, restored: sent, ..Self::default() }
    }

    fn lane(&mut self, target: &str) -> &mut Lane {
        let restored = &mut self.restored;
        self.lanes.entry(target.to_owned()).or_insert_with(|| {
            let earlier = restored.remove(target).unwrap_or_default();
            let rate = RateWindow::restored(earlier.iter().map(|earlier| earlier.at).collect());
            let placed =
                earlier.into_iter().filter_map(|earlier| Some((earlier.placed?, earlier.at))).collect();
            Lane { rate, placed, ..Lane::default() }
        })
    }

    /// Takes the configured addresses in.
    pub fn configure(&mut self, policy: &Policy) {
        for lane in self.lanes.values_mut() {
            lane.configured = false;
        }
        let rules = policy.rules.iter().map(|rule| &rule.target);
        for target in
            std::iter::once(&policy.default_target).chain(rules).filter(|target| !target.url.is_empty())
        {
            let lane = self.lane(&target.id);
            lane.configured = true;
            if lane.url != target.url {
                // At the start there is nothing to compare with, and the breaker stands.
                lane.probe_now = !lane.url.is_empty();
                lane.url.clone_from(&target.url);
                lane.follow_address();
            }
        }
    }

    /// What a claim should ask for; `None` = nothing.
    #[must_use]
    pub fn plan(&self, now: DateTime<Utc>, open: usize) -> Option<ClaimPlan> {
        let ready: usize = self.lanes.values().map(|lane| lane.ready.len()).sum();
        let slots = self.limits.total.saturating_sub(self.posting);
        let limit = self
            .limits
            .claim
            .min((slots + self.limits.ahead).saturating_sub(ready))
            .min(self.limits.open.saturating_sub(open));
        (limit > 0 && slots > 0).then(|| ClaimPlan {
            limit,
            default: self.limits.per_target,
            per_target: self
                .lanes
                .iter()
                .map(|(id, lane)| (id.clone(), lane.room(&self.limits, now)))
                .collect(),
        })
    }

    /// Whether a target has both rows that were left behind and room for them.
    #[must_use]
    pub fn hungry(&self, now: DateTime<Utc>) -> bool {
        self.lanes.values().any(|lane| lane.more && lane.room(&self.limits, now) > 0)
    }

    /// Takes claimed rows in.
    pub fn claimed(&mut self, plan: &ClaimPlan, rows: Vec<Row>) {
        let full = rows.len() >= plan.limit;
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for row in &rows {
            *counts.entry(&row.meta.target).or_default() += 1;
        }
        for (id, lane) in &mut self.lanes {
            let asked = plan.per_target.get(id).copied().unwrap_or(plan.default);
            lane.more = full || counts.get(id.as_str()).copied().unwrap_or(0) >= asked;
        }
        let fresh: Vec<(String, bool)> = counts
            .iter()
            .filter(|(id, _)| !self.lanes.contains_key(**id))
            .map(|(id, count)| ((*id).to_owned(), full || *count >= plan.default))
            .collect();
        for (id, more) in fresh {
            self.lane(&id).more = more;
        }
        rows.into_iter().for_each(|row| self.push(row));
    }

    /// Takes a claimed row in.
    pub fn push(&mut self, row: Row) {
        let lane = self.lane(&row.meta.target);
        if !lane.configured {
            lane.url.clone_from(&row.meta.url);
        }
        // A claim that ran out while the row waited here was claimed anew.
        lane.ready.retain(|waiting| waiting.key != row.key);
        // Behind those that are as urgent or more.
        let ahead = lane.ready.iter().rposition(|waiting| waiting.meta.priority >= row.meta.priority);
        lane.ready.insert(ahead.map_or(0, |last| last + 1), row);
    }

    /// What is to be done now with the rows at hand.
    pub fn pump(&mut self, moment: &Moment) -> Vec<Step> {
        let mut steps = Vec::new();
        let Moment { now, paused, .. } = *moment;
        let at = whole_millis(now);
        for lane in self.lanes.values_mut() {
            if paused {
                steps.extend(lane.ready.drain(..).map(Step::Release));
                continue;
            }
            if !moment.open {
                let (free, bound) = lane.ready.drain(..).partition(|row| row.meta.window.is_free());
                lane.ready = free;
                let bound: VecDeque<Row> = bound;
                steps.extend(bound.into_iter().map(Step::AwaitWindow));
            }
            while let Some(row) = lane.ready.front() {
                let gate = lane.gate(now);
                if row.claimed_until - now < moment.needs {
                    steps.extend(lane.ready.pop_front().map(Step::Release));
                    continue;
                }
                let slots = match gate {
                    None => break,
                    Some(Gate::Disabled | Gate::Open(_)) => {
                        steps.extend(lane.ready.drain(..).map(Step::Release));
                        break;
                    }
                    Some(Gate::HalfOpen) if lane.posting > 0 => {
                        steps.extend(lane.ready.drain(..).map(Step::Release));
                        break;
                    }
                    Some(Gate::HalfOpen) => 1,
                    Some(Gate::Closed) => self.limits.per_target,
                };
                if lane.posting >= slots || self.posting >= self.limits.total {
                    break;
                }
                let Some(row) = lane.ready.pop_front() else { break };
                // A repetition has been counted already.
                let counts = row.meta.attempts == 0 && !lane.has_place(&row, now);
                if counts
                    && let Admission::Wait(until) = lane.rate.admit(moment.rate_limit, row.meta.priority, at)
                {
                    steps.push(Step::Limit { row, until, limit: moment.rate_limit });
                    continue;
                }
                let counted = (counts && moment.rate_limit > 0).then_some(at);
                let probe = gate == Some(Gate::HalfOpen);
                lane.probe_now &= !probe;
                lane.posting += 1;
                self.posting += 1;
                steps.push(Step::Start { row, probe, counted });
            }
        }
        steps
    }

    /// An attempt has ended: its slot is free, and its target may be in another health.
    pub fn answered(&mut self, target: &str, probe: bool, signal: Signal, took: Duration) {
        self.posting = self.posting.saturating_sub(1);
        let lane = self.lane(target);
        lane.posting = lane.posting.saturating_sub(1);
        if signal != Signal::Nothing {
            lane.pace = Some(lane.pace.map_or(took, |pace| (pace * 7 + took) / 8));
        }
        match signal {
            Signal::Delivered | Signal::Alive => {
                lane.failures = 0;
                if lane.state.as_ref().is_some_and(|state| state.open.is_some()) {
                    lane.commands.push_back(TargetCommand::Reached);
                }
            }
            Signal::Failed => {
                lane.failures = lane.failures.saturating_add(1);
                if probe || lane.failures.is_multiple_of(THRESHOLD) {
                    lane.commands.push_back(TargetCommand::Failed { failures: lane.failures });
                }
            }
            Signal::Gone { url_hash } => lane.commands.push_back(TargetCommand::Gone { url_hash }),
            Signal::Nothing => {}
        }
    }

    /// An attempt was given up from here.
    pub fn abandoned(&mut self, target: &str) {
        self.answered(target, false, Signal::Nothing, Duration::ZERO);
    }

    /// Targets to be read from the journal, or written to with the command. Each must be
    /// answered by [`Self::target_read`].
    pub fn errands(&mut self) -> Vec<(String, Option<TargetCommand>)> {
        let mut errands = Vec::new();
        for (id, lane) in &mut self.lanes {
            if lane.busy {
                continue;
            }
            let command = lane.commands.pop_front();
            if command.is_some() || lane.state.is_none() || lane.stale {
                lane.busy = true;
                lane.stale = false;
                errands.push((id.clone(), command));
            }
        }
        errands
    }

    /// A target as the journal has it.
    pub fn target_read(&mut self, target: &str, state: TargetState) {
        let lane = self.lane(target);
        lane.busy = false;
        let closed = state == TargetState::default();
        if closed && lane.state.as_ref().is_some_and(|known| *known != state) {
            lane.failures = 0;
        }
        lane.state = Some(state);
        lane.follow_address();
    }

    /// An attempt that was to be counted from `at` on was not begun: the places of the hour
    /// are taken, by other workers too, at these times.
    pub fn over(&mut self, target: &str, at: DateTime<Utc>, counted: &[DateTime<Utc>]) {
        self.abandoned(target);
        let rate = &mut self.lane(target).rate;
        rate.take_back(at);
        rate.heard(counted);
    }

    /// Asks for every target that is not well to be read again: another process may have
    /// changed it.
    pub fn recheck(&mut self) {
        for lane in self.lanes.values_mut() {
            lane.stale |= lane.state.as_ref().is_some_and(|state| *state != TargetState::default());
        }
    }

    /// Asks for every target to be read again, and gives out the rows that were not begun. The
    /// slots that are taken and what was sent in the last hour stay as they are.
    pub fn forget(&mut self) -> Vec<Row> {
        let mut waiting = Vec::new();
        for lane in self.lanes.values_mut() {
            lane.stale = true;
            lane.more = false;
            waiting.extend(lane.ready.drain(..));
        }
        waiting
    }

    /// The rate limit has changed: whoever waits asks again.
    pub fn rate_limit_changed(&mut self) {
        for lane in self.lanes.values_mut() {
            lane.rate.forget_turns();
        }
    }

    /// How many more may go under the rate limit, by target.
    #[must_use]
    pub fn free(&self, limit: u32, now: DateTime<Utc>) -> HashMap<String, usize> {
        let free = |lane: &Lane| lane.rate.free(limit, now).unwrap_or(usize::MAX);
        self.lanes.iter().map(|(id, lane)| (id.clone(), free(lane))).collect()
    }

    /// An attempt that was begun before these lanes existed is still under way.
    pub fn adopt(&mut self, target: &str) {
        self.posting += 1;
        self.lane(target).posting += 1;
    }

    /// The rows that were claimed and not begun.
    #[must_use]
    pub fn into_waiting(self) -> Vec<Row> {
        self.lanes.into_values().flat_map(|lane| lane.ready).collect()
    }

    /// Targets with a lane.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        self.lanes.keys().map(String::as_str)
    }

    /// Attempts under way.
    #[must_use]
    pub const fn posting(&self) -> usize {
        self.posting
    }

    /// One entry per target.
    #[must_use]
    pub fn status(&self, now: DateTime<Utc>) -> Vec<TargetStatus> {
        self.lanes
            .iter()
            .map(|(id, lane)| {
                let gate = lane.state.as_ref().map_or(Gate::Closed, |state| state.gate(now));
                TargetStatus {
                    id: id.clone(),
                    url: mask_url(&lane.url),
                    breaker: gate.as_str().to_owned(),
                    probe_at: if let Gate::Open(until) = gate { Some(until) } else { None },
                    failures: lane.failures,
                    in_flight: lane.posting,
                }
            })
            .collect()
    }
}
