//! Access tokens: whether they are given, and what the check of every so many days found.

use chrono::{DateTime, Utc};
use render_signal_actors::oauth::check::CheckReport;
use render_signal_actors::oauth::{OAuthReport, TokenTrouble};
use serde_json::json;

use crate::findings::Finding;
use crate::health::Check;
use crate::health::probe::OauthAnswer;

pub(super) fn judge(answer: &OauthAnswer, now: DateTime<Utc>) -> Check {
    let mut findings = Vec::new();
    if let Some(tokens) = &answer.tokens {
        findings.extend(of_tokens(tokens, now));
    }
    match &answer.check {
        Some(check) => findings.push(of_check(check, now)),
        None => findings.push(Finding::OauthCheckOff {}),
    }
    let detail = json!({
        "expires_at": answer.tokens.as_ref().and_then(|tokens| tokens.until),
        "last_check": answer.check.as_ref().and_then(|check| check.last.as_ref()).map(|last| last.written()),
    });
    Check::of("oauth", findings).with(detail)
}

/// How the tokens are that open the mailbox.
pub(crate) fn of_tokens(report: &OAuthReport, now: DateTime<Utc>) -> Vec<Finding> {
    let provider = report.provider.to_string();
    let why = |said: &dyn std::fmt::Display| said.to_string();
    let finding = match (&report.trouble, report.until) {
        (Some(TokenTrouble::Revoked(said)), _) => {
            Finding::OauthRevoked { provider: provider.clone(), why: why(said) }
        }
        (Some(TokenTrouble::Settings(said)), _) => {
            Finding::OauthRefused { provider: provider.clone(), why: why(said) }
        }
        (Some(TokenTrouble::Away { why, .. }), _) => {
            Finding::OauthAway { provider: provider.clone(), why: why.clone().into() }
        }
        (None, Some(until)) if until > now => {
            Finding::OauthWell { provider: provider.clone(), minutes: (until - now).num_minutes() }
        }
        (None, _) => Finding::OauthIdle { provider: provider.clone() },
    };
    let unkept = report.unkept.clone().map(|why| Finding::OauthNotKept { provider, why });
    std::iter::once(finding).chain(unkept).collect()
}

fn of_check(report: &CheckReport, now: DateTime<Utc>) -> Finding {
    if let Some(why) = &report.trouble {
        return Finding::OauthCheckTrouble { why: why.clone() };
    }
    let Some(last) = &report.last else {
        return if report.is_missing(now) {
            Finding::OauthCheckNever {}
        } else {
            Finding::OauthCheckNotYet {}
        };
    };
    let hours = (now - last.at).num_hours().max(0);
    if !last.success {
        return Finding::OauthCheckFailed { hours, why: last.message.clone() };
    }
    match report.is_late(now) {
        true => Finding::OauthCheckLate { hours, days: report.every.num_days() },
        false => Finding::OauthCheckWell { hours },
    }
}
