//! All that happens to a mail.
//!
//! | room | what it knows |
//! |---|---|
//! | [`kernel`] | event sourcing and supervision; nothing about mail |
//! | [`mail`] | pure knowledge of mail: parse, identity, links, rules, decision, payload |
//! | [`poller`] | PollerActor: mailboxes, cursor, flags |
//! | [`lock`] | LockActor: who polls; lease and fence |
//! | [`dedup`] | DedupActor: admission of a mail, once; holds |
//! | [`ingress`] | mails that are handed over by HTTP |
//! | [`r2`] | R2Actor: linked files into R2 |
//! | [`webhook`] | WebhookActor: delivery, signature, retry, breaker, rate limit |
//! | [`config`] | ConfigActor: documents, stores, hot reload |
//! | [`oauth`] | access tokens for a mailbox, from what a person has agreed to |
//! | [`access`] | who may see and change what is here: sessions, sign-in links, the password |
//! | [`egress`] | outgoing requests: the HTTP client and the guard in front of it |
//! | [`deploy`] | has the platform deploy the program again |
//! | [`s3`] | the S3 API of R2, over the guarded client |
//! | [`worker`] | the life of a worker process |
//! | [`readmodel`] | tables for readers, computed from the log |
//! | [`search`] | who wrote and what about, found by any part of it |
//! | [`story`] | all that is known of one mail, in one answer |
//! | [`ignore`] | a mail that somebody does not want |
//! | [`stored_mail`] | what the journal still knows of a mail |
//! | [`signing`] | signatures after Standard Webhooks, made and checked |
//! | [`registry`] | every kind of event there is |
//! | [`messages`] | every message between actors |
//! | [`system`] | who starts, watches and stops whom |
//!
//! Dependencies point one way: capabilities do not know each other, `kernel` and `egress` know nobody.
//! Who knows whom is in the map of `ARCHITECTURE.md`, and a test holds every room to it.

pub mod access;
mod alone;
pub mod archive;
pub mod chore;
pub mod config;
pub mod dedup;
pub mod deploy;
pub mod egress;
pub mod ignore;
pub mod ingress;
pub mod kernel;
pub mod lock;
pub mod mail;
pub mod make;
pub mod messages;
pub mod oauth;
pub mod poller;
pub mod r2;
pub mod readmodel;
pub mod registry;
pub mod retention;
pub mod s3;
pub mod search;
pub mod signing;
pub mod stored_mail;
pub mod story;
pub mod system;
pub mod webhook;
pub mod worker;
