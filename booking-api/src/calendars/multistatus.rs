//! What WebDAV answers with (RFC 4918, section 13), as far as calendars need it.
//!
//! The XML is anybody's. It is read from one end to the other, and nothing in it is followed: no
//! document type, no entities but the five of XML, and none of the addresses (`href`). How long it is
//! was bounded before.

use quick_xml::NsReader;
use quick_xml::events::{BytesRef, Event};
use quick_xml::name::{Namespace, ResolveResult};

use super::failure::FetchError;

const DAV: &str = "DAV:";
const CALDAV: &str = "urn:ietf:params:xml:ns:caldav";
const CALENDAR_SERVER: &str = "http://calendarserver.org/ns/";

/// Elements within each other; what is looked for has five.
const MAX_DEPTH: usize = 32;
/// Of one answer.
const MAX_MEMBERS: usize = 20_000;
/// Prefixes in use at one place.
const MAX_NAMESPACES: usize = 64;

/// What is said of one resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Member {
    /// Of the resource as a whole, where something is said of that.
    pub(super) status: Option<u16>,
    /// Whether it is a calendar collection.
    pub(super) is_calendar: bool,
    /// What changes with it (CalendarServer's `getctag`).
    pub(super) ctag: Option<String>,
    /// What changes with it (RFC 6578).
    pub(super) sync_token: Option<String>,
    /// The iCalendar object in it.
    pub(super) data: Option<String>,
    /// Why that is not told.
    pub(super) data_status: Option<u16>,
}

/// Elements that matter, where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Multistatus,
    Response,
    Status,
    Propstat,
    Prop,
    PropStatus,
    ResourceType,
    Calendar,
    CTag,
    SyncToken,
    CalendarData,
    Other,
}

impl Element {
    fn of(parent: Option<Self>, namespace: &str, name: &str) -> Self {
        match (parent, namespace, name) {
            (None, DAV, "multistatus") => Self::Multistatus,
            (Some(Self::Multistatus), DAV, "response") => Self::Response,
            (Some(Self::Response), DAV, "status") => Self::Status,
            (Some(Self::Response), DAV, "propstat") => Self::Propstat,
            (Some(Self::Propstat), DAV, "prop") => Self::Prop,
            (Some(Self::Propstat), DAV, "status") => Self::PropStatus,
            (Some(Self::Prop), DAV, "resourcetype") => Self::ResourceType,
            (Some(Self::ResourceType), CALDAV, "calendar") => Self::Calendar,
            (Some(Self::Prop), CALENDAR_SERVER, "getctag") => Self::CTag,
            (Some(Self::Prop), DAV, "sync-token") => Self::SyncToken,
            (Some(Self::Prop), CALDAV, "calendar-data") => Self::CalendarData,
            _ => Self::Other,
        }
    }

    /// Whether its text matters.
    const fn has_text(self) -> bool {
        matches!(
            self,
            Self::Status | Self::PropStatus | Self::CTag | Self::SyncToken | Self::CalendarData
        )
    }
}

/// What is known so far.
#[derive(Default)]
struct Reading {
    open: Vec<Element>,
    /// Of the innermost element whose text matters.
    text: String,
    /// What a `propstat` says, before it is known whether that is so.
    props: Member,
    props_status: Option<u16>,
    member: Member,
    members: Vec<Member>,
    is_done: bool,
}

