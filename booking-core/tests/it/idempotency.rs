//! Repeats of one request get the first answer again, and do nothing.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use booking_core::{
    BookRequest, Booking, BookingError, CountedIds, Directory, MeetingPatch, MeetingStatus,
    MemoryStore, NewAvailability, Refusal, SessionDuration, StoreError, User, UserId,
};
use chrono::{TimeDelta, Weekday};

use crate::strategies::hours;
use crate::world::{World, jane, joe, john, key, mary, session, session_for, text};

fn hour(time: &str) -> BookRequest {
    session(&jane(), time, SessionDuration::Hour)
}

#[test]
fn a_repeat_gets_the_first_answer_and_books_nothing() {
    let world = World::default();
    let (first, replayed) = world.book_once(&john(), &hour("10:00"), key("a")).unwrap();
    assert!(!replayed);
    for _ in 0..3 {
        assert_eq!(world.book_once(&john(), &hour("10:00"), key("a")), Ok((first.clone(), true)));
    }
    assert_eq!(world.new_event_names(), ["AppointmentBooked"]);
    assert_eq!(world.list(&john(), &Default::default()).unwrap(), [first]);
}

#[test]
fn the_first_answer_outlives_what_happens_to_the_meeting() {
    let world = World::default();
    let (first, _) = world.book_once(&john(), &hour("10:00"), key("a")).unwrap();
    let rename = MeetingPatch { title: Some(text("Grief")), ..MeetingPatch::default() };
    world.put(&john(), first.id, &rename).unwrap();
    world.cancel(&john(), first.id, None).unwrap();
    world.unrelate(&john(), &jane());
    world.clock.advance(TimeDelta::hours(23));
    assert_eq!(world.book_once(&john(), &hour("10:00"), key("a")), Ok((first, true)));
}

#[test]
fn even_once_the_start_has_passed() {
    let world = World::default();
    world.set_clock(crate::world::monday("09:59"));
    let (first, _) = world.book_once(&john(), &hour("10:00"), key("a")).unwrap();
    world.set_clock(crate::world::monday("12:00"));
    assert_eq!(world.book_once(&john(), &hour("10:00"), key("a")), Ok((first, true)));
}

#[test]
fn another_request_with_the_same_key_is_a_mismatch() {
    let world = World::default();
    world.book_once(&john(), &hour("10:00"), key("a")).unwrap();
    let others = [
        hour("13:00"),
        session(&jane(), "10:00", SessionDuration::HalfHour),
        session(&joe(), "10:00", SessionDuration::Hour),
        BookRequest { title: Some(text("Grief")), ..hour("10:00") },
        BookRequest { description: Some(text("Grief")), ..hour("10:00") },
        BookRequest { status: Some(MeetingStatus::Confirmed), ..hour("10:00") },
    ];
    for other in others {
        let answer = world.book_once(&john(), &other, key("a"));
        assert_eq!(answer, Err(Refusal::IdempotencyMismatch), "{other:?}");
    }
    assert_eq!(world.new_event_names(), ["AppointmentBooked"]);
}

#[test]
fn a_key_is_good_for_24_hours() {
    for (later, replayed) in [
        (TimeDelta::hours(24) - TimeDelta::milliseconds(1), true),
        (TimeDelta::hours(24), false),
        (TimeDelta::hours(30), false),
    ] {
        let world = World::default();
        let (first, _) = world.book_once(&john(), &hour("10:00"), key("a")).unwrap();
        world.clock.advance(later);
        let again = world.book_once(&john(), &hour("10:00"), key("a"));
        let expected = if replayed { Ok((first, true)) } else { Err(Refusal::SlotConflict) };
        assert_eq!(again, expected, "after {later}");

        let other = world.book_once(&john(), &hour("13:00"), key("a"));
        let expected = if replayed { Err(Refusal::IdempotencyMismatch) } else { Ok(false) };
        assert_eq!(other.map(|(_, replayed)| replayed), expected, "after {later}");
    }
}

