//! Many want what only one can have.

use chrono::TimeDelta;

use super::fixtures::{
    as_client, as_therapist, audited, client, hour, id, key, meeting, minute, other_client,
    other_therapist, start, therapist, window,
};
use super::{cases, race};
use crate::{
    BookRequest, EventPayload, ExpectedVersion, MeetingPatch, MeetingStatus, NewAvailability,
    Refusal, Scope, SessionDuration, Text, Write,
};
use chrono::Weekday;

cases! {
    ($) conformance_races in races:

    /// Of 32 clients who book one start of one therapist, one gets it.
    async fn one_start_has_one_winner(world: World) {
        let mut world = world;
        let clients: Vec<_> = (0..32).map(|n| id(&format!("client_{n}"))).collect();
        for client in &clients {
            world.add_client(client).await;
        }
        world.open(&therapist()).await;
        for round in 0..2 {
            let outcomes =
                race(
                    clients.iter().cloned().map(|client| {
                        let world = world.clone();
                        let start = hour(10 + round);
                        async move {
                            world.book(&client, &therapist(), start, SessionDuration::Hour).await
                        }
                    }),
                );
            let tally: super::Tally<_> = outcomes.await.into_iter().collect();
            let winner = tally.one_winner(&Refusal::SlotConflict).value.meeting;
            let events = world.events().await;
            assert_eq!(events.len(), 1 + usize::try_from(round).expect("small"), "one event each");
            assert_eq!(events.last().map(|e| e.event.payload.meeting()), Some(winner.id));
        }
        world.assert_no_overlap().await;
    }

    /// Sessions of all lengths that overlap without being equal keep each other out too.
    async fn overlapping_sessions_keep_each_other_out(world: World) {
        world.open(&therapist()).await;
        world.open(&other_therapist()).await;
        let wishes = (0..64).map(|n| {
            let duration = SessionDuration::ALL[n % 4];
            let start = minute(600 + 30 * i64::try_from(n % 7).expect("small"));
            let client = if n % 2 == 0 { client() } else { other_client() };
            let therapist = if n % 3 == 0 { other_therapist() } else { therapist() };
            let world = world.clone();
            async move { world.book(&client, &therapist, start, duration).await }
        });
        let tally: super::Tally<_> = race(wishes).await.into_iter().collect();
        assert!(tally.refused.iter().all(|refusal| *refusal == Refusal::SlotConflict));
        assert_eq!(world.events().await.len(), tally.won.len());
        world.assert_no_overlap().await;
    }

    /// One client books two therapists at one time, and gets one of them.
    async fn a_client_is_in_one_place(world: World) {
        world.open(&therapist()).await;
        world.open(&other_therapist()).await;
        for round in 0..8 {
            let outcomes =
                race(
                    [therapist(), other_therapist()].map(|therapist| {
                        let world = world.clone();
                        let hour = hour(round);
                        async move {
                            world.book(&client(), &therapist, hour, SessionDuration::Hour).await
                        }
                    }),
                );
            let tally: super::Tally<_> = outcomes.await.into_iter().collect();
            tally.one_winner(&Refusal::SlotConflict);
        }
        world.assert_no_overlap().await;
    }

    /// The lock is on the person: a therapist who is somebody else's client at one time is in one
    /// of the two meetings.
    async fn a_person_with_two_roles_is_in_one_place(world: World) {
        world.open(&therapist()).await;
        world.open(&other_therapist()).await;
        let pairs = [(client(), other_therapist()), (other_therapist(), therapist())];
        for round in 0..16 {
            let outcomes = race(pairs.clone().map(|(client, therapist)| {
                let world = world.clone();
                let hour = hour(round);
                async move { world.book(&client, &therapist, hour, SessionDuration::Hour).await }
            }));
            let tally: super::Tally<_> = outcomes.await.into_iter().collect();
            tally.one_winner(&Refusal::SlotConflict);
        }
        world.assert_no_overlap().await;
    }

    /// Two who book each other at the same time lock the same two calendars: in one order.
    async fn crossed_bookings_do_not_block_each_other(world: World) {
        world.open(&therapist()).await;
        world.open(&other_therapist()).await;
        let pairs = [(therapist(), other_therapist()), (other_therapist(), therapist())];
        for round in 0..24 {
            let outcomes = race((0..4).map(|n| {
                let world = world.clone();
                let ((client, therapist), hour) = (pairs[n % 2].clone(), hour(round));
                async move { world.book(&client, &therapist, hour, SessionDuration::Hour).await }
            }));
            let outcomes = tokio::time::timeout(std::time::Duration::from_mins(5), outcomes);
            let outcomes = outcomes.await.expect("nobody waits for somebody who waits");
            let tally: super::Tally<_> = outcomes.into_iter().collect();
            tally.one_winner(&Refusal::SlotConflict);
        }
        world.assert_no_overlap().await;
    }

    /// Two meetings that would swap places find each other's place taken: a change sees either all
    /// of another or nothing of it.
    async fn a_swap_is_refused_on_both_sides(world: World) {
        world.open(&therapist()).await;
        let one = meeting(&client(), &therapist(), hour(10));
        let other = meeting(&other_client(), &therapist(), hour(11));
        world.insert(&[one.clone(), other.clone()]).await;
        for _ in 0..8 {
            let moves = [(one.clone(), hour(11)), (other.clone(), hour(10))];
            let outcomes = race(moves.map(|(meeting, to)| {
                let world = world.clone();
                async move { world.move_to(&meeting, to).await }
            }));
            let tally: super::Tally<_> = outcomes.await.into_iter().collect();
            assert_eq!(tally.refused, [Refusal::SlotConflict, Refusal::SlotConflict]);
        }
        assert_eq!(world.meeting(one.id).await, Some(one));
        assert_eq!(world.meeting(other.id).await, Some(other));
    }

    /// Two meetings of different people move to one place, and one gets there.
    async fn a_place_takes_one_of_two_that_move(world: World) {
        world.open(&therapist()).await;
        for round in 0..8 {
            let one = meeting(&client(), &therapist(), hour(24 * round));
            let other = meeting(&other_client(), &therapist(), hour(24 * round + 1));
            world.insert(&[one.clone(), other.clone()]).await;
            let outcomes = race([one, other].map(|meeting| {
                let world = world.clone();
                async move { world.move_to(&meeting, hour(24 * round + 5)).await }
            }));
            let tally: super::Tally<_> = outcomes.await.into_iter().collect();
            tally.one_winner(&Refusal::SlotConflict);
        }
        world.assert_no_overlap().await;
    }

    /// Of several who cancel a meeting one does, and it is said once.
    async fn a_meeting_is_cancelled_once(world: World) {
        for round in 0..8 {
            let booked = meeting(&client(), &therapist(), hour(round));
            world.insert(std::slice::from_ref(&booked)).await;
            let outcomes = race((0..8).map(|n| {
                let world = world.clone();
                let actor =
                    if n % 2 == 0 { as_client(&client()) } else { as_therapist(&therapist()) };
                let any = ExpectedVersion::Any;
                async move { world.booking.cancel(&actor, booked.id, None, &any).await }
            }));
            let tally: super::Tally<_> = outcomes.await.into_iter().collect();
            let after = tally.one_winner(&Refusal::MeetingClosed).meeting;
            assert_eq!((after.status, after.version), (MeetingStatus::Cancelled, 2));
            let about = |e: &crate::Recorded| e.event.payload.meeting() == booked.id;
            assert_eq!(world.events().await.iter().filter(|e| about(e)).count(), 1);
        }
    }

    /// Of several who change the version that all of them have seen, one does.
    async fn a_version_is_changed_once(world: World) {
        let booked = meeting(&client(), &therapist(), hour(10));
        world.insert(std::slice::from_ref(&booked)).await;
        for version in 1..=8 {
            let outcomes = race((0..6).map(|n| {
                let world = world.clone();
                let title = Text::new(format!("{version}.{n}")).expect("a title");
                let patch = MeetingPatch { title: Some(title), ..MeetingPatch::default() };
                let seen = ExpectedVersion::OneOf(vec![version]);
                async move {
                    world.booking.update(&as_client(&client()), booked.id, &patch, &seen).await
                }
            }));
            let tally: super::Tally<_> = outcomes.await.into_iter().collect();
            let after = tally.one_winner(&Refusal::VersionMismatch).meeting;
            assert_eq!(world.meeting(booked.id).await, Some(after));
        }
    }

    /// What a decision looks at is no older than its locks: no change gets lost under another.
    async fn no_change_is_lost_under_another(world: World) {
        let counter = meeting(&client(), &therapist(), hour(10));
        world.insert(std::slice::from_ref(&counter)).await;
        // Any of the meeting's people in common is enough to keep two changes apart.
        let scopes = [vec![client(), therapist()], vec![therapist(), other_therapist()]];
        race((0..16).map(|n| {
            let world = world.clone();
            let scope = Scope {
                people: scopes[n % 2].iter().cloned().collect(),
                meeting: Some(counter.id),
                ..Scope::default()
            };
            async move {
                for _ in 0..8 {
                    let counted = world.change(&scope, &|calendars| {
                        let mut meeting = calendars.meeting.clone().expect("it is there");
                        meeting.version += 1;
                        meeting.updated_at += TimeDelta::seconds(1);
                        let writes = vec![audited(Write::UpdateMeeting(meeting))];
                        Ok(crate::Change { writes, ..crate::Change::default() })
                    });
                    counted.await.expect("the store applies a change");
                }
            }
        }))
        .await;
        let counted = world.meeting(counter.id).await.expect("it is there");
        assert_eq!(counted.version, counter.version + 16 * 8);
        assert_eq!(counted.updated_at, counter.updated_at + TimeDelta::seconds(16 * 8));
    }

    /// Of several overlapping weekly windows, one is added.
    async fn overlapping_availability_is_added_once(world: World) {
        for weekday in crate::WEEKDAYS {
            let outcomes = race((0..8).map(|n| {
                let world = world.clone();
                let window = window(540 + 30 * n, 540 + 30 * n + 240);
                let new = NewAvailability { weekday, window, notes: None };
                async move {
                    world.booking.add_availability(&as_therapist(&therapist()), &new, None).await
                }
            }));
            let tally: super::Tally<_> = outcomes.await.into_iter().collect();
            tally.one_winner(&Refusal::AvailabilityOverlap);
        }
        assert_eq!(world.hours(&therapist()).await.len(), 7);
    }

    /// A booking that is sent by several processes at once, under one idempotency key, is made
    /// once, and all of them are answered alike.
    async fn a_repeated_booking_is_made_once(world: World) {
        world.open(&therapist()).await;
        for round in 0..4 {
            let request = BookRequest::new(therapist(), start(hour(round)), SessionDuration::Hour);
            let outcomes = race((0..8).map(|_| {
                let (booking, request) = (world.another_process(), request.clone());
                let key = Some(key(&format!("round-{round}")));
                async move { booking.book(&as_client(&client()), &request, key).await }
            }));
            let tally: super::Tally<_> = outcomes.await.into_iter().collect();
            assert_eq!(tally.refused, [], "a repeat is no conflict");
            assert_eq!(tally.won.iter().filter(|answer| !answer.replayed).count(), 1);
            assert!(tally.won.iter().all(|answer| answer.value == tally.won[0].value));
        }
        assert_eq!(world.meetings_of(&client()).await.len(), 4);
        assert_eq!(world.events().await.len(), 4);
    }

    /// The same within one process, where a repeat may also be told to wait; and for availability.
    async fn a_repeated_request_is_done_once(world: World) {
        let new = |weekday| NewAvailability { weekday, window: window(0, 60), notes: None };
        for weekday in [Weekday::Mon, Weekday::Tue] {
            let outcomes = race((0..8).map(|_| {
                let (world, new) = (world.clone(), new(weekday));
                let key = Some(key(&format!("{weekday}")));
                let therapist = as_therapist(&therapist());
                async move { world.booking.add_availability(&therapist, &new, key).await }
            }));
            let tally: super::Tally<_> = outcomes.await.into_iter().collect();
            let waiting = |refusal: &Refusal| *refusal == Refusal::IdempotencyInFlight;
            assert!(tally.refused.iter().all(waiting), "{:?}", tally.refused);
            assert!(tally.won.iter().all(|answer| answer.value == tally.won[0].value));
        }
        assert_eq!(world.hours(&therapist()).await.len(), 2);
    }

    /// The events of one meeting come in the order of its changes, however these raced.
    async fn events_follow_the_order_of_changes(world: World) {
        world.open(&therapist()).await;
        let booked = world.book_hour(hour(0)).await.expect("it is free").value.meeting;
        let outcomes = race((1..=24).map(|n| {
            let (world, booked) = (world.clone(), booked.clone());
            async move { world.move_to(&booked, hour(2 * n)).await }
        }));
        let tally: super::Tally<_> = outcomes.await.into_iter().collect();
        assert_eq!(tally.refused, [], "every place is free");

        let events = world.events().await;
        assert_eq!(events.len(), 25);
        assert!(events.is_sorted_by(|one, next| one.sequence < next.sequence));
        let mut place = booked.start;
        for recorded in &events[1..] {
            let EventPayload::AppointmentRescheduled(moved) = &recorded.event.payload else {
                panic!("only moved since it was booked: {recorded:?}");
            };
            assert_eq!(moved.original_start_time, place);
            place = moved.new_start_time;
        }
        let after = world.meeting(booked.id).await.expect("it is there");
        assert_eq!((after.start, after.version), (place, 25));
    }
}
