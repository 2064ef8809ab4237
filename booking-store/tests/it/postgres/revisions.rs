//! Changes without locks: that they are the rule, and what keeps them right.

use booking_core::testing::World;
use booking_core::testing::fixtures::{
    as_therapist, audited, client, hour, meeting, other_client, other_therapist, therapist,
};
use booking_core::{
    Calendars, Change, DailyLimit, ExpectedVersion, MeetingId, Scope, Settings, Write,
};

use super::server::{Database, sql};
use super::{open, world};

fn two() -> Scope {
    Scope { people: [client(), therapist()].into(), ..Scope::default() }
}

async fn applied(world: &World, seen: &Calendars, n: i64) -> Option<MeetingId> {
    let booked = meeting(&client(), &therapist(), hour(n));
    let id = booked.id;
    let writes = vec![audited(Write::InsertMeeting(booked))];
    let change = Change { writes, ..Change::default() };
    world.apply_if_current(seen, &change).await.then_some(id)
}

/// Where a test for what was not applied would pass if nothing ever were.
#[tokio::test]
async fn who_is_alone_needs_no_locks() {
    let database = Database::new();
    let world = world(open(&database).await).await;
    assert_eq!(applied(&world, &world.read(&two()).await, 0).await, None, "no calendars yet");
    world.open(&therapist()).await;
    for n in 1..5 {
        let booked = applied(&world, &world.read(&two()).await, n).await;
        let booked = booked.expect("nobody is in the way");
        assert!(world.meeting(booked).await.is_some());
        // Nor is who books somebody else.
        let seen = world.read(&two()).await;
        world.insert(&[meeting(&other_client(), &other_therapist(), hour(n))]).await;
        assert!(applied(&world, &seen, n + 10).await.is_some());
        assert_eq!(applied(&world, &seen, n + 20).await, None, "once");
    }
}

/// Whoever writes, and however: an administrator, or a program of an earlier version.
#[tokio::test]
async fn the_tables_count_for_everybody() {
    let database = Database::new();
    let world = world(open(&database).await).await;
    world.open(&therapist()).await;
    world.insert(&[meeting(&client(), &therapist(), hour(0))]).await;
    let jane = as_therapist(&therapist());
    let settings = Settings { most_a_day: DailyLimit::new(9).ok(), ..Settings::DEFAULT };
    let put = world.booking.put_settings(&jane, &settings, &ExpectedVersion::Any).await;
    assert_eq!(put.expect("settings").version, 1);
    let others = [
        "UPDATE meeting SET status = 'CANCELLED'",
        "UPDATE meeting SET session_notes = 'long'",
        "UPDATE meeting SET client_id = 'client_124'",
        "UPDATE meeting SET client_id = 'client_123'",
        "UPDATE availability SET is_available = FALSE WHERE weekday = 1",
        "UPDATE scheduling_settings SET notice_minutes = 5",
        "DELETE FROM scheduling_settings",
        "INSERT INTO availability_override SELECT gen_random_uuid(), 'therapist_456',
         '2024-01-01', '2024-01-02', '[]', NULL, now(), now()",
        "UPDATE availability_override SET last_date = '2024-01-03'",
        "DELETE FROM availability_override",
        "INSERT INTO hold SELECT gen_random_uuid(), 'client_124', 'therapist_456', now(), 60, 0, 0,
         now(), now() + interval '1 minute'",
        "UPDATE hold SET expires_at = now() + interval '2 minutes'",
        "DELETE FROM hold",
        "INSERT INTO linked_calendar (id, therapist_id, version, kind, host, location, write_back,
             created_at, failures, next_at)
         VALUES (gen_random_uuid(), 'therapist_456', 1, 'ics', '', '', 'off', now(), 0, now());
         INSERT INTO external_busy SELECT therapist_id, now(), now() + interval '1 hour', id
         FROM linked_calendar",
        "UPDATE external_busy SET ends_at = ends_at + interval '1 minute'",
        "DELETE FROM linked_calendar",
        "DELETE FROM availability WHERE weekday = 2",
        "DELETE FROM meeting",
    ];
    for (n, statement) in (1..).zip(others) {
        let seen = world.read(&two()).await;
        sql(&database.url, statement);
        assert_eq!(applied(&world, &seen, n).await, None, "{statement}");
    }
}
