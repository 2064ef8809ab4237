//! How a therapist wants to be booked: their scheduling settings.
//!
//! Every value is right once it is made. [`Settings::default`] is the contract as it stands for a
//! therapist who has never set anything.

use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::duration::Durations;
use crate::id::{MeetingId, UserId};
use crate::text::MeetingUrl;

/// What a [`Bounded`] number counts: [`Minutes`], [`Days`] or [`Things`].
pub trait Unit: Copy + fmt::Debug + Hash + Ord + Send + Sync + sealed::Sealed + 'static {}

mod sealed {
    pub trait Sealed {}
}

macro_rules! units {
    ($($(#[$doc:meta])* $unit:ident;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub enum $unit {}

            impl Unit for $unit {}

            impl sealed::Sealed for $unit {}
        )+
    };
}

units! {
    /// The unit of what is counted in minutes.
    Minutes;
    /// The unit of what is counted in days.
    Days;
    /// The unit of what is counted by the piece.
    Things;
}

/// A whole number of units from `MIN` to `MAX`.
///
/// ```
/// use booking_core::SlotInterval;
///
/// assert_eq!(SlotInterval::new(15)?.minutes(), 15);
/// assert_eq!(SlotInterval::new(4).unwrap_err().to_string(), "must be a whole number from 5 to 120");
/// # Ok::<(), booking_core::OutOfBounds>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u32", try_from = "u32")]
pub struct Bounded<U: Unit, const MIN: u32, const MAX: u32>(u32, PhantomData<U>);

/// From one start to the next in one run of availability.
pub type SlotInterval = Bounded<Minutes, 5, 120>;
/// What is kept free before or after a meeting.
pub type Buffer = Bounded<Minutes, 0, 120>;
/// How long, at most a year, before a meeting begins something has to be known.
pub type Notice = Bounded<Minutes, 0, 525_600>;
/// How far ahead, at most ten years, can be booked.
pub type Horizon = Bounded<Days, 1, 3_650>;
/// Meetings of one day, of which none is shorter than half an hour.
pub type DailyLimit = Bounded<Things, 1, 48>;
/// Meetings of one week.
pub type WeeklyLimit = Bounded<Things, 1, 336>;

/// A number that is not within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from {min} to {max}")]
pub struct OutOfBounds {
    /// The least that it can be.
    pub min: u32,
    /// The most that it can be.
    pub max: u32,
}

impl<U: Unit, const MIN: u32, const MAX: u32> Bounded<U, MIN, MAX> {
    /// The least.
    pub const MIN: Self = Self(MIN, PhantomData);
    /// The most.
    pub const MAX: Self = Self(MAX, PhantomData);

    /// Checks the bounds.
    ///
    /// # Errors
    /// [`OutOfBounds`].
    pub const fn new(number: u32) -> Result<Self, OutOfBounds> {
        if MIN <= number && number <= MAX {
            Ok(Self(number, PhantomData))
        } else {
            Err(OutOfBounds { min: MIN, max: MAX })
        }
    }

    /// The number, whatever it counts.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl<const MIN: u32, const MAX: u32> Bounded<Minutes, MIN, MAX> {
    /// How many minutes.
    #[must_use]
    pub const fn minutes(self) -> u32 {
        self.0
    }

    /// The same as a difference of instants.
    #[must_use]
    pub const fn to_delta(self) -> TimeDelta {
        TimeDelta::minutes(self.0 as i64)
    }

    pub(crate) const fn seconds(self) -> i64 {
        self.0 as i64 * 60
    }
}

impl<const MIN: u32, const MAX: u32> Bounded<Days, MIN, MAX> {
    /// How many days.
    #[must_use]
    pub const fn days(self) -> u32 {
        self.0
    }
}

impl<U: Unit, const MIN: u32, const MAX: u32> fmt::Debug for Bounded<U, MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<U: Unit, const MIN: u32, const MAX: u32> fmt::Display for Bounded<U, MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<U: Unit, const MIN: u32, const MAX: u32> TryFrom<u32> for Bounded<U, MIN, MAX> {
    type Error = OutOfBounds;

    fn try_from(number: u32) -> Result<Self, OutOfBounds> {
        Self::new(number)
    }
}

impl<U: Unit, const MIN: u32, const MAX: u32> From<Bounded<U, MIN, MAX>> for u32 {
    fn from(number: Bounded<U, MIN, MAX>) -> Self {
        number.0
    }
}

/// What is kept free around a meeting: between two meetings of one therapist there are at least the
/// first's `after` and the second's `before`, in sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Buffers {
    /// Before its start.
    pub before: Buffer,
    /// After its end.
    pub after: Buffer,
}

impl Buffers {
    /// Nothing at all.
    pub const NONE: Self = Self { before: Buffer::MIN, after: Buffer::MIN };

    /// The greater of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { before: self.before.max(other.before), after: self.after.max(other.after) }
    }
}

impl Default for Buffers {
    fn default() -> Self {
        Self::NONE
    }
}

