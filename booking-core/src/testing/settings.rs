//! How therapists want to be booked: kept as it was written, and held when many want the last place.

use chrono::{TimeDelta, Weekday};

use super::fixtures::{
    as_client, as_therapist, at, audited, booked, client, hour, id, meeting, minute, now,
    other_client, other_therapist, slot, start, therapist, window,
};
use super::{World, cases, race};
use crate::{
    BookRequest, BookingError, Bounded, Buffers, Change, CountedMeeting, DailyLimit, Durations,
    EventPayload, ExpectedVersion, Meeting, MeetingStatus, MeetingUrlTemplate, Refusal, Scope,
    SessionDuration, Settings, Span, TherapistSettings, Unit, UserId, WeeklyLimit, Write,
};

/// How often each race is run; an unlocked read loses within a few.
const ROUNDS: i64 = 8;

cases! {
    ($) conformance_settings in settings:

    /// The least, the most, and everything set; whoever has set nothing is left out.
    async fn settings_come_back_as_written(world: World) {
        let plain = written(&therapist(), 1, Settings::DEFAULT);
        let mut full = written(&other_therapist(), 7, everything());
        full.widest = Buffers { before: bounded(119), after: bounded(120) };
        full.updated_at = Some(at("2024-01-01T12:00:00.007Z"));
        world.write([&plain, &full].map(|one| Write::PutSettings(one.clone()))).await;
        let all = [therapist(), other_therapist(), client()];
        let scope = Scope { settings_of: all.into(), ..Scope::default() };
        let found = world.read(&scope).await;
        assert_eq!(found.settings.values().collect::<Vec<_>>(), [&plain, &full]);
        let scope = Scope { settings_of: [other_therapist()].into(), ..Scope::default() };
        assert_eq!(world.read(&scope).await.settings.into_values().collect::<Vec<_>>(), [full]);
        assert!(world.read(&Scope::default()).await.settings.is_empty());
    }

    /// Nothing is left of those before, and others' stay as they are.
    async fn settings_are_replaced(world: World) {
        let others = written(&other_therapist(), 1, everything());
        let before = written(&therapist(), 1, everything());
        let after = written(&therapist(), 2, Settings::DEFAULT);
        for settings in [&others, &before, &after] {
            world.write([Write::PutSettings(settings.clone())]).await;
        }
        let both = [therapist(), other_therapist()].into();
        let scope = Scope { settings_of: both, ..Scope::default() };
        let found = world.read(&scope).await.settings;
        assert_eq!(found.into_values().collect::<Vec<_>>(), [after, others]);
    }

    /// What is kept free around a meeting goes with it wherever it is read, and changes with it.
    async fn buffers_come_back_with_meetings(world: World) {
        let mut kept = meeting(&client(), &therapist(), hour(9));
        kept.buffers = Buffers { before: bounded(120), after: bounded(5) };
        world.insert(std::slice::from_ref(&kept)).await;
        let scope = Scope {
            people: [therapist()].into(),
            busy_within: kept.span().into(),
            ..Scope::default()
        };
        for after in [45, 0] {
            assert_eq!(world.meeting(kept.id).await.as_ref(), Some(&kept));
            assert_eq!(world.meetings_of(&client()).await, std::slice::from_ref(&kept));
            assert_eq!(world.read(&scope).await.busy[0].buffers, kept.buffers);
            kept.buffers = Buffers { before: bounded(0), after: bounded(after) };
            kept.version += 1;
            world.write([Write::UpdateMeeting(kept.clone())]).await;
        }
    }

    /// Completed and missed meetings of a therapist, in that role, that began within a span.
    async fn held_meetings(world: World) {
        let mut all = Vec::new();
        for (n, status) in (0..).zip(MeetingStatus::ALL) {
            for (k, (client, therapist)) in
                (0..).zip([(client(), therapist()), (therapist(), other_therapist())])
            {
                let mut one = meeting(&client, &therapist, hour(4 * n + 2 * k));
                one.status = *status;
                all.push(one);
            }
        }
        world.insert(&all).await;
        let counted = async |from, to| {
            let scope = Scope {
                hours_of: Some(therapist()),
                counted_within: Span::new(from, to),
                ..Scope::default()
            };
            let mut counted = world.read(&scope).await.counted;
            counted.sort_by_key(|one| one.start);
            counted
        };
        let is_counted = |meeting: &&Meeting| {
            let is_over = [MeetingStatus::Completed, MeetingStatus::NoShow];
            meeting.therapist == therapist() && is_over.contains(&meeting.status)
        };
        let expected: Vec<CountedMeeting> = all.iter().filter(is_counted).map(counted_as).collect();
        assert_eq!(expected.len(), 2);
        assert_eq!(counted(hour(0), hour(100)).await, expected);
        let first = expected[0].start;
        let milli = TimeDelta::milliseconds(1);
        assert_eq!(counted(first, first + milli).await, expected[..1]);
        assert_eq!(counted(first - milli, first).await, []);
        assert_eq!(counted(first + milli, hour(100)).await, expected[1..]);
    }

    /// Of many who want a day's only place, at whatever time, one gets it; and so with a week's.
    async fn the_last_place_has_one_winner(world: World) {
        world.open(&therapist()).await;
        let mut world = world;
        let clients: Vec<UserId> = (0..12).map(|n| id(&format!("client_{n}"))).collect();
        for client in &clients {
            world.add_client(client).await;
        }
        let day = Settings { most_a_day: Some(DailyLimit::MIN), ..Settings::DEFAULT };
        let week = Settings { most_a_week: Some(WeeklyLimit::MIN), ..Settings::DEFAULT };
        for (n, (settings, apart, told)) in
            (0..).zip([(day, 60, Refusal::DayFull), (week, 12 * 60, Refusal::WeekFull)])
        {
            let put = written(&therapist(), n + 1, settings);
            world.write([Write::PutSettings(put)]).await;
            for round in 0..3 {
                let begin = hour(7 * 24 * (round + 10 * i64::try_from(n).expect("small")));
                let bookers = (0..).zip(&clients).map(|(k, client)| {
                    let (world, client) = (world.clone(), client.clone());
                    let start = begin + TimeDelta::minutes(apart * k);
                    async move {
                        world.book(&client, &therapist(), start, SessionDuration::HalfHour).await
                    }
                });
                let tally: super::Tally<_> = race(bookers).await.into_iter().collect();
                tally.one_winner(&told);
            }
        }
    }

    /// Those who come too close to each other, without overlapping, keep each other out.
    async fn what_is_kept_free_has_one_winner(world: World) {
        world.open(&therapist()).await;
        let buffers = Buffers { before: bounded(10), after: bounded(10) };
        let settings = Settings { buffers, ..Settings::DEFAULT };
        world.write([Write::PutSettings(written(&therapist(), 1, settings))]).await;
        for round in 0..ROUNDS {
            let bookers = [(client(), 0), (other_client(), 1)].map(|(client, n)| {
                let world = world.clone();
                let start = hour(24 * round + n);
                async move { world.book(&client, &therapist(), start, SessionDuration::Hour).await }
            });
            let tally: super::Tally<_> = race(bookers).await.into_iter().collect();
            tally.one_winner(&Refusal::SlotConflict);
        }
    }

    /// Bookings race a change of settings that does not let them: those that commit do so before.
    async fn changed_while_being_booked(world: World) {
        world.write([Write::InsertAvailability(
            slot(&therapist(), Weekday::Mon, window(540, 1_020)),
        )]).await;
        for round in 0..ROUNDS {
            let version = 2 * u64::try_from(round).expect("small") + 1;
            let open = written(&therapist(), version, Settings::DEFAULT);
            world.write([Write::PutSettings(open)]).await;
            let short = Durations::up_to(SessionDuration::HalfHour);
            let settings = Settings { durations: short, ..Settings::DEFAULT };
            let closing = Write::PutSettings(written(&therapist(), version + 1, settings));
            closed_while_being_booked(&world, round, closing).await;
        }
    }

    /// Of those who replace one version of settings, one does.
    async fn a_version_of_settings_is_replaced_once(world: World) {
        let jane = as_therapist(&therapist());
        for version in 0..4_u64 {
            let replacers = (0..8_u32).map(|n| {
                let (world, jane) = (world.clone(), jane.clone());
                let n = n + 10 * u32::try_from(version).expect("small");
                let settings = Settings { minimum_notice: bounded(n + 1), ..Settings::DEFAULT };
                let expected = ExpectedVersion::OneOf(vec![version]);
                async move { world.booking.put_settings(&jane, &settings, &expected).await }
            });
            let tally: super::Tally<_> = race(replacers).await.into_iter().collect();
            let won = tally.one_winner(&Refusal::VersionMismatch);
            assert_eq!(won.version, version + 1);
            assert_eq!(world.booking.settings(&jane).await.expect("the store reads"), won);
        }
        assert_eq!(world.entries().await.len(), 4 + PEOPLE_OF_THE_WORLD);
    }
}

