//! What was not written into linked calendars is not forgotten.

use super::fixtures::{by, hour, other_therapist, text, therapist};
use super::linked::{add, at, busy_of, claim_one, copied_at, found, link, set};
use super::{World, cases};
use crate::{
    BusyTimes, CalendarKind, Copied, CopyFault, CopyState, Linked, LinkedCalendar,
    LinkedCalendarId, SealedLocation, Span, Unwritten, UserId, WriteBack,
};

cases! {
    ($) conformance_unwritten in unwritten:

    /// It is counted, and its fault shows; but it is read as before, and whoever is writing all of them
    /// anew goes on where they are.
    async fn what_was_not_written_is_noted(world: World) {
        let begun = CopyState { written_to: Some(at(7)), failures: 2, ..copied_at(3, at(900)) };
        let one = LinkedCalendar { copy: begun.clone(), ..written(&therapist()) };
        let [other, theirs] = [written(&therapist()), written(&other_therapist())];
        let read_only = link(&therapist());
        for link in [&one, &other, &theirs, &read_only] {
            assert_eq!(add(&world, link).await, Linked::Done);
        }
        note(&world, Some(one.id), CopyFault::Status).await;
        note(&world, Some(one.id), CopyFault::Unauthorized).await;
        note(&world, Some(read_only.id), CopyFault::Status).await;
        note(&world, Some(written(&therapist()).id), CopyFault::Status).await;
        let fault = Some((CopyFault::Unauthorized, text("unauthorized")));
        let copy = CopyState { unwritten: 2, fault, ..begun };
        assert_eq!(state(&world, &one).await, copy);
        for same in [&other, &theirs, &read_only] {
            assert_eq!(state(&world, same).await, same.copy);
        }
        note(&world, None, CopyFault::Sealed).await;
        for (link, unwritten) in [(&one, 3), (&other, 1), (&theirs, 1)] {
            let CopyState { unwritten: counted, fault, next_at, .. } = state(&world, link).await;
            assert_eq!((counted, next_at), (unwritten, link.copy.next_at));
            assert_eq!(fault, Some((CopyFault::Sealed, text("sealed"))));
        }
        assert_eq!(state(&world, &read_only).await, read_only.copy);
    }

    /// Somebody has written all of them anew, and something was not written meanwhile: it still is not.
    /// Their copy counts all the same.
    async fn a_copy_makes_good_what_was_before_its_claim(world: World) {
        let linked = written(&therapist());
        assert_eq!(add(&world, &linked).await, Linked::Done);
        note(&world, Some(linked.id), CopyFault::Status).await;
        let all = Span::new(hour(-24), hour(24)).expect("a span");
        let times = BusyTimes::within(all, &set(&[(hour(3), hour(4))])).expect("one");
        let whole = |next_at| copied_at(1, at(next_at));

        let claimed = claim_one(&world, at(0), at(10)).await;
        assert_eq!(claimed.copy.unwritten, 1);
        note(&world, Some(linked.id), CopyFault::Unauthorized).await;
        let copied = world.links().copied(&claimed, &whole(20), Some(&times)).await;
        assert_eq!(copied.expect("the store takes copies"), Copied::Changed);
        assert_eq!(busy_of(&world, &therapist()).await, set(&[(hour(3), hour(4))]));
        let unauthorized = Some((CopyFault::Unauthorized, text("unauthorized")));
        let since = CopyState { unwritten: 1, fault: unauthorized, ..whole(20) };
        assert_eq!(state(&world, &linked).await, since);

        // One that was left half done, while something else was not written.
        let claimed = claim_one(&world, at(20), at(30)).await;
        let timed_out = Some((CopyFault::TimedOut, text("half")));
        let half = |next_at| CopyState {
            unwritten: 2,
            written_to: Some(at(5)),
            fault: timed_out.clone(),
            ..whole(next_at)
        };
        note(&world, None, CopyFault::Status).await;
        let copied = world.links().copied(&claimed, &half(40), None).await;
        assert_eq!(copied.expect("the store takes copies"), Copied::Same);
        // Why it is half done would be forgotten with the other half.
        let status = Some((CopyFault::Status, text("status")));
        let expected = CopyState { unwritten: 3, fault: status, ..half(40) };
        assert_eq!(state(&world, &linked).await, expected);

        // And undisturbed: half done, and all.
        for (due, noted) in [(40, half(60)), (60, whole(80))] {
            let claimed = claim_one(&world, at(due), at(due + 10)).await;
            let copied = world.links().copied(&claimed, &noted, None).await;
            assert_eq!(copied.expect("the store takes copies"), Copied::Same);
            assert_eq!(state(&world, &linked).await, noted);
        }

        // Its owner has to know first that it cannot be read.
        let claimed = claim_one(&world, at(80), at(90)).await;
        let unread = CopyState { failures: 1, fault: timed_out, ..whole(100) };
        note(&world, Some(linked.id), CopyFault::Status).await;
        let copied = world.links().copied(&claimed, &unread, None).await;
        assert_eq!(copied.expect("the store takes copies"), Copied::Same);
        let expected = CopyState { unwritten: 1, ..unread };
        assert_eq!(state(&world, &linked).await, expected);
    }

    /// Somewhere else, nothing has been written yet.
    async fn a_link_that_changes_is_written_anew(world: World) {
        let half = CopyState { unwritten: 1, written_to: Some(at(7)), ..copied_at(3, at(900)) };
        let linked = LinkedCalendar { copy: half.clone(), ..written(&therapist()) };
        assert_eq!(add(&world, &linked).await, Linked::Done);
        assert_eq!(state(&world, &linked).await, half);
        let elsewhere = LinkedCalendar { copy: CopyState::due(at(5)), ..linked.clone() };
        let elsewhere =
            LinkedCalendar { version: 2, location: SealedLocation(vec![9]), ..elsewhere };
        assert!(world.links().relink(&elsewhere, by()).await.expect("the store changes links"));
        let expected = CopyState { written_to: None, next_at: at(5), ..half };
        assert_eq!(state(&world, &linked).await, expected);
    }
}

fn written(therapist: &UserId) -> LinkedCalendar {
    let link = link(therapist);
    LinkedCalendar { kind: CalendarKind::CalDav, write_back: WriteBack::On, ..link }
}

async fn note(world: &World, link: Option<LinkedCalendarId>, fault: CopyFault) {
    let what = Unwritten { link, fault, detail: text(fault.as_str()) };
    world.links().unwritten(&what).await.expect("the store takes notes");
}

async fn state(world: &World, link: &LinkedCalendar) -> CopyState {
    found(world, link.id).await.expect("it is there").copy
}
