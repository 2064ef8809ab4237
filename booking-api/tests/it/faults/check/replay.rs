//! Goes through the events in their order, as somebody does who knows nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::operations::{Fate, Operation, Operations};
use super::{Fault, Violations};
use crate::faults::found::{Event, Found, What};
use crate::faults::history::{Asked, Minute, Patch, Place, Tag};

/// No session is longer.
const LONGEST: i64 = 120;

/// A meeting as its events tell it.
#[derive(Debug)]
pub(super) struct Replayed {
    /// The operation that booked it.
    pub(super) born: Option<Tag>,
    client: String,
    /// Where it was at first.
    pub(super) booked: Place,
    place: Place,
    /// The status with which it ended.
    closed: Option<&'static str>,
    /// On its way to another therapist: cancelled there, and not yet booked here.
    handing_over: Option<Tag>,
    /// After each event that is not a first booking: who asked for it, and where it was then.
    pub(super) steps: Vec<(Tag, Place)>,
}

/// Who is where when, by what the events have told so far.
#[derive(Default)]
struct Calendars<'a>(BTreeMap<String, BTreeSet<(Minute, Minute, &'a str)>>);

struct Replay<'a, 'f> {
    operations: &'a Operations<'a>,
    violations: &'a mut Violations,
    calendars: Calendars<'f>,
    meetings: BTreeMap<&'f str, Replayed>,
}

pub(super) fn replay<'f>(
    operations: &Operations<'_>,
    found: &'f Found,
    violations: &mut Violations,
) -> BTreeMap<&'f str, Replayed> {
    let mut ids = BTreeSet::new();
    for event in &found.events {
        if !ids.insert(&event.id) {
            violations.add(Fault::Event, format!("two events of one id: {event:?}"));
        }
    }
    let mut replay = Replay {
        operations,
        violations,
        calendars: Calendars::default(),
        meetings: BTreeMap::new(),
    };
    for event in &found.events {
        replay.step(event);
    }
    let Replay { meetings, .. } = replay;
    for (id, replayed) in &meetings {
        compare(id, replayed, found, violations);
    }
    meetings
}

/// The meeting is as its events tell it.
fn compare(id: &str, replayed: &Replayed, found: &Found, violations: &mut Violations) {
    let Some(meeting) = found.meetings.get(id) else {
        return violations.add(Fault::Half, format!("events without their meeting: {replayed:?}"));
    };
    let closed = (!meeting.is_live()).then_some(meeting.status.as_str());
    let alike = meeting.client == replayed.client
        && meeting.place == replayed.place
        && closed == replayed.closed
        && replayed.handing_over.is_none();
    if !alike {
        violations.add(Fault::Event, format!("{meeting:?}, by its events {replayed:?}"));
    }
}

