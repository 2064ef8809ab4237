//! Rows with the entries of the audit log that say who changed them: neither without the other.
//!
//! An entry is made of what was and what is, field by field. Which fields are shown and which are
//! only named is said here, once, by taking each thing apart: a new field does not compile until
//! somebody has decided.

mod feeds;
mod holds;
mod links;
mod series;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use url::Url;

use crate::audit::{AuditAction, AuditEntry, AuditSubject, By, FieldChange, SubjectKind};
use crate::availability::AvailabilitySlot;
use crate::delivery::{Replay, Subscriber, SubscriberId};
use crate::directory::User;
use crate::event::EventType;
use crate::id::{IdSource, UserId, WebhookId};
use crate::instant::format_instant;
use crate::meeting::{Meeting, MeetingStatus};
use crate::settings::Buffer;
use crate::store::Write;
use crate::text::{MeetingUrl, Text};

/// A row to write, and the entry that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    write: Write,
    entry: AuditEntry,
}

impl Audited {
    /// A new meeting.
    #[must_use]
    pub fn insert_meeting(by: By, meeting: Meeting) -> Self {
        let entry = meeting_entry(by, AuditAction::MeetingCreated, None, &meeting);
        Self { write: Write::InsertMeeting(meeting), entry }
    }

    /// A meeting that was there, as it is from now on.
    #[must_use]
    pub fn update_meeting(by: By, before: &Meeting, after: Meeting) -> Self {
        let entry = meeting_entry(by, action_of(before, &after), Some(before), &after);
        Self { write: Write::UpdateMeeting(after), entry }
    }

    /// A new availability slot.
    #[must_use]
    pub fn insert_availability(by: By, slot: AvailabilitySlot) -> Self {
        let entry = slot_entry(by, AuditAction::AvailabilityCreated, None, Some(&slot), &slot);
        Self { write: Write::InsertAvailability(slot), entry }
    }

    /// An availability slot that was there, as it is from now on.
    #[must_use]
    pub fn update_availability(by: By, before: &AvailabilitySlot, after: AvailabilitySlot) -> Self {
        let updated = AuditAction::AvailabilityUpdated;
        let entry = slot_entry(by, updated, Some(before), Some(&after), &after);
        Self { write: Write::UpdateAvailability(after), entry }
    }

    /// An availability slot that is to go.
    #[must_use]
    pub fn delete_availability(by: By, before: &AvailabilitySlot) -> Self {
        let entry = slot_entry(by, AuditAction::AvailabilityDeleted, Some(before), None, before);
        Self { write: Write::DeleteAvailability(before.id), entry }
    }

    pub(crate) const fn of(write: Write, entry: AuditEntry) -> Self {
        Self { write, entry }
    }

    /// Also names something that was said with the change, and is kept elsewhere.
    #[must_use]
    pub fn with_withheld(mut self, field: Option<&str>) -> Self {
        self.entry.withheld.extend(field.map(str::to_owned));
        self
    }

    /// The row.
    #[must_use]
    pub const fn write(&self) -> &Write {
        &self.write
    }

    /// Who changed what about it.
    #[must_use]
    pub const fn entry(&self) -> &AuditEntry {
        &self.entry
    }
}

impl AuditEntry {
    /// A user who joins the directory, changes there, or leaves it; `None` when nothing changes.
    #[must_use]
    pub fn of_user(by: By, before: Option<&User>, after: Option<&User>) -> Option<Self> {
        let id = &before.or(after)?.id;
        let action = match (before, after) {
            (None, _) => AuditAction::UserCreated,
            (_, None) => AuditAction::UserDeleted,
            _ => AuditAction::UserUpdated,
        };
        let subject = AuditSubject { kind: SubjectKind::User, id: id.as_str().to_owned() };
        let entry = Self::new(by, action, subject, [id]);
        entry.comparing(before.map(user_fields), after.map(user_fields)).if_changed()
    }

