//! A history made by hand, in which all is well.

use std::time::Duration;

use crate::faults::found::{Busy, Event, Found, Record, What};
use crate::faults::history::{
    Asked, Attempt, Meeting, Outcome, Patch, Person, Place, Request, Seen, Slot, Tag, Window,
};

pub(super) struct Story {
    pub(super) history: Vec<Attempt>,
    pub(super) found: Found,
}

pub(super) fn place(therapist: &str, start: i64) -> Place {
    Place { therapist: therapist.to_owned(), start, minutes: 60 }
}

pub(super) fn meeting(
    id: &str,
    version: u64,
    client: &str,
    place: Place,
    status: &str,
    tag: u64,
) -> Meeting {
    let (id, client, status) = (id.to_owned(), client.to_owned(), status.to_owned());
    Meeting { id, version, client, place, status, title: Tag(tag).to_string() }
}

pub(super) fn booked(id: &str, client: &str, place: Place, tag: u64) -> Meeting {
    meeting(id, 1, client, place, "SCHEDULED", tag)
}

pub(super) fn slot(id: &str, from: i64, tag: u64) -> Slot {
    let window = Window { weekday: 0, from, to: from + 60, is_on: true };
    let (id, therapist) = (id.to_owned(), "t1".to_owned());
    Slot { id, therapist, window, notes: Tag(tag).to_string() }
}

pub(super) fn book(client: &str, place: Place, key: Option<&str>) -> Asked {
    let (client, key) = (client.to_owned(), key.map(str::to_owned));
    Asked::Book { client, place, status: "SCHEDULED", key }
}

fn update(meeting: &str, patch: Patch) -> Asked {
    Asked::Update { meeting: meeting.to_owned(), patch, expected: None }
}

pub(super) fn acked(meeting: Meeting) -> Outcome {
    Outcome::Acked(Seen::Meeting(meeting))
}

/// A window of a whole day.
fn all_day(weekday: i64) -> Window {
    Window { weekday, from: 0, to: 24 * 60, is_on: true }
}

impl Story {
    /// Two meetings are booked; one moves and goes to another therapist, one is cancelled. A third
    /// takes the place of the first, which nobody was told of.
    pub(super) fn good() -> Self {
        let mut story = Self { history: Vec::new(), found: Found::default() };
        story.tell_of_hours();
        story.tell_of_meetings();
        story.tell_of_slots();
        story.find_meetings();
        story.find_events();
        story.find_busy();
        story.found.slots.insert("s1".to_owned(), slot("s1", 600, 9));
        story.found.records = vec![
            record("c1", "one", booked("m1", "c1", place("t1", 0), 1)),
            record("c2", "five", booked("m3", "c2", place("t1", 0), 5)),
        ];
        story
    }

    /// Everybody is there on Thursdays, and the first day of 1970 was one.
    fn tell_of_hours(&mut self) {
        for (n, therapist) in ["t1", "t2", "c2"].into_iter().enumerate() {
            let tag = 20 + n as u64;
            let slot = Slot {
                id: format!("hours of {therapist}"),
                therapist: therapist.to_owned(),
                window: all_day(4),
                notes: Tag(tag).to_string(),
            };
            let seen = Outcome::Acked(Seen::Slot(slot.clone()));
            self.tell(tag, therapist, Asked::Open(all_day(4)), seen);
            self.found.slots.insert(slot.id.clone(), slot);
        }
    }

    fn tell_of_meetings(&mut self) {
        let to = |start| Patch { start: Some(start), ..Patch::default() };
        let over = Patch { therapist: Some("t2".to_owned()), ..Patch::default() };
        let confirmed = Patch { status: Some("CONFIRMED"), ..Patch::default() };
        let cancel = Asked::Cancel { meeting: "m2".to_owned(), says_why: false, expected: Some(1) };
        let cancelled = meeting("m2", 2, "c2", place("t1", 60), "CANCELLED", 2);
        let moved = meeting("m1", 2, "c1", place("t1", 600), "SCHEDULED", 3);
        let handed_over = meeting("m1", 3, "c1", place("t2", 600), "SCHEDULED", 11);
        let refused = Outcome::Refused("slot_conflict".to_owned());
        let first = booked("m1", "c1", place("t1", 0), 1);
        let second = booked("m2", "c2", place("t1", 60), 2);
        let there = |client, key| book(client, place("t1", 0), key);
        self.tell(1, "c1", there("c1", Some("one")), acked(first));
        self.tell(2, "c2", book("c2", place("t1", 60), None), acked(second));
        self.tell(3, "c1", update("m1", to(600)), acked(moved));
        self.tell(4, "c2", cancel, acked(cancelled));
        self.tell(5, "c2", there("c2", Some("five")), Outcome::Unknown);
        self.tell(6, "c3", there("c3", Some("six")), Outcome::Unknown);
        self.tell(7, "c1", update("m1", confirmed), Outcome::Unknown);
        self.tell(10, "c3", there("c3", Some("ten")), refused);
        self.tell(11, "c1", update("m1", over), acked(handed_over.clone()));
        self.tell(12, "c1", Asked::Read { meeting: "m1".to_owned() }, acked(handed_over));
    }

