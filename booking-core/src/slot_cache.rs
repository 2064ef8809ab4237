//! What listings of slots have read a moment ago, kept in memory, and never wrong.
//!
//! A listing gets hold of the [`Person`]s that it is about **before** it reads the store, and notes
//! what it has read with them. Whatever changes somebody's calendar takes their `Person` out, after
//! the commit and before anybody is told of it. So whoever looks from then on finds either nothing
//! or what was read after the commit: a listing that had begun to read before it still holds the old
//! `Person`, and notes what it read where nobody finds it any more. A `Person` is put in once, when
//! it is made, and never again.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::NaiveDate;
use moka::sync::Cache;
use tokio::time::Instant;

use crate::calendar::Calendar;
use crate::hub::Hub;
use crate::id::UserId;
use crate::span::SpanSet;

/// How long something is believed, from before it was read: other processes' changes show within a
/// second even if nobody says anything, for one may die between its commit and its signal.
const BELIEVED: Duration = Duration::from_millis(900);
/// Who has not been asked about for so long is dropped: nothing of theirs is believed any more.
const IDLE: Duration = Duration::from_secs(5);
/// How many dates of one person are kept.
const MOST_DATES: usize = 32;

/// Keeps what listings of slots have read, for [`Booking::with_cache`](crate::Booking::with_cache).
/// Cheap to clone; clones are one cache.
///
/// It holds what answers are made of (hours, zones, and when people are busy), and not answers: what
/// has passed meanwhile is left out of each.
///
/// # What it promises
/// - A listing that begins after a change was acknowledged by this process reflects it.
/// - One that begins a second after any other process has acknowledged a change reflects it too. If
///   the store has signals, that is usually a matter of milliseconds.
/// - What is told of a therapist and a client together was so at one time, as far as this process's
///   changes go.
/// - It is used only while this process hears what others change, as [`Hub::hearing`] says; a
///   [`Relay`](crate::Relay) that runs says so by itself. Else every listing reads the store.
/// - No booking reads it.
///
/// For that, store and directory have to be [`Announced`](crate::Announced) to the same hub; where
/// they are not, changes show within a second.
#[derive(Clone)]
pub struct SlotCache(Arc<Inner>);

struct Inner {
    people: Arc<People>,
    hub: Hub,
    hits: AtomicU64,
    misses: AtomicU64,
    bypassed: AtomicU64,
}

/// How often listings were answered in which way since the cache was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SlotCacheCounts {
    /// From memory alone.
    pub hits: u64,
    /// From the store, and noted.
    pub misses: u64,
    /// From the store, since this process did not hear what others change.
    pub bypassed: u64,
}

impl SlotCache {
    /// A cache for the listings of a store that is announced to this hub. It holds what is known of
    /// at most so many people, 32 dates each; those that are asked about most stay. Who has not been
    /// asked about for 5 seconds goes, so what it takes goes by how much is asked.
    #[must_use]
    pub fn new(most_people: u64, hub: &Hub) -> Self {
        let cache = Cache::builder().max_capacity(most_people).time_to_idle(IDLE).build();
        let people = Arc::new(People(cache));
        hub.remind(&people);
        let none = AtomicU64::default;
        let (hits, misses, bypassed) = (none(), none(), none());
        Self(Arc::new(Inner { people, hub: hub.clone(), hits, misses, bypassed }))
    }

    /// What became of listings so far.
    #[must_use]
    pub fn counts(&self) -> SlotCacheCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Inner { hits, misses, bypassed, .. } = &*self.0;
        SlotCacheCounts { hits: read(hits), misses: read(misses), bypassed: read(bypassed) }
    }

    /// What is known of a day, or else what `read` finds out.
    pub(crate) async fn look<E>(
        &self,
        therapist: &UserId,
        client: Option<&UserId>,
        date: NaiveDate,
        read: impl Future<Output = Result<View, E>>,
    ) -> Result<View, E> {
        let count = |count: &AtomicU64| count.fetch_add(1, Ordering::Relaxed);
        let Some(epoch) = self.0.hub.epoch() else {
            count(&self.0.bypassed);
            return read.await;
        };
        let person = |id: &UserId| self.0.people.get(id, epoch);
        let page = Page {
            therapist: person(therapist),
            client: client.map(person),
            date,
            began: Instant::now(),
        };
        // The two days may be of different times, but nothing has changed both in between.
        let is_of_one_time = || client.is_none() || self.0.people.has(therapist, &page.therapist);
        if let Some(view) = page.known().filter(|_| is_of_one_time()) {
            count(&self.0.hits);
            return Ok(view);
        }
        count(&self.0.misses);
        let view = read.await?;
        page.note(&view);
        Ok(view)
    }
}

