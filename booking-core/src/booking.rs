//! The service: one method per operation, effects only through the ports.
//!
//! Each method reads from top to bottom in the contract's order of checks: role, what exists, who
//! may, and then the rules, which are decided under the store's locks.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, SubsecRound, Utc};

use crate::access::{Actor, Operation, Role};
use crate::availability::AvailabilitySlot;
use crate::calendar::Calendar;
use crate::clock::Clock;
use crate::decide::{
    self, Answered, AvailabilityPatch, Decision, ExpectedVersion, Fresh, Intent, MeetingPatch,
    NewAvailability, NewMeeting, Target,
};
use crate::directory::{Directory, User};
use crate::id::{AvailabilityId, EventId, IdSource, MeetingId, UserId};
use crate::idempotency::{Answer, Fingerprint, IdempotencyKey};
use crate::in_flight::InFlight;
use crate::meeting::{Meeting, MeetingStatus, Party};
use crate::refusal::Refusal;
use crate::request::{BookRequest, MeetingFilter, MeetingView, Page};
use crate::slot::Slot;
use crate::store::{
    Calendars, ChangeError, Decline, Hours, MeetingQuery, Place, Scope, Store, StoreError,
};
use crate::store_ext::StoreExt;
use crate::text::{Reason, Text};

/// How often a change is tried again because the meeting moved elsewhere between looking and
/// locking.
const ATTEMPTS: usize = 16;

/// Why an operation did nothing.
#[derive(Debug, thiserror::Error)]
pub enum BookingError {
    /// The rules say no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store or the directory failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The scheduling service. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Booking {
    store: Arc<dyn Store>,
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    in_flight: InFlight,
}

