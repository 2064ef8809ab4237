//! The audit log: an entry for each change, and none for anything else.

use std::collections::BTreeSet;

use chrono::Weekday;
use serde_json::json;

use super::fixtures::{
    as_client, as_therapist, by, client, hour, id, key, meeting, now, other_client,
    other_therapist, slot, start, text, therapist, user, window,
};
use super::rows::NASTY;
use super::{World, cases, race};
use crate::{
    Actor, Added, AuditAction, AuditEntry, AuditQuery, Author, AvailabilityPatch, BookRequest, By,
    Email, ExpectedVersion, MeetingPatch, MeetingStatus, MeetingUrl, NewAvailability, Patch,
    RandomIds, Replay, Role, SessionDuration, Subscriber, SubscriberId, User, WallTime, WebhookId,
    Write,
};

cases! {
    ($) conformance_audit in audit:

    /// Everything that the service changes, with who did it, what it was and what it is.
    async fn each_change_has_its_entry(world: World) {
        let before = world.entries().await;
        let subject = everything_once(&world).await;
        let mut entries = world.entries().await;
        entries.retain(|entry| !before.contains(entry) && matches!(entry.author, Author::User(_)));
        let told: BTreeSet<String> = entries.iter().map(told).collect();
        let expected = [
            "availability.created by therapist_456 as therapist of [therapist_456]: \
             therapistId: -therapist_456, dayOfWeek: -1, startTime: -00:00, endTime: -24:00, \
             isAvailable: -true; notes",
            "availability.updated by therapist_456 as therapist of [therapist_456]: \
             endTime: 24:00-23:00, isAvailable: true-false; notes",
            "availability.deleted by therapist_456 as therapist of [therapist_456]: \
             therapistId: therapist_456-, dayOfWeek: 1-, startTime: 00:00-, endTime: 23:00-, \
             isAvailable: false-; ",
            "meeting.created by client_123 as client of [client_123, therapist_456]: \
             version: -1, clientId: -client_123, therapistId: -therapist_456, \
             startTime: -2024-01-15T09:00:00.000Z, duration: -60, status: -SCHEDULED, \
             meetingType: -video; title, description",
            "meeting.status_changed by therapist_456 as therapist of [client_123, therapist_456]: \
             version: 1-2, status: SCHEDULED-CONFIRMED; meetingUrl",
            "meeting.rescheduled by client_123 as client of [client_123, therapist_456]: \
             version: 2-3, startTime: 2024-01-15T09:00:00.000Z-2024-01-15T10:00:00.000Z, \
             status: CONFIRMED-SCHEDULED; reason",
            "meeting.updated by therapist_456 as therapist of [client_123, therapist_456]: \
             version: 3-4; sessionNotes",
            "meeting.reassigned by client_123 as client of \
             [client_123, therapist_456, therapist_457]: \
             version: 4-5, therapistId: therapist_456-therapist_457; meetingUrl, sessionNotes",
            "meeting.cancelled by therapist_457 as therapist of [client_123, therapist_457]: \
             version: 5-6, status: SCHEDULED-CANCELLED; reason",
        ];
        assert_eq!(told, expected.map(str::to_owned).into());
        assert_eq!(entries.len(), expected.len());
        assert!(entries.iter().all(|entry| entry.at == now()));
        let of_meeting = entries.iter().filter(|entry| entry.subject.id == subject).count();
        assert_eq!(of_meeting, 6);
    }

    /// Nothing that anybody typed, wherever they typed it.
    async fn nothing_typed_is_in_it(world: World) {
        everything_once(&world).await;
        let nasty = User {
            first_name: text(NASTY),
            last_name: text(NASTY),
            email: Email::new("secret@example.org").expect("an address"),
            ..user(&client())
        };
        world.directory().put_user(&nasty, by()).await.expect("the directory takes users");
        let hook = webhook("https://example.com/hidden?token=hidden");
        assert_eq!(world.try_add(&hook).await, Added::Done);
        let told = format!("{:?}", world.entries().await);
        for typed in ["DROP TABLE", "hidden", "Smith", "example.com/", "Therapy"] {
            assert!(!told.contains(typed), "{typed}");
        }
        assert!(told.contains("https://example.com"), "but where data goes: {told}");
    }

    /// What changes nothing, is answered again, or is refused.
    async fn what_changes_nothing_leaves_no_entry(world: World) {
        world.open(&therapist()).await;
        let (john, jane) = (as_client(&client()), as_therapist(&therapist()));
        let (any, again) = (ExpectedVersion::Any, Some(key("again")));
        let request = BookRequest::new(therapist(), start(hour(9)), SessionDuration::Hour);
        let booked = world.booking.book(&john, &request, again.clone()).await.expect("it is free");
        let new = NewAvailability { weekday: Weekday::Mon, window: window(0, 9), notes: None };
        let directory = world.directory();
        let hook = webhook("https://example.com/");
        assert_eq!(world.try_add(&hook).await, Added::Done);
        let before = world.entries().await;

        assert!(world.booking.book(&john, &request, again).await.expect("a repeat").replayed);
        let meeting = booked.value.meeting;
        let same = MeetingPatch {
            status: Some(MeetingStatus::Scheduled),
            title: Some(meeting.title.clone()),
            ..MeetingPatch::default()
        };
        world.booking.update(&john, meeting.id, &same, &any).await.expect("nothing to do");
        assert!(world.move_to(&meeting, now()).await.is_err());
        assert!(world.book_hour(hour(9)).await.is_err());
        assert!(world.booking.add_availability(&jane, &new, None).await.is_err());
        directory.put_user(&user(&client()), by()).await.expect("the same");
        directory.relate(&client(), &therapist(), by()).await.expect("once more");
        directory.unrelate(&client(), &id("nobody"), by()).await.expect("there is none");
        let outbox = world.outbox();
        assert_eq!(world.try_add(&hook).await, Added::NameTaken);
        outbox.change_subscriber(&hook.id, &|_| {}, by()).await.expect("nothing to do");
        let nobody = SubscriberId::new("nobody").expect("a name");
        assert!(!outbox.remove_subscriber(&nobody, by()).await.expect("there is none"));
        assert_eq!(outbox.replay(&hook.id, &nothing_again(), by()).await.expect("nothing"), 0);
        assert_eq!(world.entries().await, before);
    }

    /// Who keeps the directory and the subscribers is on record too.
    async fn administration_is_in_it(world: World) {
        let admin = Actor { id: id("admin_1"), role: Role::Admin };
        let by = || By::user(&admin, now(), &RandomIds);
        let before = world.entries().await;
        let (directory, outbox) = (world.directory(), world.outbox());
        let moved = User { zone: Some(chrono_tz::Asia::Tokyo), ..user(&therapist()) };
        let someone = id("someone/else");
        directory.put_user(&user(&someone), by()).await.expect("they join");
        directory.put_user(&moved, by()).await.expect("they move");
        directory.relate(&someone, &therapist(), by()).await.expect("they belong together");
        directory.unrelate(&someone, &therapist(), by()).await.expect("no longer");
        let hook = webhook("https://example.com/1");
        let added = outbox.add_subscriber(&hook, by()).await;
        assert_eq!(added.expect("the store takes subscribers"), Added::Done);
        let change = |hook: &mut Subscriber| {
            hook.is_active = false;
            hook.settings["url"] = json!("https://example.org/2");
        };
        outbox.change_subscriber(&hook.id, &change, by()).await.expect("it changes");
        world.open(&therapist()).await;
        world.book_hour(hour(9)).await.expect("it is free");
        world.publish().await;
        let all = Replay { from: 0, to: u64::MAX, only_dead: false, limit: 10, now: now() };
        assert_eq!(outbox.replay(&hook.id, &all, by()).await.expect("one"), 1);
        assert!(outbox.remove_subscriber(&hook.id, by()).await.expect("it is there"));

        let mut entries = world.entries().await;
        entries.retain(|entry| !before.contains(entry));
        entries.retain(|entry| entry.author == Author::User(admin.clone()));
        let told: BTreeSet<String> = entries.iter().map(told).collect();
        let expected = [
            "user.created by admin_1 as admin of [someone/else]: role: -client; \
             firstName, lastName, email",
            "user.updated by admin_1 as admin of [therapist_456]: timeZone: -Asia/Tokyo; ",
            "relationship.added by admin_1 as admin of [someone/else, therapist_456]: \
             clientId: -someone/else, therapistId: -therapist_456; ",
            "relationship.removed by admin_1 as admin of [someone/else, therapist_456]: \
             clientId: someone/else-, therapistId: therapist_456-; ",
            "webhook.created by admin_1 as admin of []: eventTypes: -all, isActive: -true, \
             origin: -https://example.com; secrets, url",
            "webhook.updated by admin_1 as admin of []: isActive: true-false, \
             origin: https://example.com-https://example.org; url",
            "webhook.replayed by admin_1 as admin of []: events: -1, from: -0; ",
            "webhook.deleted by admin_1 as admin of []: eventTypes: all-, isActive: false-, \
             origin: https://example.org-; secrets, url",
        ];
        assert_eq!(told, expected.map(str::to_owned).into());
        assert_eq!(entries.len(), expected.len());
    }

    /// Whoever sees a meeting sees its entry, and the other way round; each change has one, however
    /// many are made at the same time.
    async fn racing_changes_have_an_entry_each(world: World) {
        world.open(&therapist()).await;
        let processes = [world.booking.clone(), world.another_process()];
        let before = world.entries().await;
        let outcomes = race((0..120).map(|n| {
            let booking = processes[n % 2].clone();
            let client = if n % 3 == 0 { client() } else { other_client() };
            let at = start(hour(i64::try_from(n).expect("small") % 40));
            async move {
                let request = BookRequest::new(therapist(), at, SessionDuration::Hour);
                booking.book(&as_client(&client), &request, None).await
            }
        }))
        .await;
        let tally: super::Tally<_> = outcomes.into_iter().collect();
        let mut expected: Vec<String> =
            tally.won.iter().map(|won| won.value.meeting.id.to_string()).collect();
        assert_eq!(expected.len(), 40);
        let mut entries = world.entries().await;
        entries.retain(|entry| !before.contains(entry));
        let mut found: Vec<String> = entries.into_iter().map(|entry| entry.subject.id).collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    /// Of changes of one user at the same time, each begins where another has ended.
    async fn racing_administration_is_in_order(world: World) {
        let someone = id("someone");
        let zones = chrono_tz::TZ_VARIANTS;
        let puts = race((0..32).map(|n| {
            let directory = world.directory();
            let user = User { zone: Some(zones[n]), ..user(&someone) };
            async move { directory.put_user(&user, by()).await }
        }));
        assert!(puts.await.into_iter().all(|put| put.is_ok()));
        let subject = Some(someone.as_str().to_owned());
        let query = AuditQuery { subject, ..AuditQuery::latest(100) };
        let entries = world.audit().entries(&query).await.expect("the audit log answers");
        let zone = |entry: &AuditEntry| {
            let changes = entry.changes.iter().find(|change| change.field == "timeZone");
            changes.map(|change| (change.before.clone(), change.after.clone())).expect("it changes")
        };
        let mut at = None;
        let mut steps: Vec<_> = entries.iter().map(zone).collect();
        assert_eq!(steps.len(), 32);
        while !steps.is_empty() {
            let next = steps.iter().position(|(before, _)| *before == at);
            at = steps.swap_remove(next.expect("each begins where another has ended")).1;
        }
        let last = world.directory().user(&someone).await.expect("the directory answers");
        assert_eq!(last.and_then(|user| user.zone).map(|zone| zone.name().to_owned()), at);
        let created = |entry: &&AuditEntry| entry.action == AuditAction::UserCreated;
        assert_eq!(entries.iter().filter(created).count(), 1);
    }

    /// Whoever sees an entry sees its change.
    async fn an_entry_is_seen_with_its_change(world: World) {
        let writer = {
            let world = world.clone();
            tokio::spawn(async move {
                for n in 0..40 {
                    world.insert(&[meeting(&client(), &therapist(), hour(n))]).await;
                }
            })
        };
        let mut seen = 0;
        while seen < 40 {
            let query = AuditQuery { person: Some(client()), ..AuditQuery::latest(100) };
            let mut entries = world.audit().entries(&query).await.expect("the log answers");
            entries.retain(|entry| entry.action == AuditAction::MeetingCreated);
            seen = entries.len();
            for entry in entries {
                let id = entry.subject.id.parse().expect("a meeting's");
                assert!(world.meeting(id).await.is_some(), "an entry never comes before its change");
            }
            tokio::task::yield_now().await;
        }
        writer.await.expect("the writer is done");
    }
}

/// What an entry says, but for ids and times that are other ones each time.
fn told(entry: &AuditEntry) -> String {
    let field = |change: &crate::FieldChange| {
        let [before, after] = [&change.before, &change.after].map(|v| v.as_deref().unwrap_or(""));
        format!("{}: {before}-{after}", change.field)
    };
    let changes: Vec<String> = entry.changes.iter().map(field).collect();
    let AuditEntry { action, author, people, withheld, .. } = entry;
    let (by, role, people) =
        (author.id(), author.role(), format!("{people:?}").replace(['{', '}'], ""));
    let (changes, withheld) = (changes.join(", "), withheld.join(", "));
    format!("{action} by {by} as {role} of [{people}]: {changes}; {withheld}")
}

/// Whatever can be done through the service, by whoever may; returns the id of the meeting.
async fn everything_once(world: &World) -> String {
    let (john, jane, joe) =
        (as_client(&client()), as_therapist(&therapist()), as_therapist(&other_therapist()));
    let (booking, any) = (&world.booking, ExpectedVersion::Any);
    let new = NewAvailability {
        weekday: Weekday::Mon,
        window: window(0, 1_440),
        notes: Some(text(NASTY)),
    };
    let hours = booking.add_availability(&jane, &new, None).await.expect("there is room").value;
    let other = slot(&other_therapist(), Weekday::Mon, window(0, 1_440));
    let patch = async |who: &Actor, id, patch: MeetingPatch| {
        booking.update(who, id, &patch, &any).await.expect("it may change").meeting
    };
    let mut request = BookRequest::new(therapist(), start(hour(9)), SessionDuration::Hour);
    (request.title, request.description) = (Some(text(NASTY)), Some(text(NASTY)));
    let id = booking.book(&john, &request, None).await.expect("it is free").value.meeting.id;
    let url = MeetingUrl::new("https://example.com/hidden").expect("a URL");
    let confirmed = MeetingPatch {
        status: Some(MeetingStatus::Confirmed),
        meeting_url: Patch::Set(url),
        ..MeetingPatch::default()
    };
    patch(&jane, id, confirmed).await;
    let moved = MeetingPatch {
        start: Some(start(hour(10))),
        reason: Some(text(NASTY)),
        ..MeetingPatch::default()
    };
    patch(&john, id, moved).await;
    let notes = Patch::Set(text(NASTY));
    patch(&jane, id, MeetingPatch { session_notes: notes, ..MeetingPatch::default() }).await;
    // Around the service, and noted as such.
    world.write([Write::InsertAvailability(other)]).await;
    let to = MeetingPatch { therapist: Some(other_therapist()), ..MeetingPatch::default() };
    patch(&john, id, to).await;
    let reason = text(NASTY);
    booking.cancel(&joe, id, Some(&reason), &any).await.expect("it is live");
    let less = AvailabilityPatch {
        end: WallTime::from_minutes(1_380),
        is_available: Some(false),
        notes: Patch::Clear,
        ..AvailabilityPatch::default()
    };
    booking.update_availability(&jane, hours.id, &less).await.expect("it may change");
    booking.delete_availability(&jane, hours.id).await.expect("it may go");
    id.to_string()
}

fn webhook(url: &str) -> Subscriber {
    Subscriber {
        id: WebhookId::from_uuid(uuid::Uuid::nil()).into(),
        event_types: [].into(),
        is_active: true,
        settings: json!({"url": url, "secrets": ["hidden"], "description": null}),
        created_at: now(),
    }
}

fn nothing_again() -> Replay {
    Replay { from: 1_000, to: 1_001, only_dead: false, limit: 10, now: now() }
}
