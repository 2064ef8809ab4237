//! One VEVENT, read: when it is, how long, and what it says of a series.

use super::Unclear;
use super::lines::Line;
use super::rule::{Rule, RuleError};
use super::tree::Component;
use super::values::{Duration, Written};
use super::zones::{Zone, Zones};
use crate::zone::DAY;

/// Rules of an event: the standard would have one.
const MAX_RULES: usize = 8;

/// A date, or a second, on the wall clock of a zone.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    /// Of the wall clock, as if it were that of UTC; a date is its midnight.
    pub(super) civil: i64,
    pub(super) is_date: bool,
    pub(super) zone: Zone,
}

/// How long each instance of an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// From DTSTART to DTEND: so much passes in the first instance, and the wall clock moves so far.
    /// Programs differ in which of them the others have, where clocks change: the later end counts.
    Until { passes: i64, wall: i64 },
    /// As DURATION says.
    Lasts(Duration),
}

/// A VEVENT.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) uid: Option<String>,
    /// Whether it has to do with others of its UID. What it replaces may be what cannot be read of it:
    /// then it must not pass for the series.
    pub(super) is_alone: bool,
    pub(super) sequence: i64,
    pub(super) is_busy: bool,
    pub(super) start: Moment,
    pub(super) length: Length,
    pub(super) rules: Vec<Rule>,
    /// RDATE, where a period has a length of its own.
    pub(super) more: Vec<(Moment, Length)>,
    pub(super) except: Vec<Moment>,
    pub(super) replaces: Option<Replaced>,
    /// What could not be read of it; what could stands.
    pub(super) unclear: Option<Unclear>,
}

/// RECURRENCE-ID.
#[derive(Debug)]
pub(super) struct Replaced {
    pub(super) original: Moment,
    pub(super) and_following: bool,
}

impl Moment {
    pub(super) fn instant(&self) -> i64 {
        self.zone.instant(self.civil)
    }

    /// Of a series of dates in a zone, the one that it names, in days from 1970-01-01. Programs write
    /// dates as midnights, mostly of UTC, wherever they are.
    pub(super) fn day_in(&self, zone: &Zone) -> i64 {
        let is_date = self.is_date || self.civil.rem_euclid(DAY) == 0;
        let civil = if is_date { self.civil } else { zone.civil(self.instant()) };
        civil.div_euclid(DAY)
    }
}

impl Length {
    const DAY: Self = Self::Lasts(Duration { days: 1, seconds: 0 });
    const NONE: Self = Self::Lasts(Duration { days: 0, seconds: 0 });

    fn between(start: &Moment, end: &Moment) -> Self {
        if start.is_date && end.is_date {
            return Self::Lasts(Duration { days: (end.civil - start.civil) / DAY, seconds: 0 });
        }
        let (first, last) = (start.instant(), end.instant());
        Self::Until { passes: last - first, wall: start.zone.civil(last) - start.civil }
    }

    /// When an instance that begins at `civil` ends.
    pub(super) fn end(self, zone: &Zone, civil: i64) -> i64 {
        match self {
            Self::Until { passes, wall } => {
                zone.instant(civil + wall).max(zone.instant(civil) + passes)
            }
            Self::Lasts(Duration { days, seconds }) => zone.instant(civil + days * DAY) + seconds,
        }
    }

    /// No instance is longer.
    pub(super) fn most(self) -> i64 {
        match self {
            Self::Until { passes, wall } => passes.max(wall) + DAY,
            Self::Lasts(Duration { days, seconds }) => (days + 1) * DAY + seconds,
        }
    }

    fn sign(self) -> i64 {
        match self {
            Self::Until { passes, wall } => passes.max(wall).signum(),
            Self::Lasts(Duration { days, seconds }) => (days * DAY + seconds).signum(),
        }
    }
}

impl Event {
    /// The event, as far as it can be read.
    ///
    /// # Errors
    /// What is wrong with one of which nothing can be: it has no start.
    pub(super) fn read(component: &Component, zones: &Zones) -> Result<Self, (Unclear, String)> {
        let uid = component.line("UID").map(|line| line.value.trim().to_owned());
        let name = || uid.clone().unwrap_or_default();
        let mut reader = Reader { zones, unclear: None };
        let start = component.line("DTSTART").ok_or_else(|| (Unclear::Start, name()))?;
        let start = reader.moment_of(start).ok_or_else(|| (Unclear::Start, name()))?;
        let length = reader.length(component, &start);
        let says =
            |name: &str, word: &str| component.line(name).is_some_and(|line| line.word() == word);
        let sequence = component.line("SEQUENCE").and_then(|line| line.value.trim().parse().ok());
        let is_busy = !says("STATUS", "CANCELLED") && !says("TRANSP", "TRANSPARENT");
        let rules = reader.rules(component);
        let more = reader.more(component, length);
        let except = reader.except(component);
        let replaces = reader.replaces(component);
        let is_alone = uid.as_ref().is_none_or(String::is_empty)
            || replaces.is_none() && component.line("RECURRENCE-ID").is_some();
        Ok(Self {
            is_alone,
            sequence: sequence.unwrap_or_default(),
            is_busy,
            rules,
            more,
            except,
            replaces,
            unclear: reader.unclear,
            uid,
            start,
            length,
        })
    }
}

