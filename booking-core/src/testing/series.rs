//! Sessions that are booked together: all of a change, however many meetings it has.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::fixtures::{
    as_client, as_therapist, client, hour, id, key, meeting, minute, other_client, other_therapist,
    series_of, start, therapist,
};
use super::{Tally, World, cases, race};
use crate::{
    AuditAction, BookRequest, BookedSeries, BookingError, EventPayload, ExpectedVersion, Meeting,
    MeetingStatus, Recurrence, Refusal, Scope, Series, SeriesMeeting, SeriesMode, SeriesRequest,
    SessionDuration, Span, UserId, Write,
};

cases! {
    ($) conformance_series in series:

    /// Rules, zones, dates and up to as many meetings as a series has, in the order in which they were
    /// booked and as they are now.
    async fn series_come_back_as_written(world: World) {
        let most = i64::from(Recurrence::MOST);
        let many: Vec<Meeting> =
            (0..most).rev().map(|n| meeting(&client(), &therapist(), hour(24 * n))).collect();
        let one = [meeting(&other_client(), &other_therapist(), hour(9))];
        let day = |n| NaiveDate::from_ymd_opt(2024, 1, n).expect("a date");
        let ends = ["0000-01-01", "0000-12-31", "9999-12-31"].map(|date| date.parse().expect("a date"));
        let full = Series {
            rule: "FREQ=MONTHLY;UNTIL=20240301T120000Z;BYDAY=-1FR,1MO;WKST=SU".parse().expect("a rule"),
            except: [day(15), day(1), day(31), ends[0], ends[1], ends[2]].into(),
            duration: SessionDuration::TwoHours,
            zone: chrono_tz::America::Argentina::ComodRivadavia,
            created_at: hour(1) + TimeDelta::milliseconds(7),
            ..series_of(&many)
        };
        let least = series_of(&one);
        world.insert(&many).await;
        world.insert(&one).await;
        world.write([full.clone(), least.clone()].map(Write::InsertSeries)).await;
        let after = Meeting { version: 2, status: MeetingStatus::Cancelled, ..many[3].clone() };
        world.write([Write::UpdateMeeting(after.clone())]).await;

        let found = read(&world, &full).await;
        assert_eq!(found.series, full);
        let mut now = many;
        now[3] = after;
        assert_eq!(found.meetings, now);
        let found = read(&world, &least).await;
        assert_eq!((found.series, &found.meetings[..]), (least, &one[..]));
    }

    /// What keeps people busy in any of several spans, each meeting once, and nothing in between.
    async fn several_spans_are_looked_at_as_one(world: World) {
        let at = |minutes| meeting(&client(), &therapist(), minute(minutes));
        // The second reaches from one span into the next.
        let seen = [at(24 * 60 - 30), at(72 * 60), at(24 * 60 + 60)];
        let unseen = [at(48 * 60), at(72 * 60 - 60), at(73 * 60 + 30)];
        let other = meeting(&other_client(), &other_therapist(), hour(72));
        world.insert(&seen).await;
        world.insert(&unseen).await;
        world.insert(&[other]).await;
        let spans = [(24 * 60, 5), (24 * 60 + 10, 90), (72 * 60, 30), (73 * 60 - 1, 30)];
        let spans = spans.map(|(from, length)| Span::new(minute(from), minute(from + length)));
        let scope = Scope {
            people: [client(), therapist()].into(),
            busy_within: spans.into_iter().flatten().collect(),
            ..Scope::default()
        };
        let found: Vec<_> = world.read(&scope).await.busy.iter().map(|busy| busy.meeting).collect();
        assert_eq!(found.len(), seen.len());
        assert!(seen.iter().all(|meeting| found.contains(&meeting.id)));
    }

    /// A series is booked as a whole or not at all, whoever books one of its sessions meanwhile.
    async fn a_series_loses_as_a_whole(world: World) {
        world.open(&therapist()).await;
        for round in 0..6 {
            let first = hour(24 * 40 * round + 9);
            let before = world.everything().await;
            let (series, single) =
                against_one(&world, first, SeriesMode::All, first + TimeDelta::days(7)).await;
            let told = |refused: Vec<(usize, Refusal)>| refused == [(7, Refusal::SlotConflict)];
            match (series, single) {
                (Ok(booked), Err(BookingError::Refused(Refusal::SlotConflict))) => {
                    assert_eq!((booked.view.meetings.len(), booked.left_out.len()), (12, 0));
                    assert_written_once(&world, &before, &booked, 0).await;
                }
                (Err(BookingError::Refused(Refusal::SeriesRefused(left_out))), Ok(_)) => {
                    let left_out = left_out.into_iter().map(|one| (one.index, one.refusal));
                    assert!(told(left_out.collect()));
                    let after = world.everything().await;
                    assert_eq!(after.events.len(), before.events.len() + 1);
                    assert_eq!(after.audit.len(), before.audit.len() + 1);
                    assert_eq!(after.meetings[2], before.meetings[2], "nothing is booked");
                }
                outcomes => panic!("one of the two is booked: {outcomes:?}"),
            }
        }
        world.assert_no_overlap().await;
    }

    /// The free ones are booked, and the one that somebody else has got is not.
    async fn a_series_takes_what_is_free(world: World) {
        world.open(&therapist()).await;
        for round in 0..6 {
            let first = hour(24 * 40 * round + 9);
            let before = world.everything().await;
            let (series, single) = against_one(&world, first, SeriesMode::Free, first).await;
            let booked = series.expect("all but one are free");
            let lost = single.is_ok();
            assert_eq!(booked.left_out.len(), usize::from(lost));
            assert_eq!(booked.view.meetings.len(), 12 - usize::from(lost));
            assert_written_once(&world, &before, &booked, usize::from(lost)).await;
        }
        world.assert_no_overlap().await;
    }

    /// Whoever sees one of its meetings sees all of them; and when it is cancelled, all or none that
    /// were.
    async fn a_series_is_seen_as_a_whole(world: World) {
        world.open(&therapist()).await;
        let writer = {
            let world = world.clone();
            tokio::spawn(async move {
                for round in 0..6 {
                    let first = hour(24 * 12 * round + 9);
                    let booked = book(&world, &client(), first, 10, SeriesMode::All).await;
                    let id = booked.expect("all are free").view.series.id;
                    let actor = as_client(&client());
                    let cancelled = world.booking.cancel_series(&actor, id, None, None).await;
                    cancelled.expect("they are to come");
                }
            })
        };
        let mut cancelled = 0;
        while cancelled < 60 {
            let meetings = world.meetings_of(&client()).await;
            cancelled = meetings.iter().filter(|meeting| !meeting.status.is_live()).count();
            assert_eq!((meetings.len() % 10, cancelled % 10), (0, 0));
            tokio::task::yield_now().await;
        }
        writer.await.expect("the writer is done");
    }

    /// Of several whole series for the same times one is booked; and each time is booked once.
    async fn many_series_race_for_the_same_times(world: World) {
        let mut world = world;
        let clients: Vec<UserId> = (0..8).map(|n| id(&format!("client_{n}"))).collect();
        for client in &clients {
            world.add_client(client).await;
        }
        world.open(&therapist()).await;
        for (round, mode) in [(0, SeriesMode::All), (1, SeriesMode::Free)] {
            let outcomes = race((0..).zip(clients.clone()).map(|(n, client)| {
                let world = world.clone();
                // The same days, and some days later: none is the same as another's.
                let first = hour(24 * 60 * round + 24 * (n % 3) + 9);
                async move { book(&world, &client, first, 10, mode).await }
            }));
            let tally: Tally<_> = outcomes.await.into_iter().collect();
            let is_about_times = |told: &Refusal| matches!(told, Refusal::SeriesRefused(_));
            assert!(tally.refused.iter().all(is_about_times), "{:?}", tally.refused);
            let meetings = tally.won.iter().flat_map(|booked| &booked.view.meetings);
            let starts: Vec<_> = meetings.map(|meeting| meeting.start).collect();
            let distinct: BTreeSet<_> = starts.iter().collect();
            assert_eq!(distinct.len(), starts.len());
            match mode {
                SeriesMode::All => assert_eq!(tally.won.len(), 1),
                SeriesMode::Free => assert!(starts.len() >= 10),
            }
        }
        world.assert_no_overlap().await;
    }

    /// A request that is sent by several processes at once, under one key, is booked once, and all of
    /// them are answered alike.
    async fn a_repeated_series_is_booked_once(world: World) {
        world.open(&therapist()).await;
        for (round, mode) in [(0, SeriesMode::All), (1, SeriesMode::Free)] {
            let before = world.everything().await;
            let request = request(hour(24 * 30 * round + 9), 8, mode);
            let outcomes = race((0..8).map(|_| {
                let (booking, request) = (world.another_process(), request.clone());
                let key = Some(key(&format!("round-{round}")));
                async move { booking.book_series(&as_client(&client()), &request, key).await }
            }));
            let tally: Tally<_> = outcomes.await.into_iter().collect();
            assert_eq!(tally.refused, [], "a repeat is no conflict");
            assert_eq!(tally.won.iter().filter(|answer| !answer.replayed).count(), 1);
            assert!(tally.won.iter().all(|answer| answer.value == tally.won[0].value));
            assert_written_once(&world, &before, &tally.won[0].value, 0).await;
        }
    }

    /// Each meeting is cancelled once, whoever cancels one, some or all of them at the same time.
    async fn what_is_cancelled_is_cancelled_once(world: World) {
        world.open(&therapist()).await;
        for round in 0..4 {
            let first = hour(24 * 30 * round + 9);
            let booked = book(&world, &client(), first, 10, SeriesMode::All).await;
            let view = booked.expect("all are free").view;
            let before = world.everything().await;
            let outcomes = race((0..6).map(|n| {
                let (world, view) = (world.clone(), view.clone());
                let actor =
                    if n % 2 == 0 { as_client(&client()) } else { as_therapist(&therapist()) };
                let from = (n % 3 != 0).then(|| view.meetings[4].id);
                async move {
                    if n == 5 {
                        let any = ExpectedVersion::Any;
                        let one = world.booking.cancel(&actor, view.meetings[6].id, None, &any);
                        return one.await.map(drop);
                    }
                    world.booking.cancel_series(&actor, view.series.id, from, None).await.map(drop)
                }
            }));
            let tally: Tally<_> = outcomes.await.into_iter().collect();
            assert!(tally.refused.iter().all(|told| *told == Refusal::MeetingClosed));
            let after = world.everything().await;
            assert_eq!(after.events.len(), before.events.len() + 10);
            assert_eq!(after.audit.len(), before.audit.len() + 10);
            let cancelled = after.events[before.events.len()..].iter().map(|recorded| {
                assert!(matches!(recorded.event.payload, EventPayload::AppointmentCancelled(_)));
                recorded.event.payload.meeting()
            });
            let cancelled: BTreeSet<_> = cancelled.collect();
            assert_eq!(cancelled, view.series.meetings.iter().copied().collect());
            for found in read(&world, &view.series).await.meetings {
                assert_eq!((found.status, found.version), (MeetingStatus::Cancelled, 2));
            }
        }
    }
}

