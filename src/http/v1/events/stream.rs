//! `/api/v1/events/stream`: what happens, as it happens (server-sent events, WHATWG HTML
//! section 9.2). The id of an event is its position, so whoever comes back with `Last-Event-ID`
//! misses nothing. `reset` says that positions from before mean nothing any more, or that events
//! in between have been archived; `opened` where a stream begins that no position was given for; `bye` that the program stops and another connection is needed.

use std::time::Duration;

use actix_sse::{Data as Message, Event, Sse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, Responder as _};
use futures::{StreamExt as _, stream};
use render_signal_actors::kernel::journal::JournalError;
use render_signal_actors::readmodel::log::{self, LogSelection};
use serde::Deserialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use utoipa::IntoParams;

use super::hub::{Broadcast, EncodedEvent};
use super::{KindName, selection};
use crate::http::HttpState;
use crate::http::openapi::refusals::ReadRefusals;
use crate::http::problem::{HttpProblem, ProblemKind};
use crate::http::streams::StreamPermit;
use crate::http::v1::Params;
use crate::http::v1::page::{Position, unavailable};

/// Between two signs of life. A proxy cuts what is silent, and a reader that has gone is noticed
/// by writing to it.
pub(in crate::http) const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);
/// How long a browser waits before it connects again; each is told a little more or less.
const RECONNECT_DELAY: Duration = Duration::from_secs(2);
/// Events that are read at a time for one who is behind.
const PAGE_SIZE: usize = 100;

/// What to follow.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct StreamParams {
    /// Those of this stream, such as `mail-<id>`.
    stream: Option<String>,
    /// Those of streams of this category, such as `mail`.
    category: Option<String>,
    /// Those of these kinds, with commas between them.
    #[serde(default)]
    #[param(style = Form, explode = false, inline, value_type = Vec<KindName>)]
    kind: Vec<String>,
    /// Those above this position; unset = from now on. `Last-Event-ID` goes before it.
    #[param(value_type = Option<u64>)]
    after: Option<Position>,
}

/// Events as they happen.
#[utoipa::path(get, path = "/api/v1/events/stream", tag = "events",
    params(StreamParams, ("Last-Event-ID" = Option<u64>, Header, description = "Where the last stream ended")),
    responses((status = 200, content_type = "text/event-stream", body = String,
            description = "`id` is the position, `event` the kind, `data` the event as in a page; besides, `opened` (where it begins, if no position was given), `reset` and `bye`"), ReadRefusals))]
pub(in crate::http) async fn events(
    request: HttpRequest,
    Params(params): Params<StreamParams>,
    state: Data<HttpState>,
) -> Result<HttpResponse, HttpProblem> {
    let selection = selection(params.stream.as_ref(), params.category.as_ref(), &params.kind)?;
    let resumed = last_id(&request)?.or(params.after.map(Position::get));
    let permit = state.streams.enter()?;
    let news = state.hub.follow().await.map_err(unavailable)?;
    let head = state.journal.head().await.map_err(unavailable)?;
    let reader = EventFollower {
        state: state.clone(),
        selection,
        position: resumed.unwrap_or(head),
        resumed: resumed.is_some(),
        // A client that begins now has a position to come back to, even if nothing happens for long.
        ready: resumed.is_none().then(|| opened(head)).into_iter().collect(),
        behind: true,
        news,
        ended: false,
        _permit: permit,
    };
    let events = stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((event, reader))
    });
    Ok(respond(&request, &state, events))
}

