//! The list of one's meetings: soonest start first, filtered, in pages.

use std::collections::BTreeSet;

use booking_core::{
    Actor, Meeting, MeetingFilter, MeetingPatch, MeetingStatus, OutOfBounds, PageLimit,
    SessionDuration,
};
use chrono::TimeDelta;
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::strategies::cases;
use crate::world::{World, jane, joe, john, mary, monday, session};

/// Half hours of the Monday, booked by turns, some of them confirmed or cancelled.
fn some_meetings(times: &[(i64, Actor, Actor, Option<MeetingStatus>)]) -> (World, Vec<Meeting>) {
    let world = World::default();
    world.relate(&mary(), &joe());
    let mut meetings = Vec::new();
    for (number, client, therapist, status) in times {
        let time = monday("09:00") + TimeDelta::minutes(number * 30);
        let time = time.format("%H:%M").to_string();
        let request = session(therapist, &time, SessionDuration::HalfHour);
        if let Ok(meeting) = world.book(client, &request) {
            let patch = MeetingPatch { status: *status, ..MeetingPatch::default() };
            meetings.push(world.put(client, meeting.id, &patch).expect("a legal status"));
        }
    }
    (world, meetings)
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn pages_put_together_are_the_sorted_filtered_list(
        times in vec(
            (
                0..16_i64,
                select(vec![john(), mary()]),
                select(vec![jane(), joe()]),
                option::of(select(vec![MeetingStatus::Confirmed, MeetingStatus::Cancelled])),
            ),
            0..20,
        ),
        by in select(vec![john(), mary(), jane(), joe()]),
        statuses in btree_set(select(MeetingStatus::ALL), 0..3),
        from in option::of(0..16_i64),
        to in option::of(0..18_i64),
        limit in 1..6_u32,
    ) {
        let (world, meetings) = some_meetings(&times);
        let instant = |number| monday("09:00") + TimeDelta::minutes(number * 30);
        let (from, to) = (from.map(instant), to.map(instant));
        let mut expected: Vec<Meeting> = meetings
            .into_iter()
            .filter(|meeting| meeting.client == by.id || meeting.therapist == by.id)
            .filter(|meeting| statuses.is_empty() || statuses.contains(&meeting.status))
            .filter(|meeting| from.is_none_or(|from| from <= meeting.start))
            .filter(|meeting| to.is_none_or(|to| meeting.start < to))
            .collect();
        expected.sort_by_key(|meeting| (meeting.start, meeting.id));

        let limit = PageLimit::new(limit).unwrap();
        let mut filter = MeetingFilter { statuses, from, to, after: None, limit };
        let mut listed = Vec::new();
        loop {
            let page = world.try_to(async |b| b.meetings(&by, &filter).await).unwrap();
            prop_assert!(page.items.len() <= usize::try_from(limit.get()).unwrap());
            prop_assert!(page.next.is_none() || !page.items.is_empty());
            listed.extend(page.items.into_iter().map(|view| view.meeting));
            let Some(next) = page.next else { break };
            filter.after = Some(next);
        }
        prop_assert_eq!(listed, expected);
    }
}

#[test]
fn the_last_page_says_that_it_is_the_last() {
    let (world, meetings) = some_meetings(&[(0, john(), jane(), None), (1, john(), jane(), None)]);
    let page = |limit, after| {
        let limit = PageLimit::new(limit).unwrap();
        let filter = MeetingFilter { limit, after, ..MeetingFilter::default() };
        world.try_to(async |b| b.meetings(&john(), &filter).await).unwrap()
    };
    assert_eq!(page(2, None).next, None);
    let first = page(1, None);
    assert_eq!(first.items[0].meeting, meetings[0]);
    let second = page(1, first.next);
    assert_eq!((&second.items[0].meeting, second.next), (&meetings[1], None));
}

/// Of meetings or of starts, in a library as over HTTP: no page is without end, and none without a place.
#[test]
fn pages_have_1_to_1000() {
    let taken = [1, 2, 999, 1_000].map(|asked| PageLimit::new(asked).map(PageLimit::get));
    assert_eq!(taken, [Ok(1), Ok(2), Ok(999), Ok(1_000)]);
    for asked in [0, 1_001, u32::MAX] {
        assert_eq!(PageLimit::new(asked), Err(OutOfBounds { min: 1, max: 1_000 }));
    }
    assert_eq!(MeetingFilter::default().limit, PageLimit::MAX);
}

#[test]
fn people_come_with_their_meetings_as_far_as_they_are_known() {
    let world = World::default();
    world.book(&john(), &session(&jane(), "10:00", SessionDuration::Hour)).unwrap();
    let page = world.try_to(async |b| b.meetings(&john(), &MeetingFilter::default()).await);
    let view = page.unwrap().items.remove(0);
    assert_eq!(view.client.map(|user| user.id), Some(john().id));
    assert_eq!(view.therapist.map(|user| user.id), Some(jane().id));
    assert_eq!(MeetingFilter::default().statuses, BTreeSet::new());
}
