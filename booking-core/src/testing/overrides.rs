//! Time off and other exceptions: kept as they were written, no two on one date, and heeded by every
//! booking that commits after them.

use chrono::{NaiveDate, TimeDelta, Weekday};

use super::fixtures::{
    as_therapist, at, audited, booked, client, hour, meeting, minute, now, off, other_client,
    other_therapist, slot, text, therapist, window,
};
use super::{World, cases, race};
use crate::{
    AvailabilityOverride, Change, Dates, DayWindows, EventPayload, NewOverride, OverrideId,
    Refusal, Scope, SessionDuration, UserId, Write,
};

/// How often each race is run; an unlocked read loses within a few.
const ROUNDS: i64 = 8;

cases! {
    ($) conformance_overrides in overrides:

    /// The first and the last dates that can be written, leap days, a whole year, all kinds of windows.
    async fn overrides_come_back_as_written(world: World) {
        let mut written = [
            off(&therapist(), "0000-01-01", "0000-01-01"),
            off(&therapist(), "1582-10-04", "1582-10-15"),
            off(&therapist(), "1969-12-31", "1970-01-01"),
            off(&therapist(), "2024-01-01", "2024-12-31"),
            off(&therapist(), "2028-02-29", "2028-02-29"),
            off(&therapist(), "9999-12-31", "9999-12-31"),
        ];
        let windows = [(0, 1), (1, 540), (600, 720), (1_439, 1_440)];
        for (n, one) in (0..).zip(&mut written) {
            let some = windows.iter().take(usize::try_from(n).expect("small"));
            let some = some.map(|(from, to)| window(*from, *to));
            one.windows = DayWindows::new(some).expect("windows of a date");
            one.notes = (n % 2 == 0).then(|| text(["", super::rows::NASTY][n as usize / 2 % 2]));
            one.created_at = now() - TimeDelta::milliseconds(n);
            one.updated_at = now() + TimeDelta::milliseconds(n);
        }
        let others = off(&other_therapist(), "2024-06-01", "2024-06-01");
        let shuffled = written.iter().rev().chain([&others]).cloned();
        world.write(shuffled.map(Write::InsertOverride)).await;
        assert_eq!(all(&world, &therapist()).await, written);
        assert_eq!(all(&world, &other_therapist()).await, [others]);
        assert_eq!(all(&world, &client()).await, []);
        for one in &written {
            assert_eq!(with_id(&world, one.id).await.as_ref(), Some(one));
        }
    }

    /// Those with a date from one to another, both of them included; none without somebody's hours.
    async fn overrides_are_found_by_their_dates(world: World) {
        let week = off(&therapist(), "2024-03-04", "2024-03-10");
        let day = off(&therapist(), "2024-03-12", "2024-03-12");
        world.write([&day, &week].map(|one| Write::InsertOverride(one.clone()))).await;
        for (first, last, expected) in [
            ("2024-03-01", "2024-03-03", vec![]),
            ("2024-03-01", "2024-03-04", vec![&week]),
            ("2024-03-06", "2024-03-07", vec![&week]),
            ("2024-03-10", "2024-03-12", vec![&week, &day]),
            ("2024-03-11", "2024-03-11", vec![]),
            ("2024-03-12", "2024-03-31", vec![&day]),
            ("2024-03-13", "2024-03-31", vec![]),
        ] {
            let found = between(&world, &therapist(), date(first), date(last)).await;
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{first} to {last}");
        }
        let overrides_on = Some((NaiveDate::MIN, NaiveDate::MAX));
        assert_eq!(world.read(&Scope { overrides_on, ..Scope::default() }).await.overrides, []);
    }

    /// Nothing is left of what was, others stay, and what is deleted is gone.
    async fn overrides_are_replaced_and_deleted(world: World) {
        let mut before = off(&therapist(), "2024-03-04", "2024-03-10");
        before.notes = Some(text("Crete"));
        let neighbour = off(&therapist(), "2024-03-11", "2024-03-11");
        world.write([&before, &neighbour].map(|one| Write::InsertOverride(one.clone()))).await;
        let after = AvailabilityOverride {
            dates: Dates::new(date("2024-03-05"), date("2024-03-06")).expect("dates"),
            windows: DayWindows::new([window(540, 720)]).expect("windows"),
            notes: None,
            updated_at: now() + TimeDelta::milliseconds(1),
            ..before.clone()
        };
        world.write([Write::UpdateOverride(after.clone())]).await;
        assert_eq!(all(&world, &therapist()).await, [after.clone(), neighbour.clone()]);
        world.write([Write::DeleteOverride(after.id)]).await;
        assert_eq!(with_id(&world, after.id).await, None);
        assert_eq!(all(&world, &therapist()).await, std::slice::from_ref(&neighbour));
        // In their order: a date may pass from one to another.
        let instead = off(&therapist(), "2024-03-11", "2024-03-12");
        world
            .write([Write::DeleteOverride(neighbour.id), Write::InsertOverride(instead.clone())])
            .await;
        assert_eq!(all(&world, &therapist()).await, [instead]);
    }

    /// Of those who take a date off, in whatever span, one does.
    async fn overlapping_overrides_are_added_once(world: World) {
        let jane = as_therapist(&therapist());
        for round in 0..4 {
            let middle = date("2024-02-01") + TimeDelta::days(40 * round);
            let takers = (0..8).map(|n| {
                let (world, jane) = (world.clone(), jane.clone());
                let dates = Dates::new(middle - TimeDelta::days(n), middle + TimeDelta::days(8 - n));
                let dates = dates.expect("dates of an override");
                let new = NewOverride { dates, windows: DayWindows::default(), notes: None };
                async move { world.booking.add_override(&jane, &new, None).await }
            });
            let tally: super::Tally<_> = race(takers).await.into_iter().collect();
            let won = tally.one_winner(&Refusal::OverrideOverlap).value;
            assert_eq!(with_id(&world, won.id).await, Some(won));
        }
        assert_eq!(all(&world, &therapist()).await.len(), 4);
    }

    /// Bookings race a day off: those that commit do so before.
    async fn taken_off_while_being_booked(world: World) {
        world
            .write([Write::InsertAvailability(slot(
                &therapist(),
                Weekday::Mon,
                window(540, 1_020),
            ))])
            .await;
        for round in 0..ROUNDS {
            let monday = minute(7 * 24 * 60 * round).date_naive().to_string();
            let day_off = off(&therapist(), &monday, &monday);
            closed_while_being_booked(&world, round, Write::InsertOverride(day_off)).await;
        }
    }

    /// The same where it was open by an override that goes.
    async fn reopened_no_more_while_being_booked(world: World) {
        for round in 0..ROUNDS {
            let monday = minute(7 * 24 * 60 * round).date_naive().to_string();
            let mut open = off(&therapist(), &monday, &monday);
            open.windows = DayWindows::new([window(540, 1_020)]).expect("windows");
            world.write([Write::InsertOverride(open.clone())]).await;
            closed_while_being_booked(&world, round, Write::DeleteOverride(open.id)).await;
        }
    }
}

