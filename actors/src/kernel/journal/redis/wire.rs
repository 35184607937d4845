//! Between Rust and what the scripts take and answer.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::MAX_COUNT;
use super::link::{LogMark, ReplyLine, ScriptText, Trouble};
use crate::kernel::event::{NewEvent, Recorded, StreamId};
use crate::kernel::journal::budget::BEYOND;
use crate::kernel::journal::{
    AppendError, Appended, ClaimRequest, Claimed, Commit, Due, Expected, OutboxRow, Queue, StreamWrite, rules,
};

/// Rows one call may claim: their tokens differ in 16 bits.
const MOST_CLAIMED: usize = 60_000;

/// An entry of the log: its id, its fields and values in turn.
pub(super) type LogEntry = (String, Vec<ScriptText>);

fn text(value: impl ToString) -> ScriptText {
    value.to_string().into_bytes()
}

/// A queue as the scripts know it.
pub(super) fn queue(queue: Queue) -> ScriptText {
    text(rules::queue_index(queue))
}

/// An instant as the scripts know it.
pub(super) fn instant(at: chrono::DateTime<chrono::Utc>) -> ScriptText {
    text(rules::micros(at))
}

fn id(id: Option<Uuid>) -> ScriptText {
    id.map_or_else(Vec::new, |id| id.as_bytes().to_vec())
}

fn due(args: &mut Vec<ScriptText>, due: Due) {
    match due {
        Due::At(at) => args.extend([text(0), instant(at)]),
        Due::Reserved => args.extend([text(1), Vec::new()]),
        Due::Parked => args.extend([text(2), Vec::new()]),
    }
}

fn optional(args: &mut Vec<ScriptText>, value: Option<ScriptText>) {
    args.push(text(u8::from(value.is_some())));
    args.push(value.unwrap_or_default());
}

/// The arguments of `append.lua`.
pub(super) fn commit(commit: &Commit, mark: &LogMark, origin: &str) -> Vec<ScriptText> {
    let mut args =
        vec![text(&mark.epoch), text(mark.head), text(origin), instant(commit.at), id(commit.cause)];
    match &commit.fence {
        Some(fence) => args.extend([text(&fence.lease), text(fence.token)]),
        None => args.extend([Vec::new(), Vec::new()]),
    }
    args.push(text(commit.writes.len()));
    for write in &commit.writes {
        stream_write(&mut args, commit, write);
    }
    args.push(text(commit.settle.len()));
    for row in &commit.settle {
        args.extend([queue(row.queue), text(&row.key), id(row.claim)]);
    }
    args.push(text(commit.defer.len()));
    for row in &commit.defer {
        args.extend([queue(row.queue), text(&row.key), id(row.claim)]);
        due(&mut args, row.due);
        optional(&mut args, row.meta.as_ref().map(text));
        optional(&mut args, row.partition.as_ref().map(text));
    }
    args.push(text(commit.trim.len()));
    for trim in &commit.trim {
        args.extend([text(trim.stream.as_str()), text(trim.version)]);
    }
    args.push(text(commit.add.len()));
    for row in &commit.add {
        args.extend([queue(row.queue), text(&row.key), text(&row.partition)]);
        optional(&mut args, row.order_key.as_ref().map(text));
        due(&mut args, row.due);
        args.push(text(&row.meta));
        optional(&mut args, row.body_key.as_ref().map(text));
    }
    args.push(text(commit.bodies.len()));
    for body in &commit.bodies {
        args.extend([text(&body.key), instant(body.keep_until), body_sum(&body.bytes), body.bytes.to_vec()]);
    }
    args
}

fn stream_write(args: &mut Vec<ScriptText>, commit: &Commit, write: &StreamWrite) {
    args.push(text(write.stream.as_str()));
    args.push(match write.expected {
        Expected::NoStream => text(0),
        Expected::Exact(version) => text(version),
        Expected::Any => Vec::new(),
    });
    args.push(text(write.events.len()));
    for event in &write.events {
        let payload = text(&event.payload);
        let sum = new_sum(commit, write, event, &payload);
        args.extend([id(Some(event.id)), text(event.kind), text(event.schema), payload, sum]);
    }
}

fn new_sum(commit: &Commit, write: &StreamWrite, event: &NewEvent, payload: &[u8]) -> ScriptText {
    let parts: [&[u8]; 7] = [
        event.id.as_bytes(),
        write.stream.as_str().as_bytes(),
        event.kind.as_bytes(),
        &text(event.schema),
        &instant(commit.at),
        &id(commit.cause),
        payload,
    ];
    event_sum(parts)
}

