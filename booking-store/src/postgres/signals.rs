//! How stores on one database tell each other what they have changed: NOTIFY and LISTEN.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use booking_core::{IdSource as _, Listening, RandomIds, Signal, Signals, StoreError, UserId};
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use uuid::Uuid;

use super::PostgresStore;
use crate::error::Failure;
use crate::rows;

/// Channels are apart by database; whoever has another schema there is woken for nothing.
const CHANNEL: &str = "booking";
/// Postgres takes payloads of less than 8 000 bytes.
const MAX_PAYLOAD_BYTES: usize = 7_999;
/// How long to wait for a connection to listen on, and for its answers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// After how much silence to ask whether the server is still there.
const SILENCE: Duration = Duration::from_secs(10);
/// Who is behind by more people than that is told to look at everything.
const MAX_PEOPLE: usize = 10_000;

/// What goes over the channel.
#[derive(Serialize, Deserialize)]
struct Message {
    sender: Uuid,
    people: Vec<UserId>,
}

/// Tells a store's own messages from those of others.
pub(super) fn new_sender() -> Uuid {
    RandomIds.fresh(DateTime::UNIX_EPOCH)
}

#[async_trait]
impl Signals for PostgresStore {
    async fn signal(&self, people: &BTreeSet<UserId>) -> Result<(), StoreError> {
        if people.is_empty() {
            return Ok(());
        }
        let messages = messages(self.sender, people)?;
        self.relays.call(async |connection| notify(connection, &messages).await).await
    }

    async fn listen(&self) -> Result<Box<dyn Listening>, StoreError> {
        let connecting = timeout(ANSWER_TIMEOUT, listener(&self.options)).await;
        let listener = connecting.map_err(Failure::unavailable)?.map_err(Failure::from)?;
        let heard = Arc::<Heard>::default();
        let (sender, said) = (self.sender, heard.clone());
        let closed = self.relays.closed();
        // A task of its own reads from the connection, so that whoever waits may stop to at any
        // moment, and a server that has gone is noticed even if nobody waits.
        let task = tokio::spawn(async move {
            let failure = tokio::select! {
                failure = hear(listener, sender, &said) => failure,
                () = closed => Failure::unavailable("the store was closed"),
            };
            said.end(failure);
        });
        Ok(Box::new(Listener { heard, task: task.abort_handle() }))
    }
}

/// As few as hold all people.
fn messages(sender: Uuid, people: &BTreeSet<UserId>) -> Result<Vec<String>, Failure> {
    let empty = rows::json(&Message { sender, people: vec![] })?.len();
    let mut messages: Vec<Message> = vec![];
    let mut bytes = usize::MAX;
    for person in people {
        // With the comma.
        let more = rows::json(person)?.len() + 1;
        match messages.last_mut().filter(|_| bytes.saturating_add(more) <= MAX_PAYLOAD_BYTES) {
            Some(message) => message.people.push(person.clone()),
            None => {
                messages.push(Message { sender, people: vec![person.clone()] });
                bytes = empty;
            }
        }
        bytes += more;
    }
    messages.iter().map(rows::json).collect()
}

/// In no transaction of anybody's: a NOTIFY takes a lock, for the whole server, as it commits.
async fn notify(connection: &mut PgConnection, messages: &[String]) -> Result<(), Failure> {
    let notify = sqlx::query!(
        "SELECT pg_notify($1, message) FROM unnest($2::text[]) AS message",
        CHANNEL,
        messages,
    );
    notify.execute(connection).await?;
    Ok(())
}

async fn listener(options: &PgConnectOptions) -> Result<PgListener, sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    // Nothing is heard between two connections: whoever listens has to know.
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// Until the connection is lost.
async fn hear(mut listener: PgListener, sender: Uuid, heard: &Heard) -> Failure {
    loop {
        match timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(message))) => heard.say(serde_json::from_str(message.payload()), sender),
            Ok(Ok(None)) => return Failure::unavailable("the server hung up"),
            Ok(Err(error)) => return error.into(),
            Err(_silence) => {
                let is_there = sqlx::raw_sql("SELECT 1").execute(&mut listener);
                match timeout(ANSWER_TIMEOUT, is_there).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => return error.into(),
                    Err(late) => return Failure::unavailable(late),
                }
            }
        }
    }
}

/// What was heard and not told yet. It grows with the number of people, not with that of messages.
#[derive(Default)]
struct Heard {
    untold: Mutex<Untold>,
    news: Notify,
}

#[derive(Default)]
struct Untold {
    people: BTreeSet<UserId>,
    has_missed: bool,
    end: Option<End>,
}

enum End {
    Untold(Failure),
    Told,
}

impl Heard {
    fn say(&self, message: Result<Message, serde_json::Error>, own: Uuid) {
        let mut untold = self.untold();
        match message {
            Ok(message) if message.sender == own => return,
            Ok(message) => untold.people.extend(message.people),
            // Of another version, or somebody else's.
            Err(_) => untold.has_missed = true,
        }
        if untold.people.len() > MAX_PEOPLE {
            untold.has_missed = true;
        }
        if untold.has_missed {
            untold.people.clear();
        }
        drop(untold);
        self.news.notify_one();
    }

    fn end(&self, failure: Failure) {
        self.untold().end = Some(End::Untold(failure));
        self.news.notify_one();
    }

    /// What is behind this lock is right after every statement.
    fn untold(&self) -> MutexGuard<'_, Untold> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Untold {
    fn tell(&mut self) -> Option<Result<Signal, StoreError>> {
        if std::mem::take(&mut self.has_missed) {
            return Some(Ok(Signal::Missed));
        }
        if !self.people.is_empty() {
            return Some(Ok(Signal::Changed(std::mem::take(&mut self.people))));
        }
        let end = self.end.as_mut()?;
        Some(Err(match std::mem::replace(end, End::Told) {
            End::Untold(failure) => failure.into(),
            End::Told => Failure::unavailable("nobody listens any more").into(),
        }))
    }
}

struct Listener {
    heard: Arc<Heard>,
    task: AbortHandle,
}

#[async_trait]
impl Listening for Listener {
    async fn next(&mut self) -> Result<Signal, StoreError> {
        loop {
            let told = self.heard.untold().tell();
            if let Some(told) = told {
                return told;
            }
            self.heard.news.notified().await;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}