/// The resources that an answer is about.
pub(super) fn parse(xml: &str) -> Result<Vec<Member>, FetchError> {
    let mut reader = NsReader::from_str(xml.trim_start_matches('\u{feff}'));
    reader.config_mut().expand_empty_elements = true;
    reader.resolver_mut().set_max_namespace_bindings(MAX_NAMESPACES);
    let mut reading = Reading::default();
    loop {
        let (namespace, event) =
            reader.read_resolved_event().map_err(|_| FetchError::Unreadable)?;
        match event {
            Event::Start(start) => {
                let namespace = match namespace {
                    ResolveResult::Bound(Namespace(name)) => name,
                    ResolveResult::Unbound => "",
                    ResolveResult::Unknown(_) => return Err(FetchError::Unreadable),
                };
                reading.begin(namespace, start.local_name().as_ref())?;
            }
            Event::End(_) => reading.end()?,
            Event::Text(text) => reading.add(&text.xml10_content()),
            Event::CData(text) => reading.add(&text.xml10_content()),
            Event::GeneralRef(reference) => reading.add_char(character(&reference)?),
            Event::Eof => return reading.done(),
            Event::DocType(_) => return Err(FetchError::Unreadable),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::Empty(_) => {}
        }
    }
}

fn character(reference: &BytesRef<'_>) -> Result<char, FetchError> {
    if let Some(char) = reference.resolve_char_ref().map_err(|_| FetchError::Unreadable)? {
        return Ok(char);
    }
    match reference.as_ref() {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => Err(FetchError::Unreadable),
    }
}

impl Reading {
    fn begin(&mut self, namespace: &str, name: &str) -> Result<(), FetchError> {
        if self.open.len() == MAX_DEPTH {
            return Err(FetchError::Unreadable);
        }
        let element = Element::of(self.open.last().copied(), namespace, name);
        match element {
            _ if self.is_done => return Err(FetchError::Unreadable),
            Element::Other if self.open.is_empty() => return Err(FetchError::Unreadable),
            Element::Response if self.members.len() == MAX_MEMBERS => {
                return Err(FetchError::TooLarge);
            }
            Element::Calendar => self.props.is_calendar = true,
            element if element.has_text() => self.text.clear(),
            _ => {}
        }
        self.open.push(element);
        Ok(())
    }

    fn end(&mut self) -> Result<(), FetchError> {
        let element = self.open.pop().ok_or(FetchError::Unreadable)?;
        match element {
            Element::Multistatus => self.is_done = true,
            Element::Response => self.members.push(std::mem::take(&mut self.member)),
            Element::Status => self.member.status = Some(status(&self.text)?),
            Element::PropStatus => self.props_status = Some(status(&self.text)?),
            Element::Propstat => self.settle()?,
            Element::CTag => self.props.ctag = Some(std::mem::take(&mut self.text)),
            Element::SyncToken => self.props.sync_token = Some(std::mem::take(&mut self.text)),
            Element::CalendarData => self.props.data = Some(std::mem::take(&mut self.text)),
            Element::Prop | Element::ResourceType | Element::Calendar | Element::Other => {}
        }
        Ok(())
    }

    /// A `propstat` is over: what it says is so, or its status says why not.
    fn settle(&mut self) -> Result<(), FetchError> {
        let props = std::mem::take(&mut self.props);
        let status = self.props_status.take().ok_or(FetchError::Unreadable)?;
        if !(200..=299).contains(&status) {
            self.member.data_status = self.member.data_status.or(props.data.and(Some(status)));
            return Ok(());
        }
        let member = &mut self.member;
        member.is_calendar |= props.is_calendar;
        member.ctag = props.ctag.or(member.ctag.take());
        member.sync_token = props.sync_token.or(member.sync_token.take());
        member.data = props.data.or(member.data.take());
        Ok(())
    }

    fn add(&mut self, text: &str) {
        if self.open.last().is_some_and(|element| element.has_text()) {
            self.text.push_str(text);
        }
    }

    fn add_char(&mut self, char: char) {
        self.add(char.encode_utf8(&mut [0; 4]));
    }

    fn done(self) -> Result<Vec<Member>, FetchError> {
        if self.is_done { Ok(self.members) } else { Err(FetchError::Unreadable) }
    }
}

