//! The conditions of a query whose filter is not known before: words of ours, values of others.

use rusqlite::types::Value;

/// Conditions that all hold, and the values of their `?`.
#[derive(Debug, Default)]
pub(super) struct SqlConditions {
    sql: Vec<String>,
    values: Vec<Value>,
}

impl SqlConditions {
    /// One without a value.
    pub(super) fn sql(&mut self, condition: &str) {
        self.sql.push(condition.to_owned());
    }

    /// One with a value.
    pub(super) fn with(&mut self, condition: &str, value: Value) {
        self.sql(condition);
        self.values.push(value);
    }

    /// The column has this text, if one is wanted.
    pub(super) fn is(&mut self, column: &str, wanted: Option<&str>) {
        if let Some(wanted) = wanted {
            self.with(&format!("{column} = ?"), wanted.to_owned().into());
        }
    }

    /// The column has one of these texts; none of them = any.
    pub(super) fn any_of(&mut self, column: &str, wanted: &[String]) {
        if !wanted.is_empty() {
            let list = serde_json::Value::from(wanted.to_vec()).to_string();
            self.with(&format!("{column} IN (SELECT value FROM json_each(?))"), list.into());
        }
    }

    /// For a `WHERE`: all of them, and the values in order.
    pub(super) fn end(self) -> (String, Vec<Value>) {
        let all = if self.sql.is_empty() { "TRUE".to_owned() } else { self.sql.join(" AND ") };
        (all, self.values)
    }
}
