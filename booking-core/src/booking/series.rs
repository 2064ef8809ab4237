//! Sessions that recur: look ahead, book, read, cancel.

use chrono::{DateTime, Utc};

use crate::access::{Actor, Operation};
use crate::booking::meetings::ATTEMPTS;
use crate::booking::people::{People, check_related};
use crate::booking::{Booking, BookingError, intent};
use crate::decide::{self, Answered, Fresh, Intent, NewSeries, SeriesTarget};
use crate::id::{MeetingId, SeriesId, UserId};
use crate::idempotency::{Answer, IdempotencyKey};
use crate::refusal::Refusal;
use crate::series::{
    BookedSeries, Occurrence, SeriesMeetings, SeriesPreview, SeriesRequest, SeriesView,
};
use crate::store::{Calendars, ChangeError, Decline, Scope, StoreError};
use crate::store_ext::StoreExt;
use crate::text::Reason;

impl Booking {
    /// What would become of each session if the series were booked now: nothing is.
    ///
    /// # Errors
    /// As [`book_series`](Self::book_series), but none for a session that cannot be booked.
    pub async fn preview_series(
        &self,
        actor: &Actor,
        request: &SeriesRequest,
    ) -> Result<SeriesPreview, BookingError> {
        actor.may(Operation::Book)?;
        let client = request.first.client_for(actor)?;
        let mut seen = self.look(&scope_of_people(client, request, None)).await?;
        let new = self.resolve_series(actor, request, &mut seen)?;
        let scope = decide::scope_of_series(&new, new.first.start.instant(), None);
        let seen = self.store.read(&scope).await?;
        let admitted = decide::admit_all(&seen, &new).map_err(ChangeError::from)?;
        let starts = new.occurrences.starts.iter().zip(admitted);
        let occurrences =
            starts.map(|(start, admitted)| Occurrence { start: *start, refusal: admitted.err() });
        Ok(SeriesPreview {
            zone: new.zone,
            occurrences: occurrences.collect(),
            skipped: new.occurrences.skipped,
        })
    }

    /// Books sessions that recur, in one change: all of them, or those that can be. The rules for
    /// each are those of [`book`](Self::book), once those before it are booked.
    ///
    /// With a key, a repeat within 24 hours gets the first answer again and books nothing.
    ///
    /// # Errors
    /// [`Refusal::SeriesRefused`] when nothing is booked because of the sessions' times;
    /// [`Refusal::Invalid`] for a rule that has no end in sight; any [`Refusal`] of access, existence
    /// and idempotency; [`StoreError`].
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
        let mut seen = self.look(&scope).await?;
        if let Some(intent) = intent
            && let Some(first) = intent.replay(&seen, self.now(), Answer::into_series)?
        {
            self.is_so_already(&scope);
            return Ok(Answered { value: first, replayed: true });
        }
        let new = self.resolve_series(actor, request, &mut seen)?;
        let decide = |calendars: &Calendars| decide::book_series(calendars, &new, intent);
        let mut first = new.first.start.instant();
        for _ in 0..ATTEMPTS {
            let scope = decide::scope_of_series(&new, first, intent);
            let seen = self.store.read(&scope).await?;
            // Whether the two have met is asked of the session that turns out to be the first.
            first = first_of(&seen, &new)?.unwrap_or(first);
            if scope.earlier.as_ref().is_some_and(|earlier| earlier.before != first) {
                continue;
            }
            match self.settle(&seen, decide).await {
                Err(ChangeError::Declined(Decline::ScopeTooNarrow)) => {}
                settled => return Ok(settled?),
            }
        }
        Err(StoreError::Unavailable("the calendars kept changing".into()).into())
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
    /// of the actor's meetings of the series; [`StoreError`].
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
        Err(StoreError::Unavailable("the meetings kept changing hands".into()).into())
    }

    /// Who the two are, and which dates the rule comes to in the therapist's zone: all that comes
    /// before their calendars.
    fn resolve_series<'a>(
        &self,
        actor: &Actor,
        request: &'a SeriesRequest,
        seen: &mut Calendars,
    ) -> Result<NewSeries<'a>, Refusal> {
        let SeriesRequest { first, rule, except, mode } = request;
        let zone = People::in_sight(seen).therapist(&first.therapist)?.zone();
        let client = first.client_for(actor)?;
        let by = first.party_of(actor, client)?;
        check_related(seen)?;
        let occurrences = rule.occurrences(first.start, zone, except)?;
        let fresh = self.fresh(actor);
        Ok(NewSeries {
            first: first.resolve(client.clone(), by),
            rule,
            except,
            mode: *mode,
            zone,
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
        related: Some(two()),
        ..Scope::default()
    }
}

/// When the first session begins that can be booked.
fn first_of(seen: &Calendars, new: &NewSeries<'_>) -> Result<Option<DateTime<Utc>>, BookingError> {
    let admitted = decide::admit_all(seen, new).map_err(ChangeError::from)?;
    Ok(admitted.into_iter().flatten().next().map(|meeting| meeting.start))
}
