//! Which events could not be read is kept with the copy that they are of.

use booking_core::testing::fixtures::{hour, now, text, therapist};
use booking_core::{CopyFault, Fetched, UnreadEvent, UnreadEvents, UnreadPart};
use chrono::TimeDelta;

use super::{Practice, fault, jane, new, texts};

#[tokio::test]
async fn what_could_not_be_read_is_told_as_long_as_its_copy_counts() {
    let practice = Practice::open().await;
    let Practice { world, links, .. } = &practice;
    world.open(&therapist()).await;
    links.add(&jane(), new(links)).await.expect("there is room");
    let event = |uid: &str, lines: &str| {
        format!("BEGIN:VEVENT\r\nUID:{uid}\r\n{lines}\r\nDURATION:PT1H\r\nEND:VEVENT\r\n")
    };
    let file =
        |events: &[String]| format!("BEGIN:VCALENDAR\r\n{}END:VCALENDAR\r\n", events.concat());
    let good = event("good", "DTSTART:20240115T100000Z");
    let mut odd = vec![
        good.clone(),
        event(&"u".repeat(200), "DTSTART:soon"),
        event("\u{1}\u{1f600}\tb", "DTSTART:20240115T110000Z\r\nRRULE:FREQ=NEVER"),
        event("zone", "DTSTART;TZID=Mars:20240115T120000"),
    ];
    odd.extend((0..40).map(|n| event(&format!("dates {n}"), "DTSTART:20240117\r\nEXDATE:x")));
    let files = vec![file(&odd), "<p>".to_owned()];
    let part = |uid: &str, part| UnreadEvent { uid: text(uid), part };
    let expected = UnreadEvents {
        count: 44,
        first: vec![
            part(&"u".repeat(80), UnreadPart::Start),
            part("\u{1f600}b", UnreadPart::Rule),
            part("dates 0", UnreadPart::Dates),
            part("dates 1", UnreadPart::Dates),
            part("dates 10", UnreadPart::Dates),
        ],
    };
    let copy = async || practice.link().await.copy;
    assert!(practice.pass(now(), Ok(texts(files, "one"))).await);
    assert_eq!(copy().await.unread, expected);
    assert_eq!(copy().await.fault, None);
    // What could be read of them counts.
    for start in [hour(10), hour(11), hour(12)] {
        assert!(!practice.is_free(start).await, "{start}");
    }

    // The copy is the same, and so is what is missing in it, also while there is no other.
    assert!(practice.pass(copy().await.next_at, Ok(Fetched::Unchanged)).await);
    assert_eq!(copy().await.unread, expected);
    assert!(practice.pass(copy().await.next_at, fault(CopyFault::Status)).await);
    assert_eq!(copy().await.unread, expected);
    assert!(copy().await.fault.is_some());

    let later = copy().await.next_at + TimeDelta::hours(1);
    assert!(practice.pass(later, Ok(texts(vec![file(&[good])], "two"))).await);
    assert_eq!(copy().await.unread, UnreadEvents::default());
}
