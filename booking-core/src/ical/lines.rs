//! Content lines (RFC 5545, section 3.1): folded, and escaped where they are text.

use std::fmt::{Display, Write};

/// The longest line, in bytes, without its end.
const MAX_BYTES: usize = 75;

/// Content lines, written one after the other.
#[derive(Debug, Default)]
pub(super) struct Lines(String);

impl Lines {
    /// A component with what is in it.
    pub(super) fn component(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.plain("BEGIN", name);
        fill(self);
        self.plain("END", name);
    }

    /// A property, with its parameters, whose value needs no escapes.
    pub(super) fn plain(&mut self, property: &str, value: impl Display) {
        let mut line = String::with_capacity(MAX_BYTES);
        let _never_fails = write!(line, "{property}:{value}");
        self.fold(&line);
    }

    /// A property whose value is text (section 3.3.11).
    pub(super) fn text(&mut self, property: &str, value: &str) {
        let mut line = format!("{property}:");
        let mut chars = value.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' | ';' | ',' => line.extend(['\\', c]),
                // A line ends once, whatever it ends with.
                '\r' if chars.peek() == Some(&'\n') => {}
                '\r' | '\n' => line.push_str("\\n"),
                '\t' => line.push(c),
                // There is no way to write them.
                c if c.is_control() => {}
                c => line.push(c),
            }
        }
        self.fold(&line);
    }

    /// Ends a line, in several if it is long. No character is cut: some programs decode each line by
    /// itself.
    fn fold(&mut self, line: &str) {
        let mut rest = line;
        let mut room = MAX_BYTES;
        while rest.len() > room {
            let (part, more) = rest.split_at(rest.floor_char_boundary(room));
            self.0.push_str(part);
            self.0.push_str("\r\n ");
            rest = more;
            // The space at the beginning counts.
            room = MAX_BYTES - 1;
        }
        self.0.push_str(rest);
        self.0.push_str("\r\n");
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}
