//! What databases of earlier versions hold, and what becomes of it.
//!
//! `old/` has dumps of databases that [`write`] had filled when the tables were of that version:
//! by `pg_dump --inserts --no-owner --no-privileges` (without the lines that begin with `\`), and
//! by `.dump` of `sqlite3`. They stay as they are; a later version of the tables gets dumps of its
//! own once there is a still later one.

use std::sync::Arc;

use booking_core::testing::fixtures::{
    as_client, as_therapist, audited, booked, by, client, hour, key, meeting, minute, now,
    other_client, other_therapist, slot, start, text, therapist, user, window,
};
use booking_core::testing::{Harness, World};
use booking_core::{
    Added, AppointmentCancelled, AppointmentCompleted, AppointmentRescheduled, AttendanceStatus,
    AuditAction, AuditQuery, AvailabilityId, AvailabilitySlot, BookRequest, Booking, BookingError,
    Change, CountedIds, DeliveryQuery, Event, EventId, EventPayload, EventQuery, ExpectedVersion,
    Meeting, MeetingId, MeetingStatus, MeetingType, MeetingUrl, Refusal, SessionDuration,
    StoreError, Subscriber, SubscriberId, User, Write,
};
use chrono::{TimeDelta, Weekday};
use chrono_tz::Tz;
use uuid::Uuid;

const NASTY: &str = "Zoë's \"50 %\" — \\n, 👩‍⚕️\n\tand ';DROP TABLE meeting;--";

/// Fills an empty store through its ports.
pub(crate) async fn write(harness: Harness) {
    let world = World::new(harness).await;
    for user in users() {
        world.directory().put_user(&user, by()).await.unwrap();
    }
    world.open(&other_therapist()).await;
    let events = events();
    let writes = meetings().into_iter().map(Write::InsertMeeting);
    let slots = slots().into_iter().map(Write::InsertAvailability);
    let writes = writes.chain(slots).map(audited).collect();
    world.apply(Change { writes, events, record: None }).await;
    // The last one by the service, under a key.
    let answered = once(&world).await.unwrap();
    assert!(!answered.replayed);
}

/// Reads it all back through the ports of the present version, and goes on from there.
pub(crate) async fn check(harness: Harness) {
    let directory = harness.directory.clone();
    for user in users() {
        assert_eq!(directory.user(&user.id).await.unwrap().as_ref(), Some(&user));
    }
    assert!(directory.related(&client(), &therapist()).await.unwrap());
    assert!(!directory.related(&therapist(), &client()).await.unwrap());

    let world = World::new(harness).await;
    let replayed = once(&world).await.unwrap();
    assert!(replayed.replayed, "the request is known by its key, and still the same");
    let by_service = replayed.value.meeting;
    assert_eq!(by_service.start, minute(90));
    for meeting in meetings().iter().chain([&by_service]) {
        assert_eq!(world.meeting(meeting.id).await.as_ref(), Some(meeting));
    }
    let mut listed = meetings();
    listed.push(by_service.clone());
    listed.retain(|meeting| meeting.client == client());
    listed.sort_by_key(|meeting| (meeting.start, meeting.id));
    assert_eq!(world.meetings_of(&client()).await, listed);
    assert_eq!(world.hours(&therapist()).await, slots());

    let mut expected = events();
    let found: Vec<Event> = world.events().await.into_iter().map(|found| found.event).collect();
    let last = found.last().unwrap();
    assert_eq!(last.payload, booked(&by_service).payload);
    expected.push(last.clone());
    assert_eq!(found, expected);
    goes_on(&world).await;
}