    /// Somebody who becomes the client of a therapist.
    #[must_use]
    pub fn of_new_relationship(by: By, client: &UserId, therapist: &UserId) -> Self {
        let now = relationship_fields(client, therapist);
        of_relationship(by, AuditAction::RelationshipAdded, client, therapist)
            .comparing(None, Some(now))
    }

    /// Somebody who is no longer the client of a therapist.
    #[must_use]
    pub fn of_ended_relationship(by: By, client: &UserId, therapist: &UserId) -> Self {
        let then = relationship_fields(client, therapist);
        of_relationship(by, AuditAction::RelationshipRemoved, client, therapist)
            .comparing(Some(then), None)
    }

    /// A user who leaves the directory, and each relationship, of a client with a therapist, that
    /// goes with them: none of them ends without an entry of its own.
    #[must_use]
    pub fn of_removed_user(
        by: By,
        user: &User,
        relationships: impl IntoIterator<Item = (UserId, UserId)>,
        ids: &dyn IdSource,
    ) -> Vec<Self> {
        let ended = relationships.into_iter().map(|(client, therapist)| {
            Self::of_ended_relationship(by.another(ids), &client, &therapist)
        });
        let mut entries: Vec<Self> = ended.collect();
        entries.extend(Self::of_user(by, Some(user), None));
        entries
    }

    /// A subscriber who joins, changes, or leaves; `None` when nothing changes.
    #[must_use]
    pub fn of_subscriber(
        by: By,
        before: Option<&Subscriber>,
        after: Option<&Subscriber>,
    ) -> Option<Self> {
        let id = &before.or(after)?.id;
        let is_webhook = is_webhook(id);
        let action = match (before, after) {
            (None, _) if is_webhook => AuditAction::WebhookCreated,
            (None, _) => AuditAction::SubscriberCreated,
            (_, None) if is_webhook => AuditAction::WebhookDeleted,
            (_, None) => AuditAction::SubscriberDeleted,
            _ if is_webhook => AuditAction::WebhookUpdated,
            _ => AuditAction::SubscriberUpdated,
        };
        let entry = Self::new(by, action, subject_of_subscriber(id), []);
        entry.comparing(before.map(subscriber_fields), after.map(subscriber_fields)).if_changed()
    }

    /// So many events that are sent to a subscriber again; `None` when there were none.
    #[must_use]
    pub fn of_replay(by: By, id: &SubscriberId, replay: &Replay, events: u32) -> Option<Self> {
        let action = if is_webhook(id) {
            AuditAction::WebhookReplayed
        } else {
            AuditAction::SubscriberReplayed
        };
        let Replay { from, to, only_dead, limit: _, now: _ } = replay;
        let mut asked = Fields::default();
        asked.show("events", Some(events.to_string()));
        asked.show("from", Some(from.to_string()));
        asked.show("to", (*to < u64::MAX).then(|| to.to_string()));
        asked.show("only", only_dead.then(|| "dead".to_owned()));
        let entry = Self::new(by, action, subject_of_subscriber(id), []);
        (events > 0).then(|| entry.comparing(None, Some(asked)))
    }

    pub(crate) fn new<'a>(
        by: By,
        action: AuditAction,
        subject: AuditSubject,
        people: impl IntoIterator<Item = &'a UserId>,
    ) -> Self {
        let By { entry: id, at, author } = by;
        let people = people.into_iter().cloned().collect::<BTreeSet<_>>();
        Self { id, at, author, action, subject, people, changes: vec![], withheld: vec![] }
    }

    /// With the fields that are not what they were.
    pub(crate) fn comparing(
        mut self,
        before: Option<Fields<'_>>,
        after: Option<Fields<'_>>,
    ) -> Self {
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        for (field, before, after) in differing(&before.shown, &after.shown) {
            let (field, before, after) = (field.to_owned(), before.cloned(), after.cloned());
            self.changes.push(FieldChange { field, before, after });
        }
        for (field, ..) in differing(&before.withheld, &after.withheld) {
            self.withheld.push(field.to_owned());
        }
        self
    }

    fn if_changed(self) -> Option<Self> {
        let has_changed = !self.changes.is_empty() || !self.withheld.is_empty();
        has_changed.then_some(self)
    }
}

