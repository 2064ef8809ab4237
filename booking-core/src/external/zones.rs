//! What a TZID means, and wall clocks as instants (RFC 5545, 3.3.5 and 3.6.5).

use std::collections::HashMap;
use std::rc::Rc;

use chrono_tz::Tz;
use windows_timezones::WindowsTimezone;

use super::event::Moment;
use super::rule::{Budget, Rule};
use super::tree::{Component, ZoneComponent};
use super::values::{Written, offset};
use crate::zone::{Clocks, DAY, Seconds, Shown, Stretch};

/// A wall clock.
#[derive(Debug, Clone)]
pub(super) enum Zone {
    Known(Tz),
    /// One that the file describes, and nobody else knows: its stretches, earliest first.
    Described(Rc<[Stretch]>),
}

/// No zone of the world changes its clocks so often within the years that are looked at.
const MAX_CHANGES: usize = 4_000;
/// Nor so often within [`NEAR`] twice over. Whoever asks for a clock looks at all that are so near.
const MAX_CHANGES_NEAR: usize = 8;
/// Wall clocks differ by less from each other.
const NEAR: i64 = 2 * DAY;
/// Bytes of a name; a longer one is nobody's.
const LONGEST_ID: usize = 255;
/// Parts between slashes of a name of IANA.
const MOST_PARTS: usize = 3;

impl Zone {
    /// One whose clocks are never changed.
    pub(super) fn fixed(offset: i64) -> Self {
        let always = Seconds { start: i64::MIN, end: i64::MAX };
        Self::Described([Stretch { seconds: always, offset }].into())
    }

    /// The second at which the wall shows `civil`: the first, where it does so twice. What it skips is
    /// read by the clock before, as the standard has it.
    pub(super) fn instant(&self, civil: i64) -> i64 {
        let (Shown::At(second) | Shown::Skipped(second)) = self.shown(civil);
        second
    }

    /// Whether the wall never shows it.
    pub(super) fn skips(&self, civil: i64) -> bool {
        matches!(self.shown(civil), Shown::Skipped(_))
    }

    fn shown(&self, civil: i64) -> Shown {
        match self {
            Self::Known(zone) => first_shown(&Clocks::near(*zone, civil).stretches(), civil),
            Self::Described(stretches) => {
                let near = stretches.partition_point(|s| s.seconds.end < civil - NEAR);
                let far = stretches.partition_point(|s| s.seconds.start <= civil + NEAR);
                first_shown(&stretches[near..far], civil)
            }
        }
    }

    /// What the wall shows.
    pub(super) fn civil(&self, second: i64) -> i64 {
        let offset = match self {
            Self::Known(zone) => Clocks::near(*zone, second).at(second).offset,
            Self::Described(stretches) => {
                let at = stretches.partition_point(|s| s.seconds.end <= second);
                stretches.get(at).map_or(0, |stretch| stretch.offset)
            }
        };
        second + offset
    }
}

/// Among neighbouring stretches, which have the one at which the wall shows `civil`.
fn first_shown(stretches: &[Stretch], civil: i64) -> Shown {
    let at = |stretch: &Stretch| civil - stretch.offset;
    if let Some(stretch) = stretches.iter().find(|stretch| stretch.seconds.contains(at(stretch))) {
        return Shown::At(at(stretch));
    }
    let before = stretches.iter().rev().find(|stretch| stretch.seconds.end <= at(stretch));
    Shown::Skipped(before.map_or(civil, at))
}

/// Zones that files describe, by all that they say of them: on servers each event is a file of its own,
/// and brings along the zone that it is in.
#[derive(Debug)]
pub(super) struct Described {
    /// Until when they are looked at.
    last: i64,
    seen: HashMap<Vec<Component>, Option<Zone>>,
}

impl Described {
    pub(super) fn until(last: i64) -> Self {
        Self { last, seen: HashMap::new() }
    }

    fn zone(&mut self, observances: &Vec<Component>, budget: &mut Budget) -> Option<Zone> {
        if let Some(zone) = self.seen.get(observances) {
            return zone.clone();
        }
        let zone = described(observances, self.last, budget);
        self.seen.insert(observances.clone(), zone.clone());
        zone
    }
}

/// The zones of a file.
#[derive(Debug)]
pub(super) struct Zones {
    /// For dates, and times without a zone.
    pub(super) own: Zone,
    utc: Zone,
    named: HashMap<String, Zone>,
}

impl Zones {
    /// A name that is known is believed before the rules that come with it: those are often cut short,
    /// or of the year in which a program was made.
    pub(super) fn new(
        own: Tz,
        components: &[ZoneComponent],
        described: &mut Described,
        budget: &mut Budget,
    ) -> Self {
        let mut named = HashMap::new();
        for component in components {
            let Some(id) = component.own.line("TZID").and_then(|line| plain(&line.value)) else {
                continue;
            };
            let says = |name| known(component.own.line(name)?.value.trim());
            let zone = known(&id)
                .or_else(|| says("TZID-ALIAS-OF"))
                .or_else(|| says("X-LIC-LOCATION"))
                .map(Zone::Known)
                .or_else(|| described.zone(&component.observances, budget));
            if let Some(zone) = zone {
                named.entry(id).or_insert(zone);
            }
        }
        Self { own: Zone::Known(own), utc: Zone::Known(Tz::UTC), named }
    }