    fn tell_of_slots(&mut self) {
        let opened = slot("s1", 0, 8);
        let changed = slot("s1", 600, 9);
        let change = Asked::Change { slot: "s1".to_owned(), window: changed.window.clone() };
        let closed = Asked::Close { slot: "s1".to_owned() };
        let refused = Outcome::Refused("availability_overlap".to_owned());
        self.tell(8, "t1", Asked::Open(opened.window.clone()), Outcome::Acked(Seen::Slot(opened)));
        self.tell(9, "t1", change, Outcome::Acked(Seen::Slot(changed)));
        self.tell(13, "t1", Asked::Open(slot("", 620, 13).window), refused);
        self.tell(14, "t1", closed, Outcome::Unknown);
    }

    fn find_meetings(&mut self) {
        for meeting in [
            meeting("m1", 3, "c1", place("t2", 600), "SCHEDULED", 11),
            meeting("m2", 2, "c2", place("t1", 60), "CANCELLED", 2),
            booked("m3", "c2", place("t1", 0), 5),
        ] {
            self.found.meetings.insert(meeting.id.clone(), meeting);
        }
    }

    fn find_events(&mut self) {
        let tag = |n| Tag(n).to_string();
        let cancelled =
            |start, by: &str, reason| What::Cancelled { start, by: by.to_owned(), reason };
        let told = [
            ("m1", was_booked("c1", place("t1", 0), 1)),
            ("m2", was_booked("c2", place("t1", 60), 2)),
            ("m1", What::Rescheduled { from: 0, to: 600, reason: tag(3) }),
            ("m2", cancelled(60, "c2", "Cancelled by client".to_owned())),
            ("m3", was_booked("c2", place("t1", 0), 5)),
            ("m1", cancelled(600, "c1", tag(11))),
            ("m1", was_booked("c1", place("t2", 600), 11)),
        ];
        for (n, (meeting, what)) in told.into_iter().enumerate() {
            self.found.events.push(event(&n.to_string(), meeting, what));
        }
    }

    fn find_busy(&mut self) {
        self.found.busy = [("m1", "c1", 600), ("m1", "t2", 600), ("m3", "c2", 0), ("m3", "t1", 0)]
            .map(|(meeting, person, from)| busy(meeting, person, from))
            .into();
    }

    /// One thing after the other.
    pub(super) fn tell(&mut self, tag: u64, by: &str, asked: Asked, outcome: Outcome) {
        let begun = Duration::from_secs(self.history.len() as u64);
        let request = Request { tag: Tag(tag), by: Person::client(by), asked };
        let ended = begun + Duration::from_millis(500);
        self.history.push(Attempt { request, begun, ended, outcome });
    }

    pub(super) fn attempt(&mut self, tag: u64) -> &mut Attempt {
        let is_it = |attempt: &&mut Attempt| attempt.request.tag == Tag(tag);
        self.history.iter_mut().find(is_it).expect("it was told")
    }

    pub(super) fn meeting(&mut self, id: &str) -> &mut Meeting {
        self.found.meetings.get_mut(id).expect("it was found")
    }

    pub(super) fn forget(&mut self, meeting: &str) {
        self.found.meetings.remove(meeting);
        self.found.events.retain(|event| event.meeting != meeting);
        self.found.busy.retain(|busy| busy.meeting != meeting);
        self.found.records.retain(|record| record.answer.id != meeting);
    }

    /// A booking that is there as a whole.
    pub(super) fn find(&mut self, meeting: Meeting, key: Option<&str>) {
        let tag = Tag::parse(&meeting.title).expect("a title of ours").0;
        let what = was_booked(&meeting.client, meeting.place.clone(), tag);
        self.found.events.push(event(&format!("event of {}", meeting.id), &meeting.id, what));
        let people = meeting.people().map(|person| busy(&meeting.id, person, meeting.place.start));
        self.found.busy.extend(people);
        let records = key.map(|key| record(&meeting.client, key, meeting.clone()));
        self.found.records.extend(records);
        self.found.meetings.insert(meeting.id.clone(), meeting);
    }
}

pub(super) fn was_booked(client: &str, place: Place, tag: u64) -> What {
    What::Booked { client: client.to_owned(), place, title: Tag(tag).to_string() }
}

pub(super) fn event(id: &str, meeting: &str, what: What) -> Event {
    Event { id: id.to_owned(), meeting: meeting.to_owned(), what }
}

pub(super) fn busy(meeting: &str, person: &str, from: i64) -> Busy {
    let (meeting, person) = (meeting.to_owned(), person.to_owned());
    Busy { meeting, person, from, to: from + 60 }
}

pub(super) fn record(user: &str, key: &str, answer: Meeting) -> Record {
    Record { user: user.to_owned(), key: key.to_owned(), answer }
}
