//! What the actor does at each turn: the bookkeeping between the lanes, which decide who may
//! go, and the effects, which go.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext as _, Context};
use chrono::{DateTime, Utc};
use tokio::sync::watch;
use uuid::Uuid;

use super::lanes::{ClaimPlan, Lanes, Moment, Row, Signal, Step, Trial};
use super::{Flight, Shared, TICK, WebhookActor, attempt, effects, spawn};
use crate::kernel::guardian::depend_on;
use crate::mail::windows;

impl Flight {
    /// Its row was claimed again.
    fn go_on_under(&mut self, row: Row) {
        self.claim.send_replace(row.claim);
        self.claimed_until = row.claimed_until;
        self.again = Some(row);
    }
}

impl WebhookActor {
    /// Does whatever can be done now. Called after everything that may have changed something.
    pub(super) fn turn(&mut self, ctx: &mut Context<Self>) {
        let (Some(shared), Some(lanes)) = (self.shared.clone(), self.lanes.as_mut()) else { return };
        let policy = self.deps.policy.load();
        let now = self.deps.world.now();
        let paused = self.draining.is_some() || windows::sending(&policy, now).is_err();
        let moment = Moment {
            now,
            paused,
            open: windows::is_open(&policy, now),
            rate_limit: policy.rate_limit_per_hour,
            needs: effects::needed(&policy),
        };
        let steps = lanes.pump(&moment);
        for (target, command) in lanes.errands() {
            let task = depend_on(ctx, effects::target(Arc::clone(&shared), target.clone(), command));
            self.targets.insert(target, task);
        }
        // Heavy deliveries may have been left behind.
        self.look |= shared.load.was_freed();
        let wanted = !paused && self.claiming.is_none() && (self.look || lanes.hungry(now));
        let plan = if wanted { lanes.plan(now, self.flights.len() + steps.len()) } else { None };
        for step in steps {
            self.step(&shared, step);
        }
        if let Some(plan) = plan {
            self.look = false;
            let serial = self.next_serial();
            self.claiming = Some((serial, depend_on(ctx, effects::claim(shared, serial, plan))));
        }
        self.answer_drained();
    }

