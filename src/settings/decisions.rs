//! What decisions depend on where no document says otherwise.

use std::path::Path;
use std::time::Duration;

use chrono_tz::Tz;
use render_signal_actors::config::policy::EnvDefaults;
use render_signal_actors::mail::policy::DeliveryMode;
use render_signal_actors::mail::windows::parse_time_hhmm;

use super::check_url;
use super::reader::VariableReader;
use super::variables::{self as vars, Variable};
use super::{window_file, zones};
use crate::findings::Finding;

pub(super) fn env_defaults(reader: &mut VariableReader<'_>, webhook_url: String) -> EnvDefaults {
    let egress_allow = reader.parsed_list(&vars::EGRESS_ALLOW_CIDRS);
    check_url(reader, &vars::WEBHOOK_URL, &webhook_url, &egress_allow);
    let notify_url = reader.text(&vars::NOTIFY_WEBHOOK_URL);
    check_url(reader, &vars::NOTIFY_WEBHOOK_URL, &notify_url, &egress_allow);
    let (time_start, time_end) = window(reader);
    let (announced, said) = window_file::read(Path::new(&reader.text(&vars::CONFIG_DIR)));
    said.into_iter().for_each(|said| reader.warn_once(said));
    EnvDefaults {
        zone: zone(reader),
        senders: senders(reader),
        active_days: days(reader),
        active_start_hour: reader.int(&vars::POLLING_ACTIVE_START_HOUR),
        active_end_hour: reader.int(&vars::POLLING_ACTIVE_END_HOUR),
        interval: Duration::from_secs(reader.int(&vars::EMAIL_POLLING_INTERVAL_SECONDS)),
        inactive_interval: Duration::from_secs(reader.int(&vars::POLLING_INACTIVE_CHECK_INTERVAL_SECONDS)),
        background_tasks: background_tasks(reader),
        disable_email_id_dedup: reader.switch(&vars::DISABLE_EMAIL_ID_DEDUP),
        allow_without_links: reader.switch(&vars::ALLOW_CUSTOM_WEBHOOK_WITHOUT_LINKS),
        subject_group_dedup: reader.switch(&vars::ENABLE_SUBJECT_GROUP_DEDUP),
        subject_group_ttl: Some(Duration::from_secs(reader.int(&vars::SUBJECT_GROUP_TTL_SECONDS)))
            .filter(|ttl| !ttl.is_zero()),
        notify_url,
        delivery_mode: DeliveryMode::named(&reader.choice(&vars::WEBHOOK_DELIVERY_MODE)).unwrap_or_default(),
        ssl_verify: reader.switch(&vars::WEBHOOK_SSL_VERIFY),
        sending_enabled: reader.switch(&vars::WEBHOOK_SENDING_ENABLED),
        time_start,
        time_end,
        announced,
        webhook_url,
        offload: false,
        retention: Duration::from_secs(reader.int::<u64>(&vars::MAIL_RETENTION_DAYS).saturating_mul(86_400)),
        max_email_bytes: reader.int::<u64>(&vars::MAX_EMAIL_SIZE_MB).saturating_mul(1024 * 1024),
        egress_allow,
    }
}

fn senders(reader: &mut VariableReader<'_>) -> Vec<String> {
    let variable = &vars::SENDER_OF_INTEREST_FOR_POLLING;
    if reader.differ(variable) {
        let others = variable.aliases.iter().copied().collect();
        reader.warn_once(Finding::SendersDiffer { variable: variable.name, others });
    }
    reader.list(variable).into_iter().map(|sender| sender.to_lowercase()).collect()
}

fn background_tasks(reader: &mut VariableReader<'_>) -> bool {
    let culprit = if reader.switch(&vars::DISABLE_BACKGROUND_TASKS) {
        vars::DISABLE_BACKGROUND_TASKS.name
    } else if !reader.switch(&vars::ENABLE_BACKGROUND_TASKS) {
        vars::ENABLE_BACKGROUND_TASKS.name
    } else {
        return true;
    };
    reader.warnings.push(Finding::WorkerDoesNotPoll { variable: culprit });
    false
}

fn zone(reader: &mut VariableReader<'_>) -> Tz {
    let name = reader.text(&vars::POLLING_TIMEZONE);
    zones::named(&name).unwrap_or_else(|| {
        let near = zones::nearest(&name).map(|near| format!("; {near} is the nearest")).unwrap_or_default();
        reader.wrong(&vars::POLLING_TIMEZONE, format!("{name:?} is not the name of a time zone{near}"));
        Tz::UTC
    })
}

fn days(reader: &mut VariableReader<'_>) -> Vec<u8> {
    let members = reader.list(&vars::POLLING_ACTIVE_DAYS);
    let mut days: Vec<u8> =
        members.iter().filter_map(|day| day.parse().ok()).filter(|day| *day <= 6).collect();
    if days.len() < members.len() {
        reader.warnings.push(Finding::DaysDropped {});
    }
    if days.is_empty() {
        days = (0..=4).collect();
    }
    days.sort_unstable();
    days.dedup();
    days
}

fn window(reader: &mut VariableReader<'_>) -> (String, String) {
    let mut bound = |variable: &Variable| {
        let text = reader.text(variable);
        if !text.is_empty() && parse_time_hhmm(&text).is_none() {
            reader.wrong(variable, format!("{text:?} is not a time of day (HHhMM or HH:MM)"));
        }
        text
    };
    let (start, end) = (bound(&vars::WEBHOOKS_TIME_START), bound(&vars::WEBHOOKS_TIME_END));
    if let (Some(start), Some(end)) = (parse_time_hhmm(&start), parse_time_hhmm(&end))
        && start == end
    {
        reader.wrong(
            &vars::WEBHOOKS_TIME_END,
            "equal to WEBHOOKS_TIME_START, so that no webhook would ever be sent",
        );
    }
    (start, end)
}
