//! Meetings.

use booking_core::{
    BookRequest, Description, Meeting, MeetingPatch, MeetingStatus, MeetingType, MeetingUrl,
    MeetingView, Reason, SessionDuration, SessionNotes, StartTime, Title, User, UserId,
};
use chrono::{DateTime, Utc};
use poem_openapi::Object;
use poem_openapi::types::MaybeUndefined;

use crate::body::{patch, plain, request_body};
use crate::wire::Wire;

request_body! {
    /// A session to book.
    MeetingCreateDto {
        /// What to call it; `Therapy Session` when left out.
        title: Option<Wire<Title>>,
        /// What it is about.
        #[oai(nullable)]
        description: MaybeUndefined<Wire<Description>>,
        /// When it begins: a whole minute, with an offset.
        start_time: Wire<StartTime>,
        /// How long it is, in minutes.
        duration: Wire<SessionDuration>,
        /// `SCHEDULED`, or `CONFIRMED` when a therapist books.
        status: Option<Wire<MeetingStatus>>,
        /// How the two meet; `video` when left out.
        meeting_type: Option<Wire<MeetingType>>,
        /// With whom.
        therapist_id: Wire<UserId>,
        /// For whom: required when a therapist books, and not for clients.
        client_id: Option<Wire<UserId>>,
    }
}

request_body! {
    /// What is to change about a meeting; fields that are left out stay.
    MeetingUpdateDto {
        /// A new title.
        title: Option<Wire<Title>>,
        /// A new description; null empties it.
        #[oai(nullable)]
        description: MaybeUndefined<Wire<Description>>,
        /// A new start.
        start_time: Option<Wire<StartTime>>,
        /// A new length, in minutes.
        duration: Option<Wire<SessionDuration>>,
        /// A new status.
        status: Option<Wire<MeetingStatus>>,
        /// A new way to meet.
        meeting_type: Option<Wire<MeetingType>>,
        /// Another therapist; for the client alone.
        therapist_id: Option<Wire<UserId>>,
        /// Why it is moved or cancelled.
        #[oai(nullable)]
        reason: MaybeUndefined<Wire<Reason>>,
        /// Notes on the session; for the therapist alone.
        #[oai(nullable)]
        session_notes: MaybeUndefined<Wire<SessionNotes>>,
        /// Where to meet; for the therapist alone.
        #[oai(nullable)]
        meeting_url: MaybeUndefined<Wire<MeetingUrl>>,
    }
}

request_body! {
    /// Why a meeting is cancelled.
    MeetingCancelDto {
        /// Goes into the event; `Cancelled by client` or `Cancelled by therapist` when left out.
        #[oai(nullable)]
        reason: MaybeUndefined<Wire<Reason>>,
    }
}

/// A meeting.
#[derive(Debug, Object)]
#[oai(rename = "Meeting", rename_all = "camelCase")]
pub(crate) struct MeetingDto {
    /// Which one.
    id: String,
    /// What it is called.
    title: Wire<Title>,
    /// What it is about.
    #[oai(nullable)]
    description: Option<Wire<Description>>,
    /// When it begins.
    start_time: Wire<DateTime<Utc>>,
    /// How long it is, in minutes.
    duration: Wire<SessionDuration>,
    /// Where it stands.
    status: Wire<MeetingStatus>,
    /// How the two meet.
    meeting_type: Wire<MeetingType>,
    /// Where to meet.
    #[oai(nullable)]
    meeting_url: Option<Wire<MeetingUrl>>,
    /// Who receives the session.
    client_id: Wire<UserId>,
    /// Who gives it.
    therapist_id: Wire<UserId>,
    /// When it was booked.
    created_at: Wire<DateTime<Utc>>,
    /// When it last changed.
    updated_at: Wire<DateTime<Utc>>,
    /// Who receives the session, by name.
    client: PartyDto,
    /// Who gives it, by name.
    therapist: PartyDto,
    /// The therapist's notes on the session: there for the therapist alone, once written.
    #[oai(skip_serializing_if_is_none)]
    session_notes: Option<Wire<SessionNotes>>,
}

/// A participant of a meeting.
#[derive(Debug, Object)]
#[oai(rename = "Party")]
pub(crate) struct PartyDto {
    /// The person.
    user: PersonDto,
}

/// A person's name and address.
#[derive(Debug, Object)]
#[oai(rename = "Person", rename_all = "camelCase")]
pub(crate) struct PersonDto {
    /// Empty for somebody whom the directory no longer knows.
    first_name: String,
    /// Empty for somebody whom the directory no longer knows.
    last_name: String,
    /// Empty for somebody whom the directory no longer knows.
    email: String,
}

impl From<MeetingCreateDto> for BookRequest {
    fn from(dto: MeetingCreateDto) -> Self {
        Self {
            client: plain(dto.client_id),
            status: plain(dto.status),
            meeting_type: plain(dto.meeting_type),
            title: plain(dto.title),
            description: plain(dto.description.take()),
            ..Self::new(dto.therapist_id.0, dto.start_time.0, dto.duration.0)
        }
    }
}

impl MeetingUpdateDto {
    pub(crate) fn into_patch(self) -> MeetingPatch {
        MeetingPatch {
            title: plain(self.title),
            description: patch(self.description),
            start: plain(self.start_time),
            duration: plain(self.duration),
            status: plain(self.status),
            meeting_type: plain(self.meeting_type),
            therapist: plain(self.therapist_id),
            meeting_url: patch(self.meeting_url),
            session_notes: patch(self.session_notes),
            reason: plain(self.reason.take()),
        }
    }
}

impl MeetingCancelDto {
    pub(crate) fn into_reason(self) -> Option<Reason> {
        plain(self.reason.take())
    }
}

impl From<MeetingView> for MeetingDto {
    fn from(MeetingView { meeting, client, therapist }: MeetingView) -> Self {
        let Meeting { id, start, duration, status, meeting_type, title, .. } = meeting;
        Self {
            id: id.to_string(),
            title: Wire(title),
            description: meeting.description.map(Wire),
            start_time: Wire(start),
            duration: Wire(duration),
            status: Wire(status),
            meeting_type: Wire(meeting_type),
            meeting_url: meeting.meeting_url.map(Wire),
            client_id: Wire(meeting.client),
            therapist_id: Wire(meeting.therapist),
            created_at: Wire(meeting.created_at),
            updated_at: Wire(meeting.updated_at),
            client: client.into(),
            therapist: therapist.into(),
            session_notes: meeting.session_notes.map(Wire),
        }
    }
}

impl From<Option<User>> for PartyDto {
    fn from(user: Option<User>) -> Self {
        let person = user.map(|user| PersonDto {
            first_name: user.first_name.into(),
            last_name: user.last_name.into(),
            email: user.email.into(),
        });
        let unknown = || PersonDto {
            first_name: String::new(),
            last_name: String::new(),
            email: String::new(),
        };
        Self { user: person.unwrap_or_else(unknown) }
    }
}