    /// Tells whoever asked it to stop that nothing is under way any more.
    pub(super) fn answer_drained(&mut self) {
        if self.draining.is_some() && self.flights.is_empty() && self.claiming.is_none() {
            // Whoever asked may have given up.
            for answer in self.drained.drain(..) {
                let _ = answer.send(());
            }
        }
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(super) fn step(&mut self, shared: &Arc<Shared>, step: Step) {
        let id = self.next_serial();
        let shared = Arc::clone(shared);
        match step {
            Step::Start { row, trial, counted } => {
                self.fly(id, row, Some(trial), |row, claim| {
                    attempt::attempt(shared, id, row, counted, claim)
                });
            }
            Step::Limit { row, until, limit } => {
                self.fly(id, row, None, |row, claim| {
                    attempt::over_the_limit(shared, id, row, (until, limit), claim)
                });
            }
            Step::AwaitWindow(row) => {
                self.fly(id, row, None, |row, claim| attempt::await_window(shared, id, row, claim));
            }
            Step::Release(row) => {
                self.fly(id, row, None, |row, _| effects::release(shared, id, row.key, row.claim));
            }
        }
    }

    fn fly<F>(
        &mut self,
        id: u64,
        row: Row,
        trial: Option<Trial>,
        effect: impl FnOnce(Row, watch::Receiver<Uuid>) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let (key, target, claimed_until) = (row.key.clone(), row.meta.target.clone(), row.claimed_until);
        let (claim, held) = watch::channel(row.claim);
        let task = spawn(effect(row, held));
        let (posting, trial) = (trial.is_some(), trial.unwrap_or_default());
        let flight = Flight { id, target, trial, posting, claim, claimed_until, again: None, task };
        self.flights.insert(key, flight);
    }

    pub(super) fn claimed(&mut self, plan: &ClaimPlan, rows: Vec<Row>) {
        if self.lanes.is_none() {
            return self.give_back(rows);
        }
        let full = rows.len() >= plan.limit;
        self.look |= full;
        let mut fresh = Vec::with_capacity(rows.len());
        for row in rows {
            match self.flights.get_mut(&row.key) {
                // Either its old claim has run out while it is still under way: then it goes on
                // under the new one, for a second attempt never begins before the first has ended.
                // Or it has just been given back: then its end says so.
                Some(flight) => flight.go_on_under(row),
                None => fresh.push(row),
            }
        }
        if let Some(lanes) = &mut self.lanes {
            lanes.claimed(plan, fresh);
        }
    }

    /// Gives claimed rows back that no lane will take, but for those that are under way.
    pub(super) fn give_back(&mut self, rows: Vec<Row>) {
        let Some(shared) = self.shared.clone() else { return };
        for row in rows {
            match self.flights.get_mut(&row.key) {
                Some(flight) if row.claimed_until > flight.claimed_until => flight.go_on_under(row),
                // Known, or of an earlier claim.
                Some(_) => {}
                None => self.step(&shared, Step::Release(row)),
            }
        }
    }

    pub(super) fn answered(&mut self, key: &str, flight: u64, signal: Signal, took: Duration) {
        let Some(known) = self.flights.get_mut(key).filter(|known| known.id == flight && known.posting)
        else {
            return;
        };
        known.posting = false;
        let now = self.deps.world.now();
        if let Some(lanes) = &mut self.lanes {
            lanes.answered(&known.target, known.trial, signal, took, now);
        }
    }

    pub(super) fn ended(&mut self, key: &str, flight: u64, claim: Uuid) {
        if self.flights.get(key).is_none_or(|known| known.id != flight) {
            return;
        }
        let Some(ended) = self.flights.remove(key) else { return };
        let again = ended.again.filter(|again| again.claim != claim);
        let Some(lanes) = &mut self.lanes else { return self.give_back(again.into_iter().collect()) };
        if ended.posting {
            lanes.abandoned(&ended.target, ended.trial);
        }
        if let Some(again) = again {
            lanes.push(again);
        }
    }

    /// There was no place left for an attempt: its row waits with the others, for its turn.
    pub(super) fn over(&mut self, flight: u64, row: Row, at: DateTime<Utc>, counted: &[DateTime<Utc>]) {
        // Without lanes the actor is starting again; the row is given back at the next tick.
        let Some(lanes) = &mut self.lanes else { return };
        if self.flights.get(&row.key).is_none_or(|known| known.id != flight || !known.posting) {
            return;
        }
        let Some(ended) = self.flights.remove(&row.key) else { return };
        lanes.over(&ended.target, at, counted);
        lanes.push(ended.again.unwrap_or(row));
    }

    pub(super) fn is_claiming(&self, serial: u64) -> bool {
        self.claiming.as_ref().is_some_and(|(current, _)| *current == serial)
    }

    /// Ends flights and gives their rows back.
    pub(super) fn abandon(&mut self, which: impl Fn(&Flight) -> bool) {
        let Some(shared) = self.shared.clone() else { return };
        let keys: Vec<String> =
            self.flights.iter().filter(|(_, flight)| which(flight)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            let Some(flight) = self.flights.get_mut(&key) else { continue };
            if flight.posting
                && let Some(lanes) = &mut self.lanes
            {
                lanes.abandoned(&flight.target, flight.trial);
            }
            flight.posting = false;
            self.serial += 1;
            flight.id = self.serial;
            let claim = *flight.claim.borrow();
            flight.task = spawn(effects::release(Arc::clone(&shared), flight.id, key, claim));
        }
    }

    /// The journal has lost commits: rows that were claimed and not begun may be gone from it,
    /// and the targets are what it says now. What is under way goes on; its outcome finds
    /// out by itself whether it is still wanted.
    pub(super) fn lost(&mut self) {
        self.look = true;
        let waiting = self.lanes.as_mut().map_or_else(Vec::new, Lanes::forget);
        let Some(shared) = self.shared.clone() else { return };
        waiting.into_iter().for_each(|row| self.step(&shared, Step::Release(row)));
    }

    pub(super) fn tick(&mut self) {
        self.look = true;
        // An effect that ended without a word has panicked.
        self.abandon(|flight| flight.task.is_finished());
        self.claiming.take_if(|(_, task)| task.is_finished());
        self.targets.retain(|_, task| !task.is_finished());
        if let Some(lanes) = &mut self.lanes {
            lanes.recheck();
            #[expect(clippy::cast_precision_loss, reason = "at most a few hundred")]
            metrics::gauge!("render_signal_delivery_in_flight").set(lanes.posting() as f64);
            for target in lanes.status(self.deps.world.now()) {
                let level = match target.breaker.as_str() {
                    "closed" => 0.0,
                    "half_open" => 1.0,
                    "open" => 2.0,
                    _ => 3.0,
                };
                metrics::gauge!("render_signal_target_breaker", "target" => target.id).set(level);
            }
        }
    }

    /// Looks again when the next row comes due, which may be sooner than the next tick.
    pub(super) fn wake_at(&mut self, next_due: Option<DateTime<Utc>>, ctx: &mut Context<Self>) {
        if let Some(wake) = self.wake.take() {
            ctx.cancel_future(wake);
        }
        let wait = next_due.and_then(|due| (due - self.deps.world.now()).to_std().ok());
        if let Some(wait) = wait.filter(|wait| *wait < TICK) {
            // A little late rather than a little early.
            self.wake = Some(ctx.run_later(wait + Duration::from_millis(1), |actor, ctx| {
                actor.look = true;
                actor.turn(ctx);
            }));
        }
    }

    /// Lets those that wait for the rate limit ask again, of each target so many, and those that
    /// wait for a later opening of the window than there is now.
    pub(super) fn hasten_waiting(&mut self, room: HashMap<String, usize>) {
        let Some(shared) = self.shared.clone() else { return };
        self.tasks.retain(|task| !task.is_finished());
        self.tasks.push(spawn(effects::hasten_waiting(shared, room)));
    }
}
