//! How therapists want to be booked, between the domain's values and those of databases.

use booking_core::{
    AvailabilityOverride, Bounded, Dates, Durations, MeetingUrlTemplate, OverrideId,
    SessionDuration, Settings, TherapistSettings, Unit,
};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use sqlx::FromRow;
use uuid::Uuid;

use crate::error::{Failure, Malformed};
use crate::rows;

/// A therapist's settings. When they changed is beside it, which is not the same in both databases.
#[derive(Debug, FromRow, Deserialize)]
pub(crate) struct SettingsRow {
    pub(crate) therapist_id: String,
    pub(crate) version: i64,
    pub(crate) zone: Option<String>,
    pub(crate) interval_minutes: i64,
    pub(crate) durations: i64,
    pub(crate) buffer_before_minutes: i64,
    pub(crate) buffer_after_minutes: i64,
    pub(crate) widest_before_minutes: i64,
    pub(crate) widest_after_minutes: i64,
    pub(crate) notice_minutes: i64,
    pub(crate) horizon_days: Option<i64>,
    pub(crate) most_a_day: Option<i64>,
    pub(crate) most_a_week: Option<i64>,
    pub(crate) cancellation_minutes: i64,
    pub(crate) reschedule_minutes: i64,
    pub(crate) meeting_url: Option<String>,
}

impl SettingsRow {
    /// What is written of settings.
    pub(crate) fn of(written: &TherapistSettings) -> Result<Self, Failure> {
        let TherapistSettings { therapist, version, settings, widest, updated_at: _ } = written;
        let Settings {
            zone,
            interval,
            durations,
            buffers,
            minimum_notice,
            horizon,
            most_a_day,
            most_a_week,
            cancellation_deadline,
            reschedule_deadline,
            meeting_url,
        } = settings;
        Ok(Self {
            therapist_id: therapist.as_str().to_owned(),
            version: i64::try_from(*version).map_err(Failure::corrupt)?,
            zone: zone.map(|zone| zone.name().to_owned()),
            interval_minutes: interval.minutes().into(),
            durations: durations.bits().into(),
            buffer_before_minutes: buffers.before.minutes().into(),
            buffer_after_minutes: buffers.after.minutes().into(),
            widest_before_minutes: widest.before.minutes().into(),
            widest_after_minutes: widest.after.minutes().into(),
            notice_minutes: minimum_notice.minutes().into(),
            horizon_days: horizon.map(number),
            most_a_day: most_a_day.map(number),
            most_a_week: most_a_week.map(number),
            cancellation_minutes: cancellation_deadline.minutes().into(),
            reschedule_minutes: reschedule_deadline.minutes().into(),
            meeting_url: meeting_url.as_ref().map(|template| template.as_str().to_owned()),
        })
    }

    /// The settings, which changed then.
    pub(crate) fn updated_at(self, then: DateTime<Utc>) -> Result<TherapistSettings, Malformed> {
        let template = self.meeting_url.map(MeetingUrlTemplate::new).transpose();
        Ok(TherapistSettings {
            therapist: rows::user(&self.therapist_id)?,
            version: rows::count(self.version)?,
            settings: Settings {
                zone: rows::zone(self.zone)?,
                interval: rows::bounded("interval", self.interval_minutes)?,
                durations: durations(self.durations)?,
                buffers: rows::buffers(self.buffer_before_minutes, self.buffer_after_minutes)?,
                minimum_notice: rows::bounded("notice", self.notice_minutes)?,
                horizon: optional("horizon", self.horizon_days)?,
                most_a_day: optional("limit", self.most_a_day)?,
                most_a_week: optional("limit", self.most_a_week)?,
                cancellation_deadline: rows::bounded("deadline", self.cancellation_minutes)?,
                reschedule_deadline: rows::bounded("deadline", self.reschedule_minutes)?,
                meeting_url: template.map_err(Malformed::because("URL"))?,
            },
            widest: rows::buffers(self.widest_before_minutes, self.widest_after_minutes)?,
            updated_at: Some(then),
        })
    }
}

/// An override. Days are counted from 1970-01-01.
#[derive(Debug)]
pub(crate) struct OverrideRow {
    pub(crate) id: Uuid,
    pub(crate) therapist_id: String,
    pub(crate) first_day: i64,
    pub(crate) last_day: i64,
    pub(crate) windows: String,
    pub(crate) notes: Option<String>,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
}

impl TryFrom<OverrideRow> for AvailabilityOverride {
    type Error = Malformed;

    fn try_from(row: OverrideRow) -> Result<Self, Malformed> {
        Ok(Self {
            id: OverrideId::from_uuid(row.id),
            therapist: rows::user(&row.therapist_id)?,
            dates: dates(row.first_day, row.last_day)?,
            windows: rows::from_json("windows", &row.windows)?,
            notes: rows::optional_text(row.notes)?,
            created_at: rows::instant(row.created_ms)?,
            updated_at: rows::instant(row.updated_ms)?,
        })
    }
}

/// Those of an override, in days from 1970-01-01.
pub(crate) fn dates(first_day: i64, last_day: i64) -> Result<Dates, Malformed> {
    let date = rows::date;
    Dates::new(date(first_day)?, date(last_day)?).map_err(Malformed::because("dates"))
}

/// No override has a date outside the years 0 to 9999, and databases know few beyond.
pub(crate) fn date_bound(date: NaiveDate) -> NaiveDate {
    let first = NaiveDate::from_ymd_opt(0, 1, 1).unwrap_or(date);
    let last = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap_or(date);
    date.clamp(first, last)
}

fn number<U: Unit, const MIN: u32, const MAX: u32>(bounded: Bounded<U, MIN, MAX>) -> i64 {
    bounded.get().into()
}

fn optional<U: Unit, const MIN: u32, const MAX: u32>(
    what: &'static str,
    number: Option<i64>,
) -> Result<Option<Bounded<U, MIN, MAX>>, Malformed> {
    number.map(|number| rows::bounded(what, number)).transpose()
}

fn durations(bits: i64) -> Result<Durations, Malformed> {
    let all = SessionDuration::ALL.into_iter();
    let named =
        all.filter(|one| bits & i64::from(Durations::new([*one]).map_or(0, Durations::bits)) != 0);
    Durations::new(named).ok_or(Malformed::new("durations"))
}
