//! The pages, over HTTP, as a browser without a script asks for them.

mod access;
mod form;
mod full;
mod mails;
mod overview;
mod person;
mod rules;
mod settings;
mod system;
