//! POST meetings on SQLite, against inserts by hand.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, Row as _, SqliteConnection};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{Bench, asked};
use crate::Fallible;
use crate::fill::{Filled, Start};
use crate::measured::{Outcome, Round, Subject};
use crate::scripts::{self, Book, Starts};
use crate::serving::Cache;
use crate::table::{Against, Part};

/// A meeting, its event and its entry of the audit log, as the server writes them.
const INSERTS: [&str; 3] = [
    "INSERT INTO meeting
        (id, version, client_id, therapist_id, start_ms, duration_minutes, status, meeting_type,
         title, created_ms, updated_ms)
     VALUES (?1, 1, ?2, ?3, ?4, 30, 'SCHEDULED', 'video', 'Weekly session', ?5, ?5)",
    "INSERT INTO outbox (event_id, meeting_id, occurred_ms, payload) VALUES (?1, ?2, ?3, ?4)",
    "INSERT INTO audit_entry
        (at_ms, id, author_id, author_role, action, subject_kind, subject_id, person_1, person_2, fields)
     VALUES (?1, ?2, ?3, 'client', 'meeting.created', 'meeting', ?4, ?3, ?5, ?6)",
];

impl Bench<'_> {
    /// With the therapists who are booked, their clients and meetings.
    pub(crate) async fn sqlite(&self, on: &Filled) -> Fallible<Part> {
        let [served, by_hand] = ["served.db", "by-hand.db"].map(|name| self.folder.join(name));
        let url = format!("sqlite:{}", served.display());
        self.starter.migrate(&url)?;
        let options = SqliteConnectOptions::new()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let mut copy = options.clone().filename(&served).connect().await?;
        let copied = copy_people(&mut on.connect().await?, &mut copy, self.booked()).await?;
        copy.close().await?;
        fs::copy(&served, &by_hand)?;

        let mut starts = self.free(on).await?;
        let others = starts.split_off(starts.len() / 2);
        let server = self.starter.serve(&url, Cache::On).await?;
        scripts::introduce(server.address, &self.tokens).await?;
        let starts = Starts::new(starts);
        let book = || Book { starts: starts.clone(), tokens: self.tokens.clone() };
        // One is booked, so that the rows by hand can be of its size.
        let warm = Duration::from_millis(50);
        crate::http::load(&[server.address], 1, warm, Arc::new(book())).await?;
        let mut look = options.clone().filename(&served).connect().await?;
        let (payload, fields): (String, String) = sqlx::query_as(
            "SELECT (SELECT payload FROM outbox LIMIT 1), (SELECT fields FROM audit_entry LIMIT 1)",
        )
        .fetch_one(&mut look)
        .await?;
        look.close().await?;
        let connection = options.filename(&by_hand).connect().await?;
        let inserts = Inserts { connection, starts: others, payload, fields };
        let clients = self.options.clients;
        let subjects = vec![
            (by_hand_subject(inserts), None),
            (
                asked(format!("POST meetings, {clients} clients"), &[&server], clients, book()),
                Against::told(0),
            ),
            (asked("POST meetings, one client", &[&server], 1, book()), Against::told(0)),
        ];
        self.turns(format!("POST meetings on SQLite, {copied} meetings"), subjects).await
    }
}

struct Inserts {
    connection: SqliteConnection,
    starts: Vec<Start>,
    payload: String,
    fields: String,
}

fn by_hand_subject<'a>(inserts: Inserts) -> Subject<'a> {
    let inserts = Arc::new(Mutex::new(inserts));
    let name = "the same rows by one connection, a transaction each, as durable";
    Subject::new(name, None, move |time| {
        let inserts = inserts.clone();
        Box::pin(async move { inserts.lock().await.round(time).await })
    })
}

impl Inserts {
    async fn round(&mut self, time: Duration) -> Fallible<Round> {
        let began = Instant::now();
        let mut round = Round::new();
        while began.elapsed() < time {
            let Some(start) = self.starts.pop() else { break };
            let asked = Instant::now();
            self.insert(start).await?;
            round.count(Outcome::Good, asked.elapsed(), String::new);
        }
        round.took = began.elapsed();
        Ok(round)
    }

