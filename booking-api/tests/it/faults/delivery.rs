//! Waits until everything is delivered, and tells how that went.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use booking_core::{EventId, MeetingId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::arrivals::{Arrival, Logged, check_arrivals, check_log};
use super::check::{Fault, Violation};
use super::database::Database;
use super::receiver::Heard;
use super::sinks::Sinks;

/// How long everything may take to arrive once nothing goes wrong any more.
const PATIENCE: Duration = Duration::from_secs(300);

/// How the events of a run were delivered.
#[derive(Default)]
pub(crate) struct Delivered {
    events: usize,
    /// Claims that whoever was killed last left behind.
    pub(crate) abandoned: u64,
    /// Deliveries whose next attempt was minutes away.
    hastened: u64,
    took: Duration,
    /// Deliveries, and failures that the relays know of, to each subscriber.
    subscribers: Vec<(String, i64, i64)>,
    heard: Heard,
    streamed: Vec<Arrival>,
}

/// Gives up the claims of processes that are all dead. Fair: nobody is left who could settle them,
/// and they would run out by themselves within a minute; it only shortens the wait. What was
/// claimed is still to be delivered, by whoever claims it anew.
pub(crate) async fn release_claims(database: &Database) -> u64 {
    let release = "UPDATE delivery SET claimed_until = NULL
                   WHERE state = 'pending' AND claimed_until IS NOT NULL";
    let released = sqlx::query(release).execute(&mut database.connection().await).await;
    released.expect("a table of deliveries").rows_affected()
}

impl Delivered {
    /// Until every event is in the log, and no delivery of it is left to be made.
    pub(crate) async fn wait(database: &Database) -> Self {
        let begun = Instant::now();
        let connection = &mut database.connection().await;
        let mut delivered = Self::default();
        loop {
            let left: (i64, i64) = sqlx::query_as(
                "SELECT (SELECT count(*) FROM outbox WHERE position IS NULL),
                    (SELECT count(*) FROM delivery WHERE state = 'pending')",
            )
            .fetch_one(&mut *connection)
            .await
            .expect("an outbox, and deliveries");
            delivered.took = begun.elapsed();
            if left == (0, 0) {
                return delivered;
            }
            assert!(delivered.took < PATIENCE, "{left:?} are never published, or delivered");
            delivered.hastened += hasten(connection).await;
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// Compares what arrived with what was committed.
    pub(crate) async fn check(&mut self, database: &Database, sinks: &Sinks) -> Vec<Violation> {
        let connection = &mut database.connection().await;
        let log = log(connection).await;
        self.events = log.len();
        self.subscribers = subscribers(connection).await;
        self.heard = sinks.receiver.heard();
        self.streamed = sinks.streamed().await;
        let mut violations = check_log(&log);
        violations.extend(check_arrivals("webhook", &log, &self.heard.arrivals));
        violations.extend(check_arrivals("stream", &log, &self.streamed));
        let mut wrong = |fault, detail| violations.push(Violation { fault, detail });
        for strange in &self.heard.strange {
            wrong(Fault::Uncommitted, format!("not signed, or not an event: {strange}"));
        }
        for dead in dead_letters(connection).await {
            wrong(Fault::Undelivered, format!("a dead letter: {dead}"));
        }
        violations
    }
}

/// Makes due what has failed twice: the receiver never fails twice of its own accord, but it may
/// also have been away, or the sender cut off. Fair: it shortens a wait of five minutes, by the
/// schedule, and adds no delivery; what has none stays lost. First retries, after five seconds, are
/// waited for. What somebody is at stays theirs: whoever locks nothing that is locked stands in
/// nobody's way.
async fn hasten(connection: &mut PgConnection) -> u64 {
    let hasten = "UPDATE delivery SET due_at = now()
                  WHERE (subscriber_id, position) IN (
                    SELECT subscriber_id, position FROM delivery
                    WHERE state = 'pending' AND due_at > now() + interval '10 seconds'
                    FOR UPDATE SKIP LOCKED
                  )";
    let hastened = sqlx::query(hasten).execute(connection).await;
    hastened.expect("a table of deliveries").rows_affected()
}

async fn log(connection: &mut PgConnection) -> Vec<Logged> {
    let rows: Vec<(String, String, i64, Option<i64>)> = sqlx::query_as(
        "SELECT event_id::text, meeting_id::text, sequence, position FROM outbox ORDER BY sequence",
    )
    .fetch_all(connection)
    .await
    .expect("an outbox");
    let uuid = |text: &str| text.parse::<Uuid>().expect("a UUID");
    rows.into_iter()
        .map(|(event, meeting, written, position)| Logged {
            event: EventId::from_uuid(uuid(&event)).to_string(),
            meeting: MeetingId::from_uuid(uuid(&meeting)).to_string(),
            written,
            position,
        })
        .collect()
}

async fn subscribers(connection: &mut PgConnection) -> Vec<(String, i64, i64)> {
    let counts = "SELECT subscriber_id, count(*), sum(failures)::bigint
                  FROM delivery GROUP BY subscriber_id ORDER BY subscriber_id";
    sqlx::query_as(counts).fetch_all(connection).await.expect("a table of deliveries")
}

async fn dead_letters(connection: &mut PgConnection) -> Vec<String> {
    let dead = "SELECT concat_ws(' ', subscriber_id, position, error)
                FROM delivery WHERE state = 'dead'";
    sqlx::query_scalar(dead).fetch_all(connection).await.expect("a table of deliveries")
}

fn duplicates(arrivals: &[Arrival]) -> usize {
    let different: BTreeSet<&str> = arrivals.iter().map(|arrival| arrival.event.as_str()).collect();
    arrivals.len() - different.len()
}

impl fmt::Display for Delivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, abandoned, hastened, took, heard, streamed, .. } = self;
        writeln!(
            f,
            "  events       {events}; drained in {:.1} s, with {abandoned} claims of the dead \
             released and {hastened} deliveries hastened",
            took.as_secs_f64()
        )?;
        for (subscriber, deliveries, failures) in &self.subscribers {
            let kind = subscriber.split('_').next().unwrap_or_default();
            writeln!(f, "    to {kind}: deliveries {deliveries}, failures {failures}")?;
        }
        let taken = heard.arrivals.iter().filter(|arrival| arrival.is_taken).count();
        writeln!(
            f,
            "    the receiver got {}, duplicates {}: took {taken} ({} late), refused {}, hung up on {}",
            heard.arrivals.len(),
            duplicates(&heard.arrivals),
            heard.answered_late,
            heard.refused,
            heard.hung_up
        )?;
        writeln!(f, "    the stream has {}, duplicates {}", streamed.len(), duplicates(streamed))
    }
}
