//! What happened, and why, in the user's language: the sentences that commands and pages share.
//!
//! | file | what |
//! |---|---|
//! | [`story`] | what happened to a mail and to a delivery, event by event |
//! | [`explanation`] | why a mail would or would not trigger, around what `mail::explain` says |
//! | [`changes`] | what `rules test` finds changed |
//! | [`reasons`] | why nothing is sent, why a mail waits |
//! | [`recorded`] | what events say in English, said in French |
//! | [`refusals`] | why nothing was done about a mail or a delivery |
//! | [`faults`] | what a disk, a network or the journal's file did not do, and what to do |
//! | [`integrity`] | what the check of a journal finds |
//! | [`when`] | an instant, exactly or as people say it |
//!
//! What is typed is put into words here. What an event records in plain words is English for ever:
//! of that, French is given as far as the program itself wrote it, and the rest is shown as it is.

pub(crate) mod changes;
pub(crate) mod explanation;
pub(crate) mod faults;
pub(crate) mod integrity;
pub(crate) mod reasons;
pub(crate) mod recorded;
pub(crate) mod refusals;
pub(crate) mod story;
pub(crate) mod when;
