//! Events of linked calendars that could not be read in full: their owner is told which.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::meeting::{UnknownWord, words};
use crate::text::Text;

words! {
    /// What could not be read of an event of a linked calendar.
    UnreadPart {
        /// Its start: nothing of it is busy.
        Start = "start",
        /// Its end; without one it is a day, or nothing.
        End = "end",
        /// Its time zone, which is taken for the calendar's.
        Zone = "time_zone",
        /// Its recurrence rule: only its first time is busy.
        Rule = "rule",
        /// It recurs more often than can be followed: only its first time is busy.
        TooDense = "too_dense",
        /// A date that it has in addition, or leaves out.
        Dates = "dates",
        /// All of it: it came in a file of its own, which cannot be taken apart.
        File = "file",
    }
    expected "a part such as rule"
}

/// An event of a linked calendar that could not be read in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadEvent {
    /// What it is called between programs, as far as it can be shown; empty if it has no UID.
    pub uid: Text<80>,
    /// What could not be read of it.
    pub part: UnreadPart,
}

/// Those of a copy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadEvents {
    /// How many there are.
    pub count: u32,
    /// The first [`FIRST`](Self::FIRST) of them.
    pub first: Vec<UnreadEvent>,
}

impl UnreadEvents {
    /// So many are named.
    pub const FIRST: usize = 5;
}

#[cfg(feature = "ical")]
mod found {
    use super::{UnreadEvent, UnreadEvents, UnreadPart};
    use crate::external::{ExternalTimes, Unclear};
    use crate::text::Text;

    impl From<&ExternalTimes> for UnreadEvents {
        fn from(times: &ExternalTimes) -> Self {
            let named = times.unclear.iter().take(Self::FIRST).map(|event| UnreadEvent {
                uid: Text::new(event.uid.as_str()).unwrap_or_else(|_| Text::empty()),
                part: event.what.into(),
            });
            Self {
                count: u32::try_from(times.unclear_count).unwrap_or(u32::MAX),
                first: named.collect(),
            }
        }
    }

    impl From<Unclear> for UnreadPart {
        fn from(what: Unclear) -> Self {
            match what {
                Unclear::Start => Self::Start,
                Unclear::End => Self::End,
                Unclear::Zone => Self::Zone,
                Unclear::Rule => Self::Rule,
                Unclear::TooDense => Self::TooDense,
                Unclear::Dates => Self::Dates,
                Unclear::File => Self::File,
            }
        }
    }
}
