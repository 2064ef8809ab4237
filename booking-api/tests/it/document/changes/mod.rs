//! What changed between two versions of the document, and whether it breaks clients: programs that
//! call the API, or code that was generated from the old version.

mod schema;
mod tests;

use std::fmt;

use serde_json::Value;

use schema::{Direction, Schemas};

/// A difference that clients can notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// Where: an operation, and what of it.
    pub(super) place: String,
    pub(super) what: String,
    pub(super) effect: Effect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Breaks,
    Compatible,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let effect = match self.effect {
            Effect::Breaks => "BREAKS CLIENTS",
            Effect::Compatible => "compatible",
        };
        write!(f, "{effect}: {}: {}", self.place, self.what)
    }
}

/// All changes; none when only words and examples differ.
pub(super) fn changes(old: &Value, new: &Value) -> Vec<Change> {
    let mut found = Found { old, new, changes: Vec::new() };
    found.operations("paths", Direction::Asked, Direction::Answered);
    // There the server asks, and the client answers.
    found.operations("x-webhooks", Direction::Answered, Direction::Asked);
    for (name, _) in entries(&old["components"]["schemas"]) {
        if new["components"]["schemas"].get(name).is_none() {
            found.note(name, "the type is gone", Effect::Breaks);
        }
    }
    if old["servers"] != new["servers"] {
        found.note("servers", "the API is somewhere else", Effect::Breaks);
    }
    found.changes
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

struct Found<'a> {
    old: &'a Value,
    new: &'a Value,
    changes: Vec<Change>,
}

