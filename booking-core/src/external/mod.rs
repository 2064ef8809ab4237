//! When a calendar from elsewhere says that somebody is busy: iCalendar (RFC 5545) in, spans out.
//!
//! The file is whoever's: everything in it is bounded, nothing is believed, and what is in doubt is
//! taken for busy.

mod event;
mod lines;
mod rule;
mod series;
mod tree;
mod values;
mod zones;

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;

use self::event::{Event, free_busy_period};
use self::rule::Budget;
use self::series::{Search, Series};
use self::tree::{Component, Components};
use self::zones::{Described, Zones};
use crate::ical::meeting_named;
use crate::id::MeetingId;
use crate::span::{Span, SpanSet};
use crate::zone::{DAY, Seconds};

/// Bytes of a file.
const MAX_BYTES: usize = 5 * 1_024 * 1_024;
/// Components of a file, of whatever kind.
const MAX_COMPONENTS: usize = 20_000;
/// Components within each other; the format has three at most.
const MAX_DEPTH: usize = 8;
/// Instances within the window.
const MAX_INSTANCES: usize = 100_000;
/// Events that are named as unclear; of others it is known that there are some.
const MAX_UNCLEAR: usize = 20;
/// Characters of an event's UID that are told.
const UID_SHOWN: usize = 80;

/// What a file says of a window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExternalTimes {
    /// When somebody is busy, to the second.
    pub busy: SpanSet,
    /// The first events that could not be read in full. What could be read of them is busy too.
    pub unclear: Vec<UnclearEvent>,
    /// How many there are.
    pub unclear_count: usize,
}

/// An event that could not be read in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnclearEvent {
    /// What it is called between programs, as far as it can be shown; empty if it has no UID.
    pub uid: String,
    /// What could not be read.
    pub what: Unclear,
}

/// What could not be read of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// It has no start, or one that is none: nothing of it is busy.
    #[error("its start (DTSTART) cannot be read")]
    Start,
    /// It ends before it begins, or at no time; without an end it is a day, or nothing.
    #[error("its end (DTEND or DURATION) cannot be read")]
    End,
    /// Nobody knows its zone; it is taken for the calendar's.
    #[error("its time zone (TZID) is not known")]
    Zone,
    /// Only its first instance is busy, and those that are listed.
    #[error("its recurrence rule (RRULE) cannot be read")]
    Rule,
    /// It recurs more often than can be followed; only its first instance is busy.
    #[error("it recurs too often")]
    TooDense,
    /// An RDATE, EXDATE or RECURRENCE-ID is none; it is passed over.
    #[error("one of its dates (RDATE, EXDATE or RECURRENCE-ID) cannot be read")]
    Dates,
    /// It came in a file of its own, which cannot be taken apart.
    #[error("its file cannot be taken apart")]
    File,
}

/// Why nothing can be said of a file; whoever has an earlier copy does well to keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableCalendar {
    /// Not iCalendar at all.
    #[error("this is not an iCalendar file")]
    NotACalendar,
    /// It ends within a component.
    #[error("the file is cut short")]
    CutShort,
    /// A component ends that has not begun.
    #[error("BEGIN and END do not match")]
    Unbalanced,
    /// More than 5 MiB.
    #[error("the file is longer than {} MiB", MAX_BYTES / 1_024 / 1_024)]
    TooLong,
    /// More than 20,000 components.
    #[error("the file has more than {MAX_COMPONENTS} components")]
    TooManyComponents,
    /// Components within components within components.
    #[error("components are nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// More than can be worked out.
    #[error("the events recur too often to be followed")]
    TooMuch,
}

/// When the calendar in `file` is busy within `window`, where dates and times without a zone are those
/// of `zone`.
///
/// Meetings of `ours` that [`ical`](crate::ical) has written are left out: they keep their time by
/// themselves. Those of another installation look the same, and are busy.
///
/// Opaque events are busy, tentative ones too; cancelled and transparent ones are not, and of VFREEBUSY
/// what is not FREE is. Where readings of the standard differ, the one counts by which more is busy.
///
/// ```
/// use std::collections::BTreeSet;
///
/// use booking_core::{Span, external_times};
/// use chrono_tz::Europe::Berlin;
///
/// let file = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20240923\r\n\
///             RRULE:FREQ=WEEKLY;COUNT=4\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
/// let window = Span::new("2024-09-01T00:00:00Z".parse()?, "2025-01-01T00:00:00Z".parse()?).unwrap();
///
/// let times = external_times(file.as_bytes(), window, Berlin, &BTreeSet::new())?;
/// let days: Vec<String> = times.busy.iter().map(|day| day.start().to_rfc3339()).collect();
/// assert_eq!(days.len(), 4);
/// assert_eq!(days[0], "2024-09-22T22:00:00+00:00");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`UnreadableCalendar`], if not even its events can be told apart, or if it is too much. An event that
/// cannot be read is no reason: it is named, and the others count.
pub fn external_times(
    file: &[u8],
    window: Span,
    zone: Tz,
    ours: &BTreeSet<MeetingId>,
) -> Result<ExternalTimes, UnreadableCalendar> {
    let mut reading = Reading::of(window, zone, ours);
    reading.add(file)?;
    Ok(reading.end())
}

