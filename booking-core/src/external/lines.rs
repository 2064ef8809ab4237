//! The lines of an iCalendar file (RFC 5545, 3.1): unfolded, and taken apart.

/// `NAME;PARAMETER=value:value`, with what matters of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Line {
    /// In upper case.
    pub(super) name: String,
    /// The value of each that matters, without its quotes.
    parameters: Vec<(&'static str, String)>,
    pub(super) value: String,
}

/// The others are not kept.
const PARAMETERS: [&str; 3] = ["TZID", "RANGE", "FBTYPE"];

/// Whose values have no colon in them. The names of zones before them do, and those who write
/// `TZID=tzone://Microsoft/Utc:20241105T190000` leave out the quotes.
const TIMES: [&str; 6] = ["DTSTART", "DTEND", "RDATE", "EXDATE", "RECURRENCE-ID", "FREEBUSY"];

impl Line {
    /// `None` for a line that is none; what is not UTF-8 becomes U+FFFD.
    fn parse(line: &[u8]) -> Option<Self> {
        let line = String::from_utf8_lossy(line);
        let (name, rest) = line.split_at(line.find([';', ':'])?);
        let name = name.trim().to_ascii_uppercase();
        let colon =
            if TIMES.contains(&name.as_str()) { rest.rfind(':') } else { unquoted(rest, ':') };
        let (mut before, value) = rest.split_at(colon?);
        let mut parameters = Vec::new();
        while let Some(parameter) = before.strip_prefix(';') {
            let (parameter, others) =
                parameter.split_at(unquoted(parameter, ';').unwrap_or(parameter.len()));
            if let Some((name, value)) = parameter.split_once('=')
                && let Some(name) = PARAMETERS.into_iter().find(|p| p.eq_ignore_ascii_case(name))
                && parameters.len() < PARAMETERS.len()
            {
                parameters.push((name, without_quotes(value).to_owned()));
            }
            before = others;
        }
        Some(Self { name, parameters, value: value[1..].to_owned() })
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
    }

    /// The value in upper case, without the blanks around it: for the words of the format.
    pub(super) fn word(&self) -> String {
        self.value.trim().to_ascii_uppercase()
    }
}

/// Where the first of these is outside quotes.
fn unquoted(text: &str, wanted: char) -> Option<usize> {
    let mut quoted = false;
    text.find(|c: char| {
        quoted ^= c == '"';
        !quoted && c == wanted
    })
}

/// None of those that matter is a list: a comma is part of a name that should have had quotes.
fn without_quotes(value: &str) -> &str {
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or_default(),
        None => value,
    }
}

/// The lines of a file that begin with one of `names`; others are not copied. Lines end with LF or
/// CRLF. They are unfolded as bytes, for a fold may be inside a character.
pub(super) fn lines<'a>(
    file: &'a [u8],
    is_wanted: impl Fn(&[u8]) -> bool + 'a,
) -> impl Iterator<Item = Line> + 'a {
    let mut physical = file.split(|byte| *byte == b'\n').peekable();
    std::iter::from_fn(move || {
        loop {
            let mut whole = without_cr(physical.next()?).to_vec();
            // The name may itself be folded, if never by a program that meant well.
            let mut wanted = name_of(&whole).map(&is_wanted);
            while let Some(more) = physical.next_if(|next| matches!(next, [b' ' | b'\t', ..])) {
                if wanted != Some(false) {
                    whole.extend_from_slice(&without_cr(more)[1..]);
                }
                wanted = wanted.or_else(|| name_of(&whole).map(&is_wanted));
            }
            if wanted == Some(true)
                && let Some(line) = Line::parse(&whole)
            {
                return Some(line);
            }
        }
    })
}

/// No name that matters is longer, with the blanks around it.
const LONGEST_NAME: usize = 32;

/// The name of a line, empty if it is longer than any; `None` as long as more of it may follow. It
/// looks at so few bytes that it can be asked at each fold.
fn name_of(line: &[u8]) -> Option<&[u8]> {
    let first = &line[..line.len().min(LONGEST_NAME)];
    match first.iter().position(|byte| matches!(byte, b';' | b':')) {
        Some(end) => Some(first[..end].trim_ascii()),
        None => (first.len() == LONGEST_NAME).then_some(&[]),
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    let mut line = line;
    while let [shorter @ .., b'\r'] = line {
        line = shorter;
    }
    line
}
