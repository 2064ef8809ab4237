//! What a browser may do with the page that shows the API.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use poem::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use poem::http::{HeaderMap, HeaderValue};
use ring::digest::{SHA256, digest};

/// Lets a page run the scripts that are in it and no others, ask nobody but this server, and be
/// framed by nobody (Content Security Policy Level 3). What it runs is known by its hash: there is
/// nothing to keep in step when the page changes. Styles may be in the page: Swagger UI makes some.
pub(crate) fn page_policy(html: &str) -> HeaderMap {
    let mut scripts = String::from("'self'");
    for script in inline_scripts(html) {
        let hash = STANDARD.encode(digest(&SHA256, script.as_bytes()));
        scripts = format!("{scripts} 'sha256-{hash}'");
    }
    let policy = format!(
        "default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; \
         img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::from_str(&policy).map(|policy| (CONTENT_SECURITY_POLICY, policy));
    let referrer = (REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    policy.into_iter().chain([referrer]).collect()
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
