//! The IMAP source against a real Dovecot, and against a scripted server for what a real
//! one does not do on demand.

mod against_dovecot;
mod agreement;
mod dovecot;
mod hostile;
mod scripted;
mod tokens;
mod whole;
