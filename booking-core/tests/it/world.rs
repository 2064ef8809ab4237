//! A small practice to test in: two therapists, two clients, and a clock that is moved by hand.
//!
//! Jane and Joe receive on Mondays from 09:00 to 17:00 UTC. John belongs to both of them, Mary to
//! Jane alone. It is New Year's Day of 2026, noon; the Monday in question is January 12th.

use std::cell::Cell;
use std::sync::Arc;

use booking_core::testing::fixtures::by;
use booking_core::{
    Actor, AvailabilityId, BookRequest, Booking, BookingError, Clock, CountedIds, DirectoryAdmin,
    Email, EventQuery, ExpectedVersion, IdempotencyKey, ManualClock, Meeting, MeetingFilter,
    MeetingId, MeetingPatch, MemoryStore, NewAvailability, Outbox, Reason, Recorded, Refusal, Role,
    SessionDuration, StartTime, Store, Text, User, UserId,
};
use chrono::{DateTime, NaiveDate, Utc, Weekday};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::strategies::hours;

pub(crate) type Outcome<T> = Result<T, Refusal>;

pub(crate) const ANY: ExpectedVersion = ExpectedVersion::Any;

pub(crate) fn actor(id: &str, role: Role) -> Actor {
    Actor { id: UserId::new(id).expect("a user id"), role }
}

pub(crate) fn john() -> Actor {
    actor("client_john", Role::Client)
}

pub(crate) fn mary() -> Actor {
    actor("client_mary", Role::Client)
}

pub(crate) fn jane() -> Actor {
    actor("therapist_jane", Role::Therapist)
}

pub(crate) fn joe() -> Actor {
    actor("therapist_joe", Role::Therapist)
}

pub(crate) fn admin() -> Actor {
    actor("admin", Role::Admin)
}

/// An instant of UTC to the minute: `2026-01-12T09:00Z`.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.replacen('Z', ":00Z", 1).parse().expect("an instant")
}

/// A time of the Monday on which the practice is open.
pub(crate) fn monday(time: &str) -> DateTime<Utc> {
    at(&format!("2026-01-12T{time}Z"))
}

pub(crate) fn the_monday() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 12).expect("a date")
}

pub(crate) fn start(time: &str) -> StartTime {
    StartTime::new(monday(time)).expect("a whole minute")
}

pub(crate) fn session(therapist: &Actor, time: &str, duration: SessionDuration) -> BookRequest {
    BookRequest::new(therapist.id.clone(), start(time), duration)
}

/// As a therapist books it for a client.
pub(crate) fn session_for(client: &Actor, request: BookRequest) -> BookRequest {
    BookRequest { client: Some(client.id.clone()), ..request }
}

pub(crate) fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).expect("a good text")
}

pub(crate) fn key(text: &str) -> Option<IdempotencyKey> {
    Some(IdempotencyKey::new(text).expect("a key"))
}

/// An id that nothing goes by.
pub(crate) fn unknown_meeting() -> MeetingId {
    "meeting_01h455vb4pex5vsknk084sn02q".parse().expect("an id")
}

pub(crate) struct World {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) booking: Booking,
    /// The sequence of the last event that was looked at.
    seen: Cell<u64>,
    runtime: Runtime,
}

impl Default for World {
    fn default() -> Self {
        let world = Self::with_nobody();
        for person in [john(), mary(), jane(), joe(), admin()] {
            world.introduce(&person);
        }
        world.relate(&john(), &jane());
        world.relate(&john(), &joe());
        world.relate(&mary(), &jane());
        for therapist in [jane(), joe()] {
            world.open(&therapist, Weekday::Mon, "09:00", "17:00").expect("free hours");
        }
        world
    }
}

impl World {
    pub(crate) fn with_nobody() -> Self {
        let store = Arc::new(MemoryStore::default());
        let clock = Arc::new(ManualClock::new(at("2026-01-01T12:00Z")));
        let ids = Arc::new(CountedIds::default());
        let booking = Booking::new(store.clone(), store.clone(), clock.clone(), ids);
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        Self { store, clock, booking, seen: Cell::default(), runtime }
    }

    /// Waits for something that no rule can refuse.
    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    fn ask<T>(&self, future: impl Future<Output = Result<T, BookingError>>) -> Outcome<T> {
        self.run(future).map_err(|error| match error {
            BookingError::Refused(refusal) => refusal,
            failed => panic!("neither done nor refused: {failed:?}"),
        })
    }

    pub(crate) fn introduce(&self, person: &Actor) {
        let user = User {
            id: person.id.clone(),
            role: person.role,
            first_name: text("First"),
            last_name: text("Last"),
            email: Email::new("someone@example.com").expect("an address"),
            zone: None,
        };
        self.run(self.store.put_user(&user, by())).expect("memory holds");
    }

    pub(crate) fn relate(&self, client: &Actor, therapist: &Actor) {
        self.run(self.store.relate(&client.id, &therapist.id, by())).expect("memory holds");
    }

