//! What a stranger can do to the compiled program, and what holds against it: by a mail, in
//! place of a server, at the HTTP port, on the same machine. `docs/threat-model.md` names the
//! test of each threat.

mod by_mail;
mod container;
mod crowds;
mod erased;
mod fake_imap;
mod faults;
mod files;
mod imap;
mod requests;
mod stores;
mod told;