/// Entries for those who are there when a case begins, and for who belongs to whom.
const PEOPLE_OF_THE_WORLD: usize = 4 + 2 + 4;

fn bounded<U: Unit, const MIN: u32, const MAX: u32>(number: u32) -> Bounded<U, MIN, MAX> {
    Bounded::new(number).expect("a number within bounds")
}

fn counted_as(meeting: &Meeting) -> CountedMeeting {
    CountedMeeting { meeting: meeting.id, start: meeting.start }
}

/// As a store has them after so many changes.
fn written(therapist: &UserId, version: u64, settings: Settings) -> TherapistSettings {
    let widest = settings.buffers;
    let updated_at = Some(now());
    TherapistSettings { therapist: therapist.clone(), version, settings, widest, updated_at }
}

/// With a value of its own in each place.
fn everything() -> Settings {
    let template = "https://meet.example.com/{meetingId}?a='b'&c=%7B";
    Settings {
        zone: Some(chrono_tz::America::Argentina::ComodRivadavia),
        interval: bounded(5),
        durations: Durations::new([SessionDuration::Hour, SessionDuration::TwoHours])
            .expect("some"),
        buffers: Buffers { before: bounded(1), after: bounded(120) },
        minimum_notice: bounded(525_600),
        horizon: Some(bounded(3_650)),
        most_a_day: Some(bounded(48)),
        most_a_week: Some(bounded(336)),
        cancellation_deadline: bounded(2),
        reschedule_deadline: bounded(3),
        meeting_url: Some(MeetingUrlTemplate::new(template).expect("a template")),
    }
}

