//! Every answer that a test gets is one that the document tells of.

use reqwest::Method;
use serde_json::Value;

use super::schemas::{GOLDEN, validate};
use crate::caller::Answer;

/// Panics at an answer that the document does not tell of: a status, a code, a header or a body.
#[track_caller]
pub(crate) fn check(method: &Method, path: &str, answer: &Answer) {
    let path = path.split('?').next().unwrap_or_default();
    let method = method.as_str().to_lowercase();
    let Some(template) = template(path).filter(|path| GOLDEN["paths"][path][&method].is_object())
    else {
        return;
    };
    // No operation answered: an empty segment, say, is no id.
    if answer.outcome() == (404, "not_found") {
        return;
    }
    let told = &GOLDEN["paths"][template][&method]["responses"];
    let status = answer.status.to_string();
    let told = told.get(&status).unwrap_or_else(|| {
        panic!("{method} {template} answers {status}, of which the document says nothing")
    });
    for (name, _) in told["headers"].as_object().into_iter().flatten() {
        // These are there when there is something to say.
        let there = !matches!(
            name.as_str(),
            "Link" | "Idempotency-Replayed" | "RateLimit" | "RateLimit-Policy"
        );
        if there {
            assert_ne!(answer.header(name), "", "{method} {template} {status}: {name}");
        }
    }
    let media = answer.header("content-type").split(';').next().unwrap_or_default();
    let Some(content) = told["content"].as_object() else {
        assert_eq!(answer.text, "", "{method} {template} {status}");
        return;
    };
    let told = content.get(media).unwrap_or_else(|| {
        panic!("{method} {template} answers {status} with {media}, not as documented")
    });
    if media == "application/problem+json" {
        let code = answer.str("code");
        assert!(told["examples"][code].is_object(), "{method} {template} {status}: {code}");
    }
    let text = Value::from(answer.text.as_str());
    let body = if media.starts_with("text/") { &text } else { &answer.body };
    let place = ["paths", template, &method, "responses", &status, "content", media, "schema"];
    if let Err(error) = validate(&place, body) {
        panic!("{method} {template} {status}: {error}");
    }
}

/// The path as the document has it: `/booking/meetings/{id}`.
fn template(path: &str) -> Option<&'static str> {
    let fits = |template: &&String| {
        let (wanted, given) = (template.split('/'), path.split('/'));
        wanted.clone().count() == given.clone().count()
            && wanted.zip(given).all(|(wanted, given)| wanted.starts_with('{') || wanted == given)
    };
    let mut templates = GOLDEN["paths"].as_object()?.keys();
    templates.find(fits).map(String::as_str)
}
