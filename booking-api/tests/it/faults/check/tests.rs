//! Histories made by hand: what can be wrong with one in which all is well.

use std::collections::BTreeSet;
use std::time::Duration;

use super::story::{Story, acked, book, booked, busy, event, meeting, place, record, slot};
use super::{Fault, check};
use crate::faults::found::Event;
use crate::faults::history::{Asked, Outcome, Seen, Tag, Window};

/// Tells the good story with a difference, and what that makes wrong with it.
#[track_caller]
fn finds(faults: impl IntoIterator<Item = Fault>, difference: impl FnOnce(&mut Story)) {
    let mut story = Story::good();
    difference(&mut story);
    let violations = check(&story.history, &story.found);
    let found: BTreeSet<Fault> = violations.iter().map(|violation| violation.fault).collect();
    assert_eq!(found, faults.into_iter().collect(), "{violations:#?}");
}

#[test]
fn all_is_well_whatever_became_of_what_nobody_was_told() {
    finds([], |_| {});
    finds([], |story| story.forget("m3"));
    finds([], |story| {
        story.attempt(6).request.asked = book("c3", place("t2", 0), Some("six"));
        story.find(booked("m4", "c3", place("t2", 0), 6), Some("six"));
    });
    finds([], |story| {
        *story.meeting("m1") = meeting("m1", 4, "c1", place("t2", 600), "CONFIRMED", 7);
    });
    finds([], |story| drop(story.found.slots.remove("s1")));
}

#[test]
fn a_lost_booking_is_found() {
    finds([Fault::Lost], |story| story.forget("m1"));
    // Nobody asked for a change of this one, or had a key.
    finds([Fault::Lost], |story| {
        story.history.retain(|attempt| attempt.request.tag != Tag(4));
        story.forget("m2");
    });
}

#[test]
fn a_lost_change_is_found() {
    // With its events, as if it had never been.
    finds([Fault::Event, Fault::Lost], |story| {
        story.found.events.truncate(5);
        *story.meeting("m1") = meeting("m1", 2, "c1", place("t1", 600), "SCHEDULED", 3);
        story.found.busy[1].person = "t1".to_owned();
    });
    finds([Fault::Event, Fault::Lost], |story| {
        story.meeting("m2").status = "SCHEDULED".to_owned();
        story.found.busy.extend([busy("m2", "c2", 60), busy("m2", "t1", 60)]);
    });
    // Written over by one that nobody was told of, and which did not count.
    finds([Fault::Lost], |story| {
        let lost = meeting("m1", 3, "c1", place("t2", 600), "CONFIRMED", 7);
        *story.meeting("m1") = lost;
    });
}

#[test]
fn a_lost_update_is_found() {
    finds([Fault::Version], |story| {
        let handed_over = meeting("m1", 2, "c1", place("t2", 600), "SCHEDULED", 11);
        story.attempt(11).outcome = acked(handed_over.clone());
        story.attempt(12).outcome = acked(handed_over.clone());
        *story.meeting("m1") = handed_over;
    });
}

#[test]
fn a_version_that_nobody_made_is_found() {
    finds([Fault::Version], |story| story.meeting("m1").version = 5);
    finds([Fault::Version], |story| story.meeting("m3").version = 2);
}

#[test]
fn a_version_that_goes_back_is_found() {
    finds([Fault::Version], |story| {
        let earlier = meeting("m1", 2, "c1", place("t1", 600), "SCHEDULED", 3);
        story.attempt(12).outcome = acked(earlier);
    });
}

#[test]
fn an_overlap_is_found() {
    let wanted = place("t2", 630);
    finds([Fault::Overlap], |story| {
        story.attempt(6).request.asked = book("c3", wanted.clone(), None);
        story.find(booked("m4", "c3", wanted.clone(), 6), None);
    });
    // In whatever role.
    let wanted = place("c2", 30);
    finds([Fault::Overlap], |story| {
        story.attempt(6).request.asked = book("c3", wanted.clone(), None);
        story.find(booked("m4", "c3", wanted.clone(), 6), None);
    });
}

#[test]
fn an_overlap_that_has_passed_is_found() {
    // Before the first has left.
    finds([Fault::Overlap], |story| story.found.events.swap(2, 4));
}

