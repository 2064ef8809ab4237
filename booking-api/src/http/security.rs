//! What a browser may do with the page that shows the API.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use poem::http::{HeaderName, HeaderValue, header};
use poem::{Body, Response, Result};
use ring::digest::{SHA256, digest};

const POLICY: HeaderName = header::CONTENT_SECURITY_POLICY;

/// Lets a page run the scripts that are in it and no others, ask nobody but this server, and be
/// framed by nobody (Content Security Policy Level 3). What it runs is known by its hash: there is
/// nothing to keep in step when the page changes. Styles may be in the page: Swagger UI makes some.
pub(crate) async fn page_policy(response: Result<Response>) -> Result<Response> {
    let (mut parts, body) = response?.into_parts();
    let html = body.into_string().await.unwrap_or_default();
    let mut scripts = String::from("'self'");
    for script in inline_scripts(&html) {
        let hash = STANDARD.encode(digest(&SHA256, script.as_bytes()));
        scripts = format!("{scripts} 'sha256-{hash}'");
    }
    let policy = format!(
        "default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; \
         img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        parts.headers.insert(POLICY, policy);
    }
    parts.headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(Response::from_parts(parts, Body::from_string(html)))
}

/// What stands between `<script …>` and `</script>`, where there is something.
fn inline_scripts(html: &str) -> impl Iterator<Item = &str> {
    let mut left = html;
    let next = std::iter::from_fn(move || {
        let (_, rest) = left.split_once("<script")?;
        let (_, rest) = rest.split_once('>')?;
        let (script, rest) = rest.split_once("</script")?;
        left = rest;
        Some(script)
    });
    next.filter(|script| !script.is_empty())
}
