//! What requests and answers look like. The tests check every example against its schema, and send
//! those of requests to a server.

use serde_json::{Value, json};

use super::{Object, objects, referred};

/// By schema; by the path of an operation, for its parameters; and, for answers that are not just
/// like their schema's example, by operation: what they have instead.
const EXAMPLES: &str = include_str!("examples.json");

/// Adds them to schemas, parameters, requests and answers.
pub(super) fn add(document: &mut Value) {
    let examples: Value = serde_json::from_str(EXAMPLES).unwrap_or_default();
    let known = &examples["schemas"];
    for (name, schema) in objects(&mut document["components"]["schemas"]) {
        if let Some(example) = known.get(name) {
            schema.insert("example".to_owned(), example.clone());
        }
    }
    for (path, methods) in objects(&mut document["paths"]) {
        for operation in methods.values_mut().filter_map(Value::as_object_mut) {
            show_parameters(path, operation, &examples["parameters"]);
            show_bodies(operation, &examples);
        }
    }
    for (kind, methods) in objects(&mut document["x-webhooks"]) {
        let mut event = known["CloudEvent"].clone();
        let operation = &mut methods["post"];
        let name = operation["operationId"].as_str().and_then(|id| id.strip_prefix("on"));
        event["data"] = known[format!("{}Event", name.unwrap_or_default())].clone();
        event["type"] = Value::from(kind.as_str());
        for (_, media) in objects(&mut operation["requestBody"]["content"]) {
            media.insert("example".to_owned(), event.clone());
        }
    }
}

/// Only those that are required: Swagger UI fills examples in, and sends them.
fn show_parameters(path: &str, operation: &mut Object, examples: &Value) {
    let of_path = examples.as_object().into_iter().flatten();
    let of_path: Vec<&Value> = of_path
        .filter(|(prefix, _)| path.starts_with(*prefix))
        .map(|(_, example)| example)
        .collect();
    for parameter in
        operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten()
    {
        let name = parameter["name"].as_str().unwrap_or_default();
        let example = of_path.iter().find_map(|examples| examples.get(name)).cloned();
        if let Some(example) = example {
            parameter["example"] = example;
        }
    }
}

fn show_bodies(operation: &mut Object, examples: &Value) {
    let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default();
    let instead = examples["answers"].get(id).cloned();
    if let Some(body) = operation.get_mut("requestBody") {
        show(&mut body["content"], &examples["schemas"], None);
    }
    for (status, response) in objects(operation.get_mut("responses").unwrap_or(&mut Value::Null)) {
        if status.starts_with('2')
            && let Some(content) = response.get_mut("content")
        {
            show(content, &examples["schemas"], instead.as_ref());
        }
    }
}

/// The example of a body's schema, or of its elements'; with these fields, or this instead.
fn show(content: &mut Value, known: &Value, instead: Option<&Value>) {
    for (_, media) in objects(content) {
        let schema = &media["schema"];
        let of = |schema: &Value| referred(schema).and_then(|name| known.get(name)).cloned();
        let usual = of(schema).or_else(|| Some(json!([of(&schema["items"])?])));
        let example = match (usual, instead) {
            (Some(Value::Object(mut usual)), Some(Value::Object(fields))) => {
                usual.extend(fields.clone());
                Some(Value::Object(usual))
            }
            (usual, instead) => instead.cloned().or(usual),
        };
        if let Some(example) = example {
            media.insert("example".to_owned(), example);
        }
    }
}