/// Daily, with the therapist, an hour each.
fn request(first: DateTime<Utc>, count: u32, mode: SeriesMode) -> SeriesRequest {
    SeriesRequest {
        first: BookRequest::new(therapist(), start(first), SessionDuration::Hour),
        rule: format!("FREQ=DAILY;COUNT={count}").parse().expect("a rule"),
        except: BTreeSet::new(),
        mode,
    }
}

async fn book(
    world: &World,
    client: &UserId,
    first: DateTime<Utc>,
    count: u32,
    mode: SeriesMode,
) -> Result<BookedSeries, BookingError> {
    let request = request(first, count, mode);
    let booked = world.booking.book_series(&as_client(client), &request, None).await;
    booked.map(|answered| answered.value)
}

/// Twelve sessions, and one of somebody else at the same time as one of them.
async fn against_one(
    world: &World,
    first: DateTime<Utc>,
    mode: SeriesMode,
    one: DateTime<Utc>,
) -> (Result<BookedSeries, BookingError>, Result<(), BookingError>) {
    let (all, other) = (world.clone(), world.clone());
    let all = tokio::spawn(async move { book(&all, &client(), first, 12, mode).await });
    let other = tokio::spawn(async move {
        other.book(&other_client(), &therapist(), one, SessionDuration::Hour).await.map(drop)
    });
    (all.await.expect("it comes to an end"), other.await.expect("it comes to an end"))
}

