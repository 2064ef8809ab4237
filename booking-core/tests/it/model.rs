//! What people do in a practice, at random, and what the contract says must come of it.
//!
//! The model knows nothing of how decisions are made: it compares what is stored before and after,
//! and says which events that difference is worth.

use std::collections::BTreeMap;

use booking_core::{
    Actor, AvailabilityPatch, AvailabilitySlot, BookRequest, Meeting, MeetingId, MeetingPatch,
    MeetingQuery, MeetingStatus, MeetingTexts, MeetingType, Patch, Refusal, Role, SessionDuration,
    StartTime, Store, Window,
};
use chrono::{DateTime, TimeDelta, Utc, Weekday};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use crate::world::{Outcome, World, actor, monday, text};

/// Somebody who asks, seen from a meeting.
#[derive(Debug, Clone)]
pub(crate) enum By {
    Client,
    Therapist,
    Anybody(Actor),
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Book(Actor, BookRequest),
    Put(By, Index, MeetingPatch),
    Cancel(By, Index, Option<&'static str>),
    Open(Actor, Weekday, &'static str, &'static str),
    Toggle(Actor, Index),
    Close(Actor, Index),
    Wait(TimeDelta),
}

fn ann() -> Actor {
    actor("ann", Role::Client)
}

fn bob() -> Actor {
    actor("bob", Role::Client)
}

fn tess() -> Actor {
    actor("tess", Role::Therapist)
}

fn tom() -> Actor {
    actor("tom", Role::Therapist)
}

/// Tom is a therapist, and Tess's client.
fn tom_as_client() -> Actor {
    actor("tom", Role::Client)
}

pub(crate) fn people() -> [Actor; 4] {
    [ann(), bob(), tess(), tom()]
}

/// Monday, 06:00: both therapists receive on Mondays and Tuesdays, and Bob does not know Tom.
pub(crate) fn practice() -> World {
    let world = World::with_nobody();
    people().iter().for_each(|person| world.introduce(person));
    for (client, therapist) in [(ann(), tess()), (ann(), tom()), (bob(), tess()), (tom(), tess())] {
        world.relate(&client, &therapist);
    }
    for (therapist, weekday) in
        [tess(), tom()].iter().flat_map(|t| [(t, Weekday::Mon), (t, Weekday::Tue)])
    {
        world.open(therapist, weekday, "09:00", "12:00").expect("free hours");
    }
    world.set_clock(monday("06:00"));
    world
}

fn anybody() -> impl Strategy<Value = Actor> {
    select(vec![ann(), bob(), tess(), tom(), tom_as_client()])
}

fn therapist() -> impl Strategy<Value = Actor> {
    select(vec![tess(), tom()])
}

fn by() -> impl Strategy<Value = By> {
    prop_oneof![4 => Just(By::Client), 4 => Just(By::Therapist), 1 => anybody().prop_map(By::Anybody)]
}

/// Mostly on the grid of the morning of Monday or Tuesday.
fn start() -> impl Strategy<Value = StartTime> {
    let minutes = prop_oneof![8 => (0..7_i64).prop_map(|n| n * 30), 1 => -40..200_i64];
    (0..2_i64, minutes).prop_map(|(day, minutes)| {
        let instant = monday("09:00") + TimeDelta::days(day) + TimeDelta::minutes(minutes);
        StartTime::new(instant).expect("a whole minute")
    })
}

fn duration() -> impl Strategy<Value = SessionDuration> {
    select(&SessionDuration::ALL[..])
}

prop_compose! {
    fn request()(
        by in anybody(),
        client in select(vec![ann(), bob(), tom()]),
        therapist in therapist(),
        start in start(),
        duration in duration(),
        status in prop_oneof![4 => Just(None), 1 => select(MeetingStatus::ALL).prop_map(Some)],
        meeting_type in option::of(select(MeetingType::ALL)),
        title in option::of(Just(text("Grief"))),
        description in option::of(Just(text("As agreed"))),
    ) -> Step {
        let client = (by.role == Role::Therapist).then(|| client.id.clone());
        let therapist = if by.role == Role::Therapist { by.clone() } else { therapist };
        let new = BookRequest::new(therapist.id, start, duration);
        Step::Book(by, BookRequest { client, status, meeting_type, title, description, ..new })
    }
}

prop_compose! {
    fn patch()(
        start in option::weighted(0.4, start()),
        duration in option::weighted(0.2, duration()),
        status in option::weighted(0.5, select(MeetingStatus::ALL)),
        therapist in option::weighted(0.1, therapist()),
        title in option::weighted(0.2, select(vec!["Grief", "Joy"])),
        notes in option::weighted(0.1, select(vec!["calm", "tired"])),
        reason in option::weighted(0.3, Just("rain")),
    ) -> MeetingPatch {
        MeetingPatch {
            start,
            duration,
            status,
            therapist: therapist.map(|therapist| therapist.id),
            title: title.map(text),
            session_notes: notes.map_or(Patch::Keep, |notes| Patch::Set(text(notes))),
            reason: reason.map(text),
            ..MeetingPatch::default()
        }
    }
}

/// A patch of one field or two, of which more come through.
fn small_patch() -> impl Strategy<Value = MeetingPatch> {
    let status = select(MeetingStatus::ALL);
    prop_oneof![
        start().prop_map(|start| MeetingPatch { start: Some(start), ..Default::default() }),
        status.prop_map(|status| MeetingPatch { status: Some(status), ..Default::default() }),
        therapist().prop_map(|t| MeetingPatch { therapist: Some(t.id), ..Default::default() }),
        patch(),
    ]
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    let weekday = select(vec![Weekday::Mon, Weekday::Tue]);
    let window = select(vec![("08:00", "09:00"), ("10:10", "11:40"), ("12:00", "13:00")]);
    let reason = option::of(Just("rain"));
    prop_oneof![
        10 => request(),
        12 => (by(), index(), small_patch()).prop_map(|(by, at, patch)| Step::Put(by, at, patch)),
        3 => (by(), index(), reason).prop_map(|(by, at, reason)| Step::Cancel(by, at, reason)),
        1 => (therapist(), weekday, window).prop_map(|(t, day, (from, to))| Step::Open(t, day, from, to)),
        1 => (therapist(), index()).prop_map(|(therapist, at)| Step::Toggle(therapist, at)),
        1 => (therapist(), index()).prop_map(|(therapist, at)| Step::Close(therapist, at)),
        2 => (1..9_000_i64).prop_map(|seconds| Step::Wait(TimeDelta::seconds(seconds))),
    ]
}

/// All there is, by id.
pub(crate) type Snapshot = BTreeMap<MeetingId, Meeting>;

pub(crate) fn snapshot(world: &World) -> Snapshot {
    let query = |person: Actor| MeetingQuery {
        person: person.id,
        statuses: Default::default(),
        from: None,
        to: None,
        after: None,
        limit: 10_000,
        texts: MeetingTexts::Whole,
    };
    let of = |person| world.run(world.store.meetings(&query(person))).expect("memory holds");
    people().into_iter().flat_map(of).map(|meeting| (meeting.id, meeting)).collect()
}

pub(crate) fn slots_of(world: &World, therapist: &Actor) -> Vec<AvailabilitySlot> {
    world.try_to(async |booking| booking.availability(therapist).await).expect("a therapist")
}

/// The windows that count.
pub(crate) fn windows_of(world: &World, therapist: &Actor) -> Vec<(Weekday, Window)> {
    let slots = slots_of(world, therapist).into_iter().filter(|slot| slot.is_available);
    slots.map(|slot| (slot.weekday, slot.window)).collect()
}

/// What was asked for, once it is clear by whom and about what.
pub(crate) struct Attempt {
    pub(crate) by: Actor,
    pub(crate) about: Option<Meeting>,
    pub(crate) reason: Option<String>,
    pub(crate) outcome: Outcome<Option<Meeting>>,
}

/// Takes a step; `None` where there is nothing to take it with.
pub(crate) fn take(world: &World, step: &Step, before: &Snapshot) -> Option<Attempt> {
    let nothing = |by: &Actor, outcome: Outcome<()>| {
        let outcome = outcome.map(|()| None);
        Some(Attempt { by: by.clone(), about: None, reason: None, outcome })
    };
    let pick = |index: &Index| (!before.is_empty()).then(|| index.get(&ids(before)).to_owned());
    let who = |by: &By, meeting: &Meeting| match by {
        By::Client => actor(meeting.client.as_str(), Role::Client),
        By::Therapist => actor(meeting.therapist.as_str(), Role::Therapist),
        By::Anybody(actor) => actor.clone(),
    };
    match step {
        Step::Book(by, request) => {
            let outcome = world.book(by, request).map(Some);
            Some(Attempt { by: by.clone(), about: None, reason: None, outcome })
        }
        Step::Put(by, index, patch) => {
            let about = before[&pick(index)?].clone();
            let by = who(by, &about);
            let outcome = world.put(&by, about.id, patch).map(Some);
            let reason = patch.reason.as_ref().map(|reason| reason.as_str().to_owned());
            Some(Attempt { by, about: Some(about), reason, outcome })
        }
        Step::Cancel(by, index, reason) => {
            let about = before[&pick(index)?].clone();
            let by = who(by, &about);
            let outcome = world.cancel(&by, about.id, *reason).map(Some);
            Some(Attempt { by, about: Some(about), reason: reason.map(str::to_owned), outcome })
        }
        Step::Open(by, weekday, from, to) => {
            nothing(by, world.open(by, *weekday, from, to).map(|_| ()))
        }
        Step::Toggle(by, index) => {
            let slots = slots_of(world, by);
            let slot = (!slots.is_empty()).then(|| index.get(&slots))?;
            let is_available = Some(!slot.is_available);
            let patch = AvailabilityPatch { is_available, ..AvailabilityPatch::default() };
            let toggle = world.try_to(async |b| b.update_availability(by, slot.id, &patch).await);
            nothing(by, toggle.map(|_| ()))
        }
        Step::Close(by, index) => {
            let slots = slots_of(world, by);
            let slot = (!slots.is_empty()).then(|| index.get(&slots))?;
            nothing(by, world.try_to(async |b| b.delete_availability(by, slot.id).await))
        }
        Step::Wait(time) => {
            world.clock.advance(*time);
            None
        }
    }
}

fn ids(snapshot: &Snapshot) -> Vec<MeetingId> {
    snapshot.keys().copied().collect()
}

/// Whether a refusal is one of those that concern the time of a meeting.
pub(crate) fn is_about_time(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::InThePast
            | Refusal::OutsideAvailability
            | Refusal::NotOnGrid
            | Refusal::SlotConflict
    )
}