/// What there is to compare about something. What a field holds is `None` when it is empty.
#[derive(Default)]
pub(crate) struct Fields<'a> {
    shown: Vec<(Cow<'a, str>, Option<String>)>,
    withheld: Vec<(Cow<'a, str>, Option<Cow<'a, str>>)>,
}

impl<'a> Fields<'a> {
    pub(crate) fn show(&mut self, field: &'a str, value: Option<String>) {
        self.shown.push((field.into(), value));
    }

    pub(crate) fn withhold(&mut self, field: &'a str, value: Option<impl Into<Cow<'a, str>>>) {
        self.withheld.push((field.into(), value.map(Into::into)));
    }
}

type Field<'a, T> = (Cow<'a, str>, Option<T>);

/// The fields that differ, in their order; one that is missing is empty.
fn differing<'f, T: PartialEq>(
    before: &'f [Field<'_, T>],
    after: &'f [Field<'_, T>],
) -> impl Iterator<Item = (&'f str, Option<&'f T>, Option<&'f T>)> {
    let of = |fields: &'f [Field<'_, T>], wanted: &str| {
        let found = fields.iter().find(|(field, _)| field == wanted);
        found.and_then(|(_, value)| value.as_ref())
    };
    let gone = before.iter().filter(move |(field, _)| after.iter().all(|(name, _)| name != field));
    let names = after.iter().chain(gone).map(|(field, _)| field.as_ref());
    names
        .map(move |field| (field, of(before, field), of(after, field)))
        .filter(|(_, before, after)| before != after)
}

fn meeting_entry(
    by: By,
    action: AuditAction,
    before: Option<&Meeting>,
    after: &Meeting,
) -> AuditEntry {
    let subject = AuditSubject { kind: SubjectKind::Meeting, id: after.id.to_string() };
    let former = before.map(|before| &before.therapist);
    let people = [&after.client, &after.therapist].into_iter().chain(former);
    AuditEntry::new(by, action, subject, people)
        .comparing(before.map(meeting_fields), Some(meeting_fields(after)))
}

/// What a change amounts to, if it is several things at once: the first that holds.
fn action_of(before: &Meeting, after: &Meeting) -> AuditAction {
    if before.therapist != after.therapist {
        AuditAction::MeetingReassigned
    } else if before.start != after.start || before.duration != after.duration {
        AuditAction::MeetingRescheduled
    } else if before.status == after.status {
        AuditAction::MeetingUpdated
    } else if after.status == MeetingStatus::Cancelled {
        AuditAction::MeetingCancelled
    } else {
        AuditAction::MeetingStatusChanged
    }
}

fn meeting_fields(meeting: &Meeting) -> Fields<'_> {
    let Meeting {
        id: _,
        version,
        client,
        therapist,
        start,
        duration,
        buffers,
        status,
        meeting_type,
        title,
        description,
        meeting_url,
        session_notes,
        created_at: _,
        updated_at: _,
    } = meeting;
    let mut fields = Fields::default();
    fields.show("version", Some(version.to_string()));
    fields.show("clientId", Some(client.to_string()));
    fields.show("therapistId", Some(therapist.to_string()));
    fields.show("startTime", Some(format_instant(*start)));
    fields.show("duration", Some(duration.minutes().to_string()));
    let kept = |buffer: Buffer| (buffer != Buffer::MIN).then(|| buffer.to_string());
    fields.show("bufferBefore", kept(buffers.before));
    fields.show("bufferAfter", kept(buffers.after));
    fields.show("status", Some(status.to_string()));
    fields.show("meetingType", Some(meeting_type.to_string()));
    fields.withhold("title", Some(title.as_str()));
    fields.withhold("description", description.as_ref().map(Text::as_str));
    // Whoever has it may join.
    fields.withhold("meetingUrl", meeting_url.as_ref().map(MeetingUrl::as_str));
    fields.withhold("sessionNotes", session_notes.as_ref().map(Text::as_str));
    fields
}

