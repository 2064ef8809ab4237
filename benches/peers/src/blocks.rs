//! chrono-slots: what a span has left between blocks. It knows neither weekly hours nor a grid, so it
//! gets the windows as instants, and its free time is cut into starts by hand.

use booking_benches::{WEEKDAYS, WINDOWS, dates};
use booking_core::{Span as OurSpan, SpanSet};
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_slots::{Block, Input, Output, Period, PeriodError, Slot, Span, find};
use chrono_tz_of_slots::{America::New_York, Tz};

use crate::{Minutes, Start, longest};

/// Windows and meetings in its types.
pub(crate) struct Blocks {
    windows: Vec<Span>,
    /// Earliest first; each lies in a window.
    meetings: Vec<Meeting>,
}

#[derive(Clone, Copy)]
struct Meeting {
    start: DateTime<Tz>,
    end: DateTime<Tz>,
}

/// What is left of a window.
pub(crate) struct Free {
    start: DateTime<Tz>,
    end: DateTime<Tz>,
}

impl Blocks {
    pub(crate) fn new(windows: &SpanSet, meetings: &[OurSpan]) -> Self {
        let local = |instant: DateTime<Utc>| instant.with_timezone(&New_York);
        let span = |window: OurSpan| Span::new(local(window.start()), local(window.end()));
        let meeting =
            |span: &OurSpan| Meeting { start: local(span.start()), end: local(span.end()) };
        let windows: Result<_, _> = windows.iter().map(span).collect();
        Self {
            windows: windows.expect("windows are not empty"),
            meetings: meetings.iter().map(meeting).collect(),
        }
    }

    pub(crate) fn windows(&self) -> &[Span] {
        &self.windows
    }

    /// One call a window, each with its meetings alone: with all of them in one call, and closed hours
    /// as blocks, it has more to do.
    pub(crate) fn free(&self, windows: &[Span]) -> Vec<Free> {
        let mut free = Vec::new();
        let mut rest = self.meetings.as_slice();
        for window in windows {
            let of_window = rest.iter().take_while(|meeting| meeting.start < window.end()).count();
            let (meetings, later) = rest.split_at(of_window);
            free.extend(
                find::<_, Free>(window.clone(), meetings.to_vec()).expect("no empty block"),
            );
            rest = later;
        }
        free
    }

    /// Meetings begin on the grid and last for hours, so that free time begins on it too.
    pub(crate) fn starts(&self, windows: &[Span]) -> Vec<Start> {
        let mut starts = Vec::new();
        for (from, until) in self.free(windows).iter().map(Free::minutes) {
            starts.extend((from..until).step_by(30).filter_map(|start| longest(start, until)));
        }
        starts
    }
}

/// The windows of so many days, each edge looked up by itself.
pub(crate) fn windows(days: u64) -> Vec<Span> {
    let local = |date: NaiveDate, minutes: u16| {
        let wall = date.and_time(NaiveTime::MIN) + TimeDelta::minutes(minutes.into());
        New_York.from_local_datetime(&wall).single().expect("no clocks change at work")
    };
    let of_date = |date: NaiveDate| {
        let span = move |(from, until)| Span::new(local(date, from), local(date, until));
        WINDOWS.map(|window| span(window).expect("windows are not empty"))
    };
    dates(days).filter(|date| WEEKDAYS.contains(&date.weekday())).flat_map(of_date).collect()
}

impl Free {
    pub(crate) fn minutes(&self) -> Minutes {
        (self.start.timestamp() / 60, self.end.timestamp() / 60)
    }
}

impl Period for Meeting {
    fn start(&self) -> DateTime<Tz> {
        self.start
    }

    fn end(&self) -> DateTime<Tz> {
        self.end
    }
}

impl Input for Meeting {
    fn to_block(&self) -> Result<Block, PeriodError> {
        Block::new(self.start, self.end)
    }
}

impl Period for Free {
    fn start(&self) -> DateTime<Tz> {
        self.start
    }

    fn end(&self) -> DateTime<Tz> {
        self.end
    }
}

impl Output for Free {
    fn create_from_slot(slot: Slot) -> Self {
        Self { start: slot.start(), end: slot.end() }
    }
}
