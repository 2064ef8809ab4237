//! How the domain's values look in JSON, in queries and in the spec.
//!
//! [`OnWire`] says it once per value; [`Wire`] makes it known to poem-openapi.

use std::borrow::Cow;
use std::fmt;

use booking_core::{
    AuditAction, CalendarKind, CopyFault, Email, EventType, FeedContent, MeetingStatus,
    MeetingType, MeetingUrl, Role, SeriesMode, SessionDuration, StartTime, SubjectKind, Text,
    UnreadPart, UserId, WEEKDAYS, WallTime, format_instant,
};
use chrono::{DateTime, NaiveDate, Utc, Weekday};
use chrono_tz::Tz;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{
    ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type,
};
use serde_json::{Value, json};

/// A value with one form on the wire.
pub(crate) trait OnWire: Sized + Send + Sync + 'static {
    /// What error messages and, for named schemas, the spec call it.
    const NAME: &'static str;

    /// Whether the spec describes it once, under its name.
    const IS_NAMED: bool = false;

    /// What is said to whom sends a parameter several times.
    const ONCE: &'static str = "must be there once";

    fn schema() -> MetaSchema;

    /// Reads the JSON form; the error completes "the field …".
    fn read(value: &Value) -> Result<Self, String>;

    fn write(&self) -> Value;

    /// Reads the form in a query or header.
    fn read_text(text: &str) -> Result<Self, String> {
        Self::read(&Value::from(text))
    }
}

/// A value in its wire form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wire<T>(pub(crate) T);

impl<T: OnWire> Type for Wire<T> {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn schema_ref() -> MetaSchemaRef {
        if T::IS_NAMED {
            MetaSchemaRef::Reference(T::NAME.to_owned())
        } else {
            MetaSchemaRef::Inline(Box::new(T::schema()))
        }
    }

    fn register(registry: &mut Registry) {
        if T::IS_NAMED {
            registry.create_schema::<Self, _>(T::NAME.to_owned(), |_| T::schema());
        }
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl<T: OnWire> ParseFromJSON for Wire<T> {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        T::read(&value.unwrap_or_default()).map(Self).map_err(ParseError::custom)
    }
}

impl<T: OnWire> ParseFromParameter for Wire<T> {
    fn parse_from_parameter(text: &str) -> ParseResult<Self> {
        T::read_text(text).map(Self).map_err(ParseError::custom)
    }

    /// Of several, none is what was meant by all of them.
    fn parse_from_parameters<I: IntoIterator<Item = A>, A: AsRef<str>>(
        values: I,
    ) -> ParseResult<Self> {
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (Some(one), None) => Self::parse_from_parameter(one.as_ref()),
            (Some(_), Some(_)) => Err(ParseError::custom(T::ONCE)),
            (None, _) => Err(ParseError::expected_input()),
        }
    }
}

impl<T: OnWire> ToJSON for Wire<T> {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.write())
    }
}

pub(crate) fn string(format: Option<&'static str>) -> MetaSchema {
    MetaSchema { format, ..MetaSchema::new("string") }
}

pub(crate) fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| "must be a string".to_owned())
}

pub(crate) fn said<E: fmt::Display>(error: E) -> String {
    error.to_string()
}

/// Any RFC 3339 instant in; UTC with three decimals and `Z` out.
impl OnWire for DateTime<Utc> {
    const NAME: &'static str = "Instant";

    fn schema() -> MetaSchema {
        string(Some("date-time"))
    }

    fn read(value: &Value) -> Result<Self, String> {
        DateTime::parse_from_rfc3339(text(value)?)
            .map(|instant| instant.to_utc())
            .map_err(|_| "must be an RFC 3339 date-time with an offset".to_owned())
    }

    fn write(&self) -> Value {
        format_instant(*self).into()
    }
}

impl OnWire for StartTime {
    const NAME: &'static str = "StartTime";

    fn schema() -> MetaSchema {
        MetaSchema { example: Some(json!("2024-01-15T14:00:00.000Z")), ..DateTime::<Utc>::schema() }
    }

    fn read(value: &Value) -> Result<Self, String> {
        Self::new(DateTime::<Utc>::read(value)?).map_err(said)
    }

    fn write(&self) -> Value {
        self.instant().write()
    }
}

/// `YYYY-MM-DD`, four digits for the year.
impl OnWire for NaiveDate {
    const NAME: &'static str = "Date";

    fn schema() -> MetaSchema {
        MetaSchema { example: Some(json!("2024-01-15")), ..string(Some("date")) }
    }

    fn read(value: &Value) -> Result<Self, String> {
        let text = text(value)?;
        let shaped = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let date = shaped.then(|| text.parse().ok()).flatten();
        date.ok_or_else(|| "must be a date in the form YYYY-MM-DD".to_owned())
    }

    fn write(&self) -> Value {
        self.to_string().into()
    }
}

impl OnWire for SessionDuration {
    const NAME: &'static str = "SessionDuration";
    const IS_NAMED: bool = true;

    fn schema() -> MetaSchema {
        MetaSchema {
            description: Some("Length of a session in minutes"),
            enum_items: Self::ALL.iter().map(OnWire::write).collect(),
            ..MetaSchema::new_with_format("integer", "int32")
        }
    }

    fn read(value: &Value) -> Result<Self, String> {
        // No number: the message for a wrong one says it all.
        let minutes = value.as_u64().and_then(|minutes| u32::try_from(minutes).ok()).unwrap_or(0);
        Self::try_from(minutes).map_err(said)
    }

