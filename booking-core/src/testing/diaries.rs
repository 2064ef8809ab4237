//! What lists of slots are made of: what reads find, of everybody at once, and as of one moment.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{TimeDelta, Weekday};
use chrono_tz::Tz;

use super::cases;
use super::fixtures::{
    client, hold, hour, id, meeting, minute, now, off, other_client, other_therapist, slot,
    therapist, user, window,
};
use crate::{
    AvailabilitySlot, Bounded, Buffer, Buffers, Diaries, DiariesQuery, Diary, DiaryMeeting,
    DiaryOwner, Meeting, MeetingStatus, Overrides, Role, Scope, SessionDuration, Span, SpanSet,
    TherapistSettings, User, UserId, Viewer, WeeklyHours, Write,
};

cases! {
    ($) conformance_diaries in diaries:

    /// Of each therapist, whatever they are asked for with: what a read for them alone finds.
    async fn diaries_say_what_reads_say(world: World) {
        let world = practice(world).await;
        let everybody: BTreeSet<UserId> = [therapist(), other_therapist(), client()].into();
        let spans = [
            (hour(0), hour(24)),
            (hour(9), hour(10)),
            (minute(9 * 60 + 30), minute(9 * 60 + 31)),
            (hour(10), hour(10) + TimeDelta::milliseconds(1)),
            (hour(-24 * 40), hour(24 * 40)),
            (hour(24 * 400), hour(24 * 401)),
        ];
        let spans = spans.map(|(from, to)| Span::new(from, to)).into_iter().chain([None]);
        let counted_within = Span::new(hour(-24 * 10), hour(24 * 5));
        for (within, counted_within) in spans.zip([None, counted_within].into_iter().cycle()) {
            for client in [None, Some(client()), Some(therapist()), Some(id("client_unknown"))] {
                for asked in [everybody.clone(), [therapist()].into(), [id("nobody")].into(), [].into()] {
                    let query = DiariesQuery { therapists: asked, client: client.clone(), within, counted_within };
                    assert_eq!(world.diaries(&query).await, read_one_by_one(&world, &query).await);
                }
            }
        }
    }

    /// Live meetings keep busy, from the first minute that is asked about to the last.
    async fn diaries_are_half_open(world: World) {
        use SessionDuration::{HalfHour, TwoHours};
        let within = Span::new(hour(12), hour(13));
        for (start, duration, is_in) in [
            (minute(11 * 60 + 30), HalfHour, false),
            (minute(11 * 60 + 31), HalfHour, true),
            (minute(12 * 60 + 59), HalfHour, true),
            (minute(13 * 60), HalfHour, false),
            (minute(10 * 60), TwoHours, false),
            (minute(10 * 60 + 1), TwoHours, true),
        ] {
            for status in MeetingStatus::ALL {
                let mut meeting = meeting(&client(), &therapist(), start);
                (meeting.duration, meeting.status) = (duration, *status);
                world.insert(std::slice::from_ref(&meeting)).await;
                let (therapists, counted_within) = ([therapist()].into(), within);
                let query = DiariesQuery { therapists, client: Some(client()), within, counted_within };
                let found = world.diaries(&query).await;
                let is_in = is_in && status.is_live();
                let expected: SpanSet = meeting.span().filter(|_| is_in).into_iter().collect();
                let diary = &found.therapists[&therapist()];
                assert_eq!(busy(diary), expected, "{start} {status}");
                let counts = matches!(status, MeetingStatus::Completed | MeetingStatus::NoShow);
                let is_in = counts && (hour(12)..hour(13)).contains(&start);
                assert_eq!(diary.counted == [start], is_in, "{start} {status}");
                assert_eq!(found.client, Some(expected), "{start} {status}");
                meeting.status = MeetingStatus::Cancelled;
                world.write([Write::UpdateMeeting(meeting)]).await;
            }
        }
    }

    /// Roles and zones are those of the store's own directory; who is not in it has no slots.
    async fn diaries_know_whose_they_are(world: World) {
        let mut world = world;
        let abroad = User { zone: Some(Tz::Asia__Kathmandu), ..user(&id("therapist_abroad")) };
        world.put_user(&abroad).await;
        let asked = [therapist(), client(), abroad.id.clone(), id("therapist_unknown")];
        let therapists = asked.iter().cloned().collect();
        let within = Span::new(hour(0), hour(24));
        let query = DiariesQuery { therapists, within, ..DiariesQuery::default() };
        let mut found = world.diaries(&query).await;
        assert!(found.client.is_none());
        let owners = asked.clone().map(|id| found.therapists[&id].owner);
        let owner = |role, zone| Some(DiaryOwner { role, zone });
        let therapist_in = |zone| owner(Role::Therapist, zone);
        let expected = [
            therapist_in(Tz::UTC),
            owner(Role::Client, Tz::UTC),
            therapist_in(Tz::Asia__Kathmandu),
            None,
        ];
        assert_eq!(owners, expected);
        let zones = asked.map(|id| {
            let diary = found.therapists.remove(&id);
            let viewer = Viewer { user: &client(), now: now() };
            let calendar = diary.and_then(Diary::into_calendar);
            calendar.map(|calendar| calendar.seen_by(viewer).zone())
        });
        assert_eq!(zones, [Some(Tz::UTC), None, Some(Tz::Asia__Kathmandu), None]);
    }

    /// As many as may be asked about.
    async fn fifty_diaries_are_one_question(world: World) {
        let mut world = world;
        let count = i64::try_from(DiariesQuery::MAX_THERAPISTS).expect("small");
        let therapists: Vec<UserId> = (0..count).map(|n| id(&format!("therapist_{n}"))).collect();
        let mut meetings = Vec::new();
        for (n, therapist) in (0..).zip(&therapists) {
            world.put_user(&user(therapist)).await;
            meetings.push(meeting(&id(&format!("client_{n}")), therapist, hour(n)));
        }
        world.insert(&meetings).await;
        let query = DiariesQuery {
            therapists: therapists.iter().cloned().collect(),
            client: Some(id("client_7")),
            within: Span::new(hour(0), hour(24 * 62)),
            counted_within: None,
        };
        let found = world.diaries(&query).await;
        assert_eq!(found.therapists.len(), therapists.len());
        for meeting in &meetings {
            let taken = busy(&found.therapists[&meeting.therapist]);
            assert_eq!(taken.as_slice(), [meeting.span().expect("it takes time")]);
        }
        assert_eq!(found.client, Some(busy(&found.therapists[&therapists[7]])));
    }

    /// Somebody moves from one therapist to the other while their diaries are read: in one of them at
    /// every moment, where their own says so, and with the hours of that moment.
    async fn diaries_are_of_one_moment(world: World) {
        let moving = meeting(&client(), &therapist(), hour(0));
        let rooms = [therapist(), other_therapist()].map(|t| slot(&t, Weekday::Mon, window(0, 1)));
        world.insert(std::slice::from_ref(&moving)).await;
        world.write(rooms.clone().map(Write::InsertAvailability)).await;
        let done = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let (world, done) = (world.clone(), done.clone());
                tokio::spawn(async move {
                    while !done.load(Ordering::Relaxed) {
                        assert_one_moment(&world).await;
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for n in 1..=100_u16 {
            let mut moved = moving.clone();
            moved.therapist = rooms[usize::from(n % 2)].therapist.clone();
            moved.start = hour(i64::from(n % 7));
            let resized = |room: &AvailabilitySlot| {
                let room = AvailabilitySlot { window: window(0, 1 + n % 7), ..room.clone() };
                Write::UpdateAvailability(room)
            };
            let writes = rooms.iter().map(resized);
            world.write(writes.chain([Write::UpdateMeeting(moved)])).await;
            tokio::task::yield_now().await;
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.await.expect("every question was answered of one moment");
        }
    }

    /// Revisions alone are those that come with everything else.
    async fn revisions_are_the_same_by_themselves(world: World) {
        let world = practice(world).await;
        let people: BTreeSet<UserId> =
            [client(), therapist(), other_therapist(), id("client_unknown")].into();
        for n in 0..4 {
            let scope = Scope { people: people.clone(), ..Scope::default() };
            let read = world.read(&scope).await.revisions;
            let alone = world.store().revisions(&people).await.expect("the store counts");
            assert_eq!(alone, read);
            world.insert(&[meeting(&client(), &therapist(), hour(100 + n))]).await;
            let after = world.store().revisions(&people).await.expect("the store counts");
            for person in [client(), therapist()] {
                let is_counted = read.contains_key(&person);
                assert_eq!(after.get(&person) != read.get(&person), is_counted, "{person}");
            }
        }
        let nobody = world.store().revisions(&BTreeSet::new()).await.expect("the store counts");
        assert!(nobody.is_empty());
    }
}

/// Meetings of every kind, and hours that are switched off too.
async fn practice(world: super::World) -> super::World {
    let mut meetings: Vec<Meeting> = (-20..20)
        .zip(MeetingStatus::ALL.iter().cycle())
        .map(|(n, status)| Meeting {
            status: *status,
            buffers: Buffers { before: Bounded::MIN, after: buffer(n) },
            ..meeting(&client(), &therapist(), hour(24 * n + 9))
        })
        .collect();
    // Back to back, and the therapist as a client.
    meetings.push(meeting(&other_client(), &therapist(), hour(11)));
    meetings.push(meeting(&client(), &therapist(), hour(12)));
    meetings.push(meeting(&therapist(), &other_therapist(), hour(13)));
    world.insert(&meetings).await;
    let closed = AvailabilitySlot {
        is_available: false,
        ..slot(&therapist(), Weekday::Tue, window(600, 700))
    };
    let open = [
        closed,
        slot(&therapist(), Weekday::Mon, window(540, 720)),
        slot(&therapist(), Weekday::Mon, window(720, 1_440)),
        slot(&therapist(), Weekday::Sun, window(0, 1_440)),
        slot(&other_therapist(), Weekday::Fri, window(1, 2)),
    ];
    world.write(open.map(Write::InsertAvailability)).await;
    let unset = TherapistSettings::unset(therapist());
    let set = TherapistSettings { version: 1, updated_at: Some(now()), ..unset };
    let away =
        [("2023-12-30", "2024-01-20"), ("2024-01-21", "2024-01-21"), ("2025-03-01", "2025-03-02")];
    let away = away.map(|(first, last)| off(&therapist(), first, last));
    let others = off(&other_therapist(), "2024-01-01", "2024-12-31");
    let away = away.into_iter().chain([others]).map(Write::InsertOverride);
    world.write(away.chain([Write::PutSettings(set)])).await;
    let holds = [
        hold(&client(), &therapist(), hour(15)),
        hold(&other_client(), &therapist(), hour(14)),
        hold(&therapist(), &therapist(), hour(24 * 300)),
        hold(&client(), &other_therapist(), hour(14)),
    ];
    world.write(holds.map(Write::PutHold)).await;
    world
}

fn buffer(n: i64) -> Buffer {
    u32::try_from(20 + n).ok().and_then(|minutes| Buffer::new(minutes).ok()).expect("small")
}

/// When somebody is busy, with nothing kept free around it.
fn busy(diary: &Diary) -> SpanSet {
    diary.busy.iter().map(|meeting| meeting.span).collect()
}

async fn read_one_by_one(world: &super::World, query: &DiariesQuery) -> Diaries {
    let mut expected = Diaries::default();
    let everybody: BTreeSet<UserId> = query.people().into_iter().cloned().collect();
    let scope = Scope { people: everybody, ..Scope::default() };
    expected.revisions = world.read(&scope).await.revisions;
    for therapist in &query.therapists {
        let scope = Scope {
            people: [therapist.clone()].into(),
            busy_within: query.within.into(),
            counted_within: query.counted_within,
            hours_of: Some(therapist.clone()),
            overrides_on: query.dates(),
            settings_of: [therapist.clone()].into(),
            users: [therapist.clone()].into(),
            ..Scope::default()
        };
        let mut seen = world.read(&scope).await;
        let mut busy: Vec<DiaryMeeting> = seen
            .busy
            .iter()
            .map(|busy| DiaryMeeting {
                span: busy.span,
                buffers: (busy.therapist == *therapist).then_some(busy.buffers),
            })
            .collect();
        busy.sort_by_key(|meeting| meeting.span.start());
        let mut counted: Vec<_> = seen.counted.iter().map(|one| one.start).collect();
        counted.sort();
        seen.holds.sort_by_key(|hold| (hold.start, hold.id));
        let diary = Diary {
            owner: seen.users.get(therapist).map(DiaryOwner::from),
            hours: WeeklyHours::from_iter(&seen.hours),
            overrides: Overrides::from_iter(&seen.overrides),
            settings: seen.settings.remove(therapist),
            busy,
            counted,
            holds: seen.holds,
            external: seen.external.into_iter().collect(),
        };
        expected.therapists.insert(therapist.clone(), diary);
    }
    if let Some(client) = &query.client {
        let people = [client.clone()].into();
        let scope = Scope { people, busy_within: query.within.into(), ..Scope::default() };
        let busy = world.read(&scope).await.busy;
        expected.client = Some(busy.iter().map(|busy| busy.span).collect());
    }
    expected
}

async fn assert_one_moment(world: &super::World) {
    let day = Span::new(hour(0), hour(24));
    let query = DiariesQuery {
        therapists: [therapist(), other_therapist()].into(),
        client: Some(client()),
        within: day,
        counted_within: None,
    };
    let found = world.diaries(&query).await;
    let of_client = found.client.expect("it was asked for");
    let all = found.therapists.values().flat_map(|diary| &diary.busy);
    let taken: Vec<Span> = all.map(|meeting| meeting.span).collect();
    assert_eq!((taken.len(), &taken[..]), (1, of_client.as_slice()), "in one place");
    let start = taken[0].start();
    for diary in found.therapists.values() {
        let open = diary.hours.spans(Tz::UTC, day.expect("a day"));
        let minutes = open.as_slice()[0].length().num_minutes();
        let is_first = minutes == 1;
        assert!(is_first || hour(minutes - 1) == start, "{minutes} minutes, and {start}");
    }
}
