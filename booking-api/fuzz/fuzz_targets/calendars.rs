//! Calendars from elsewhere: whatever one says, its busy times are a set within the window, and those
//! of the calendar before it in the file stay busy.

#![no_main]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use booking_core::{Span, external_times};
use chrono_tz::Tz;
use libfuzzer_sys::fuzz_target;

static WINDOW: LazyLock<Span> = LazyLock::new(|| {
    let day = |text: &str| text.parse().expect("an instant");
    Span::new(day("2024-03-01T00:00:00Z"), day("2024-06-01T00:00:00Z")).expect("not empty")
});

const GOOD: &[u8] = b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20240402T080000Z\nDURATION:PT1H\n\
    RRULE:FREQ=WEEKLY;COUNT=4\nEND:VEVENT\nEND:VCALENDAR\n";

fuzz_target!(|lines: &[u8]| {
    let ours = BTreeSet::new();
    let file = [GOOD, b"BEGIN:VCALENDAR\n", lines, b"\nEND:VCALENDAR\n"].concat();
    let Ok(times) = external_times(&file, *WINDOW, Tz::Europe__London, &ours) else { return };
    let busy = times.busy.as_slice();
    assert!(busy.iter().all(|span| WINDOW.encloses(*span)));
    assert!(busy.windows(2).all(|pair| pair[0].end() < pair[1].start()));
    assert!(times.unclear.len() <= times.unclear_count);
    let good = external_times(GOOD, *WINDOW, Tz::Europe__London, &ours).expect("a good calendar");
    assert!(good.busy.iter().all(|span| times.busy.encloses(span)));
});
