//! Which access token counts, and when another one is asked for. Pure: time and chance are given.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};

use super::grant::{TokenGrant, TokenTrouble};
use crate::kernel::backoff::Backoff;

/// Pauses after an endpoint was away.
const AWAY: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(300));
/// Pauses after it did not take the settings.
const SETTINGS: Backoff = Backoff::new(Duration::from_secs(300), Duration::from_secs(3_600));
/// After it said that the refresh token counts no more. Once an hour is no storm, and an account that was
/// blocked for a while is read again by itself.
const REVOKED: Backoff = Backoff::new(Duration::from_secs(3_600), Duration::from_secs(3_600));
/// Between two tokens of which the mail server takes none.
const UNWANTED: Backoff = Backoff::new(Duration::from_secs(60), Duration::from_secs(1_800));
/// A token is renewed this long before it ends, or a fifth of its life if that is less.
const AHEAD: Duration = Duration::from_secs(300);
/// Nobody is listened to who wants to be asked again later than this.
const LATEST: TimeDelta = TimeDelta::hours(1);

/// The token that counts.
#[derive(Debug, Clone)]
struct AccessToken {
    token: SecretString,
    given_at: DateTime<Utc>,
    renew_at: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// What is to be done for somebody who wants a token.
#[derive(Debug)]
pub enum TokenStep {
    /// Here is one.
    Use(SecretString),
    /// The endpoint is to be asked.
    Ask,
    /// There is none, and it is too early to ask again.
    Wait(TokenTrouble),
}

/// What is known of the tokens.
#[derive(Debug, Default)]
pub struct TokenState {
    access: Option<AccessToken>,
    /// The endpoint has not given a token so many times in a row.
    failures: u32,
    /// The endpoint is not asked before this.
    not_before: Option<DateTime<Utc>>,
    trouble: Option<TokenTrouble>,
    /// The mail server did not take so many tokens in a row, the present one last.
    unwanted: u32,
}

impl TokenState {
    /// What to do now.
    #[must_use]
    pub fn step(&self, now: DateTime<Utc>) -> TokenStep {
        let good = self.access.as_ref().filter(|access| now < access.until);
        let wanted = match good {
            None => true,
            Some(access) => now >= access.renew_at || self.is_unwanted(access, now),
        };
        match good {
            Some(access) if !wanted || self.is_early(now) => TokenStep::Use(access.token.clone()),
            None if self.is_early(now) => TokenStep::Wait(self.trouble.clone().unwrap_or_else(unknown)),
            _ => TokenStep::Ask,
        }
    }

    /// Whether the mail server does not want this token, and it is time for another one.
    fn is_unwanted(&self, access: &AccessToken, now: DateTime<Utc>) -> bool {
        self.unwanted > 0 && now >= access.given_at + delta(UNWANTED.exact(self.unwanted))
    }

    fn is_early(&self, now: DateTime<Utc>) -> bool {
        self.not_before.is_some_and(|at| now < at)
    }

    /// The endpoint gave a token.
    pub fn granted(&mut self, grant: &TokenGrant, now: DateTime<Utc>) {
        let until = now + delta(grant.life);
        let ahead = AHEAD.min(grant.life / 5);
        self.access = Some(AccessToken {
            token: grant.access.clone(),
            given_at: now,
            renew_at: until - delta(ahead),
            until,
        });
        self.failures = 0;
        self.not_before = None;
        self.trouble = None;
    }

    /// The endpoint gave none. `chance` is in `0.0..1.0`.
    pub fn failed(&mut self, trouble: TokenTrouble, now: DateTime<Utc>, chance: f64) {
        self.failures = self.failures.saturating_add(1);
        let rule = match &trouble {
            TokenTrouble::Away { .. } => AWAY,
            TokenTrouble::Settings(_) => SETTINGS,
            TokenTrouble::Revoked(_) => REVOKED,
        };
        let own = now + delta(rule.spread(self.failures, chance));
        let wish = match &trouble {
            TokenTrouble::Away { again_at, .. } => again_at.map(|at| at.min(now + LATEST)),
            _ => None,
        };
        self.not_before = Some(wish.map_or(own, |wish| wish.max(own)));
        self.trouble = Some(trouble);
    }

