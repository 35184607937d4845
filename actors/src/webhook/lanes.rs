//! Who may go when: one lane per target, with its slots, its breaker and its rate. Pure.
//!
//! ```text
//! claim ─▶ ready ─▶ posting ─▶ (answered: the slot is free)
//! ```
//!
//! A lane whose target answers fast claims a few rows ahead, so that its slots are not idle
//! while the journal is asked; a slow one claims for free slots only.
//!
//! Deliveries that have failed before are claimed apart and have a share of the slots: they hold
//! up nobody, and nobody holds up them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::breaker::{Gate, THRESHOLD, TargetCommand, TargetState};
use super::lane::{Both, Lane};
pub use super::lane::{Limits, Row};
use super::quota::whole_millis;
use super::rate::{Admission, RateWindow, WINDOW};
use crate::mail::policy::{Ordering, Policy};
use crate::mail::rules::mask_url;
use crate::mail::work::delivery_partition;
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
    /// Nothing: this machine could not try. If the delivery was counted against the rate limit,
    /// it keeps its place.
    Ours {
        /// Id of the mail, and the time from which on its delivery counts.
        place: Option<(String, DateTime<Utc>)>,
    },
}

/// What kind of attempt it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trial {
    /// It probes an open breaker.
    pub probe: bool,
    /// Since when its delivery has been failing; `None` = this is its first attempt.
    pub failing_since: Option<DateTime<Utc>>,
}

impl Trial {
    const fn retries(self) -> bool {
        self.failing_since.is_some()
    }
}

