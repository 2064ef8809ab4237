//! Calendars that meetings are written into: when all of them are written anew.

use booking_core::testing::fixtures::{hour, now, text, therapist};
use booking_core::{
    Behind, BusyTimes, CalendarKind, CopyFault, CopyState, Fetched, LinkPatch, NewLink,
    SealedLocation, SourceError, Unwritten, WriteBack,
};
use chrono::{DateTime, TimeDelta, Utc};

use super::{Practice, assert_about, busy, fault, jane, new};

impl Practice {
    /// When it is due: what comes of it, where that was written from, if it was, and what is kept.
    async fn pass_writing(
        &self,
        found: Result<Fetched, SourceError>,
        writes: Result<(), Behind>,
    ) -> (Option<DateTime<Utc>>, CopyState) {
        let due = self.link().await.copy.next_at;
        *self.script.writes.lock().unwrap() = [writes].into();
        assert!(self.pass(due, found).await);
        let mut from = std::mem::take(&mut *self.script.written_from.lock().unwrap());
        assert!(from.len() < 2);
        (from.pop(), self.link().await.copy)
    }

    async fn open_written() -> Self {
        let practice = Self::open().await;
        practice.world.open(&therapist()).await;
        let collection = NewLink {
            kind: CalendarKind::CalDav,
            write_back: WriteBack::On,
            ..new(&practice.links)
        };
        practice.links.add(&jane(), collection).await.expect("there is room");
        practice
    }
}

fn left(why: CopyFault, written_to: Option<DateTime<Utc>>) -> Result<(), Behind> {
    Err(Behind { error: SourceError::new(why, "left"), written_to })
}

/// The first day of what is read.
fn first() -> DateTime<Utc> {
    BusyTimes::window(now()).expect("a window").start()
}

const UNCHANGED: Result<Fetched, SourceError> = Ok(Fetched::Unchanged);

/// Where the last time ended, until all of it is there; its owner is told so, and its times count
/// meanwhile.
#[tokio::test]
async fn what_is_left_is_written_with_the_next_copies() {
    let practice = Practice::open_written().await;
    let ten = || busy("20240115T100000", "one");
    let slow = left(CopyFault::TimedOut, Some(hour(50)));
    let (from, copy) = practice.pass_writing(ten(), slow).await;
    assert_eq!((from, copy.unwritten, copy.written_to), (Some(first()), 1, Some(hour(50))));
    assert_eq!((copy.failures, copy.fetched_at), (0, Some(now())));
    assert_eq!(copy.fault, Some((CopyFault::TimedOut, text("left"))));
    assert!(!practice.is_free(hour(10)).await);
    let mut copy = copy;
    for (unwritten, minutes) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 15), (6, 15)] {
        let checked = copy.checked_at.expect("it was read");
        assert_eq!(copy.unwritten, unwritten);
        assert_about(copy.next_at - checked, minutes);
        let on = hour(50 + i64::from(unwritten));
        let writes = left(CopyFault::Status, Some(on));
        let (from, next) = practice.pass_writing(UNCHANGED, writes).await;
        assert_eq!((from, next.written_to), (copy.written_to, Some(on)));
        copy = next;
    }
    // What cannot be read is not written into either, and may come back empty.
    let (from, away) = practice.pass_writing(fault(CopyFault::Unreachable), Ok(())).await;
    assert_eq!((from, away.unwritten, away.written_to), (None, 7, None));
    let (from, whole) = practice.pass_writing(UNCHANGED, Ok(())).await;
    assert_eq!((from, whole.unwritten, whole.written_to), (Some(first()), 0, None));
    assert_eq!((whole.failures, whole.fault), (0, None));
    assert_about(whole.next_at - whole.checked_at.expect("it was read"), 15);
    assert_eq!(practice.pass_writing(UNCHANGED, Ok(())).await.0, None);
}

/// Since somebody could not write, or while it was elsewhere: from the first day on, in the end.
#[tokio::test]
async fn what_was_missed_is_written_from_the_first_on() {
    let practice = Practice::open_written().await;
    practice.pass_writing(busy("20240115T100000", "one"), Ok(())).await;
    assert_eq!(practice.pass_writing(UNCHANGED, Ok(())).await.0, None);
    let id = practice.link().await.id;
    let missed = Unwritten { link: Some(id), fault: CopyFault::Status, detail: text("403") };
    let links = practice.world.links();
    links.unwritten(&missed).await.expect("memory holds");
    let (from, copy) =
        practice.pass_writing(UNCHANGED, left(CopyFault::Status, Some(hour(50)))).await;
    assert_eq!((from, copy.unwritten), (Some(first()), 2));
    // Whoever is at it comes to the last of them all the same, and hears that it was in vain.
    links.unwritten(&missed).await.expect("memory holds");
    let (from, copy) = practice.pass_writing(UNCHANGED, left(CopyFault::Status, None)).await;
    assert_eq!((from, copy.unwritten, copy.written_to), (Some(hour(50)), 4, None));
    let (from, copy) = practice.pass_writing(UNCHANGED, Ok(())).await;
    assert_eq!((from, copy.unwritten, copy.fault), (Some(first()), 0, None));

    links.unwritten(&missed).await.expect("memory holds");
    practice.pass_writing(UNCHANGED, left(CopyFault::Status, Some(hour(50)))).await;
    let elsewhere = Some((text("elsewhere.example.com"), SealedLocation(vec![2])));
    let (label, zone, write_back) = (None, None, WriteBack::On);
    let patch = LinkPatch { label, zone, write_back, location: elsewhere };
    practice.links.change(&jane(), id, &patch).await.expect("it is theirs");
    let (from, _) = practice.pass_writing(busy("20240115T100000", "two"), Ok(())).await;
    assert_eq!(from, Some(first()));

    // It was away for longer than it had been written for; then it is only read.
    links.unwritten(&missed).await.expect("memory holds");
    practice.pass_writing(UNCHANGED, left(CopyFault::Status, Some(hour(1)))).await;
    let later = now() + TimeDelta::days(20);
    *practice.script.writes.lock().unwrap() = [left(CopyFault::Status, None)].into();
    assert!(practice.pass(later, busy("20240115T100000", "three")).await);
    let from = std::mem::take(&mut *practice.script.written_from.lock().unwrap());
    assert_eq!(from, [BusyTimes::window(later).expect("a window").start()]);
    let patch = LinkPatch { write_back: WriteBack::Off, ..patch };
    practice.links.change(&jane(), id, &patch).await.expect("it is theirs");
    let (from, copy) = practice.pass_writing(busy("20240115T100000", "four"), Ok(())).await;
    assert_eq!((from, copy.unwritten, copy.fault), (None, 0, None));
}
