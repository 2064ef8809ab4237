//! A booking never commits against availability that was changed before it committed.

use chrono::Weekday;

use super::fixtures::{
    audited, booked, client, hour, key, meeting, minute, other_client, slot, therapist, window,
};
use super::{cases, race};
use crate::{
    AvailabilitySlot, Change, Event, EventPayload, Refusal, Scope, SessionDuration, Write,
};

/// How often each race is run; an unlocked read loses within a few.
const ROUNDS: i64 = 12;

cases! {
    ($) conformance_availability in availability:

    /// Bookings race the deletion of the window that they are in: those that commit do so before.
    async fn deleted_while_being_booked(world: World) {
        for round in 0..ROUNDS {
            let monday = slot(&therapist(), Weekday::Mon, window(540, 1_020));
            world.write([Write::InsertAvailability(monday.clone())]).await;
            closed_while_being_booked(&world, round, Write::DeleteAvailability(monday.id)).await;
        }
    }

    /// The same where the window is switched off.
    async fn switched_off_while_being_booked(world: World) {
        let monday = slot(&therapist(), Weekday::Mon, window(540, 1_020));
        world.write([Write::InsertAvailability(monday.clone())]).await;
        for round in 0..ROUNDS {
            world.write([Write::UpdateAvailability(monday.clone())]).await;
            let off = AvailabilitySlot { is_available: false, ..monday.clone() };
            closed_while_being_booked(&world, round, Write::UpdateAvailability(off)).await;
        }
    }

    /// The same where the window moves to another day.
    async fn moved_while_being_booked(world: World) {
        let monday = slot(&therapist(), Weekday::Mon, window(540, 1_020));
        world.write([Write::InsertAvailability(monday.clone())]).await;
        for round in 0..ROUNDS {
            world.write([Write::UpdateAvailability(monday.clone())]).await;
            let moved = AvailabilitySlot { weekday: Weekday::Sun, ..monday.clone() };
            closed_while_being_booked(&world, round, Write::UpdateAvailability(moved)).await;
        }
    }

    /// Booked meetings stay where they are when availability goes.
    async fn deleting_leaves_meetings_alone(world: World) {
        let slots = world.open(&therapist()).await;
        let booked = world.book_hour(hour(10)).await.expect("it is free").value.meeting;
        world.write(slots.iter().map(|slot| Write::DeleteAvailability(slot.id))).await;
        assert_eq!(world.hours(&therapist()).await, []);
        assert_eq!(world.meeting(booked.id).await, Some(booked));
    }

    /// A repeat after the window has gone still gets the first answer.
    async fn a_repeat_outlives_the_window(world: World) {
        let slots = world.open(&therapist()).await;
        let start = super::fixtures::start(hour(10));
        let request = crate::BookRequest::new(therapist(), start, SessionDuration::Hour);
        let actor = super::fixtures::as_client(&client());
        let book = || world.booking.book(&actor, &request, Some(key("once")));
        let first = book().await.expect("it is free");
        world.write(slots.iter().map(|slot| Write::DeleteAvailability(slot.id))).await;
        let again = book().await.expect("a repeat");
        assert!(again.replayed && !first.replayed);
        assert_eq!(again.value, first.value);
    }
}

/// Bookings on the Monday of week `round` race `closing`, which leaves the therapist no hours.
async fn closed_while_being_booked(world: &super::World, round: i64, closing: Write) {
    let week = 7 * 24 * 60 * round;
    let marker = booked(&meeting(&other_client(), &therapist(), minute(week)));
    let bookers = (0..6).map(|n| {
        let world = world.clone();
        let start = minute(week + 540 + 60 * n);
        let client = if n % 2 == 0 { client() } else { other_client() };
        async move { world.book(&client, &therapist(), start, SessionDuration::Hour).await.err() }
    });
    let closer = {
        let (world, marker) = (world.clone(), marker.clone());
        async move { close(&world, closing, marker).await }
    };
    // The one that closes stands in the middle of the others.
    let mut runners: Vec<std::pin::Pin<Box<dyn Future<Output = _> + Send>>> = vec![];
    runners.extend(bookers.map(|booker| Box::pin(booker) as _));
    runners.insert(3, Box::pin(closer));
    let told: super::Tally<()> =
        race(runners).await.into_iter().map(|told| told.map_or(Ok(()), Err)).collect();
    let late = |refusal: &Refusal| *refusal == Refusal::OutsideAvailability;
    assert!(told.refused.iter().all(late), "{:?}", told.refused);

    // The marker was written together with the change: what was booked has to come before it.
    let events = world.events().await;
    let closed = events.iter().position(|recorded| recorded.event.id == marker.id);
    let closed = closed.expect("the marker is there");
    let is_booking = |e: &Event| matches!(e.payload, EventPayload::AppointmentBooked(_));
    let after: Vec<_> = events[closed + 1..].iter().filter(|e| is_booking(&e.event)).collect();
    assert!(after.is_empty(), "booked against hours that were gone: {after:#?}");

    let later = world.book_hour(minute(week + 960)).await;
    assert!(matches!(later, Err(crate::BookingError::Refused(Refusal::OutsideAvailability))));
}

async fn close(world: &super::World, closing: Write, marker: Event) -> Option<crate::BookingError> {
    let scope =
        Scope { people: [therapist()].into(), hours_of: Some(therapist()), ..Scope::default() };
    let change = Change { writes: vec![audited(closing)], events: vec![marker], record: None };
    world.change(&scope, &|_| Ok(change.clone())).await.err().map(Into::into)
}