/// A stream of events as an answer.
pub(in crate::http) fn respond(
    request: &HttpRequest,
    state: &HttpState,
    events: impl futures::Stream<Item = Event> + 'static,
) -> HttpResponse {
    // Those who were sent away together shall not come back together.
    let retry = state.world.jitter.spread(RECONNECT_DELAY);
    // A client that is signed out somewhere else is sent no more.
    let events = events.take_until(Box::pin(state.access.until_over(request)));
    let sse = Sse::from_infallible_stream(Box::pin(events))
        .with_keep_alive(HEARTBEAT_INTERVAL)
        .with_retry_duration(retry);
    let mut response = sse.respond_to(request);
    // A proxy that buffers would hold everything back.
    response
        .headers_mut()
        .insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// `Last-Event-ID`, if there is one.
fn last_id(request: &HttpRequest) -> Result<Option<u64>, HttpProblem> {
    let Some(header) = request.headers().get("last-event-id") else { return Ok(None) };
    let text = header.to_str().unwrap_or_default().trim();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        HttpProblem::new(
            ProblemKind::InvalidParameter,
            format!("Last-Event-ID: {text:?} is no position of the log"),
        )
    })
}

/// A client that follows the events.
struct EventFollower {
    state: Data<HttpState>,
    selection: LogSelection,
    /// Everything up to here has been told.
    position: u64,
    /// It began with a position from before.
    resumed: bool,
    /// Read, and not told yet; the last one comes next.
    ready: Vec<Event>,
    /// It reads the log by itself until it has caught up with the news.
    behind: bool,
    news: Receiver<Broadcast>,
    ended: bool,
    _permit: StreamPermit,
}

impl EventFollower {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            if self.behind {
                match self.catch_up().await {
                    Ok(()) => continue,
                    Err(error) => {
                        tracing::debug!(%error, "a stream of events ends: the journal cannot be read");
                        return None;
                    }
                }
            }
            tokio::select! {
                biased;
                () = self.state.draining.wait() => {
                    self.ended = true;
                    return Some(message("bye", "{}"));
                }
                news = self.news.recv() => match news {
                    Ok(Broadcast::Event(encoded)) => {
                        if let Some(event) = self.unseen(&encoded) {
                            return Some(event);
                        }
                    }
                    Ok(Broadcast::Cut { head }) => return Some(self.reset(head)),
                    Err(RecvError::Lagged(_)) => self.behind = true,
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }

    fn unseen(&mut self, encoded: &EncodedEvent) -> Option<Event> {
        if encoded.position <= self.position {
            return None;
        }
        self.position = encoded.position;
        self.selection.wants(&encoded.stream, &encoded.kind).then(|| event(encoded))
    }

    /// Reads a page of the log.
    async fn catch_up(&mut self) -> Result<(), JournalError> {
        let journal = self.state.journal.as_ref();
        if std::mem::take(&mut self.resumed) {
            let head = journal.head().await?;
            let next = journal.read_log(self.position, 1).await?;
            let archived = next.first().is_some_and(|event| event.position > self.position.saturating_add(1));
            if head < self.position || archived {
                let reset = self.reset(head);
                self.ready.push(reset);
                return Ok(());
            }
        }
        let page = log::onward(journal, &self.selection, self.position, PAGE_SIZE).await?;
        let last = page.events.last().map_or(self.position, |event| event.position);
        self.position = page.next.unwrap_or(last);
        self.behind = page.next.is_some();
        self.ready =
            page.events.into_iter().rev().map(|recorded| event(&EncodedEvent::from(recorded))).collect();
        Ok(())
    }

    /// Positions from before mean nothing any more.
    fn reset(&mut self, head: u64) -> Event {
        self.position = head;
        self.behind = false;
        let data = Message::new(format!("{{\"head\":{head}}}")).event("reset").id(head.to_string());
        Event::Data(data)
    }
}

fn event(encoded: &EncodedEvent) -> Event {
    Event::Data(
        Message::new(encoded.text.clone()).event(encoded.kind.clone()).id(encoded.position.to_string()),
    )
}

/// Says where a stream begins that no position was given for.
fn opened(head: u64) -> Event {
    let data = Message::new(format!("{{\"head\":{head}}}")).event("opened").id(head.to_string());
    Event::Data(data)
}

/// A message that is no event of the log: it has no id, so that `Last-Event-ID` stays.
pub(in crate::http) fn message(name: &'static str, data: impl Into<bytestring::ByteString>) -> Event {
    Event::Data(Message::new(data).event(name))
}
