//! What was asked, and what came of it.

use std::fmt;
use std::time::Duration;

use chrono::DateTime;

/// An instant, in minutes since 1970: sessions begin and end on whole ones.
pub(crate) type Minute = i64;

/// The number of an operation. Whatever it writes carries it, as a title, a note or a reason, so
/// that everything found later can be put down to somebody who asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Tag(pub(crate) u64);

/// A user, in a role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Person {
    pub(crate) role: &'static str,
    pub(crate) id: String,
}

/// With whom and when.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) therapist: String,
    pub(crate) start: Minute,
    pub(crate) minutes: i64,
}

/// A meeting as somebody saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meeting {
    pub(crate) id: String,
    pub(crate) version: u64,
    pub(crate) client: String,
    pub(crate) place: Place,
    pub(crate) status: String,
    pub(crate) title: String,
}

/// Weekly availability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) weekday: i64,
    /// Minutes of the day.
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) is_on: bool,
}

/// A window as somebody saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) id: String,
    pub(crate) therapist: String,
    pub(crate) window: Window,
    pub(crate) notes: String,
}

/// What of a meeting is to change; its title always does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) start: Option<Minute>,
    pub(crate) minutes: Option<i64>,
    pub(crate) therapist: Option<String>,
    pub(crate) status: Option<&'static str>,
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Book { client: String, place: Place, status: &'static str, key: Option<String> },
    Update { meeting: String, patch: Patch, expected: Option<u64> },
    Cancel { meeting: String, says_why: bool, expected: Option<u64> },
    Open(Window),
    Change { slot: String, window: Window },
    Close { slot: String },
    Read { meeting: String },
    List,
    Slots { therapist: String, day: Minute },
}

/// Who asks for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) tag: Tag,
    pub(crate) by: Person,
    pub(crate) asked: Asked,
}

/// What somebody was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Meeting(Meeting),
    Slot(Slot),
    Nothing,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done, and said so.
    Acked(Seen),
    /// Not done, for this reason.
    Refused(String),
    /// Nobody was there to take it.
    Unreached,
    /// The connection broke, or the store was unavailable: done or not, now or a little later.
    Unknown,
}

/// A request that was sent; a repeat has the same one.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) request: Request,
    /// Since the run began.
    pub(crate) begun: Duration,
    pub(crate) ended: Duration,
    pub(crate) outcome: Outcome,
}

impl Tag {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.strip_prefix("op-")?.parse().ok().map(Self)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "op-{}", self.0)
    }
}

impl Person {
    pub(crate) fn client(id: &str) -> Self {
        Self { role: "client", id: id.to_owned() }
    }

    pub(crate) fn therapist(id: &str) -> Self {
        Self { role: "therapist", id: id.to_owned() }
    }
}

impl Place {
    pub(crate) fn end(&self) -> Minute {
        self.start + self.minutes
    }
}

impl Meeting {
    pub(crate) fn is_live(&self) -> bool {
        is_live(&self.status)
    }

    pub(crate) fn people(&self) -> [&str; 2] {
        [&self.client, &self.place.therapist]
    }
}

/// Whether a meeting of this status takes its people's time.
pub(crate) fn is_live(status: &str) -> bool {
    matches!(status, "SCHEDULED" | "CONFIRMED")
}

impl Patch {
    /// Whether the meeting goes elsewhere, if it is not there already.
    pub(crate) fn moves(&self) -> bool {
        self.start.is_some() || self.minutes.is_some() || self.therapist.is_some()
    }

    /// The status with which it ends, if it does.
    pub(crate) fn closes(&self) -> Option<&'static str> {
        self.status.filter(|status| !is_live(status))
    }
}

impl Asked {
    /// Whether it writes anything.
    pub(crate) fn is_change(&self) -> bool {
        !matches!(self, Self::Read { .. } | Self::List | Self::Slots { .. })
    }

    /// What it is called in the figures.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Book { .. } => "book",
            Self::Update { patch, .. } => match patch {
                Patch { therapist: Some(_), .. } => "hand over",
                patch if patch.moves() => "reschedule",
                Patch { status: Some("CONFIRMED"), .. } => "confirm",
                Patch { status: Some("CANCELLED"), .. } => "cancel",
                Patch { status: Some(_), .. } => "complete",
                _ => "retitle",
            },
            Self::Cancel { .. } => "cancel",
            Self::Open(_) => "open availability",
            Self::Change { .. } => "change availability",
            Self::Close { .. } => "close availability",
            Self::Read { .. } => "read",
            Self::List => "list",
            Self::Slots { .. } => "list slots",
        }
    }
}

/// As the API writes instants, to the second.
pub(crate) fn to_text(minute: Minute) -> String {
    let instant = DateTime::from_timestamp(minute * 60, 0).expect("a year of four digits");
    instant.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(crate) fn from_text(text: &str) -> Minute {
    DateTime::parse_from_rfc3339(text).expect("an instant").timestamp() / 60
}
