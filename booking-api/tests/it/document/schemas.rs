//! Values against the document's schemas.

use std::collections::HashMap;
use std::sync::LazyLock;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};

const DOCUMENT: &str = "https://booking.example/openapi.json";

/// The golden copy, as `booking-api openapi` prints it.
pub(crate) static GOLDEN: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../openapi.json")).expect("the golden copy is JSON")
});

/// Every schema of the document, by its place.
static COMPILED: LazyLock<(Schemas, HashMap<String, SchemaIndex>)> = LazyLock::new(|| {
    let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
    compiler.enable_format_assertions();
    compiler.add_resource(DOCUMENT, json_schema(&GOLDEN)).expect("a document");
    let mut places = Vec::new();
    find_schemas(&GOLDEN, "", &mut places);
    let compiled = places.into_iter().map(|place| {
        // In a URL, braces are written by their numbers.
        let url = place.replace('{', "%7B").replace('}', "%7D");
        let schema = compiler.compile(&format!("{DOCUMENT}#{url}"), &mut schemas);
        let schema = schema.unwrap_or_else(|error| panic!("{place}: {error:#}"));
        (place, schema)
    });
    let compiled = compiled.collect();
    (schemas, compiled)
});

/// Where the document has schemas: under their names, and as `schema`.
fn find_schemas(value: &Value, place: &str, found: &mut Vec<String>) {
    for (name, inner) in value.as_object().into_iter().flatten() {
        let place = format!("{place}/{}", escaped(name));
        if name == "schema" || place.starts_with("/components/schemas/") {
            found.push(place);
        } else {
            find_schemas(inner, &place, found);
        }
    }
    for (n, inner) in value.as_array().into_iter().flatten().enumerate() {
        find_schemas(inner, &format!("{place}/{n}"), found);
    }
}

/// RFC 6901, section 3.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Whether a value is as the schema at this place of the document wants it: a list of names, from
/// the outermost to the innermost.
pub(crate) fn validate(place: &[&str], value: &Value) -> Result<(), String> {
    let place: String = place.iter().map(|name| format!("/{}", escaped(name))).collect();
    let (schemas, compiled) = &*COMPILED;
    let schema = compiled.get(&place).unwrap_or_else(|| panic!("no schema at {place}"));
    schemas.validate(value, *schema).map_err(|error| format!("{error:#}"))
}

/// OpenAPI 3.0 has its own word for values that may be null.
fn json_schema(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(json_schema).collect(),
        Value::Object(object) => {
            let mut object: serde_json::Map<String, Value> =
                object.iter().map(|(name, value)| (name.clone(), json_schema(value))).collect();
            if object.get("nullable") == Some(&Value::Bool(true)) {
                object["type"] = json!([object["type"], "null"]);
            }
            Value::Object(object)
        }
        other => other.clone(),
    }
}

/// A schema is no rubber stamp.
#[test]
fn values_that_are_wrong_are_told_from_right_ones() {
    let schema = ["components", "schemas", "Meeting"];
    let mut meeting = GOLDEN["components"]["schemas"]["Meeting"]["example"].clone();
    assert_eq!(validate(&schema, &meeting), Ok(()));
    for (field, wrong) in
        [("duration", json!(45)), ("startTime", json!("noon")), ("title", Value::Null)]
    {
        let right = std::mem::replace(&mut meeting[field], wrong);
        assert!(validate(&schema, &meeting).is_err(), "{field}");
        meeting[field] = right;
    }
    meeting["description"] = Value::Null;
    assert_eq!(validate(&schema, &meeting), Ok(()));
    meeting.as_object_mut().unwrap().remove("description");
    assert!(validate(&schema, &meeting).is_err(), "null, and not absent");
}