/// The same of a calendar that comes in several files, as CalDAV has one for each event. The bounds hold
/// for all of them together. A file that cannot be taken apart is an event that cannot be read; but one
/// that is cut short was not received whole, and its times are not free for that.
///
/// # Errors
/// [`UnreadableCalendar`], if one of the files is cut short, if none of them can be taken apart, or if it
/// is too much.
pub fn external_times_of<'a>(
    files: impl IntoIterator<Item = &'a [u8]>,
    window: Span,
    zone: Tz,
    ours: &BTreeSet<MeetingId>,
) -> Result<ExternalTimes, UnreadableCalendar> {
    use UnreadableCalendar::{CutShort, TooLong, TooMuch};
    let mut reading = Reading::of(window, zone, ours);
    let (mut bytes, mut is_readable, mut unreadable) = (0, false, None);
    for file in files {
        bytes += file.len();
        if bytes > MAX_BYTES {
            return Err(TooLong);
        }
        match reading.add(file) {
            Ok(()) => is_readable = true,
            Err(error @ (CutShort | TooMuch)) => return Err(error),
            Err(error) => {
                reading.times.note("", Unclear::File);
                unreadable.get_or_insert(error);
            }
        }
    }
    unreadable.filter(|_| !is_readable).map_or_else(|| Ok(reading.end()), Err)
}

/// What was found in the files so far.
struct Reading<'a> {
    window: Seconds,
    zone: Tz,
    ours: &'a BTreeSet<MeetingId>,
    budget: Budget,
    described: Described,
    busy: Vec<Seconds>,
    times: ExternalTimes,
}

impl<'a> Reading<'a> {
    fn of(window: Span, zone: Tz, ours: &'a BTreeSet<MeetingId>) -> Self {
        let window = Seconds::around(window);
        let (budget, times) = (Budget::new(), ExternalTimes::default());
        let described = Described::until(window.end + 2 * 366 * DAY);
        Self { window, zone, ours, budget, described, busy: Vec::new(), times }
    }

    fn add(&mut self, file: &[u8]) -> Result<(), UnreadableCalendar> {
        let Self { window, zone, ours, budget, described, busy, times } = self;
        let components = Components::parse(file)?;
        let zones = Zones::new(*zone, &components.zones, described, budget);
        let mut events = Vec::new();
        for component in components.events.iter().filter(|event| !is_one_of(ours, event)) {
            match Event::read(component, &zones) {
                Ok(event) => events.push(event),
                Err((what, uid)) => times.note(&uid, what),
            }
        }
        let mut search = Search { window: *window, budget, busy };
        for series in by_uid(&events) {
            series.search(&mut search, &mut |event, what| {
                times.note(event.uid.as_deref().unwrap_or_default(), what);
            })?;
        }
        for component in &components.free_busy {
            for line in component.all("FREEBUSY") {
                if line.parameter("FBTYPE").is_some_and(|kind| kind.eq_ignore_ascii_case("FREE")) {
                    continue;
                }
                for text in line.value.split(',') {
                    match free_busy_period(text, &zones) {
                        Some((start, end)) => search.add_seconds(Seconds { start, end })?,
                        None => times.note("", Unclear::Dates),
                    }
                }
            }
        }
        Ok(())
    }

    fn end(self) -> ExternalTimes {
        let busy = self.busy.into_iter().filter_map(Seconds::to_span).collect();
        ExternalTimes { busy, ..self.times }
    }
}

impl ExternalTimes {
    fn note(&mut self, uid: &str, what: Unclear) {
        self.unclear_count += 1;
        if self.unclear.len() < MAX_UNCLEAR {
            let uid = uid.chars().filter(|c| !c.is_control()).take(UID_SHOWN).collect();
            self.unclear.push(UnclearEvent { uid, what });
        }
    }
}

/// Whether it is a meeting that went out from here, and came back by way of a feed or of another
/// program. The meeting itself keeps its time; its copy may be of before it moved.
fn is_one_of(ours: &BTreeSet<MeetingId>, event: &Component) -> bool {
    let named = event.line("UID").and_then(|line| meeting_named(line.value.trim()));
    named.is_some_and(|id| ours.contains(&id))
}

fn by_uid(events: &[Event]) -> Vec<Series<'_>> {
    let mut named: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    let mut series = Vec::new();
    for event in events {
        match &event.uid {
            Some(uid) if !event.is_alone => named.entry(uid).or_default().push(event),
            _ => series.push(Series::new(&[event])),
        }
    }
    series.extend(named.values().map(|events| Series::new(events)));
    series
}