fn date(text: &str) -> NaiveDate {
    at(&format!("{text}T00:00:00Z")).date_naive()
}

async fn between(
    world: &World,
    therapist: &UserId,
    first: NaiveDate,
    last: NaiveDate,
) -> Vec<AvailabilityOverride> {
    let hours_of = Some(therapist.clone());
    let scope = Scope { hours_of, overrides_on: Some((first, last)), ..Scope::default() };
    world.read(&scope).await.overrides
}

async fn all(world: &World, therapist: &UserId) -> Vec<AvailabilityOverride> {
    between(world, therapist, NaiveDate::MIN, NaiveDate::MAX).await
}

async fn with_id(world: &World, id: OverrideId) -> Option<AvailabilityOverride> {
    world.read(&Scope { override_with: Some(id), ..Scope::default() }).await.override_with
}

/// Hours on the Monday of week `round` are booked while `closing` takes it off.
async fn closed_while_being_booked(world: &World, round: i64, closing: Write) {
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
        async move {
            let scope = Scope { people: [therapist()].into(), ..Scope::default() };
            let writes = vec![audited(closing)];
            let change = Change { writes, events: vec![marker], record: None };
            world.change(&scope, &|_| Ok(change.clone())).await.err().map(Into::into)
        }
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
    let after = &events[closed.expect("the marker is there") + 1..];
    let is_booking = |payload: &EventPayload| matches!(payload, EventPayload::AppointmentBooked(_));
    let late = after.iter().filter(|recorded| is_booking(&recorded.event.payload)).count();
    assert_eq!(late, 0, "booked on a day off");
    let later = world.book_hour(hour(7 * 24 * round + 16)).await;
    assert!(matches!(later, Err(crate::BookingError::Refused(Refusal::OutsideAvailability))));
}
