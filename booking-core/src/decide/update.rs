//! Changing a meeting: its details, its time, its therapist, its status.

use std::collections::BTreeSet;

use chrono_tz::Tz;

use crate::access::Actor;
use crate::audited::Audited;
use crate::calendars::Calendars;
use crate::decide::book::{Session, admit, url_of};
use crate::decide::{Decided, Decision, Fresh, holds};
use crate::duration::SessionDuration;
use crate::event::{AttendanceStatus, Event, EventPayload};
use crate::id::{MeetingId, UserId};
use crate::instant::StartTime;
use crate::meeting::{Meeting, MeetingStatus, MeetingType, Party};
use crate::overrides::Overrides;
use crate::refusal::Refusal;
use crate::settings::Notice;
use crate::store::{Change, Decline, Earlier, Scope};
use crate::text::{Description, MeetingUrl, Reason, SessionNotes, Title};

/// What to do with a field that may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Empty it.
    Clear,
    /// Give it this value.
    Set(T),
}

impl<T: Clone> Patch<T> {
    pub(super) fn apply(&self, field: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *field = None,
            Self::Set(value) => *field = Some(value.clone()),
        }
    }
}

/// The fields of a meeting that are to change; `None` and [`Patch::Keep`] leave theirs alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MeetingPatch {
    /// A new title.
    pub title: Option<Title>,
    /// A new description, or none.
    pub description: Patch<Description>,
    /// A new start.
    pub start: Option<StartTime>,
    /// A new length.
    pub duration: Option<SessionDuration>,
    /// A new status.
    pub status: Option<MeetingStatus>,
    /// A new way to meet.
    pub meeting_type: Option<MeetingType>,
    /// Another therapist; for the client alone.
    pub therapist: Option<UserId>,
    /// A new place to meet, or none; for the therapist alone.
    pub meeting_url: Patch<MeetingUrl>,
    /// New notes on the session, or none; for the therapist alone.
    pub session_notes: Patch<SessionNotes>,
    /// Why it is moved or cancelled: goes into the event.
    pub reason: Option<Reason>,
}

/// The versions of a meeting, or of settings, to which a change applies (`If-Match`, RFC 9110 section 13.1.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ExpectedVersion {
    /// Whatever the version.
    #[default]
    Any,
    /// Only if the version is one of these.
    OneOf(Vec<u64>),
}

impl ExpectedVersion {
    pub(super) fn check(&self, version: u64) -> Result<(), Refusal> {
        match self {
            Self::Any => Ok(()),
            Self::OneOf(versions) if versions.contains(&version) => Ok(()),
            Self::OneOf(_) => Err(Refusal::VersionMismatch),
        }
    }
}

/// Which meeting, who wants to change it, and the version that they have seen.
#[derive(Debug, Clone)]
pub(crate) struct Target<'a> {
    pub(crate) id: MeetingId,
    pub(crate) actor: &'a Actor,
    pub(crate) expected: &'a ExpectedVersion,
}

/// What [`update`] and [`cancel`] need to see, judged by the meeting as it was a moment ago and as
/// it shall be.
pub(crate) fn scope_of_update(before: &Meeting, after: &Meeting) -> Scope {
    let people = [&before.client, &before.therapist, &after.therapist];
    let people: BTreeSet<UserId> = people.into_iter().cloned().collect();
    let mut scope = Scope {
        people: people.clone(),
        meeting: Some(before.id),
        users: people,
        settings_of: [&before.therapist, &after.therapist].into_iter().cloned().collect(),
        ..Scope::default()
    };
    if moves(before, after) {
        scope.busy_within = after.span().into_iter().collect();
        scope.hours_of = Some(after.therapist.clone());
        scope.overrides_on = after.span().map(Overrides::dates_around);
        scope.related = Some((after.client.clone(), after.therapist.clone()));
    }
    if before.therapist != after.therapist {
        scope.earlier = Some(Earlier {
            client: after.client.clone(),
            therapist: after.therapist.clone(),
            before: after.start,
        });
    }
    scope
}