    fn read_text(text: &str) -> Result<Self, String> {
        let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let minutes = digits.and_then(|digits| digits.parse().ok()).unwrap_or(0);
        Self::try_from(minutes).map_err(said)
    }

    fn write(&self) -> Value {
        self.minutes().into()
    }
}

/// Days from Sunday, 0 to 6.
impl OnWire for Weekday {
    const NAME: &'static str = "DayOfWeek";
    const IS_NAMED: bool = true;

    fn schema() -> MetaSchema {
        MetaSchema {
            description: Some("Day of the week: 0 is Sunday, 6 is Saturday"),
            enum_items: (0..7).map(Value::from).collect(),
            ..MetaSchema::new_with_format("integer", "int32")
        }
    }

    fn read(value: &Value) -> Result<Self, String> {
        let index = value.as_u64().and_then(|day| usize::try_from(day).ok());
        let weekday = index.and_then(|index| WEEKDAYS.get(index).copied());
        weekday.ok_or_else(|| "must be 0 (Sunday) to 6 (Saturday)".to_owned())
    }

    fn write(&self) -> Value {
        self.num_days_from_sunday().into()
    }
}

impl OnWire for WallTime {
    const NAME: &'static str = "TimeOfDay";
    const IS_NAMED: bool = true;

    fn schema() -> MetaSchema {
        MetaSchema {
            description: Some(
                "Time on the clock of the therapist's zone; `24:00` is the day's end",
            ),
            pattern: Some("^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$".to_owned()),
            ..string(None)
        }
    }

    fn read(value: &Value) -> Result<Self, String> {
        text(value)?.parse().map_err(said)
    }

    fn write(&self) -> Value {
        self.to_string().into()
    }
}

impl<const MAX: usize> OnWire for Text<MAX> {
    const NAME: &'static str = "Text";

    fn schema() -> MetaSchema {
        MetaSchema { max_length: Some(MAX), ..string(None) }
    }

    fn read(value: &Value) -> Result<Self, String> {
        Self::new(text(value)?).map_err(said)
    }

    fn write(&self) -> Value {
        self.as_str().into()
    }
}

impl OnWire for MeetingUrl {
    const NAME: &'static str = "MeetingUrl";

    fn schema() -> MetaSchema {
        MetaSchema { max_length: Some(Self::MAX_CHARS), ..string(Some("uri")) }
    }

    fn read(value: &Value) -> Result<Self, String> {
        Self::new(text(value)?).map_err(said)
    }

    fn write(&self) -> Value {
        self.as_str().into()
    }
}

impl OnWire for Email {
    const NAME: &'static str = "Email";

    fn schema() -> MetaSchema {
        MetaSchema { max_length: Some(Self::MAX_BYTES), ..string(Some("email")) }
    }

    fn read(value: &Value) -> Result<Self, String> {
        Self::new(text(value)?).map_err(said)
    }

    fn write(&self) -> Value {
        self.as_str().into()
    }
}

impl OnWire for UserId {
    const NAME: &'static str = "UserId";
    const IS_NAMED: bool = true;

    fn schema() -> MetaSchema {
        MetaSchema {
            description: Some("A user, as the identity provider names them"),
            min_length: Some(1),
            max_length: Some(Self::MAX_CHARS),
            pattern: Some("^[!-~]+$".to_owned()),
            ..string(None)
        }
    }

    fn read(value: &Value) -> Result<Self, String> {
        Self::new(text(value)?).map_err(said)
    }

    fn write(&self) -> Value {
        self.as_str().into()
    }
}

impl OnWire for Tz {
    const NAME: &'static str = "TimeZone";

    fn schema() -> MetaSchema {
        MetaSchema { example: Some(json!("America/New_York")), ..string(None) }
    }

    fn read(value: &Value) -> Result<Self, String> {
        text(value)?.parse().map_err(|_| "must be the name of an IANA time zone".to_owned())
    }

    fn write(&self) -> Value {
        self.name().into()
    }
}

impl OnWire for bool {
    const NAME: &'static str = "Boolean";

    fn schema() -> MetaSchema {
        MetaSchema::new("boolean")
    }

    fn read(value: &Value) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| "must be true or false".to_owned())
    }

    fn write(&self) -> Value {
        (*self).into()
    }
}

macro_rules! words_on_wire {
    ($($ty:ident: $description:literal;)+) => {
        $(impl OnWire for $ty {
            const NAME: &'static str = stringify!($ty);
            const IS_NAMED: bool = true;

            fn schema() -> MetaSchema {
                MetaSchema {
                    description: Some($description),
                    enum_items: Self::ALL.iter().map(OnWire::write).collect(),
                    ..string(None)
                }
            }

            fn read(value: &Value) -> Result<Self, String> {
                text(value)?.parse().map_err(said)
            }

            fn write(&self) -> Value {
                self.as_str().into()
            }
        })+
    };
}

words_on_wire! {
    AuditAction: "What was done";
    CalendarKind: "How a linked calendar is read: a file at a URL, or a collection on a CalDAV server";
    CopyFault: "Why a linked calendar cannot be read, or written into";
    EventType: "The kind of an event";
    FeedContent: "What a calendar feed shows: when its owner has meetings, also their titles and where to meet, or when a therapist is available";
    MeetingStatus: "Where a meeting stands";
    MeetingType: "How client and therapist meet";
    Role: "What a user is on the platform";
    SeriesMode: "What to do about sessions that cannot be booked";
    SubjectKind: "The kind of what was changed";
    UnreadPart: "What could not be read of an event of a linked calendar";
}
