//! Whole bookings through [`Booking`] over the in-memory store, which writes nothing to a disk: what
//! rules, event and audit log cost, beside the check of one start that `admit` is.

use std::sync::Arc;

use booking_benches::{NOW, ZONE, calendar, meetings, slots, windows};
use booking_core::testing::fixtures::{
    as_client, audited, by, client, meeting, other_client, slot, therapist, user,
};
use booking_core::{
    BookRequest, Booking, BookingError, Change, DirectoryAdmin, ManualClock, MemoryStore,
    RandomIds, Refusal, Scope, SessionDuration, StartTime, Store, User, Write,
};
use divan::Bencher;
use tokio::runtime::{Builder, Runtime};

/// Enough of workload W for every booking to find a start of its own.
const DAYS: u64 = 1_200;
const BOOKINGS: usize = 5_000;

/// One that succeeds. It makes the calendar fuller for the next, by one in thousands.
#[divan::bench(sample_count = 100, sample_size = 50)]
fn book(bencher: Bencher<'_, '_>) {
    let practice = Practice::new();
    let mut starts = practice.free.iter();
    bencher.bench_local(|| {
        let start = starts.next().expect("a start for each");
        practice.book(*start).expect("a start that is free");
    });
}

/// One that wants a time that is taken.
#[divan::bench]
fn book_what_is_taken(bencher: Bencher<'_, '_>) {
    let practice = Practice::new();
    let taken = StartTime::new(meetings(1)[0].start()).expect("a whole minute");
    let refused = practice.book(taken).expect_err("it is taken");
    assert!(matches!(refused, BookingError::Refused(Refusal::SlotConflict)), "{refused}");
    bencher.bench_local(|| practice.book(taken));
}

/// The therapist of workload W, whose meetings are another client's.
struct Practice {
    booking: Booking,
    free: Vec<StartTime>,
    runtime: Runtime,
}

impl Practice {
    fn new() -> Self {
        let store = Arc::new(MemoryStore::default());
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(fill(&store));
        let calendar = calendar(&windows(), &meetings(DAYS));
        let free: Vec<StartTime> =
            slots(&calendar, DAYS).into_iter().map(|slot| slot.start).collect();
        assert!(free.len() >= BOOKINGS);
        let clock = Arc::new(ManualClock::new(NOW));
        let booking = Booking::new(store.clone(), store, clock, Arc::new(RandomIds));
        Self { booking, free, runtime }
    }

    fn book(&self, start: StartTime) -> Result<(), BookingError> {
        let request = BookRequest::new(therapist(), start, SessionDuration::HalfHour);
        let client = as_client(&client());
        let booked = self.booking.book(&client, &request, None);
        self.runtime.block_on(booked).map(drop)
    }
}

async fn fill(store: &MemoryStore) {
    for person in [client(), other_client(), therapist()] {
        let person = User { zone: Some(ZONE), ..user(&person) };
        store.put_user(&person, by()).await.expect("memory holds");
    }
    store.relate(&client(), &therapist(), by()).await.expect("memory holds");
    let hours = windows()
        .into_iter()
        .map(|(weekday, window)| Write::InsertAvailability(slot(&therapist(), weekday, window)));
    let booked = meetings(DAYS)
        .into_iter()
        .map(|span| Write::InsertMeeting(meeting(&other_client(), &therapist(), span.start())));
    let change = Change { writes: hours.chain(booked).map(audited).collect(), ..Change::default() };
    let scope = Scope { people: [therapist()].into(), ..Scope::default() };
    store.change(&scope, &|_| Ok(change.clone())).await.expect("memory holds");
}