/// How a therapist wants to be booked. Whatever is not set is as the contract has it.
///
/// ```
/// use booking_core::{Durations, Settings};
///
/// let settings = Settings::default();
/// assert_eq!(settings.interval.minutes(), 30);
/// assert_eq!(settings.durations, Durations::ALL);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The zone in which availability is meant; the directory's when there is none.
    pub zone: Option<Tz>,
    /// From one start to the next.
    pub interval: SlotInterval,
    /// How long sessions may be.
    pub durations: Durations,
    /// What is kept free around sessions that are booked from now on.
    pub buffers: Buffers,
    /// A session begins no sooner than this after it is booked.
    pub minimum_notice: Notice,
    /// Sessions begin at most so much after today's date, by the therapist's calendar.
    pub horizon: Option<Horizon>,
    /// At most so many of the therapist's meetings begin on one local date.
    pub most_a_day: Option<DailyLimit>,
    /// At most so many begin in one local week, which begins on Monday.
    pub most_a_week: Option<WeeklyLimit>,
    /// Clients cancel no later than this before the start; 0 for whenever they like.
    pub cancellation_deadline: Notice,
    /// Clients move a meeting no later than this before its start; 0 for whenever they like.
    pub reschedule_deadline: Notice,
    /// From which the URLs of meetings are made.
    pub meeting_url: Option<MeetingUrlTemplate>,
}

impl Settings {
    /// What holds for a therapist who has never set anything.
    pub const DEFAULT: Self = Self {
        zone: None,
        interval: Bounded(30, PhantomData),
        durations: Durations::ALL,
        buffers: Buffers::NONE,
        minimum_notice: Notice::MIN,
        horizon: None,
        most_a_day: None,
        most_a_week: None,
        cancellation_deadline: Notice::MIN,
        reschedule_deadline: Notice::MIN,
        meeting_url: None,
    };
}

impl Default for Settings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The settings of one therapist, as a store keeps them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TherapistSettings {
    /// Whose.
    pub therapist: UserId,
    /// 0 for those who have never set anything; grows by one with each change. Sent as the `ETag`.
    pub version: u64,
    /// What they are now.
    pub settings: Settings,
    /// No meeting of theirs was ever booked with more around it: that says how far a booking has to
    /// look.
    pub widest: Buffers,
    /// When they last changed, to the millisecond; `None` if never.
    pub updated_at: Option<DateTime<Utc>>,
}

impl TherapistSettings {
    /// Those of somebody who has never set anything.
    #[must_use]
    pub const fn unset(therapist: UserId) -> Self {
        let (settings, widest) = (Settings::DEFAULT, Buffers::NONE);
        Self { therapist, version: 0, settings, widest, updated_at: None }
    }

    /// Those with other settings, from `now` on.
    pub(crate) fn replaced(&self, settings: Settings, now: DateTime<Utc>) -> Self {
        Self {
            therapist: self.therapist.clone(),
            version: self.version + 1,
            widest: self.widest.max(settings.buffers),
            settings,
            updated_at: Some(now),
        }
    }
}

/// What the URLs of a therapist's meetings look like: a [`MeetingUrl`] in which `{meetingId}` stands
/// for the id of each.
///
/// ```
/// use booking_core::MeetingUrlTemplate;
///
/// assert!(MeetingUrlTemplate::new("https://meet.example.com/{meetingId}").is_ok());
/// assert!(MeetingUrlTemplate::new("https://meet.example.com/jane").is_ok());
/// assert!(MeetingUrlTemplate::new("https://meet.example.com/{clientId}").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct MeetingUrlTemplate(String);

/// A text from which no meeting URLs can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an absolute http or https URL, without user or password, of at most {} characters \
     once each {} in it is replaced; braces are for that alone",
    MeetingUrl::MAX_CHARS,
    MeetingUrlTemplate::ID
)]
pub struct InvalidTemplate;

impl MeetingUrlTemplate {
    /// What stands for the id of a meeting.
    pub const ID: &'static str = "{meetingId}";

    /// Checks that what is made of it are meeting URLs: all ids are equally long, and of the same
    /// characters.
    ///
    /// # Errors
    /// [`InvalidTemplate`] when they would not be.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidTemplate> {
        let template = Self(text.into());
        let is_plain = template.0.len() <= MeetingUrl::MAX_CHARS
            && !template.0.replace(Self::ID, "").contains(['{', '}']);
        let filled = is_plain.then(|| template.fill(MeetingId::from_uuid(Uuid::nil()))).flatten();
        filled.map(|_| template).ok_or(InvalidTemplate)
    }

    /// The URL of a meeting.
    pub(crate) fn fill(&self, meeting: MeetingId) -> Option<MeetingUrl> {
        MeetingUrl::new(self.0.replace(Self::ID, &meeting.to_string())).ok()
    }

    /// The template.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// It may let people in: it does not belong in logs.
impl fmt::Debug for MeetingUrlTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MeetingUrlTemplate(…)")
    }
}

impl TryFrom<String> for MeetingUrlTemplate {
    type Error = InvalidTemplate;

    fn try_from(text: String) -> Result<Self, InvalidTemplate> {
        Self::new(text)
    }
}

impl From<MeetingUrlTemplate> for String {
    fn from(template: MeetingUrlTemplate) -> Self {
        template.0
    }
}
