//! Meetings, written into their therapist's calendars outside.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use booking_core::ical::{self, Detail};
use booking_core::{
    EventSink, Meeting, MeetingId, MeetingQuery, MeetingStatus, Place, Recorded, Scope, SinkError,
    Store, StoreError, Then, UserId, with_causes,
};
use chrono::{DateTime, Utc};
use tokio::task::JoinSet;

use super::client::Client;
use super::failure::FetchError;
use super::location::Location;

/// How often a meeting is written anew because it has changed meanwhile. Whoever changed it last has
/// it written too: this only makes sure that an older writer is not the last one.
const MAX_ROUNDS: usize = 3;

/// How many meetings are read at a time.
const PAGE: u32 = 100;

/// How many of them are written at a time.
const AT_ONCE: usize = 8;

/// Knows into which collections somebody's meetings are written.
#[async_trait]
pub trait Targets: Send + Sync {
    /// The collections of a therapist, each with the id of its link, which may be told to whoever looks
    /// after the server; none when there are none.
    ///
    /// # Errors
    /// [`TargetsError`] when that cannot be told now: it is asked again.
    async fn of(&self, therapist: &UserId) -> Result<Vec<(String, Location)>, TargetsError>;
}

/// Why it cannot be told where meetings are to be written.
#[derive(Debug, thiserror::Error)]
#[error("the linked calendars cannot be told")]
pub struct TargetsError(#[source] Box<dyn Error + Send + Sync>);

impl TargetsError {
    /// For this reason.
    pub fn of(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// Makes collections on CalDAV servers say what the meetings are now.
///
/// An event only says which meeting it is about. What is written is the meeting as the store has it at
/// that moment, so that events that come late, twice or again do no harm: cancelled meetings, and those
/// that went to another therapist, are taken out, and all others put there. Nobody's name, title or notes
/// go along.
///
/// Give it to [`Relay::with_sink`](booking_core::Relay::with_sink). What a collection does not take is
/// tried again for three days, since servers come back and passwords are mended; who has no collection
/// any more is owed nothing.
#[derive(Clone)]
pub struct WriteBackSink {
    client: Client,
    store: Arc<dyn Store>,
    targets: Arc<dyn Targets>,
}

/// Why one collection does not say what it should.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the meeting cannot be read")]
    Store(#[from] StoreError),
    #[error("{code}: {0}", code = .0.code())]
    Calendar(#[from] FetchError),
}

impl WriteBackSink {
    /// Writes meetings of this store by this client.
    pub fn new(client: Client, store: Arc<dyn Store>, targets: Arc<dyn Targets>) -> Self {
        Self { client, store, targets }
    }

    /// Makes one collection of a therapist, by the id of its link, say what their meetings from an
    /// instant on are now, a few at a time: for one that is new, or could not be written to for so long
    /// that events were given up. Returns how many there were.
    ///
    /// # Errors
    /// [`SinkError`] at the first meetings that it does not take; to begin again does no harm.
    pub async fn catch_up(
        &self,
        (link, location): &(String, Location),
        therapist: &UserId,
        from: DateTime<Utc>,
    ) -> Result<usize, SinkError> {
        let mut query = MeetingQuery {
            person: therapist.clone(),
            statuses: BTreeSet::new(),
            from: Some(from),
            to: None,
            after: None,
            limit: PAGE,
        };
        let mut written = 0;
        loop {
            let page = self.store.meetings(&query).await;
            let page = page.map_err(|error| SinkError::retry(with_causes(&error)))?;
            let Some(last) = page.last() else { return Ok(written) };
            query.after = Some(Place { start: last.start, id: last.id });
            // Those in which they are the client are in others' calendars.
            let theirs: Vec<_> =
                page.iter().filter(|meeting| meeting.therapist == *therapist).collect();
            for some in theirs.chunks(AT_ONCE) {
                let mut writing = JoinSet::new();
                for meeting in some {
                    let page = self.page(meeting.id, therapist, location.clone());
                    writing.spawn(async move { page.write().await });
                }
                let outcome = writing.join_all().await.into_iter().collect::<Result<(), _>>();
                outcome.map_err(|failure| told(&[(link.clone(), failure)]))?;
                written += some.len();
            }
        }
    }

    /// Makes all collections of the therapist say what a meeting is now.
    async fn write(&self, meeting: MeetingId, therapist: &UserId) -> Result<(), SinkError> {
        let targets = self.targets.of(therapist).await;
        let targets = targets.map_err(|error| SinkError::retry(with_causes(&error)))?;
        // None waits for another's server.
        let mut writing = JoinSet::new();
        for (link, location) in targets {
            let page = self.page(meeting, therapist, location);
            writing.spawn(async move { (link, page.write().await) });
        }
        let outcomes = writing.join_all().await.into_iter();
        let mut failed: Vec<_> =
            outcomes.filter_map(|(link, outcome)| Some((link, outcome.err()?))).collect();
        failed.sort_by(|(one, _), (other, _)| one.cmp(other));
        if failed.is_empty() { Ok(()) } else { Err(told(&failed)) }
    }

    fn page(&self, meeting: MeetingId, therapist: &UserId, location: Location) -> Page {
        let (client, store) = (self.client.clone(), self.store.clone());
        Page { client, store, meeting, therapist: therapist.clone(), location }
    }
}

#[async_trait]
impl EventSink for WriteBackSink {
    async fn deliver(&self, recorded: &Recorded) -> Result<(), SinkError> {
        let event = &recorded.event.payload;
        let [_client, therapist] = event.people();
        self.write(event.meeting(), therapist).await
    }
}

/// One meeting in one collection.
struct Page {
    client: Client,
    store: Arc<dyn Store>,
    meeting: MeetingId,
    therapist: UserId,
    location: Location,
}

impl Page {
    async fn write(&self) -> Result<(), Failure> {
        let mut meeting = self.current().await?;
        for _ in 0..MAX_ROUNDS {
            match &meeting {
                Some(meeting) => {
                    let text = ical::object(Detail::Times, meeting);
                    self.client.put(&self.location, meeting.id, text).await?;
                }
                None => self.client.delete(&self.location, self.meeting).await?,
            }
            let now = self.current().await?;
            if now == meeting {
                break;
            }
            meeting = now;
        }
        Ok(())
    }

    /// The meeting, if it is to be in this therapist's calendar.
    async fn current(&self) -> Result<Option<Meeting>, StoreError> {
        let scope = Scope { meeting: Some(self.meeting), ..Scope::default() };
        let meeting = self.store.read(&scope).await?.meeting;
        Ok(meeting.filter(|meeting| {
            meeting.therapist == self.therapist && meeting.status != MeetingStatus::Cancelled
        }))
    }
}

/// All of what failed, by the ids of links. Nobody is asked again sooner than they want.
fn told(failed: &[(String, Failure)]) -> SinkError {
    let reasons = failed.iter().map(|(link, failure)| format!("{link}: {}", with_causes(failure)));
    let answers = || {
        failed.iter().filter_map(|(_, failure)| match failure {
            Failure::Calendar(error) => Some(error),
            Failure::Store(_) => None,
        })
    };
    SinkError {
        reason: reasons.collect::<Vec<_>>().join("; "),
        status: answers().find_map(FetchError::status),
        then: Then::Retry(answers().filter_map(FetchError::retry_after).max()),
    }
}
