//! The events of one UID: a series, what replaces some of it, and what is left out.

use std::collections::{BTreeMap, HashSet};

use super::event::{Event, Length, Moment};
use super::rule::{Budget, RuleError};
use super::zones::Zone;
use super::{MAX_INSTANCES, Unclear, UnreadableCalendar};
use crate::zone::{DAY, Seconds};

/// What is looked for, and what was found so far.
pub(super) struct Search<'a> {
    pub(super) window: Seconds,
    pub(super) budget: &'a mut Budget,
    pub(super) busy: &'a mut Vec<Seconds>,
}

/// The events of one UID.
pub(super) struct Series<'a> {
    masters: Vec<&'a Event>,
    replacements: Vec<&'a Event>,
}

/// Instances that are not where their series has them.
#[derive(Default)]
struct Left {
    instants: HashSet<i64>,
    /// Of the series' own wall clock: an EXDATE that is a date is all of it.
    days: HashSet<i64>,
    /// EXDATEs of a series of times that are midnights.
    midnights: Vec<Midnight>,
}

/// An instant that is a midnight somewhere, or a date.
struct Midnight {
    instant: i64,
    /// The date that begins there.
    day: i64,
    /// The date that the clocks of the series show then.
    shown: i64,
}

impl Left {
    /// What an EXDATE leaves out.
    fn except(&mut self, moment: &Moment, series: &Moment) {
        let is_midnight = !moment.is_date && moment.civil.rem_euclid(DAY) == 0;
        if is_midnight && !series.is_date {
            let instant = moment.instant();
            let [day, shown] = [moment.civil, series.zone.civil(instant)];
            let [day, shown] = [day, shown].map(|civil| civil.div_euclid(DAY));
            self.midnights.push(Midnight { instant, day, shown });
        } else {
            self.add(moment, series);
        }
    }

    /// Programs (Exchange is one) also write a date as its midnight: that is meant where no instance of
    /// the series is then. One of the date that the clocks of the series show may be what was meant before
    /// the series was moved to another hour; then nothing is.
    fn settle_midnights(&mut self, instances: impl Iterator<Item = (i64, i64)>) {
        if self.midnights.is_empty() {
            return;
        }
        let (instants, civil): (HashSet<i64>, Vec<i64>) = instances.unzip();
        let days: HashSet<i64> = civil.into_iter().map(|civil| civil.div_euclid(DAY)).collect();
        for Midnight { instant, day, shown } in self.midnights.drain(..) {
            let is_date = shown == day || !days.contains(&shown);
            if is_date && !instants.contains(&instant) {
                self.days.insert(day);
            } else {
                self.instants.insert(instant);
            }
        }
    }

    fn add(&mut self, moment: &Moment, series: &Moment) {
        if moment.is_date || series.is_date {
            self.days.insert(moment.day_in(&series.zone));
        } else {
            self.instants.insert(moment.instant());
        }
    }

    fn has(&self, civil: i64, instant: i64) -> bool {
        self.instants.contains(&instant) || self.days.contains(&civil.div_euclid(DAY))
    }
}