/// The events of an earlier version are in the log, under the numbers that they had, whether they
/// were delivered or not; whoever joins gets later ones.
pub(crate) async fn check_log(harness: Harness, events: &[Event], numbers: &[i64]) {
    let outbox = harness.outbox.clone();
    let log = outbox.events(&EventQuery { after: 0, person: None, limit: 10 }).await.unwrap();
    let sequences = log.iter().map(|recorded| i64::try_from(recorded.sequence).unwrap());
    assert!(sequences.eq(numbers.iter().copied()));
    assert!(log.iter().map(|recorded| &recorded.event).eq(events));
    for person in [client(), therapist()] {
        let own = EventQuery { after: log[1].sequence, person: Some(person), limit: 10 };
        assert_eq!(outbox.events(&own).await.unwrap(), log[2..]);
    }
    let last = log.last().unwrap().sequence;
    assert_eq!(outbox.last_sequence().await.unwrap(), last);

    let crm = SubscriberId::new("crm").unwrap();
    let subscriber = Subscriber {
        id: crm.clone(),
        event_types: [].into(),
        is_active: true,
        settings: serde_json::Value::Null,
        created_at: now(),
    };
    assert_eq!(outbox.add_subscriber(&subscriber, by()).await.unwrap(), Added::Done);
    let world = World::new(harness).await;
    world.open(&therapist()).await;
    world.book_hour(hour(9)).await.unwrap();
    world.publish().await;
    let query = DeliveryQuery { subscriber: crm, state: None, before: None, limit: 10 };
    let deliveries = outbox.deliveries(&query).await.unwrap();
    assert!(deliveries.iter().map(|delivery| delivery.event.sequence).eq([last + 1]));
}

/// A store that has nothing in it, and works.
pub(crate) async fn check_empty(harness: Harness) {
    let world = World::new(harness).await;
    assert_eq!(world.events().await, []);
    world.open(&therapist()).await;
    world.book_hour(hour(0)).await.unwrap();
}

/// The program says what is wrong, and what is to be done.
pub(crate) fn assert_later(error: Option<StoreError>) {
    let Some(StoreError::Corrupt(cause)) = error else { panic!("{error:?}") };
    let told = cause.to_string();
    assert!(told.contains("of version 9999") && told.contains("later version"), "{told}");
}

/// What was booked before is in the way, what was cancelled is not, and what is live can be changed.
async fn goes_on(world: &World) {
    let before = world.events().await.last().unwrap().sequence;
    let live = &meetings()[0];
    let refused = world.book(&client(), &other_therapist(), live.start, live.duration).await;
    assert!(matches!(refused, Err(BookingError::Refused(Refusal::SlotConflict))), "{refused:?}");
    let cancelled = &meetings()[3];
    let place = (cancelled.start, cancelled.duration);
    world.book(&client(), &other_therapist(), place.0, place.1).await.unwrap();
    let (jane, any) = (as_therapist(&therapist()), ExpectedVersion::OneOf(vec![live.version]));
    world.booking.cancel(&jane, live.id, None, &any).await.unwrap();
    world.book(&client(), &other_therapist(), live.start, live.duration).await.unwrap();
    let after = world.events().await;
    let news: Vec<u64> = after.iter().map(|new| new.sequence).filter(|new| *new > before).collect();
    assert_eq!(news.len(), 3, "what is new comes after what was there");
    let cancelled = AuditQuery { subject: Some(live.id.to_string()), ..AuditQuery::latest(10) };
    let entries = world.audit().entries(&cancelled).await.unwrap();
    let is_on_record = entries.iter().any(|entry| entry.action == AuditAction::MeetingCancelled);
    assert!(is_on_record, "{entries:#?}");
    world.assert_no_overlap().await;
}

/// Books with [`other_therapist`] under a key, or is answered as it was then.
async fn once(
    world: &World,
) -> Result<booking_core::Answered<booking_core::MeetingView>, BookingError> {
    let ids = Arc::new(CountedIds::default());
    let booking = Booking::new(world.store(), world.directory(), world.clock.clone(), ids);
    let mut request =
        BookRequest::new(other_therapist(), start(minute(90)), SessionDuration::HourAndHalf);
    request.title = Some(text(NASTY));
    booking.book(&as_client(&client()), &request, Some(key("an old key; with a %"))).await
}

