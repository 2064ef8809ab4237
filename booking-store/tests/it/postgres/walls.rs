//! The second wall: what the tables refuse, whoever writes; and how the store takes it.

use booking_core::testing::World;
use booking_core::testing::fixtures::{
    audited, client, hour, meeting, minute, now, other_client, other_therapist, slot, therapist,
    window,
};
use booking_core::{
    Change, ChangeError, Meeting, MeetingQuery, MeetingStatus, MeetingTexts, Scope,
    SessionDuration, StoreError, Write,
};
use booking_store::PostgresStore;
use chrono::Weekday;
use sqlx::{Connection, PgConnection};

use super::server::{Database, sql};
use super::{open, world};
use crate::unaudited;

async fn refused(database: &Database, statement: &'static str) -> Option<String> {
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let run = sqlx::raw_sql(statement).execute(&mut connection).await;
    run.err().map(|error| error.to_string())
}

async fn write(world: &World, write: Write) -> Result<Change, ChangeError> {
    write_all(world, &[write]).await
}

async fn write_all(world: &World, writes: &[Write]) -> Result<Change, ChangeError> {
    let scope = Scope { people: [client(), therapist()].into(), ..Scope::default() };
    let writes: Vec<_> = writes.iter().cloned().map(audited).collect();
    let change = |_: &_| Ok(Change { writes: writes.clone(), ..Change::default() });
    world.change(&scope, &change).await
}

fn assert_corrupt(outcome: &Result<Change, ChangeError>, what: &str) {
    let is_corrupt = matches!(outcome, Err(ChangeError::Store(StoreError::Corrupt(_))));
    assert!(is_corrupt, "{what}: {outcome:?}");
}

#[tokio::test]
async fn overlapping_live_meetings_do_not_fit_in() {
    let database = Database::new();
    let world = world(open(&database).await).await;
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
    long.duration = SessionDuration::TwoHours;
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
    let shorter = Meeting { duration: SessionDuration::HalfHour, ..there };
    write(&world, Write::UpdateMeeting(shorter)).await.unwrap();
}

/// Only what a change leaves behind counts, not what it goes through.
#[tokio::test]
async fn two_meetings_may_change_places() {
    let database = Database::new();
    let world = world(open(&database).await).await;
    let one = meeting(&client(), &therapist(), hour(10));
    let other = meeting(&other_client(), &therapist(), hour(11));
    world.insert(&[one.clone(), other.clone()]).await;
    let swapped = [
        Meeting { start: other.start, ..one.clone() },
        Meeting { start: one.start, ..other.clone() },
    ];
    write_all(&world, &swapped.clone().map(Write::UpdateMeeting)).await.unwrap();
    for meeting in swapped {
        assert_eq!(world.meeting(meeting.id).await, Some(meeting));
    }
}

/// One row may be written several times in one change.
#[tokio::test]
async fn writes_of_one_row_apply_in_order() {
    let database = Database::new();
    let world = world(open(&database).await).await;
    let first = slot(&therapist(), Weekday::Mon, window(540, 720));
    let mut longer = first.clone();
    longer.window = window(540, 721);
    let writes = [
        Write::InsertAvailability(first.clone()),
        Write::UpdateAvailability(longer.clone()),
        Write::DeleteAvailability(first.id),
        Write::InsertAvailability(longer.clone()),
    ];
    write_all(&world, &writes).await.unwrap();
    assert_eq!(world.hours(&therapist()).await, [longer]);
}

#[tokio::test]
async fn overlapping_availability_does_not_fit_in() {
    let database = Database::new();
    let world = world(open(&database).await).await;
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
    let database = Database::new();
    let world = world(open(&database).await).await;
    world.insert(&[meeting(&client(), &therapist(), hour(10))]).await;
    world.write([Write::InsertAvailability(slot(&therapist(), Weekday::Mon, window(0, 60)))]).await;
    let copy = "INSERT INTO meeting SELECT gen_random_uuid(), version, client_id, 'somebody',
        start_at + interval '30 minutes', duration_minutes, status, meeting_type, title, NULL, NULL,
        NULL, now(), now() FROM meeting";
    let told = refused(&database, copy).await.unwrap();
    assert!(told.contains("live_meetings_of_one_person_overlap"), "{told}");
    let copy = "INSERT INTO availability SELECT gen_random_uuid(), therapist_id, weekday, 59, 61,
        FALSE, NULL, now(), now() FROM availability";
    let told = refused(&database, copy).await.unwrap();
    assert!(told.contains("availability_of_one_day_overlaps"), "{told}");
    for statement in [
        "UPDATE meeting SET status = 'LOST'",
        "UPDATE meeting SET duration_minutes = 45",
        "UPDATE meeting SET meeting_type = 'letter'",
        "UPDATE meeting SET version = 0",
        "UPDATE meeting SET start_at = NULL",
        "UPDATE meeting SET therapist_id = client_id",
        "UPDATE availability SET weekday = 7",
        "UPDATE availability SET start_minute = 60",
        "UPDATE availability SET end_minute = 1441",
        "INSERT INTO relationship VALUES ('nobody', 'no_one')",
        "INSERT INTO directory_user VALUES ('x', 'robot', '', '', 'a@b', NULL)",
        "INSERT INTO idempotency_record VALUES ('x', 'y', '', '{}', now(), now())",
    ] {
        assert!(refused(&database, statement).await.is_some(), "{statement}");
    }
    // A meeting that is taken away makes room.
    let copy = "BEGIN; CREATE TEMPORARY TABLE gone AS TABLE meeting; DELETE FROM meeting;
        INSERT INTO meeting TABLE gone; COMMIT";
    assert_eq!(refused(&database, copy).await, None);
}

