//! Sessions that recur.

use std::collections::BTreeSet;

use booking_core::{
    BookRequest, BookedSeries, Description, LeftOut, MeetingId, MeetingStatus, MeetingType,
    Occurrence, Reason, Recurrence, Series, SeriesMeeting, SeriesMode, SeriesPreview,
    SeriesRequest, SeriesView, SessionDuration, StartTime, Title, UserId,
};
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use poem_openapi::Object;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::MaybeUndefined;
use serde_json::{Value, json};

use crate::body::{plain, request_body};
use crate::problem::Code;
use crate::wire::{OnWire, Wire};

request_body! {
    /// Sessions to book.
    SeriesCreateDto {
        /// What to call each; `Therapy Session` when left out.
        title: Option<Wire<Title>>,
        /// What each is about.
        #[oai(nullable)]
        description: MaybeUndefined<Wire<Description>>,
        /// When the first begins: a whole minute, with an offset, on a day of the rule.
        start_time: Wire<StartTime>,
        /// How long each is, in minutes.
        duration: Wire<SessionDuration>,
        /// `SCHEDULED`, or `CONFIRMED` when a therapist books.
        status: Option<Wire<MeetingStatus>>,
        /// How the two meet; `video` when left out.
        meeting_type: Option<Wire<MeetingType>>,
        /// With whom.
        therapist_id: Wire<UserId>,
        /// For whom: required when a therapist books, and not for clients.
        client_id: Option<Wire<UserId>>,
        /// On which days, in the therapist's zone.
        rule: Wire<Recurrence>,
        /// But not on these days. They count towards the rule's `COUNT` all the same.
        ex_dates: Option<Wire<ExDates>>,
        /// What to do when some cannot be booked: `all` or nothing, which it is when left out, or
        /// those that are `free`.
        mode: Option<Wire<SeriesMode>>,
    }
}

request_body! {
    /// What to cancel of a series, and why.
    SeriesCancelDto {
        /// Only this meeting and those after it; everything that is still to come when left out.
        #[oai(nullable)]
        from: MaybeUndefined<Wire<MeetingId>>,
        /// Goes into each event; `Cancelled by client` or `Cancelled by therapist` when left out.
        #[oai(nullable)]
        reason: MaybeUndefined<Wire<Reason>>,
    }
}

/// A series.
#[derive(Debug, Object)]
#[oai(rename = "Series", rename_all = "camelCase")]
pub(crate) struct SeriesDto {
    /// Which one.
    id: String,
    /// Who receives the sessions.
    client_id: Wire<UserId>,
    /// Who gives them.
    therapist_id: Wire<UserId>,
    /// On which days, in the zone.
    rule: Wire<Recurrence>,
    /// But not on these days.
    ex_dates: Wire<ExDates>,
    /// When the first session of the rule begins, whether it was booked or not.
    start_time: Wire<DateTime<Utc>>,
    /// How long each session was to be, in minutes.
    duration: Wire<SessionDuration>,
    /// The therapist's zone when it was booked.
    time_zone: Wire<Tz>,
    /// When it was booked.
    created_at: Wire<DateTime<Utc>>,
    /// Those of its meetings in which one takes part, as they are now.
    meetings: Vec<SeriesMeetingDto>,
}

/// A meeting of a series.
#[derive(Debug, Object)]
#[oai(rename = "SeriesMeeting", rename_all = "camelCase")]
pub(crate) struct SeriesMeetingDto {
    /// Which one.
    id: String,
    /// When it begins now.
    start_time: Wire<DateTime<Utc>>,
    /// How long it is now, in minutes.
    duration: Wire<SessionDuration>,
    /// Where it stands.
    status: Wire<MeetingStatus>,
}

/// A series that was booked.
#[derive(Debug, Object)]
#[oai(rename = "BookedSeries", rename_all = "camelCase")]
pub(crate) struct BookedSeriesDto {
    /// What was booked.
    series: SeriesDto,
    /// The sessions that could not be booked.
    left_out: Vec<OccurrenceDto>,
    /// Days of the rule without a session: the clocks are set forward past its time. They do not
    /// count.
    skipped: Vec<Wire<NaiveDate>>,
}

/// What would be booked.
#[derive(Debug, Object)]
#[oai(rename = "SeriesPreview", rename_all = "camelCase")]
pub(crate) struct SeriesPreviewDto {
    /// The therapist's zone.
    time_zone: Wire<Tz>,
    /// Each session, the earliest first.
    occurrences: Vec<OccurrenceDto>,
    /// Days of the rule without a session: the clocks are set forward past its time. They do not
    /// count.
    skipped: Vec<Wire<NaiveDate>>,
}

/// A session of a series that is not booked, or not yet.
#[derive(Debug, Object)]
#[oai(rename = "Occurrence", rename_all = "camelCase")]
pub(crate) struct OccurrenceDto {
    /// When it would begin.
    start_time: Wire<DateTime<Utc>>,
    /// Whether it can be booked.
    available: bool,
    /// Why not, for programs: a `code` of problems.
    #[oai(nullable)]
    code: Option<String>,
    /// Why not.
    #[oai(nullable)]
    detail: Option<String>,
}

/// Days on which a rule does not count, each once and in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExDates(BTreeSet<NaiveDate>);

impl OnWire for ExDates {
    const NAME: &'static str = "ExDates";