/// Whether the patch takes the meeting to another time or therapist.
pub(crate) fn moves(before: &Meeting, after: &Meeting) -> bool {
    before.therapist != after.therapist
        || before.start != after.start
        || before.duration != after.duration
}

/// `zone` is that of the therapist whom the meeting shall be with, if it was seen to move.
pub(crate) fn update(
    calendars: &Calendars,
    target: &Target<'_>,
    patch: &MeetingPatch,
    zone: Option<Tz>,
    fresh: &Fresh,
) -> Decision<Meeting> {
    let (before, party) = found(calendars, target)?;
    let mut after = patch.applied_to(before);
    patch.check_party(before, &after, party)?;
    target.expected.check(before.version)?;
    if before.therapist != after.therapist {
        // What the old therapist wrote down is for them alone, and so is the way into their room.
        after.session_notes = None;
        after.meeting_url = None;
    }

    let moved = moves(before, &after);
    if moved && before.status == MeetingStatus::Confirmed {
        after.status = MeetingStatus::Scheduled;
    }
    let standing = after.status;
    after.status = patch.status.unwrap_or(standing);
    if after == *before {
        return Ok(Decided::nothing_to_do(after));
    }
    check_still_open(before, &after)?;
    if moved && !after.status.is_live() {
        return Err(
            Refusal::InvalidTransition { from: Some(before.status), to: after.status }.into()
        );
    }
    let span = after.span().ok_or(Refusal::OutsideAvailability)?;
    standing.check_transition(after.status, party, span, fresh.now)?;
    let mut used = None;
    if moved {
        check_deadline(calendars, before, party, &Late::ToReschedule, fresh)?;
        let zone = zone.ok_or(Decline::ScopeTooNarrow)?;
        let session = Session::of(&after, &target.actor.id);
        admit(calendars, &session, zone, Some(before.id), fresh)?;
        used = holds::used(calendars, &session, fresh);
        let settings = &calendars.settings_of(&after.therapist)?.settings;
        after.buffers = settings.buffers;
        if before.therapist != after.therapist {
            after.meeting_url = url_of(settings, after.id, after.meeting_type);
        }
    } else if after.status == MeetingStatus::Cancelled && after.status != before.status {
        check_deadline(calendars, before, party, &Late::ToCancel, fresh)?;
    }
    let mut decided =
        commit(calendars, before, after, target, party, patch.reason.as_ref(), fresh)?;
    decided.change.writes.extend(used);
    Ok(decided)
}

pub(crate) fn cancel(
    calendars: &Calendars,
    target: &Target<'_>,
    reason: Option<&Reason>,
    fresh: &Fresh,
) -> Decision<Meeting> {
    let (before, party) = found(calendars, target)?;
    target.expected.check(before.version)?;
    if !before.status.is_live() {
        return Err(Refusal::MeetingClosed.into());
    }
    check_deadline(calendars, before, party, &Late::ToCancel, fresh)?;
    let after = Meeting { status: MeetingStatus::Cancelled, ..before.clone() };
    commit(calendars, before, after, target, party, reason, fresh)
}

/// The meeting as it stands, the calendars of both its people locked.
fn found<'a>(
    calendars: &'a Calendars,
    target: &Target<'_>,
) -> Result<(&'a Meeting, Party), Decline> {
    let meeting = calendars.meeting.as_ref().filter(|meeting| meeting.id == target.id);
    let meeting = meeting.ok_or(Refusal::MeetingNotFound)?;
    let party = target.actor.party_to(meeting)?;
    let people = [&meeting.client, &meeting.therapist];
    let locked = people.iter().all(|person| calendars.scope.people.contains(*person));
    if locked { Ok((meeting, party)) } else { Err(Decline::ScopeTooNarrow) }
}

/// What clients may do up to some time before a meeting.
pub(super) enum Late {
    ToCancel,
    ToReschedule,
}

