//! Calendars from elsewhere.

use booking_core::{
    CalendarKind, CalendarLabel, CopyFault, CopyState, LinkedCalendar, Text, UnreadEvents,
    UnreadPart, WriteBack,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use poem_openapi::Object;
use poem_openapi::registry::MetaSchema;
use poem_openapi::types::MaybeUndefined;
use serde_json::Value;

use crate::body::{plain, request_body};
use crate::wire::{OnWire, Wire, string};

request_body! {
    /// A calendar to link.
    LinkedCalendarCreateDto {
        /// How it is read.
        kind: Wire<CalendarKind>,
        /// Where it is: an `https` or `webcal` URL, without credentials in it. Of a collection, its own.
        url: Wire<Text<2_000>>,
        /// Who asks for it, where its server wants to know. Not without a password.
        #[oai(nullable)]
        username: MaybeUndefined<Wire<Text<500>>>,
        /// What they are known by: one that is for this alone, if the server has such.
        #[oai(nullable)]
        password: MaybeUndefined<Wire<Text<500>>>,
        /// What it is called here.
        #[oai(nullable)]
        label: MaybeUndefined<Wire<CalendarLabel>>,
        /// The IANA zone in which its dates are meant, and its times that name none; the therapist's
        /// when null or left out.
        #[oai(nullable)]
        time_zone: MaybeUndefined<Wire<Tz>>,
        /// Whether sessions are written into it, for collections alone; `false` when left out.
        write_back: Option<Wire<bool>>,
    }
}

request_body! {
    /// What a linked calendar is to be from now on. What is left out is as if it had never been said, but
    /// for where it is.
    LinkedCalendarUpdateDto {
        /// Where it is; as before when left out, with what opens it.
        url: Option<Wire<Text<2_000>>>,
        /// Who asks for it there. Not without a URL and a password.
        #[oai(nullable)]
        username: MaybeUndefined<Wire<Text<500>>>,
        /// What they are known by.
        #[oai(nullable)]
        password: MaybeUndefined<Wire<Text<500>>>,
        /// What it is called here.
        #[oai(nullable)]
        label: MaybeUndefined<Wire<CalendarLabel>>,
        /// The IANA zone in which its dates are meant, and its times that name none; the therapist's
        /// when null or left out.
        #[oai(nullable)]
        time_zone: MaybeUndefined<Wire<Tz>>,
        /// Whether sessions are written into it, for collections alone; `false` when left out.
        write_back: Option<Wire<bool>>,
    }
}

/// A linked calendar, without its address and what opens it.
#[derive(Debug, Object)]
#[oai(rename = "LinkedCalendar", rename_all = "camelCase")]
pub(crate) struct LinkedCalendarDto {
    /// Which one.
    id: String,
    /// How it is read.
    kind: Wire<CalendarKind>,
    /// On which server it is.
    host: String,
    /// What it is called here.
    #[oai(nullable)]
    label: Option<Wire<CalendarLabel>>,
    /// The IANA zone in which its dates are meant, and its times that name none; null for the
    /// therapist's.
    #[oai(nullable)]
    time_zone: Option<Wire<Tz>>,
    /// Whether sessions are written into it.
    write_back: bool,
    /// `pending` until it is read for the first time; `failing` while it cannot be read, or while sessions
    /// cannot be written into it; `partial` while it can, and some of its events cannot be.
    state: Wire<LinkState>,
    /// As of when its busy times count: when it was read last; null if it never was. They go on to count
    /// while it cannot be read.
    #[oai(nullable)]
    fetched_at: Option<Wire<DateTime<Utc>>>,
    /// When somebody tried last; null if never.
    #[oai(nullable)]
    checked_at: Option<Wire<DateTime<Utc>>>,
    /// Why it cannot be read, or written into; null when it can.
    #[oai(nullable)]
    error: Option<LinkErrorDto>,
    /// Which of its events could not be read in full when it was read last: they keep less time than they
    /// should, or none. Null when all of them could.
    #[oai(nullable)]
    unreadable: Option<UnreadEventsDto>,
    /// Since when it is linked.
    created_at: Wire<DateTime<Utc>>,
}

/// Why a linked calendar cannot be read, or written into.
#[derive(Debug, Object)]
#[oai(rename = "LinkedCalendarError", rename_all = "camelCase")]
struct LinkErrorDto {
    /// For programs.
    code: Wire<CopyFault>,
    /// In a few words.
    detail: String,
    /// How often that has failed since it last went well.
    failures: i32,
}

/// Events of a linked calendar that could not be read in full.
#[derive(Debug, Object)]
#[oai(rename = "LinkedCalendarUnreadable", rename_all = "camelCase")]
struct UnreadEventsDto {
    /// How many there are.
    count: i32,
    /// The first of them, at most 5.
    first: Vec<UnreadEventDto>,
}

/// An event of a linked calendar that could not be read in full.
#[derive(Debug, Object)]
#[oai(rename = "LinkedCalendarUnreadableEvent", rename_all = "camelCase")]
struct UnreadEventDto {
    /// What it is called between programs (UID), or as much of that as can be shown; empty if it is called
    /// nothing.
    uid: String,
    /// What could not be read of it.
    part: Wire<UnreadPart>,
}

impl UnreadEventsDto {
    fn of(unread: UnreadEvents) -> Option<Self> {
        let first = unread.first.into_iter();
        let first = first.map(|event| UnreadEventDto {
            uid: event.uid.as_str().to_owned(),
            part: Wire(event.part),
        });
        let count = i32::try_from(unread.count).unwrap_or(i32::MAX);
        (count > 0).then(|| Self { count, first: first.collect() })
    }
}

/// How a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkState {
    Pending,
    Ok,
    Partial,
    Failing,
}

