//! What the program counts and measures, each with its meaning: said at `/metrics` and in
//! `docs/METRICS.md`.

use ::metrics::{describe_counter, describe_gauge, describe_histogram};

/// How a metric is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MetricKind {
    /// It only grows, and begins at 0 with each start.
    Counter,
    /// What is now.
    Gauge,
    /// How often values of each size came.
    Histogram,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Metric {
    /// As Prometheus knows it.
    pub(crate) name: &'static str,
    kind: MetricKind,
    labels: &'static [&'static str],
    /// What it counts or measures.
    pub(crate) meaning: &'static str,
}

const fn counter(name: &'static str, labels: &'static [&'static str], meaning: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Counter, labels, meaning }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], meaning: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Gauge, labels, meaning }
}

const fn histogram(name: &'static str, labels: &'static [&'static str], meaning: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Histogram, labels, meaning }
}

/// Every metric that a part of the program counts by itself; [`ASKED`] are made when somebody asks.
#[rustfmt::skip]
const METRICS: &[Metric] = &[
    counter("render_signal_mails_admitted_total", &[], "Mails taken into the journal."),
    counter("render_signal_mails_duplicate_total", &[], "Further copies of mails that the journal knows."),
    counter("render_signal_mails_heavy_total", &[], "Mails whose rules may take long to decide: their text is long, and the expressions are many or large."),
    counter("render_signal_mails_set_aside_total", &[], "Mails that workers died of. Each waits for an operator."),
    counter("render_signal_mails_pushed_total", &["result"], "Mails that came by HTTP: new, duplicate or failed."),
    counter("render_signal_strangers_dropped_total", &[], "Mails of senders that are not in the list whose content was dropped before its time, to make room."),
    gauge("render_signal_mailbox_waiting_mails", &["mailbox"], "Mails of the mailbox that are not in the journal yet."),
    gauge("render_signal_mailbox_oldest_waiting_seconds", &["mailbox"], "Age of the oldest of them; 0 = none waits."),
    gauge("render_signal_mailbox_last_heard_timestamp_seconds", &["mailbox"], "When the mailbox's server was heard last, as Unix time; 0 = never."),
    gauge("render_signal_mailbox_silent", &["mailbox"], "1 = the mailbox has not been heard for three times as long as it should take."),
    gauge("render_signal_mailbox_active", &["mailbox"], "1 = the schedule allows polling now, and this worker polls."),
    gauge("render_signal_mailbox_consecutive_failures", &["mailbox"], "Failures since the mailbox was read last."),
    gauge("render_signal_mailbox_uid_next", &["mailbox"], "The next UID that the server will give, once the mailbox was opened (RFC 9051 section 2.3.1.1)."),
    gauge("render_signal_mailbox_cursor", &["mailbox"], "Highest UID whose mail is in the journal, once the mailbox was opened."),
    gauge("render_signal_mailbox_troubled_mails", &[], "Mails that could not be taken in and are tried again."),
    counter("render_signal_mailbox_admitted_total", &["result"], "Mails of the mailbox that were handed on: new, duplicate or failed."),
    counter("render_signal_mailbox_failures_total", &["kind"], "Failures to read the mailbox: unreachable, refused, settings, protocol or declined."),
    counter("render_signal_mailbox_fetched_total", &["part"], "Mails fetched: full, or the header alone of a mail that is too large."),
    counter("render_signal_mailbox_flagged_total", &[], "Mails marked as read on the server."),
    counter("render_signal_oauth_renewals_total", &["outcome"], "Access tokens that were asked for: given, away (the provider did not answer), settings (it does not take them) or revoked."),
    gauge("render_signal_oauth_token_expires_timestamp_seconds", &[], "Until when the access token of the mailbox counts, as Unix time, once one was given."),
    gauge("render_signal_oauth_revoked", &[], "1 = the permission to read the mailbox was withdrawn or has run out."),
    gauge("render_signal_oauth_check_last_run_timestamp_seconds", &[], "When the OAuth2 access was checked last, by the program or the PHP side, as Unix time; 0 = never. Its age: time() minus this."),
    gauge("render_signal_oauth_check_success", &[], "1 = that check went well."),
    gauge("render_signal_lease_held", &[], "1 on the worker that polls."),
    gauge("render_signal_lease_fence", &[], "Fence of the last grant of the lease to this worker."),
    counter("render_signal_lease_failures_total", &[], "Attempts to take the lease that ended in an error."),
    counter("render_signal_delivery_attempts_total", &["outcome"], "Attempts to deliver a webhook: delivered, retry, gone (the receiver said 410) or dead_lettered."),
    histogram("render_signal_delivery_seconds", &[], "How long an attempt took, from the connection to the end of the answer."),
    gauge("render_signal_delivery_in_flight", &[], "Webhooks that are being posted now."),
    counter("render_signal_dead_letters_total", &["target"], "Deliveries that were given up. Each waits for an operator."),
    gauge("render_signal_target_breaker", &["target"], "Circuit breaker of a target: 0 = closed, 1 = half open, 2 = open or disabled."),
    counter("render_signal_local_faults_total", &[], "Attempts that this machine could not make (no file descriptor, no memory, no port). They cost the delivery nothing."),
    counter("render_signal_r2_links_total", &["outcome"], "Links of mails: copied, reused (an earlier copy), kept (sent as it was found) or put_off (tried again)."),
    histogram("render_signal_r2_transfer_seconds", &["outcome"], "How long the copy of a link took."),
    gauge("render_signal_r2_mails_in_flight", &[], "Mails whose links are being copied now."),
    gauge("render_signal_r2_mails_put_off", &[], "Mails whose links cannot be copied at the moment and are tried again."),
    counter("render_signal_r2_parked_total", &[], "Mails put aside because their row cannot be read. Each waits for an operator."),
    counter("render_signal_r2_swept_total", &["kind"], "What the clean-up has removed from the bucket: upload (never finished) or expired."),
    counter("render_signal_r2_uploads_resumed_total", &[], "Uploads that went on after an interruption."),
    counter("render_signal_links_file_errors_total", &[], "Looks at the journal after which the list of links was not up to date."),
    counter("render_signal_journal_commits_total", &["outcome"], "Commits: appended, conflict, claim_lost, fenced, rejected or indeterminate."),
    histogram("render_signal_journal_append_seconds", &[], "From handing a commit over to its acknowledgement."),
    counter("render_signal_journal_failures_total", &[], "Transactions that failed. Whoever asked was told."),
    histogram("render_signal_journal_group_seconds", &[], "How long a group of operations took to be on the disk."),
    histogram("render_signal_journal_group_size", &[], "How many operations shared a trip to the disk."),
    counter("render_signal_journal_regressed_total", &[], "How often the journal in Redis was found to have lost acknowledged commits."),
    counter("render_signal_journal_bodies_purged_total", &[], "Bodies dropped because MAIL_RETENTION_DAYS were over and nothing referred to them."),
    counter("render_signal_journal_archived_events_total", &[], "Events moved out of the journal because JOURNAL_RETENTION_DAYS were over."),
    counter("render_signal_projection_errors_total", &["projection"], "Events that a read model could not take in; all: none of them could read it."),
    gauge("render_signal_config_version", &[], "Version of the policy in force in this process."),
    counter("render_signal_config_changes_total", &["key", "result"], "Changes of a document that were seen in the store: applied or refused."),
    gauge("render_signal_config_refused", &["key"], "1 = the stored document is not the one in force."),
    gauge("render_signal_config_missing", &["key"], "1 = the document in force is not stored any more."),
    gauge("render_signal_config_pending", &["key"], "1 = a change waits for the authority."),
    gauge("render_signal_config_conflict", &["key"], "1 = two changes wait for a decision."),
    counter("render_signal_config_recovered_total", &["key"], "Documents put back into a store that had lost them."),
    counter("render_signal_config_fallback_total", &["key", "what"], "Documents read from, or written to, another place because the authority did not answer."),
    gauge("render_signal_config_store_up", &["store"], "0 = the store does not answer, or not for every document."),
    histogram("render_signal_config_store_seconds", &["store", "operation"], "How long a store took."),
    counter("render_signal_config_store_errors_total", &["store", "operation"], "Questions that a store did not answer."),
    gauge("render_signal_config_store_consecutive_failures", &["store"], "Questions in a row that a store did not answer."),
    counter("render_signal_config_store_cache_total", &["store", "result"], "Reads answered from memory, or not."),
    counter("render_signal_config_api_requests_total", &["status"], "Requests for documents at /config_api.php."),
    histogram("render_signal_http_request_seconds", &["status"], "How long a request waited for its answer to begin, by the class of its status, such as 2xx; looks at the health and at the metrics are left out."),
    gauge("render_signal_http_connections", &[], "Open connections, as of the last that came."),
    counter("render_signal_http_dropped_total", &["reason"], "Connections that were given up: crowd (too many), slow or head (a head that is too large or malformed)."),
    gauge("render_signal_http_streams", &[], "Streams of events and states that are open."),
    counter("render_signal_login_throttled_total", &["by"], "Logins that were told to wait, by what was used up: address, account or guessed_at."),
    counter("render_signal_actor_restarts_total", &["actor"], "Actors that failed and were started again."),
    counter("render_signal_workers_vanished_total", &[], "Workers that went silent, and whose claims this one released."),
    gauge("render_signal_clock_offset_seconds", &[], "How far the clock of the journal's server is ahead of this machine's."),
    gauge("render_signal_data_disk_total_bytes", &[], "Size of the file system that DATA_DIR lies on."),
    gauge("render_signal_data_disk_used_bytes", &[], "What that file system has taken, by whomever."),
    gauge("render_signal_data_disk_free_bytes", &[], "What this program may still take of it."),
    gauge("render_signal_data_dir_bytes", &[], "What the files of DATA_DIR take."),
    counter("render_signal_log_lines_dropped_total", &[], "Lines of the log that were dropped because nobody read it in time."),
    counter("render_signal_trace_spans_total", &["result"], "Steps of mails in their traces: exported, or dropped (too many waited, or the collector did not take them)."),
    gauge("render_signal_build_info", &["version"], "Always 1; the label is the program's version."),
];

/// What is found out when somebody asks for the metrics.
#[rustfmt::skip]
pub(crate) const ASKED: [Metric; 3] = [
    gauge("render_signal_ready", &[], "1 = `/readyz` says ready."),
    gauge("render_signal_check", &["check"], "State of each check of `/readyz`: 0 = ok, 1 = worth a look, 2 = not ready because of it."),
    gauge("render_signal_attention", &["what"], "How many things need a person, as the overview shows them: `dead_letters`, `quarantined`, `set_aside`, `target_gone`, or the code of a finding. What is not there needs nobody."),
];

impl Metric {
    /// What it means, and by what it is told apart.
    fn help(&self) -> String {
        match self.labels {
            [] => self.meaning.to_owned(),
            labels => format!("{} By {}.", self.meaning, labels.join(", ")),
        }
    }
}

/// Tells whoever reads `/metrics` what each metric means.
pub(super) fn describe() {
    for metric in METRICS {
        match metric.kind {
            MetricKind::Counter => describe_counter!(metric.name, metric.help()),
            MetricKind::Gauge => describe_gauge!(metric.name, metric.help()),
            MetricKind::Histogram => describe_histogram!(metric.name, metric.help()),
        }
    }
}

#[cfg(test)]
mod monitoring;
#[cfg(test)]
mod tests;
