//! Where poem-openapi's document is not what generators of clients take it for. Each of these was
//! met: a generator left something out, or gave it the wrong type.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Object, objects, operations, referred};

/// Header names as they are usually written; poem-openapi writes them in capitals.
const HEADERS: [&str; 4] = ["ETag", "Idempotency-Replayed", "Link", "Location"];

/// Corrects the whole document.
pub(super) fn correct(document: &mut Value) {
    everywhere(document, &plain_media_types);
    everywhere(document, &whole_numbers);
    everywhere(document, &one_reference);
    inline_nullable_references(document);
    always_present(document);
    operations(document).for_each(parameters_without_noise);
    operations(document).for_each(parameters_with_names_of_their_own);
    operations(document).for_each(header_names);
    operations(document).for_each(without_token);
    order_of_chapters(document);
}

/// Applies a correction to every object, the inner ones first.
fn everywhere(value: &mut Value, correct: &impl Fn(&mut Object)) {
    match value {
        Value::Object(object) => {
            object.values_mut().for_each(|value| everywhere(value, correct));
            correct(object);
        }
        Value::Array(items) => items.iter_mut().for_each(|value| everywhere(value, correct)),
        _ => {}
    }
}

/// Generators look for `application/json` to the letter.
fn plain_media_types(object: &mut Object) {
    for plain in ["application/json", "text/calendar"] {
        if let Some(media) = object.remove(&format!("{plain}; charset=utf-8")) {
            object.insert(plain.to_owned(), media);
        }
    }
}

/// Who needs no token is told so: silence would leave it open.
fn without_token(operation: &mut Object) {
    operation.entry("security").or_insert_with(|| json!([]));
}

/// The limits of integers are integers: `0`, and not `0.0`.
fn whole_numbers(object: &mut Object) {
    if object.get("type") != Some(&json!("integer")) {
        return;
    }
    for limit in ["minimum", "maximum"] {
        if let Some(number) = object.get(limit).and_then(Value::as_f64) {
            #[expect(clippy::cast_possible_truncation, reason = "it is whole")]
            object.insert(limit.to_owned(), json!(number as i64));
        }
    }
}

/// poem-openapi puts a field's description beside its type and again into the `allOf`, where
/// generators take it for a second type.
fn one_reference(object: &mut Object) {
    let Some(Value::Array(parts)) = object.get_mut("allOf") else { return };
    let repeats = |part: &Value| {
        let names = part.as_object().map(|part| part.keys().map(String::as_str));
        names.is_some_and(|mut names| names.all(|name| matches!(name, "description" | "nullable")))
    };
    parts.retain(|part| !repeats(part));
}

/// In OpenAPI 3.0 `nullable` says nothing beside a reference: such a type is written out, and goes if
/// nothing else refers to it.
fn inline_nullable_references(document: &mut Value) {
    let known = document["components"]["schemas"].clone();
    everywhere(document, &|object| {
        if object.get("nullable") != Some(&Value::Bool(true)) {
            return;
        }
        let Some(Value::Array(parts)) = object.get("allOf") else { return };
        let [part] = parts.as_slice() else { return };
        let Some(Value::Object(whole)) = referred(part).map(|name| &known[name]) else { return };
        let mut whole = whole.clone();
        whole.remove("title");
        object.remove("allOf");
        whole.append(object);
        if let Some(Value::Array(words)) = whole.get_mut("enum") {
            words.push(Value::Null);
        }
        *object = whole;
    });
    let used = document.to_string();
    if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
        schemas.retain(|name, _| used.contains(&format!("\"#/components/schemas/{name}\"")));
    }
}

/// Fields of answers that may be null are always there: only those that are never null may be left
/// out. (In requests, a field that may be null may be left out too.)
fn always_present(document: &mut Value) {
    let mut asked = BTreeSet::new();
    operations(document).for_each(|operation| {
        let content = operation.get("requestBody").map(|body| &body["content"]["application/json"]);
        asked.extend(content.and_then(|media| referred(&media["schema"])).map(str::to_owned));
    });
    for (name, schema) in objects(&mut document["components"]["schemas"]) {
        if asked.contains(name) {
            continue;
        }
        let mut required: Vec<Value> = Vec::new();
        let told = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
        for (field, properties) in
            schema.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            let field = Value::from(field.as_str());
            if told.contains(&field) || properties["nullable"] == true {
                required.push(field);
            }
        }
        if !required.is_empty() {
            schema.insert("required".to_owned(), Value::Array(required));
        }
    }
}

/// What is so anyway needs no saying.
fn parameters_without_noise(operation: &mut Object) {
    for parameter in
        operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten()
    {
        if let Some(parameter) = parameter.as_object_mut() {
            parameter.remove("explode");
            parameter.remove("deprecated");
        }
    }
}

/// `Last-Event-ID` and `lastEventId` are one name in generated code. The header is left out: who sends
/// it is told of it by the operation's description.
fn parameters_with_names_of_their_own(operation: &mut Object) {
    let Some(Value::Array(parameters)) = operation.get_mut("parameters") else { return };
    let plain = |parameter: &Value| {
        parameter["name"].as_str().unwrap_or_default().replace('-', "").to_ascii_lowercase()
    };
    let others: BTreeSet<String> =
        parameters.iter().filter(|parameter| parameter["in"] != "header").map(plain).collect();
    parameters
        .retain(|parameter| parameter["in"] != "header" || !others.contains(&plain(parameter)));
}

fn header_names(operation: &mut Object) {
    let Some(responses) = operation.get_mut("responses") else { return };
    for (_, response) in objects(responses) {
        let Some(Value::Object(headers)) = response.get_mut("headers") else { continue };
        let usual = |name: String| {
            let usual = HEADERS.iter().find(|usual| usual.eq_ignore_ascii_case(&name));
            usual.map_or(name, |usual| (*usual).to_owned())
        };
        let named: Map<String, Value> = std::mem::take(headers)
            .into_iter()
            .map(|(name, header)| (usual(name), header))
            .collect();
        *headers = named;
        for (_, header) in objects(response.get_mut("headers").unwrap_or(&mut Value::Null)) {
            header.remove("deprecated");
        }
    }
}

/// Chapters come in the order of their first operation, and not by the alphabet.
fn order_of_chapters(document: &mut Value) {
    let mut order: Vec<Value> = Vec::new();
    operations(document).for_each(|operation| {
        let tags = operation.get("tags").and_then(Value::as_array).into_iter().flatten();
        order.extend(tags.cloned());
    });
    if let Some(tags) = document["tags"].as_array_mut() {
        tags.sort_by_key(|tag| order.iter().position(|name| *name == tag["name"]));
    }
}
