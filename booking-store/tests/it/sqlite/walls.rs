//! The second wall: what the tables refuse, whoever writes; and how the store takes it.

use std::path::Path;
use std::time::{Duration, Instant};

use booking_core::testing::fixtures::{
    audited, booked, client, hour, meeting, minute, now, other_client, other_therapist, slot,
    therapist, window,
};
use booking_core::testing::{World, race};
use booking_core::{Change, ChangeError, Meeting, MeetingStatus, Scope, StoreError, Write};
use chrono::Weekday;
use sqlx::{Connection, SqliteConnection};

use super::{connect, new_file, open, world};
use crate::unaudited;

async fn sql(connection: &mut SqliteConnection, statement: &'static str) -> Result<u64, String> {
    let result = sqlx::raw_sql(statement).execute(connection).await;
    result.map(|done| done.rows_affected()).map_err(|error| error.to_string())
}

async fn write(world: &World, write: Write) -> Result<Change, ChangeError> {
    let scope = Scope { people: [client(), therapist()].into(), ..Scope::default() };
    let write = audited(write);
    let change = |_: &_| Ok(Change { writes: vec![write.clone()], ..Change::default() });
    world.change(&scope, &change).await
}

fn assert_corrupt(outcome: &Result<Change, ChangeError>, what: &str) {
    let is_corrupt = matches!(outcome, Err(ChangeError::Store(StoreError::Corrupt(_))));
    assert!(is_corrupt, "{what}: {outcome:?}");
}

#[tokio::test]
async fn overlapping_live_meetings_do_not_fit_in() {
    let (_folder, path) = new_file();
    let world = world(open(&path).await).await;
    let there = meeting(&client(), &therapist(), hour(10));
    world.insert(std::slice::from_ref(&there)).await;
    let before = world.everything().await;

    let mut refused = vec![
        meeting(&client(), &other_therapist(), hour(10)),
        meeting(&other_client(), &therapist(), minute(10 * 60 + 59)),
        meeting(&therapist(), &other_therapist(), hour(10)),
        meeting(&other_therapist(), &client(), minute(9 * 60 + 1)),
    ];
    let mut long = meeting(&other_client(), &therapist(), minute(8 * 60 + 1));
    long.duration = booking_core::SessionDuration::TwoHours;
    refused.push(long);
    for meeting in &refused {
        assert_corrupt(&write(&world, Write::InsertMeeting(meeting.clone())).await, "an insert");
    }
    assert_eq!(world.everything().await, before);

    // What touches it, and what is not live, does; but not once it comes to life or moves there.
    for meeting in [hour(9), hour(11)].map(|at| meeting(&client(), &therapist(), at)) {
        write(&world, Write::InsertMeeting(meeting)).await.unwrap();
    }
    for meeting in refused {
        let cancelled = Meeting { status: MeetingStatus::Cancelled, ..meeting.clone() };
        write(&world, Write::InsertMeeting(cancelled)).await.unwrap();
        assert_corrupt(&write(&world, Write::UpdateMeeting(meeting)).await, "an update");
    }
    let moved = Meeting { start: minute(10 * 60 + 30), ..there.clone() };
    assert_corrupt(&write(&world, Write::UpdateMeeting(moved)).await, "a move");
    let shorter = Meeting { duration: booking_core::SessionDuration::HalfHour, ..there };
    write(&world, Write::UpdateMeeting(shorter)).await.unwrap();
}

#[tokio::test]
async fn overlapping_availability_does_not_fit_in() {
    let (_folder, path) = new_file();
    let world = world(open(&path).await).await;
    let morning = slot(&therapist(), Weekday::Mon, window(540, 720));
    let afternoon = slot(&therapist(), Weekday::Mon, window(720, 1_020));
    for slot in [&morning, &afternoon] {
        write(&world, Write::InsertAvailability(slot.clone())).await.unwrap();
    }
    let across = slot(&therapist(), Weekday::Mon, window(719, 721));
    assert_corrupt(&write(&world, Write::InsertAvailability(across)).await, "an insert");
    let mut longer = morning.clone();
    longer.window = window(540, 721);
    assert_corrupt(&write(&world, Write::UpdateAvailability(longer)).await, "an update");
    let mut earlier = morning;
    earlier.window = window(500, 720);
    write(&world, Write::UpdateAvailability(earlier)).await.unwrap();
}