#[test]
fn half_a_booking_is_found() {
    finds([Fault::Half], |story| drop(story.found.busy.pop()));
    finds([Fault::Half], |story| story.found.busy.push(busy("m2", "c2", 60)));
    finds([Fault::Half], |story| drop(story.found.records.pop()));
    finds([Fault::Half], |story| {
        let nowhere = booked("m9", "c3", place("t1", 0), 6);
        story.found.records.push(record("c3", "six", nowhere));
    });
    finds([Fault::Half], |story| drop(story.found.events.remove(4)));
    finds([Fault::Half], |story| drop(story.found.meetings.remove("m3")));
}

#[test]
fn a_missing_event_is_found() {
    // The later ones of the meeting do not follow without it, and somebody else is there already.
    finds([Fault::Event, Fault::Overlap], |story| drop(story.found.events.remove(2)));
    finds([Fault::Event], |story| drop(story.found.events.remove(3)));
    // Half of going from one to the other.
    finds([Fault::Event], |story| drop(story.found.events.remove(5)));
    finds([Fault::Event], |story| drop(story.found.events.remove(6)));
}

#[test]
fn an_event_that_comes_twice_is_found() {
    for n in 0..7 {
        finds([Fault::Event], |story| {
            let Event { meeting, what, .. } = story.found.events[n].clone();
            story.found.events.push(event("another", &meeting, what));
        });
        finds([Fault::Event], |story| story.found.events.push(story.found.events[n].clone()));
    }
}

#[test]
fn events_in_another_order_are_found() {
    finds([Fault::Event], |story| story.found.events.swap(5, 6));
}

#[test]
fn what_was_refused_and_is_there_is_found() {
    finds([Fault::Half, Fault::Unasked], |story| {
        story.find(booked("m4", "c3", place("t2", 0), 10), Some("ten"));
    });
    finds([Fault::Unasked], |story| {
        story.found.slots.insert("s2".to_owned(), slot("s2", 620 + 60, 13));
    });
}

#[test]
fn a_key_that_books_twice_is_found() {
    finds([Fault::Overlap, Fault::Twice], |story| {
        story.attempt(5).request.asked = book("c2", place("t1", 0), None);
        story.found.records.pop();
        story.find(booked("m4", "c2", place("t1", 0), 5), None);
    });
}

#[test]
fn availability_that_is_lost_or_overlaps_is_found() {
    finds([Fault::Lost], |story| {
        story.found.slots.remove("s1");
        story.attempt(14).outcome = Outcome::Unreached;
    });
    finds([Fault::Lost], |story| {
        story.found.slots.insert("s1".to_owned(), slot("s1", 0, 8));
    });
    finds([Fault::Lost], |story| story.attempt(14).outcome = Outcome::Acked(Seen::Nothing));
    finds([Fault::Overlap], |story| {
        story.attempt(13).outcome = Outcome::Unknown;
        story.found.slots.insert("s2".to_owned(), slot("s2", 620, 13));
    });
}

#[test]
fn a_booking_where_nobody_was_there_is_found() {
    let close = |slot: &str| Asked::Close { slot: slot.to_owned() };
    let is_closed = Outcome::Acked(Seen::Nothing);
    // Closed at last, after everything: that is nobody's business.
    finds([], |story| {
        story.tell(30, "t1", close("hours of t1"), is_closed.clone());
        story.found.slots.remove("hours of t1");
    });
    // Closed before the meeting was handed over to somebody who is no longer there.
    finds([Fault::Closed], |story| {
        story.tell(30, "t2", close("hours of t2"), is_closed.clone());
        story.history.rotate_right(1);
        let opened = story.attempt(21).ended;
        let closing = story.attempt(30);
        (closing.begun, closing.ended) = (opened, opened + Duration::from_millis(1));
        story.found.slots.remove("hours of t2");
    });
    finds([Fault::Closed], |story| {
        let (from, to) = (0, 630);
        let shorter = Window { weekday: 4, from, to, is_on: true };
        story.attempt(21).request.asked = Asked::Open(shorter.clone());
        story.found.slots.get_mut("hours of t2").expect("there").window = shorter;
    });
}