impl LinkState {
    pub(crate) const ALL: [Self; 4] = [Self::Pending, Self::Ok, Self::Partial, Self::Failing];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ok => "ok",
            Self::Partial => "partial",
            Self::Failing => "failing",
        }
    }

    const fn of(link: &LinkedCalendar) -> Self {
        match (&link.copy.fault, link.copy.fetched_at) {
            (Some(_), _) => Self::Failing,
            (None, Some(_)) if link.copy.unread.count > 0 => Self::Partial,
            (None, Some(_)) => Self::Ok,
            (None, None) => Self::Pending,
        }
    }
}

impl OnWire for LinkState {
    const NAME: &'static str = "LinkedCalendarState";
    const IS_NAMED: bool = true;

    fn schema() -> MetaSchema {
        MetaSchema {
            description: Some("How a linked calendar is"),
            enum_items: Self::ALL.iter().map(OnWire::write).collect(),
            ..string(None)
        }
    }

    fn read(value: &Value) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|state| Some(state.as_str()) == value.as_str());
        found.ok_or_else(|| "must be pending, ok, partial or failing".to_owned())
    }

    fn write(&self) -> Value {
        self.as_str().into()
    }
}

impl From<LinkedCalendar> for LinkedCalendarDto {
    fn from(link: LinkedCalendar) -> Self {
        let state = LinkState::of(&link);
        let CopyState { failures, unwritten, .. } = link.copy;
        let failures = if failures > 0 { failures } else { unwritten };
        let failures = i32::try_from(failures).unwrap_or(i32::MAX);
        let error = link.copy.fault.map(|(fault, detail)| LinkErrorDto {
            code: Wire(fault),
            detail: detail.as_str().to_owned(),
            failures,
        });
        Self {
            id: link.id.to_string(),
            kind: Wire(link.kind),
            host: link.host.as_str().to_owned(),
            label: link.label.map(Wire),
            time_zone: link.zone.map(Wire),
            write_back: link.write_back == WriteBack::On,
            state: Wire(state),
            fetched_at: link.copy.fetched_at.map(Wire),
            checked_at: link.copy.checked_at.map(Wire),
            error,
            unreadable: UnreadEventsDto::of(link.copy.unread),
            created_at: Wire(link.created_at),
        }
    }
}

/// A field of the body that may be empty.
pub(crate) fn said<const MAX: usize>(field: MaybeUndefined<Wire<Text<MAX>>>) -> Option<Text<MAX>> {
    plain(field.take())
}

/// Whether sessions are to be written.
pub(crate) fn write_back(field: Option<Wire<bool>>) -> WriteBack {
    if plain(field).unwrap_or_default() { WriteBack::On } else { WriteBack::Off }
}