    pub(super) const fn utc(&self) -> &Zone {
        &self.utc
    }

    pub(super) fn get(&self, id: &str) -> Option<Zone> {
        let id = plain(id)?;
        let of_its_name = || known(&id).map(Zone::Known).or_else(|| Some(Zone::fixed(ahead(&id)?)));
        self.named.get(&id).cloned().or_else(of_its_name)
    }
}

/// A name as it is meant: that of a VTIMEZONE is text, with `\\,` for a comma, and some programs write it
/// so wherever they name it. `None` for one that is too long.
fn plain(id: &str) -> Option<String> {
    let id = id.trim();
    if id.len() > LONGEST_ID {
        return None;
    }
    let mut plain = String::with_capacity(id.len());
    let mut rest = id.chars();
    while let Some(c) = rest.next() {
        let escaped =
            Some(rest.as_str()).filter(|after| c == '\\' && after.starts_with([',', ';', '\\']));
        plain.push(if escaped.is_some() { rest.next().unwrap_or(c) } else { c });
    }
    Some(plain)
}

/// A name of IANA, one with something before it (`/mozilla.org/20070129_1/Europe/Berlin`), or one of
/// Windows.
fn known(name: &str) -> Option<Tz> {
    if name.len() > LONGEST_ID {
        return None;
    }
    if let Ok(zone) = name.parse() {
        return Some(zone);
    }
    if name.starts_with('/') {
        let ends = name.rmatch_indices('/').take(MOST_PARTS);
        // The longest that is one.
        return ends.filter_map(|(slash, _)| name[slash + 1..].parse().ok()).last();
    }
    if name.eq_ignore_ascii_case("tzone://Microsoft/Utc") {
        return Some(Tz::UTC);
    }
    name.parse::<WindowsTimezone>().ok()?.tzdb_id().parse().ok()
}

/// `GMT+05:30`, `UTC-03:00` or `+03:00`, which need no rules to be understood. Only with a colon: IANA's
/// `Etc/GMT+5` is five hours behind.
fn ahead(name: &str) -> Option<i64> {
    let clock = name.strip_prefix("GMT").or_else(|| name.strip_prefix("UTC")).unwrap_or(name);
    let (hours, minutes) = clock.split_once(':')?;
    let is_one = (2..=3).contains(&hours.len()) && minutes.len() == 2;
    let (sign, hours) = hours.split_at_checked(1).filter(|_| is_one)?;
    offset(&format!("{sign}{hours:0>2}{minutes}"))
}

/// A zone as its STANDARD and DAYLIGHT have it; `None` if one of them cannot be read.
fn described(observances: &[Component], last: i64, budget: &mut Budget) -> Option<Zone> {
    let mut changes: Vec<(i64, i64, i64)> = Vec::new();
    for observance in observances {
        let offset = |name| offset(&observance.line(name)?.value);
        let (from, to) = (offset("TZOFFSETFROM")?, offset("TZOFFSETTO")?);
        for civil in onsets(observance, from, last, budget)? {
            changes.push((civil - from, from, to));
        }
        if changes.len() > MAX_CHANGES {
            return None;
        }
    }
    changes.sort_unstable();
    changes.dedup();
    let are_many = |near: &[(i64, i64, i64)]| {
        near.first().zip(near.last()).is_some_and(|(first, last)| last.0 - first.0 <= 2 * NEAR)
    };
    if changes.windows(MAX_CHANGES_NEAR).any(are_many) {
        return None;
    }
    let (_, before, _) = *changes.first()?;
    let mut stretches =
        vec![Stretch { seconds: Seconds { start: i64::MIN, end: i64::MAX }, offset: before }];
    for (second, _, offset) in changes {
        if let Some(stretch) = stretches.last_mut() {
            stretch.seconds.end = second;
        }
        stretches.push(Stretch { seconds: Seconds { start: second, end: i64::MAX }, offset });
    }
    Some(Zone::Described(stretches.into()))
}

/// When the wall clock, by the offset it then still has, shows that it changes.
fn onsets(observance: &Component, from: i64, last: i64, budget: &mut Budget) -> Option<Vec<i64>> {
    let local = |text: &str| match Written::parse(text)? {
        Written::Local(second) => Some(second),
        Written::Utc(second) => Some(second + from),
        Written::Date(_) => None,
    };
    let start = local(&observance.line("DTSTART")?.value)?;
    let first = Moment { civil: start, is_date: false, zone: Zone::fixed(from) };
    let mut onsets = vec![start];
    for rule in observance.all("RRULE") {
        let rule = Rule::parse(&rule.value).ok()?;
        onsets.extend(rule.expand(&first, (start, last), budget).ok()?);
    }
    for dates in observance.all("RDATE") {
        for date in dates.value.split(',') {
            onsets.push(local(date)?);
        }
    }
    onsets.sort_unstable();
    onsets.dedup();
    Some(onsets)
}