impl Booking {
    /// A service over these ports.
    pub fn new(
        store: Arc<dyn Store>,
        directory: Arc<dyn Directory>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Self {
        Self { store, directory, clock, ids, in_flight: InFlight::default() }
    }

    /// Books a meeting.
    ///
    /// With a key, a repeat within 24 hours gets the first answer again and books nothing.
    ///
    /// # Errors
    /// Any [`Refusal`] of access, existence, time and conflict; [`StoreError`].
    pub async fn book(
        &self,
        actor: &Actor,
        request: &BookRequest,
        key: Option<IdempotencyKey>,
    ) -> Result<Answered<MeetingView>, BookingError> {
        actor.may(Operation::Book)?;
        let fresh = self.fresh();
        let _flight = self.in_flight.enter(actor, key.as_ref())?;
        let intent = intent(actor, key, "book", request);
        if let Some(before) = self.replay(intent.as_ref(), fresh.now, Answer::into_meeting).await? {
            let value = self.view(actor, before).await?;
            return Ok(Answered { value, replayed: true });
        }

        let client = match (actor.role, &request.client) {
            (Role::Client, None) => &actor.id,
            (_, Some(client)) => client,
            (_, None) => {
                let detail = "a therapist must say which client the session is for";
                return Err(Refusal::Invalid { field: "clientId", detail }.into());
            }
        };
        let therapist = self.therapist(&request.therapist).await?;
        let (by, themself) = match actor.role {
            Role::Client => (Party::Client, client),
            Role::Therapist | Role::Admin => (Party::Therapist, &therapist.id),
        };
        if *themself != actor.id {
            return Err(Refusal::Forbidden.into());
        }
        self.check_related(client, &therapist.id).await?;

        let new = request.resolve(client.clone(), by);
        let scope = decide::scope_of_book(&new, therapist.zone(), intent.as_ref());
        let decide = |calendars: &Calendars| decide::book(calendars, &new, intent.as_ref(), &fresh);
        let answered = self.settle(&scope, decide).await?;
        let value = self.view(actor, answered.value.clone()).await?;
        Ok(answered.map(|_| value))
    }

    /// The actor's meetings, soonest start first.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`]; [`StoreError`].
    pub async fn meetings(
        &self,
        actor: &Actor,
        filter: &MeetingFilter,
    ) -> Result<Page<MeetingView>, BookingError> {
        actor.may(Operation::ListMeetings)?;
        let limit = filter.limit.clamp(1, MeetingFilter::MAX_LIMIT);
        let query = MeetingQuery {
            person: actor.id.clone(),
            statuses: filter.statuses.clone(),
            from: filter.from,
            to: filter.to,
            after: filter.after,
            limit: limit + 1,
        };
        let mut meetings = self.store.meetings(&query).await?;
        let more = meetings.len() > limit as usize;
        meetings.truncate(limit as usize);
        let last = meetings.last().map(|last| Place { start: last.start, id: last.id });
        let items = self.views(actor, meetings).await?;
        Ok(Page { items, next: last.filter(|_| more) })
    }

    /// One meeting that the actor takes part in.
    ///
    /// # Errors
    /// [`Refusal::MeetingNotFound`], [`Refusal::Forbidden`]; [`StoreError`].
    pub async fn meeting(&self, actor: &Actor, id: MeetingId) -> Result<MeetingView, BookingError> {
        let meeting = self.find(actor, id).await?;
        self.view(actor, meeting).await
    }

    /// Changes a meeting's details, time, therapist or status.
    ///
    /// # Errors
    /// Any [`Refusal`] of access, existence, version, status, time and conflict; [`StoreError`].
    pub async fn update(
        &self,
        actor: &Actor,
        id: MeetingId,
        patch: &MeetingPatch,
        expected: &ExpectedVersion,
    ) -> Result<MeetingView, BookingError> {
        let fresh = self.fresh();
        let target = Target { id, actor, expected };
        for _ in 0..ATTEMPTS {
            let before = self.find(actor, id).await?;
            let scope = self.scope_of_update(&before, patch).await?;
            let decide = |calendars: &Calendars| decide::update(calendars, &target, patch, &fresh);
            match self.store.decide(&scope, decide).await {
                Ok(after) => return self.view(actor, after).await,
                Err(ChangeError::Declined(Decline::ScopeTooNarrow)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(contended().into())
    }

    /// Cancels a meeting.
    ///
    /// # Errors
    /// [`Refusal::MeetingNotFound`], [`Refusal::Forbidden`], [`Refusal::VersionMismatch`],
    /// [`Refusal::MeetingClosed`]; [`StoreError`].
    pub async fn cancel(
        &self,
        actor: &Actor,
        id: MeetingId,
        reason: Option<&Reason>,
        expected: &ExpectedVersion,
    ) -> Result<MeetingView, BookingError> {
        let fresh = self.fresh();
        let target = Target { id, actor, expected };
        let before = self.find(actor, id).await?;
        let scope = decide::scope_of_update(&before, &MeetingPatch::default(), chrono_tz::UTC);
        let decide = |calendars: &Calendars| decide::cancel(calendars, &target, reason, &fresh);
        let after = self.settle(&scope, decide).await?;
        self.view(actor, after).await
    }

    /// The starts on a civil date of the therapist's zone that the actor could book now.
    ///
    /// For a client, their own meetings are left out too.
    ///
    /// # Errors
    /// [`Refusal::TherapistNotFound`]; [`StoreError`].
    pub async fn slots(
        &self,
        actor: &Actor,
        therapist: &UserId,
        date: NaiveDate,
    ) -> Result<Vec<Slot>, BookingError> {
        actor.may(Operation::ListSlots)?;
        let now = self.now();
        let therapist = self.therapist(therapist).await?;
        let Some(reach) = Calendar::reach(therapist.zone(), date) else { return Ok(vec![]) };

        let mut people = vec![&therapist.id];
        people.extend(Some(&actor.id).filter(|_| actor.role == Role::Client));
        let scope = Scope {
            people: people.iter().copied().cloned().collect(),
            busy_within: Some(reach),
            hours_of: Some(Hours { therapist: therapist.id.clone(), zone: therapist.zone() }),
            ..Scope::default()
        };
        let calendars = self.store.read(&scope).await?;
        let calendar = calendars.calendar(&therapist.id, &people, reach, None);
        Ok(calendar.map_err(|_| unseen())?.slots(date, now))
    }

    /// Adds a weekly window to the actor's availability.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::AvailabilityOverlap`], those of idempotency;
    /// [`StoreError`].
    pub async fn add_availability(
        &self,
        actor: &Actor,
        new: &NewAvailability,
        key: Option<IdempotencyKey>,
    ) -> Result<Answered<AvailabilitySlot>, BookingError> {
        actor.may(Operation::ManageAvailability)?;
        let fresh = self.fresh();
        let _flight = self.in_flight.enter(actor, key.as_ref())?;
        let intent = intent(actor, key, "add_availability", new);
        let scope = decide::scope_of_create(&actor.id, intent.as_ref());
        let decide = |calendars: &Calendars| {
            decide::create(calendars, &actor.id, new, intent.as_ref(), &fresh)
        };
        self.settle(&scope, decide).await
    }

    /// The actor's weekly availability, by weekday from Sunday and start.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`]; [`StoreError`].
    pub async fn availability(&self, actor: &Actor) -> Result<Vec<AvailabilitySlot>, BookingError> {
        actor.may(Operation::ManageAvailability)?;
        Ok(self.store.read(&decide::scope_of_create(&actor.id, None)).await?.hours)
    }

    /// Changes one of the actor's availability slots. Booked meetings stay as they are.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::AvailabilityNotFound`], [`Refusal::Forbidden`],
    /// [`Refusal::Invalid`], [`Refusal::AvailabilityOverlap`]; [`StoreError`].
    pub async fn update_availability(
        &self,
        actor: &Actor,
        id: AvailabilityId,
        patch: &AvailabilityPatch,
    ) -> Result<AvailabilitySlot, BookingError> {
        actor.may(Operation::ManageAvailability)?;
        let fresh = self.fresh();
        let decide = |found: &Calendars| decide::revise(found, &actor.id, id, patch, &fresh);
        self.settle(&decide::scope_of_one(&actor.id, id), decide).await
    }

    /// Deletes one of the actor's availability slots. Booked meetings stay as they are.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`], [`Refusal::AvailabilityNotFound`], [`Refusal::Forbidden`];
    /// [`StoreError`].
    pub async fn delete_availability(
        &self,
        actor: &Actor,
        id: AvailabilityId,
    ) -> Result<(), BookingError> {
        actor.may(Operation::ManageAvailability)?;
        let decide = |calendars: &Calendars| decide::delete(calendars, &actor.id, id);
        self.settle(&decide::scope_of_one(&actor.id, id), decide).await
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// [`StoreError`] when it does not.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }

    /// To the millisecond: what is answered now is what a store gives back later.
    fn now(&self) -> DateTime<Utc> {
        self.clock.now().trunc_subsecs(3)
    }

    fn fresh(&self) -> Fresh {
        let now = self.now();
        let event = || EventId::from_uuid(self.ids.fresh(now));
        Fresh { now, id: self.ids.fresh(now), events: [event(), event()] }
    }

    async fn replay<T>(
        &self,
        intent: Option<&Intent>,
        now: DateTime<Utc>,
        pick: impl FnOnce(Answer) -> Option<T>,
    ) -> Result<Option<T>, BookingError> {
        let Some(intent) = intent else { return Ok(None) };
        let scope = Scope { record: Some(intent.record_key()), ..Scope::default() };
        Ok(intent.replay(&self.store.read(&scope).await?, now, pick)?)
    }

    async fn find(&self, actor: &Actor, id: MeetingId) -> Result<Meeting, BookingError> {
        let scope = Scope { meeting: Some(id), ..Scope::default() };
        let meeting = self.store.read(&scope).await?.meeting.ok_or(Refusal::MeetingNotFound)?;
        actor.party_to(&meeting)?;
        Ok(meeting)
    }

    async fn therapist(&self, id: &UserId) -> Result<User, BookingError> {
        let user = self.directory.user(id).await?;
        let therapist = user.filter(|user| user.role == Role::Therapist);
        Ok(therapist.ok_or(Refusal::TherapistNotFound)?)
    }

    async fn check_related(&self, client: &UserId, therapist: &UserId) -> Result<(), BookingError> {
        let related = client != therapist && self.directory.related(client, therapist).await?;
        if related { Ok(()) } else { Err(Refusal::NoRelationship.into()) }
    }

    /// A meeting that moves is checked like a new one: therapist and relationship included.
    async fn scope_of_update(
        &self,
        before: &Meeting,
        patch: &MeetingPatch,
    ) -> Result<Scope, BookingError> {
        let after = patch.applied_to(before);
        let zone = if decide::moves(before, &after) {
            let therapist = self.therapist(&after.therapist).await?;
            self.check_related(&after.client, &after.therapist).await?;
            therapist.zone()
        } else {
            chrono_tz::UTC
        };
        Ok(decide::scope_of_update(before, patch, zone))
    }

    /// Decides where the scope is known to be wide enough.
    async fn settle<T: Send>(
        &self,
        scope: &Scope,
        decide: impl Fn(&Calendars) -> Decision<T> + Send + Sync,
    ) -> Result<T, BookingError> {
        Ok(self.store.decide(scope, decide).await?)
    }

    async fn view(&self, actor: &Actor, meeting: Meeting) -> Result<MeetingView, BookingError> {
        let mut views = self.views(actor, vec![meeting]).await?;
        views.pop().ok_or_else(|| unseen().into())
    }

    async fn views(
        &self,
        actor: &Actor,
        meetings: Vec<Meeting>,
    ) -> Result<Vec<MeetingView>, BookingError> {
        let people: BTreeSet<UserId> =
            meetings.iter().flat_map(|m| [&m.client, &m.therapist]).cloned().collect();
        let users: HashMap<UserId, User> = self.directory.users(&people).await?;
        let view = |meeting: Meeting| {
            Ok(MeetingView {
                client: users.get(&meeting.client).cloned(),
                therapist: users.get(&meeting.therapist).cloned(),
                meeting: actor.view(meeting)?,
            })
        };
        meetings.into_iter().map(view).collect()
    }
}

impl From<ChangeError> for BookingError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Declined(Decline::Refused(refusal)) => Self::Refused(refusal),
            ChangeError::Declined(Decline::ScopeTooNarrow) => Self::Store(unseen()),
            ChangeError::Store(error) => Self::Store(error),
        }
    }
}

impl BookRequest {
    fn resolve(&self, client: UserId, by: Party) -> NewMeeting {
        let default_title =
            || Text::new(Meeting::DEFAULT_TITLE).unwrap_or_else(|_| unreachable!("a valid title"));
        NewMeeting {
            client,
            therapist: self.therapist.clone(),
            by,
            start: self.start,
            duration: self.duration,
            status: self.status.unwrap_or(MeetingStatus::Scheduled),
            meeting_type: self.meeting_type.unwrap_or(crate::meeting::MeetingType::Video),
            title: self.title.clone().unwrap_or_else(default_title),
            description: self.description.clone(),
        }
    }
}

fn intent<T: serde::Serialize>(
    actor: &Actor,
    key: Option<IdempotencyKey>,
    operation: &str,
    request: &T,
) -> Option<Intent> {
    let fingerprint = Fingerprint::of(operation, request);
    key.map(|key| Intent { user: actor.id.clone(), key, fingerprint })
}

fn unseen() -> StoreError {
    StoreError::Corrupt("the store did not load what its scope names".into())
}

fn contended() -> StoreError {
    StoreError::Unavailable("the meeting kept changing hands".into())
}