/// Nobody mends what the audit log says, or takes anything out of it but what is too old.
#[tokio::test]
async fn entries_of_the_audit_log_stay() {
    let database = Database::new();
    let world = world(open(&database).await).await;
    world.insert(&[meeting(&client(), &therapist(), hour(10))]).await;
    let before = world.entries().await;
    for statement in [
        "UPDATE audit_entry SET author_id = 'somebody'",
        "UPDATE audit_entry SET author_id = 'somebody' WHERE author_id = 'nobody'",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
        "SET booking.forgets_audit = 'on'; TRUNCATE audit_entry",
    ] {
        let told = refused(&database, statement).await.unwrap();
        assert!(told.contains("stay as they are"), "{told}");
    }
    assert_eq!(world.entries().await, before);
    let later = now() + chrono::TimeDelta::days(1);
    let gone = world.audit().forget_audit(later, 1_000).await.unwrap();
    assert_eq!(usize::try_from(gone).unwrap(), before.len());
    // What is forgotten leaves no door open.
    world.insert(&[meeting(&client(), &therapist(), hour(12))]).await;
    assert!(refused(&database, "DELETE FROM audit_entry").await.is_some());
}

/// What has no entry does not happen, whoever changes it.
#[tokio::test]
async fn nothing_changes_without_its_entry() {
    let database = Database::new();
    let world = world(open(&database).await).await;
    unaudited::prepare(&world).await;
    let full = "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN RAISE disk_full; END $$;
        CREATE TRIGGER no_room BEFORE INSERT ON audit_entry EXECUTE FUNCTION no_room()";
    sql(&database.url, full);
    unaudited::assert_refused(&world).await;
}

#[tokio::test]
async fn what_should_not_be_there_is_an_error() {
    let database = Database::new();
    let world = world(open(&database).await).await;
    world.insert(&[meeting(&client(), &therapist(), hour(10))]).await;
    let query = MeetingQuery {
        person: client(),
        statuses: [].into(),
        from: None,
        to: None,
        after: None,
        limit: 10,
        texts: MeetingTexts::Whole,
    };
    for statement in [
        "UPDATE meeting SET therapist_id = 'two words'",
        "UPDATE meeting SET therapist_id = 't', meeting_url = 'javascript:alert(1)'",
        "UPDATE meeting SET meeting_url = NULL, title = chr(1)",
        "UPDATE meeting SET title = '', created_at = '290000-01-01'",
    ] {
        sql(&database.url, statement);
        let read = world.store().meetings(&query).await;
        assert!(matches!(read, Err(StoreError::Corrupt(_))), "{statement}: {read:?}");
    }
    sql(&database.url, "UPDATE directory_user SET zone = 'Mars/Base'");
    let user = world.directory().user(&client()).await;
    assert!(matches!(user, Err(StoreError::Corrupt(_))), "{user:?}");
}

#[tokio::test]
async fn an_update_of_nothing_is_an_error() {
    let database = Database::new();
    let world = world(open(&database).await).await;
    let nowhere = meeting(&client(), &therapist(), hour(10));
    assert_corrupt(&write(&world, Write::UpdateMeeting(nowhere)).await, "no such meeting");
    let nowhere = slot(&therapist(), Weekday::Mon, window(0, 1));
    assert_corrupt(&write(&world, Write::UpdateAvailability(nowhere)).await, "no such slot");
}

#[tokio::test]
async fn databases_that_are_not_there() {
    let database = Database::new();
    let nowhere = database.url.replace("booking_test", "no_such");
    for url in [&nowhere, "postgres://127.0.0.1:1/x", "postgres://127.0.0.1:1", "x"] {
        let opened = PostgresStore::open(url).await;
        assert!(matches!(opened, Err(StoreError::Unavailable(_))), "{url}: {opened:?}");
    }
}
