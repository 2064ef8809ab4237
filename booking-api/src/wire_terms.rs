//! How settings and overrides look in JSON and in the spec.

use booking_core::{
    Bounded, DayWindows, Durations, InvalidWindows, MeetingUrl, MeetingUrlTemplate,
    SessionDuration, Unit, WallTime, Window,
};
use chrono::NaiveDate;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::Type;
use serde_json::{Value, json};

use crate::wire::{OnWire, Wire, said, string, text};

impl<U: Unit, const MIN: u32, const MAX: u32> OnWire for Bounded<U, MIN, MAX> {
    const NAME: &'static str = "Number";

    fn schema() -> MetaSchema {
        MetaSchema {
            minimum: Some(f64::from(MIN)),
            maximum: Some(f64::from(MAX)),
            ..MetaSchema::new_with_format("integer", "int32")
        }
    }

    fn read(value: &Value) -> Result<Self, String> {
        // No number: the message for a wrong one says it all.
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        Self::new(number.unwrap_or(u32::MAX)).map_err(said)
    }

    fn write(&self) -> Value {
        self.get().into()
    }
}

impl OnWire for Durations {
    const NAME: &'static str = "Durations";

    fn schema() -> MetaSchema {
        MetaSchema {
            items: Some(Box::new(Wire::<SessionDuration>::schema_ref())),
            min_items: Some(1),
            max_items: Some(SessionDuration::ALL.len()),
            unique_items: Some(true),
            ..MetaSchema::new("array")
        }
    }

    fn read(value: &Value) -> Result<Self, String> {
        let minutes = value.as_array().map(Vec::as_slice).unwrap_or_default().iter();
        let minutes = minutes.map(|minutes| {
            let number = minutes.as_u64().and_then(|number| u32::try_from(number).ok());
            number.unwrap_or_default()
        });
        Self::try_from(minutes.collect::<Vec<u32>>()).map_err(said)
    }

    fn write(&self) -> Value {
        Vec::<u32>::from(*self).into()
    }
}

/// `[{"startTime": "09:00", "endTime": "12:00"}]`.
impl OnWire for DayWindows {
    const NAME: &'static str = "DayWindows";

    fn schema() -> MetaSchema {
        // As part of an answer it is described under its name.
        let window = MetaSchemaRef::Reference("DayWindow".to_owned());
        MetaSchema {
            items: Some(Box::new(window)),
            max_items: Some(Self::MOST),
            ..MetaSchema::new("array")
        }
    }

    fn read(value: &Value) -> Result<Self, String> {
        let windows = value.as_array().ok_or_else(|| "must be a list of windows".to_owned())?;
        if windows.len() > Self::MOST {
            return Err(said(InvalidWindows::TooMany));
        }
        let windows: Vec<Window> = windows.iter().map(read_window).collect::<Result<_, _>>()?;
        Self::new(windows).map_err(said)
    }

    fn write(&self) -> Value {
        let window = |window: &Window| json!({"startTime": window.start().write(), "endTime": window.end().write()});
        self.as_slice().iter().map(window).collect()
    }
}

fn read_window(value: &Value) -> Result<Window, String> {
    let time = |field: &str| {
        let time = value.get(field).ok_or_else(|| format!("each window must have a {field}"))?;
        WallTime::read(time).map_err(|why| format!("the {field} of each window {why}"))
    };
    let window = Window::new(time("startTime")?, time("endTime")?);
    window.ok_or_else(|| "the startTime of each window must be before its endTime".to_owned())
}

impl OnWire for MeetingUrlTemplate {
    const NAME: &'static str = "MeetingUrlTemplate";

    fn schema() -> MetaSchema {
        MetaSchema { max_length: Some(MeetingUrl::MAX_CHARS), ..string(None) }
    }

    fn read(value: &Value) -> Result<Self, String> {
        Self::new(text(value)?).map_err(said)
    }

    fn write(&self) -> Value {
        self.as_str().into()
    }
}

/// A date in a query that may be left out: without an example, which Swagger UI would send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DateBound(pub(crate) NaiveDate);

impl OnWire for DateBound {
    const NAME: &'static str = NaiveDate::NAME;

    fn schema() -> MetaSchema {
        MetaSchema { example: None, ..NaiveDate::schema() }
    }

    fn read(value: &Value) -> Result<Self, String> {
        NaiveDate::read(value).map(Self)
    }

    fn write(&self) -> Value {
        self.0.write()
    }
}