async fn read(world: &World, series: &Series) -> crate::SeriesMeetings {
    let scope = Scope { series: Some(series.id), ..Scope::default() };
    world.read(&scope).await.series.expect("it is there")
}

/// One meeting, one event in the order of starts, one entry for each; the series with an entry of its
/// own; and beside it only so many meetings of others.
async fn assert_written_once(
    world: &World,
    before: &super::Everything,
    booked: &BookedSeries,
    others: usize,
) {
    let ids = &booked.view.series.meetings;
    let found = read(world, &booked.view.series).await;
    assert_eq!(found.series, booked.view.series);
    let listed: Vec<_> = found.meetings.iter().map(SeriesMeeting::from).collect();
    assert_eq!(listed, booked.view.meetings);
    let after = world.everything().await;
    let mut events = after.events[before.events.len()..].iter().map(|e| e.event.payload.meeting());
    assert_eq!(events.clone().count(), ids.len() + others);
    assert!(ids.iter().all(|id| events.any(|event| event == *id)), "in the order of their starts");
    let entries: Vec<_> =
        after.audit.iter().filter(|entry| !before.audit.contains(entry)).collect();
    assert_eq!(entries.len(), ids.len() + others + 1);
    let about = |id: String| entries.iter().filter(move |entry| entry.subject.id == id);
    for id in ids {
        let actions: Vec<_> = about(id.to_string()).map(|entry| entry.action).collect();
        assert_eq!(actions, [AuditAction::MeetingCreated]);
    }
    let actions: Vec<_> =
        about(booked.view.series.id.to_string()).map(|entry| entry.action).collect();
    assert_eq!(actions, [AuditAction::SeriesCreated]);
}
