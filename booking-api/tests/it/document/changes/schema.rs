//! What changed between two versions of a schema.

use serde_json::Value;

use super::{Change, Effect, entries};

/// Who sends the value: what may be sent may grow, and what may be received may shrink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// By clients: whatever they send today must be taken.
    Asked,
    /// To clients: they must understand whatever they get.
    Answered,
}

/// Limits, and whether a greater one takes more.
const LIMITS: [(&str, bool); 6] = [
    ("minimum", false),
    ("maximum", true),
    ("minLength", false),
    ("maxLength", true),
    ("minItems", false),
    ("maxItems", true),
];

pub(super) struct Schemas<'a> {
    old: &'a Value,
    new: &'a Value,
    direction: Direction,
    /// References under way, since schemas may hold themselves.
    within: Vec<(String, String)>,
    pub(super) changes: Vec<Change>,
}

impl<'a> Schemas<'a> {
    pub(super) fn new(old: &'a Value, new: &'a Value, direction: Direction) -> Self {
        Self { old, new, direction, within: Vec::new(), changes: Vec::new() }
    }

    fn note(&mut self, place: &str, what: impl Into<String>, effect: Effect) {
        self.changes.push(Change { place: place.to_owned(), what: what.into(), effect });
    }

    /// More values than before are all right where clients send them, and fewer where they get them.
    fn wider(&mut self, place: &str, what: String) {
        self.note(place, what, self.effect_for(Direction::Asked));
    }

    fn narrower(&mut self, place: &str, what: String) {
        self.note(place, what, self.effect_for(Direction::Answered));
    }

    fn effect_for(&self, harmless: Direction) -> Effect {
        if self.direction == harmless { Effect::Compatible } else { Effect::Breaks }
    }

    pub(super) fn compare(&mut self, place: &str, old: &Value, new: &Value) {
        let (old_name, old) = resolve(self.old, old);
        let (new_name, new) = resolve(self.new, new);
        if let Some(pair) = old_name.zip(new_name) {
            if self.within.contains(&pair) {
                return;
            }
            self.within.push(pair);
            self.compare_resolved(place, &old, &new);
            self.within.pop();
        } else {
            self.compare_resolved(place, &old, &new);
        }
    }

    fn compare_resolved(&mut self, place: &str, old: &Value, new: &Value) {
        for word in ["type", "format", "pattern"] {
            if old[word] != new[word] {
                let what = format!("{word} is {} and was {}", new[word], old[word]);
                self.note(place, what, Effect::Breaks);
            }
        }
        match (old["nullable"] == true, new["nullable"] == true) {
            (false, true) => self.wider(place, "may be null now".to_owned()),
            (true, false) => self.narrower(place, "is never null now".to_owned()),
            _ => {}
        }
        self.words(place, &old["enum"], &new["enum"]);
        for (limit, more_is_wider) in LIMITS {
            self.limit(place, limit, more_is_wider, (&old[limit], &new[limit]));
        }
        self.fields(place, old, new);
        if old["items"].is_object() && new["items"].is_object() {
            self.compare(&format!("{place}, each"), &old["items"], &new["items"]);
        }
        for word in ["allOf", "oneOf", "anyOf"] {
            let parts = |schema: &Value| schema[word].as_array().cloned().unwrap_or_default();
            let (old, new) = (parts(old), parts(new));
            if old.len() != new.len() {
                self.note(place, format!("{word} has other parts"), Effect::Breaks);
            }
            for (old, new) in old.iter().zip(&new) {
                self.compare(place, old, new);
            }
        }
    }

    /// Code that was generated names each value of an answer: one that goes is missed, too.
    fn words(&mut self, place: &str, old: &Value, new: &Value) {
        let (Some(old), Some(new)) = (old.as_array(), new.as_array()) else {
            if old.is_array() != new.is_array() {
                self.note(place, "is (or is no longer) one of a few values", Effect::Breaks);
            }
            return;
        };
        for word in old.iter().filter(|word| !new.contains(word)) {
            self.note(place, format!("the value {word} is gone"), Effect::Breaks);
        }
        for word in new.iter().filter(|word| !old.contains(word)) {
            self.wider(place, format!("the value {word} is new"));
        }
    }

    fn limit(&mut self, place: &str, limit: &str, more_is_wider: bool, at: (&Value, &Value)) {
        let (old, new) = (at.0.as_f64(), at.1.as_f64());
        let is_wider = match (old, new) {
            (old, new) if old == new => return,
            (_, None) => true,
            (None, _) => false,
            (Some(old), Some(new)) => (new > old) == more_is_wider,
        };
        let what = format!("{limit} is {} and was {}", at.1, at.0);
        if is_wider { self.wider(place, what) } else { self.narrower(place, what) }
    }

    fn fields(&mut self, place: &str, old: &Value, new: &Value) {
        let required = |schema: &Value, name: &str| {
            schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name))
        };
        for (name, field) in entries(&old["properties"]) {
            let place = format!("{place}, field {name}");
            let Some(other) = new["properties"].get(name) else {
                self.note(&place, "is gone", Effect::Breaks);
                continue;
            };
            match (required(old, name), required(new, name)) {
                (false, true) => self.narrower(&place, "is required now".to_owned()),
                (true, false) => self.wider(&place, "may be left out now".to_owned()),
                _ => {}
            }
            self.compare(&place, field, other);
        }
        for (name, _) in entries(&new["properties"]) {
            if old["properties"].get(name).is_none() {
                let is_demanded = self.direction == Direction::Asked && required(new, name);
                let effect = if is_demanded { Effect::Breaks } else { Effect::Compatible };
                self.note(&format!("{place}, field {name}"), "is new", effect);
            }
        }
    }
}

/// The schema itself, with its name if it has one. A reference alone in `allOf` is a reference.
fn resolve(document: &Value, schema: &Value) -> (Option<String>, Value) {
    let schema = match schema["allOf"].as_array().map(Vec::as_slice) {
        Some([only]) if schema["nullable"] != true => only,
        _ => schema,
    };
    match schema["$ref"].as_str().and_then(|place| place.strip_prefix("#/components/schemas/")) {
        Some(name) => (Some(name.to_owned()), document["components"]["schemas"][name].clone()),
        None => (None, schema.clone()),
    }
}
