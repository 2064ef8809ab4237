//! Who a therapist is, or in which zone, changes after a decision was made and before it is applied.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use booking_core::testing::fixtures::by;
use booking_core::{
    Booking, BookingError, Calendars, Change, ChangeError, CountedIds, Decide, Diaries,
    DiariesQuery, DirectoryAdmin, DirectoryId, Email, HoldRequest, Meeting, MeetingPatch,
    MeetingQuery, MemoryStore, Refusal, Role, Scope, SeriesMode, SessionDuration, Store,
    StoreError, User,
};
use chrono_tz::Tz;

use crate::series::series;
use crate::world::{ANY, Outcome, World, at, jane, john, session, text};

/// A store in which something happens just before a change is applied, and before lists are read.
pub(crate) struct Meanwhile {
    inner: Arc<MemoryStore>,
    happens: Box<dyn Fn() -> Happening + Send + Sync>,
}

type Happening = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Meanwhile {
    /// A service over this world's store, in which that happens again and again.
    pub(crate) fn booking<F: Future<Output = ()> + Send + 'static>(
        world: &World,
        happens: impl Fn() -> F + Send + Sync + 'static,
    ) -> Booking {
        let happens = Box::new(move || -> Happening { Box::pin(happens()) });
        let store = Arc::new(Self { inner: world.store.clone(), happens });
        let (clock, ids) = (world.clock.clone(), Arc::new(CountedIds::default()));
        Booking::new(store, world.store.clone(), clock, ids)
    }
}

#[async_trait]
impl Store for Meanwhile {
    async fn read(&self, scope: &Scope) -> Result<Calendars, StoreError> {
        self.inner.read(scope).await
    }

    async fn change(&self, scope: &Scope, decide: Decide<'_>) -> Result<Change, ChangeError> {
        self.inner.change(scope, decide).await
    }

    async fn apply_if_current(
        &self,
        seen: &Calendars,
        change: &Change,
    ) -> Result<bool, StoreError> {
        (self.happens)().await;
        self.inner.apply_if_current(seen, change).await
    }

    fn directory(&self) -> Option<DirectoryId> {
        self.inner.directory()
    }

    async fn diaries(&self, query: &DiariesQuery) -> Result<Diaries, StoreError> {
        (self.happens)().await;
        self.inner.diaries(query).await
    }

    async fn meetings(&self, query: &MeetingQuery) -> Result<Vec<Meeting>, StoreError> {
        self.inner.meetings(query).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
}

/// The ways to take some of Jane's time at ten o'clock of UTC.
#[derive(Debug, Clone, Copy)]
enum Way {
    Book,
    Hold,
    Move,
    Series,
}

const WAYS: [Way; 4] = [Way::Book, Way::Hold, Way::Move, Way::Series];

impl Way {
    async fn go(self, booking: &Booking, other: &Meeting) -> Result<(), BookingError> {
        let ten = session(&jane(), "10:00", SessionDuration::Hour);
        match self {
            Self::Book => booking.book(&john(), &ten, None).await.map(drop),
            Self::Hold => {
                let request = HoldRequest {
                    therapist: ten.therapist,
                    client: None,
                    start: ten.start,
                    duration: ten.duration,
                    minutes: HoldRequest::DEFAULT_MINUTES,
                };
                booking.hold(&john(), &request).await.map(drop)
            }
            Self::Move => {
                let patch = MeetingPatch { start: Some(ten.start), ..MeetingPatch::default() };
                booking.update(&john(), other.id, &patch, &ANY).await.map(drop)
            }
            Self::Series => {
                let request = series(ten, "FREQ=WEEKLY;COUNT=2", SeriesMode::All);
                booking.book_series(&john(), &request, None).await.map(drop)
            }
        }
    }

    /// What becomes of it if Jane is another from the moment on at which it would be applied.
    fn while_jane_becomes(self, role: Role, zone: Tz) -> Outcome<()> {
        let world = World::default();
        let request = session(&jane(), "16:00", SessionDuration::Hour);
        let other = world.book(&john(), &request).expect("a free time");
        let jane = User {
            id: jane().id,
            role,
            first_name: text("Jane"),
            last_name: text("Elsewhere"),
            email: Email::new("jane@example.com").expect("an address"),
            zone: Some(zone),
        };
        world.set_clock(at("2026-01-02T12:00Z"));
        let becomes = Arc::new(Mutex::new(Some(jane)));
        let (waits, store) = (becomes.clone(), world.store.clone());
        let booking = Meanwhile::booking(&world, move || {
            let user = waits.lock().expect("nobody panics").take();
            let store = store.clone();
            async move {
                if let Some(user) = user {
                    store.put_user(&user, by()).await.expect("memory holds");
                }
            }
        });
        let outcome = world.run(self.go(&booking, &other));
        assert!(becomes.lock().expect("nobody panics").is_none(), "{self:?} came to be applied");
        outcome.map_err(|error| match error {
            BookingError::Refused(refusal) => refusal,
            failed => panic!("{self:?}: {failed:?}"),
        })
    }
}

#[test]
fn windows_are_meant_in_the_zone_of_when_it_is_applied() {
    for way in WAYS {
        // Eleven in the morning, and eleven in the evening.
        assert_eq!(way.while_jane_becomes(Role::Therapist, Tz::Europe__Paris), Ok(()), "{way:?}");
        let far = way.while_jane_becomes(Role::Therapist, Tz::Pacific__Auckland);
        let refused = match way {
            Way::Series => matches!(far, Err(Refusal::SeriesRefused(_))),
            _ => far == Err(Refusal::OutsideAvailability),
        };
        assert!(refused, "{way:?}: {far:?}");
    }
}

#[test]
fn who_is_no_therapist_any_more_is_not_booked() {
    for way in WAYS {
        let outcome = way.while_jane_becomes(Role::Client, Tz::UTC);
        assert_eq!(outcome, Err(Refusal::TherapistNotFound), "{way:?}");
    }
}
