//! A practice of many therapists, written in bulk.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::Fallible;
use crate::cluster::{Cluster, Running};
use crate::serving::Starter;

/// The part of all meetings that is still to come: tenths.
const TO_COME: i64 = 3;
/// And of each therapist at most: two weeks of working days. What grows is the past.
const MOST_TO_COME: i64 = 40;
/// How many a therapist has on a working day.
const PER_DAY: i64 = 4;
/// What it is called.
pub(crate) const DATABASE: &str = "booking";
/// For how many days a folder that is kept can be used: then what was to come is past.
const GOOD_FOR_DAYS: u64 = 3;

/// A filled database on a running server.
pub(crate) struct Filled {
    pub(crate) running: Running,
    pub(crate) meetings: u32,
    pub(crate) therapists: u32,
    /// The first day with meetings to come.
    pub(crate) monday: NaiveDate,
    /// With its folder, if that is not kept.
    _cluster: Cluster,
}

impl Filled {
    /// The database that is measured.
    pub(crate) fn url(&self) -> String {
        database(&self.running)
    }

    pub(crate) async fn connect(&self) -> Fallible<PgConnection> {
        Ok(PgConnection::connect(&self.url()).await?)
    }
}

/// Opens what is there, or fills it; as if nothing had been measured on it yet.
pub(crate) async fn fill(
    starter: &Starter<'_>,
    kept: Option<&Path>,
    therapists: u32,
    meetings: u32,
    today: NaiveDate,
) -> Fallible<Filled> {
    let cluster = Cluster::at(kept, &format!("postgres-{therapists}-{meetings}"))?;
    let running = cluster.start_to_fill()?;
    let found = match PgConnection::connect(&database(&running)).await {
        Ok(mut connection) => find(&mut connection).await,
        Err(_) => None,
    };
    let monday = match found {
        Some(monday) if today < monday => {
            reset(&mut PgConnection::connect(&database(&running)).await?).await?;
            monday
        }
        _ => {
            let monday = first_monday(today);
            let mut server = PgConnection::connect(&running.url("postgres")).await?;
            run(&mut server, "DROP DATABASE IF EXISTS booking WITH (FORCE)").await?;
            run(&mut server, "CREATE DATABASE booking").await?;
            starter.migrate(&database(&running))?;
            let mut connection = PgConnection::connect(&database(&running)).await?;
            write(&mut connection, therapists.into(), meetings.into(), monday).await?;
            monday
        }
    };
    drop(running);
    if let Some(kept) = kept {
        // What was not waited for until now is not to be written while something is measured.
        let _takes_its_time = Command::new("sync").arg("-f").arg(kept).status().is_err();
    }
    let running = cluster.start_to_measure()?;
    Ok(Filled { running, meetings, therapists, monday, _cluster: cluster })
}

fn database(running: &Running) -> String {
    running.url(DATABASE)
}

/// The Monday of a database that was filled to its end.
async fn find(connection: &mut PgConnection) -> Option<NaiveDate> {
    sqlx::query_scalar("SELECT monday FROM load.filled").fetch_one(connection).await.ok()
}

/// That is far enough ahead for a folder to be used for some days.
fn first_monday(today: NaiveDate) -> NaiveDate {
    let mut days = today.iter_days().flat_map(|day| day.checked_add_days(Days::new(GOOD_FOR_DAYS)));
    days.find(|day| day.weekday() == Weekday::Mon).unwrap_or(today)
}

