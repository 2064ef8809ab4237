//! What calls cost that say many things at once: twice as many cost twice as much, not four times.
//!
//! Counted are the instructions that SQLite's machine goes through: as many on every computer, however
//! busy it is. No plan tells where a list is looked through once for each row.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use booking_core::testing::fixtures::{
    audited, booked, by, client, hour, id, link, meeting, now, therapist, user,
};
use booking_core::{
    Attempt, BusyTimes, Change, Claim, Copied, CopyClaim, CopyState, Deliveries as _, DiariesQuery,
    DirectoryAdmin as _, LinkedCalendar, LinkedCalendars as _, Outbox as _, Outcome, Scope,
    Settled, Span, SpanSet, Store as _, Subscriber, SubscriberId, UserId, Write,
};
use chrono::TimeDelta;

use super::plans::new_store;
use super::{SqliteStore, diaries, links, read};

/// What each of some calls takes, by its name.
type Steps = Vec<(&'static str, u64)>;

/// So many of whatever there are many of; and then twice as many.
const MANY: u32 = 300;

fn assert_no_work_per_pair(once: &Steps, twice: &Steps) {
    assert!(!once.is_empty());
    for ((call, once), (_, twice)) in once.iter().zip(twice) {
        assert!(*once > u64::from(MANY), "{call}: {once}, so nothing was done");
        assert!(*twice < 3 * once, "{call}: {once} steps, and {twice} with twice as many");
    }
}

/// A store that counts what its one connection for writers does.
struct Counted {
    _folder: tempfile::TempDir,
    store: SqliteStore,
    steps: Arc<AtomicU64>,
}

impl Counted {
    async fn new() -> Self {
        let (_folder, store) = new_store().await;
        let steps = Arc::<AtomicU64>::default();
        let counter = steps.clone();
        let mut connection = store.writer.pool.acquire().await.unwrap();
        connection.lock_handle().await.unwrap().set_progress_handler(1, move || {
            counter.fetch_add(1, Ordering::Relaxed);
            true
        });
        drop(connection);
        Self { _folder, store, steps }
    }

    /// How much a call takes, and what it answers.
    async fn of<T, E: Debug>(&self, call: impl Future<Output = Result<T, E>>) -> (u64, T) {
        let before = self.steps.load(Ordering::Relaxed);
        let answer = call.await.unwrap();
        (self.steps.load(Ordering::Relaxed) - before, answer)
    }

    /// A linked calendar, claimed.
    async fn link(&self) -> LinkedCalendar {
        let link = link(&therapist());
        let _done = self.store.link(&link, by()).await.unwrap();
        link
    }

    /// Claims it again, and copies it with these times.
    async fn copy(&self, link: &LinkedCalendar, times: &BusyTimes) -> (u64, Copied) {
        let claim = CopyClaim { now: now(), until: hour(1), limit: 1 };
        let mut claimed = self.store.claim_links(&claim).await.unwrap();
        assert_eq!(claimed[0].id, link.id);
        self.of(self.store.copied(&claimed.remove(0), &CopyState::due(now()), Some(times))).await
    }
}

/// Spans of ten minutes, one each half hour, a little later or not.
fn spans(count: u32, minutes_later: i64) -> SpanSet {
    let first = hour(0) + TimeDelta::minutes(minutes_later);
    let begins = (0..count).map(|n| first + TimeDelta::minutes(30 * i64::from(n)));
    begins.map(|begin| Span::new(begin, begin + TimeDelta::minutes(10)).unwrap()).collect()
}

fn times(spans: &SpanSet) -> BusyTimes {
    BusyTimes::within(Span::new(hour(0), hour(24 * 400)).unwrap(), spans).unwrap()
}

async fn copying(many: u32) -> Steps {
    let counted = Counted::new().await;
    let link = counted.link().await;
    let half: SpanSet =
        spans(many, 0).iter().zip(spans(many, 15).iter()).enumerate().map(half).collect();
    let mut steps = vec![];
    for (call, spans, expected) in [
        ("a first copy", spans(many, 0), Copied::Changed),
        ("the same copy", spans(many, 0), Copied::Same),
        ("a copy half of which is new", half, Copied::Changed),
        ("a copy all of which is new", spans(many, 5), Copied::Changed),
        ("a copy of nothing", SpanSet::default(), Copied::Changed),
    ] {
        let (took, copied) = counted.copy(&link, &times(&spans)).await;
        assert_eq!(copied, expected, "{call}");
        steps.push((call, took));
    }
    steps
}

/// Of two spans, the one or the other by turns.
fn half((n, (one, other)): (usize, (Span, Span))) -> Span {
    if n % 2 == 0 { one } else { other }
}

#[tokio::test]
async fn a_copy_is_no_work_per_pair() {
    assert_no_work_per_pair(&copying(MANY).await, &copying(2 * MANY).await);
}

/// As it was once written: every piece that is there was compared with every one that is new.
#[tokio::test]
async fn work_per_pair_is_found_out() {
    let deleting = async |many| {
        let counted = Counted::new().await;
        let link = counted.link().await;
        counted.copy(&link, &times(&spans(many, 0))).await;
        let statement = "
            DELETE FROM external_busy
            WHERE therapist_id = ?1 AND calendar_id = ?2
                AND (starts_ms, ends_ms) NOT IN (SELECT value ->> 0, value ->> 1 FROM json_each(?3))";
        let delete = sqlx::query(statement)
            .bind(therapist().to_string())
            .bind(link.id.uuid())
            .bind(links::pairs(spans(many, 5).iter()).unwrap());
        let (took, deleted) = counted.of(delete.execute(&counted.store.writer.pool)).await;
        assert_eq!(deleted.rows_affected(), u64::from(many));
        took
    };
    let (once, twice) = (deleting(MANY).await, deleting(2 * MANY).await);
    assert!(twice > 3 * once, "{once} steps, and {twice} with twice as many");
}

/// Many people, many times that are asked about, and much that is at these times.
async fn reading(many: u32) -> Steps {
    let counted = Counted::new().await;
    let store = &counted.store;
    let people: BTreeSet<UserId> = (0..many).map(|n| id(&format!("therapist_{n}"))).collect();
    for person in &people {
        store.put_user(&user(person), by()).await.unwrap();
    }
    let link = counted.link().await;
    counted.copy(&link, &times(&spans(many, 0))).await;
    book(store, many).await;
    let all = Scope {
        // Of them there are never many: the two of a meeting.
        people: [client(), therapist()].into(),
        busy_within: spans(2 * many, 0),
        settings_of: people.clone(),
        users: people.clone(),
        hours_of: Some(therapist()),
        ..Scope::default()
    };
    let mut connection = store.writer.pool.acquire().await.unwrap();
    let (scope, found) = counted.of(read::calendars(&mut connection, &all)).await;
    assert_eq!(found.busy.len(), many as usize);
    assert_eq!(found.users.len(), many as usize);
    assert_eq!(found.external.len(), many as usize);
    drop(connection);
    let query = DiariesQuery {
        therapists: people,
        client: Some(client()),
        within: Span::new(hour(0), hour(24 * 400)),
        ..DiariesQuery::default()
    };
    let (lists, found) = counted.of(diaries::diaries(&store.writer.pool, &query)).await;
    assert_eq!(found.therapists.len(), many as usize);
    vec![("what a scope names", scope), ("diaries", lists)]
}

/// An hour each, one after the other.
async fn book(store: &SqliteStore, many: u32) {
    for n in 0..many {
        let meeting = meeting(&client(), &therapist(), hour(n.into()));
        let change = Change {
            writes: vec![audited(Write::InsertMeeting(meeting.clone()))],
            events: vec![booked(&meeting)],
            record: None,
        };
        store.change(&Scope::default(), &|_| Ok(change.clone())).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_read_is_no_work_per_pair() {
    assert_no_work_per_pair(&reading(MANY).await, &reading(2 * MANY).await);
}

async fn delivering(many: u32) -> Steps {
    let counted = Counted::new().await;
    let store = &counted.store;
    let subscriber = Subscriber {
        id: SubscriberId::new("crm").unwrap(),
        event_types: [].into(),
        is_active: true,
        settings: serde_json::Value::Null,
        created_at: now(),
    };
    let _added = store.add_subscriber(&subscriber, by()).await.unwrap();
    book(store, many).await;
    let (publishing, published) = counted.of(store.publish(now(), many)).await;
    assert_eq!(published, many);
    let claim = Claim { now: now(), lease: Duration::from_mins(1), limit: many };
    let (claiming, claimed) = counted.of(store.claim(&subscriber.id, &claim)).await;
    assert_eq!(claimed.len(), many as usize);
    let settle = |outcome| {
        let attempt = Attempt { at: now(), status: None, error: None };
        let settled = claimed.iter().map(move |claimed| Settled {
            sequence: claimed.event.sequence,
            until: claimed.until,
            attempt: attempt.clone(),
            outcome,
        });
        settled.collect::<Vec<_>>()
    };
    let again = settle(Outcome::RetryAt(hour(0)));
    let (failing, ()) = counted.of(store.settle(&subscriber.id, &again)).await;
    let done = settle(Outcome::Delivered);
    let (ending, ()) = counted.of(store.settle(&subscriber.id, &done)).await;
    vec![
        ("publishing", publishing),
        ("claiming", claiming),
        ("failing", failing),
        ("delivering", ending),
    ]
}

#[tokio::test]
async fn a_delivery_is_no_work_per_pair() {
    assert_no_work_per_pair(&delivering(MANY).await, &delivering(2 * MANY).await);
}
