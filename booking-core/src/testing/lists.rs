//! Lists of meetings: order, filters, pages.

use chrono::{DateTime, TimeDelta, Utc};

use super::cases;
use super::fixtures::{
    client, hour, meeting, minute, other_client, other_therapist, text, therapist,
};
use super::world::all_of;
use crate::{Meeting, MeetingQuery, MeetingStatus, MeetingTexts, Place, SessionDuration};

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

    /// With long texts a page ends early, and the next goes on from there; without them it is whole.
    async fn a_page_ends_with_its_texts(world: World) {
        let mut all: Vec<Meeting> = (0..60).map(|n| wordy(hour(n), n % 3 == 0)).collect();
        for chunk in all.chunks(10) {
            world.insert(chunk).await;
        }
        let mut query = MeetingQuery { limit: 50, ..all_of(&therapist()) };
        let (mut seen, mut counts) = (Vec::new(), Vec::new());
        loop {
            let page = world.list(&query).await;
            let Some((last, others)) = page.split_last() else { break };
            assert!(!query.is_full(others), "no more than that is loaded");
            let is_last = seen.len() + page.len() == all.len();
            assert!(query.is_full(&page) || is_last, "nor less");
            query.after = Some(Place { start: last.start, id: last.id });
            counts.push(page.len());
            seen.extend(page);
        }
        assert_eq!(seen, all);
        assert_eq!(counts, [32, 28], "21 times 100,000 bytes, with those that have none");
        let (after, texts) = (None, MeetingTexts::LeftOut);
        for meeting in &mut all {
            (meeting.description, meeting.session_notes) = (None, None);
        }
        let limit = 59;
        let page = world.list(&MeetingQuery { after, texts, limit, ..query }).await;
        assert_eq!(page, all[..59]);
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

/// With the longest texts that there are, or with none.
fn wordy(start: DateTime<Utc>, is_quiet: bool) -> Meeting {
    let most = |chars: usize| (!is_quiet).then(|| "\u{1f4dd}".repeat(chars));
    Meeting {
        status: MeetingStatus::Cancelled,
        description: most(5_000).as_deref().map(text),
        session_notes: most(20_000).as_deref().map(text),
        ..meeting(&client(), &therapist(), start)
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