impl<'a> Series<'a> {
    /// Of copies of one thing the one with the highest SEQUENCE counts; all of them, if it is the same.
    pub(super) fn new(events: &[&'a Event]) -> Self {
        let (replacements, masters): (Vec<&Event>, Vec<&Event>) =
            events.iter().copied().partition(|event| event.replaces.is_some());
        let mut latest: BTreeMap<i64, i64> = BTreeMap::new();
        let original = |event: &Event| event.replaces.as_ref().map(|r| r.original.instant());
        for event in &replacements {
            let sequence = latest.entry(original(event).unwrap_or_default()).or_insert(i64::MIN);
            *sequence = event.sequence.max(*sequence);
        }
        let newest = masters.iter().map(|event| event.sequence).max().unwrap_or_default();
        let is_latest = |event: &&Event| {
            original(event).is_none_or(|at| latest.get(&at) == Some(&event.sequence))
        };
        Self {
            masters: masters.into_iter().filter(|event| event.sequence == newest).collect(),
            replacements: replacements.into_iter().filter(is_latest).collect(),
        }
    }

    /// Adds when it is busy within the window. What is unclear is told with the event it is of.
    pub(super) fn search(
        &self,
        search: &mut Search<'_>,
        unclear: &mut impl FnMut(&Event, Unclear),
    ) -> Result<(), UnreadableCalendar> {
        for event in self.masters.iter().chain(&self.replacements) {
            if let Some(what) = event.unclear {
                unclear(event, what);
            }
        }
        for master in &self.masters {
            self.search_one(master, search, unclear)?;
        }
        for replacement in &self.replacements {
            if replacement.is_busy {
                search.add(&replacement.start, replacement.length, replacement.start.civil)?;
            }
        }
        Ok(())
    }

    fn search_one(
        &self,
        master: &Event,
        search: &mut Search<'_>,
        unclear: &mut impl FnMut(&Event, Unclear),
    ) -> Result<(), UnreadableCalendar> {
        search.budget.take(self.replacements.len() as u64);
        if search.budget.is_spent() {
            return Err(UnreadableCalendar::TooMuch);
        }
        let mut left = Left::default();
        for moment in &master.except {
            left.except(moment, &master.start);
        }
        let (start, mut following) = (&master.start, Vec::new());
        for replacement in &self.replacements {
            let Some(replaced) = &replacement.replaces else { continue };
            left.add(&replaced.original, &master.start);
            if replaced.and_following {
                following.push(Following::of(&replaced.original, start, replacement));
            }
        }
        following.sort_unstable_by_key(|following| following.from);
        if !master.is_busy && following.is_empty() {
            return Ok(());
        }
        let mut instances = vec![start.civil];
        let within = search.wall_window(master, &following);
        if start.civil <= within.1 {
            for rule in &master.rules {
                match rule.expand(start, within, search.budget) {
                    Ok(more) => instances.extend(more),
                    Err(_) if search.budget.is_spent() => return Err(UnreadableCalendar::TooMuch),
                    Err(RuleError::Unreadable) => unclear(master, Unclear::Rule),
                    Err(RuleError::TooDense) => unclear(master, Unclear::TooDense),
                }
            }
        }
        instances.sort_unstable();
        instances.dedup();
        let own = instances.iter().map(|civil| (start, *civil, master.length));
        let more = master.more.iter().map(|(at, length)| (at, at.civil, *length));
        let shown = |at: &Moment, civil: i64| {
            let instant = at.zone.instant(civil);
            (instant, if at.is_date { civil } else { start.zone.civil(instant) })
        };
        let all = own.clone().chain(more.clone());
        left.settle_midnights(all.map(|(at, civil, _)| shown(at, civil)));
        for (at, civil, length) in own.chain(more) {
            let (instant, of_series) = shown(at, civil);
            if left.has(of_series, instant) {
                continue;
            }
            let changed = following.partition_point(|following| following.from <= instant);
            match following[..changed].last() {
                Some(changed) => changed.add(&at.zone, civil, search)?,
                None if master.is_busy => search.add(at, length, civil)?,
                None => {}
            }
        }
        Ok(())
    }
}

/// A replacement of all that follows: how far it moves the wall clock, and to what.
struct Following<'a> {
    from: i64,
    moves: i64,
    event: &'a Event,
}

impl<'a> Following<'a> {
    fn of(original: &Moment, series: &Moment, event: &'a Event) -> Self {
        let (zone, civil, from) = if original.is_date || series.is_date {
            let midnight = original.day_in(&series.zone) * DAY;
            let civil = midnight + series.civil.rem_euclid(DAY);
            (&series.zone, civil, series.zone.instant(midnight))
        } else {
            (&original.zone, original.civil, original.instant())
        };
        let was = elsewhere(zone, civil, &event.start.zone);
        Self { from, moves: event.start.civil - was, event }
    }

    /// Adds an instance, which its own zone shows at `civil`, as it has become.
    fn add(
        &self,
        zone: &Zone,
        civil: i64,
        search: &mut Search<'_>,
    ) -> Result<(), UnreadableCalendar> {
        if self.event.is_busy {
            let civil = elsewhere(zone, civil, &self.event.start.zone) + self.moves;
            search.add(&self.event.start, self.event.length, civil)?;
        }
        Ok(())
    }
}

/// What another zone shows when this one shows `civil`; where its clocks skip that, as if they did not.
fn elsewhere(zone: &Zone, civil: i64, other: &Zone) -> i64 {
    let instant = zone.instant(civil);
    other.civil(instant) - (zone.civil(instant) - civil)
}

impl Search<'_> {
    fn add(&mut self, like: &Moment, length: Length, civil: i64) -> Result<(), UnreadableCalendar> {
        let zone: &Zone = &like.zone;
        let seconds = Seconds { start: zone.instant(civil), end: length.end(zone, civil) };
        self.add_seconds(seconds)
    }

    pub(super) fn add_seconds(&mut self, seconds: Seconds) -> Result<(), UnreadableCalendar> {
        self.busy.extend(seconds.intersection(self.window));
        if self.busy.len() > MAX_INSTANCES { Err(UnreadableCalendar::TooMuch) } else { Ok(()) }
    }

    /// The instances that can bear on the window, by their wall clock.
    fn wall_window(&self, master: &Event, following: &[Following<'_>]) -> (i64, i64) {
        let lengths = following.iter().map(|changed| changed.event.length.most());
        let longest = lengths.fold(master.length.most(), i64::max);
        let moved = following.iter().map(|changed| changed.moves.abs()).max().unwrap_or_default();
        (self.window.start - longest - moved - 2 * DAY, self.window.end + moved + 2 * DAY)
    }
}
