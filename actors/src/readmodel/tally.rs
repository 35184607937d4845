//! Tables that say how many rows of another are alike, so that counting reads none of them.
//!
//! They follow their table by triggers: no change of a row can forget them. Nought is no row, or a table
//! that is rebuilt would differ from one that has followed the log.

// What a trigger does is said once for both that do it.

/// Counts the new row of `mails`.
macro_rules! count_mail {
    () => {
        "INSERT INTO mails_tally
         VALUES (NEW.received_at / 86400000, NEW.stage, COALESCE(NEW.reason, ''), NEW.deliveries_total,
                 NEW.delivered, NEW.dead_lettered, NEW.cancelled, NEW.targets, 1)
         ON CONFLICT DO UPDATE SET n = n + 1;"
    };
}

/// The row of `mails_tally` in which the old row of `mails` is counted.
macro_rules! tally_of_mail {
    () => {
        "day = OLD.received_at / 86400000 AND stage = OLD.stage AND reason = COALESCE(OLD.reason, '')
         AND deliveries_total = OLD.deliveries_total AND delivered = OLD.delivered
         AND dead_lettered = OLD.dead_lettered AND cancelled = OLD.cancelled AND targets = OLD.targets"
    };
}

/// Counts the old row of `mails` no longer.
macro_rules! uncount_mail {
    () => {
        concat!(
            "UPDATE mails_tally SET n = n - 1 WHERE ",
            tally_of_mail!(),
            "; DELETE FROM mails_tally WHERE n <= 0 AND ",
            tally_of_mail!(),
            ";"
        )
    };
}

/// `mails_tally`: how many mails that came on a day (UTC, days since 1970) stand alike. `reason` is empty
/// where there is none; `targets` is a JSON array, as in `mails`.
pub(super) const OF_MAILS: &str = concat!(
    "CREATE TABLE mails_tally (
        day              INTEGER NOT NULL,
        stage            TEXT NOT NULL,
        reason           TEXT NOT NULL,
        deliveries_total INTEGER NOT NULL,
        delivered        INTEGER NOT NULL,
        dead_lettered    INTEGER NOT NULL,
        cancelled        INTEGER NOT NULL,
        targets          TEXT NOT NULL,
        n                INTEGER NOT NULL,
        PRIMARY KEY (day, stage, reason, deliveries_total, delivered, dead_lettered, cancelled, targets)
    ) WITHOUT ROWID;
    CREATE TRIGGER mails_counted AFTER INSERT ON mails BEGIN ",
    count_mail!(),
    " END;
    CREATE TRIGGER mails_uncounted AFTER DELETE ON mails BEGIN ",
    uncount_mail!(),
    " END;
    CREATE TRIGGER mails_recounted
    AFTER UPDATE OF stage, reason, deliveries_total, delivered, dead_lettered, cancelled, targets ON mails
    WHEN (OLD.stage, OLD.reason, OLD.deliveries_total, OLD.delivered, OLD.dead_lettered, OLD.cancelled, OLD.targets)
        IS NOT (NEW.stage, NEW.reason, NEW.deliveries_total, NEW.delivered, NEW.dead_lettered, NEW.cancelled, NEW.targets)
    BEGIN ",
    uncount_mail!(),
    count_mail!(),
    " END;"
);

/// Counts the new row of `deliveries`.
macro_rules! count_delivery {
    () => {
        "INSERT INTO deliveries_tally VALUES (NEW.target, NEW.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;"
    };
}

/// Counts the old row of `deliveries` no longer.
macro_rules! uncount_delivery {
    () => {
        "UPDATE deliveries_tally SET n = n - 1 WHERE target = OLD.target AND state = OLD.state;
         DELETE FROM deliveries_tally WHERE target = OLD.target AND state = OLD.state AND n <= 0;"
    };
}

/// `deliveries_tally`: how many deliveries of a target there are in a state.
pub(super) const OF_DELIVERIES: &str = concat!(
    "CREATE TABLE deliveries_tally (
        target TEXT NOT NULL,
        state  TEXT NOT NULL,
        n      INTEGER NOT NULL,
        PRIMARY KEY (target, state)
    ) WITHOUT ROWID;
    CREATE TRIGGER deliveries_counted AFTER INSERT ON deliveries BEGIN ",
    count_delivery!(),
    " END;
    CREATE TRIGGER deliveries_uncounted AFTER DELETE ON deliveries BEGIN ",
    uncount_delivery!(),
    " END;
    CREATE TRIGGER deliveries_recounted AFTER UPDATE OF state ON deliveries WHEN OLD.state <> NEW.state BEGIN ",
    uncount_delivery!(),
    count_delivery!(),
    " END;"
);
