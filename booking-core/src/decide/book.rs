//! Booking a meeting.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::audited::Audited;
use crate::calendars::Calendars;
use crate::decide::{Answered, Decided, Decision, Fresh, Intent, holds};
use crate::duration::SessionDuration;
use crate::event::{Event, EventPayload};
use crate::hold::Viewer;
use crate::id::{MeetingId, UserId};
use crate::idempotency::Answer;
use crate::instant::StartTime;
use crate::meeting::{Meeting, MeetingStatus, MeetingType, Party};
use crate::overrides::Overrides;
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::span::Span;
use crate::store::{Change, Decline, Earlier, Scope};
use crate::text::{Description, MeetingUrl, Title};

/// A meeting that is to be booked. Client and therapist are known to be related.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewMeeting {
    /// Who receives the session.
    pub(crate) client: UserId,
    /// Who gives it.
    pub(crate) therapist: UserId,
    /// On whose side the booking is made.
    pub(crate) by: Party,
    /// When it begins.
    pub(crate) start: StartTime,
    /// How long it is.
    pub(crate) duration: SessionDuration,
    /// Where it stands from the beginning; only therapists may book a confirmed one.
    pub(crate) status: MeetingStatus,
    /// How the two meet.
    pub(crate) meeting_type: MeetingType,
    /// What it is called.
    pub(crate) title: Title,
    /// What it is about.
    pub(crate) description: Option<Description>,
}

/// When two people would meet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session<'a> {
    pub(crate) client: &'a UserId,
    pub(crate) therapist: &'a UserId,
    pub(crate) start: DateTime<Utc>,
    pub(crate) duration: SessionDuration,
    /// Which of the two wants it: what is held for them is not in their way.
    pub(crate) asked_by: &'a UserId,
}

impl<'a> Session<'a> {
    /// That of a meeting, as it shall be.
    pub(super) fn of(meeting: &'a Meeting, asked_by: &'a UserId) -> Self {
        let Meeting { client, therapist, start, duration, .. } = meeting;
        Self { client, therapist, start: *start, duration: *duration, asked_by }
    }

    pub(super) fn span(&self) -> Option<Span> {
        self.duration.span_from(self.start)
    }
}

/// `session` is when the two would meet.
pub(crate) fn scope_of_book(
    client: &UserId,
    therapist: &UserId,
    session: Span,
    intent: Option<&Intent>,
) -> Scope {
    let two = || (client.clone(), therapist.clone());
    Scope {
        people: <[UserId; 2]>::from(two()).into(),
        busy_within: session.into(),
        hours_of: Some(therapist.clone()),
        overrides_on: Some(Overrides::dates_around(session)),
        settings_of: [therapist.clone()].into(),
        earlier: Some(Earlier {
            client: client.clone(),
            therapist: therapist.clone(),
            before: session.start(),
        }),
        record: intent.map(Intent::record_key),
        users: <[UserId; 2]>::from(two()).into(),
        related: Some(two()),
        ..Scope::default()
    }
}

pub(crate) fn book(
    calendars: &Calendars,
    new: &NewMeeting,
    zone: Tz,
    intent: Option<&Intent>,
    fresh: &Fresh,
) -> Decision<Answered<Meeting>> {
    if let Some(intent) = intent
        && let Some(meeting) = intent.replay(calendars, fresh.now, Answer::into_meeting)?
    {
        return Ok(Decided::nothing_to_do(Answered { value: meeting, replayed: true }));
    }
    check_first_status(new)?;
    let meeting = new.meeting(&calendars.settings_of(&new.therapist)?.settings, fresh);
    let session = Session::of(&meeting, new.asked_by());
    admit(calendars, &session, zone, None, fresh)?;

    let used = holds::used(calendars, &session, fresh);
    let booked = EventPayload::booked(&meeting, calendars.is_initial(&meeting)?);
    let record = intent.map(|i| i.record(Answer::Meeting(Box::new(meeting.clone())), fresh.now));
    Ok(Decided {
        change: Change {
            writes: [Audited::insert_meeting(fresh.by.clone(), meeting.clone())]
                .into_iter()
                .chain(used)
                .collect(),
            events: vec![Event { id: fresh.events[0], occurred_at: fresh.now, payload: booked }],
            record,
        },
        answer: Answered { value: meeting, replayed: false },
    })
}

/// The one check that a session fits where it is to be: for new ones, for those that move, and for
/// those that are held. `zone` is the directory's for the therapist.
pub(super) fn admit(
    calendars: &Calendars,
    session: &Session<'_>,
    zone: Tz,
    except: Option<MeetingId>,
    fresh: &Fresh,
) -> Result<(), Decline> {
    let span = session.span().ok_or(Refusal::OutsideAvailability)?;
    let people = [session.client, session.therapist];
    let viewer = Viewer { user: session.asked_by, now: fresh.now };
    let calendar = calendars.calendar(session.therapist, zone, &people, span, except, viewer)?;
    Ok(calendar.admit(session.start, session.duration, fresh.now)?)
}

/// Where two people meet who do not meet in one room.
pub(super) fn url_of(settings: &Settings, id: MeetingId, how: MeetingType) -> Option<MeetingUrl> {
    let template = settings.meeting_url.as_ref().filter(|_| how != MeetingType::InPerson);
    template?.fill(id)
}

pub(super) fn check_first_status(new: &NewMeeting) -> Result<(), Refusal> {
    match (new.status, new.by) {
        (MeetingStatus::Scheduled, _) | (MeetingStatus::Confirmed, Party::Therapist) => Ok(()),
        (to, _) => Err(Refusal::InvalidTransition { from: None, to }),
    }
}

impl NewMeeting {
    /// Who books it.
    pub(super) const fn asked_by(&self) -> &UserId {
        match self.by {
            Party::Client => &self.client,
            Party::Therapist => &self.therapist,
        }
    }

    pub(super) fn meeting(&self, settings: &Settings, fresh: &Fresh) -> Meeting {
        let id = MeetingId::from_uuid(fresh.id);
        Meeting {
            id,
            version: 1,
            client: self.client.clone(),
            therapist: self.therapist.clone(),
            start: self.start.instant(),
            duration: self.duration,
            buffers: settings.buffers,
            status: self.status,
            meeting_type: self.meeting_type,
            title: self.title.clone(),
            description: self.description.clone(),
            meeting_url: url_of(settings, id, self.meeting_type),
            session_notes: None,
            created_at: fresh.now,
            updated_at: fresh.now,
        }
    }
}
