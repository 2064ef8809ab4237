//! Every operation and every schema has examples, and they are right.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::schemas::{GOLDEN, validate};

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

/// The examples of a body, by name.
fn examples_of(media: &Value) -> Vec<(&str, &Value)> {
    let named = entries(&media["examples"]).map(|(name, example)| match example["$ref"].as_str() {
        Some(place) => (name, GOLDEN.pointer(&place[1..]).expect("the example is there")),
        None => (name, example),
    });
    let named = named.map(|(name, example)| (name, &example["value"]));
    media.get("example").map(|example| ("", example)).into_iter().chain(named).collect()
}

/// Checks the examples of all media types at this place, of which there must be some.
fn check_content(place: &[&str]) {
    let content = place.iter().fold(&*GOLDEN, |value, name| &value[*name]);
    for (media, body) in entries(content) {
        let examples = examples_of(body);
        assert!(!examples.is_empty(), "{place:?} has no example");
        for (name, example) in examples {
            let place = [place, &[media, "schema"]].concat();
            if let Err(error) = validate(&place, example) {
                panic!("{place:?} {name}: {error}");
            }
        }
    }
}

#[test]
fn examples_are_there_and_fit_their_schemas() {
    for (name, schema) in entries(&GOLDEN["components"]["schemas"]) {
        let example = schema.get("example").unwrap_or_else(|| panic!("{name} has no example"));
        let place = ["components", "schemas", name];
        assert_eq!(validate(&place, example), Ok(()), "{name}");
    }
    for part in ["paths", "x-webhooks"] {
        for (path, methods) in entries(&GOLDEN[part]) {
            for (method, operation) in entries(methods) {
                check_content(&[part, path, method, "requestBody", "content"]);
                for (status, _) in entries(&operation["responses"]) {
                    check_content(&[part, path, method, "responses", status, "content"]);
                }
            }
        }
    }
}

#[test]
fn required_parameters_have_examples_and_others_none() {
    for (path, methods) in entries(&GOLDEN["paths"]) {
        for (method, operation) in entries(methods) {
            for (n, parameter) in
                operation["parameters"].as_array().into_iter().flatten().enumerate()
            {
                let example = parameter.get("example").or(parameter["schema"].get("example"));
                let name = &parameter["name"];
                assert_eq!(example.is_some(), parameter["required"] == true, "{path} {name}");
                if let Some(example) = example {
                    let n = n.to_string();
                    let place = ["paths", path, method, "parameters", &n, "schema"];
                    assert_eq!(validate(&place, example), Ok(()), "{path} {name}");
                }
            }
        }
    }
}

/// Generators name functions, groups and types by these.
#[test]
fn operations_are_named_grouped_and_say_who_may_call() {
    let tags = GOLDEN["tags"].as_array().unwrap();
    let named =
        |tag: &Value| tags.iter().any(|known| known["name"] == *tag && known["description"] != "");
    let mut ids = BTreeSet::new();
    for (path, methods) in entries(&GOLDEN["paths"]) {
        for (method, operation) in entries(methods) {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id), "{id} twice");
            let [tag] = operation["tags"].as_array().unwrap().as_slice() else { panic!("{id}") };
            assert!(named(tag), "{tag} is not described");
            // Calendar apps have no token; nobody else goes without.
            let is_public = id == "readCalendarFeed";
            let security = if is_public { json!([]) } else { json!([{"bearer": []}]) };
            assert_eq!(operation["security"], security, "{id}");
            assert_eq!(operation["responses"]["401"].is_object(), !is_public, "{id}");
            for text in ["summary", "description"] {
                assert!(operation[text].as_str().is_some_and(|text| !text.is_empty()), "{id}");
            }
            for (status, response) in entries(&operation["responses"]) {
                assert_ne!(response["description"], "", "{method} {path} {status}");
            }
            for status in ["500", "503"] {
                assert!(operation["responses"][status].is_object(), "{id} {status}");
            }
        }
    }
}

/// Generators read nothing else as they should.
#[test]
fn only_what_generators_understand() {
    fn check(value: &Value) {
        if let Some(object) = value.as_object() {
            if object.get("nullable") == Some(&Value::Bool(true)) {
                assert!(object["type"].is_string() && !object.contains_key("allOf"), "{value}");
            }
            let format = object.get("format").and_then(Value::as_str).unwrap_or_default();
            assert!(!format.starts_with("uint"), "{value}");
            assert!(!object.contains_key("application/json; charset=utf-8"), "{value}");
            assert_ne!(object.get("description").and_then(Value::as_str), Some(""), "{value}");
        }
        match value {
            Value::Object(object) => object.values().for_each(check),
            Value::Array(items) => items.iter().for_each(check),
            _ => {}
        }
    }
    check(&GOLDEN);
    let meeting = &GOLDEN["components"]["schemas"]["Meeting"];
    let optional = entries(&meeting["properties"]).map(|(name, _)| name);
    let required: Vec<&str> =
        meeting["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let optional: Vec<&str> = optional.filter(|name| !required.contains(name)).collect();
    assert_eq!(optional, ["sessionNotes"], "null and absent are not the same");
}