impl Found<'_> {
    fn note(&mut self, place: &str, what: impl Into<String>, effect: Effect) {
        let change = Change { place: place.to_owned(), what: what.into(), effect };
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }

    fn operations(&mut self, part: &str, asked: Direction, answered: Direction) {
        let all = |document: &Value| {
            let paths = entries(&document[part]).flat_map(|(path, methods)| {
                entries(methods).map(move |(method, operation)| {
                    (format!("{} {path}", method.to_uppercase()), operation.clone())
                })
            });
            paths.collect::<Vec<_>>()
        };
        let (old, new) = (all(self.old), all(self.new));
        for (place, operation) in &old {
            match new.iter().find(|(other, _)| other == place) {
                Some((_, other)) => {
                    self.names(place, operation, other);
                    self.parameters(place, operation, other, asked);
                    self.request(place, &operation["requestBody"], &other["requestBody"], asked);
                    self.responses(place, operation, other, answered);
                }
                None => self.note(place, "the operation is gone", Effect::Breaks),
            }
        }
        for (place, _) in new.iter().filter(|(place, _)| !old.iter().any(|(old, _)| old == place)) {
            self.note(place, "a new operation", Effect::Compatible);
        }
    }

    /// By which generated code calls operations, and who may.
    fn names(&mut self, place: &str, old: &Value, new: &Value) {
        for what in ["operationId", "tags", "security"] {
            if old[what] != new[what] {
                let what = format!("{what} is {} and was {}", new[what], old[what]);
                self.note(place, what, Effect::Breaks);
            }
        }
    }

    fn parameters(&mut self, place: &str, old: &Value, new: &Value, direction: Direction) {
        let all = |operation: &Value| {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let name = |p: &Value| {
                format!("{} of the {}", p["name"], p["in"].as_str().unwrap_or_default())
            };
            parameters.into_iter().map(|p| (name(&p), p)).collect::<Vec<_>>()
        };
        let (old, new) = (all(old), all(new));
        for (name, parameter) in &old {
            let place = format!("{place}, {name}");
            match new.iter().find(|(other, _)| other == name) {
                Some((_, other)) => {
                    if parameter["required"] != true && other["required"] == true {
                        self.note(&place, "is required now", Effect::Breaks);
                    } else if parameter["required"] == true && other["required"] != true {
                        self.note(&place, "may be left out now", Effect::Compatible);
                    }
                    self.schema(&place, &parameter["schema"], &other["schema"], direction);
                }
                None => self.note(&place, "is gone", Effect::Breaks),
            }
        }
        for (name, parameter) in new.iter().filter(|(name, _)| !old.iter().any(|(o, _)| o == name))
        {
            let effect =
                if parameter["required"] == true { Effect::Breaks } else { Effect::Compatible };
            self.note(&format!("{place}, {name}"), "is new", effect);
        }
    }

    fn request(&mut self, place: &str, old: &Value, new: &Value, direction: Direction) {
        let place = format!("{place}, body of the request");
        match (old.is_null(), new.is_null()) {
            (true, false) if new["required"] == true => {
                self.note(&place, "is required now", Effect::Breaks);
            }
            (true, false) => self.note(&place, "may be sent now", Effect::Compatible),
            (false, true) => self.note(&place, "is gone", Effect::Breaks),
            _ => match (old["required"] == true, new["required"] == true) {
                (false, true) => self.note(&place, "is required now", Effect::Breaks),
                (true, false) => self.note(&place, "may be left out now", Effect::Compatible),
                _ => {}
            },
        }
        if !old.is_null() && !new.is_null() {
            self.content(&place, &old["content"], &new["content"], direction);
        }
    }

    fn responses(&mut self, place: &str, old: &Value, new: &Value, direction: Direction) {
        let (old, new) = (&old["responses"], &new["responses"]);
        for (status, response) in entries(old) {
            let place = format!("{place}, answer {status}");
            let Some(other) = new.get(status) else {
                // Nobody misses an error.
                let effect =
                    if status.starts_with('2') { Effect::Breaks } else { Effect::Compatible };
                self.note(&place, "is gone", effect);
                continue;
            };
            for (name, _) in entries(&response["headers"]) {
                if other["headers"].get(name).is_none() {
                    self.note(&place, format!("the header {name} is gone"), Effect::Breaks);
                }
            }
            for (name, _) in entries(&other["headers"]) {
                if response["headers"].get(name).is_none() {
                    self.note(&place, format!("the header {name} is new"), Effect::Compatible);
                }
            }
            self.codes(&place, response, other);
            self.content(&place, &response["content"], &other["content"], direction);
        }
        for (status, _) in entries(new).filter(|(status, _)| old.get(*status).is_none()) {
            // Who knows one success takes another for a failure.
            let effect = if status.starts_with('2') { Effect::Breaks } else { Effect::Compatible };
            self.note(&format!("{place}, answer {status}"), "is new", effect);
        }
    }

    /// Clients treat codes that they do not know by their status, and are told so.
    fn codes(&mut self, place: &str, old: &Value, new: &Value) {
        let codes = |response: &Value| {
            let examples = &response["content"]["application/problem+json"]["examples"];
            entries(examples).map(|(code, _)| code.to_owned()).collect::<Vec<_>>()
        };
        let (old, new) = (codes(old), codes(new));
        for code in old.iter().filter(|code| !new.contains(code)) {
            self.note(place, format!("the code {code} is gone"), Effect::Compatible);
        }
        for code in new.iter().filter(|code| !old.contains(code)) {
            self.note(place, format!("the code {code} is new"), Effect::Compatible);
        }
    }

    fn content(&mut self, place: &str, old: &Value, new: &Value, direction: Direction) {
        for (media, body) in entries(old) {
            match new.get(media) {
                Some(other) => self.schema(place, &body["schema"], &other["schema"], direction),
                None => self.note(place, format!("{media} is gone"), Effect::Breaks),
            }
        }
        for (media, _) in entries(new).filter(|(media, _)| old.get(*media).is_none()) {
            self.note(place, format!("{media} is new"), Effect::Compatible);
        }
    }

    fn schema(&mut self, place: &str, old: &Value, new: &Value, direction: Direction) {
        let mut schemas = Schemas::new(self.old, self.new, direction);
        schemas.compare(place, old, new);
        for change in schemas.changes {
            self.note(&change.place, change.what, change.effect);
        }
    }
}