    pub(crate) fn unrelate(&self, client: &Actor, therapist: &Actor) {
        self.run(self.store.unrelate(&client.id, &therapist.id, by())).expect("memory holds");
    }

    pub(crate) fn open(
        &self,
        therapist: &Actor,
        weekday: Weekday,
        from: &str,
        to: &str,
    ) -> Outcome<AvailabilityId> {
        let new = NewAvailability { weekday, window: hours(from, to), notes: None };
        let added = self.ask(self.booking.add_availability(therapist, &new, None))?;
        Ok(added.value.id)
    }

    pub(crate) fn book(&self, by: &Actor, request: &BookRequest) -> Outcome<Meeting> {
        Ok(self.ask(self.booking.book(by, request, None))?.value.meeting)
    }

    /// With a key: the answer, and whether it was given before.
    pub(crate) fn book_once(
        &self,
        by: &Actor,
        request: &BookRequest,
        key: Option<IdempotencyKey>,
    ) -> Outcome<(Meeting, bool)> {
        let answered = self.ask(self.booking.book(by, request, key))?;
        Ok((answered.value.meeting, answered.replayed))
    }

    pub(crate) fn put(&self, by: &Actor, id: MeetingId, patch: &MeetingPatch) -> Outcome<Meeting> {
        self.put_if(by, id, patch, &ANY)
    }

    pub(crate) fn put_if(
        &self,
        by: &Actor,
        id: MeetingId,
        patch: &MeetingPatch,
        expected: &ExpectedVersion,
    ) -> Outcome<Meeting> {
        Ok(self.ask(self.booking.update(by, id, patch, expected))?.meeting)
    }

    pub(crate) fn cancel(
        &self,
        by: &Actor,
        id: MeetingId,
        reason: Option<&str>,
    ) -> Outcome<Meeting> {
        let reason: Option<Reason> = reason.map(text);
        Ok(self.ask(self.booking.cancel(by, id, reason.as_ref(), &ANY))?.meeting)
    }

    pub(crate) fn cancel_if(
        &self,
        by: &Actor,
        id: MeetingId,
        expected: &ExpectedVersion,
    ) -> Outcome<Meeting> {
        Ok(self.ask(self.booking.cancel(by, id, None, expected))?.meeting)
    }

    pub(crate) fn get(&self, by: &Actor, id: MeetingId) -> Outcome<Meeting> {
        Ok(self.ask(self.booking.meeting(by, id))?.meeting)
    }

    pub(crate) fn list(&self, by: &Actor, filter: &MeetingFilter) -> Outcome<Vec<Meeting>> {
        let page = self.ask(self.booking.meetings(by, filter))?;
        Ok(page.items.into_iter().map(|view| view.meeting).collect())
    }

    /// What is offered on the Monday: `HH:MM` and the longest session in minutes.
    pub(crate) fn offers(&self, by: &Actor, therapist: &Actor) -> Outcome<Vec<(String, u32)>> {
        let slots = self.ask(self.booking.slots(by, &therapist.id, the_monday()))?;
        let line = |slot: &booking_core::Slot| {
            (slot.start.instant().format("%H:%M").to_string(), slot.durations.longest().minutes())
        };
        Ok(slots.iter().map(line).collect())
    }

    /// Any other operation.
    pub(crate) fn try_to<T>(
        &self,
        operation: impl AsyncFnOnce(&Booking) -> Result<T, BookingError>,
    ) -> Outcome<T> {
        self.ask(operation(&self.booking))
    }

    /// The JSON of the events since the last look, oldest first.
    pub(crate) fn new_events(&self) -> Vec<Value> {
        self.new_recorded().iter().map(payload).collect()
    }

    /// The events since the last look, oldest first.
    pub(crate) fn new_recorded(&self) -> Vec<Recorded> {
        self.run(self.store.publish(self.now(), 1_000)).expect("memory holds");
        let query = EventQuery { after: self.seen.get(), person: None, limit: 1_000 };
        let recorded = self.run(self.store.events(&query)).expect("memory holds");
        self.seen.set(recorded.last().map_or(query.after, |last| last.sequence));
        recorded
    }

    /// Their names alone.
    pub(crate) fn new_event_names(&self) -> Vec<String> {
        let name = |event: &Value| event["type"].as_str().expect("a name").to_owned();
        self.new_events().iter().map(name).collect()
    }

    /// The meeting as the store has it, notes and all.
    pub(crate) fn stored(&self, id: MeetingId) -> Meeting {
        let scope = booking_core::Scope { meeting: Some(id), ..booking_core::Scope::default() };
        let found = self.run(self.store.read(&scope)).expect("memory holds");
        found.meeting.expect("a meeting that was booked")
    }

    pub(crate) fn set_clock(&self, now: DateTime<Utc>) {
        self.clock.set(now);
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}

/// Its JSON, as it is published.
pub(crate) fn payload(recorded: &Recorded) -> Value {
    serde_json::to_value(&recorded.event.payload).expect("events are plain data")
}
