//! The OpenAPI document, and the pages that show it.

use poem::{Response, http::header};
use poem_openapi::{OpenApi, OpenApiService};
use serde_json::Value;

/// The document, corrected once and served in three forms.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) value: Value,
    pub(crate) json: String,
    pub(crate) html: String,
}

impl Spec {
    pub(crate) fn of<T: OpenApi>(service: &OpenApiService<T, ()>) -> Self {
        let raw = service.spec();
        let mut value: Value = serde_json::from_str(&raw).unwrap_or_default();
        correct(&mut value);
        let json = format!("{value:#}");
        let html = service.swagger_ui_html().replacen(&raw, &json, 1);
        // Without an icon in the page, browsers ask for one and complain that there is none.
        let html = html.replacen("<head>", "<head><link rel=\"icon\" href=\"data:,\">", 1);
        Self { value, json, html }
    }

    /// Adds what webhooks are sent.
    #[cfg(feature = "webhooks")]
    pub(crate) fn add_webhooks(&mut self) {
        crate::webhooks::document_events(&mut self.value);
        let json = format!("{:#}", self.value);
        self.html = self.html.replacen(&self.json, &json, 1);
        self.json = json;
    }

    pub(crate) fn yaml(&self) -> String {
        serde_norway::to_string(&self.value).unwrap_or_default()
    }
}

/// Where poem-openapi's document is not what client generators take it for.
fn correct(spec: &mut Value) {
    let Some(object) = spec.as_object_mut() else { return };
    if let Some(paths) = object.get_mut("paths") {
        plain_media_types(paths);
    }
}

/// Generators look for `application/json` to the letter.
fn plain_media_types(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if let Some(media) = object.remove("application/json; charset=utf-8") {
                object.insert("application/json".to_owned(), media);
            }
            object.values_mut().for_each(plain_media_types);
        }
        Value::Array(items) => items.iter_mut().for_each(plain_media_types),
        _ => {}
    }
}

pub(crate) fn answer(content_type: &'static str, body: String) -> Response {
    Response::builder().header(header::CONTENT_TYPE, content_type).body(body)
}