async fn write(
    connection: &mut PgConnection,
    therapists: i64,
    meetings: i64,
    monday: NaiveDate,
) -> Fallible<()> {
    let began = Instant::now();
    let long_ago = monday.and_time(NaiveTime::MIN).and_utc() - TimeDelta::days(900);
    run(connection, include_str!("../sql/schema.sql")).await?;
    for people in [include_str!("../sql/people.sql"), include_str!("../sql/relationships.sql")] {
        sqlx::query(people).bind(therapists).execute(&mut *connection).await?;
    }
    run(connection, "INSERT INTO calendar (person_id) SELECT id FROM directory_user").await?;
    let hours = sqlx::query(include_str!("../sql/availability.sql"));
    hours.bind(therapists).bind(long_ago).execute(&mut *connection).await?;

    run(connection, "ALTER TABLE meeting DISABLE TRIGGER USER").await?;
    let later: Vec<(String, String)> =
        sqlx::query_as(include_str!("../sql/later.sql")).fetch_all(&mut *connection).await?;
    for (drop, _) in &later {
        run(connection, drop).await?;
    }
    let each = meetings / therapists;
    let to_come = (each * TO_COME / 10).min(MOST_TO_COME);
    let mut written = 0;
    for day in days(each - to_come).rev().map(|(day, many)| (-1 - day, many)).chain(days(to_come)) {
        let insert = sqlx::query(include_str!("../sql/day.sql"));
        let insert = insert.bind(therapists).bind(monday).bind(day.0).bind(day.1);
        let before = written;
        written += i64::try_from(insert.execute(&mut *connection).await?.rows_affected())?;
        if before / 1_000_000 < written / 1_000_000 {
            progress!("  {written} meetings, {:.0} s", began.elapsed().as_secs_f64());
        }
    }
    let archive = sqlx::query(include_str!("../sql/archive.sql"));
    archive.bind(monday).execute(&mut *connection).await?;
    run(connection, include_str!("../sql/busy.sql")).await?;
    for (_, make) in &later {
        run(connection, make).await?;
        progress!("  {make}, {:.0} s", began.elapsed().as_secs_f64());
    }
    run(connection, "ALTER TABLE meeting ENABLE TRIGGER USER").await?;
    run(connection, "VACUUM (FREEZE, ANALYZE)").await?;
    let done = sqlx::query("INSERT INTO load.filled VALUES ($1, $2, $3, now())");
    done.bind(monday).bind(therapists).bind(meetings).execute(&mut *connection).await?;
    run(connection, "CHECKPOINT").await?;
    progress!("  filled in {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// Working days with how many meetings each therapist has on them.
fn days(meetings: i64) -> impl DoubleEndedIterator<Item = (i64, i64)> {
    let days = (meetings + PER_DAY - 1) / PER_DAY;
    (0..days).map(move |day| (day, PER_DAY.min(meetings - PER_DAY * day)))
}

/// Whatever is booked leaves an event.
async fn reset(connection: &mut PgConnection) -> Fallible<()> {
    let is_used = sqlx::query_scalar("SELECT EXISTS (SELECT FROM outbox)");
    if !is_used.fetch_one(&mut *connection).await? {
        return Ok(());
    }
    run(connection, include_str!("../sql/reset.sql")).await?;
    run(connection, "VACUUM (ANALYZE) meeting, busy, outbox, audit_entry, calendar").await?;
    run(connection, "CHECKPOINT").await
}

/// Statements without parameters.
pub(crate) async fn run(connection: &mut PgConnection, statements: &str) -> Fallible<()> {
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(connection).await?;
    Ok(())
}

/// A half hour of a therapist.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    pub(crate) therapist: i64,
    pub(crate) start_at: DateTime<Utc>,
}

/// In no order.
pub(crate) async fn free(
    connection: &mut PgConnection,
    therapists: u32,
    monday: NaiveDate,
    days: u32,
) -> Fallible<Vec<Start>> {
    let select = sqlx::query_as(include_str!("../sql/free.sql"));
    let select = select.bind(i64::from(therapists)).bind(monday).bind(i64::from(days));
    Ok(shuffled(select.fetch_all(connection).await?))
}

/// In no order.
pub(crate) async fn taken(
    connection: &mut PgConnection,
    therapists: u32,
    monday: NaiveDate,
) -> Fallible<Vec<Start>> {
    let select = sqlx::query_as(include_str!("../sql/taken.sql"));
    let from = monday.and_time(NaiveTime::MIN).and_utc();
    let select = select.bind(i64::from(therapists)).bind(from);
    Ok(shuffled(select.fetch_all(connection).await?))
}

fn shuffled(rows: Vec<(i64, DateTime<Utc>)>) -> Vec<Start> {
    let starts = rows.into_iter().map(|(therapist, start_at)| Start { therapist, start_at });
    let mut starts: Vec<Start> = starts.collect();
    fastrand::shuffle(&mut starts);
    starts
}