fn users() -> Vec<User> {
    let mut jane = user(&therapist());
    jane.zone = Some(Tz::Europe__Berlin);
    jane.last_name = text("Müller-O'Brien");
    vec![jane, user(&client())]
}

fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(0x018c_0000_0000_7000_8000_0000_0000_0000 + n)
}

/// One in each status, of each type and length, with and without what may be left out.
fn meetings() -> Vec<Meeting> {
    let mut meetings: Vec<Meeting> = (0..5)
        .map(|n| Meeting {
            id: MeetingId::from_uuid(uuid(n)),
            status: MeetingStatus::ALL[usize::try_from(n).unwrap()],
            ..meeting(&client(), &therapist(), hour(10 + 3 * i64::try_from(n).unwrap()))
        })
        .collect();
    let [first, second, third, fourth, _] = &mut meetings[..] else { unreachable!() };
    first.version = 7;
    first.updated_at = now() + TimeDelta::milliseconds(1);
    first.meeting_url = Some(MeetingUrl::new("https://example.com/a?b=%20#c").unwrap());
    (second.title, second.description) = (text(NASTY), Some(text("")));
    (second.meeting_type, second.duration) = (MeetingType::Audio, SessionDuration::HalfHour);
    third.session_notes = Some(text(NASTY));
    (third.meeting_type, third.duration) = (MeetingType::InPerson, SessionDuration::TwoHours);
    third.client = other_client();
    (fourth.meeting_type, fourth.title) = (MeetingType::Chat, text(""));
    meetings
}

fn slots() -> Vec<AvailabilitySlot> {
    let mut slots = vec![
        slot(&therapist(), Weekday::Sun, window(0, 1_440)),
        slot(&therapist(), Weekday::Mon, window(540, 720)),
        slot(&therapist(), Weekday::Mon, window(720, 1_439)),
    ];
    for (n, slot) in (100..).zip(&mut slots) {
        slot.id = AvailabilityId::from_uuid(uuid(n));
    }
    slots[1].notes = Some(text(NASTY));
    slots[2].is_available = false;
    slots
}

/// Of each kind. In the dump of version 1, which knew of that, the first is delivered.
fn events() -> Vec<Event> {
    let all = meetings();
    let moved = AppointmentRescheduled {
        appointment_id: all[1].id,
        client_id: client(),
        therapist_id: therapist(),
        rescheduled_by: client(),
        original_start_time: hour(1),
        new_start_time: all[1].start,
        reschedule_reason: NASTY.to_owned(),
    };
    let completed = AppointmentCompleted {
        appointment_id: all[2].id,
        client_id: other_client(),
        therapist_id: therapist(),
        completed_at: all[2].start + TimeDelta::milliseconds(1),
        duration: all[2].duration,
        session_notes: NASTY.to_owned(),
        attendance_status: AttendanceStatus::Attended,
    };
    let cancelled = AppointmentCancelled {
        appointment_id: all[3].id,
        client_id: client(),
        therapist_id: therapist(),
        cancelled_by: therapist(),
        cancellation_reason: String::new(),
        original_start_time: all[3].start,
        cancelled_at: now(),
        // No number of digits is enough for a third.
        cancellation_notice: 1.0 / 3.0,
    };
    let missed = AppointmentCompleted {
        appointment_id: all[4].id,
        client_id: client(),
        attendance_status: AttendanceStatus::NoShow,
        ..completed.clone()
    };
    let payloads = [
        booked(&all[0]).payload,
        booked(&all[1]).payload,
        EventPayload::AppointmentRescheduled(moved),
        EventPayload::AppointmentCompleted(completed),
        EventPayload::AppointmentCancelled(cancelled),
        EventPayload::AppointmentCompleted(missed),
    ];
    let event =
        |(n, payload)| Event { id: EventId::from_uuid(uuid(n)), payload, ..booked(&all[0]) };
    (200..).zip(payloads).map(event).collect()
}