    /// What the endpoint is asked with has changed: it may be asked at once.
    pub fn renewed(&mut self) {
        self.failures = 0;
        self.not_before = None;
    }

    /// The mail server has taken this token, or not.
    pub fn judged(&mut self, token: &SecretString, taken: bool) {
        let is_ours =
            self.access.as_ref().is_some_and(|access| access.token.expose_secret() == token.expose_secret());
        match (is_ours, taken) {
            (true, true) => self.unwanted = 0,
            (true, false) => self.unwanted = self.unwanted.saturating_add(1),
            // Of an earlier one; another has been asked for since.
            (false, _) => {}
        }
    }

    /// Until when the present token counts.
    #[must_use]
    pub fn until(&self) -> Option<DateTime<Utc>> {
        self.access.as_ref().map(|access| access.until)
    }

    /// Why the endpoint gave no token last.
    #[must_use]
    pub fn trouble(&self) -> Option<&TokenTrouble> {
        self.trouble.as_ref()
    }
}

fn delta(time: Duration) -> TimeDelta {
    TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX)
}

fn unknown() -> TokenTrouble {
    TokenTrouble::Away { why: "it was asked a moment ago".to_owned(), again_at: None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::grant::ServerRefusal;
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn grant(token: &str, seconds: u64) -> TokenGrant {
        TokenGrant {
            access: token.into(),
            life: Duration::from_secs(seconds),
            refresh: None,
            kind: "Bearer".to_owned(),
            scope: None,
        }
    }

    fn away(again_at: Option<i64>) -> TokenTrouble {
        TokenTrouble::Away { why: "HTTP 503".to_owned(), again_at: again_at.map(at) }
    }

    fn said() -> ServerRefusal {
        ServerRefusal { status: 400, error: "invalid_grant".to_owned(), description: String::new() }
    }

    /// `use TOKEN`, `ask`, `wait`.
    fn step(state: &TokenState, seconds: i64) -> String {
        match state.step(at(seconds)) {
            TokenStep::Use(token) => format!("use {}", token.expose_secret()),
            TokenStep::Ask => "ask".to_owned(),
            TokenStep::Wait(_) => "wait".to_owned(),
        }
    }

    #[test]
    fn a_token_is_renewed_before_it_ends_and_used_until_it_does() {
        let mut state = TokenState::default();
        assert_eq!(step(&state, 0), "ask");
        state.granted(&grant("a", 3_600), at(0));
        for (seconds, wanted) in [(0, "use a"), (3_299, "use a"), (3_300, "ask"), (3_599, "ask")] {
            assert_eq!(step(&state, seconds), wanted, "{seconds}");
        }
        // The endpoint is away: the old one still counts, and is used between the tries.
        state.failed(away(None), at(3_300), 0.5);
        for (seconds, wanted) in [(3_301, "use a"), (3_302, "ask"), (3_600, "ask")] {
            assert_eq!(step(&state, seconds), wanted, "{seconds}");
        }
        state.failed(away(None), at(3_598), 0.5);
        assert_eq!((step(&state, 3_599), step(&state, 3_601)), ("use a".into(), "wait".into()));
        state.granted(&grant("b", 10), at(3_602));
        assert_eq!((step(&state, 3_609), step(&state, 3_610)), ("use b".into(), "ask".into()));
    }

    #[test]
    fn how_long_is_waited_depends_on_what_was_said() {
        type Case = (TokenTrouble, &'static [i64]);
        let cases: [Case; 4] = [
            (away(None), &[2, 4, 8, 16, 32, 64, 128, 256, 300, 300]),
            (away(Some(1_000_000)), &[3_600]),
            (TokenTrouble::Settings(said()), &[300, 600, 1_200, 2_400, 3_600, 3_600]),
            (TokenTrouble::Revoked(said()), &[3_600, 3_600, 3_600]),
        ];
        for (trouble, waits) in cases {
            let (mut state, mut now) = (TokenState::default(), 0);
            for wait in waits {
                state.failed(trouble.clone(), at(now), 0.5);
                assert_eq!(step(&state, now + wait - 1), "wait", "{trouble:?} {wait}");
                now += wait;
                assert_eq!(step(&state, now), "ask", "{trouble:?} {wait}");
            }
            state.failed(trouble, at(now), 0.5);
            state.renewed();
            assert_eq!(step(&state, now), "ask", "another refresh token is tried at once");
        }
    }

    #[test]
    fn a_token_that_the_mail_server_does_not_take_is_replaced_at_growing_intervals() {
        let mut state = TokenState::default();
        state.granted(&grant("a", 3_600), at(0));
        state.judged(&"a".into(), true);
        state.judged(&"a".into(), false);
        assert_eq!((step(&state, 59), step(&state, 60)), ("use a".into(), "ask".into()));
        state.granted(&grant("b", 3_600), at(60));
        // A verdict on the one before says nothing about this one.
        state.judged(&"a".into(), true);
        state.judged(&"b".into(), false);
        assert_eq!((step(&state, 179), step(&state, 180)), ("use b".into(), "ask".into()));
        state.granted(&grant("c", 3_600), at(180));
        state.judged(&"c".into(), true);
        assert_eq!(step(&state, 3_000), "use c");
    }

    #[derive(Debug, Clone)]
    enum Deed {
        Pass(i64),
        Granted(u64),
        Away(Option<i64>),
        Settings,
        Revoked,
        Judged(bool),
    }

    fn deed() -> impl Strategy<Value = Deed> {
        prop_oneof![
            (0_i64..5_000).prop_map(Deed::Pass),
            (0_u64..90_000).prop_map(Deed::Granted),
            prop::option::of(0_i64..100_000).prop_map(Deed::Away),
            Just(Deed::Settings),
            Just(Deed::Revoked),
            any::<bool>().prop_map(Deed::Judged),
        ]
    }

    proptest! {
        #[test]
        fn no_dead_token_is_used_nobody_waits_for_ever_and_no_failure_is_followed_by_a_storm(deeds in prop::collection::vec((deed(), 0.0..1.0_f64), 0..60)) {
            let (mut state, mut now, mut number) = (TokenState::default(), 0_i64, 0_u32);
            let (mut token, mut ends) = (String::new(), 0_i64);
            for (deed, chance) in deeds {
                let mut failed = None;
                match deed {
                    Deed::Pass(seconds) => now += seconds,
                    Deed::Granted(life) => {
                        number += 1;
                        token = format!("t{number}");
                        ends = now + i64::try_from(life).unwrap();
                        state.granted(&grant(&token, life), at(now));
                    }
                    Deed::Away(after) => failed = Some(away(after.map(|after| now + after))),
                    Deed::Settings => failed = Some(TokenTrouble::Settings(said())),
                    Deed::Revoked => failed = Some(TokenTrouble::Revoked(said())),
                    Deed::Judged(taken) => state.judged(&token.as_str().into(), taken),
                }
                if let Some(trouble) = failed {
                    state.failed(trouble, at(now), chance);
                    prop_assert_ne!(step(&state, now + 1), "ask", "asked again within a second of a failure");
                }
                match step(&state, now).as_str() {
                    "ask" | "wait" => {}
                    used => {
                        prop_assert_eq!(used, format!("use {token}"));
                        prop_assert!(now < ends);
                    }
                }
                prop_assert_eq!(step(&state, now + 2 * 86_400), "ask", "it is asked in the end");
            }
        }
    }
}
