//! What listings of slots have read a moment ago, kept in memory, and never wrong.
//!
//! A listing gets hold of the [`Person`]s that it is about **before** it reads the store, and notes
//! what it has read with them. Whatever changes somebody's calendar takes their `Person` out, after
//! the commit and before anybody is told of it. So whoever looks from then on finds either nothing
//! or what was read after the commit: a listing that had begun to read before it still holds the old
//! `Person`, and notes what it read where nobody finds it any more. A `Person` is put in once, when
//! it is made, and never again.
//!
//! What is remembered is believed for less than a second. Where the store counts how often calendars
//! change, one question renews it for many people at a time; else it is read again.

mod person;
mod renewal;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use moka::sync::Cache;
use tokio::time::Instant;

use self::person::{Belief, Person, Reading};
use self::renewal::Renewal;
use crate::hold::Viewer;
use crate::hub::Hub;
use crate::id::UserId;
use crate::kept::{CalendarView, DiaryCalendar};
use crate::span::SpanSet;
use crate::store::Store;

/// Who has not been asked about for so long is dropped: nothing of theirs is believed any more.
const IDLE: Duration = Duration::from_secs(5);

/// Keeps what listings of slots have read, for [`Booking::with_cache`](crate::Booking::with_cache).
/// Cheap to clone; clones are one cache.
///
/// It keeps what answers are made of (hours, zones, when people are busy, and what is held for whom),
/// and not answers: what has passed meanwhile is left out of each, and so is what others hold.
///
/// # What it promises
/// - A listing that begins after a change was acknowledged by this process reflects it.
/// - One that begins a second after any other process has acknowledged a change reflects it too. If
///   the store has signals, that is usually a matter of milliseconds.
/// - What is told of a therapist and a client together was so at one time, as far as changes go that
///   this process had acknowledged, or been told of, when the listing was answered. Of a change of
///   both that is being committed, one may be shown as it was before, and the other as after.
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
    renewal: Renewal,
    hub: Hub,
    hits: AtomicU64,
    misses: AtomicU64,
    bypassed: AtomicU64,
}

/// How often listings were answered in which way since the cache was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SlotCacheCounts {
    /// From memory, at most after asking whether that still holds.
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
        let (renewal, hub) = (Renewal::default(), hub.clone());
        Self(Arc::new(Inner { people, renewal, hub, hits, misses, bypassed }))
    }

    /// What became of listings so far.
    #[must_use]
    pub fn counts(&self) -> SlotCacheCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Inner { hits, misses, bypassed, .. } = &*self.0;
        SlotCacheCounts { hits: read(hits), misses: read(misses), bypassed: read(bypassed) }
    }

    /// Has these people's calendars read anew: somebody was told of a change that was made elsewhere,
    /// or long ago, and of which this process may not have heard yet.
    pub(crate) fn forget(&self, people: &BTreeSet<UserId>) {
        people.iter().for_each(|person| self.0.people.forget(person));
    }

    /// What is known of a day, or else what `read` finds out in this store.
    pub(crate) async fn look<E>(
        &self,
        day: DayOf<'_>,
        store: &dyn Store,
        read: impl Future<Output = Result<Found, E>>,
    ) -> Result<View, E> {
        let count = |count: &AtomicU64| count.fetch_add(1, Ordering::Relaxed);
        let Inner { people, renewal, hub, hits, misses, bypassed } = &*self.0;
        let Some(epoch) = hub.epoch() else {
            count(bypassed);
            return Ok(read.await?.view);
        };
        let page = Page::open(day, people, epoch);
        // The two days may be of different times, but nothing is known to have changed both in between.
        let is_of_one_time = || day.client.is_none() || people.has(day.therapist, &page.therapist);
        let known = || page.recall().filter(|_| is_of_one_time());
        let mut found = known();
        if let Some((_, Belief::Doubted)) = found {
            renewal.renew(people, &page, store).await;
            found = known();
        }
        if let Some((view, Belief::Firm)) = found {
            count(hits);
            return Ok(view);
        }
        count(misses);
        let began = Instant::now();
        let found = read.await?;
        page.note(&found, began);
        Ok(found.view)
    }
}

impl fmt::Debug for SlotCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SlotCache").field(&self.counts()).finish()
    }
}

/// What is listed: a therapist's date, as it is for a client.
#[derive(Clone, Copy)]
pub(crate) struct DayOf<'a> {
    pub(crate) therapist: &'a UserId,
    pub(crate) client: Option<&'a UserId>,
    pub(crate) date: NaiveDate,
}

/// What was read.
pub(crate) struct Found {
    pub(crate) view: View,
    /// [`Diaries::revisions`](crate::Diaries::revisions), if they count all that the view shows.
    pub(crate) revisions: BTreeMap<UserId, u64>,
}

/// All that a listing looks at.
#[derive(Clone)]
pub(crate) struct View {
    /// The therapist's hours and what they are taken by, for whoever looks; `None` when there is no such
    /// therapist.
    pub(crate) therapist: Arc<Option<DiaryCalendar>>,
    /// When the client is busy for whom the therapist's slots are listed.
    pub(crate) client: Option<Arc<SpanSet>>,
}

impl View {
    /// What a booking of this viewer would have to fit into; `None` when there is no such therapist.
    pub(crate) fn calendar(&self, viewer: Viewer<'_>) -> Option<CalendarView<'_>> {
        let calendar = self.therapist.as_ref().as_ref()?.seen_by(viewer);
        Some(match self.client.as_deref() {
            Some(busy) => calendar.and_busy(busy),
            None => calendar,
        })
    }

    /// When that becomes another because somebody's hold expires, if nothing else happens.
    pub(crate) fn changes_at(&self, viewer: Viewer<'_>) -> Option<DateTime<Utc>> {
        self.therapist.as_ref().as_ref()?.changes_at(viewer)
    }
}

/// A day of a therapist and perhaps a client, as somebody asks for it.
struct Page<'a> {
    day: DayOf<'a>,
    therapist: Arc<Person>,
    client: Option<Arc<Person>>,
    began: Instant,
}

impl<'a> Page<'a> {
    fn open(day: DayOf<'a>, people: &People, epoch: u64) -> Self {
        let began = Instant::now();
        let person = |id| people.get(id, epoch);
        Self { day, therapist: person(day.therapist), client: day.client.map(person), began }
    }

    fn recall(&self) -> Option<(View, Belief)> {
        let DayOf { date, .. } = self.day;
        let therapist = self.therapist.receives(date, self.began)?;
        let client = self.client.as_ref().filter(|_| therapist.what.is_some());
        let client = match client {
            Some(person) => Some(person.busy(date, self.began)?),
            None => None,
        };
        let belief = client.as_ref().map_or(Belief::Firm, |client| client.belief);
        let view = View { therapist: therapist.what, client: client.map(|client| client.what) };
        Some((view, belief.max(therapist.belief)))
    }

    fn note(&self, found: &Found, began: Instant) {
        let Found { view, revisions } = found;
        let reading =
            |id| Reading { date: self.day.date, began, revision: revisions.get(id).copied() };
        self.therapist.note_receives(reading(self.day.therapist), &view.therapist);
        if let Some(((id, person), busy)) = self.client().zip(view.client.as_ref()) {
            person.note_busy(reading(id), busy);
        }
    }

    fn client(&self) -> Option<(&UserId, &Arc<Person>)> {
        self.day.client.zip(self.client.as_ref())
    }

    fn people(&self) -> impl Iterator<Item = (&UserId, &Arc<Person>)> {
        [(self.day.therapist, &self.therapist)].into_iter().chain(self.client())
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
