//! What a scope names is loaded: all of it, nothing else, and as of one moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{TimeDelta, Weekday};

use super::cases;
use super::fixtures::{
    client, hold, hour, key, meeting, minute, now, other_client, other_therapist, series_of, slot,
    therapist, window,
};
use crate::{
    AvailabilityId, Busy, Calendars, Change, Earlier, IdSource, Meeting, MeetingId, MeetingStatus,
    OverrideId, RandomIds, Scope, SeriesId, SessionDuration, Span, UserId, Write,
};

cases! {
    ($) conformance_reads in reads:

    /// What overlaps a span by a minute is in it; what touches it is not.
    async fn busy_spans_are_half_open(world: World) {
        use SessionDuration::{HalfHour, TwoHours};
        let within = Span::new(hour(12), hour(13));
        let cases = [
            (minute(11 * 60 + 30), HalfHour, false),
            (minute(11 * 60 + 31), HalfHour, true),
            (minute(12 * 60 + 15), HalfHour, true),
            (minute(12 * 60 + 59), HalfHour, true),
            (minute(13 * 60), HalfHour, false),
            (minute(10 * 60), TwoHours, false),
            (minute(10 * 60 + 1), TwoHours, true),
            (minute(11 * 60 + 30), TwoHours, true),
        ];
        for (start, duration, is_in) in cases {
            let mut meeting = meeting(&client(), &therapist(), start);
            meeting.duration = duration;
            world.insert(std::slice::from_ref(&meeting)).await;
            for person in [client(), therapist()] {
                let found = busy(&world, &[person], within).await;
                let expected: &[Busy] = if is_in { &[busy_with(&meeting)] } else { &[] };
                assert_eq!(found, expected, "{start} for {} minutes", duration.minutes());
            }
            meeting.status = MeetingStatus::Cancelled;
            world.write([Write::UpdateMeeting(meeting)]).await;
        }
    }

    /// Only live meetings keep anybody busy.
    async fn only_live_meetings_keep_busy(world: World) {
        for (n, status) in (0..).zip(MeetingStatus::ALL) {
            let mut meeting = meeting(&client(), &therapist(), hour(n));
            meeting.status = *status;
            world.insert(std::slice::from_ref(&meeting)).await;
            let found = busy(&world, &[client()], meeting.span()).await;
            let expected = if status.is_live() { vec![busy_with(&meeting)] } else { vec![] };
            assert_eq!(found, expected, "{status}");
        }
    }

    /// Everybody in the scope, in either role, each meeting once; and nobody else.
    async fn busy_is_for_the_people_in_scope(world: World) {
        let ours = meeting(&client(), &therapist(), hour(9));
        let as_client = meeting(&therapist(), &other_therapist(), hour(10));
        let theirs = meeting(&other_client(), &other_therapist(), hour(9));
        world.insert(&[ours.clone(), as_client.clone(), theirs.clone()]).await;
        let day = Span::new(hour(0), hour(24));
        let [ours, as_client, theirs] = [ours, as_client, theirs].map(|m| busy_with(&m));

        let expect = async |people: &[UserId], mut expected: Vec<Busy>| {
            expected.sort_by_key(|busy| busy.meeting);
            assert_eq!(busy(&world, people, day).await, expected, "{people:?}");
        };
        expect(&[client()], vec![ours.clone()]).await;
        expect(&[therapist()], vec![ours.clone(), as_client.clone()]).await;
        expect(&[client(), therapist()], vec![ours.clone(), as_client.clone()]).await;
        expect(&[client(), other_client()], vec![ours.clone(), theirs.clone()]).await;
        expect(&[therapist(), other_therapist()], vec![ours, as_client, theirs]).await;
        expect(&[], vec![]).await;
    }

    /// The span looked at may be long, short, or far away.
    async fn busy_spans_may_be_of_any_length(world: World) {
        let week: Vec<Meeting> =
            (0..7).map(|day| meeting(&client(), &therapist(), hour(24 * day))).collect();
        world.insert(&week).await;
        let count = async |from, to| busy(&world, &[client()], Span::new(from, to)).await.len();
        assert_eq!(count(hour(0), hour(7 * 24)).await, 7);
        assert_eq!(count(hour(1), hour(6 * 24)).await, 5);
        assert_eq!(count(hour(24), hour(24) + TimeDelta::milliseconds(1)).await, 1);
        assert_eq!(count(hour(25) - TimeDelta::milliseconds(1), hour(25)).await, 1);
        assert_eq!(count(hour(25), hour(26)).await, 0);
        assert_eq!(count(hour(10_000), hour(10_001)).await, 0);
    }

    /// Earlier meetings: strictly before, of these two in these roles, and not cancelled.
    async fn earlier_meetings(world: World) {
        let earlier = async |client: UserId, therapist: UserId, before| {
            let earlier = Some(Earlier { client, therapist, before });
            world.read(&Scope { earlier, ..Scope::default() }).await.has_earlier
        };
        for (n, status) in (0..).zip(MeetingStatus::ALL) {
            let (client, start) = (super::fixtures::id(&format!("client_{n}")), hour(n));
            let mut met = meeting(&client, &therapist(), start);
            met.status = *status;
            world.insert(&[met]).await;
            let counts = *status != MeetingStatus::Cancelled;
            let just_after = start + TimeDelta::milliseconds(1);
            assert_eq!(earlier(client.clone(), therapist(), just_after).await, counts, "{status}");
            assert!(!earlier(client.clone(), therapist(), start).await, "strictly before");
            assert!(!earlier(client.clone(), other_therapist(), just_after).await);
            assert!(!earlier(therapist(), client, just_after).await, "in these roles");
        }
        assert!(!earlier(client(), therapist(), hour(100)).await);
    }

    /// What is not there, and what nobody asked for, is empty.
    async fn nothing_else_is_loaded(world: World) {
        world.apply(super::atomicity::everything_at_once(1)).await;
        assert_empty(&world.read(&Scope::default()).await);
        let people = [client(), therapist()].into();
        assert_empty(&world.read(&Scope { people, ..Scope::default() }).await);

        let unknown = Scope {
            people: [other_client()].into(),
            busy_within: Span::new(hour(0), hour(24)).into(),
            counted_within: Span::new(hour(0), hour(24)),
            hours_of: Some(other_therapist()),
            overrides_on: Some((chrono::NaiveDate::MIN, chrono::NaiveDate::MAX)),
            placed_by: Some(other_client()),
            settings_of: [other_therapist(), client()].into(),
            meeting: Some(MeetingId::from_uuid(RandomIds.fresh(now()))),
            series: Some(SeriesId::from_uuid(RandomIds.fresh(now()))),
            availability: Some(AvailabilityId::from_uuid(RandomIds.fresh(now()))),
            override_with: Some(OverrideId::from_uuid(RandomIds.fresh(now()))),
            earlier: Some(Earlier {
                client: other_client(),
                therapist: therapist(),
                before: hour(100),
            }),
            record: Some((other_client(), key("number 1"))),
            users: [super::fixtures::id("client_unknown")].into(),
            related: Some((client(), super::fixtures::id("therapist_unknown"))),
        };
        let found = world.read(&unknown).await;
        assert_empty(&found);
        assert_eq!(found.scope, unknown, "the scope comes back with what was found");
    }

    /// A decision sees the same as a read would.
    async fn decisions_see_what_reads_see(world: World) {
        let slots = world.open(&therapist()).await;
        let change = super::atomicity::everything_at_once(1);
        world.write([Write::DeleteAvailability(slots[1].id)]).await;
        world.apply(change.clone()).await;
        let booked = [meeting(&client(), &therapist(), hour(30))];
        let series = series_of(&booked);
        world.insert(&booked).await;
        world.write([Write::InsertSeries(series.clone())]).await;
        world.write([Write::PutHold(hold(&client(), &therapist(), hour(50)))]).await;
        let scope = Scope {
            people: [client(), therapist()].into(),
            busy_within: Span::new(hour(0), hour(24)).into(),
            counted_within: Span::new(hour(0), hour(24)),
            hours_of: Some(therapist()),
            overrides_on: Some((chrono::NaiveDate::MIN, chrono::NaiveDate::MAX)),
            placed_by: Some(client()),
            settings_of: [therapist()].into(),
            meeting: Some(change.events[0].payload.meeting()),
            series: Some(series.id),
            availability: Some(slots[2].id),
            override_with: None,
            earlier: Some(Earlier { client: client(), therapist: therapist(), before: hour(9) }),
            record: Some((client(), key("number 1"))),
            users: [client()].into(),
            related: Some((client(), therapist())),
        };
        let read = format!("{:?}", world.read(&scope).await);
        let decide = |calendars: &Calendars| {
            assert_eq!(format!("{calendars:?}"), read);
            assert!(calendars.has_earlier && calendars.record.is_some());
            assert_eq!((calendars.busy.len(), calendars.hours.len()), (1, 7));
            assert_eq!((calendars.holds.len(), calendars.placed.len()), (1, 1));
            Ok(Change::default())
        };
        world.change(&scope, &decide).await.expect("the store applies a change");
    }

    /// A read is of one moment: a meeting that moves is in one place, never in both or neither.
    async fn a_read_is_of_one_moment(world: World) {
        let moving = meeting(&client(), &therapist(), hour(9));
        let room = slot(&therapist(), Weekday::Mon, window(0, 1));
        world.insert(std::slice::from_ref(&moving)).await;
        world.write([Write::InsertAvailability(room.clone())]).await;
        let done = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let (world, done, id, slot) = (world.clone(), done.clone(), moving.id, room.id);
                tokio::spawn(async move {
                    while !done.load(Ordering::Relaxed) {
                        assert_one_moment(&world, id, slot).await;
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        let therapists = [therapist(), other_therapist()];
        for n in 1..=100 {
            let mut moved = moving.clone();
            moved.therapist = therapists[n % 2].clone();
            moved.start = hour(i64::try_from(n % 7).expect("small"));
            let mut room = room.clone();
            room.window = window(0, 1 + u16::try_from(n % 7).expect("small"));
            world.write([Write::UpdateMeeting(moved), Write::UpdateAvailability(room)]).await;
            tokio::task::yield_now().await;
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.await.expect("every read was of one moment");
        }
    }

    /// Whoever was answered, and whoever they tell, sees the change.
    async fn an_answered_change_is_seen(world: World) {
        for n in 0..48 {
            let written = meeting(&client(), &therapist(), hour(n));
            world.insert(std::slice::from_ref(&written)).await;
            let elsewhere = {
                let (world, id) = (world.clone(), written.id);
                tokio::spawn(async move { world.meeting(id).await })
            };
            assert!(elsewhere.await.expect("a read").is_some());
            assert_eq!(world.meetings_of(&client()).await.last(), Some(&written));
        }
    }

    /// The store answers.
    async fn the_store_answers(world: World) {
        world.store().ping().await.expect("it is there");
    }
}

/// The meeting is busy once, where its row says; the window was written together with it.
async fn assert_one_moment(world: &super::World, meeting: MeetingId, slot: AvailabilityId) {
    let scope = Scope {
        people: [therapist(), other_therapist()].into(),
        busy_within: Span::new(hour(0), hour(24)).into(),
        hours_of: Some(therapist()),
        meeting: Some(meeting),
        availability: Some(slot),
        ..Scope::default()
    };
    let found = world.read(&scope).await;
    let row = found.meeting.expect("it is there");
    assert_eq!(found.busy, [busy_with(&row)]);
    assert_eq!(found.hours.iter().find(|hours| hours.id == slot), found.availability.as_ref());
    let written = found.availability.expect("it is there").window.end().minutes() - 1;
    assert!(written == 0 || hour(i64::from(written)) == row.start, "{written} and {}", row.start);
}

fn assert_empty(found: &Calendars) {
    assert_eq!((&found.busy[..], &found.hours[..]), (&[][..], &[][..]));
    assert_eq!((&found.meeting, &found.series, &found.availability), (&None, &None, &None));
    assert_eq!((found.has_earlier, &found.record), (false, &None));
    assert!(found.users.is_empty() && !found.are_related);
    assert!(found.settings.is_empty() && found.counted.is_empty());
    assert!(found.overrides.is_empty() && found.override_with.is_none());
    assert!(found.holds.is_empty() && found.placed.is_empty());
}

/// By id; in what order they come is the store's business.
async fn busy(world: &super::World, people: &[UserId], within: Option<Span>) -> Vec<Busy> {
    let people = people.iter().cloned().collect();
    let scope = Scope { people, busy_within: within.into(), ..Scope::default() };
    let mut busy = world.read(&scope).await.busy;
    busy.sort_by_key(|busy| busy.meeting);
    busy
}

fn busy_with(meeting: &Meeting) -> Busy {
    Busy {
        meeting: meeting.id,
        client: meeting.client.clone(),
        therapist: meeting.therapist.clone(),
        span: meeting.span().expect("it takes time"),
        buffers: meeting.buffers,
    }
}
