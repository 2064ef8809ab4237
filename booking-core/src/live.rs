//! What changes while somebody looks on.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};

use crate::access::{Actor, Operation, Role};
use crate::booking::{Booking, BookingError, Listing};
use crate::hub::{Hub, Watching};
use crate::id::UserId;
use crate::outbox::{EventQuery, Outbox, Recorded};
use crate::settings::Notice;
use crate::slot::Slot;
use crate::store::StoreError;

/// How many events come at a time.
const PAGE: u32 = 100;
/// When to look again though nobody said that there is something.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// A list of slots is made anew at most this often.
const REST: Duration = Duration::from_millis(250);
/// How many streams read from the store at the same time. What wakes thousands of them must not
/// keep everybody else from the store.
const LOOKS_AT_ONCE: usize = 4;

/// Events and slots as they change.
///
/// Streams pull: each reads from the store when it is woken and asked, so that nothing piles up for
/// a slow reader. A [`Relay`](crate::Relay) over the same hub must run, for new events to be seen
/// and for other processes' changes to be heard of.
#[derive(Clone)]
pub struct Live {
    booking: Booking,
    outbox: Arc<dyn Outbox>,
    hub: Hub,
    turns: Turns,
}

/// Who reads next: those who have waited longest.
#[derive(Clone)]
struct Turns(Arc<Semaphore>);

impl Turns {
    async fn take<T>(&self, look: impl Future<Output = T>) -> T {
        // Nobody ever closes the semaphore.
        let _turn = self.0.acquire().await;
        look.await
    }
}

impl Live {
    /// Over the store of this service, whose changes are [`Announced`](crate::Announced) to this
    /// hub.
    pub fn new(booking: Booking, outbox: Arc<dyn Outbox>, hub: Hub) -> Self {
        let turns = Turns(Arc::new(Semaphore::new(LOOKS_AT_ONCE)));
        Self { booking, outbox, hub, turns }
    }

    /// The events of the actor's own meetings: those after a sequence, or from now on. A sequence
    /// that the log has not reached is another log's, and stands for now.
    ///
    /// # Errors
    /// [`Refusal::RoleRequired`](crate::Refusal::RoleRequired); [`StoreError`].
    pub async fn events(
        &self,
        actor: &Actor,
        after: Option<u64>,
    ) -> Result<EventStream, BookingError> {
        actor.may(Operation::ListMeetings)?;
        let watching = self.hub.watch([actor.id.clone()]);
        Ok(self.follow(watching, Some(actor.id.clone()), after).await?)
    }

    /// Everybody's events: those after a sequence, or from now on. For this program's own use.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn all_events(&self, after: Option<u64>) -> Result<EventStream, StoreError> {
        self.follow(self.hub.watch_all(), None, after).await
    }

    /// The slots of a therapist on a date, and then again whenever they are others: because of
    /// bookings, cancellations, moves, holds, availability, or because time has passed.
    #[must_use]
    pub fn slots(&self, actor: &Actor, therapist: &UserId, date: NaiveDate) -> SlotStream {
        let people = [therapist.clone(), actor.id.clone()];
        let concerned = if actor.role == Role::Client { &people[..] } else { &people[..1] };
        SlotStream {
            booking: self.booking.clone(),
            watching: self.hub.watch(concerned.iter().cloned()),
            turns: self.turns.clone(),
            actor: actor.clone(),
            therapist: therapist.clone(),
            date,
            last: None,
            is_stale: true,
        }
    }

    async fn follow(
        &self,
        watching: Watching,
        person: Option<UserId>,
        after: Option<u64>,
    ) -> Result<EventStream, StoreError> {
        let last = self.outbox.last_sequence().await?;
        let after = after.map_or(last, |after| after.min(last));
        let query = EventQuery { after, person, limit: PAGE };
        Ok(EventStream { outbox: self.outbox.clone(), watching, turns: self.turns.clone(), query })
    }
}

/// Events, as they join the log.
pub struct EventStream {
    outbox: Arc<dyn Outbox>,
    watching: Watching,
    turns: Turns,
    query: EventQuery,
}

impl EventStream {
    /// The sequence up to which the stream has been read: where to resume it.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.query.after
    }

    /// The next events, as soon as there are some: at least one, oldest first. Dropped while it
    /// waits, it misses nothing.
    ///
    /// # Errors
    /// [`StoreError`]; the next call goes on where this one failed.
    pub async fn next(&mut self) -> Result<Vec<Recorded>, StoreError> {
        loop {
            let events = self.turns.take(self.outbox.events(&self.query)).await?;
            if let Some(last) = events.last() {
                self.query.after = last.sequence;
                return Ok(events);
            }
            tokio::select! {
                () = self.watching.changed() => {}
                () = sleep(LOOK_AGAIN) => {}
            }
        }
    }
}

/// The slots of one day, as one person may book them.
pub struct SlotStream {
    booking: Booking,
    watching: Watching,
    turns: Turns,
    actor: Actor,
    therapist: UserId,
    date: NaiveDate,
    last: Option<Seen>,
    /// The list may be another one than the last.
    is_stale: bool,
}

struct Seen {
    slots: Vec<Slot>,
    notice: Notice,
    until: Option<DateTime<Utc>>,
    at: Instant,
}

impl SlotStream {
    /// The list: at first as it is, and then as soon as it is another one. Dropped while it waits
    /// or reads, it misses nothing.
    ///
    /// # Errors
    /// Those of [`Booking::slots`]; the next call looks again at once.
    pub async fn next(&mut self) -> Result<Vec<Slot>, BookingError> {
        loop {
            if !self.is_stale {
                self.wait().await;
                self.is_stale = true;
            }
            if let Some(last) = &self.last {
                sleep_until(last.at + REST).await;
            }
            let look = self.booking.listing(&self.actor, &self.therapist, self.date);
            let Listing { slots, notice, until } = self.turns.take(look).await?;
            self.is_stale = false;
            let is_news = self.last.as_ref().is_none_or(|last| last.slots != slots);
            self.last = Some(Seen { slots: slots.clone(), notice, until, at: Instant::now() });
            if is_news {
                return Ok(slots);
            }
        }
    }

    /// Until the list may be another one.
    async fn wait(&self) {
        let Some(last) = &self.last else { return };
        tokio::select! {
            () = self.watching.changed() => {}
            () = self.first_passes(last) => {}
            () = self.hold_expires(last) => {}
            () = sleep_until(last.at + LOOK_AGAIN) => {}
        }
    }

    /// A start is no longer offered once it has come, or is nearer than a therapist wants to know of it.
    async fn first_passes(&self, last: &Seen) {
        let Some(first) = last.slots.first() else { return pending().await };
        self.sleep_until(first.start.instant() - last.notice.to_delta()).await;
    }

    /// What was kept for somebody else is offered from then on.
    async fn hold_expires(&self, last: &Seen) {
        let Some(until) = last.until else { return pending().await };
        self.sleep_until(until).await;
    }

    async fn sleep_until(&self, then: DateTime<Utc>) {
        sleep((then - self.booking.now()).to_std().unwrap_or_default()).await;
    }
}