#[tokio::test]
async fn the_walls_stand_for_everybody() {
    let (_folder, path) = new_file();
    let world = world(open(&path).await).await;
    world.insert(&[meeting(&client(), &therapist(), hour(10))]).await;
    world.write([Write::InsertAvailability(slot(&therapist(), Weekday::Mon, window(0, 60)))]).await;
    let mut connection = connect(&path).await;
    let copy = "INSERT INTO meeting SELECT randomblob(16), version, client_id, 'somebody',
        start_ms + 1800000, duration_minutes, status, meeting_type, title, NULL, NULL, NULL, 0, 0, 0, 0
        FROM meeting";
    let refused = sql(&mut connection, copy).await.unwrap_err();
    assert!(refused.contains("live meetings of one person overlap"), "{refused}");
    for statement in [
        "UPDATE meeting SET status = 'LOST'",
        "UPDATE meeting SET duration_minutes = 45",
        "UPDATE meeting SET meeting_type = 'letter'",
        "UPDATE meeting SET version = 0",
        "UPDATE meeting SET start_ms = '2024-01-15'",
        "UPDATE meeting SET id = x'00'",
        "UPDATE meeting SET therapist_id = client_id",
        "UPDATE availability SET weekday = 7",
        "UPDATE availability SET start_minute = 60",
        "UPDATE availability SET end_minute = 1441",
        "UPDATE availability SET is_available = 2",
        "INSERT INTO relationship VALUES ('nobody', 'no_one')",
        "INSERT INTO directory_user VALUES ('x', 'robot', '', '', 'a@b', NULL)",
        "INSERT INTO idempotency_record VALUES ('x', 'y', x'00', '{}', 0, 0)",
    ] {
        let refused = sql(&mut connection, statement).await;
        assert!(refused.is_err(), "{statement}");
    }
}

/// Nobody mends what the audit log says, or takes anything out of it but what is too old.
#[tokio::test]
async fn entries_of_the_audit_log_stay() {
    let (_folder, path) = new_file();
    let world = world(open(&path).await).await;
    let mut connection = connect(&path).await;
    world.insert(&[meeting(&client(), &therapist(), hour(10))]).await;
    let before = world.entries().await;
    for statement in ["UPDATE audit_entry SET author_id = 'somebody'", "DELETE FROM audit_entry"] {
        let told = sql(&mut connection, statement).await.unwrap_err();
        assert!(told.contains("stay as they are"), "{told}");
    }
    assert_eq!(world.entries().await, before);
    let later = now() + chrono::TimeDelta::days(1);
    let gone = world.audit().forget_audit(later, 1_000).await.unwrap();
    assert_eq!(usize::try_from(gone).unwrap(), before.len());
    // What is forgotten leaves no door open.
    world.insert(&[meeting(&client(), &therapist(), hour(12))]).await;
    assert!(sql(&mut connection, "DELETE FROM audit_entry").await.is_err());
}

/// What has no entry does not happen, whoever changes it.
#[tokio::test]
async fn nothing_changes_without_its_entry() {
    let (_folder, path) = new_file();
    let world = world(open(&path).await).await;
    let mut connection = connect(&path).await;
    unaudited::prepare(&world).await;
    let full = "CREATE TRIGGER full BEFORE INSERT ON audit_entry
        BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    sql(&mut connection, full).await.unwrap();
    unaudited::assert_refused(&world).await;
}

