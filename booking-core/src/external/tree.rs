//! An iCalendar file as the components that matter, in one pass and without recursion.

use super::lines::{Line, lines};
use super::{MAX_BYTES, MAX_COMPONENTS, MAX_DEPTH, UnreadableCalendar};

/// What is kept of a file.
#[derive(Debug, Default)]
pub(super) struct Components {
    pub(super) events: Vec<Component>,
    /// Those with FREEBUSY lines.
    pub(super) free_busy: Vec<Component>,
    pub(super) zones: Vec<ZoneComponent>,
}

/// A VEVENT or VFREEBUSY, or the STANDARD or DAYLIGHT of a zone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Component {
    lines: Vec<Line>,
}

/// A VTIMEZONE.
#[derive(Debug, Default)]
pub(super) struct ZoneComponent {
    pub(super) own: Component,
    pub(super) observances: Vec<Component>,
}

impl Component {
    /// The first line of a name.
    pub(super) fn line(&self, name: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.name == name)
    }

    /// The lines of a name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Line> {
        self.lines.iter().filter(move |line| line.name == name)
    }
}

/// Every other line is left out: descriptions and attendees are most of a calendar.
const WANTED: [&str; 19] = [
    "BEGIN",
    "END",
    "DTSTART",
    "DTEND",
    "DURATION",
    "RRULE",
    "RDATE",
    "EXDATE",
    "RECURRENCE-ID",
    "UID",
    "SEQUENCE",
    "STATUS",
    "TRANSP",
    "FREEBUSY",
    "TZID",
    "TZID-ALIAS-OF",
    "X-LIC-LOCATION",
    "TZOFFSETFROM",
    "TZOFFSETTO",
];

enum Open {
    Calendar,
    Event(Component),
    FreeBusy(Component),
    Zone(ZoneComponent),
    Observance(Component),
    /// An alarm, a to-do, whatever: what is within is nobody's.
    Other,
}

impl Components {
    /// Reads a file of one calendar or several.
    pub(super) fn parse(file: &[u8]) -> Result<Self, UnreadableCalendar> {
        if file.len() > MAX_BYTES {
            return Err(UnreadableCalendar::TooLong);
        }
        use UnreadableCalendar::{CutShort, Unbalanced};
        let is_wanted =
            |name: &[u8]| WANTED.iter().any(|w| w.as_bytes().eq_ignore_ascii_case(name));
        let mut components = Self::default();
        let mut open: Vec<(String, Open)> = Vec::new();
        let (mut begun, mut calendars) = (0, 0);
        let file = file.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(file);
        let mut lines = lines(file, is_wanted).peekable();
        while let Some(line) = lines.next() {
            match line.name.as_str() {
                "BEGIN" => {
                    begun += 1;
                    if begun > MAX_COMPONENTS {
                        return Err(UnreadableCalendar::TooManyComponents);
                    }
                    if open.len() == MAX_DEPTH {
                        return Err(UnreadableCalendar::TooDeep);
                    }
                    let name = line.word();
                    let next = Open::begin(open.last().map(|(_, open)| open), &name)?;
                    open.push((name, next));
                }
                "END" => {
                    let (name, ended) = open.pop().ok_or(Unbalanced)?;
                    let word = line.word();
                    if name != word {
                        // Nothing follows half a word but the end of what was received.
                        let is_cut = name.starts_with(&word) && lines.peek().is_none();
                        return Err(if is_cut { CutShort } else { Unbalanced });
                    }
                    calendars += usize::from(matches!(ended, Open::Calendar));
                    components.end(ended, open.last_mut().map(|(_, open)| open));
                }
                _ => {
                    if let Some(component) = open.last_mut().and_then(|(_, open)| open.component())
                    {
                        component.lines.push(line);
                    }
                }
            }
        }
        match (open.is_empty(), calendars) {
            (false, _) => Err(CutShort),
            (true, 0) => Err(UnreadableCalendar::NotACalendar),
            (true, _) => Ok(components),
        }
    }

    fn end(&mut self, ended: Open, within: Option<&mut Open>) {
        match (ended, within) {
            (Open::Event(event), _) => self.events.push(event),
            (Open::FreeBusy(free_busy), _) => self.free_busy.push(free_busy),
            (Open::Zone(zone), _) => self.zones.push(zone),
            (Open::Observance(observance), Some(Open::Zone(zone))) => {
                zone.observances.push(observance);
            }
            (Open::Calendar | Open::Other | Open::Observance(_), _) => {}
        }
    }
}

impl Open {
    /// Anything but a calendar at the outermost is no calendar: a page that asks to sign in, say.
    fn begin(within: Option<&Self>, name: &str) -> Result<Self, UnreadableCalendar> {
        Ok(match (within, name) {
            (None, "VCALENDAR") => Self::Calendar,
            (None, _) => return Err(UnreadableCalendar::NotACalendar),
            (Some(Self::Calendar), "VEVENT") => Self::Event(Component::default()),
            (Some(Self::Calendar), "VFREEBUSY") => Self::FreeBusy(Component::default()),
            (Some(Self::Calendar), "VTIMEZONE") => Self::Zone(ZoneComponent::default()),
            (Some(Self::Zone(_)), "STANDARD" | "DAYLIGHT") => {
                Self::Observance(Component::default())
            }
            _ => Self::Other,
        })
    }

    fn component(&mut self) -> Option<&mut Component> {
        match self {
            Self::Event(component) | Self::FreeBusy(component) | Self::Observance(component) => {
                Some(component)
            }
            Self::Zone(zone) => Some(&mut zone.own),
            Self::Calendar | Self::Other => None,
        }
    }
}