    fn schema() -> MetaSchema {
        let date = MetaSchemaRef::Inline(Box::new(NaiveDate::schema()));
        MetaSchema {
            items: Some(Box::new(date)),
            max_items: Some(Recurrence::MOST as usize),
            ..MetaSchema::new("array")
        }
    }

    fn read(value: &Value) -> Result<Self, String> {
        let dates = value.as_array().filter(|dates| dates.len() <= Recurrence::MOST as usize);
        let dates =
            dates.ok_or_else(|| format!("must be a list of at most {} dates", Recurrence::MOST))?;
        dates.iter().map(NaiveDate::read).collect::<Result<_, _>>().map(Self)
    }

    fn write(&self) -> Value {
        self.0.iter().map(OnWire::write).collect()
    }
}

impl OnWire for Recurrence {
    const NAME: &'static str = "RecurrenceRule";

    fn schema() -> MetaSchema {
        MetaSchema {
            description: Some(
                "An RRULE (RFC 5545): `FREQ` (`DAILY`, `WEEKLY` or `MONTHLY`), `INTERVAL`, `BYDAY`, \
                 `BYMONTHDAY`, `WKST`, and `COUNT` or `UNTIL`",
            ),
            max_length: Some(Self::MAX_CHARS),
            example: Some(json!("FREQ=WEEKLY;COUNT=12;BYDAY=MO")),
            ..MetaSchema::new("string")
        }
    }

    fn read(value: &Value) -> Result<Self, String> {
        let text = value.as_str().ok_or_else(|| "must be a string".to_owned())?;
        text.parse().map_err(|wrong: booking_core::InvalidRecurrence| wrong.to_string())
    }

    fn write(&self) -> Value {
        self.to_string().into()
    }
}

impl OnWire for MeetingId {
    const NAME: &'static str = "MeetingId";

    fn schema() -> MetaSchema {
        MetaSchema::new("string")
    }

    fn read(value: &Value) -> Result<Self, String> {
        let text = value.as_str().ok_or_else(|| "must be a string".to_owned())?;
        text.parse().map_err(|wrong: booking_core::InvalidId| wrong.to_string())
    }

    fn write(&self) -> Value {
        self.to_string().into()
    }
}

impl From<SeriesCreateDto> for SeriesRequest {
    fn from(dto: SeriesCreateDto) -> Self {
        Self {
            first: BookRequest {
                client: plain(dto.client_id),
                status: plain(dto.status),
                meeting_type: plain(dto.meeting_type),
                title: plain(dto.title),
                description: plain(dto.description.take()),
                ..BookRequest::new(dto.therapist_id.0, dto.start_time.0, dto.duration.0)
            },
            rule: dto.rule.0,
            except: plain(dto.ex_dates).map(|dates| dates.0).unwrap_or_default(),
            mode: plain(dto.mode).unwrap_or(SeriesMode::All),
        }
    }
}

impl SeriesCancelDto {
    pub(crate) fn into_parts(self) -> (Option<MeetingId>, Option<Reason>) {
        (plain(self.from.take()), plain(self.reason.take()))
    }
}

impl From<SeriesView> for SeriesDto {
    fn from(SeriesView { series, meetings }: SeriesView) -> Self {
        let Series { id, client, therapist, rule, except, start, duration, zone, .. } = series;
        Self {
            id: id.to_string(),
            client_id: Wire(client),
            therapist_id: Wire(therapist),
            rule: Wire(rule),
            ex_dates: Wire(ExDates(except)),
            start_time: Wire(start),
            duration: Wire(duration),
            time_zone: Wire(zone),
            created_at: Wire(series.created_at),
            meetings: meetings.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<SeriesMeeting> for SeriesMeetingDto {
    fn from(SeriesMeeting { id, start, duration, status }: SeriesMeeting) -> Self {
        let (start_time, duration, status) = (Wire(start), Wire(duration), Wire(status));
        Self { id: id.to_string(), start_time, duration, status }
    }
}

impl From<BookedSeries> for BookedSeriesDto {
    fn from(BookedSeries { view, left_out, skipped }: BookedSeries) -> Self {
        Self {
            series: view.into(),
            left_out: left_out.into_iter().map(Into::into).collect(),
            skipped: skipped.into_iter().map(Wire).collect(),
        }
    }
}

impl From<SeriesPreview> for SeriesPreviewDto {
    fn from(SeriesPreview { zone, occurrences, skipped }: SeriesPreview) -> Self {
        Self {
            time_zone: Wire(zone),
            occurrences: occurrences.into_iter().map(Into::into).collect(),
            skipped: skipped.into_iter().map(Wire).collect(),
        }
    }
}

impl From<Occurrence> for OccurrenceDto {
    fn from(Occurrence { start, refusal }: Occurrence) -> Self {
        Self {
            start_time: Wire(start.instant()),
            available: refusal.is_none(),
            code: refusal.as_ref().map(|refusal| Code::of(refusal).as_str().to_owned()),
            detail: refusal.map(|refusal| refusal.to_string()),
        }
    }
}

impl From<LeftOut> for OccurrenceDto {
    fn from(LeftOut { index: _, start, refusal }: LeftOut) -> Self {
        Self {
            start_time: Wire(start),
            available: false,
            code: Some(Code::of(&refusal).as_str().to_owned()),
            detail: Some(refusal.to_string()),
        }
    }
}
