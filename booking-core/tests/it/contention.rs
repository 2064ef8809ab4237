//! What somebody asks for is changed between each look and the change made by it: how often it is
//! tried again, and what is said in the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use booking_core::{
    Booking, BookingError, Buffer, Buffers, ChangeError, Decline, HoldRequest, MeetingPatch,
    PageLimit, Refusal, ScopeTooNarrow, SessionDuration, Settings, SlotSearch,
};
use chrono_tz::Tz;

use crate::meanwhile::Meanwhile;
use crate::world::{ANY, World, jane, john, session, start, the_monday};

/// What becomes of it when there are so many changes in between.
fn among<T>(changes: u32, ask: impl AsyncFnOnce(&Booking) -> Result<T, BookingError>) -> Outcome {
    let world = World::default();
    let early = session(&jane(), "09:00", SessionDuration::HalfHour);
    world.book(&john(), &early).expect("a free start");
    let (owner, made) = (world.booking.clone(), Arc::new(AtomicU32::new(0)));
    let so_far = made.clone();
    // Jane wants more kept free around her meetings, each time when somebody has just looked.
    let booking = Meanwhile::booking(&world, move || {
        let (owner, so_far) = (owner.clone(), so_far.clone());
        async move {
            let before = so_far.load(Ordering::Relaxed) + 1;
            if before <= changes {
                so_far.store(before, Ordering::Relaxed);
                let before = Buffer::new(before).expect("minutes");
                let buffers = Buffers { before, ..Buffers::NONE };
                let settings = Settings { buffers, ..Settings::DEFAULT };
                owner.put_settings(&jane(), &settings, &ANY).await.expect("hers to change");
            }
        }
    });
    let end = world.run(ask(&booking));
    assert_eq!(made.load(Ordering::Relaxed), changes.min(16));
    match end {
        Ok(_) => Outcome::Done,
        Err(BookingError::Contended(_)) => Outcome::Contended,
        Err(other) => panic!("{other:?}"),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Contended,
}

/// Fifteen changes are borne, and the sixteenth is one too many.
#[test]
fn whoever_is_overtaken_too_often_is_told_so() {
    for (changes, expected) in [
        (0, Outcome::Done),
        (15, Outcome::Done),
        (16, Outcome::Contended),
        (99, Outcome::Contended),
    ] {
        let request = session(&jane(), "11:00", SessionDuration::Hour);
        let booked = among(changes, async |booking| booking.book(&john(), &request, None).await);
        let held = among(changes, async |booking| {
            let hold = HoldRequest {
                therapist: jane().id,
                client: None,
                start: start("11:00"),
                duration: SessionDuration::Hour,
                minutes: HoldRequest::DEFAULT_MINUTES,
            };
            booking.hold(&john(), &hold).await
        });
        let moved = among(changes, async |booking| {
            let page = booking.meetings(&john(), &booking_core::MeetingFilter::default()).await?;
            let patch = MeetingPatch { start: Some(start("11:00")), ..MeetingPatch::default() };
            booking.update(&john(), page.items[0].meeting.id, &patch, &ANY).await
        });
        let listed =
            among(changes, async |booking| booking.slots(&john(), &jane().id, the_monday()).await);
        let found = among(changes, async |booking| {
            let search = SlotSearch {
                therapists: [jane().id].into(),
                from: the_monday(),
                to: the_monday(),
                zone: Tz::UTC,
                duration: None,
                page: None,
                limit: PageLimit::MAX,
            };
            booking.search(&john(), &search).await
        });
        assert_eq!([booked, held, moved, listed, found].map(|end| end == expected), [true; 5]);
    }
}

#[test]
fn why_nothing_was_changed_is_told_as_it_is() {
    let refused = ChangeError::from(Decline::from(Refusal::SlotConflict));
    assert_eq!(refused.to_string(), Refusal::SlotConflict.to_string());
    let narrow = ChangeError::from(Decline::from(ScopeTooNarrow));
    assert_eq!(narrow.to_string(), ScopeTooNarrow.to_string());
    let contended = BookingError::Contended("the link kept changing");
    assert_eq!(contended.to_string(), "the link kept changing, and nothing was done");
}
