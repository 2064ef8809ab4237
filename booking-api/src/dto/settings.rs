//! How therapists want to be booked.

use booking_core::{
    Buffer, Buffers, DailyLimit, Durations, Horizon, MeetingUrlTemplate, Notice, Settings,
    SlotInterval, TherapistSettings, WeeklyLimit,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use poem_openapi::Object;
use poem_openapi::types::MaybeUndefined;

use crate::body::{plain, request_body};
use crate::wire::Wire;

request_body! {
    /// All settings, in place of those before. What is left out is as for a therapist who has never
    /// set anything.
    SettingsPutDto {
        /// The IANA zone in which availability is meant; the directory's when null or left out.
        #[oai(nullable)]
        time_zone: MaybeUndefined<Wire<Tz>>,
        /// Minutes from one start to the next; 30 when left out.
        slot_interval: Option<Wire<SlotInterval>>,
        /// How long sessions may be, in minutes; 30, 60, 90 and 120 when left out.
        durations: Option<Wire<Durations>>,
        /// Minutes that are kept free before each session; 0 when left out.
        buffer_before: Option<Wire<Buffer>>,
        /// Minutes that are kept free after each session; 0 when left out. Between two sessions there
        /// are the first's minutes after and the second's minutes before, in sum.
        buffer_after: Option<Wire<Buffer>>,
        /// Minutes by which a session has to be booked before it begins; 0 when left out.
        minimum_notice: Option<Wire<Notice>>,
        /// For how many days after today sessions can be booked; without end when null or left out.
        #[oai(nullable)]
        booking_horizon: MaybeUndefined<Wire<Horizon>>,
        /// How many sessions may begin on one local date; any number when null or left out. Cancelled
        /// ones do not count.
        #[oai(nullable)]
        max_meetings_per_day: MaybeUndefined<Wire<DailyLimit>>,
        /// How many sessions may begin in one local week, from Monday; any number when null or left
        /// out.
        #[oai(nullable)]
        max_meetings_per_week: MaybeUndefined<Wire<WeeklyLimit>>,
        /// Minutes before the start up to which clients may cancel; 0, when left out, for whenever
        /// they like.
        cancellation_deadline: Option<Wire<Notice>>,
        /// Minutes before the start up to which clients may move a session; 0, when left out, for
        /// whenever they like.
        reschedule_deadline: Option<Wire<Notice>>,
        /// What the `meetingUrl` of sessions is made of that are booked from now on, but for those in
        /// person: `{meetingId}` in it stands for the session's id. None when null or left out.
        #[oai(nullable)]
        meeting_url_template: MaybeUndefined<Wire<MeetingUrlTemplate>>,
    }
}

/// How a therapist wants to be booked.
#[derive(Debug, Object)]
#[oai(rename = "SchedulingSettings", rename_all = "camelCase")]
pub(crate) struct SettingsDto {
    /// The IANA zone in which availability is meant; null for the directory's.
    #[oai(nullable)]
    time_zone: Option<Wire<Tz>>,
    /// Minutes from one start to the next.
    slot_interval: Wire<SlotInterval>,
    /// How long sessions may be, in minutes, shortest first.
    durations: Wire<Durations>,
    /// Minutes that are kept free before each session.
    buffer_before: Wire<Buffer>,
    /// Minutes that are kept free after each session.
    buffer_after: Wire<Buffer>,
    /// Minutes by which a session has to be booked before it begins.
    minimum_notice: Wire<Notice>,
    /// For how many days after today sessions can be booked; null for without end.
    #[oai(nullable)]
    booking_horizon: Option<Wire<Horizon>>,
    /// How many sessions may begin on one local date; null for any number.
    #[oai(nullable)]
    max_meetings_per_day: Option<Wire<DailyLimit>>,
    /// How many sessions may begin in one local week, from Monday; null for any number.
    #[oai(nullable)]
    max_meetings_per_week: Option<Wire<WeeklyLimit>>,
    /// Minutes before the start up to which clients may cancel; 0 for whenever they like.
    cancellation_deadline: Wire<Notice>,
    /// Minutes before the start up to which clients may move a session; 0 for whenever they like.
    reschedule_deadline: Wire<Notice>,
    /// What the `meetingUrl` of sessions is made of; null for none.
    #[oai(nullable)]
    meeting_url_template: Option<Wire<MeetingUrlTemplate>>,
    /// When they last changed; null if never.
    #[oai(nullable)]
    updated_at: Option<Wire<DateTime<Utc>>>,
}

impl From<SettingsPutDto> for Settings {
    fn from(dto: SettingsPutDto) -> Self {
        let usual = Self::DEFAULT;
        Self {
            zone: plain(dto.time_zone.take()),
            interval: plain(dto.slot_interval).unwrap_or(usual.interval),
            durations: plain(dto.durations).unwrap_or(usual.durations),
            buffers: Buffers {
                before: plain(dto.buffer_before).unwrap_or(usual.buffers.before),
                after: plain(dto.buffer_after).unwrap_or(usual.buffers.after),
            },
            minimum_notice: plain(dto.minimum_notice).unwrap_or(usual.minimum_notice),
            horizon: plain(dto.booking_horizon.take()),
            most_a_day: plain(dto.max_meetings_per_day.take()),
            most_a_week: plain(dto.max_meetings_per_week.take()),
            cancellation_deadline: plain(dto.cancellation_deadline)
                .unwrap_or(usual.cancellation_deadline),
            reschedule_deadline: plain(dto.reschedule_deadline)
                .unwrap_or(usual.reschedule_deadline),
            meeting_url: plain(dto.meeting_url_template.take()),
        }
    }
}

impl From<TherapistSettings> for SettingsDto {
    fn from(TherapistSettings { settings, updated_at, .. }: TherapistSettings) -> Self {
        Self {
            time_zone: settings.zone.map(Wire),
            slot_interval: Wire(settings.interval),
            durations: Wire(settings.durations),
            buffer_before: Wire(settings.buffers.before),
            buffer_after: Wire(settings.buffers.after),
            minimum_notice: Wire(settings.minimum_notice),
            booking_horizon: settings.horizon.map(Wire),
            max_meetings_per_day: settings.most_a_day.map(Wire),
            max_meetings_per_week: settings.most_a_week.map(Wire),
            cancellation_deadline: Wire(settings.cancellation_deadline),
            reschedule_deadline: Wire(settings.reschedule_deadline),
            meeting_url_template: settings.meeting_url.map(Wire),
            updated_at: updated_at.map(Wire),
        }
    }
}