/// The checksum of an event: SHA-256, cut. It covers everything but its place in the log.
fn event_sum(parts: [&[u8]; 7]) -> ScriptText {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).copied().collect()
}

/// The checksum of a body: SHA-256, cut.
pub(super) fn body_sum(bytes: &[u8]) -> ScriptText {
    Sha256::digest(bytes).iter().take(16).copied().collect()
}

/// What `append.lua` said.
pub(super) enum AppendReply {
    /// Written now.
    Written(Appended, [u64; Queue::COUNT]),
    /// There already.
    There(Appended),
    /// The log is not the one this process knows.
    Regressed,
}

/// Reads the answer of `append.lua`.
pub(super) fn answer(commit: &Commit, answer: &[ScriptText]) -> Result<AppendReply, AppendError> {
    let odd = || AppendError::Indeterminate("the script gave an answer that cannot be read".to_owned());
    let word = |index: usize| answer.get(index).and_then(|word| std::str::from_utf8(word).ok());
    let number = |index: usize| word(index).and_then(|word| word.parse::<u64>().ok()).ok_or_else(odd);
    match word(0).unwrap_or_default() {
        "ok" => {
            let appended = Appended { position: number(1)?, already_there: false };
            let mut touched = [0; Queue::COUNT];
            for (index, count) in touched.iter_mut().enumerate() {
                *count = number(index + 2)?;
            }
            Ok(AppendReply::Written(appended, touched))
        }
        "there" => Ok(AppendReply::There(Appended { position: number(1)?, already_there: true })),
        "regressed" => Ok(AppendReply::Regressed),
        "taken" => {
            let id = answer.get(1).and_then(|id| Uuid::from_slice(id).ok()).ok_or_else(odd)?;
            Err(rules::id_taken(id))
        }
        "partial" => {
            let events = commit.writes.iter().map(|write| write.events.len()).sum::<usize>();
            let there = usize::try_from(number(1)?).unwrap_or(events);
            let found: Vec<_> = (0..events).map(|index| (index < there).then_some(1)).collect();
            Err(rules::repeated(&found).err().unwrap_or_else(odd))
        }
        "fenced" => {
            let fence = commit.fence.as_ref().ok_or_else(odd)?;
            Err(AppendError::Fenced { lease: fence.lease.clone(), held: fence.token, current: number(1)? })
        }
        "conflict" => {
            let index = usize::try_from(number(1)?).map_err(|_| odd())?;
            let write = commit.writes.get(index).ok_or_else(odd)?;
            Err(rules::check_version(write, number(2)?).err().unwrap_or_else(odd))
        }
        "moved" => {
            let index = usize::try_from(number(1)?).map_err(|_| odd())?;
            let trim = commit.trim.get(index).ok_or_else(odd)?;
            Err(rules::check_trim(trim, number(2)?).err().unwrap_or_else(odd))
        }
        "claim" => {
            let index = usize::try_from(number(1)?).map_err(|_| odd())?;
            let settled = commit.settle.iter().map(|row| (row.queue, &row.key));
            let deferred = commit.defer.iter().map(|row| (row.queue, &row.key));
            let (queue, key) = settled.chain(deferred).nth(index).ok_or_else(odd)?;
            Err(AppendError::ClaimLost { queue, key: key.clone() })
        }
        _ => Err(odd()),
    }
}

/// What the tokens of one claim have in common.
pub(super) fn stem(id: Uuid) -> ScriptText {
    id.as_bytes().iter().take(14).copied().collect()
}

/// The arguments of `claim.lua`; the tokens begin with `stem`.
pub(super) fn claim(request: &ClaimRequest, origin: &str, stem: ScriptText) -> Vec<ScriptText> {
    let bounded = |count: usize| text(count.min(MOST_CLAIMED));
    let mut args = vec![
        text(origin),
        queue(request.queue),
        instant(request.now),
        text(rules::after(request.now, request.lease)),
        bounded(request.limit),
        bounded(request.partition_default),
        stem,
        text(request.per_partition.len()),
    ];
    for (partition, cap) in &request.per_partition {
        args.extend([text(partition), bounded(*cap)]);
    }
    args.push(request.bodies.bytes.map_or_else(Vec::new, |bytes| text(bytes.min(MAX_COUNT))));
    args.push(text(request.bodies.light_only.len()));
    args.extend(request.bodies.light_only.iter().map(text));
    let in_order = u8::from(request.bodies.in_order);
    args.extend([text(request.bodies.light.min(MAX_COUNT)), text(in_order), text(BEYOND)]);
    args
}

