//! Sessions that recur: look ahead, book, read, cancel.

use chrono::{DateTime, Utc};

use crate::access::{Actor, Operation};
use crate::booking::people::{People, check_related};
use crate::booking::{ATTEMPTS, Booking, BookingError, intent, unseen};
#[cfg(doc)]
use crate::calendar::Calendar;
use crate::calendars::{Calendars, ScopeTooNarrow};
use crate::decide::{self, Answered, Fresh, Intent, NewSeries, SeriesTarget};
use crate::id::{MeetingId, SeriesId, UserId};
use crate::idempotency::{Answer, IdempotencyKey};
use crate::meeting::Meeting;
#[cfg(doc)]
use crate::recurrence::Recurrence;
use crate::refusal::Refusal;
use crate::series::{
    BookedSeries, Occurrence, SeriesMeetings, SeriesPreview, SeriesRequest, SeriesView,
};
#[cfg(doc)]
use crate::store::StoreError;
use crate::store::{ChangeError, Decline, Scope};
use crate::store_ext::StoreExt;
use crate::text::Reason;

impl Booking {
    /// What would become of each session if the series were booked now: nothing is.
    ///
    /// # Errors
    /// As [`book_series`](Self::book_series), but none for a session that cannot be booked, and none of a
    /// key.
    pub async fn preview_series(
        &self,
        actor: &Actor,
        request: &SeriesRequest,
    ) -> Result<SeriesPreview, BookingError> {
        actor.may(Operation::Book)?;
        let client = request.first.client_for(actor)?;
        for _ in 0..ATTEMPTS {
            let mut seen = self.look(&scope_of_people(client, request, None)).await?;
            let people = People::in_sight(&mut seen);
            let new = self.resolve_series(actor, request, &people, &seen)?;
            let scope = decide::scope_of_series(&new, new.first.start.instant(), None);
            let Some(seen) = self.look_at_same(&people, scope).await? else { continue };
            let admitted = match decide::admit_all(&seen, &new) {
                Err(Decline::ScopeTooNarrow) => continue,
                admitted => admitted.map_err(ChangeError::from)?,
            };
            let starts = new.occurrences.starts.iter().zip(admitted);
            let occurrences = starts
                .map(|(start, admitted)| Occurrence { start: *start, refusal: admitted.err() });
            return Ok(SeriesPreview {
                zone: new.zone(),
                occurrences: occurrences.collect(),
                skipped: new.occurrences.skipped,
            });
        }
        Err(BookingError::Contended(CHANGING))
    }

    /// Books sessions that recur, in one change: all of them, or those that can be. The rules for
    /// each are those of [`book`](Self::book), once those before it are booked.
    ///
    /// With a key, a repeat within 24 hours gets the first answer again and books nothing.
    ///
    /// # Errors
    /// [`Refusal::SeriesRefused`] when nothing is booked because of the sessions' times, of which it has
    /// those of [`Calendar::admit`]. Before that, [`Refusal::RoleRequired`]; [`Refusal::Invalid`] when
    /// nobody says for whom, and it is not the actor, or as [`Recurrence::occurrences`] has it;
    /// [`Refusal::TherapistNotFound`], [`Refusal::Forbidden`], [`Refusal::NoRelationship`];
    /// [`Refusal::InvalidTransition`] for a first status that is not the actor's to give. With a key,
    /// [`Refusal::IdempotencyInFlight`] and [`Refusal::IdempotencyMismatch`].
    /// [`BookingError::Contended`]; [`StoreError`].
    pub async fn book_series(
        &self,
        actor: &Actor,
        request: &SeriesRequest,
        key: Option<IdempotencyKey>,
    ) -> Result<Answered<BookedSeries>, BookingError> {
        actor.may(Operation::Book)?;
        let client = request.first.client_for(actor)?;
        let _flight = self.in_flight.enter(actor, key.as_ref())?;
        let intent = intent(actor, key, "book_series", request);
        let intent = intent.as_ref();
        let scope = scope_of_people(client, request, intent);
        let mut first = None;
        for _ in 0..ATTEMPTS {
            let mut seen = self.look(&scope).await?;
            if let Some(intent) = intent
                && let Some(booked) = intent.replay(&seen, self.now(), Answer::into_series)?
            {
                self.is_so_already(&scope);
                return Ok(Answered { value: booked, replayed: true });
            }
            let people = People::in_sight(&mut seen);
            let new = self.resolve_series(actor, request, &people, &seen)?;
            // Whether the two have met is asked of the session that turns out to be the first.
            let asked = first.unwrap_or(new.first.start.instant());
            let scope = decide::scope_of_series(&new, asked, intent);
            let Some(seen) = self.look_at_same(&people, scope).await? else { continue };
            let found = match decide::admit_all(&seen, &new) {
                Err(Decline::ScopeTooNarrow) => continue,
                admitted => first_of(admitted.map_err(ChangeError::from)?),
            };
            if found.is_some_and(|found| found != asked) {
                first = found;
                continue;
            }
            let decide = |calendars: &Calendars| decide::book_series(calendars, &new, intent);
            match self.settle_among(&people, &seen, decide).await {
                // The therapist's settings or zone have changed since, or what is free.
                Err(ChangeError::Declined(Decline::ScopeTooNarrow)) => {}
                settled => return Ok(settled?),
            }
        }
        Err(BookingError::Contended(CHANGING))
    }