/// The zone of a line's local times.
enum LineZone {
    Own,
    Named(Zone),
    Unknown,
}

/// Reads on after what it cannot read, and remembers the first.
struct Reader<'a> {
    zones: &'a Zones,
    unclear: Option<Unclear>,
}

impl Reader<'_> {
    fn note(&mut self, unclear: Unclear) {
        self.unclear.get_or_insert(unclear);
    }

    /// What the TZID of a line means: looked up once, however many values it has.
    fn zone_of(&self, line: &Line) -> LineZone {
        match line.parameter("TZID").map(|id| self.zones.get(id)) {
            Some(Some(zone)) => LineZone::Named(zone),
            Some(None) => LineZone::Unknown,
            None => LineZone::Own,
        }
    }

    /// The moment of a line that has one.
    fn moment_of(&mut self, line: &Line) -> Option<Moment> {
        let zone = self.zone_of(line);
        self.moment(&line.value, &zone)
    }

    /// A zone that nobody knows is taken to be the calendar's own.
    fn moment(&mut self, text: &str, zone: &LineZone) -> Option<Moment> {
        let own = || self.zones.own.clone();
        Some(match Written::parse(text)? {
            Written::Date(day) => Moment { civil: day * DAY, is_date: true, zone: own() },
            Written::Utc(civil) => Moment { civil, is_date: false, zone: self.zones.utc().clone() },
            Written::Local(civil) => {
                let zone = match zone {
                    LineZone::Named(zone) => zone.clone(),
                    LineZone::Unknown => {
                        let own = own();
                        self.note(Unclear::Zone);
                        own
                    }
                    LineZone::Own => own(),
                };
                Moment { civil, is_date: false, zone }
            }
        })
    }

    fn length(&mut self, component: &Component, start: &Moment) -> Length {
        let (least, none) =
            if start.is_date { (Length::DAY, Length::DAY) } else { (Length::NONE, Length::NONE) };
        let length = if let Some(end) = component.line("DTEND") {
            self.moment_of(end).map(|end| Length::between(start, &end))
        } else if let Some(line) = component.line("DURATION") {
            Duration::parse(&line.value).map(Length::Lasts)
        } else {
            return none;
        };
        match length {
            Some(length) if length.sign() > 0 => length,
            // A date that ends on itself is the day, to those who write it.
            Some(length) if length.sign() == 0 => least,
            _ => {
                self.note(Unclear::End);
                least
            }
        }
    }

    fn rules(&mut self, component: &Component) -> Vec<Rule> {
        let mut rules = Vec::new();
        for line in component.all("RRULE") {
            if rules.len() == MAX_RULES {
                self.note(Unclear::TooDense);
                break;
            }
            match Rule::parse(&line.value) {
                Ok(rule) => rules.push(rule),
                Err(RuleError::Unreadable) => self.note(Unclear::Rule),
                Err(RuleError::TooDense) => self.note(Unclear::TooDense),
            }
        }
        rules
    }

    fn more(&mut self, component: &Component, length: Length) -> Vec<(Moment, Length)> {
        let mut more = Vec::new();
        for line in component.all("RDATE") {
            let zone = self.zone_of(line);
            for text in line.value.split(',') {
                let (start, end) = match text.split_once('/') {
                    Some((start, end)) => (start, Some(end)),
                    None => (text, None),
                };
                let Some(start) = self.moment(start, &zone) else {
                    self.note(Unclear::Dates);
                    continue;
                };
                let own = end.map(|end| self.period(&start, end, &zone));
                if own == Some(None) {
                    self.note(Unclear::Dates);
                }
                let length = own.flatten().unwrap_or(length);
                more.push((start, length));
            }
        }
        more
    }

    /// The end of a period: an instant or a duration.
    fn period(&mut self, start: &Moment, end: &str, zone: &LineZone) -> Option<Length> {
        let length = match Duration::parse(end) {
            Some(duration) => Length::Lasts(duration),
            None => Length::between(start, &self.moment(end, zone)?),
        };
        (length.sign() > 0).then_some(length)
    }

    fn except(&mut self, component: &Component) -> Vec<Moment> {
        let mut except = Vec::new();
        for line in component.all("EXDATE") {
            let zone = self.zone_of(line);
            for text in line.value.split(',') {
                match self.moment(text, &zone) {
                    Some(moment) => except.push(moment),
                    None => self.note(Unclear::Dates),
                }
            }
        }
        except
    }

    fn replaces(&mut self, component: &Component) -> Option<Replaced> {
        let line = component.line("RECURRENCE-ID")?;
        let and_following =
            line.parameter("RANGE").is_some_and(|r| r.eq_ignore_ascii_case("THISANDFUTURE"));
        match self.moment_of(line) {
            Some(original) => Some(Replaced { original, and_following }),
            None => {
                self.note(Unclear::Dates);
                None
            }
        }
    }
}

/// The period of a FREEBUSY line, in seconds.
pub(super) fn free_busy_period(text: &str, zones: &Zones) -> Option<(i64, i64)> {
    let (start, end) = text.split_once('/')?;
    let mut reader = Reader { zones, unclear: None };
    let start = reader.moment(start, &LineZone::Own)?;
    let length = reader.period(&start, end, &LineZone::Own)?;
    Some((start.instant(), length.end(&start.zone, start.civil)))
}