/// `HTTP/1.1 200 OK`.
fn status(line: &str) -> Result<u16, FetchError> {
    let code = line.split_ascii_whitespace().nth(1).filter(|_| line.trim().starts_with("HTTP/"));
    code.and_then(|code| code.parse().ok()).ok_or(FetchError::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a resource says of itself, among what nobody asked for.
    const ANSWER: &str = r#"<?xml version='1.0' encoding='utf-8'?>
<!-- one --><multistatus xmlns="DAV:" xmlns:CS="http://calendarserver.org/ns/"
    xmlns:C="urn:ietf:params:xml:ns:caldav">
  <response><href>/jane/work/</href>
    <propstat><prop>
      <resourcetype><collection/><C:calendar/></resourcetype>
      <CS:getctag>"a&amp;b&#x21;"</CS:getctag><sync-token><![CDATA[http://one/?a&b]]></sync-token>
      <displayname>getctag<status>HTTP/1.1 500 No</status></displayname>
    </prop><status>HTTP/1.1 200 OK</status></propstat>
    <propstat><prop><C:calendar-data/></prop><status> HTTP/1.1 404 Not Found </status></propstat>
  </response>
  <D:response xmlns:D="DAV:" xmlns:cal="urn:ietf:params:xml:ns:caldav"><D:propstat>
    <D:status>HTTP/2 200</D:status>
    <D:prop><cal:calendar-data content-type="text/calendar" version="2.0">BEGIN:VCALENDAR
SUMMARY:&lt;b&gt; &quot;&apos;<![CDATA[ & ]]><!-- not this -->end
</cal:calendar-data></D:prop></D:propstat></D:response>
  <response><href>/jane/work/gone.ics</href><status>HTTP/1.1 404 Not Found</status></response>
</multistatus>
"#;

    fn parsed(xml: &str) -> Vec<Member> {
        parse(xml).expect(xml)
    }

    #[test]
    fn members_say_what_they_are() {
        let collection = Member {
            is_calendar: true,
            ctag: Some("\"a&b!\"".to_owned()),
            sync_token: Some("http://one/?a&b".to_owned()),
            data_status: Some(404),
            ..Member::default()
        };
        let text = "BEGIN:VCALENDAR\nSUMMARY:<b> \"' & end\n";
        let event = Member { data: Some(text.to_owned()), ..Member::default() };
        let gone = Member { status: Some(404), ..Member::default() };
        assert_eq!(parsed(ANSWER), [collection, event, gone]);
        assert_eq!(parsed(&ANSWER.replace('\n', "\r\n"))[1].data.as_deref(), Some(text));
        assert_eq!(parsed("\u{feff}<multistatus xmlns='DAV:'/>"), []);
    }

    /// Names are those of their namespaces, whatever the prefixes; and things are what they are only
    /// where they belong.
    #[test]
    fn what_is_of_another_namespace_or_place_is_nothing() {
        let nothing = Member::default();
        let of_prop = |prop: &str| {
            let xml = format!(
                "<d:multistatus xmlns:d='DAV:' xmlns:c='urn:ietf:params:xml:ns:caldav' \
                 xmlns:s='http://calendarserver.org/ns/' xmlns:x='x'><d:response><d:propstat>\
                 <d:prop>{prop}</d:prop><d:status>HTTP/1.1 200 OK</d:status>\
                 </d:propstat></d:response></d:multistatus>"
            );
            parsed(&xml).remove(0)
        };
        for prop in [
            "<calendar-data>x</calendar-data>",
            "<x:calendar-data>x</x:calendar-data>",
            "<d:calendar-data>x</d:calendar-data>",
            "<c:calendar-data xmlns:c='x'>x</c:calendar-data>",
            "<x:any><c:calendar-data>x</c:calendar-data></x:any>",
            "<d:resourcetype><d:calendar/><calendar/><x:calendar/></d:resourcetype>",
            "<c:calendar/><x:resourcetype><c:calendar/></x:resourcetype>",
            "<d:resourcetype><x:any><c:calendar/></x:any></d:resourcetype>",
            "<d:getctag>x</d:getctag><c:sync-token>x</c:sync-token>",
        ] {
            assert_eq!(of_prop(prop), nothing, "{prop}");
        }
        let data =
            of_prop("<calendar-data xmlns='urn:ietf:params:xml:ns:caldav'>x</calendar-data>");
        assert_eq!(data.data.as_deref(), Some("x"));
        let mixed = of_prop("<c:calendar-data>a<x:any>b</x:any>c</c:calendar-data>");
        assert_eq!(mixed.data.as_deref(), Some("ac"));
    }

    #[test]
    fn what_is_hostile_or_broken_is_refused() {
        let within = |inner: &str| format!("<multistatus xmlns='DAV:'>{inner}</multistatus>");
        let laughs = "<!DOCTYPE m [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]>";
        let file = "<!DOCTYPE m [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>";
        let deep = |depth: usize| within(&("<a>".repeat(depth) + &"</a>".repeat(depth)));
        let prefixes: String = (0..100).map(|n| format!(" xmlns:p{n}='{n}'")).collect();
        assert_eq!(parsed(&deep(MAX_DEPTH - 1)), []);
        let table = [
            (format!("{laughs}{}", within("&b;")), "entities that grow"),
            (format!("{file}{}", within("&x;")), "an entity that is a file"),
            (format!("<!DOCTYPE multistatus>{}", within("")), "a document type"),
            (within("&b;"), "an entity that is none"),
            (within("&#0;"), "a character that is none"),
            (within("&#x110000;"), "a character that is none"),
            (deep(MAX_DEPTH), "too deep"),
            (deep(100_000), "much too deep"),
            (within(&format!("<a{prefixes}/>")), "too many prefixes"),
            (within("<x:a/>"), "a prefix that is none"),
            (within("<a></b>"), "an element that ends as another"),
            (within("</a>"), "an element that ends without a beginning"),
            ("<multistatus xmlns='DAV:'>".to_owned(), "cut short"),
            ("<multistatus xmlns='DAV:'><response".to_owned(), "cut short in a tag"),
            (within("<![CDATA["), "cut short in a section"),
            ("<multistatus/>".to_owned(), "another namespace"),
            ("<html xmlns='DAV:'/>".to_owned(), "another document"),
            (within("") + &within(""), "two documents"),
            (String::new(), "nothing"),
            ("BEGIN:VCALENDAR".to_owned(), "no XML"),
            (within("<response><status>200</status></response>"), "a status that is none"),
            (within("<response><status>HTTP/1.1 OK</status></response>"), "a status that is none"),
            (within("<response><propstat><prop/></propstat></response>"), "no status"),
        ];
        for (xml, what) in table {
            assert_eq!(parse(&xml), Err(FetchError::Unreadable), "{what}");
        }
        let many = within(&"<response/>".repeat(MAX_MEMBERS + 1));
        assert_eq!(parse(&many), Err(FetchError::TooLarge));
    }

    /// Bytes out, bytes in, parts twice: there is always an answer.
    #[test]
    fn whatever_comes_is_answered() {
        let mut chance = fastrand::Rng::with_seed(7);
        let mut understood = 0;
        for _ in 0..5_000 {
            let mut bytes = ANSWER.as_bytes().to_vec();
            for _ in 0..chance.usize(1..4) {
                let (from, to) = (chance.usize(..bytes.len()), chance.usize(..bytes.len()));
                let part = bytes[from.min(to)..from.max(to)].to_vec();
                let place = chance.usize(..bytes.len());
                match chance.u8(0..4) {
                    0 => bytes[place] = chance.u8(..),
                    1 => bytes.insert(place, *chance.choice(b"<>&;/'\"![]").unwrap()),
                    2 => bytes.truncate(place + 1),
                    _ => drop(bytes.splice(place..place, part.into_iter().take(64))),
                }
            }
            let outcome = parse(&String::from_utf8_lossy(&bytes));
            understood += usize::from(outcome.is_ok());
        }
        assert!((1..5_000).contains(&understood), "{understood}");
    }
}
