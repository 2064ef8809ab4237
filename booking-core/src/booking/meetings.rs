//! Meetings: book, list, read, change, cancel.

use chrono_tz::Tz;

use crate::access::{Actor, Operation, Role};
use crate::booking::people::{People, check_related};
use crate::booking::{ATTEMPTS, Booking, BookingError, intent};
#[cfg(doc)]
use crate::calendar::Calendar;
use crate::calendars::Calendars;
use crate::decide::{self, Answered, Decision, ExpectedVersion, MeetingPatch, NewMeeting, Target};
use crate::directory::User;
use crate::id::{MeetingId, UserId};
use crate::idempotency::{Answer, IdempotencyKey};
use crate::instant;
use crate::meeting::{Meeting, MeetingStatus, MeetingType, Party};
use crate::refusal::Refusal;
use crate::request::{BookRequest, MeetingFilter, MeetingView, Page};
use crate::span::Span;
#[cfg(doc)]
use crate::store::StoreError;
use crate::store::{ChangeError, Decline, MeetingQuery, MeetingTexts, Place, Scope};
use crate::text::{Reason, Text};

impl Booking {
    /// Books a meeting.
    ///
    /// With a key, a repeat within 24 hours gets the first answer again and books nothing.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`]; [`Refusal::Invalid`] when nobody says for whom, and it is not the actor;
    /// [`Refusal::TherapistNotFound`], [`Refusal::Forbidden`], [`Refusal::NoRelationship`];
    /// [`Refusal::InvalidTransition`] for a first status that is not the actor's to give; those of
    /// [`Calendar::admit`]. With a key, [`Refusal::IdempotencyInFlight`] and
    /// [`Refusal::IdempotencyMismatch`]. [`BookingError::Contended`]; [`StoreError`].
    pub async fn book(
        &self,
        actor: &Actor,
        request: &BookRequest,
        key: Option<IdempotencyKey>,
    ) -> Result<Answered<MeetingView>, BookingError> {
        actor.may(Operation::Book)?;
        let client = request.client_for(actor)?;
        let session = request.session()?;
        let fresh = self.fresh(actor);
        let _flight = self.in_flight.enter(actor, key.as_ref())?;
        let intent = intent(actor, key, "book", request);
        let intent = intent.as_ref();
        let scope = decide::scope_of_book(client, &request.therapist, session, intent);
        for _ in 0..ATTEMPTS {
            let mut seen = self.look_around(scope.clone(), &request.therapist, session).await?;
            let people = People::in_sight(&mut seen);
            if let Some(intent) = intent
                && let Some(first) = intent.replay(&seen, fresh.now, Answer::into_meeting)?
            {
                self.is_so_already(&scope);
                return Ok(Answered { value: people.view(actor, first)?, replayed: true });
            }

            let zone = people.therapist(&request.therapist)?.zone();
            let by = request.party_of(actor, client)?;
            check_related(&seen)?;
            let new = request.resolve(client.clone(), by);
            let decide =
                |calendars: &Calendars| decide::book(calendars, &new, zone, intent, &fresh);
            match self.settle_among(&people, &seen, decide).await {
                Ok(Answered { value, replayed }) => {
                    return Ok(Answered { value: people.view(actor, value)?, replayed });
                }
                // The therapist's settings or zone have changed since, and call for another look.
                Err(ChangeError::Declined(Decline::ScopeTooNarrow)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(BookingError::Contended("the therapist's settings kept changing"))
    }

    /// The actor's meetings, soonest start first. A page is shorter than its limit where their texts are
    /// long ([`MeetingQuery::MAX_TEXT_BYTES`]), and goes on all the same.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`]; [`StoreError`].
    pub async fn meetings(
        &self,
        actor: &Actor,
        filter: &MeetingFilter,
    ) -> Result<Page<MeetingView>, BookingError> {
        actor.may(Operation::ListMeetings)?;
        // One more than is shown, which says whether there are more.
        let query = MeetingQuery {
            person: actor.id.clone(),
            statuses: filter.statuses.clone(),
            from: filter.from.map(instant::ceil_to_millis),
            to: filter.to.map(instant::ceil_to_millis),
            after: filter.after,
            limit: filter.limit.get() + 1,
            texts: MeetingTexts::Whole,
        };
        let mut meetings = self.store.meetings(&query).await?;
        let more = query.is_full(&meetings);
        if more {
            meetings.pop();
        }
        let last = meetings.last().map(|last| Place { start: last.start, id: last.id });
        let people = self.people(meetings.iter().flat_map(|m| [&m.client, &m.therapist])).await?;
        let views = meetings.into_iter().map(|meeting| people.view(actor, meeting));
        Ok(Page { items: views.collect::<Result<_, _>>()?, next: last.filter(|_| more) })
    }

    /// One meeting that the actor takes part in.
    ///
    /// # Errors
    /// [`Refusal::MeetingNotFound`], [`Refusal::Forbidden`]; [`StoreError`].
    pub async fn meeting(&self, actor: &Actor, id: MeetingId) -> Result<MeetingView, BookingError> {
        let meeting = self.find(actor, id).await?;
        let people = self.people([&meeting.client, &meeting.therapist]).await?;
        Ok(people.view(actor, meeting)?)
    }

    /// Changes a meeting's details, time, therapist or status.
    ///
    /// # Errors
    /// [`Refusal::MeetingNotFound`], [`Refusal::Forbidden`], [`Refusal::VersionMismatch`],
    /// [`Refusal::MeetingClosed`], [`Refusal::InvalidTransition`]. When the meeting gets another time or
    /// therapist, [`Refusal::TherapistNotFound`], [`Refusal::NoRelationship`],
    /// [`Refusal::TooLateToReschedule`] and those of [`Calendar::admit`]; when it is cancelled,
    /// [`Refusal::TooLateToCancel`]. [`BookingError::Contended`]; [`StoreError`].
    pub async fn update(
        &self,
        actor: &Actor,
        id: MeetingId,
        patch: &MeetingPatch,
        expected: &ExpectedVersion,
    ) -> Result<MeetingView, BookingError> {
        let fresh = self.fresh(actor);
        let target = Target { id, actor, expected };
        let decide =
            |calendars: &Calendars, zone| decide::update(calendars, &target, patch, zone, &fresh);
        self.change_meeting(&target, patch, decide).await
    }

    /// Cancels a meeting.
    ///
    /// # Errors
    /// [`Refusal::MeetingNotFound`], [`Refusal::Forbidden`], [`Refusal::VersionMismatch`],
    /// [`Refusal::MeetingClosed`], [`Refusal::TooLateToCancel`]; [`BookingError::Contended`];
    /// [`StoreError`].
    pub async fn cancel(
        &self,
        actor: &Actor,
        id: MeetingId,
        reason: Option<&Reason>,
        expected: &ExpectedVersion,
    ) -> Result<MeetingView, BookingError> {
        let fresh = self.fresh(actor);
        let target = Target { id, actor, expected };
        let decide = |calendars: &Calendars, _| decide::cancel(calendars, &target, reason, &fresh);
        self.change_meeting(&target, &MeetingPatch::default(), decide).await
    }

    /// Looks which calendars the change concerns, and decides under their locks; again, when the
    /// meeting moved elsewhere in between.
    async fn change_meeting(
        &self,
        target: &Target<'_>,
        patch: &MeetingPatch,
        decide: impl Fn(&Calendars, Option<Tz>) -> Decision<Meeting> + Send + Sync,
    ) -> Result<MeetingView, BookingError> {
        for _ in 0..ATTEMPTS {
            let before = self.find(target.actor, target.id).await?;
            let after = patch.applied_to(&before);
            let moves = decide::moves(&before, &after);
            let scope = decide::scope_of_update(&before, &after);
            let mut seen = match after.span().filter(|_| moves) {
                Some(session) => self.look_around(scope, &after.therapist, session).await?,
                None => self.look(&scope).await?,
            };
            let people = People::in_sight(&mut seen);
            let therapist = moves.then(|| people.therapist(&after.therapist)).transpose()?;
            // Before the relationship: whom else a client is related to is not for therapists to ask.
            patch.check_party(&before, &after, target.actor.party_to(&before)?)?;
            if moves {
                check_related(&seen)?;
            }
            let zone = therapist.map(User::zone);
            match self.settle_among(&people, &seen, |calendars| decide(calendars, zone)).await {
                Ok(changed) => return Ok(people.view(target.actor, changed)?),
                Err(ChangeError::Declined(Decline::ScopeTooNarrow)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(BookingError::Contended("the meeting kept changing hands"))
    }

    async fn find(&self, actor: &Actor, id: MeetingId) -> Result<Meeting, BookingError> {
        let scope = Scope { meeting: Some(id), ..Scope::default() };
        let meeting = self.store.read(&scope).await?.meeting.ok_or(Refusal::MeetingNotFound)?;
        actor.party_to(&meeting)?;
        Ok(meeting)
    }
}

impl BookRequest {
    /// For whom the session is: clients need not say.
    pub(super) fn client_for<'a>(&'a self, actor: &'a Actor) -> Result<&'a UserId, Refusal> {
        const DETAIL: &str = "is required: say which client the session is for";
        match (&self.client, actor.role) {
            (Some(client), _) => Ok(client),
            (None, Role::Client) => Ok(&actor.id),
            (None, _) => Err(Refusal::Invalid { field: "clientId", detail: DETAIL }),
        }
    }

    /// On whose side the actor books: clients for themselves, therapists with themselves.
    pub(super) fn party_of(&self, actor: &Actor, client: &UserId) -> Result<Party, Refusal> {
        match actor.role {
            Role::Client if actor.id == *client => Ok(Party::Client),
            Role::Therapist if actor.id == self.therapist => Ok(Party::Therapist),
            _ => Err(Refusal::Forbidden),
        }
    }

    /// When the two would meet.
    pub(super) fn session(&self) -> Result<Span, Refusal> {
        self.duration.span_from(self.start.instant()).ok_or(Refusal::OutsideAvailability)
    }

    pub(super) fn resolve(&self, client: UserId, by: Party) -> NewMeeting {
        let default_title =
            || Text::new(Meeting::DEFAULT_TITLE).unwrap_or_else(|_| unreachable!("a valid title"));
        NewMeeting {
            client,
            therapist: self.therapist.clone(),
            by,
            start: self.start,
            duration: self.duration,
            status: self.status.unwrap_or(MeetingStatus::Scheduled),
            meeting_type: self.meeting_type.unwrap_or(MeetingType::Video),
            title: self.title.clone().unwrap_or_else(default_title),
            description: self.description.clone(),
        }
    }
}
