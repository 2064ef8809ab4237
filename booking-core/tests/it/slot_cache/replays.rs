//! Whoever is answered without a write, since it was done before, finds it in every later list too:
//! also where this process has not heard of it, or has forgotten too early.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use booking_core::{
    Announced, AvailabilityPatch, Booking, Calendars, Change, ChangeError, Decide, Diaries,
    DiariesQuery, DirectoryId, Meeting, MeetingPatch, MeetingQuery, MemoryStore, NewAvailability,
    Scope, SessionDuration, Store, StoreError,
};
use chrono::Weekday;
use tokio::time::{sleep, timeout};

use super::Still;
use crate::strategies::hours;
use crate::world::{ANY, jane, john, key, session, start};

/// A process lists, another one does something, and this one is asked to do the same again.
fn shows_what_was_done_before(doing: &impl AsyncFn(&Booking, &str)) {
    let still = Still::new();
    let _hearing = still.hub.hearing();
    let (other, booking) = (still.elsewhere().booking, &still.process.booking);
    still.world.run(async {
        let request = session(&jane(), "09:00", SessionDuration::HalfHour);
        let booked = other.book(&john(), &request, None).await.unwrap();
        let id = booked.value.meeting.id.to_string();
        let (before, _) = still.list().await;
        doing(&other, &id).await;
        assert_eq!(still.list().await, (before.clone(), true), "nobody has told of it");
        doing(booking, &id).await;
        let (after, from_memory) = still.list().await;
        assert!(!from_memory && after != before);
    });
}

#[test]
fn a_booking_that_another_process_made() {
    shows_what_was_done_before(&async |booking, _| {
        let request = session(&jane(), "11:00", SessionDuration::HalfHour);
        booking.book(&john(), &request, key("once")).await.unwrap();
    });
}

#[test]
fn a_meeting_that_another_process_moved() {
    shows_what_was_done_before(&async |booking, id| {
        let patch = MeetingPatch { start: Some(start("12:00")), ..MeetingPatch::default() };
        booking.update(&john(), id.parse().unwrap(), &patch, &ANY).await.unwrap();
    });
}

#[test]
fn hours_that_another_process_changed() {
    shows_what_was_done_before(&async |booking, _| {
        let window = hours("18:00", "19:00");
        let new = NewAvailability { weekday: Weekday::Mon, window, notes: None };
        booking.add_availability(&jane(), &new, key("once")).await.unwrap();
    });
    shows_what_was_done_before(&async |booking, _| {
        let open = booking.availability(&jane()).await.unwrap().remove(0);
        let end = Some("12:00".parse().unwrap());
        let patch = AvailabilityPatch { end, ..AvailabilityPatch::default() };
        booking.update_availability(&jane(), open.id, &patch).await.unwrap();
    });
}

/// A store that comes to the end of what it has begun, also if nobody waits for it.
struct Stubborn(Arc<MemoryStore>);

const TAKES: Duration = Duration::from_millis(50);

#[async_trait]
impl Store for Stubborn {
    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        self.0.read(scope).await
    }

    async fn change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        self.0.change(scope, decide).await
    }

    async fn apply_if_current(
        &self,
        seen: &Calendars,
        change: &Change,
    ) -> Result<bool, StoreError> {
        let (inner, seen, change) = (self.0.clone(), seen.clone(), change.clone());
        let applying = tokio::spawn(async move {
            sleep(TAKES).await;
            inner.apply_if_current(&seen, &change).await
        });
        applying.await.expect("nobody panics")
    }

    fn directory(&self) -> Option<DirectoryId> {
        self.0.directory()
    }

    async fn diaries(&self, query: &DiariesQuery) -> Result<Diaries, StoreError> {
        self.0.diaries(query).await
    }

    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError> {
        self.0.meetings(query).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.0.ping().await
    }
}

#[test]
fn a_booking_whose_caller_had_gone() {
    let still = Still::over(100, |store| Arc::new(Stubborn(store)));
    let _hearing = still.hub.hearing();
    let booking = &still.process.booking;
    still.world.run(async {
        let request = session(&jane(), "11:00", SessionDuration::HalfHour);
        let impatient = timeout(TAKES / 2, booking.book(&john(), &request, key("once"))).await;
        assert!(impatient.is_err());
        let (before, _) = still.list().await;
        sleep(TAKES).await;
        assert_eq!(still.list().await, (before.clone(), true), "it is committed, unheard");
        let again = booking.book(&john(), &request, key("once")).await.unwrap();
        assert!(again.replayed);
        let (after, from_memory) = still.list().await;
        assert!(!from_memory && after != before);
    });
}

/// What was found under the store's locks to be so already: lists are read anew, and nobody is woken.
#[test]
fn a_change_that_turns_out_to_be_none() {
    let still = Still::new();
    let _hearing = still.hub.hearing();
    let store = Announced::new(still.world.store.clone(), still.hub.clone());
    still.world.run(async {
        let watching = still.hub.watch([jane().id]);
        assert!(!still.list().await.1 && still.list().await.1);
        let scope = Scope { people: [jane().id].into(), ..Scope::default() };
        store.change(&scope, &|_| Ok(Change::default())).await.unwrap();
        assert!(!still.list().await.1 && still.list().await.1);
        let woken = timeout(Duration::from_millis(1), watching.changed()).await;
        assert!(woken.is_err());
    });
}
