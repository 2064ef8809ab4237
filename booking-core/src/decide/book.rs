//! Booking a meeting.

use chrono_tz::Tz;

use crate::audited::Audited;
use crate::calendars::Calendars;
use crate::decide::{Answered, Decided, Decision, Fresh, Intent};
use crate::duration::SessionDuration;
use crate::event::{Event, EventPayload};
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
    admit(calendars, &meeting, zone, None, fresh)?;

    let booked = EventPayload::booked(&meeting, calendars.is_initial(&meeting)?);
    let record = intent.map(|i| i.record(Answer::Meeting(Box::new(meeting.clone())), fresh.now));
    Ok(Decided {
        change: Change {
            writes: vec![Audited::insert_meeting(fresh.by.clone(), meeting.clone())],
            events: vec![Event { id: fresh.events[0], occurred_at: fresh.now, payload: booked }],
            record,
        },
        answer: Answered { value: meeting, replayed: false },
    })
}

/// The one check that a meeting fits where it is to be: for new ones and for those that move. `zone`
/// is the directory's for the therapist.
pub(super) fn admit(
    calendars: &Calendars,
    meeting: &Meeting,
    zone: Tz,
    except: Option<MeetingId>,
    fresh: &Fresh,
) -> Result<(), Decline> {
    let span = meeting.span().ok_or(Refusal::OutsideAvailability)?;
    let people = [&meeting.client, &meeting.therapist];
    let calendar = calendars.calendar(&meeting.therapist, zone, &people, span, except)?;
    Ok(calendar.admit(meeting.start, meeting.duration, fresh.now)?)
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
