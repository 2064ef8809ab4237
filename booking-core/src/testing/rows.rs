//! What is written is read back, field for field.

use chrono::{TimeDelta, Weekday};

use super::cases;
use super::fixtures::{
    at, client, hour, id, meeting, now, other_client, other_therapist, slot, text, therapist, user,
    window,
};
use crate::{
    AvailabilitySlot, Meeting, MeetingStatus, MeetingType, MeetingUrl, Scope, SessionDuration,
    Span, UserId, WEEKDAYS, Write,
};

/// Quotes of all kinds, patterns and escapes of SQL and JSON, several planes of Unicode, both
/// directions of writing, a combining accent, and the two control characters that are allowed.
pub(super) const NASTY: &str = "'; DROP TABLE meeting; -- \"%_\\\\u0000\\\" $1 ?1 :a @b \n\t ü é é 漢字 🧑🏽‍🚀 שלום \u{202e}\u{feff}";

cases! {
    ($) conformance_rows in rows:

    /// Every status, way to meet and duration, with and without everything optional.
    async fn meetings_come_back_as_written(world: World) {
        let mut written = Vec::new();
        for status in MeetingStatus::ALL {
            for meeting_type in MeetingType::ALL {
                for duration in SessionDuration::ALL {
                    let n = i64::try_from(written.len()).expect("small");
                    let mut meeting = meeting(&client(), &therapist(), hour(2 * n));
                    (meeting.status, meeting.meeting_type) = (*status, *meeting_type);
                    (meeting.duration, meeting.version) = (duration, 1 + n.unsigned_abs());
                    meeting.created_at = now() + TimeDelta::milliseconds(7 * n);
                    meeting.updated_at = now() + TimeDelta::milliseconds(7 * n + 1);
                    fill(&mut meeting, n);
                    written.push(meeting);
                }
            }
        }
        world.insert(&written).await;
        for meeting in &written {
            assert_eq!(world.meeting(meeting.id).await.as_ref(), Some(meeting));
        }
        assert_eq!(world.meetings_of(&client()).await, written);
        assert_eq!(world.meetings_of(&therapist()).await, written);
    }

    /// The longest texts, the strangest ones, and empty ones, which are not the same as none.
    async fn texts_come_back_as_written(world: World) {
        let long = |max: usize| "🦀".repeat(max);
        let mut full = meeting(&client(), &therapist(), hour(1));
        full.title = text(&long(200));
        full.description = Some(text(&long(5_000)));
        full.session_notes = Some(text(&long(20_000)));
        let url = format!("https://example.com/{}", "x".repeat(1_980));
        full.meeting_url = Some(MeetingUrl::new(url).expect("a URL"));
        let mut empty = meeting(&client(), &therapist(), hour(2));
        empty.title = text("");
        (empty.description, empty.session_notes) = (Some(text("")), Some(text("")));
        let mut nasty = meeting(&client(), &therapist(), hour(3));
        nasty.title = text(NASTY);
        (nasty.description, nasty.session_notes) = (Some(text(NASTY)), Some(text(NASTY)));
        let mut notes = slot(&therapist(), Weekday::Fri, window(0, 1));
        notes.notes = Some(text(NASTY));

        let written = [full, empty, nasty];
        world.insert(&written).await;
        world.write([Write::InsertAvailability(notes.clone())]).await;
        assert_eq!(world.meetings_of(&client()).await, written);
        assert_eq!(world.slot(notes.id).await, Some(notes));
    }

    /// The first and the last instants that can be written, and those before 1970.
    async fn instants_come_back_as_written(world: World) {
        let starts = [
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00Z",
            "1582-10-10T12:30:00Z",
            "1969-12-31T23:00:00Z",
            "1970-01-01T00:00:00Z",
            "2038-01-19T03:14:00Z",
            "9999-12-31T21:00:00Z",
            "9999-12-31T23:30:00Z",
        ];
        let mut written = Vec::new();
        for start in starts {
            let mut meeting = meeting(&client(), &therapist(), at(start));
            meeting.duration = SessionDuration::HalfHour;
            meeting.created_at = at(start) - TimeDelta::milliseconds(999);
            meeting.updated_at = at(start) + TimeDelta::milliseconds(1);
            written.push(meeting);
        }
        world.insert(&written).await;
        assert_eq!(world.meetings_of(&client()).await, written);
        for meeting in &written {
            let scope = Scope {
                people: [therapist()].into(),
                busy_within: Span::new(meeting.start, meeting.start + TimeDelta::minutes(1)).into(),
                ..Scope::default()
            };
            let busy = world.read(&scope).await.busy;
            assert_eq!(busy.iter().map(|busy| busy.meeting).collect::<Vec<_>>(), [meeting.id]);
        }
    }

    /// Ids of users are opaque: any visible ASCII, any length up to 128, in any case.
    async fn strange_user_ids_are_kept_apart(world: World) {
        let all: String = (b'!'..=b'~').map(char::from).collect();
        let odd = ["\"", "'", "\\", "%", "[1]", "null", "a", "A", "1", "01", "therapist_456 "];
        let mut ids: Vec<UserId> = odd.iter().filter_map(|odd| UserId::new(odd).ok()).collect();
        ids.extend([id(&all), id(&"x".repeat(128)), id(&"x".repeat(127))]);
        let written: Vec<Meeting> =
            ids.iter().map(|person| meeting(person, &id("t"), hour(3))).collect();
        // All at one time: only one can be live.
        let cancelled = |m: &Meeting| Meeting { status: MeetingStatus::Cancelled, ..m.clone() };
        for (person, meeting) in ids.iter().zip(&written) {
            world.insert(std::slice::from_ref(meeting)).await;
            let scope = Scope {
                people: [person.clone()].into(),
                busy_within: meeting.span().into(),
                ..Scope::default()
            };
            let busy = world.read(&scope).await.busy;
            assert_eq!(busy.len(), 1, "{person}");
            assert_eq!(busy[0].client, *person);
            assert_eq!(world.meetings_of(person).await, std::slice::from_ref(meeting));
            world.write([Write::UpdateMeeting(cancelled(meeting))]).await;
            assert_eq!(world.read(&scope).await.busy, []);
        }
    }

    /// Weekly windows up to 24:00 on every day, on or off; listed by day from Sunday and by start.
    async fn availability_comes_back_as_written(world: World) {
        let windows = [(0, 1), (1, 540), (540, 720), (720, 1_439), (1_439, 1_440)];
        let mut written = Vec::new();
        for weekday in WEEKDAYS {
            for (from, to) in windows {
                let n = i64::try_from(written.len()).expect("small");
                let mut slot = slot(&therapist(), weekday, window(from, to));
                slot.is_available = n % 2 == 0;
                slot.notes = (n % 3 != 0).then(|| text(["", "By appointment"][from as usize % 2]));
                slot.created_at = now() - TimeDelta::milliseconds(n);
                slot.updated_at = now() + TimeDelta::milliseconds(n);
                written.push(slot);
            }
        }
        let other = slot(&other_therapist(), Weekday::Wed, window(0, 1_440));
        let shuffled = written.iter().rev().chain([&other]).cloned();
        world.write(shuffled.map(Write::InsertAvailability)).await;
        assert_eq!(world.hours(&therapist()).await, written);
        for slot in &written {
            assert_eq!(world.slot(slot.id).await.as_ref(), Some(slot));
        }
        assert_eq!(world.hours(&other_therapist()).await, [other]);
        assert_eq!(world.hours(&client()).await, []);
    }

    /// An updated meeting has nothing left of what it was, and others stay as they are.
    async fn an_update_replaces_a_meeting(world: World) {
        let mut before = meeting(&client(), &therapist(), hour(10));
        fill(&mut before, 3);
        let mut neighbour = meeting(&client(), &therapist(), hour(12));
        fill(&mut neighbour, 3);
        world.insert(&[before.clone(), neighbour.clone()]).await;

        let mut after = meeting(&other_client(), &other_therapist(), hour(20));
        (after.id, after.version) = (before.id, 2);
        (after.status, after.meeting_type) = (MeetingStatus::NoShow, MeetingType::Chat);
        (after.duration, after.title) = (SessionDuration::HalfHour, text("Another"));
        after.updated_at = now() + TimeDelta::days(1);
        world.write([Write::UpdateMeeting(after.clone())]).await;
        assert_eq!(world.meeting(before.id).await.as_ref(), Some(&after));
        for person in [client(), therapist()] {
            assert_eq!(world.meetings_of(&person).await, std::slice::from_ref(&neighbour));
        }
        for person in [other_client(), other_therapist()] {
            assert_eq!(world.meetings_of(&person).await, std::slice::from_ref(&after));
        }

        fill(&mut after, 3);
        world.write([Write::UpdateMeeting(after.clone())]).await;
        assert_eq!(world.meeting(before.id).await, Some(after));
    }

    /// The same for availability.
    async fn an_update_replaces_availability(world: World) {
        let mut before = slot(&therapist(), Weekday::Mon, window(540, 720));
        before.notes = Some(text("Mornings"));
        let neighbour = slot(&therapist(), Weekday::Mon, window(720, 1_020));
        world
            .write([&before, &neighbour].map(|slot| Write::InsertAvailability(slot.clone())))
            .await;
        let after = AvailabilitySlot {
            weekday: Weekday::Sat,
            window: window(600, 1_440),
            is_available: false,
            notes: None,
            updated_at: now() + TimeDelta::milliseconds(1),
            ..before.clone()
        };
        world.write([Write::UpdateAvailability(after.clone())]).await;
        assert_eq!(world.slot(before.id).await.as_ref(), Some(&after));
        assert_eq!(world.hours(&therapist()).await, [neighbour, after]);
    }

    /// A deleted slot is gone, the others are not, and its place is free again.
    async fn deleted_availability_is_gone(world: World) {
        let monday = slot(&therapist(), Weekday::Mon, window(540, 720));
        let tuesday = slot(&therapist(), Weekday::Tue, window(540, 720));
        world.write([&monday, &tuesday].map(|slot| Write::InsertAvailability(slot.clone()))).await;
        world.write([Write::DeleteAvailability(monday.id)]).await;
        assert_eq!(world.slot(monday.id).await, None);
        assert_eq!(world.hours(&therapist()).await, std::slice::from_ref(&tuesday));
        let again = slot(&therapist(), Weekday::Mon, window(600, 660));
        world.write([Write::InsertAvailability(again.clone())]).await;
        assert_eq!(world.hours(&therapist()).await, [again, tuesday]);
    }

    /// Writes apply in their order: a window may take the place of one that goes.
    async fn writes_apply_in_order(world: World) {
        let before = slot(&therapist(), Weekday::Mon, window(540, 720));
        let instead = slot(&therapist(), Weekday::Mon, window(500, 700));
        world.write([Write::InsertAvailability(before.clone())]).await;
        world
            .write([
                Write::DeleteAvailability(before.id),
                Write::InsertAvailability(instead.clone()),
            ])
            .await;
        assert_eq!(world.hours(&therapist()).await, [instead]);
    }

    /// What the directory holds comes back as it was put.
    async fn users_come_back_as_put(world: World) {
        let mut world = world;
        let mut odd = user(&id("therapist_odd"));
        (odd.first_name, odd.last_name) = (text(NASTY), text(""));
        odd.zone = Some(chrono_tz::America::Argentina::ComodRivadavia);
        world.put_user(&odd).await;
        let found = world.directory().user(&odd.id).await.expect("the directory answers");
        assert_eq!(found, Some(odd));
    }
}

/// Everything optional, by the bits of `n`.
fn fill(meeting: &mut Meeting, n: i64) {
    let url = || MeetingUrl::new(format!("https://example.com/room/{n}?a=b#c")).expect("a URL");
    meeting.title = text(&format!("Session {n}"));
    meeting.description = (n & 1 != 0).then(|| text(&format!("About {n}")));
    meeting.meeting_url = (n & 2 != 0).then(url);
    meeting.session_notes = (n & 3 != 0).then(|| text(&format!("Notes {n}")));
}