fn iso(instant: DateTime<Utc>) -> String {
    instant.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// What a change of one meeting is worth, by the interfaces of the contract.
pub(crate) fn events_of(
    all_before: &Snapshot,
    before: Option<&Meeting>,
    after: &Meeting,
    attempt: &Attempt,
    now: DateTime<Utc>,
) -> Vec<Value> {
    let Some(before) = before else { return vec![booked(all_before, after)] };
    let side = if attempt.by.id == before.therapist { "therapist" } else { "client" };
    let why = |what: &str| attempt.reason.clone().unwrap_or(format!("{what} by {side}"));
    let cancelled = || {
        let seconds = (before.start - now).num_seconds().max(0);
        json!({"type": "AppointmentCancelled", "data": {
            "appointmentId": before.id.to_string(),
            "clientId": before.client.as_str(),
            "therapistId": before.therapist.as_str(),
            "cancelledBy": attempt.by.id.as_str(),
            "cancellationReason": why("Cancelled"),
            "originalStartTime": iso(before.start),
            "cancelledAt": iso(now),
            "cancellationNotice": seconds as f64 / 3_600.0,
        }})
    };
    if before.therapist != after.therapist {
        return vec![cancelled(), booked(all_before, after)];
    }
    if (before.start, before.duration) != (after.start, after.duration) {
        return vec![json!({"type": "AppointmentRescheduled", "data": {
            "appointmentId": after.id.to_string(),
            "clientId": after.client.as_str(),
            "therapistId": after.therapist.as_str(),
            "rescheduledBy": attempt.by.id.as_str(),
            "originalStartTime": iso(before.start),
            "newStartTime": iso(after.start),
            "rescheduleReason": why("Rescheduled"),
        }})];
    }
    let attendance = match after.status {
        status if status == before.status => return vec![],
        MeetingStatus::Scheduled | MeetingStatus::Confirmed => return vec![],
        MeetingStatus::Cancelled => return vec![cancelled()],
        MeetingStatus::Completed => "ATTENDED",
        MeetingStatus::NoShow => "NO_SHOW",
    };
    vec![json!({"type": "AppointmentCompleted", "data": {
        "appointmentId": after.id.to_string(),
        "clientId": after.client.as_str(),
        "therapistId": after.therapist.as_str(),
        "completedAt": iso(now),
        "duration": after.duration.minutes(),
        "sessionNotes": after.session_notes.as_ref().map_or("", |notes| notes.as_str()),
        "attendanceStatus": attendance,
    }})]
}

fn booked(all_before: &Snapshot, after: &Meeting) -> Value {
    let met = all_before.values().any(|other| {
        (&other.client, &other.therapist) == (&after.client, &after.therapist)
            && other.start < after.start
            && other.status != MeetingStatus::Cancelled
    });
    let mut event = json!({"type": "AppointmentBooked", "data": {
        "appointmentId": after.id.to_string(),
        "clientId": after.client.as_str(),
        "therapistId": after.therapist.as_str(),
        "startTime": iso(after.start),
        "meetingType": after.meeting_type.as_str(),
        "duration": after.duration.minutes(),
        "title": after.title.as_str(),
        "isInitialConsultation": !met,
    }});
    if let Some(description) = &after.description {
        event["data"]["description"] = json!(description.as_str());
    }
    event
}