fn slot_entry(
    by: By,
    action: AuditAction,
    before: Option<&AvailabilitySlot>,
    after: Option<&AvailabilitySlot>,
    slot: &AvailabilitySlot,
) -> AuditEntry {
    let subject = AuditSubject { kind: SubjectKind::Availability, id: slot.id.to_string() };
    AuditEntry::new(by, action, subject, [&slot.therapist])
        .comparing(before.map(slot_fields), after.map(slot_fields))
}

fn slot_fields(slot: &AvailabilitySlot) -> Fields<'_> {
    let AvailabilitySlot {
        id: _,
        therapist,
        weekday,
        window,
        is_available,
        notes,
        created_at: _,
        updated_at: _,
    } = slot;
    let mut fields = Fields::default();
    fields.show("therapistId", Some(therapist.to_string()));
    fields.show("dayOfWeek", Some(weekday.num_days_from_sunday().to_string()));
    fields.show("startTime", Some(window.start().to_string()));
    fields.show("endTime", Some(window.end().to_string()));
    fields.show("isAvailable", Some(is_available.to_string()));
    fields.withhold("notes", notes.as_ref().map(Text::as_str));
    fields
}

fn user_fields(user: &User) -> Fields<'_> {
    let User { id: _, role, first_name, last_name, email, zone } = user;
    let mut fields = Fields::default();
    fields.show("role", Some(role.to_string()));
    fields.show("timeZone", zone.map(|zone| zone.name().to_owned()));
    fields.withhold("firstName", Some(first_name.as_str()));
    fields.withhold("lastName", Some(last_name.as_str()));
    fields.withhold("email", Some(email.as_str()));
    fields
}

fn of_relationship(by: By, action: AuditAction, client: &UserId, therapist: &UserId) -> AuditEntry {
    let id = format!("{client}/{therapist}");
    let subject = AuditSubject { kind: SubjectKind::Relationship, id };
    AuditEntry::new(by, action, subject, [client, therapist])
}

fn relationship_fields<'a>(client: &UserId, therapist: &UserId) -> Fields<'a> {
    let mut fields = Fields::default();
    fields.show("clientId", Some(client.to_string()));
    fields.show("therapistId", Some(therapist.to_string()));
    fields
}

fn is_webhook(id: &SubscriberId) -> bool {
    id.as_str().parse::<WebhookId>().is_ok()
}

fn subject_of_subscriber(id: &SubscriberId) -> AuditSubject {
    let kind = if is_webhook(id) { SubjectKind::Webhook } else { SubjectKind::Subscriber };
    AuditSubject { kind, id: id.to_string() }
}

/// Settings may hold secrets: their fields are named. Of a `url`, whose path may be a secret too,
/// the origin is shown: to whom data goes is what an auditor asks.
fn subscriber_fields(subscriber: &Subscriber) -> Fields<'_> {
    let Subscriber { id: _, event_types, is_active, settings, created_at: _ } = subscriber;
    let mut fields = Fields::default();
    let wanted: Vec<&str> = event_types.iter().copied().map(EventType::as_str).collect();
    let wanted = if wanted.is_empty() { "all".to_owned() } else { wanted.join(",") };
    fields.show("eventTypes", Some(wanted));
    fields.show("isActive", Some(is_active.to_string()));
    let Value::Object(settings) = settings else {
        fields.withhold("settings", (!settings.is_null()).then(|| settings.to_string()));
        return fields;
    };
    let url = settings.get("url").and_then(Value::as_str).and_then(|url| Url::parse(url).ok());
    fields.show("origin", url.map(|url| url.origin().ascii_serialization()));
    // In one order, whatever order the store gave them.
    let settings: BTreeMap<&String, &Value> = settings.iter().collect();
    for (field, value) in settings {
        fields.withhold(field, (!value.is_null()).then(|| value.to_string()));
    }
    fields
}