#[tokio::test]
async fn what_should_not_be_there_is_an_error() {
    let (_folder, path) = new_file();
    let world = world(open(&path).await).await;
    world.insert(&[meeting(&client(), &therapist(), hour(10))]).await;
    let mut connection = connect(&path).await;
    let query = booking_core::MeetingQuery {
        person: client(),
        statuses: [].into(),
        from: None,
        to: None,
        after: None,
        limit: 10,
        texts: booking_core::MeetingTexts::Whole,
    };
    for statement in [
        "UPDATE meeting SET therapist_id = 'two words'",
        "UPDATE meeting SET therapist_id = 't', meeting_url = 'javascript:alert(1)'",
        "UPDATE meeting SET meeting_url = NULL, title = char(0)",
        "UPDATE meeting SET title = '', created_ms = 9223372036854775807",
    ] {
        sql(&mut connection, statement).await.unwrap();
        let read = world.store().meetings(&query).await;
        assert!(matches!(read, Err(StoreError::Corrupt(_))), "{statement}: {read:?}");
    }
    sql(&mut connection, "UPDATE directory_user SET zone = 'Mars/Base'").await.unwrap();
    let user = world.directory().user(&client()).await;
    assert!(matches!(user, Err(StoreError::Corrupt(_))), "{user:?}");
}

#[tokio::test]
async fn an_update_of_nothing_is_an_error() {
    let (_folder, path) = new_file();
    let world = world(open(&path).await).await;
    let nowhere = meeting(&client(), &therapist(), hour(10));
    assert_corrupt(&write(&world, Write::UpdateMeeting(nowhere)).await, "no such meeting");
    let nowhere = slot(&therapist(), Weekday::Mon, window(0, 1));
    assert_corrupt(&write(&world, Write::UpdateAvailability(nowhere)).await, "no such slot");
}

/// On some errors (a full disk) SQLite ends the transaction by itself, and the driver does not
/// know.
#[tokio::test]
async fn a_transaction_that_sqlite_ends_leaves_the_writer_usable() {
    let (_folder, path) = new_file();
    let world = world(open(&path).await).await;
    let mut connection = connect(&path).await;
    let full = "CREATE TRIGGER full BEFORE INSERT ON outbox
        BEGIN SELECT RAISE(ROLLBACK, 'the disk is full'); END";
    sql(&mut connection, full).await.unwrap();
    let before = world.everything().await;
    let meeting = meeting(&client(), &therapist(), hour(10));
    let change = Change {
        writes: vec![audited(Write::InsertMeeting(meeting.clone()))],
        events: vec![booked(&meeting)],
        record: None,
    };
    for _ in 0..3 {
        let failed = world.change(&Scope::default(), &|_| Ok(change.clone())).await;
        assert!(matches!(failed, Err(ChangeError::Store(_))), "{failed:?}");
    }
    assert_eq!(world.everything().await, before);
    sql(&mut connection, "DROP TRIGGER full").await.unwrap();
    world.apply(change).await;
    assert_eq!(world.meeting(meeting.id).await, Some(meeting));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_that_stays_locked_is_unavailable_and_can_still_be_read() {
    let (_folder, path) = new_file();
    let world = world(open(&path).await).await;
    let locked = lock(&path).await;
    let begun = Instant::now();
    let outcomes = race((0..4).map(|n| {
        let world = world.clone();
        let meeting = meeting(&client(), &therapist(), hour(n));
        async move { write(&world, Write::InsertMeeting(meeting)).await }
    }));
    assert_eq!(world.meetings_of(&client()).await, []);
    for outcome in outcomes.await {
        let unavailable = matches!(outcome, Err(ChangeError::Store(StoreError::Unavailable(_))));
        assert!(unavailable, "{outcome:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(60), "no wait without an end");
    drop(locked);
    world.insert(&[meeting(&client(), &therapist(), hour(9))]).await;
}

/// Holds the file's write lock until it is dropped.
async fn lock(path: &Path) -> SqliteConnection {
    let mut connection = connect(path).await;
    sql(&mut connection, "BEGIN IMMEDIATE").await.unwrap();
    connection.ping().await.unwrap();
    connection
}