impl<'f> Replay<'_, 'f> {
    fn step(&mut self, event: &'f Event) {
        let Some((tag, asked)) = self.cause(event) else {
            return self.violations.add(Fault::Unasked, format!("nobody asked for {event:?}"));
        };
        let id = event.meeting.as_str();
        let Some(before) = self.meetings.remove(id) else {
            return self.first(event, tag, &asked);
        };
        if let Some(after) = self.next(&before, event, tag, &asked) {
            self.leave(id, &before);
            let mut replayed = Replayed { steps: before.steps, ..after };
            replayed.steps.push((tag, replayed.place.clone()));
            if replayed.closed.is_none() && replayed.handing_over.is_none() {
                self.enter(event, &replayed);
            }
            self.meetings.insert(id, replayed);
        } else {
            self.violations.add(Fault::Event, format!("{event:?} does not follow {before:?}"));
            self.meetings.insert(id, before);
        }
    }

    /// Who asked for it, unless they were refused.
    fn cause(&self, event: &Event) -> Option<(Tag, Asked)> {
        let may_be = |operation: &&Operation<'_>| operation.fate() != Fate::Refused;
        let operation = match (&event.what, event.what.tag()) {
            (_, Some(tag)) => self.operations.get(tag).filter(may_be)?,
            (What::Cancelled { by, .. }, None) => {
                let is_it = |operation: &&Operation<'_>| {
                    matches!(operation.asked(), Asked::Cancel { says_why: false, .. })
                        && operation.request.by.id == *by
                };
                let candidates = self.operations.changes(&event.meeting).filter(is_it);
                // Whoever was told so, rather than whoever was not told.
                candidates.filter(may_be).min_by_key(|operation| operation.fate() != Fate::Done)?
            }
            _ => return None,
        };
        Some((operation.tag(), operation.asked().clone()))
    }

    fn first(&mut self, event: &'f Event, tag: Tag, asked: &Asked) {
        let (What::Booked { client, place, .. }, Asked::Book { client: wanted, place: there, .. }) =
            (&event.what, asked)
        else {
            return self.violations.add(Fault::Event, format!("the first is {event:?}"));
        };
        if (client, place) != (wanted, there) {
            self.violations.add(Fault::Wrong, format!("{asked:?} led to {event:?}"));
        }
        let replayed = Replayed {
            born: Some(tag),
            client: client.clone(),
            booked: place.clone(),
            place: place.clone(),
            closed: None,
            handing_over: None,
            steps: Vec::new(),
        };
        self.enter(event, &replayed);
        self.meetings.insert(&event.meeting, replayed);
    }

    /// The meeting after a further event, if it can follow. The steps are for the caller to add.
    fn next(&self, before: &Replayed, event: &Event, tag: Tag, asked: &Asked) -> Option<Replayed> {
        let mut after = Replayed {
            client: before.client.clone(),
            booked: before.booked.clone(),
            place: before.place.clone(),
            steps: Vec::new(),
            ..*before
        };
        let done_already = before.steps.iter().any(|(earlier, _)| *earlier == tag);
        if before.closed.is_some() || done_already && before.handing_over != Some(tag) {
            return None;
        }
        let patch = match asked {
            Asked::Update { meeting, patch, .. } if *meeting == event.meeting => patch.clone(),
            Asked::Cancel { meeting, .. } if *meeting == event.meeting => {
                Patch { status: Some("CANCELLED"), ..Patch::default() }
            }
            _ => return None,
        };
        let goes_as_asked = match (&event.what, before.handing_over) {
            (What::Booked { client, place, .. }, Some(pending)) => {
                after.handing_over = None;
                after.place = moved(&before.place, &patch);
                pending == tag && *client == before.client && *place == after.place
            }
            (What::Rescheduled { from, to, .. }, None) => {
                after.place = moved(&before.place, &patch);
                patch.therapist.is_none()
                    && after.place != before.place
                    && (*from, *to) == (before.place.start, after.place.start)
            }
            (What::Cancelled { start, .. }, None) if patch.therapist.is_some() => {
                after.handing_over = Some(tag);
                *start == before.place.start
            }
            (What::Cancelled { start, .. }, None) => {
                after.closed = patch.closes();
                after.closed == Some("CANCELLED") && *start == before.place.start
            }
            (What::Completed { minutes, .. }, None) => {
                after.closed = patch.closes();
                matches!(after.closed, Some("COMPLETED" | "NO_SHOW"))
                    && *minutes == before.place.minutes
            }
            _ => false,
        };
        goes_as_asked.then_some(after)
    }

    fn leave(&mut self, id: &'f str, replayed: &Replayed) {
        let span = (replayed.place.start, replayed.place.end(), id);
        for person in [&replayed.client, &replayed.place.therapist] {
            self.calendars.0.entry(person.clone()).or_default().remove(&span);
        }
    }

    /// Takes the time of both people, at which they must be free.
    fn enter(&mut self, event: &'f Event, replayed: &Replayed) {
        let place = &replayed.place;
        for person in [&replayed.client, &place.therapist] {
            let calendar = self.calendars.0.entry(person.clone()).or_default();
            let near = calendar.range((place.start - LONGEST, 0, "")..(place.end(), 0, ""));
            if let Some(other) = near.into_iter().find(|(_, end, _)| *end > place.start) {
                let detail = format!("{person} is in {other:?} when there comes {event:?}");
                self.violations.add(Fault::Overlap, detail);
            }
            calendar.insert((place.start, place.end(), &event.meeting));
        }
    }
}

fn moved(from: &Place, patch: &Patch) -> Place {
    Place {
        therapist: patch.therapist.clone().unwrap_or_else(|| from.therapist.clone()),
        start: patch.start.unwrap_or(from.start),
        minutes: patch.minutes.unwrap_or(from.minutes),
    }
}