    async fn insert(&mut self, start: Start) -> Fallible<()> {
        let at = start.start_at.timestamp_millis();
        let (client, therapist) =
            (format!("client_{}_0", start.therapist), format!("therapist_{}", start.therapist));
        let [meeting, event, entry] = [(); 3].map(|()| id());
        let [insert_meeting, insert_event, insert_entry] = INSERTS;
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let insert = sqlx::query(insert_meeting).bind(meeting).bind(&client).bind(&therapist);
        insert.bind(at).bind(at).execute(&mut *transaction).await?;
        let insert = sqlx::query(insert_event).bind(event).bind(meeting).bind(at);
        insert.bind(&self.payload).execute(&mut *transaction).await?;
        let insert = sqlx::query(insert_entry).bind(at).bind(entry).bind(&client);
        let insert = insert.bind(format!("meeting_{}", meeting.simple())).bind(&therapist);
        insert.bind(&self.fields).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// In the order of time, as the server makes them.
#[expect(clippy::disallowed_methods, reason = "rows by hand need ids as the server's")]
fn id() -> Uuid {
    Uuid::now_v7()
}

/// The first therapists with all that is theirs. Tells how many meetings they have.
async fn copy_people(
    from: &mut PgConnection,
    to: &mut SqliteConnection,
    therapists: u32,
) -> Fallible<u64> {
    let of_first =
        format!("IN (SELECT 'therapist_' || n FROM generate_series(0, {therapists} - 1) AS n)");
    let mut transaction = to.begin().await?;
    let users = format!(
        "SELECT id, role, first_name, last_name, email, zone FROM directory_user
         WHERE id {of_first}
            OR id IN (SELECT client_id FROM relationship WHERE therapist_id {of_first})"
    );
    let mut rows = sqlx::query(sqlx::AssertSqlSafe(users)).fetch(&mut *from);
    while let Some(row) = rows.try_next().await? {
        let mut insert = sqlx::query("INSERT INTO directory_user VALUES (?, ?, ?, ?, ?, ?)");
        for column in 0..6 {
            insert = insert.bind(row.try_get::<Option<String>, _>(column)?);
        }
        insert.execute(&mut *transaction).await?;
    }
    drop(rows);
    let related =
        format!("SELECT client_id, therapist_id FROM relationship WHERE therapist_id {of_first}");
    let mut rows =
        sqlx::query_as::<_, (String, String)>(sqlx::AssertSqlSafe(related)).fetch(&mut *from);
    while let Some((client, therapist)) = rows.try_next().await? {
        let insert = sqlx::query("INSERT INTO relationship VALUES (?, ?)").bind(client);
        insert.bind(therapist).execute(&mut *transaction).await?;
    }
    drop(rows);
    copy_hours(from, &mut transaction, &of_first).await?;
    let copied = copy_meetings(from, &mut transaction, &of_first).await?;
    transaction.commit().await?;
    Ok(copied)
}

async fn copy_hours(
    from: &mut PgConnection,
    to: &mut SqliteConnection,
    of_first: &str,
) -> Fallible<()> {
    let hours = format!(
        "SELECT id, therapist_id, weekday, start_minute, end_minute, created_at FROM availability
         WHERE therapist_id {of_first}"
    );
    let mut rows = sqlx::query_as::<_, (Uuid, String, i64, i64, i64, DateTime<Utc>)>(
        sqlx::AssertSqlSafe(hours),
    )
    .fetch(from);
    while let Some((id, therapist, weekday, start, end, at)) = rows.try_next().await? {
        let insert = "INSERT INTO availability VALUES (?1, ?2, ?3, ?4, ?5, 1, NULL, ?6, ?6)";
        let insert = sqlx::query(insert).bind(id).bind(therapist).bind(weekday).bind(start);
        insert.bind(end).bind(at.timestamp_millis()).execute(&mut *to).await?;
    }
    Ok(())
}

async fn copy_meetings(
    from: &mut PgConnection,
    to: &mut SqliteConnection,
    of_first: &str,
) -> Fallible<u64> {
    let meetings = format!(
        "SELECT id, client_id, therapist_id, start_at, duration_minutes, status FROM meeting
         WHERE therapist_id {of_first} AND client_id NOT LIKE 'client_with_%' ORDER BY start_at"
    );
    let mut rows = sqlx::query_as::<_, (Uuid, String, String, DateTime<Utc>, i64, String)>(
        sqlx::AssertSqlSafe(meetings),
    )
    .fetch(from);
    let mut copied = 0;
    while let Some((id, client, therapist, at, minutes, status)) = rows.try_next().await? {
        let insert = "INSERT INTO meeting
            (id, version, client_id, therapist_id, start_ms, duration_minutes, status, meeting_type,
             title, created_ms, updated_ms)
            VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, 'video', 'Weekly session', ?4, ?4)";
        let insert = sqlx::query(insert).bind(id).bind(client).bind(therapist);
        let insert = insert.bind(at.timestamp_millis()).bind(minutes).bind(status);
        insert.execute(&mut *to).await?;
        copied += 1;
    }
    Ok(copied)
}