impl fmt::Debug for SlotCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SlotCache").field(&self.counts()).finish()
    }
}

/// All that a listing looks at.
#[derive(Clone)]
pub(crate) struct View {
    /// The therapist's hours and what they are taken by; `None` when there is no such therapist.
    pub(crate) therapist: Arc<Option<Calendar>>,
    /// When the client is busy for whom the therapist's slots are listed.
    pub(crate) client: Option<Arc<SpanSet>>,
}

impl View {
    /// What a booking would have to fit into; `None` when there is no such therapist.
    pub(crate) fn calendar(&self) -> Option<Cow<'_, Calendar>> {
        let calendar = self.therapist.as_ref().as_ref()?;
        let busy = self.client.as_deref().filter(|busy| !busy.is_empty());
        Some(busy.map_or(Cow::Borrowed(calendar), |busy| {
            let taken = calendar.taken.union(busy);
            Cow::Owned(Calendar { taken, ..calendar.clone() })
        }))
    }
}

/// A day of a therapist and perhaps a client, as somebody is about to read it.
struct Page {
    therapist: Arc<Person>,
    client: Option<Arc<Person>>,
    date: NaiveDate,
    began: Instant,
}

impl Page {
    fn known(&self) -> Option<View> {
        let therapist = self.therapist.receives.of(self.date, self.began)?;
        let client = self.client.as_ref().filter(|_| therapist.is_some());
        let client = match client {
            Some(person) => Some(person.busy.of(self.date, self.began)?),
            None => None,
        };
        Some(View { therapist, client })
    }

    fn note(&self, view: &View) {
        self.therapist.receives.note(self.date, self.began, &view.therapist);
        if let Some((person, busy)) = self.client.as_ref().zip(view.client.as_ref()) {
            person.busy.note(self.date, self.began, busy);
        }
    }
}

/// Who is known.
pub(crate) struct People(Cache<UserId, Arc<Person>>);

impl People {
    /// The person who is found from now on, until they are forgotten or something was missed.
    ///
    /// Not by moka's `get_with`: whoever waits there for the same person may be given them after they
    /// were forgotten.
    fn get(&self, id: &UserId, epoch: u64) -> Arc<Person> {
        let known = self.0.get(id).filter(|person| person.epoch == epoch);
        known.unwrap_or_else(|| {
            let person = Arc::new(Person::new(epoch));
            self.0.insert(id.clone(), person.clone());
            person
        })
    }

    /// Whether this is the person who is found.
    fn has(&self, id: &UserId, person: &Arc<Person>) -> bool {
        self.0.get(id).is_some_and(|known| Arc::ptr_eq(&known, person))
    }

    /// Whoever has hold of this person keeps it to themselves.
    pub(crate) fn forget(&self, id: &UserId) {
        self.0.invalidate(id);
    }
}

impl fmt::Debug for People {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("People(…)")
    }
}

/// What is known of somebody.
struct Person {
    /// Since when nothing was missed; see [`Hub::epoch`].
    epoch: u64,
    /// Their days as a therapist.
    receives: Days<Option<Calendar>>,
    /// Their days as somebody's client.
    busy: Days<SpanSet>,
}

impl Person {
    const fn new(epoch: u64) -> Self {
        Self { epoch, receives: Days::new(), busy: Days::new() }
    }
}

/// What was read of some dates, those noted last behind.
struct Days<T>(Mutex<Vec<Day<T>>>);

struct Day<T> {
    date: NaiveDate,
    /// No later than when it began to be read.
    began: Instant,
    what: Arc<T>,
}

impl<T> Days<T> {
    const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    fn of(&self, date: NaiveDate, now: Instant) -> Option<Arc<T>> {
        let days = self.lock();
        let day = days.iter().find(|day| day.date == date && day.is_believed(now))?;
        Some(day.what.clone())
    }

    fn note(&self, date: NaiveDate, began: Instant, what: &Arc<T>) {
        let now = Instant::now();
        let mut days = self.lock();
        days.retain(|day| day.date != date && day.is_believed(now));
        if days.len() == MOST_DATES {
            days.remove(0);
        }
        days.push(Day { date, began, what: what.clone() });
    }

    /// What is behind this lock is right after every statement.
    fn lock(&self) -> MutexGuard<'_, Vec<Day<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Day<T> {
    fn is_believed(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) < BELIEVED
    }
}