/// The deadlines of the therapist with whom the meeting is; none holds for the therapist.
pub(super) fn check_deadline(
    calendars: &Calendars,
    before: &Meeting,
    party: Party,
    late: &Late,
    fresh: &Fresh,
) -> Result<(), Decline> {
    let settings = &calendars.settings_of(&before.therapist)?.settings;
    let (deadline, refusal) = match late {
        Late::ToCancel => (settings.cancellation_deadline, Refusal::TooLateToCancel),
        Late::ToReschedule => (settings.reschedule_deadline, Refusal::TooLateToReschedule),
    };
    let is_late = deadline != Notice::MIN && before.start - fresh.now < deadline.to_delta();
    if party == Party::Client && is_late { Err(refusal.into()) } else { Ok(()) }
}

/// Nothing about a closed meeting changes but the therapist's notes.
fn check_still_open(before: &Meeting, after: &Meeting) -> Result<(), Refusal> {
    let only_notes =
        || Meeting { session_notes: before.session_notes.clone(), ..after.clone() } == *before;
    if before.status.is_live() || only_notes() { Ok(()) } else { Err(Refusal::MeetingClosed) }
}

/// A meeting that changes, with the events of what about it changes.
pub(super) fn commit(
    calendars: &Calendars,
    before: &Meeting,
    mut after: Meeting,
    target: &Target<'_>,
    party: Party,
    reason: Option<&Reason>,
    fresh: &Fresh,
) -> Decision<Meeting> {
    after.version += 1;
    after.updated_at = fresh.now;
    let by = || target.actor.id.clone();
    let why = |what| reason.map_or_else(|| format!("{what} by {party}"), |r| r.as_str().to_owned());

    let payloads = if before.therapist != after.therapist {
        vec![
            EventPayload::cancelled(before, by(), why("Cancelled"), fresh.now),
            EventPayload::booked(&after, calendars.is_initial(&after)?),
        ]
    } else if moves(before, &after) {
        vec![EventPayload::rescheduled(before, &after, by(), why("Rescheduled"))]
    } else if before.status == after.status {
        vec![]
    } else {
        match after.status {
            MeetingStatus::Scheduled | MeetingStatus::Confirmed => vec![],
            MeetingStatus::Cancelled => {
                vec![EventPayload::cancelled(before, by(), why("Cancelled"), fresh.now)]
            }
            MeetingStatus::Completed => {
                vec![EventPayload::completed(&after, AttendanceStatus::Attended, fresh.now)]
            }
            MeetingStatus::NoShow => {
                vec![EventPayload::completed(&after, AttendanceStatus::NoShow, fresh.now)]
            }
        }
    };
    let occurred_at = fresh.now;
    let events = fresh.events.into_iter().zip(payloads);
    let write = Audited::update_meeting(fresh.by.clone(), before, after.clone());
    let change = Change {
        writes: vec![write.with_withheld(reason.map(|_| "reason"))],
        events: events.map(|(id, payload)| Event { id, occurred_at, payload }).collect(),
        record: None,
    };
    Ok(Decided { answer: after, change })
}

impl MeetingPatch {
    /// The meeting with the patch's fields, but for the status, which has rules of its own.
    pub(crate) fn applied_to(&self, before: &Meeting) -> Meeting {
        let mut after = before.clone();
        if let Some(title) = &self.title {
            after.title = title.clone();
        }
        if let Some(therapist) = &self.therapist {
            after.therapist = therapist.clone();
        }
        after.start = self.start.map_or(after.start, StartTime::instant);
        after.duration = self.duration.unwrap_or(after.duration);
        after.meeting_type = self.meeting_type.unwrap_or(after.meeting_type);
        self.description.apply(&mut after.description);
        self.meeting_url.apply(&mut after.meeting_url);
        self.session_notes.apply(&mut after.session_notes);
        after
    }

    /// Some fields are for one side alone.
    pub(crate) fn check_party(
        &self,
        before: &Meeting,
        after: &Meeting,
        party: Party,
    ) -> Result<(), Refusal> {
        let allowed = match party {
            // Notes count even if they would not change: a client must not learn what they say.
            Party::Client => {
                self.session_notes == Patch::Keep && before.meeting_url == after.meeting_url
            }
            Party::Therapist => before.therapist == after.therapist,
        };
        if allowed { Ok(()) } else { Err(Refusal::Forbidden) }
    }
}
