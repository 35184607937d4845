//! The port's calls as IMAP commands.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use async_imap::imap_proto::{RequestId, Response};
use async_trait::async_trait;
use bytes::Bytes;

use super::super::source::{
    ListScope, LoadPart, LoadRequest, LoadedBody, MailboxItem, MailboxSession, MailboxStatus, Sink,
    SinkClosed, SourceError, Wake,
};
use super::answers::{self, UIDS};
use super::listing::Listing;
use super::wire::Wire;
use crate::messages::Source;

/// Fetching commands under way: while the mails of one are being admitted, the server
/// works on the next.
const PIPELINE: usize = 2;

/// An open mailbox.
#[derive(Debug)]
pub(super) struct ImapSession {
    pub(super) wire: Wire,
    pub(super) opened: MailboxStatus,
}

#[async_trait]
impl MailboxSession for ImapSession {
    fn opened(&self) -> MailboxStatus {
        self.opened
    }

    async fn list(&mut self, scope: &ListScope) -> Result<Vec<MailboxItem>, SourceError> {
        self.wire.begin_listing().await?;
        let exists = self.wire.exists();
        let mut listing = Listing::new(exists);
        if !scope.unseen && scope.since.is_none() {
            let newer = answers::describe_above(scope.above);
            let tag = self.wire.send(&newer, answers::describing(u64::from(exists))).await?;
            let take = |response: &Response<'_>, exists| listing.add(answers::described(response), exists);
            self.wire.finish(&tag, take).await?;
            return Ok(listing.into_mails());
        }
        let mut tags = VecDeque::new();
        for search in answers::searches(scope, u64::from(exists)) {
            tags.push_back(self.wire.send(&search, answers::SEARCHED).await?);
            if tags.len() >= PIPELINE {
                self.collect(&mut tags, &mut listing).await?;
            }
        }
        while !tags.is_empty() {
            self.collect(&mut tags, &mut listing).await?;
        }
        Ok(listing.into_mails())
    }

    async fn describe(&mut self, mails: &[MailboxItem]) -> Result<Vec<MailboxItem>, SourceError> {
        // Only what was asked for finds a place here.
        let mut asked: BTreeMap<u64, Option<MailboxItem>> =
            mails.iter().map(|mail| (mail.uid, None)).collect();
        for chunk in mails.chunks(UIDS) {
            let uids: Vec<u64> = chunk.iter().map(|mail| mail.uid).collect();
            let ask = answers::describing(uids.len() as u64);
            let tag = self.wire.send(&answers::describe(&uids), ask).await?;
            let take = |response: &Response<'_>, _| {
                if let Some(mail) = answers::described(response)
                    && let Some(place) = asked.get_mut(&mail.uid)
                {
                    *place = Some(mail);
                }
                Ok(())
            };
            self.wire.finish(&tag, take).await?;
        }
        Ok(asked.into_values().flatten().collect())
    }

    async fn fetch(&mut self, wanted: &[LoadRequest], sink: Sink) -> Result<(), SourceError> {
        match self.fetch_into(wanted, &sink).await {
            // Nobody wants the rest; its answers are passed over by the next command.
            Err(FetchError::Closed(SinkClosed)) => Ok(()),
            Err(FetchError::Source(error)) => Err(error),
            Ok(()) => Ok(()),
        }
    }

    async fn mark_seen(&mut self, items: &[String]) -> Result<(), SourceError> {
        let uids: Vec<u64> = items.iter().filter_map(|item| item.parse().ok()).collect();
        for chunk in uids.chunks(UIDS) {
            let set = answers::uid_set(chunk);
            let store = format!("UID STORE {set} +FLAGS.SILENT (\\Seen)");
            // Some servers tell the flags all the same.
            let tag = self.wire.send(&store, answers::describing(chunk.len() as u64)).await?;
            self.wire.finish(&tag, |_, _| Ok(())).await?;
        }
        Ok(())
    }

    async fn wait(&mut self, max: Duration) -> Result<Wake, SourceError> {
        self.wire.wait(max).await
    }

    async fn close(self: Box<Self>) {
        self.wire.close().await;
    }
}

enum FetchError {
    Source(SourceError),
    Closed(SinkClosed),
}

impl From<SourceError> for FetchError {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl From<SinkClosed> for FetchError {
    fn from(closed: SinkClosed) -> Self {
        Self::Closed(closed)
    }
}

/// A fetching command under way, with the mails it has not answered yet.
struct FetchUnderWay {
    tag: RequestId,
    left: HashMap<u64, LoadRequest>,
}

impl ImapSession {
    /// Waits for the first of the searches under way.
    async fn collect(
        &mut self,
        tags: &mut VecDeque<RequestId>,
        listing: &mut Listing,
    ) -> Result<(), SourceError> {
        let Some(tag) = tags.pop_front() else {
            return Ok(());
        };
        self.wire.finish(&tag, |response, exists| listing.add(answers::found(response), exists)).await
    }

    async fn fetch_into(&mut self, wanted: &[LoadRequest], sink: &Sink) -> Result<(), FetchError> {
        let mut batches = answers::batches(wanted).into_iter();
        let mut under_way: VecDeque<FetchUnderWay> = VecDeque::new();
        loop {
            while under_way.len() < PIPELINE {
                let Some(batch) = batches.next() else { break };
                let tag = self.wire.send(&batch.command, batch.ask).await?;
                let left = batch.mails.into_iter().map(|mail| (mail.uid, mail)).collect();
                under_way.push_back(FetchUnderWay { tag, left });
            }
            let Some(first) = under_way.front() else {
                return Ok(());
            };
            let tag = &first.tag;
            let (ended, content) = self
                .wire
                .next(tag, |response, ended| (ended, answers::content(response).map(copied)))
                .await?;
            if let Some(ended) = ended {
                let left = under_way.pop_front().map(|batch| batch.left).unwrap_or_default();
                hand_over_rest(left, ended, sink).await?;
            } else if let Some((uid, data)) = content
                && let Some(mail) = under_way.iter_mut().find_map(|batch| batch.left.remove(&uid))
            {
                let body = body(&mail, data);
                sink.hand_over(mail.item, body).await?;
            }
        }
    }
}

fn copied((uid, data): (u64, Option<&[u8]>)) -> (u64, Option<Bytes>) {
    (uid, data.map(Bytes::copy_from_slice))
}

/// What the server did not answer: gone when all went well, else not to be had.
async fn hand_over_rest(
    left: HashMap<u64, LoadRequest>,
    ended: Result<(), SourceError>,
    sink: &Sink,
) -> Result<(), SinkClosed> {
    let mut left: Vec<LoadRequest> = left.into_values().collect();
    left.sort_by_key(|mail| mail.uid);
    for mail in left {
        let body = match &ended {
            Ok(()) => LoadedBody::Gone,
            Err(error) => LoadedBody::Unloadable(error.to_string()),
        };
        sink.hand_over(mail.item, body).await?;
    }
    Ok(())
}

fn body(mail: &LoadRequest, data: Option<Bytes>) -> LoadedBody {
    let Some(bytes) = data else {
        return LoadedBody::Unloadable("the server has the mail and gives NIL for its content".to_owned());
    };
    LoadedBody::Loaded(match mail.part {
        LoadPart::Full => mail.loaded(bytes),
        LoadPart::Header => Source::HeaderOnly { header: bytes, size: mail.size },
    })
}