    /// A series that the actor takes part in, with its meetings as they are now.
    ///
    /// # Errors
    /// [`Refusal::SeriesNotFound`], [`Refusal::Forbidden`]; [`StoreError`].
    pub async fn series(&self, actor: &Actor, id: SeriesId) -> Result<SeriesView, BookingError> {
        Ok(actor.view_series(self.find_series(actor, id).await?)?)
    }

    /// Cancels the meetings of a series that are still to come, in one change: all of them, or from
    /// one of them on, by their starts as they are now. Those that have begun, or are closed, stay as
    /// they are; when there are no others, nothing happens.
    ///
    /// # Errors
    /// [`Refusal::SeriesNotFound`], [`Refusal::Forbidden`]; [`Refusal::Invalid`] when `from` is none
    /// of the actor's meetings of the series; [`Refusal::TooLateToCancel`] when that holds of one of
    /// those to be cancelled; [`BookingError::Contended`]; [`StoreError`].
    pub async fn cancel_series(
        &self,
        actor: &Actor,
        id: SeriesId,
        from: Option<MeetingId>,
        reason: Option<&Reason>,
    ) -> Result<SeriesView, BookingError> {
        let target = SeriesTarget { id, actor, from };
        for _ in 0..ATTEMPTS {
            let found = self.find_series(actor, id).await?;
            let each = self.fresh_for_each(&self.fresh(actor), actor, found.meetings.len());
            let scope = decide::scope_of_cancel_series(&found);
            let decide =
                |calendars: &Calendars| decide::cancel_series(calendars, target, reason, &each);
            match self.store.decide(&scope, decide).await {
                Err(ChangeError::Declined(Decline::ScopeTooNarrow)) => {}
                settled => return Ok(settled?),
            }
        }
        Err(BookingError::Contended("the meetings kept changing hands"))
    }

    /// What the scope names, if these people are who they were.
    async fn look_at_same(
        &self,
        people: &People,
        scope: Scope,
    ) -> Result<Option<Calendars>, BookingError> {
        let seen = self.look(&Scope { users: people.ids(), ..scope }).await?;
        Ok(people.are_still(&seen.users).then_some(seen))
    }

    /// Who the two are, and which dates the rule comes to in the therapist's zone: all that comes
    /// before their calendars.
    fn resolve_series<'a>(
        &self,
        actor: &Actor,
        request: &'a SeriesRequest,
        people: &People,
        seen: &Calendars,
    ) -> Result<NewSeries<'a>, BookingError> {
        let SeriesRequest { first, rule, except, mode } = request;
        let home = people.therapist(&first.therapist)?.zone();
        let client = first.client_for(actor)?;
        let by = first.party_of(actor, client)?;
        check_related(seen)?;
        let terms = seen.settings_of(&first.therapist).map_err(|ScopeTooNarrow| unseen())?;
        let terms = terms.into_owned();
        let zone = terms.settings.zone.unwrap_or(home);
        let occurrences = rule.occurrences(first.start, zone, except)?;
        let fresh = self.fresh(actor);
        Ok(NewSeries {
            first: first.resolve(client.clone(), by),
            rule,
            except,
            mode: *mode,
            terms,
            home,
            each: self.fresh_for_each(&fresh, actor, occurrences.starts.len()),
            occurrences,
            fresh,
        })
    }

    /// As of the same instant.
    fn fresh_for_each(&self, fresh: &Fresh, actor: &Actor, meetings: usize) -> Vec<Fresh> {
        (0..meetings).map(|_| self.fresh_at(fresh.now, actor)).collect()
    }

    async fn find_series(
        &self,
        actor: &Actor,
        id: SeriesId,
    ) -> Result<SeriesMeetings, BookingError> {
        let scope = Scope { series: Some(id), ..Scope::default() };
        let found = self.store.read(&scope).await?.series.ok_or(Refusal::SeriesNotFound)?;
        actor.party_to_series(&found.series)?;
        Ok(found)
    }
}

/// What is asked before the zone is known, and with it the sessions.
fn scope_of_people(client: &UserId, request: &SeriesRequest, intent: Option<&Intent>) -> Scope {
    let two = || (client.clone(), request.first.therapist.clone());
    Scope {
        people: <[UserId; 2]>::from(two()).into(),
        record: intent.map(Intent::record_key),
        users: <[UserId; 2]>::from(two()).into(),
        settings_of: [request.first.therapist.clone()].into(),
        related: Some(two()),
        ..Scope::default()
    }
}

/// When the first session begins that can be booked.
fn first_of(admitted: Vec<Result<Meeting, Refusal>>) -> Option<DateTime<Utc>> {
    admitted.into_iter().flatten().next().map(|meeting| meeting.start)
}

const CHANGING: &str = "the therapist's settings, or what is free, kept changing";
