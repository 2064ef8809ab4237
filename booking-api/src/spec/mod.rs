//! The OpenAPI document, and the pages that show it.
//!
//! poem-openapi writes it from the handlers and their types. What it cannot say is added here, once,
//! before anybody sees the document: [`shape`] makes it what generators of clients take it for,
//! [`answers`] says what each operation answers with, and [`examples`] shows what requests and
//! answers look like.

mod answers;
mod dates;
mod examples;
mod shape;

#[cfg(feature = "command")]
pub(crate) use dates::as_of;
pub(crate) use dates::{all_as_of, week_of};
use poem::{Response, http::header};
use poem_openapi::{OpenApi, OpenApiService};
use serde_json::{Map, Value};

/// The document, corrected once and served in three forms, each of which is made when asked for.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) value: Value,
    /// As poem-openapi has it, and the page in which it is.
    raw: (String, String),
}

impl Spec {
    /// `add` is for what the document is to have beside the service's operations.
    pub(crate) fn of<T: OpenApi>(
        service: &OpenApiService<T, ()>,
        add: &dyn Fn(&mut Value),
    ) -> Self {
        let raw = service.spec();
        let mut value: Value = serde_json::from_str(&raw).unwrap_or_default();
        add(&mut value);
        shape::correct(&mut value);
        answers::document(&mut value);
        examples::add(&mut value);
        Self { value, raw: (raw, service.swagger_ui_html()) }
    }

    pub(crate) fn json(&self) -> String {
        format!("{:#}", self.value)
    }

    pub(crate) fn html(&self) -> String {
        let (raw, page) = &self.raw;
        let html = page.replacen(raw, &self.json(), 1);
        // Without an icon in the page, browsers ask for one and complain that there is none.
        html.replacen("<head>", "<head><link rel=\"icon\" href=\"data:,\">", 1)
    }

    pub(crate) fn yaml(&self) -> String {
        serde_norway::to_string(&self.value).unwrap_or_default()
    }
}

pub(crate) fn answer(content_type: &'static str, body: String) -> Response {
    Response::builder().header(header::CONTENT_TYPE, content_type).body(body)
}

type Object = Map<String, Value>;

/// The objects that are values of this one.
fn objects(value: &mut Value) -> impl Iterator<Item = (&String, &mut Object)> {
    let entries = value.as_object_mut().into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name, value.as_object_mut()?)))
}

/// All operations.
fn operations(document: &mut Value) -> impl Iterator<Item = &mut Object> {
    objects(&mut document["paths"])
        .flat_map(|(_, methods)| methods.values_mut().filter_map(Value::as_object_mut))
}

/// The name of the schema that this one stands for.
fn referred(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/components/schemas/")
}