/// Executed anew, the key stands for the new answer, for another 24 hours.
#[test]
fn an_expired_key_can_be_used_again() {
    let world = World::default();
    world.book_once(&john(), &hour("10:00"), key("a")).unwrap();
    world.clock.advance(TimeDelta::hours(24));
    let (second, _) = world.book_once(&john(), &hour("13:00"), key("a")).unwrap();
    world.clock.advance(TimeDelta::hours(23));
    assert_eq!(world.book_once(&john(), &hour("13:00"), key("a")), Ok((second, true)));
    let first = world.book_once(&john(), &hour("10:00"), key("a"));
    assert_eq!(first, Err(Refusal::IdempotencyMismatch));
}

#[test]
fn keys_are_per_user() {
    let world = World::default();
    let (johns, _) = world.book_once(&john(), &hour("10:00"), key("a")).unwrap();
    let (marys, replayed) = world.book_once(&mary(), &hour("13:00"), key("a")).unwrap();
    assert!(!replayed);
    assert_ne!(johns.id, marys.id);
    let by_jane = session_for(&john(), hour("15:00"));
    assert!(world.book_once(&jane(), &by_jane, key("a")).is_ok_and(|(_, replayed)| !replayed));
}

#[test]
fn a_refusal_does_not_use_up_the_key() {
    let world = World::default();
    let marys = world.book(&mary(), &hour("10:00")).unwrap();
    let taken = world.book_once(&john(), &hour("10:00"), key("a"));
    assert_eq!(taken, Err(Refusal::SlotConflict));
    world.cancel(&mary(), marys.id, None).unwrap();
    assert!(world.book_once(&john(), &hour("10:00"), key("a")).is_ok_and(|(_, again)| !again));
}

#[test]
fn availability_is_replayed_too() {
    let world = World::default();
    let tuesday = |notes: Option<&str>| NewAvailability {
        weekday: Weekday::Tue,
        window: hours("09:00", "12:00"),
        notes: notes.map(text),
    };
    let add = |notes, name| {
        let new = tuesday(notes);
        world.try_to(async |booking: &Booking| {
            booking.add_availability(&jane(), &new, key(name)).await
        })
    };
    let first = add(None, "a").unwrap();
    assert!(!first.replayed);
    let id = first.value.id;
    world.try_to(async |booking| booking.delete_availability(&jane(), id).await).unwrap();

    let again = add(None, "a").unwrap();
    assert_eq!((again.value, again.replayed), (first.value, true));
    assert_eq!(add(Some("new"), "a"), Err(Refusal::IdempotencyMismatch));
    assert!(add(Some("new"), "b").is_ok());
    assert_eq!(add(None, "c"), Err(Refusal::AvailabilityOverlap));
}

#[test]
fn a_key_stands_for_one_operation() {
    let world = World::default();
    let new =
        NewAvailability { weekday: Weekday::Tue, window: hours("09:00", "12:00"), notes: None };
    world.try_to(async |booking| booking.add_availability(&jane(), &new, key("a")).await).unwrap();
    let request = session_for(&john(), hour("10:00"));
    let answer = world.book_once(&jane(), &request, key("a"));
    assert_eq!(answer, Err(Refusal::IdempotencyMismatch));
}

#[test]
fn while_the_first_is_worked_on_a_second_waits_outside() {
    let world = World::default();
    let slow = Booking::new(
        world.store.clone(),
        Arc::new(SlowDirectory(world.store.clone())),
        world.clock.clone(),
        Arc::new(CountedIds::default()),
    );
    let (by, request) = (john(), hour("10:00"));
    let (first, second) = world.run(async {
        tokio::join!(slow.book(&by, &request, key("a")), slow.book(&by, &request, key("a")),)
    });
    assert!(first.is_ok_and(|answer| !answer.replayed));
    assert!(matches!(second, Err(BookingError::Refused(Refusal::IdempotencyInFlight))));

    let third = world.run(slow.book(&by, &request, key("a")));
    assert!(third.is_ok_and(|answer| answer.replayed));
}

/// Lets others go first.
struct SlowDirectory(Arc<MemoryStore>);

#[async_trait]
impl Directory for SlowDirectory {
    async fn users(&self, ids: &BTreeSet<UserId>) -> Result<HashMap<UserId, User>, StoreError> {
        tokio::task::yield_now().await;
        self.0.users(ids).await
    }

    async fn related(&self, client: &UserId, therapist: &UserId) -> Result<bool, StoreError> {
        self.0.related(client, therapist).await
    }
}