/// What is to be done with a claimed row.
#[derive(Debug)]
pub enum Step {
    /// Post it.
    Start {
        /// What.
        row: Row,
        /// What kind of attempt it is.
        trial: Trial,
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
    /// Rows of a partition of a target without a lane.
    pub default: usize,
    /// Rows by partition, of which a target has two: see [`delivery_partition`].
    pub per_partition: HashMap<String, usize>,
}

/// All targets.
#[derive(Debug, Default)]
pub struct Lanes {
    limits: Limits,
    lanes: BTreeMap<String, Lane>,
    posting: usize,
    /// Of these, attempts of deliveries that have failed before.
    retrying: usize,
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
            lane.ordered = target.ordering != Ordering::None;
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
            per_partition: self.lanes.iter().flat_map(|(id, lane)| self.rooms(id, lane, now)).collect(),
        })
    }

    fn rooms(&self, id: &str, lane: &Lane, now: DateTime<Utc>) -> [(String, usize); 2] {
        let room = lane.room(&self.limits, now);
        [(delivery_partition(id, false), room.fresh), (delivery_partition(id, true), room.tried)]
    }

    /// Whether a target has both rows that were left behind and room for them.
    #[must_use]
    pub fn hungry(&self, now: DateTime<Utc>) -> bool {
        self.lanes.values().any(|lane| lane.hungry(&self.limits, now))
    }

    /// Takes claimed rows in.
    pub fn claimed(&mut self, plan: &ClaimPlan, rows: Vec<Row>) {
        let mut counts: HashMap<String, Both<usize>> = HashMap::new();
        for row in &rows {
            let count = counts.entry(row.meta.target.clone()).or_default();
            *(if row.tried() { &mut count.tried } else { &mut count.fresh }) += 1;
        }
        for id in counts.keys() {
            self.lane(id);
        }
        let full = rows.len() >= plan.limit;
        for (id, lane) in &mut self.lanes {
            let count = counts.get(id).copied().unwrap_or_default();
            let more = |count: usize, tried: bool| {
                let asked = plan.per_partition.get(&delivery_partition(id, tried));
                full || count >= asked.copied().unwrap_or(plan.default)
            };
            lane.more = Both { fresh: more(count.fresh, false), tried: more(count.tried, true) };
        }
        rows.into_iter().for_each(|row| self.push(row));
    }

    /// Takes a claimed row in.
    pub fn push(&mut self, row: Row) {
        let lane = self.lane(&row.meta.target);
        if !lane.configured {
            lane.url.clone_from(&row.meta.url);
        }
        lane.ready.push(row);
    }

    /// What is to be done now with the rows at hand.
    pub fn pump(&mut self, moment: &Moment) -> Vec<Step> {
        let mut steps = Vec::new();
        let at = whole_millis(moment.now);
        let retries_in_all = self.limits.retries_in_all();
        for lane in self.lanes.values_mut() {
            if moment.paused {
                steps.extend(lane.ready.take_all().into_iter().map(Step::Release));
                continue;
            }
            if !moment.open {
                let bound = lane.ready.take(|row| !row.meta.window.is_free());
                steps.extend(bound.into_iter().map(Step::AwaitWindow));
            }
            let late = lane.ready.take(|row| row.claimed_until - moment.now < moment.needs);
            steps.extend(late.into_iter().map(Step::Release));
            while self.posting < self.limits.total {
                let probe = match lane.gate(moment.now) {
                    None => break,
                    Some(Gate::HalfOpen) if lane.posting == 0 => true,
                    Some(Gate::Disabled | Gate::Open(_) | Gate::HalfOpen) => {
                        steps.extend(lane.ready.take_all().into_iter().map(Step::Release));
                        break;
                    }
                    Some(Gate::Closed) => false,
                };
                if lane.posting >= self.limits.per_target {
                    break;
                }
                let may_retry = lane.retrying < self.limits.retries && self.retrying < retries_in_all;
                let Some(row) = lane.ready.next(probe, may_retry) else { break };
                // A repetition has been counted already.
                let counts = !row.tried() && !lane.has_place(&row, moment.now);
                if counts
                    && let Admission::Wait(until) = lane.rate.admit(moment.rate_limit, row.meta.priority, at)
                {
                    steps.push(Step::Limit { row, until, limit: moment.rate_limit });
                    continue;
                }
                let counted = (counts && moment.rate_limit > 0).then_some(at);
                let failing_since = row.meta.first_attempt_at.filter(|_| row.tried());
                let trial = Trial { probe, failing_since };
                lane.probe_now &= !probe;
                lane.posting += 1;
                self.posting += 1;
                lane.retrying += usize::from(trial.retries());
                self.retrying += usize::from(trial.retries());
                steps.push(Step::Start { row, trial, counted });
            }
        }
        steps
    }

    /// An attempt has ended: its slot is free, and its target may be in another health.
    pub fn answered(
        &mut self,
        target: &str,
        trial: Trial,
        signal: Signal,
        took: Duration,
        now: DateTime<Utc>,
    ) {
        self.posting = self.posting.saturating_sub(1);
        self.retrying = self.retrying.saturating_sub(usize::from(trial.retries()));
        let lane = self.lane(target);
        lane.posting = lane.posting.saturating_sub(1);
        lane.retrying = lane.retrying.saturating_sub(usize::from(trial.retries()));
        if !matches!(signal, Signal::Nothing | Signal::Ours { .. }) {
            lane.pace = Some(lane.pace.map_or(took, |pace| (pace * 7 + took) / 8));
        }
        match signal {
            Signal::Delivered | Signal::Alive => {
                lane.failures = 0;
                lane.reached = Some(now);
                if lane.state.as_ref().is_some_and(|state| state.open.is_some()) {
                    lane.commands.push_back(TargetCommand::Reached);
                }
            }
            Signal::Failed if trial.probe || lane.blames(trial.failing_since) => {
                lane.failures = lane.failures.saturating_add(1);
                if trial.probe || lane.failures.is_multiple_of(THRESHOLD) {
                    let (failures, fresh) = (lane.failures, !trial.retries());
                    lane.commands.push_back(TargetCommand::Failed { failures, fresh });
                }
            }
            Signal::Gone { url_hash } => lane.commands.push_back(TargetCommand::Gone { url_hash }),
            Signal::Ours { place: Some((email_id, at)) } => {
                lane.placed.retain(|_, placed| *placed + WINDOW >= at);
                lane.placed.insert(email_id, at);
            }
            Signal::Failed | Signal::Nothing | Signal::Ours { place: None } => {}
        }
    }

    /// An attempt was given up from here.
    pub fn abandoned(&mut self, target: &str, trial: Trial) {
        self.answered(target, trial, Signal::Nothing, Duration::ZERO, DateTime::UNIX_EPOCH);
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
        // Only a first attempt is counted, and a probe that was not made tells nothing.
        self.abandoned(target, Trial::default());
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
            lane.more = Both::default();
            waiting.extend(lane.ready.take_all());
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
    pub fn adopt(&mut self, target: &str, trial: Trial) {
        self.posting += 1;
        self.retrying += usize::from(trial.retries());
        let lane = self.lane(target);
        lane.posting += 1;
        lane.retrying += usize::from(trial.retries());
    }

    /// The rows that were claimed and not begun.
    #[must_use]
    pub fn into_waiting(self) -> Vec<Row> {
        self.lanes.into_values().flat_map(|mut lane| lane.ready.take_all()).collect()
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
