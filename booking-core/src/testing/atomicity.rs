//! All of a change, or nothing.

use super::cases;
use super::fixtures::{
    as_client, as_therapist, audited, booked, client, hour, key, meeting, now, other_client, slot,
    start, therapist, window,
};
use crate::{
    Answer, AvailabilityPatch, BookRequest, Change, ChangeError, Decline, ExpectedVersion,
    Fingerprint, MeetingPatch, MeetingStatus, NewAvailability, Record, Refusal, Scope,
    SessionDuration, WallTime, Write,
};
use chrono::{TimeDelta, Weekday};

cases! {
    ($) conformance_atomicity in atomicity:

    /// A refused booking leaves nothing behind: no row, no event, no record.
    async fn refused_bookings_write_nothing(world: World) {
        world
            .write([Write::InsertAvailability(slot(&therapist(), Weekday::Mon, window(540, 720)))])
            .await;
        world.book_hour(hour(9)).await.expect("it is free");
        let before = world.everything().await;
        let refused = [
            (hour(9), SessionDuration::Hour, Refusal::SlotConflict),
            (hour(8), SessionDuration::Hour, Refusal::OutsideAvailability),
            (hour(11), SessionDuration::TwoHours, Refusal::OutsideAvailability),
            (hour(10) + TimeDelta::minutes(7), SessionDuration::HalfHour, Refusal::NotOnGrid),
            (now(), SessionDuration::Hour, Refusal::InThePast),
        ];
        for (n, (from, duration, told)) in refused.into_iter().enumerate() {
            let request = BookRequest::new(therapist(), start(from), duration);
            let key = key(&format!("refused-{n}"));
            let actor = as_client(&client());
            let outcome = world.booking.book(&actor, &request, Some(key.clone())).await;
            let tally: super::Tally<_> = [outcome].into_iter().collect();
            assert_eq!(tally.refused, [told]);
            let scope = Scope { record: Some((client(), key)), ..Scope::default() };
            assert_eq!(world.read(&scope).await.record, None);
        }
        assert_eq!(world.everything().await, before);
    }

    /// Neither does a refused change of something that is there.
    async fn refused_changes_write_nothing(world: World) {
        let slots = world.open(&therapist()).await;
        let open = world.book_hour(hour(9)).await.expect("it is free").value.meeting;
        let closed = world.book_hour(hour(12)).await.expect("it is free").value.meeting;
        let actor = as_client(&client());
        let any = ExpectedVersion::Any;
        world.booking.cancel(&actor, closed.id, None, &any).await.expect("it is live");
        let before = world.everything().await;

        let done =
            MeetingPatch { status: Some(MeetingStatus::Completed), ..MeetingPatch::default() };
        let old = ExpectedVersion::OneOf(vec![7]);
        let stranger = as_client(&other_client());
        let mut refused: super::Tally<_> = [
            world.booking.cancel(&actor, closed.id, None, &any).await,
            world.booking.cancel(&actor, open.id, None, &old).await,
            world.booking.cancel(&stranger, open.id, None, &any).await,
            world.booking.update(&actor, open.id, &done, &any).await,
            world.move_to(&closed, hour(14)).await,
        ]
        .into_iter()
        .collect();
        let jane = as_therapist(&therapist());
        let new = NewAvailability { weekday: Weekday::Mon, window: window(0, 60), notes: None };
        let empty =
            AvailabilityPatch { end: WallTime::from_minutes(0), ..AvailabilityPatch::default() };
        let tuesday =
            AvailabilityPatch { weekday: Some(Weekday::Tue), ..AvailabilityPatch::default() };
        let theirs: super::Tally<_> = [
            world.booking.add_availability(&jane, &new, Some(key("k"))).await.map(|a| a.value),
            world.booking.update_availability(&jane, slots[0].id, &empty).await,
            world.booking.update_availability(&jane, slots[0].id, &tuesday).await,
        ]
        .into_iter()
        .collect();
        refused.refused.extend(theirs.refused);
        assert_eq!(refused.refused.len(), 8, "{:?}", refused.refused);
        assert_eq!(world.everything().await, before);
    }

    /// A decision that declines leaves nothing behind, nothing locked, and its reason is passed on.
    async fn a_declined_change_writes_nothing(world: World) {
        let before = world.everything().await;
        let scope = Scope { people: [client(), therapist()].into(), ..Scope::default() };
        for reason in [Decline::Refused(Refusal::MeetingClosed), Decline::ScopeTooNarrow] {
            for _ in 0..12 {
                let declined = world.change(&scope, &|_| Err(reason.clone())).await;
                assert!(matches!(declined, Err(ChangeError::Declined(told)) if told == reason));
            }
        }
        assert_eq!(world.everything().await, before);
        world.insert(&[meeting(&client(), &therapist(), hour(9))]).await;
    }

    /// A decision that panics leaves nothing behind and nothing locked.
    async fn a_panicking_decision_writes_nothing(world: World) {
        let before = world.everything().await;
        for _ in 0..12 {
            let panicking = {
                let world = world.clone();
                tokio::spawn(async move {
                    let people = [client(), therapist()].into();
                    let scope = Scope { people, ..Scope::default() };
                    // Without the hook: nobody wants to read about it.
                    let decide = |_: &_| std::panic::resume_unwind(Box::new("a bug in a rule"));
                    world.change(&scope, &decide).await
                })
            };
            assert!(panicking.await.is_err_and(|failed| failed.is_panic()));
        }
        assert_eq!(world.everything().await, before);
        world.insert(&[meeting(&client(), &therapist(), hour(9))]).await;
    }

    /// An empty change is fine, and changes nothing.
    async fn an_empty_change_writes_nothing(world: World) {
        let before = world.everything().await;
        world.apply(Change::default()).await;
        assert_eq!(world.everything().await, before);
    }

    /// What is returned is what was applied, however often the decision was asked.
    async fn what_is_returned_was_applied(world: World) {
        let scope = Scope { people: [client(), therapist()].into(), ..Scope::default() };
        for n in 0..8 {
            let fresh = |_: &_| {
                let meeting = meeting(&client(), &therapist(), hour(n));
                let events = vec![booked(&meeting)];
                let writes = vec![audited(Write::InsertMeeting(meeting))];
                Ok(Change { writes, events, record: None })
            };
            let applied = world.change(&scope, &fresh).await.expect("the store applies a change");
            let [written] = &applied.writes[..] else { panic!("{applied:?}") };
            let Write::InsertMeeting(meeting) = written.write() else { panic!("{applied:?}") };
            assert!(world.entries().await.contains(written.entry()));
            assert_eq!(world.meeting(meeting.id).await.as_ref(), Some(meeting));
            let last = world.events().await.pop().map(|recorded| recorded.event);
            assert_eq!(last.as_ref(), applied.events.last());
        }
        assert_eq!(world.meetings_of(&client()).await.len(), 8);
        assert_eq!(world.events().await.len(), 8);
    }

    /// Whoever sees an event sees its change, its record, and the other rows of that change.
    async fn an_event_is_seen_with_its_change(world: World) {
        let writer = {
            let world = world.clone();
            tokio::spawn(async move {
                for n in 0..40 {
                    world.apply(everything_at_once(n)).await;
                }
            })
        };
        let mut seen = 0;
        while seen < 40 {
            let events = world.events().await;
            for recorded in &events[seen..] {
                let id = recorded.event.payload.meeting();
                let found =
                    world.meeting(id).await.expect("an event never comes before its change");
                let record = Some((client(), key(found.title.as_str())));
                let scope = Scope { record, ..Scope::default() };
                assert!(world.read(&scope).await.record.is_some(), "nor before its record");
            }
            seen = events.len();
            tokio::task::yield_now().await;
        }
        writer.await.expect("the writer is done");
        assert_eq!(world.hours(&therapist()).await.len(), 40);
    }
}

/// A change with a row of each kind, an event and a record.
pub(super) fn everything_at_once(n: u16) -> Change {
    let mut meeting = meeting(&client(), &therapist(), hour(i64::from(n)));
    meeting.title = super::fixtures::text(&format!("number {n}"));
    let record = Record {
        user: client(),
        key: key(meeting.title.as_str()),
        fingerprint: Fingerprint([7; 32]),
        answer: Answer::Meeting(Box::new(meeting.clone())),
        created_at: now(),
    };
    let hours = slot(&therapist(), Weekday::Mon, window(n, n + 1));
    Change {
        events: vec![booked(&meeting)],
        writes: [Write::InsertMeeting(meeting), Write::InsertAvailability(hours)]
            .map(audited)
            .into(),
        record: Some(record),
    }
}
