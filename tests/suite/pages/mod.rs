//! The pages, over HTTP, as a browser without a script asks for them.

mod access;
mod form;
mod person;
mod settings;
mod system;
