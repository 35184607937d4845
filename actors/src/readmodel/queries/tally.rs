//! How many mails stand alike, from `mails_tally`: a few rows a day, whatever the number of mails.

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, Row, params_from_iter};

use super::count;
use super::mails::MailFilter;

/// Milliseconds of a day of the tally.
const DAY: i64 = 86_400_000;

/// What the rows of the tally and of a count have, in their order but for the number.
const ACCOUNT: &str = "stage, reason, deliveries_total, delivered, cancelled, dead_lettered";

/// How many mails stand alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StandingCount {
    /// The stage.
    pub(super) stage: String,
    /// The reason, where the stage has one.
    pub(super) reason: Option<String>,
    /// Webhooks of each.
    pub(super) total: u64,
    /// Of those, taken.
    pub(super) delivered: u64,
    /// Of those, cancelled.
    pub(super) cancelled: u64,
    /// Of those, given up.
    pub(super) dead: u64,
    /// So many mails.
    pub(super) n: u64,
}

impl StandingCount {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            stage: row.get(0)?,
            reason: row.get::<_, Option<String>>(1)?.filter(|reason| !reason.is_empty()),
            total: count(row, 2)?,
            delivered: count(row, 3)?,
            cancelled: count(row, 4)?,
            dead: count(row, 5)?,
            n: count(row, 6)?,
        })
    }
}

/// The mails that a filter matches, its page set aside: whole days from the tally, what is left of a day
/// at either end from the mails of that day. `None` = the tally does not know what the filter asks for.
///
/// # Errors
/// What SQLite says.
pub(super) fn accounts(db: &Connection, filter: &MailFilter) -> rusqlite::Result<Option<Vec<StandingCount>>> {
    if filter.detector.is_some() || filter.failed || filter.positions.is_some() {
        return Ok(None);
    }
    let since = filter.since.map_or(i64::MIN, |since| since.timestamp_millis());
    let until = filter.until.map_or(i64::MAX, |until| until.timestamp_millis());
    let (days, rest) = whole_days((since, until));
    let mut found = ask(db, filter, "n", "mails_tally", "day", days)?;
    for part in rest {
        found.extend(ask(db, filter, "1", "mails", "received_at", part)?);
    }
    Ok(Some(found))
}

/// From when until before when.
type TimeSpan = (i64, i64);

/// The whole days of a time, and what is left of it at its ends.
fn whole_days((since, until): TimeSpan) -> (TimeSpan, Vec<TimeSpan>) {
    let first = match since {
        i64::MIN => i64::MIN,
        since => since.div_euclid(DAY) + i64::from(since.rem_euclid(DAY) > 0),
    };
    let end = if until == i64::MAX { i64::MAX } else { until.div_euclid(DAY) };
    if first >= end {
        return ((0, 0), vec![(since, until)]);
    }
    let ends = [(since, first.saturating_mul(DAY)), (end.saturating_mul(DAY), until)];
    ((first, end), ends.into_iter().filter(|(from, to)| from < to).collect())
}

/// Rows of a table whose `column` lies in a range, `n` mails each.
fn ask(
    db: &Connection,
    filter: &MailFilter,
    n: &str,
    table: &str,
    column: &str,
    (from, to): TimeSpan,
) -> rusqlite::Result<Vec<StandingCount>> {
    if from >= to {
        return Ok(Vec::new());
    }
    let mut conditions = filter.standing();
    if let Some(target) = &filter.target {
        // In a JSON array a text stands in quotes, in which no other quote is bare.
        let quoted = format!(",{}", serde_json::Value::from(target.as_str()));
        conditions.with("instr(',' || substr(targets, 2), ?) > 0", quoted.into());
    }
    conditions.with(&format!("{column} >= ?"), from.into());
    conditions.with(&format!("{column} < ?"), to.into());
    let (conditions, values) = conditions.end();
    let sql = format!("SELECT {ACCOUNT}, SUM({n}) FROM {table} WHERE {conditions} GROUP BY {ACCOUNT}");
    read(db, &sql, values)
}

/// The same, counted mail by mail: for filters that the tally knows nothing of.
///
/// # Errors
/// What SQLite says.
pub(super) fn scanned(db: &Connection, filter: &MailFilter) -> rusqlite::Result<Vec<StandingCount>> {
    let (conditions, values) = filter.conditions(db)?;
    let (source, _) = filter.source();
    let sql = format!("SELECT {ACCOUNT}, COUNT(*) FROM {source} WHERE {conditions} GROUP BY {ACCOUNT}");
    read(db, &sql, values)
}

fn read(db: &Connection, sql: &str, values: Vec<SqlValue>) -> rusqlite::Result<Vec<StandingCount>> {
    db.prepare_cached(sql)?.query_map(params_from_iter(values), StandingCount::read)?.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_whole_days_and_what_is_left_at_its_ends() {
        let parts = |since, until| whole_days((since, until));
        assert_eq!(parts(i64::MIN, i64::MAX), ((i64::MIN, i64::MAX), Vec::new()));
        assert_eq!(parts(DAY, 3 * DAY), ((1, 3), Vec::new()));
        assert_eq!(parts(1, 3 * DAY + 5), ((1, 3), vec![(1, DAY), (3 * DAY, 3 * DAY + 5)]));
        assert_eq!(parts(1, i64::MAX), ((1, i64::MAX), vec![(1, DAY)]));
        assert_eq!(parts(i64::MIN, DAY + 1), ((i64::MIN, 1), vec![(DAY, DAY + 1)]));
        assert_eq!(parts(5, 9), ((0, 0), vec![(5, 9)]));
        assert_eq!(parts(DAY - 1, DAY + 1), ((0, 0), vec![(DAY - 1, DAY + 1)]));
        assert_eq!(parts(9, 5), ((0, 0), vec![(9, 5)]), "nothing lies in it");
    }
}
