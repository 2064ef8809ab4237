//! Lists of meetings: order, filters, pages.

use chrono::TimeDelta;

use super::cases;
use super::fixtures::{client, hour, meeting, minute, other_client, other_therapist, therapist};
use super::world::all_of;
use crate::{Meeting, MeetingQuery, MeetingStatus, Place, SessionDuration};

cases! {
    ($) conformance_lists in lists:

    /// By start, and by id where starts are equal; whoever's and in whatever role.
    async fn meetings_come_in_order(world: World) {
        let mut all = mixed();
        for chunk in all.rchunks(7) {
            world.insert(chunk).await;
        }
        all.sort_by_key(|meeting| (meeting.start, meeting.id));
        for person in [client(), other_client(), therapist(), other_therapist()] {
            let theirs: Vec<Meeting> =
                all.iter().filter(|meeting| meeting.party(&person).is_some()).cloned().collect();
            assert!(!theirs.is_empty());
            assert_eq!(world.meetings_of(&person).await, theirs, "{person}");
        }
        assert_eq!(world.meetings_of(&super::fixtures::id("nobody")).await, []);
    }

    /// Statuses, and starts from an instant to just before another; alone and together.
    async fn meetings_are_filtered(world: World) {
        let all = mixed();
        world.insert(&all).await;
        let mut statuses = vec![vec![], MeetingStatus::ALL.to_vec()];
        statuses.extend(MeetingStatus::ALL.iter().map(|status| vec![*status]));
        statuses.push(vec![MeetingStatus::Cancelled, MeetingStatus::NoShow]);
        let bounds =
            [None, Some(hour(3)), Some(hour(3) + TimeDelta::milliseconds(1)), Some(hour(9))];
        let everything = world.meetings_of(&therapist()).await;
        for statuses in statuses {
            for from in bounds {
                for to in bounds {
                    let statuses = statuses.iter().copied().collect();
                    let query = MeetingQuery { statuses, from, to, ..all_of(&therapist()) };
                    let mut expected = everything.clone();
                    expected.retain(|meeting| {
                        (query.statuses.is_empty() || query.statuses.contains(&meeting.status))
                            && from.is_none_or(|from| meeting.start >= from)
                            && to.is_none_or(|to| meeting.start < to)
                    });
                    assert_eq!(world.list(&query).await, expected, "{query:?}");
                }
            }
        }
    }

    /// Pages of any size, put together, are the whole list, with or without a filter.
    async fn pages_make_up_the_list(world: World) {
        world.insert(&mixed()).await;
        let from = [None, Some(hour(5))];
        let statuses = [vec![], vec![MeetingStatus::Cancelled]];
        for (from, statuses) in
            from.into_iter().flat_map(|from| statuses.clone().map(|s| (from, s)))
        {
            let statuses = statuses.into_iter().collect();
            let query = MeetingQuery { from, statuses, ..all_of(&therapist()) };
            let whole = world.list(&query).await;
            for limit in [1, 2, 3, 7, 1_000, u32::MAX] {
                let pages = pages(&world, MeetingQuery { limit, ..query.clone() }).await;
                assert_eq!(pages, whole, "pages of {limit}");
            }
        }
    }

    /// A place need not be that of a meeting any more: the list goes on after it.
    async fn a_page_begins_after_its_place(world: World) {
        world.insert(&mixed()).await;
        let whole = world.meetings_of(&therapist()).await;
        for at in &whole {
            let mut id = *at.id.uuid().as_bytes();
            id[15] ^= 1;
            let gone = Place {
                start: at.start,
                id: crate::MeetingId::from_uuid(uuid::Uuid::from_bytes(id)),
            };
            let mut after = whole.clone();
            after.retain(|meeting| Place { start: meeting.start, id: meeting.id } > gone);
            let query = MeetingQuery { after: Some(gone), ..all_of(&therapist()) };
            assert_eq!(world.list(&query).await, after);
        }
    }

    /// Whatever is booked meanwhile: nothing comes twice, and nothing that was there is left out.
    async fn pages_are_stable_under_bookings(world: World) {
        let there: Vec<Meeting> = (0..60)
            .map(|n| {
                let mut meeting = meeting(&client(), &therapist(), hour(2 * (n / 2)));
                meeting.status = MeetingStatus::Cancelled;
                meeting
            })
            .collect();
        world.insert(&there).await;
        let writer = {
            let world = world.clone();
            tokio::spawn(async move {
                for n in 0..60 {
                    let start = minute(120 * ((n * 37) % 60) + 60 * (n % 2));
                    let mut meeting = meeting(&client(), &other_therapist(), start);
                    meeting.duration = SessionDuration::HalfHour;
                    world.insert(&[meeting]).await;
                }
            })
        };
        while !writer.is_finished() {
            let seen = pages(&world, MeetingQuery { limit: 7, ..all_of(&client()) }).await;
            let place = |meeting: &Meeting| Place { start: meeting.start, id: meeting.id };
            assert!(seen.is_sorted_by(|one, next| place(one) < place(next)), "in order, once each");
            let missing: Vec<_> = there.iter().filter(|meeting| !seen.contains(meeting)).collect();
            assert!(missing.is_empty(), "{missing:?}");
        }
        writer.await.expect("the writer is done");
        assert_eq!(world.meetings_of(&client()).await.len(), 120);
    }
}

async fn pages(world: &super::World, mut query: MeetingQuery) -> Vec<Meeting> {
    let mut all = Vec::new();
    loop {
        let page = world.list(&query).await;
        assert!(page.len() <= query.limit as usize);
        let Some(last) = page.last() else { return all };
        query.after = Some(Place { start: last.start, id: last.id });
        all.extend(page);
    }
}

/// Meetings of all four, in all statuses, several at one start; not in order.
fn mixed() -> Vec<Meeting> {
    let pairs = [
        (client(), therapist()),
        (other_client(), therapist()),
        (therapist(), other_therapist()),
        (client(), other_therapist()),
    ];
    let mut all = Vec::new();
    for n in 0..48_u8 {
        let (client, therapist) = &pairs[usize::from(n % 4)];
        let start = hour(i64::from((n * 5) % 12));
        let mut meeting = meeting(client, therapist, start);
        // Where several begin at once, none of them is live.
        meeting.status = MeetingStatus::ALL[2 + usize::from(n % 3)];
        all.push(meeting);
    }
    for (n, status) in (12..).zip(&MeetingStatus::ALL[..2]) {
        all.push(Meeting { status: *status, ..meeting(&client(), &therapist(), hour(n)) });
    }
    // Ids that were made in order must not hide that they are compared.
    all.sort_by_key(|meeting| std::cmp::Reverse(meeting.id.uuid().as_bytes()[15]));
    all
}