/// Hours on the Monday of week `round` are booked while `closing` leaves no room for them.
async fn closed_while_being_booked(world: &World, round: i64, closing: Write) {
    let week = 7 * 24 * 60 * round;
    let marker = booked(&meeting(&other_client(), &therapist(), minute(week)));
    let bookers = (0..6).map(|n| {
        let world = world.clone();
        let from = start(minute(week + 540 + 60 * n));
        let actor = as_client(&if n % 2 == 0 { client() } else { other_client() });
        let request = BookRequest::new(therapist(), from, SessionDuration::Hour);
        async move { world.booking.book(&actor, &request, None).await.err() }
    });
    let closer = {
        let (world, marker) = (world.clone(), marker.clone());
        async move {
            let people = [therapist()].into();
            let scope = Scope { people, ..Scope::default() };
            let writes = vec![audited(closing)];
            let change = Change { writes, events: vec![marker], record: None };
            world.change(&scope, &|_| Ok(change.clone())).await.err().map(Into::into)
        }
    };
    // The one that closes stands in the middle of the others.
    let mut runners: Vec<std::pin::Pin<Box<dyn Future<Output = _> + Send>>> = vec![];
    runners.extend(bookers.map(|booker| Box::pin(booker) as _));
    runners.insert(3, Box::pin(closer));
    for told in race(runners).await.into_iter().flatten() {
        let is_late = matches!(told, BookingError::Refused(Refusal::DurationNotOffered));
        assert!(is_late, "{told:?}");
    }

    // The marker was written together with the change: what was booked has to come before it.
    let events = world.events().await;
    let closed = events.iter().position(|recorded| recorded.event.id == marker.id);
    let after = &events[closed.expect("the marker is there") + 1..];
    let is_booking = |payload: &EventPayload| matches!(payload, EventPayload::AppointmentBooked(_));
    let late = after.iter().filter(|recorded| is_booking(&recorded.event.payload)).count();
    assert_eq!(late, 0, "booked against settings that were gone");
}