/// One line after the other of an answer.
struct Words(std::vec::IntoIter<Option<ScriptText>>);

impl Words {
    fn optional(&mut self) -> Option<ScriptText> {
        self.0.next().flatten()
    }
    fn bytes(&mut self) -> Result<ScriptText, Trouble> {
        self.optional().ok_or_else(|| unreadable("something is missing"))
    }
    fn text(&mut self) -> Result<String, Trouble> {
        String::from_utf8(self.bytes()?).map_err(|error| unreadable(&error))
    }
    fn optional_text(&mut self) -> Result<Option<String>, Trouble> {
        self.optional().map(String::from_utf8).transpose().map_err(|error| unreadable(&error))
    }
    fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&mut self) -> Result<T, Trouble> {
        self.text()?.parse().map_err(|error: T::Err| unreadable(&error))
    }
    fn json(&mut self) -> Result<serde_json::Value, Trouble> {
        serde_json::from_slice(&self.bytes()?).map_err(|error| unreadable(&error))
    }
}

fn unreadable(why: &(impl std::fmt::Display + ?Sized)) -> Trouble {
    Trouble::Unknown(format!("the journal in Redis has an entry that cannot be read: {why}"))
}

/// A row that `claim.lua` has claimed.
pub(super) fn claimed(queue: Queue, line: ReplyLine) -> Result<Claimed, Trouble> {
    let mut words = Words(line.into_iter());
    Ok(Claimed {
        queue,
        key: words.text()?,
        partition: words.text()?,
        order_key: words.optional_text()?,
        claim: Uuid::from_slice(&words.bytes()?).map_err(|error| unreadable(&error))?,
        claims: words.parsed()?,
        added_at: rules::instant(words.parsed()?),
        meta: words.json()?,
        body_key: words.optional_text()?,
        body: words.optional().map(Bytes::from),
    })
}

/// A row of `list.lua`, and the body it refers to when that is not there.
pub(super) fn listed(
    queue: Queue,
    line: ReplyLine,
    now: i64,
) -> Result<(OutboxRow, Option<String>), Trouble> {
    let mut words = Words(line.into_iter());
    let (key, partition) = (words.text()?, words.text()?);
    let (state, due) = (words.text()?, words.text()?);
    let due = match state.as_str() {
        "0" => Due::At(rules::instant(due.parse().map_err(|error| unreadable(&error))?)),
        "1" => Due::Reserved,
        _ => Due::Parked,
    };
    let until = words.optional_text()?.and_then(|until| until.parse::<i64>().ok());
    let row = OutboxRow {
        queue,
        key,
        partition,
        due,
        claimed: until.is_some_and(|until| until > now),
        claims: words.parsed()?,
        added_at: rules::instant(words.parsed()?),
        meta: words.json()?,
        body_key: words.optional_text()?,
        order_key: words.optional_text()?,
    };
    let gone = words.text()? == "1";
    let body = row.body_key.clone().filter(|_| gone);
    Ok((row, body))
}

/// An event of the log.
pub(super) fn recorded(entry: LogEntry) -> Result<Recorded, Trouble> {
    checked(entry).map(|(event, _)| event)
}

/// An event of the log, and whether it matches its checksum.
pub(super) fn checked((id, fields): LogEntry) -> Result<(Recorded, bool), Trouble> {
    let position = id.split('-').next().unwrap_or_default().parse().map_err(|error| unreadable(&error))?;
    // Always written in the same order; the names are for people.
    let values: Vec<Option<ScriptText>> = fields.into_iter().skip(1).step_by(2).map(Some).collect();
    let mut words = Words(values.into_iter());
    let id = words.bytes()?;
    let stream = words.text()?;
    let version = words.parsed()?;
    let kind = words.text()?;
    let schema = words.parsed::<u16>()?;
    let at = words.parsed::<i64>()?;
    let cause = words.bytes()?;
    let payload = words.bytes()?;
    let sum = words.bytes()?;
    let sound =
        event_sum([&id, stream.as_bytes(), kind.as_bytes(), &text(schema), &text(at), &cause, &payload])
            == sum;
    let event = Recorded {
        position,
        id: Uuid::from_slice(&id).map_err(|error| unreadable(&error))?,
        stream: StreamId::from_stored(&stream),
        version,
        kind,
        schema,
        at: rules::instant(at),
        cause: if cause.is_empty() {
            None
        } else {
            Some(Uuid::from_slice(&cause).map_err(|e| unreadable(&e))?)
        },
        payload: serde_json::from_slice(&payload).map_err(|error| unreadable(&error))?,
    };
    Ok((event, sound))
}
