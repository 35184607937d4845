//! The pages, over HTTP, as a browser without a script asks for them.

mod access;
mod mails;
mod person;
mod rules;
mod system;
