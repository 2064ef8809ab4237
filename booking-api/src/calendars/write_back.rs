//! Meetings, written into their therapist's calendars outside.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use booking_core::ical::{self, Detail};
use booking_core::{
    Behind, CopyFault, EventSink, LinkedCalendarId, Meeting, MeetingId, MeetingQuery,
    MeetingStatus, MeetingTexts, Place, Recorded, Scope, SinkError, SourceError, Store, StoreError,
    Then, UserId, with_causes,
};
use chrono::{DateTime, Utc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::client::Client;
use super::failure::FetchError;
use super::location::Location;
use super::sealing::OpenError;

/// How often a meeting is written anew because it has changed meanwhile. Whoever changed it last has
/// it written too: this only makes sure that an older writer is not the last one.
const MAX_ROUNDS: usize = 3;

/// How many meetings are read at a time.
const PAGE: u32 = 100;

/// How many of them are written at a time, and after how many in a row that a collection does not take
/// the rest is left.
const AT_ONCE: usize = 8;

/// How long a meeting may take to be written as it is in the end: less than a relay waits, which hears
/// nothing of why.
const WRITES_FOR: Duration = Duration::from_secs(25);

/// When to try again where it cannot be noted what was not written: only then may it be given up.
const NOTES_AGAIN: Duration = Duration::from_secs(60);

/// A collection that meetings are written into.
#[derive(Debug, Clone)]
pub struct Target {
    /// By which link: whoever looks after the server may be told.
    pub link: LinkedCalendarId,
    /// Where it is, if that can be told here.
    pub location: Result<Location, OpenError>,
}

impl Target {
    /// Whether it is that collection, as far as that can be told.
    fn leads_to(&self, location: &Location) -> bool {
        self.location.as_ref().is_ok_and(|own| own.leads_where(location))
    }
}

/// Knows into which collections somebody's meetings are written.
#[async_trait]
pub trait Targets: Send + Sync {
    /// The collections of a therapist; none when there are none.
    ///
    /// # Errors
    /// [`TargetsError`] when that cannot be told now: it is asked again.
    async fn of(&self, therapist: &UserId) -> Result<Vec<Target>, TargetsError>;

    /// Notes that one of them may lack a meeting, for good if need be: what cannot be delivered is given
    /// up one day.
    ///
    /// # Errors
    /// [`TargetsError`] when that cannot be noted now: nothing is given up until it is.
    async fn unwritten(
        &self,
        link: LinkedCalendarId,
        why: &SourceError,
    ) -> Result<(), TargetsError>;
}

/// Why it cannot be told where meetings are to be written, or noted that they were not.
#[derive(Debug, thiserror::Error)]
#[error("the linked calendars cannot be reached")]
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
/// that went to another therapist, are taken out, and all others put there: also into those of the therapist
/// who has them now, whoever the event is about. Nobody's name, title or notes go along.
///
/// Give it to [`Relay::with_sink`](booking_core::Relay::with_sink). What a collection does not take is
/// tried again for three days, since servers come back and passwords are mended, and noted from the first
/// time on: a [`Copier`](booking_core::Copier) has all written anew once it can be. Who has no collection
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
    #[error(transparent)]
    Targets(#[from] TargetsError),
    #[error("{code}: {0}", code = .0.code())]
    Calendar(#[from] FetchError),
    #[error("sealed: {0}")]
    Sealed(#[from] OpenError),
}

/// What came of writing all meetings anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaughtUp {
    /// How many the collection has taken, those among them that had to be taken out.
    pub written: usize,
    /// Why some are left; `None` if it says what all of them are.
    pub left: Option<Behind>,
}

impl WriteBackSink {
    /// Writes meetings of this store by this client.
    pub fn new(client: Client, store: Arc<dyn Store>, targets: Arc<dyn Targets>) -> Self {
        Self { client, store, targets }
    }

    /// Makes one collection of a therapist say what their meetings from an instant on are now, a few at a
    /// time and for so long: for one that is new, or could not be written to for so long that events were
    /// given up. To begin again, or where it was left, does no harm.
    ///
    /// Where this goes on with what was left, `earlier` is what was told then: what was not taken on the
    /// way has another turn once all the others have had theirs.
    pub async fn catch_up(
        &self,
        location: &Location,
        therapist: &UserId,
        from: DateTime<Utc>,
        earlier: Option<SourceError>,
        within: Duration,
    ) -> CaughtUp {
        let not_yet = || {
            SourceError::new(CopyFault::TimedOut, "not all sessions have been written into it yet")
        };
        let error = earlier.filter(|earlier| *earlier != not_yet());
        let mut run = Run { written: 0, written_to: from, error };
        let all = self.write_all((location, therapist), &mut run);
        let ended = timeout(within, all).await.unwrap_or(Ok(End::Left));
        let end = ended.unwrap_or_else(|error| {
            // Ours, and none of its owner's business.
            let cause = with_causes(&error);
            tracing::warn!(cause, "meetings cannot be read, to be written into a calendar");
            End::Left
        });
        let left = match end {
            End::Reached => run.error.map(|error| Behind { error, written_to: None }),
            End::Left => Some(Behind {
                error: run.error.unwrap_or_else(not_yet),
                written_to: Some(run.written_to),
            }),
        };
        CaughtUp { written: run.written, left }
    }

    /// As far as it takes them.
    async fn write_all(
        &self,
        (location, therapist): (&Location, &UserId),
        run: &mut Run,
    ) -> Result<End, StoreError> {
        let mut query = MeetingQuery {
            person: therapist.clone(),
            statuses: BTreeSet::new(),
            from: Some(run.written_to),
            to: None,
            after: None,
            limit: PAGE,
            texts: MeetingTexts::LeftOut,
        };
        let mut in_vain = 0;
        loop {
            let page = self.store.meetings(&query).await?;
            let Some(last) = page.last() else { return Ok(End::Reached) };
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
                let outcomes = writing.join_all().await;
                let taken = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
                in_vain = if taken == 0 { in_vain + some.len() } else { 0 };
                let failure = outcomes.into_iter().find_map(Result::err);
                run.goes_on(taken, some.last().map(|last| last.start), failure);
                if in_vain >= AT_ONCE {
                    return Ok(End::Left);
                }
            }
        }
    }

    /// The collections of a therapist who has a meeting, or had it, and of the one who has it now: as long
    /// as the former do not let go of it, no later event of that meeting is heard of.
    async fn concerned(
        &self,
        meeting: MeetingId,
        therapist: &UserId,
    ) -> Result<Vec<(UserId, Target)>, TargetsError> {
        let mut concerned = Vec::new();
        // Should it not be found out, it is not written either, and that is noted.
        let now = self.whose(meeting).await.unwrap_or_default();
        if let Some(now) = now.filter(|now| now != therapist) {
            let targets = self.targets.of(&now).await?;
            concerned.extend(targets.into_iter().map(|target| (now.clone(), target)));
        }
        let mut targets = self.targets.of(therapist).await?;
        // What both share has it, and is asked once.
        targets.retain(|target| {
            let location = target.location.as_ref();
            !location
                .is_ok_and(|location| concerned.iter().any(|(_, other)| other.leads_to(location)))
        });
        concerned.extend(targets.into_iter().map(|target| (therapist.clone(), target)));
        Ok(concerned)
    }

    async fn whose(&self, meeting: MeetingId) -> Result<Option<UserId>, StoreError> {
        let scope = Scope { meeting: Some(meeting), ..Scope::default() };
        Ok(self.store.read(&scope).await?.meeting.map(|meeting| meeting.therapist))
    }

    /// Makes all collections that a meeting concerns say what it is now.
    async fn write(&self, meeting: MeetingId, therapist: &UserId) -> Result<(), SinkError> {
        let targets = self.concerned(meeting, therapist).await;
        let targets = targets.map_err(|error| SinkError::retry(with_causes(&error)))?;
        // None waits for another's server.
        let mut writing = JoinSet::new();
        for (owner, Target { link, location }) in targets {
            let page = location.map(|location| self.page(meeting, &owner, location));
            writing.spawn(async move {
                let written = async { page?.write().await };
                let slow = Err(FetchError::TimedOut.into());
                (link, timeout(WRITES_FOR, written).await.unwrap_or(slow))
            });
        }
        let mut failed = Vec::new();
        for (link, outcome) in writing.join_all().await {
            let Err(failure) = outcome else { continue };
            let noted = self.targets.unwritten(link, &failure.told_to_owner()).await;
            noted.map_err(|error| SinkError {
                then: Then::Wait(NOTES_AGAIN),
                ..SinkError::retry(with_causes(&error))
            })?;
            failed.push((link, failure));
        }
        failed.sort_by_key(|(link, _)| *link);
        if failed.is_empty() { Ok(()) } else { Err(told(&failed)) }
    }

    fn page(&self, meeting: MeetingId, therapist: &UserId, location: Location) -> Page {
        Page { sink: self.clone(), meeting, therapist: therapist.clone(), location }
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
    sink: WriteBackSink,
    meeting: MeetingId,
    therapist: UserId,
    location: Location,
}

impl Page {
    async fn write(&self) -> Result<(), Failure> {
        let client = &self.sink.client;
        let mut meeting = self.current().await?;
        for _ in 0..MAX_ROUNDS {
            match &meeting {
                Some(meeting) => {
                    let text = ical::object(Detail::Times, meeting);
                    client.put(&self.location, meeting.id, text).await?;
                }
                None => client.delete(&self.location, self.meeting).await?,
            }
            let now = self.current().await?;
            if now == meeting {
                break;
            }
            meeting = now;
        }
        Ok(())
    }

    /// The meeting, if it is to be in this collection: it is this therapist's, or of another who has the
    /// same one.
    async fn current(&self) -> Result<Option<Meeting>, Failure> {
        let scope = Scope { meeting: Some(self.meeting), ..Scope::default() };
        let meeting = self.sink.store.read(&scope).await?.meeting;
        let live = meeting.filter(|meeting| meeting.status != MeetingStatus::Cancelled);
        let Some(meeting) = live else { return Ok(None) };
        let is_here = meeting.therapist == self.therapist || {
            let theirs = self.sink.targets.of(&meeting.therapist).await?;
            theirs.iter().any(|target| target.leads_to(&self.location))
        };
        Ok(is_here.then_some(meeting))
    }
}

/// How far it came.
struct Run {
    written: usize,
    /// Those that begin before have had their turn, whether they were taken or not: one that never is
    /// keeps none of the later ones from it.
    written_to: DateTime<Utc>,
    /// Why the first was not taken, since it began with the first of all.
    error: Option<SourceError>,
}

/// How it ended.
enum End {
    /// All have had their turn.
    Reached,
    /// For now.
    Left,
}

impl Run {
    fn goes_on(&mut self, taken: usize, to: Option<DateTime<Utc>>, failure: Option<Failure>) {
        self.written += taken;
        self.error = self.error.take().or_else(|| Some(failure?.told_to_owner()));
        self.written_to = to.unwrap_or(self.written_to);
    }
}

impl Failure {
    fn told_to_owner(&self) -> SourceError {
        let fault = match self {
            Self::Store(_) | Self::Targets(_) => CopyFault::TimedOut,
            Self::Calendar(error) => error.fault(),
            Self::Sealed(_) => CopyFault::Sealed,
        };
        let why = match self {
            Self::Store(_) | Self::Targets(_) => "they cannot be read".to_owned(),
            Self::Calendar(error) => error.to_string(),
            Self::Sealed(error) => error.to_string(),
        };
        SourceError::new(fault, &format!("sessions cannot be written into it: {why}"))
    }
}

/// All of what failed, by the ids of links. Nobody is asked again sooner than they want.
fn told(failed: &[(LinkedCalendarId, Failure)]) -> SinkError {
    let reasons = failed.iter().map(|(link, failure)| format!("{link}: {}", with_causes(failure)));
    let answers = || {
        failed.iter().filter_map(|(_, failure)| match failure {
            Failure::Calendar(error) => Some(error),
            Failure::Store(_) | Failure::Targets(_) | Failure::Sealed(_) => None,
        })
    };
    SinkError {
        reason: reasons.collect::<Vec<_>>().join("; "),
        status: answers().find_map(FetchError::status),
        then: Then::Retry(answers().filter_map(FetchError::retry_after).max()),
    }
}
