//! What the index is asked for.

use std::collections::HashMap;

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::index::{SearchIndex, signed, unsigned};

/// Shorter parts cannot be looked up in `words`.
const TRIGRAM: usize = 3;
/// So many mails are gone through before anything is looked up: what is in many mails is in enough of
/// these, and that takes less than to begin a look-up, in each part that `words` consists of.
const NEAR: usize = 512;
/// Questions of which it is remembered how many mails they find.
const REMEMBERED: usize = 128;

/// What is looked for: every word, as a part of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct SearchTerms {
    /// In subject or sender.
    pub(super) anywhere: Vec<String>,
    /// In the sender.
    pub(super) sender: Vec<String>,
}

/// Which of what is found.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ResultSpan {
    /// Smaller positions only.
    pub(super) before: Option<u64>,
    /// Larger positions only; without `before` the nearest of them come first.
    pub(super) after: Option<u64>,
    /// At most this many.
    pub(super) limit: usize,
}

impl ResultSpan {
    /// Smaller than the first, larger than the second.
    fn bounds(self) -> [Value; 2] {
        [self.before.map_or(i64::MAX, signed).into(), self.after.map_or(-1, signed).into()]
    }

    fn limit(self) -> Value {
        signed(self.limit as u64).into()
    }

    fn order(self) -> &'static str {
        if self.after.is_some() && self.before.is_none() { "ASC" } else { "DESC" }
    }
}

/// How many mails questions found, and up to how many they were counted.
#[derive(Debug, Default)]
pub(super) struct MatchCount(HashMap<(SearchTerms, u64), u64>);

impl MatchCount {
    /// There are more mails: what has found as many as are counted still does.
    pub(super) fn grown(&mut self) {
        self.0.retain(|(_, most), found| *found >= *most);
    }

    /// There are fewer.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    fn remember(&mut self, key: (SearchTerms, u64), found: u64) {
        if self.0.len() >= REMEMBERED {
            self.forget();
        }
        self.0.insert(key, found);
    }
}

impl SearchIndex {
    /// Positions of mails, newest first, or the nearest after `span.after`.
    pub(super) fn find(&self, wanted: &SearchTerms, span: ResultSpan) -> rusqlite::Result<Vec<u64>> {
        if !wanted.can_be_looked_up() {
            return self.go_through(wanted, span, None);
        }
        // With more asked for, half of the mails and more would have to match.
        if span.limit <= NEAR / 2 {
            let near = self.go_through(wanted, span, Some(NEAR))?;
            if near.len() == span.limit {
                return Ok(near);
            }
        }
        self.look_up(wanted, span)
    }

    fn look_up(&self, wanted: &SearchTerms, span: ResultSpan) -> rusqlite::Result<Vec<u64>> {
        let sql = format!(
            "SELECT rowid FROM words WHERE words MATCH ? AND rowid < ? AND rowid > ? ORDER BY rowid {} LIMIT ?",
            span.order()
        );
        let values = [Value::from(wanted.phrases())].into_iter().chain(span.bounds()).chain([span.limit()]);
        self.positions(&sql, values)
    }

    /// Compares the texts, of the first `most` mails or of all.
    fn go_through(
        &self,
        wanted: &SearchTerms,
        span: ResultSpan,
        most: Option<usize>,
    ) -> rusqlite::Result<Vec<u64>> {
        let (matching, patterns) = wanted.patterns();
        let order = span.order();
        // The limit within keeps the comparison out of there: it is of so many mails at most.
        let sql = format!(
            "SELECT position FROM (
                 SELECT position, text FROM known WHERE position < ? AND position > ? ORDER BY position {order} LIMIT ?
             ) WHERE {matching} ORDER BY position {order} LIMIT ?"
        );
        // Below 0 is without a limit.
        let most = most.map_or(-1, |most| signed(most as u64));
        let values =
            span.bounds().into_iter().chain([Value::from(most)]).chain(patterns).chain([span.limit()]);
        self.positions(&sql, values)
    }

    fn positions(&self, sql: &str, values: impl Iterator<Item = Value>) -> rusqlite::Result<Vec<u64>> {
        let mut query = self.db.prepare_cached(sql)?;
        let found = query.query_map(params_from_iter(values), |row| row.get(0).map(unsigned))?;
        found.collect()
    }

    /// How many mails are found, counted up to `most`.
    pub(super) fn count(&mut self, wanted: &SearchTerms, most: u64) -> rusqlite::Result<u64> {
        let key = (wanted.clone(), most);
        if let Some(found) = self.counted.0.get(&key) {
            return Ok(*found);
        }
        let (table, matching, mut values) = if wanted.can_be_looked_up() {
            ("words", "words MATCH ?".to_owned(), vec![Value::from(wanted.phrases())])
        } else {
            let (matching, patterns) = wanted.patterns();
            ("known", matching, patterns)
        };
        values.push(signed(most).into());
        let sql = format!("SELECT COUNT(*) FROM (SELECT 1 FROM {table} WHERE {matching} LIMIT ?)");
        let found = self
            .db
            .prepare_cached(&sql)?
            .query_row(params_from_iter(values), |row| row.get(0).map(unsigned))?;
        self.counted.remember(key, found);
        Ok(found)
    }
}

impl SearchTerms {
    /// Whether nothing is asked for.
    pub(super) fn is_nothing(&self) -> bool {
        self.anywhere.is_empty() && self.sender.is_empty()
    }

    /// With a shorter part the texts are gone through: that takes as long however many mails it
    /// matches, which a look-up of the longer parts would not.
    fn can_be_looked_up(&self) -> bool {
        self.anywhere.iter().chain(&self.sender).all(|word| word.chars().count() >= TRIGRAM)
    }

    /// For `words`.
    fn phrases(&self) -> String {
        let all = |words: &[String]| words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" AND ");
        let mut parts = Vec::new();
        if !self.anywhere.is_empty() {
            parts.push(format!("({})", all(&self.anywhere)));
        }
        if !self.sender.is_empty() {
            parts.push(format!("sender : ({})", all(&self.sender)));
        }
        parts.join(" AND ")
    }

    /// For `known`: a condition, and its values.
    fn patterns(&self) -> (String, Vec<Value>) {
        let anywhere = self.anywhere.iter().map(|word| format!("*{}*", literal(word)));
        let sender = self.sender.iter().map(|word| format!("*\n*{}*", literal(word)));
        let mut patterns: Vec<String> = anywhere.chain(sender).collect();
        // The longest is the rarest.
        patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.len()));
        let sql = vec!["text GLOB ?"; patterns.len()].join(" AND ");
        (sql, patterns.into_iter().map(Value::from).collect())
    }
}

/// A word as a pattern that means itself.
fn literal(word: &str) -> String {
    let mut pattern = String::with_capacity(word.len());
    for character in word.chars() {
        match character {
            '*' | '?' | '[' => pattern.extend(['[', character, ']']),
            other => pattern.push(other),
        }
    }
    pattern
}

/// A word as text, whatever it looks like to the query language.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('"', "\"\""))
}
