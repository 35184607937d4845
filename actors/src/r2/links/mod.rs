//! The list of copied files, `webhook_links.json`: a JSON array that the PHP pages and the reference
//! system read and write, too (reference section 7).
//!
//! The journal is the truth; the list is written from it and can be written anew at any
//! time. Entries that are not from here (the `url`/`timestamp`/`source` ones of the PHP
//! logger, pairs that others have recorded) are kept as they are.
//!
//! | file | what it knows |
//! |---|---|
//! | [`book`] | entries, which of them stay, and when a new list is begun (pure) |
//! | [`file`](mod@file) | locks, reads, replaces and archives the file |
//! | [`lookup`] | finds copies that only the list knows |
//! | [`follower`] | carries what is new in the journal into the file |

pub mod book;
pub mod file;
pub mod follower;
pub mod lookup;

#[cfg(test)]
mod tests;
