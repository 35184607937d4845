//! The actor on the journal in memory, in virtual time, with receivers that do as told.

mod attempts;
mod faults;
mod limits;
mod local_faults;
mod preferences;
mod restarts;
mod scene;
mod scheduling;
mod stubborn;
mod targets;
mod waits;
mod weights;
mod words;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeZone as _, Utc};
use reqwest::header::HeaderMap;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::scene::*;
use super::claimed::ClaimedDelivery;
use super::dead_letters::{RetryError, Undelivered};
use super::events::{DeliveryCounted, RateEvent, delivery_stream, rate_stream, target_stream};
use super::port::Outgoing;
use super::status::WebhookStatus;
use super::target::breaker::{TargetCommand, TargetState};
use super::target::{address, carry_out, enable_target};
use super::*;
use crate::egress::{Answer, SendError};
use crate::kernel::event::{DomainEvent as _, StreamId};
use crate::kernel::guardian::{Guardian, Restarts};
use crate::kernel::journal::memory::{Fault, FaultPoint, Faults, MemoryJournal};
use crate::kernel::journal::{
    Body, ClaimRequest, Claimed, Commit, Due, Expected, JournalAdmin as _, OutboxAdd, OutboxRow, Queue,
    StreamWrite,
};
use crate::kernel::port::Port;
use crate::mail::life::{
    Location, MailDuplicated, MailEvent, MailReceived, MailRouted, RoutedDelivery, mail_stream,
};
use crate::mail::outbox_rows::{self, DeliverMeta, InWindow};
use crate::mail::policy::{Ordering as Order, Policy, Priority, Target};
use crate::mail::samples;

#[test]
fn nothing_is_sent_while_sending_is_off_or_on_a_day_of_absence() {
    play(|scene| async move {
        scene.set(|policy| policy.sending_enabled = false).await;
        scene.mails(3, "default").await;
        wait(10).await;
        assert_eq!(scene.receivers.count(), 0);
        assert!(scene.status().await.paused);
        scene
            .set(|policy| (policy.sending_enabled, policy.absence_days) = (true, vec![chrono::Weekday::Mon]))
            .await;
        wait(10).await;
        assert_eq!(scene.receivers.count(), 0);
        // Midnight in Paris is 11 hours away.
        wait(11 * 3_600 - 60).await;
        assert_eq!(scene.receivers.count(), 0);
        wait(62).await;
        assert_eq!(scene.receivers.count(), 3);
        scene.set(|policy| policy.absence_days = vec![chrono::Weekday::Tue]).await;
        scene.mails(1, "other").await;
        wait(10).await;
        scene.set(|policy| policy.absence_days.clear()).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(scene.receivers.count(), 4, "resumes at once");
    });
}

#[test]
fn a_thousand_deliveries_each_go_once() {
    play(|scene| async move {
        scene.mails(1_000, "default").await;
        wait(10).await;
        let ids = scene.receivers.ids();
        assert_eq!(ids.len(), 1_000);
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 1_000);
        assert_eq!((scene.left().await, scene.marked().await), (0, 1_000));
        assert!(scene.receivers.most.load(Ordering::SeqCst) <= 8);
        assert!(scene.journal.verify().await.unwrap().problems.is_empty());
    });
}
